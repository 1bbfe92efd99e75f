#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tidy.sh [--analyze] BUILD_DIR [FILE...] - clang-tidy over our sources (or the given ones), on all processors
#
# A file that was clean is not looked at again while it, all that it includes of ours, and the list of checks are
# the same: BUILD_DIR/tidy keeps a mark for each.
#
# The static analyser takes 17 times as long as all other checks, and most of what it says is that it cannot follow: with
# --analyze it looks as well, at what is not a test, for who has changed that. Each path of the tests is run, under valgrind
# and the sanitizers.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
analyze=
if [[ ${1:-} == --analyze ]]; then
        analyze=1
        shift
fi
export analyze
build=$(readlink -f "${1:?usage: tidy.sh [--analyze] BUILD_DIR [FILE...]}")
shift
cd "$here/../.."

command -v clang-tidy >/dev/null || { echo "clang-tidy is not installed"; exit 77; }

export build
export marks=$build/tidy
mkdir -p "$marks"
# One change in any header may matter to any file: headers are few, and the simple rule is never wrong.
common=$("$here/sources.sh" h | xargs cat .clang-tidy "$here/tidy.sh" proto/par.proto | sha256sum)
export common

tidy_one() {
        local file=$1 mark out fewer=()
        # Files that this configuration does not build (fuzz targets, say) have no command line.
        grep -qF "\"file\": \"$PWD/$file\"" "$build/compile_commands.json" || return 0
        mark=$marks/$( (echo "$common$analyze" && cat "$file") | sha256sum | cut -d' ' -f1)
        [[ ! -e $mark ]] || return 0
        [[ -n $analyze && $file != tests/* ]] || fewer=(--checks='-clang-analyzer-*')
        if out=$(clang-tidy --quiet "${fewer[@]}" -p "$build" "$file" 2>/dev/null); then
                touch "$mark"
        else
                printf '%s\n' "$out"
                return 1
        fi
}
export -f tidy_one

if [[ $# -gt 0 ]]; then
        printf '%s\n' "$@"
else
        "$here/sources.sh" c
fi | xargs -P "$(nproc)" -n1 bash -c 'tidy_one "$0"'
