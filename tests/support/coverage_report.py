#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
coverage_report.py - what of daemon/ and client/ ran, for people

usage: coverage_report.py LCOV_FILE ROOT UNCOVERED_FILE

Reads llvm-cov's export in lcov's format, and prints lines, and how many of them ran, of each folder and each file below
ROOT. The lines that did not run go to UNCOVERED_FILE, by file and function. The exit status is 1 where less than 90 % of
daemon/ or of client/ ran.
"""
import collections
import os
import sys

LEAST_PERCENT = 90


class Source:
    """One file: its lines that are code, whether each ran, and where its functions begin."""

    def __init__(self):
        self.ran = {}
        self.functions = {}

    def function_of(self, line):
        begins = [first for first in self.functions if first <= line]
        return self.functions[max(begins)] if begins else "?"

    def uncovered(self):
        """Function -> [(first, last)], adjacent lines of code as one range, in order."""
        ranges = collections.OrderedDict()
        former = None
        for line in sorted(self.ran):
            if self.ran[line]:
                former = None
                continue
            own = ranges.setdefault(self.function_of(line), [])
            if former is not None and own:
                own[-1] = (own[-1][0], line)
            else:
                own.append((line, line))
            former = line
        return ranges


def read(path, root):
    """Name below root -> Source."""
    sources = collections.defaultdict(Source)
    source = None
    with open(path, encoding="utf-8") as lcov:
        for record in lcov:
            key, _, value = record.strip().partition(":")
            if key == "SF":
                source = sources[os.path.relpath(value, root)]
            elif key == "FN":
                first, name = value.split(",", 1)
                source.functions[int(first)] = name.rsplit(":", 1)[-1]
            elif key == "DA":
                line, count = value.split(",")[:2]
                source.ran[int(line)] = source.ran.get(int(line), False) or int(count) > 0
    return sources


def row(name, sources):
    """One line of the summary. Return: the percentage."""
    lines = sum(len(source.ran) for source in sources)
    ran = sum(sum(source.ran.values()) for source in sources)
    percent = 100 * ran / lines if lines else 100
    print(f"{name:48} {lines:6} {ran:6} {percent:6.1f} %")
    return percent


def main():
    lcov, root, uncovered = sys.argv[1:]
    sources = read(lcov, root)
    names = sorted(sources)
    print(f"{'':48} {'lines':>6} {'ran':>6}")
    for folder in sorted({os.path.dirname(name) for name in names}):
        row(folder + "/*", [sources[name] for name in names if os.path.dirname(name) == folder])
    print()
    for name in names:
        row(name, [sources[name]])
    print()
    enough = True
    for top in "daemon", "client":
        whole = [sources[name] for name in names if name.startswith(top + "/")]
        enough &= row(top + "/", whole) >= LEAST_PERCENT
    with open(uncovered, "w", encoding="utf-8") as out:
        for name in names:
            functions = sources[name].uncovered()
            if functions:
                print(f"{name}:", file=out)
            for function, ranges in functions.items():
                text = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in ranges)
                print(f"        {function}: {text}", file=out)
    return 0 if enough else 1


sys.exit(main())
