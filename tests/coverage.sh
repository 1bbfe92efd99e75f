#!/bin/bash
# SPDX-License-Identifier: MIT
#
# coverage.sh - which lines of daemon/ and client/ the tests run, and which they do not
usage() {
        cat <<'USAGE'
usage: tests/coverage.sh [--report] [BUILD_DIR]

Builds with the preset "coverage" in BUILD_DIR (build/coverage), runs all tests that can run on this machine, and writes
there, in the folder report/:

  summary.txt    lines, and how many of them ran, of each folder and each file; this is printed too
  uncovered.txt  the lines that did not run, by file and function
  lcov.info      the same for other programs

  --report       no build and no tests: what was run since the last time, by hand as well

Exit status: 0; 1 where a test failed, or less than 90 % of daemon/ or of client/ ran; 2 for wrong usage.
USAGE
}
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.." || exit

report_only=
case ${1:-} in
--report)
        report_only=1
        shift
        ;;
-h | --help)
        usage
        exit 0
        ;;
-*)
        usage >&2
        exit 2
        ;;
esac
if [[ $# -gt 1 ]]; then
        usage >&2
        exit 2
fi
build=$(readlink -m "${1:-build/coverage}")
jobs=$(nproc)
failed=0

build_all() {
        local cache=()
        ! command -v ccache >/dev/null || cache=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
        cmake --preset coverage -B "$build" "${cache[@]}" && cmake --build "$build" -j "$jobs"
}

# Each program counts in a file that all its processes map, whoever kills them. Users without rights write there too:
# the folder is everybody's, and so is each file that root makes first.
prepare_profiles() {
        local program

        rm -rf "$build/profile"
        mkdir -m 1777 "$build/profile"
        for program in daemon/pard client/parctl/parctl; do
                (umask 0 && "$build/$program" --version) >/dev/null || return
        done
}

run_tests() {
        ctest --test-dir "$build" -j "$((jobs + 1))" --output-on-failure \
                -LE 'abi|bench|lint|package|valgrind' </dev/null 2>&1 | tee "$build/tests.log"
}

# programs - each program and library of the build that counts
programs() {
        local file

        find "$build" -name CMakeFiles -prune -o -type f -perm -u+x -print | while read -r file; do
                [[ $(readelf -SW "$file" 2>/dev/null) != *__llvm_covmap* ]] || echo "$file"
        done
}

write_report() {
        local report=$build/report files

        rm -rf "$report"
        mkdir "$report"
        find "$build/profile" -name '*.profraw' | LC_ALL=C sort >"$report/profiles"
        llvm-profdata merge -sparse -f "$report/profiles" -o "$report/merged.profdata" || return
        mapfile -t files < <(programs)
        llvm-cov export -format=lcov -instr-profile="$report/merged.profdata" "${files[0]}" \
                "${files[@]/#/-object=}" "$PWD/daemon" "$PWD/client" \
                >"$report/lcov.info" 2>"$report/llvm-cov.log" || return
        tests/support/coverage_report.py "$report/lcov.info" "$PWD" "$report/uncovered.txt" >"$report/summary.txt"
        local status=$?
        cat "$report/summary.txt"
        return "$status"
}

if [[ -z $report_only ]]; then
        build_all && prepare_profiles || exit 1
        run_tests || failed=1
        # A process that could not write has been left out.
        ! grep 'LLVM Profile \(Error\|Warning\)' "$build/tests.log" || failed=1
fi
write_report || failed=1
exit "$failed"
