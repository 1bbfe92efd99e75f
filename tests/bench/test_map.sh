#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_map.sh PAR-BENCH - a run of par-bench map that is too short to mean anything: every row is there, with figures that
# go together
set -euo pipefail
bench=${1:?usage: test_map.sh PAR-BENCH}
command -v jq >/dev/null || { echo "SKIP: there is no jq"; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/par-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT

"$bench" map --rounds 3 --times 100 --json >"$dir/json"
jq --exit-status '[.map.rows[].row] == ["reachable", "reachable_unmap", "to_device", "from_device", "overwrite", "small",
        "large", "pieces"] and
        all(.map.rows[]; .ours_ns > 0 and .what != "" and (.limit_ns == null) == (.within == null) and
                (.within == null or .within == (.ours_ns <= .limit_ns))) and
        all(.map.rows[2:7][]; .peer_ns > 0) and
        [.map.rows[] | select(.limit_ns) | .row] == ["reachable", "to_device", "from_device", "overwrite", "large"]' \
        "$dir/json" >/dev/null || { cat "$dir/json"; exit 1; }
"$bench" map --row small --rounds 1 --times 10 >"$dir/text"
grep -qE '^small +[0-9.]+ +[0-9.]+ +-  64 bytes' "$dir/text" || { cat "$dir/text"; exit 1; }
! "$bench" map --row none 2>"$dir/said"
grep -q -- '--row none: there is none of that name' "$dir/said"
