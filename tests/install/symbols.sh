#!/bin/bash
# SPDX-License-Identifier: MIT
#
# symbols.sh CC LIBRARY HEADER... - the library exports what these headers of client/ declare, and nothing else
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
cc=${1:?usage: symbols.sh CC LIBRARY HEADER...}
library=$2
shift 2
client=$here/../../client

exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort -u)
# Function declarations: the names before a bracket in the preprocessed headers, but not inline ones.
# Those of par.h itself where another one includes it are not that one's.
declared=$(for header in "$@"; do grep -v '^#include <par.h>' "$client/$header" | "$cc" -E -P -I"$client" -; done |
        tr '\n' ' ' | sed 's/{[^{}]*}/;/g; s/{[^{}]*}/;/g; s/static inline[^;]*;/;/g' |
        grep -oE '\bpar_[a-z_]+ *\(' | tr -d ' (' | LC_ALL=C sort -u)

if [[ $exported != "$declared" ]]; then
        echo "exported (<) and declared (>) differ:"
        diff <(echo "$exported") <(echo "$declared")
        exit 1
fi
