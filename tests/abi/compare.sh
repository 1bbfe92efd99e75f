#!/bin/bash
# SPDX-License-Identifier: MIT
#
# compare.sh [--refresh] LIBRARY HEADER... - whether a program built against the reference's headers, these of client/, can
# use LIBRARY
#
# Functions and constants may be added, nothing may change or go away. --refresh makes LIBRARY the reference.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")

refresh=
if [[ ${1:-} == --refresh ]]; then
        refresh=1
        shift
fi
library=${1:?usage: compare.sh [--refresh] LIBRARY HEADER...}
shift
client=$(readlink -f "$here/../../client")
name=${library##*/}
reference=$here/${name%%.so*}-0.abi

command -v abidiff >/dev/null || { echo "abidiff (abigail-tools) is not installed"; exit 77; }
# Types are only known where debugging information is.
readelf -S "$library" | grep -q '\.debug_info' || { echo "$library has no debugging information"; exit 77; }

if [[ -n $refresh ]]; then
        headers=()
        for header in "$@"; do
                headers+=(--header-file "$client/$header")
        done
        # Where it was built is nobody's business.
        abidw "${headers[@]}" --drop-private-types --no-show-locs --no-corpus-path --no-comp-dir-path \
                "$library" | sed -E "s#path='[^']*/(client|proto)/#path='\1/#" >"$reference"
        # The old program is built with it.
        [[ $1 != par.h ]] || cp "$client/par.h" "$here/par-0.1.h"
        exit 0
fi

# One bit each: 1 it failed, 2 wrong usage, 4 something changed, 8 incompatibly. What is behind opaque pointers is not in
# the reference, and may change.
abidiff --no-added-syms "$reference" "$library"
