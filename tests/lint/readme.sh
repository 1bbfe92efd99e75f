#!/bin/bash
# SPDX-License-Identifier: MIT
#
# readme.sh - that the first driver in README.md is the example that is compiled, and that its links lead somewhere
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
cd "$here/../.."

diff <(sed -n '/^```c$/,/^```$/p' README.md | sed '1d;$d') client/examples/hello_par.c

for file in README.md docs/*.md tests/abi/README.md; do
        while read -r link; do
                [[ -e $(dirname "$file")/$link ]] || { echo "$file: $link is not there"; exit 1; }
        done < <(grep -oE '\]\([^)#]+' "$file" | sed 's/^](//' | grep -v '^https\?:' || true)
done
