#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_path.sh PAR-BENCH - a run of par-bench path that is too short to mean anything: every row is there, with figures that
# go together. Not "first_use" and "fill", which take hugepages: tests with those run one at a time.
set -euo pipefail
bench=${1:?usage: test_path.sh PAR-BENCH}
command -v jq >/dev/null || { echo "SKIP: there is no jq"; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/par-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
status=0

rows=(event message descriptor alloc_free alloc_free_raw batch recycled_2m recycled_64m crowd crowd_turns bare_turns)
[[ $(nproc --all) -lt 2 ]] || rows+=(sleeping busy)
"$bench" path --quick --rounds 3 "${rows[@]/#/--row=}" --json >"$dir/json"
[[ $(wc -l <"$dir/json") -eq 1 ]] || { echo "more than one line"; status=1; }

# holds WHAT FILTER - what the filter says of every row is true
holds() {
        jq --exit-status "[.path.rows[] | $2] | length > 0 and all" "$dir/json" >/dev/null && return
        echo "$1: not so"
        status=1
}

[[ $(jq -r '.path.rows[].row' "$dir/json" | sort) == "$(printf '%s\n' "${rows[@]}" | sort)" ]] ||
        { echo "other rows"; status=1; }
holds "three rounds" '.rounds == 3 and .ours != "" and .peer != ""'
holds "figures" '.ours_ns > 0 and .peer_ns > 0'
holds "ratios in order" '.ratio_min > 0 and .ratio_min <= .ratio and .ratio <= .ratio_max'
holds "bars" '(.bar == null) == (.within == null) and (.bar == null or .within == (.ratio <= .bar))'
# A row that asks nothing of anybody is a floor, or shows a part of another.
holds "which have one" '(.bar != null) == (.row | IN("alloc_free_raw", "batch", "busy", "crowd"))'

"$bench" path --quick --row event >"$dir/text"
[[ $(grep -cE '^event +[0-9]+ +[0-9]+ +[0-9.]+ +[0-9.]+ to +[0-9.]+$' "$dir/text") -eq 1 ]] ||
        { echo "the table:"; cat "$dir/text"; status=1; }
exit "$status"
