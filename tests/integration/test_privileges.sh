#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_privileges.sh PARD PARCTL DOC - what each process of a pard that root started on real hugepages may do is what
# the table in DOC says; and it does all that it did before: grow, shrink, pin, revoke, read its configuration again, be
# replaced, outlive its worker, and give everything back.
set -uo pipefail

PARD=$1 PARCTL=$2 DOC=$3
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=../support/pard.sh
. "$here/../support/pard.sh"
# shellcheck source=../support/rights.sh
. "$here/../support/rights.sh"
nr=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
require_hugepages "$nr" 2
before=$(<"$nr")

nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
config() {
        { base_config; echo 'mode = "0666"'; echo 'keep_free = "1G"'; echo "$1"; } >"$dir/pard.conf"
}
compare_rights() { # WHEN
        local process
        processes_of "$pard_pid"
        for process in keeper opener worker; do
                is "$1: the $process" "$(rights_of "${!process}")" "$(rights_told "$DOC" root "$process")"
                is "$1: users and groups of the $process" \
                        "$(awk '/^(Uid|Gid|Groups):/ { $1 = ""; print }' "/proc/${!process}/status" | xargs)" \
                        "65534 65534 65534 65534 65534 65534 65534 65534"
        done
}
goes_on() { # WHEN
        expect 0 "$1: memory" "$PARCTL" alloc --size 4M --max-segments any -- true
        is "$1: pinned" "$(jget .status.pinned status)" true
}
worker_is_another() { local now; now=$(worker) && [[ $now != "$1" ]] && "$PARCTL" status >/dev/null 2>&1; }

config 'pool "any" { size_min = "8M" size_max = "32M" shrink_delay = "1s" }'
start_pard
compare_rights "at first"
goes_on "at first"

# ---- somebody of the same user, outside of any filter -----------------------------------------
for process in keeper opener; do
        for file in mem maps environ fd pagemap; do
                "${nobody[@]}" head -c 1 "/proc/${!process}/$file" >/dev/null 2>&1 && fail "$file of the $process can be read"
        done
        "${nobody[@]}" test -r "/proc/${!process}/fd/0" && fail "the files of the $process can be opened"
done

# ---- what took privilege ----------------------------------------------------------------------
expect 0 "it grows" "$PARCTL" grow any --to 24M
held_is() { is_json "$1" '.pools[0].held' pools; }
soon "it grew" held_is $((24 << 20))
expect 0 "it shrinks" "$PARCTL" shrink any --to 8M
soon "it shrank" held_is $((8 << 20))
soon "pages went back" eval '(($(<"$nr") == before + 4))'

# ---- another configuration, another worker, another program -------------------------------------
config 'pool "any" { size_min = "12M" size_max = "32M" shrink_delay = "1s" }'
expect 0 "a reload" "$PARCTL" reload
soon "by it" held_is $((12 << 20))
for when in "after a reload" "after a death" "after an exec" "after another exec"; do
        former=$(worker)
        case $when in
        *death) kill -KILL "$former" ;;
        *exec) kill -USR2 "$pard_pid" ;;
        *) kill -USR1 "$pard_pid" ;;
        esac
        soon "$when: another worker" worker_is_another "$former"
        soon "$when: all memory" held_is $((12 << 20))
        compare_rights "$when"
        goes_on "$when"
done
expect 0 "it grows after that" "$PARCTL" grow any --to 16M
soon "it grew after that" held_is $((16 << 20))

# ---- revoked, and the end -----------------------------------------------------------------------
"$PARCTL" alloc --size 4M --max-segments any --hold 1000 >"$dir/held" 2>&1 &
holders+=($!)
soon "held" test -s "$dir/held"
buffer=$(jget '.buffers[0].buffer' buffers)
expect 0 "revoked" "$PARCTL" revoke --yes "$buffer"
let_go || true
opener_was=$opener
stop_pard || fail "pard ended with status $?"
soon "pages are back" eval '(($(<"$nr") == before))'
soon "no opener is left" eval '! kill -0 "$opener_was" 2>/dev/null'
for left in pard.sock pard.sock.lock pard.sock.reserved; do
        [[ ! -e $dir/$left ]] || fail "$left is left"
done

[[ $failures -eq 0 ]] || cat "$dir/log"
finish
