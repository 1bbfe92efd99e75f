#!/bin/bash
# SPDX-License-Identifier: MIT
#
# hour.sh - run fuzz targets for an hour each, or for another time, and say what that was worth
usage() {
        cat <<'EOT'
usage: tests/fuzz/hour.sh [--seconds N] [--build DIR] [--work DIR] TARGET...

  --seconds N  wall time for each target; 3600
  --build DIR  where the fuzz preset was built; build/fuzz
  --work DIR   where inputs and logs are kept, to go on from there the next time; /tmp/par-fuzz

The targets run one after another. One that finds something is started again for the rest of its time; what it found
lies in DIR/TARGET/found. One line a target goes to standard output, and to DIR/table:
  date  target  wall seconds  CPU seconds  inputs  cov  ft  corpus  found
cov and ft are libFuzzer's: edges reached, and features (edges, and how often each, and comparisons).
Exit status: 0 when nothing was found.
EOT
}
set -uo pipefail
root=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
seconds=3600
build=$root/build/fuzz
work=/tmp/par-fuzz
targets=()
while [[ $# -gt 0 ]]; do
        case $1 in
        --seconds) seconds=$2 && shift 2 ;;
        --build) build=$2 && shift 2 ;;
        --work) work=$2 && shift 2 ;;
        -h | --help) usage && exit 0 ;;
        -*) usage >&2 && exit 2 ;;
        *) targets+=("$1") && shift ;;
        esac
done
[[ ${#targets[@]} -gt 0 ]] || { usage >&2 && exit 2; }

# last_of LOG WORD - the number that libFuzzer said last after WORD ("cov:"), or 0
last_of() {
        awk -v word="$2" '/^#[0-9]/ { for (i = 1; i < NF; i++) if ($i == word) last = $(i + 1) } END { print last + 0 }' "$1"
}

# once TARGET LOG SECONDS - one run; adds to $inputs and $cpu
once() {
        local target=$1 log=$2 options=(-max_total_time="$3" -timeout=60 -max_len=4096 -rss_limit_mb=4096 -print_final_stats=1) clocks
        [[ ! -e $build/tests/fuzz/$target.dict ]] || options+=(-dict="$build/tests/fuzz/$target.dict")
        TIMEFORMAT='%U %S'
        clocks=$({ time "$build/tests/fuzz/$target" "${options[@]}" -artifact_prefix="$work/$target/found/" \
                "$work/$target/corpus" "$root/tests/fuzz/corpus/$target" >"$log" 2>&1; } 2>&1)
        cpu=$(awk -v sum="$cpu" '{ print sum + $1 + $2 }' <<<"$clocks")
        # After a crash there are no final figures.
        inputs=$((inputs + $(awk '/^#[0-9]/ { n = substr($1, 2) }
                                  /^stat::number_of_executed_units:/ { n = $2 }
                                  END { print n + 0 }' "$log")))
}

found_any=0
for target in "${targets[@]}"; do
        mkdir -p "$work/$target/corpus" "$work/$target/found" "$work/$target/log"
        began=$(date +%s) before=$(find "$work/$target/found" -type f | wc -l)
        cpu=0 inputs=0
        while left=$((began + seconds - $(date +%s))) && [[ $left -gt 0 ]]; do
                log=$work/$target/log/$(date +%s)
                once "$target" "$log" "$left"
                [[ $(wc -c <"$log") -gt 0 ]] && sleep 1
        done
        found=$(($(find "$work/$target/found" -type f | wc -l) - before))
        [[ $found -eq 0 ]] || found_any=1
        printf '%s  %-15s  %5d  %7.0f  %9d  %5d  %6d  %4d  %d\n' "$(date +%F)" "$target" "$(($(date +%s) - began))" \
                "$cpu" "$inputs" "$(last_of "$log" cov:)" "$(last_of "$log" ft:)" \
                "$(find "$work/$target/corpus" -type f | wc -l)" "$found" | tee -a "$work/table"
done
exit "$found_any"
