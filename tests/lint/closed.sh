#!/bin/bash
# SPDX-License-Identifier: MIT
#
# closed.sh CC INCLUDE_DIRS HEADER - that a target with these include paths (;-separated) cannot include HEADER
set -euo pipefail
cc=$1 header=$3
IFS=';' read -ra dirs <<<"$2"
here=$(dirname "$(readlink -f "$0")")

# A header that does not exist at all would prove nothing.
if [[ $header == */* ]]; then
        path=$header
else
        path=$("$here/sources.sh" h | grep "/$header\$")
fi
[[ -n $path ]]

if printf '#include "%s"\n' "$header" | "$cc" -D_GNU_SOURCE -fsyntax-only "${dirs[@]/#/-I}" -x c - 2>/dev/null; then
        echo "$header can be included from there"
        exit 1
fi
