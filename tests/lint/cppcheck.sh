#!/bin/bash
# SPDX-License-Identifier: MIT
#
# cppcheck.sh BUILD_DIR - cppcheck over everything that BUILD_DIR compiles
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
build=$(readlink -f "${1:?usage: cppcheck.sh BUILD_DIR}")
cd "$here/../.."

command -v cppcheck >/dev/null || { echo "cppcheck is not installed"; exit 77; }

# What it remembers of files is only good while its own settings are the same.
marks=$build/cppcheck/$(cat "$0" "$here"/cppcheck.* | sha256sum | cut -c1-16)
mkdir -p "$marks"
cppcheck --project="$build/compile_commands.json" --cppcheck-build-dir="$marks" -j "$(nproc)" \
        -i"$build" --library=posix --library="$here/cppcheck.cfg" --enable=warning,performance,portability --inline-suppr \
        --suppressions-list="$here/cppcheck.suppressions" --error-exitcode=1 --quiet \
        --template='{file}:{line}: {severity}: {message} [{id}]'
