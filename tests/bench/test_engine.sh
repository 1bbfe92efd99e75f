#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_engine.sh PAR-BENCH - a run of par-bench engine that is too short to mean anything: every row is there, and what
# has to be so whatever the clock says
# shellcheck disable=SC2016 # what begins with $ in single quotes is jq's
set -euo pipefail
bench=${1:?usage: test_engine.sh PAR-BENCH}
command -v jq >/dev/null || { echo "SKIP: there is no jq"; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/par-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
status=0

# holds WHAT FILTER - what the filter says of every state is true
holds() {
        jq --exit-status "[.engine.states[] | $2] | length > 0 and all" "$dir/json" >/dev/null && return
        echo "$1: not so"
        status=1
}

small=(--size 5G --size 256M --fill 50 --fill 90 --churn 2000 --samples 96 --seconds 20)
"$bench" engine "${small[@]}" --seed 3 --json >"$dir/json"
[[ $(wc -l <"$dir/json") -eq 1 ]] || { echo "more than one line"; status=1; }

[[ $(jq -c '[.engine.states[] | [.size, .fill]]' "$dir/json") == \
        '[[5368709120,90],[5368709120,50],[268435456,90],[268435456,50]]' ]] || { echo "other states"; status=1; }
holds "who is compared" '[.placers[].placer] == ["par", "bitmap", "buddy", "zones"] and .left_out == []'
holds "the searches" 'all(.placers[]; [.searches[].search] == ["mix", "any", "window_1g", "below_4g", "below_16m",
        "align_2m", "boundary_64k", "any_fails", "window_1g_fails", "below_4g_fails", "below_16m_fails",
        "align_2m_fails", "boundary_64k_fails"])'
holds "the churn" 'all(.placers[]; .churned == 2000 and .living > 0 and .tries > 0 and .refused <= .tries and .gave_up <= .refused)'
holds "how full it is" '.size as $size | .fill as $fill | all(.placers[];
        ((1 - .free / $size) * 100) as $full | $full > $fill - 8 and $full < $fill + 2)'
holds "metadata" '.size as $size | all(.placers[]; .metadata > 0 and
        ((.metadata_per_gib - .metadata * 1073741824 / $size) | fabs) < 1)'
# Only the engine and the bitmap take no more than what is asked for.
holds "bytes that live" '.size as $size | all(.placers[]; .free + .living_bytes <= $size and .living_bytes > $size / 5) and
        all(.placers[0, 1]; .free + .living_bytes == $size)'
# Every second sample takes and gives back, the others only find. A search that fails has nothing to ask for where all of
# its window is free.
holds "the number of samples" 'all(.placers[].searches[];
        (.take_ns.count + .find_ns.count + .refuse_ns.count) as $n |
        $n == 96 or ((.search | endswith("_fails")) and $n < 96)) and
        all(.placers[]; all(.searches[1:][]; .give_ns.count == .take_ns.count))'
holds "percentiles that rise" 'all(.placers[].searches[] | .take_ns, .find_ns, .give_ns, .refuse_ns;
        [.p50, .p99, .p99_9, .max] | map(select(. != null)) | . == sort)'
holds "percentiles of too few values" 'all(.placers[].searches[] | .take_ns, .find_ns, .give_ns, .refuse_ns;
        (.p50 == null) == (.count == 0) and (.p99 == null) == (.count < 100) and .p99_9 == null)'
holds "what is refused" 'all(.placers[].searches[] | select(.search | endswith("_fails"));
        .refuse_ns.count > 0 or .take_ns.count + .find_ns.count == 0)'
holds "the first as the measure" 'all(.placers[0].searches[].ratio; . == null or . == 1)'
# What keeps to a boundary is asked for again and again, until a run has room between two of them.
holds "visits, where they are counted" 'all(.placers[]; .visits_max as $most | all(.searches[];
        (.visits == null) == ($most == null) and
        ($most == null or (.search | startswith("boundary")) or .visits.find <= $most)))'
holds "visits of the engine" 'all(.placers[0]; .visits_max > 0 and all(.searches[1:7][];
        .visits.find > 0 and .visits.take > 0 and .visits.give > 0))'

# The same seed, the same placements: all that is not a time.
timeless='del(.. | .clock?, .fill_s?, .churn_s?, .ratio?, .p50?, .p99?, .p99_9?, .max?)'
"$bench" engine "${small[@]}" --seed 3 --json | jq "$timeless" >"$dir/again"
jq "$timeless" "$dir/json" | cmp - "$dir/again" || { echo "another run differs"; status=1; }

"$bench" engine --size 256M --fill 90 --churn 300 --samples 8 --placer zones --placer par >"$dir/text"
[[ $(grep -c '^[a-z_0-9]\+ \+zones .*%' "$dir/text") -eq 13 && $(grep -c '^[a-z_0-9]\+ \+par .*%' "$dir/text") -eq 13 ]] ||
        { cat "$dir/text"; status=1; }
exit $status
