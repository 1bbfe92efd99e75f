#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make-benchmarks.sh [--into FILE] JSON... - tables of what par-bench engine --json has written; into FILE, between its
# lines "<!-- engine: begin -->" and "<!-- engine: end -->". Several JSON: of one machine, each state in one of them
# shellcheck disable=SC2016 # what begins with $ in single quotes is jq's
set -euo pipefail
into=
[[ ${1:-} != --into ]] || { into=$2; shift 2; }
[[ $# -gt 0 ]] || { echo "usage: make-benchmarks.sh [--into FILE] JSON..." >&2; exit 2; }

# Nanoseconds in three digits, sizes in words, and the states from the smallest and fullest on.
common='
        def three: if . == null then "" elif . < 1000 then (. + 0.5 | floor | tostring)
                elif . < 9950 then ((. / 100 + 0.5 | floor) / 10 | tostring) + " k"
                elif . < 999500 then ((. / 1000 + 0.5 | floor) | tostring) + " k"
                else ((. / 100000 + 0.5 | floor) / 10 | tostring) + " M" end;
        def pair: if .p50 == null then "" elif .p99 == null then (.p50 | three)
                else (.p50 | three) + " / " + (.p99 | three) end;
        def triple: pair + if .p99_9 == null then "" else " / " + (.p99_9 | three) end;
        def times: "×" + if . < 0.995 then (. * 100 + 0.5 | floor / 100 | tostring)
                elif . < 9.95 then (. * 10 + 0.5 | floor / 10 | tostring)
                else (. + 0.5 | floor | tostring) end;
        def found: (.take_ns.count + .find_ns.count) as $found | ($found + .refuse_ns.count) as $all |
                if $all == 0 then "" else "\(100 * $found / $all + 0.5 | floor) %" end;
        def size: if . >= 1099511627776 then "\(. / 1099511627776) TiB" else "\(. / 1073741824) GiB" end;
        def row: "| " + join(" | ") + " |";
        def rule: [range(length) | "---"] | row;
        def title: (.size | size) + ", \(.fill) %";
        def told: {
                mix: "what the churn asks for", any: "no window", window_1g: "1 GiB window", below_4g: "below 4 GiB",
                below_16m: "below 16 MiB", align_2m: "align 2 MiB", boundary_64k: "boundary 64 KiB",
                any_fails: "no window, fails", window_1g_fails: "1 GiB window, fails",
                below_4g_fails: "below 4 GiB, fails", below_16m_fails: "below 16 MiB, fails",
                align_2m_fails: "align 2 MiB, fails", boundary_64k_fails: "boundary 64 KiB, fails" }[.];
        [.[].engine.states[]] as $states |
        def table($head; rows): ($head | row), ($head | rule), (rows | row);'

make() { # FILTER FILES - lines
        jq --slurp --raw-output "$common $1" "${@:2}"
}

tables() { # FILES
        echo "### The engine: finding a place, or that there is none"
        echo
        make 'table(["search"] + [$states[] | title];
                range(1; 13) as $i | [($states[0].placers[0].searches[$i].search | told)] +
                [$states[].placers[0].searches[$i] | if .search | endswith("_fails") then .refuse_ns else .find_ns end | triple])' "$@"
        echo
        echo "### The engine: taking, and giving back"
        echo
        make 'table(["search"] + [$states[] | title];
                range(0; 7) as $i | [($states[0].placers[0].searches[$i].search | told)] +
                [$states[].placers[0].searches[$i] | (.take_ns | triple) + "; " + (.give_ns | triple)])' "$@"
        echo
        echo "### Nodes that a search visits at most, and bytes of metadata"
        echo
        make 'table([""] + [$states[] | title];
                (["bound"] + [$states[].placers[0].visits_max | tostring]),
                (range(1; 13) as $i | [($states[0].placers[0].searches[$i].search | told)] +
                        [$states[].placers[0].searches[$i].visits.find | tostring]),
                (["KiB a GiB"] + [$states[].placers[0].metadata_per_gib / 1024 + 0.5 | floor | tostring]))' "$@"
        make '([$states[].fill] | max) as $fullest | $states[] | select(.fill == $fullest) | . as $state |
                "", "### \(title): beside the others", "",
                table(["search"] + [.placers[].placer] +
                        [.placers[] | "\(.placer): found"];
                        range(0; 13) as $i | [(.placers[0].searches[$i].search | told)] +
                        [.placers[].searches[$i] | (if .search | endswith("_fails") then .refuse_ns else .take_ns end | pair) +
                                if .ratio == null or .ratio == 1 then "" else " (\(.ratio | times))" end] +
                        [.placers[].searches[$i] | if .search | endswith("_fails") then "" else found end]),
                "", (.placers[] | "- \(.placer): \(.living) requests live, of \(100 * .living_bytes / $state.size + 0.5 | floor) % of the memory; \(.churned) operations of churn, " +
                        "\(.metadata_per_gib / 1024 + 0.5 | floor) KiB of metadata a GiB"),
                (.left_out[] | "- \(.placer) is left out: \(.reason)")' "$@"
}

if [[ -z $into ]]; then
        tables "$@"
        exit
fi
lines=$(mktemp)
trap 'rm -f "$lines" "$lines.new"' EXIT
tables "$@" >"$lines"
sed -e "/^<!-- engine: begin -->\$/r $lines" -e '/^<!-- engine: begin -->$/,/^<!-- engine: end -->$/{/^<!-- engine/!d}' \
        "$into" >"$lines.new"
cat "$lines.new" >"$into"
