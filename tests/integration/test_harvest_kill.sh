#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_harvest_kill.sh PARD PARCTL [ROUNDS] - pard is killed at any moment of a harvest, keeper and worker, and of the
# next start as well: after one more start and stop the system has as many hugepages as before all of it.
set -uo pipefail

PARD=$1 PARCTL=$2 rounds=${3:-20}
# shellcheck source=../support/pard.sh
. "$(dirname "$0")/../support/pard.sh"
nr=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
require_hugepages $nr 6
RANDOM=1
before=$(<"$nr")

# A harvest that looks through 2 GiB and rarely finds anything; in between frames that are there.
{
        base_config
        cat <<'CONFIG'
keep_free = "3G"
pool "low" { below = "256M" size_min = "64M" harvest_max = "2G" }
pool "any" { size_min = "32M" }
CONFIG
} >"$dir/pard.conf"

is_back() { (($(<"$nr") == before)); }
back_to_before() {
        soon "$1: as many hugepages as before" is_back || echo "$(<"$nr") hugepages, $before before"
}

serves() { "$PARCTL" status >/dev/null 2>&1; }

most=0
within=400 # milliseconds, after which it is killed; more where that is too early to see anything
for ((round = 1; round <= rounds; round++)); do
        # Killed up to three times in a row, before anything could be put right.
        for ((times = RANDOM % 3; times >= 0; times--)); do
                "$PARD" --config "$dir/pard.conf" 2>>"$dir/killed.log" &
                pard_pid=$!
                pause=$((RANDOM % within))
                sleep "$((pause / 1000)).$(printf '%03d' $((pause % 1000)))"
                if ! kill -KILL "$pard_pid" 2>/dev/null; then
                        fail "round $round: it ended by itself:"
                        tail -n 3 "$dir/killed.log"
                fi
                wait "$pard_pid" 2>/dev/null
                now=$(<"$nr")
                ((now <= most)) || most=$now
        done
        # Stopped at any moment too, once it is there.
        "$PARD" --config "$dir/pard.conf" 2>"$dir/log" &
        pard_pid=$!
        soon "round $round: pard serves" serves
        sleep "0.$(printf '%03d' $((RANDOM % 300)))"
        stop_pard || fail "round $round: pard stopped with status $?: $(<"$dir/log")"
        back_to_before "round $round"
        if ((most <= before && round % 4 == 0)); then
                within=$((within * 2))
        fi
done
((most > before)) || fail "no kill left anything behind: this test saw nothing"
echo "$rounds rounds; at most $((most - before)) hugepages were left by a kill, and none in the end"
[[ ! -e $PAR_SOCKET.reserved ]] || fail "a record is left: $(<"$PAR_SOCKET.reserved")"
finish
