#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_hugepages.sh PARD PARCTL - real hugepages that are not there, too few, or in the wrong place: pard serves without
# them, and says why in a sentence. The system has as many hugepages afterwards as before, also where pard was killed.
set -uo pipefail

PARD=$1 PARCTL=$2
# shellcheck source=../support/pard.sh
. "$(dirname "$0")/../support/pard.sh"
nr=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
require_hugepages $nr 4

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
is_back() { (($(<"$nr") == before + added)); }
back_to_before() {
        soon "$1: as many hugepages as before" is_back ||
                echo "$(<"$nr") hugepages, $((before + added)) before"
}

# until_pools NAME TEXT - the list of pools has this text in it, after a moment
until_pools() {
        for ((i = 0; i < 600; i++)); do
                "$PARCTL" --json pools >"$dir/out" 2>"$dir/err"
                ! grep -qF -- "$2" "$dir/out" || return 0
                sleep 0.1
        done
        says out "$1" "$2"
}

# ---- none and too few -----------------------------------------------------------------------
if ((before == 0)); then
        config existing 2G '"any" { size_min = "16M" }' >"$dir/pard.conf"
        start_pard
        until_pools "no hugepages: pools" "0 B of 16 MiB: the system has no more 2 MiB pages"
        says out "no hugepages: pools" '"state": "short"'
        expect 125 "no hugepages: alloc" "$PARCTL" alloc --size 2M -- true
        [[ ! -e $PAR_SOCKET.reserved ]] || fail "no hugepages: a record though nothing is to be reserved"

        # The administrator reserves some: a request has pard look for them.
        add_pages 4
        expect 0 "too few: what there is" "$PARCTL" alloc --size 8M --max-segments any --wait 5000 -- true
        until_pools "too few: pools" "8 MiB of 16 MiB: the system has no more 2 MiB pages"
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
until_pools "none in the range: pools" "0 B of 4 MiB: no more is to be found below 16 MiB without a harvest"
expect 1 "none in the range: explain" "$PARCTL" explain --size 4K --below 16M
says out "none in the range: explain" "pool low holds 0 B of 4 MiB: no more is to be found below 16 MiB"
says log "none in the range: log" "pool low: "
stop_pard || fail "none in the range: pard stopped with status $?"
back_to_before "none in the range"

# ---- what the system keeps ------------------------------------------------------------------
# Pages that somebody left free are taken, and no more.
have=$(($(<"${nr%/*}/free_hugepages") * 2))
config reserve 1000T "\"any\" { size_min = \"$((have + 16))M\" }" >"$dir/pard.conf"
start_pard
until_pools "keep_free" "$( ((have)) && echo "$have MiB" || echo "0 B") of $((have + 16)) MiB: keep_free forbids taking more from the system"
is "hugepages in spite of keep_free" "$(<"$nr")" "$before"
stop_pard || fail "keep_free: pard stopped with status $?"

# Some are allowed, but not all. Other programs take and free memory meanwhile: it is tried again then.
settled() {
        "$PARCTL" --json pools >"$dir/out" && grep -qE '"state": "(short|ready)"' "$dir/out"
}
part=
for ((try = 0; try < 5; try++)); do
        available=$(available_kib)
        config reserve "$((available - (1 << 20)))K" '"any" { size_min = "3G" }' >"$dir/pard.conf"
        start_pard
        soon "part of it" settled
        part=$(<"$nr")
        stop_pard || fail "part of it: pard stopped with status $?"
        back_to_before "part of it"
        ((part == before || part >= before + 1536)) || break
done
says out "part of it" "of 3 GiB: keep_free forbids taking more from the system"
((part > before && part < before + 1536)) || fail "part of it: $part hugepages"

# ---- a second pard --------------------------------------------------------------------------
# It finds the socket served, and the first goes on.
config reserve 1G '"any" { size_min = "16M" }' >"$dir/pard.conf"
start_pard
until_pools "a second pard" '"state": "ready"'
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

# ---- killed at any moment --------------------------------------------------------------------
# What it left is given back by the next one, whether that reserves or not.
left=0
for pause in 0.01 0.03 0.05 0.1 0.2 0.5 1 2 5 10; do
        # The longer ones are for a machine that is slow now.
        if [[ $pause != 0.* ]] && ((left > 0)); then
                break
        fi
        for how in reserve existing; do
                config reserve 1G '"any" { size_min = "512M" }' >"$dir/pard.conf"
                "$PARD" --config "$dir/pard.conf" 2>"$dir/log" &
                pard_pid=$!
                sleep "$pause"
                kill -KILL "$pard_pid"
                wait "$pard_pid" 2>/dev/null
                pard_pid=
                (($(<"$nr") == before)) || left=$((left + 1))

                config "$how" 1G '"any" { size_min = "16M" }' >"$dir/pard.conf"
                start_pard
                stop_pard || fail "killed after $pause s, then $how: stopped with status $?"
                back_to_before "killed after $pause s, then $how"
                [[ ! -e $PAR_SOCKET.reserved ]] || fail "killed after $pause s, then $how: the record is still there"
        done
done
((left > 0)) || fail "killed at any moment: it never had a hugepage"

# A record that others could have written is not believed.
config reserve 1G '"any" { size_min = "16M" }' >"$dir/pard.conf"
echo precious >"$dir/precious"
ln -s precious "$PAR_SOCKET.reserved"
start_pard
says log "a link for a record" "is no file that only pard may write"
is "what the link led to" "$(cat "$dir/precious")" precious
stop_pard || fail "a link for a record: pard stopped with status $?"
back_to_before "a link for a record"

finish
