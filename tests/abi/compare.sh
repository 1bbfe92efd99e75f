#!/bin/bash
# SPDX-License-Identifier: MIT
#
# compare.sh [--refresh] LIBRARY - whether a program built against the reference's par.h can use LIBRARY
#
# Functions and constants may be added, nothing may change or go away. --refresh makes LIBRARY the reference.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")

refresh=
if [[ ${1:-} == --refresh ]]; then
        refresh=1
        shift
fi
library=${1:?usage: compare.sh [--refresh] LIBRARY}
header=$(readlink -f "$here/../../client")/par.h

command -v abidiff >/dev/null || { echo "abidiff (abigail-tools) is not installed"; exit 77; }
# Types are only known where debugging information is.
readelf -S "$library" | grep -q '\.debug_info' || { echo "$library has no debugging information"; exit 77; }

if [[ -n $refresh ]]; then
        # Where it was built is nobody's business.
        abidw --header-file "$header" --drop-private-types --no-show-locs --no-corpus-path --no-comp-dir-path \
                "$library" | sed -E "s#path='[^']*/(client|proto)/#path='\1/#" >"$here/libpar-0.abi"
        cp "$header" "$here/par-0.1.h"
        exit 0
fi

# One bit each: 1 it failed, 2 wrong usage, 4 something changed, 8 incompatibly. What is behind opaque pointers is not in
# the reference, and may change.
abidiff --no-added-syms "$here/libpar-0.abi" "$library"
