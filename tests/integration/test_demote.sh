#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_demote.sh PARD PARCTL - a pool that takes large pages apart gives 256 MiB in one piece, and gives back all of the
# rest; where the system has no large page to spare, it says so.
set -uo pipefail

PARD=$1 PARCTL=$2
# shellcheck source=../support/pard.sh
. "$(dirname "$0")/../support/pard.sh"
large=/sys/kernel/mm/hugepages/hugepages-1048576kB
small=/sys/kernel/mm/hugepages/hugepages-2048kB
require_hugepages $large/demote 6

counts() { cat "$large/nr_hugepages" "$small/nr_hugepages"; }
is_back() { [[ $(counts) == "$before" ]]; }
await() {
        soon "$@" || counts
}

before=$(counts)
small_before=$(<"$small/nr_hugepages")
{
        base_config
        cat <<'CONFIG'
keep_free = "3G"
pool "runs" { source = "demote" run_min = "256M" size_min = "256M" reuse_delay = "0" }
CONFIG
} >"$dir/pard.conf"
start_pard
held=$("$PARCTL" --json pools | jq '.pools[0].held')
if ((held == 0)); then
        expect 0 "no large page: pools" "$PARCTL" --json pools
        says out "no large page: pools" "1 GiB"
        echo "this system has no page of 1 GiB to spare: $(jq -r '.pools[0].note' "$dir/out")"
else
        expect 0 "256 MiB in one piece" "$PARCTL" --json alloc --size 256M --max-segments 1
        is "one segment" "$(jq '.alloc.segments | length' "$dir/out")" 1
        is "of 256 MiB" "$(jq '.alloc.segments[0].length' "$dir/out")" $((256 << 20))
        echo "256 MiB at $(jq -r '.alloc.dma' "$dir/out")"
        # The other pieces of the large page are not kept.
        as_many() { (($(<"$small/nr_hugepages") <= small_before + 128)); }
        await "what is not needed goes back" as_many
fi
stop_pard || fail "pard stopped with status $?"
await "all is given back" is_back
finish
