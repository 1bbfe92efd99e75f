#!/bin/bash
# SPDX-License-Identifier: MIT
#
# symbols.sh LIBRARY CC - libpar exports what par.h declares, and nothing else
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
library=${1:?usage: symbols.sh LIBRARY CC}
cc=$2

exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort -u)
# Function declarations: the names before a bracket in the preprocessed header, but not inline ones.
declared=$("$cc" -E -P "$here/../../client/par.h" | tr '\n' ' ' | sed 's/static inline[^{]*{/{/g' |
        grep -oE '\bpar_[a-z_]+ *\(' | tr -d ' (' | LC_ALL=C sort -u)

if [[ $exported != "$declared" ]]; then
        echo "exported (<) and declared (>) differ:"
        diff <(echo "$exported") <(echo "$declared")
        exit 1
fi
