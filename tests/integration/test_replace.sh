#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_replace.sh PARD PARCTL - pard is told to execute its program again. Whatever lies there by then that is no pard
# which could take over: the one that runs goes on, and nobody notices. A good one takes over everything.
set -uo pipefail

PARD=$1 PARCTL=$2
# shellcheck source=../support/pard.sh
. "$(dirname "$0")/../support/pard.sh"

program=$dir/bin/pard
good=$(realpath "$PARD")
mkdir "$dir/bin"
cp "$good" "$program"
PARD=$program
sim_config >"$dir/pard.conf"
start_pard
hold --size 6M --max-segments any
first_worker=$(worker)
address=$(jget '[.buffers[].first]' buffers)
descriptors=$(ls "/proc/$pard_pid/fd" | wc -l)

# refusals - how often the log says that the program cannot take over
refusals() { grep -cE 'cannot (take over|be executed)' "$dir/log"; }
one_more() { (($(refusals) > $1)); }

# refused NAME - what lies there now is not executed
refused() {
        local before
        before=$(refusals)
        kill -USR2 "$pard_pid"
        soon "$1 is refused" one_more "$before"
        is "the worker after $1" "$(worker)" "$first_worker"
        is "the address after $1" "$(jget '[.buffers[].first]' buffers)" "$address"
}

# put FILE - let it take the program's place, as a package does
put() {
        chmod 0755 "$1"
        mv "$1" "$program"
}

rm "$program"
refused "no program"
printf 'no program at all\n' >"$dir/new"
put "$dir/new"
refused "a file that is no program"
printf '#!/bin/sh\nexit 3\n' >"$dir/new"
put "$dir/new"
refused "a program that fails"
printf '#!/bin/sh\nkill -9 $$\n' >"$dir/new"
put "$dir/new"
refused "a program that dies"
head -c 4096 "$good" >"$dir/new"
put "$dir/new"
refused "half a program"
# It says that it could, and then cannot.
printf '#!/bin/sh\nmv "%s" "%s"\n' "$program" "$dir/gone" >"$dir/new"
put "$dir/new"
before=$(refusals)
kill -USR2 "$pard_pid"
soon "a program that vanishes is missed" one_more "$before"
soon "another worker then" is_json '"ready"' '.status.state' status
is "the address after a program that vanished" "$(jget '[.buffers[].first]' buffers)" "$address"
is "it still holds" "$(jget '.pools[0].held' pools)" $((32 << 20))

# ---- a good one -----------------------------------------------------------------------------
cp "$good" "$dir/new"
put "$dir/new"
# Of another version: what the worker has written would make no sense to it.
for fd in "/proc/$pard_pid/fd/"*; do
        [[ $(readlink "$fd") != /memfd:pard-ledger* ]] || ledger=$fd
done
version_at=$(($(od -An -tu8 -j16 -N8 "$ledger") + 8))
version=$(od -An -tu1 -j$version_at -N1 "$ledger")
first_worker=$(worker)

# write_version NUMBER - let the ledger's records be of this version
write_version() {
        # shellcheck disable=SC2059
        printf "\\$(printf %03o "$1")" | dd of="$ledger" bs=1 seek=$version_at conv=notrunc status=none
}

write_version $((version + 1))
refused "a program that does not understand the ledger"
write_version "$version"

took_over() { grep -q 'took over' "$dir/log"; }
kill -USR2 "$pard_pid"
soon "it takes over" took_over
soon "it serves" is_json '"ready"' '.status.state' status
is "what runs is the new one" "$(readlink "/proc/$pard_pid/exe")" "$program"
is "the address" "$(jget '[.buffers[].first]' buffers)" "$address"
is "memory held" "$(jget '.pools[0].held' pools)" $((32 << 20))
kill -0 "${holders[0]}" 2>/dev/null || fail "the client has ended"
is "descriptors of the keeper" "$(ls "/proc/$pard_pid/fd" | wc -l)" "$descriptors"
expect 0 "new memory" "$PARCTL" alloc --size 4M -- true
let_go
all_free() { is_json $((32 << 20)) '.pools[0].free' pools; }
soon "all is free in the end" all_free

stop_pard || fail "pard stopped with status $?"
[[ ! -e $PAR_SOCKET ]] || fail "the socket is still there"
[[ ! -e $PAR_SOCKET.lock ]] || fail "the lock is still there"
finish
