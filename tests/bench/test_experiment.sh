#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_experiment.sh PAR-BENCH - a short run of par-bench experiment: the same seed gives the same bytes, in all that is
# written; everything is there; and nobody is better than the bound
set -euo pipefail
bench=${1:?usage: test_experiment.sh PAR-BENCH}
command -v jq >/dev/null || { echo "SKIP: there is no jq"; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/par-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
status=0

# run NAME [OPTION...] - JSON, a picture and tables
run() {
        local name=$1
        shift
        printf 'Before.\n<!-- experiment: begin -->\nold\n<!-- experiment: end -->\nAfter.\n' >"$dir/$name.md"
        "$bench" experiment --quick --json --svg "$dir/$name.svg" --doc "$dir/$name.md" "$@" >"$dir/$name.json"
}

# holds WHAT FILTER - what the filter says of every case is true
holds() {
        jq --exit-status "[.experiment.cases[] | $2] | length > 0 and all" "$dir/first.json" >/dev/null && return
        echo "$1: not so"
        status=1
}

run first --seed 7
run second --seed 7
run other --seed 8 --mix narrow --machine pc-4G
for kind in json svg md; do
        cmp "$dir/first.$kind" "$dir/second.$kind" || { echo "another run differs"; status=1; }
done
[[ $(jq '.experiment.cases[] | select(.mix == "narrow" and .machine == "pc-4G") | .placers' "$dir/first.json") != \
        $(jq '.experiment.cases[].placers' "$dir/other.json") ]] || { echo "another seed does not differ"; status=1; }

[[ $(jq -c '[.experiment.cases[].machine | split("-")[1]] | unique' "$dir/first.json") == '["16G","4G","64G"]' ]] ||
        { echo "other machines"; status=1; }
[[ $(jq -c '[.experiment.cases[].placers[0].classes[].bits] | unique' "$dir/first.json") == \
        '[24,28,30,31,32,36,40,64]' ]] || { echo "other devices"; status=1; }
holds "who is compared" '[.placers[].placer] | .[:3] == ["par", "zones", "buddy"] and .[-2:] == ["ideal", "bound"]'
holds "the same requests for all" '[.placers[:-1][] | [.classes[].asked_bytes]] | unique | length == 1'
holds "the bound" '(.placers[-1].ppm | [.refused_constrained_bytes.mean, .unserved_constrained.mean]) as $bound |
        all(.placers[].ppm; .refused_constrained_bytes.mean >= $bound[0] and .unserved_constrained.mean >= $bound[1])'
holds "shares" 'all(.placers[].ppm[] | values; .min <= .mean and .mean <= .max and .max <= 1000000)'
holds "classes that add up" 'all(.placers[].classes[]; .refused <= .asked and .refused_bytes <= .asked_bytes)'
holds "waste, which is that of buddies" 'all(.placers[:-2][];
        (.ppm.wasted.mean > 0) == (.placer == "zones" or .placer == "buddy"))'

xmllint --noout "$dir/first.svg" 2>/dev/null || ! command -v xmllint >/dev/null || { echo "no XML"; status=1; }
[[ $(head -n 2 "$dir/first.md" | tail -n 1) == "<!-- experiment: begin -->" && $(tail -n 1 "$dir/first.md") == After. &&
        $(grep -c '^| two ends |' "$dir/first.md") -gt 5 ]] || { echo "the tables are not where they belong"; status=1; }
! grep -q '^old$' "$dir/first.md" || { echo "the old tables are still there"; status=1; }

"$bench" experiment --quick --mix board --machine board-4G --placer zones --placer highest >"$dir/text"
[[ $(grep -c '^zones \|^highest \|^ideal \|^bound ' "$dir/text") -eq 4 ]] || { cat "$dir/text"; status=1; }
exit $status
