#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_examples.sh PARD PARCTL HELLO RING LASTING - the examples that need no device do what they say, and say why they cannot;
# on invented memory. Those with a device are tried in a virtual machine.
set -uo pipefail

PARD=$1 PARCTL=$2 HELLO=$3 RING=$4 LASTING=$5
# shellcheck source=../support/pard.sh
. "$(dirname "$0")/../support/pard.sh"
command -v jq >/dev/null || exit 77

# ---- nobody there ----------------------------------------------------------------------------
for example in "$HELLO" "$RING" "$LASTING"; do
        expect 1 "no pard: $example" "$example"
        says err "no pard: $example" "No such file or directory"
done

# ---- as they are meant -----------------------------------------------------------------------
sim_config >"$dir/pard.conf"
start_pard
expect 0 "hello" "$HELLO"
grep -Eqx '0x[0-9a-f]+ is 0x[0-9a-f]{8}' "$dir/out" || fail "hello: $(cat "$dir/out")"

expect 0 "ring" "$RING"
says out "ring" "ring: 65536 bytes at 0x"
says out "ring" "data: 4194304 bytes at 0x"
says out "ring" "refused, as it must be: 16 MiB in one piece below 1 MiB: "
says out "ring" "(waiting will not help)"
# Below 1 GiB, and within 64 KiB: as a device of 30 address lines wants it.
read -r first last < <(awk '/^ring:/ { ring = 1; next } ring && /segment 0:/ { sub(/:/, "", $2); print $3, $5; exit }' "$dir/out")
((last < 1 << 30)) || fail "the ring ends at $last"
((first >> 16 == last >> 16)) || fail "the ring is $first to $last"

expect 0 "lasting" "$LASTING"
says out "lasting" "start 1, ring at 0x"
place=$(sed 's/.*ring at //' "$dir/out")
expect 0 "lasting again" "$LASTING"
is "lasting again" "$(cat "$dir/out")" "start 2, ring at $place"
expect 0 "lasting removed" "$LASTING" --remove
expect 1 "nothing to remove" "$LASTING" --remove
says err "nothing to remove" "remove: "
expect 0 "lasting anew" "$LASTING"
says out "lasting anew" "start 1, ring at 0x"
expect 0 "and removed" "$LASTING" --remove
is "nothing is left" "$(jget '[.status.granted, .status.quarantined]' status)" '[0,0]'
stop_pard || fail "pard stopped with status $?"

# ---- where memory is not as it should be ---------------------------------------------------------
sim_config | sed 's/below = "4G" size_min = "16M"/addr_min = "4G" size_min = "16M"/' >"$dir/pard.conf"
start_pard
expect 1 "hello without low memory" "$HELLO"
says err "hello without low memory" "4 GiB"
expect 1 "ring without low memory" "$RING"
says err "ring without low memory" "ring: "
expect 1 "lasting without low memory" "$LASTING"
says err "lasting without low memory" "ring: "
stop_pard || fail "pard stopped with status $?"

{
        sim_config | grep -v '^pool'
        echo 'pool "below4g" { below = "4G" size_min = "2M" }'
} >"$dir/pard.conf"
start_pard
expect 1 "ring without room for data" "$RING"
says err "ring without room for data" "data: "
stop_pard || fail "pard stopped with status $?"
finish
