#!/bin/bash
# SPDX-License-Identifier: MIT
#
# readme.sh - that the first driver in README.md is the example that is compiled, that links lead somewhere, and that the
# tests are there which docs/security.md names
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
cd "$here/../.."

diff <(sed -n '/^```c$/,/^```$/p' README.md | sed '1d;$d') client/examples/hello_par.c

for file in README.md docs/*.md tests/abi/README.md; do
        while read -r link; do
                [[ -e $(dirname "$file")/$link ]] || { echo "$file: $link is not there"; exit 1; }
        done < <(grep -oE '\]\([^)#]+' "$file" | sed 's/^](//' | grep -v '^https\?:' || true)
done

while read -r name; do
        case $name in
        test_* | fuzz_*) [[ -n $(find tests -name "$name.c" -o -name "$name.sh") ]] ;;
        *) grep -rqE "_test\(${name#*.} " tests --include=CMakeLists.txt ;;
        esac || { echo "docs/security.md: $name is no test"; exit 1; }
done < <(grep -oE '`((test|fuzz)_[a-z_]+|(install|package|hugepages|integration)\.[a-z_]+)`' docs/security.md | tr -d '`' | sort -u)
