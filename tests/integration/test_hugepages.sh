#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_hugepages.sh PARD PARCTL - real hugepages that are not there, too few, or in the wrong place: each is said in a
# sentence, and the system has as many hugepages afterwards as before.
set -uo pipefail

nr=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
if [[ $(id -u) -ne 0 || ! -w $nr ]]; then
        echo "skipped: real hugepages take root, and a system that has them"
        exit 77
fi
if (($(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo) < 4 << 20)); then
        echo "skipped: less than 4 GiB of memory are available"
        exit 77
fi

PARD=$1 PARCTL=$2
# shellcheck source=../support/pard.sh
. "$(dirname "$0")/../support/pard.sh"

before=$(<"$nr")
added=0
add_pages() {
        added=$((added + $1))
        echo $(($(<"$nr") + $1)) >"$nr"
}
trap 'stop_pard; echo $(($(<"$nr") - added)) >"$nr"; clean_up' EXIT

# config HUGEPAGES KEEP_FREE POOL...
config() {
        base_config
        printf 'hugepages = "%s"\nkeep_free = "%s"\n' "$1" "$2"
        shift 2
        printf 'pool %s\n' "$@"
}

# The kernel needs a moment to undo the pins of a process that has ended.
back_to_before() {
        for ((i = 0; i < 100; i++)); do
                (($(<"$nr") != before + added)) || return 0
                sleep 0.1
        done
        fail "$1: $(<"$nr") hugepages, $((before + added)) before"
}

# ---- none and too few -----------------------------------------------------------------------
if ((before == 0)); then
        config existing 2G '"any" { size_min = "16M" }' >"$dir/pard.conf"
        expect 1 "no hugepages" "$PARD" --config "$dir/pard.conf"
        says err "no hugepages" "no hugepage of 2M is free"
        says err "no hugepages" 'set hugepages = "reserve"'
        [[ ! -e $PAR_SOCKET ]] || fail "a socket after a failed start"

        add_pages 4
        start_pard
        expect 0 "too few: pools" "$PARCTL" --json pools
        says out "too few: pools" '"state": "short"'
        says out "too few: pools" "8 MiB of 16 MiB: the system has no more 2 MiB pages"
        expect 0 "too few: what there is" "$PARCTL" alloc --size 8M --max-segments any -- true
        # More may come: the administrator can reserve it.
        expect 1 "too few: more" "$PARCTL" explain --size 16M --max-segments any
        says out "too few: more" "pool any holds 8 MiB of 16 MiB: the system has no more 2 MiB pages"
        stop_pard || fail "too few: pard stopped with status $?"
        back_to_before "too few"
        add_pages -4
fi

# ---- in the wrong place ---------------------------------------------------------------------
# Nothing of the system's lies below 16 MiB in one free piece of 2 MiB.
config reserve 1G '"low" { below = "16M" size_min = "4M" }' '"any" { size_min = "16M" }' >"$dir/pard.conf"
start_pard
expect 0 "none in the range: pools" "$PARCTL" --json pools
says out "none in the range: pools" "0 B of 4 MiB: the other 2 MiB pages that the system has lie between"
expect 1 "none in the range: explain" "$PARCTL" explain --size 4K --below 16M
says out "none in the range: explain" "pool low holds 0 B of 4 MiB: the other 2 MiB pages"
says log "none in the range: log" "pool low: "
stop_pard || fail "none in the range: pard stopped with status $?"
back_to_before "none in the range"

# ---- what the system keeps, and more than it has ---------------------------------------------
config reserve 1000T '"any" { size_min = "16M" }' >"$dir/pard.conf"
expect 1 "keep_free" "$PARD" --config "$dir/pard.conf"
says err "keep_free" "keep_free leaves it"
back_to_before "keep_free"
config reserve 0 '"any" { size_min = "64T" }' >"$dir/pard.conf"
expect 1 "more than there is" "$PARD" --config "$dir/pard.conf"
back_to_before "more than there is"

# A start that fails after reserving: the second pard finds the socket served, the first goes on.
config reserve 1G '"any" { size_min = "16M" }' >"$dir/pard.conf"
start_pard
held=$(<"$nr")
expect 1 "a second pard" "$PARD" --config "$dir/pard.conf"
says err "a second pard" "another pard serves"
is "hugepages after a second pard" "$(<"$nr")" "$held"
stop_pard || fail "pard stopped with status $?"
back_to_before "a second pard"

# ---- stopped at any moment -------------------------------------------------------------------
config reserve 1G '"any" { size_min = "512M" }' >"$dir/pard.conf"
for pause in 0 0.005 0.01 0.02 0.04 0.08; do
        "$PARD" --config "$dir/pard.conf" 2>"$dir/log" &
        pard_pid=$!
        until [[ $(readlink "/proc/$pard_pid/exe") -ef $PARD ]]; do
                :
        done
        sleep "$pause"
        # Before it looks at signals it is simply ended by one.
        stop_pard
        status=$?
        [[ $status -eq 0 || $status -eq 143 ]] || fail "stopped after $pause s: status $status"
        back_to_before "stopped after $pause s"
        [[ ! -S $PAR_SOCKET ]] || fail "stopped after $pause s: the socket is still there"
done

finish
