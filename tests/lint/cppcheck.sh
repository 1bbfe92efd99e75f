#!/bin/bash
# SPDX-License-Identifier: MIT
#
# cppcheck.sh BUILD_DIR - cppcheck over everything that BUILD_DIR compiles
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
build=$(readlink -f "${1:?usage: cppcheck.sh BUILD_DIR}")
cd "$here/../.."

command -v cppcheck >/dev/null || { echo "cppcheck is not installed"; exit 77; }

mkdir -p "$build/cppcheck"
cppcheck --project="$build/compile_commands.json" --cppcheck-build-dir="$build/cppcheck" -j "$(nproc)" \
        -i"$build" --library=posix --enable=warning,performance,portability --inline-suppr \
        --suppressions-list="$here/cppcheck.suppressions" --error-exitcode=1 --quiet \
        --template='{file}:{line}: {severity}: {message} [{id}]'
