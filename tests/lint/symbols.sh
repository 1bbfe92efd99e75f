#!/bin/bash
# SPDX-License-Identifier: MIT
#
# symbols.sh LIBRARY [LIBRARY...] - that a pure library calls nothing but the other ones and these functions of the C
# library
set -euo pipefail
library=${1:?usage: symbols.sh LIBRARY [LIBRARY...]}

# The heap, memory, strings, and the end of the program. Sanitizers and coverage bring their own, with __ in front.
allowed='^(calloc|malloc|aligned_alloc|realloc|reallocarray|free|qsort|bsearch|mem[a-z]+|str[a-z_]+|snprintf|vsnprintf|abort|__.*|_GLOBAL_OFFSET_TABLE_)$'

defined=$(nm --defined-only "$@" | awk 'NF == 3 { print $3 }' | sort -u)
undefined=$(nm -u "$library" | awk '$1 == "U" { print $2 }' | sort -u)
foreign=$(comm -13 <(printf '%s\n' "$defined") <(printf '%s\n' "$undefined") | grep -vE "$allowed" || true)

if [[ -n $foreign ]]; then
        echo "$(basename "$library") calls: ${foreign//$'\n'/ }"
        exit 1
fi
