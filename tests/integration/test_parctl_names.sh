#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_parctl_names.sh PARD PARCTL [EXAMPLE] - buffers with a name, and those that stay when their client is gone
set -uo pipefail

PARD=$1 PARCTL=$2
# shellcheck source=../support/pard.sh
. "$(dirname "$0")/../support/pard.sh"
command -v jq >/dev/null || exit 77

sim_config >"$dir/pard.conf"
start_pard

is "nothing has a name" "$(jget '.buffers | length' buffers)" 0
is "a buffer as it is granted" "$(jget '.alloc.name' alloc --size 4K --name ring --lasting)" '"ring"'
is "it stays" "$(jget '.buffers[] | [.name, .client, .size, .state, .holders, .lasting]' buffers)" \
        '["ring","parctl",4096,"granted",0,true]'
is "it is charged as a page" "$(jget .status.granted status)" 2097152
"$PARCTL" buffers >"$dir/out"
says out "its name in a list" "ring"
expect 1 "its name is taken" "$PARCTL" alloc --size 4K --name ring
says err "its name is taken" '"ring"'
! grep -q granted "$dir/err" || fail "its name is taken, and yet: $(cat "$dir/err")"

hold --size 4K --name held --label fleeting
is "one with a holder" "$(jget '.buffers[] | select(.name == "held") | [.holders, .lasting]' buffers)" '[1,false]'
hold --size 4K --label plain
is "one without a name" "$(jget '.buffers[] | select(.label == "plain") | [.name, .holders, .lasting]' buffers)" \
        '[null,null,false]'
let_go
soon "a name is gone with its holder" is_json 1 '.buffers | length' buffers

expect 3 "a name that cannot be" "$PARCTL" alloc --size 4K --name a/b
is "a name that cannot be" "$(cat "$dir/err")" "parctl: a name has at most 63 bytes, and no slash"
expect 5 "nobody knows him" "$PARCTL" alloc --size 4K --name b --allow user:there-is-no-such-user
says err "nobody knows him" "user:there-is-no-such-user"
expect 0 "who else may" "$PARCTL" alloc --size 4K --name b --allow uid:1001,gid:44

expect 1 "no such name" "$PARCTL" remove king
says err "no such name" "king was not removed"
expect 2 "no name at all" "$PARCTL" remove
expect 1 "one of two" "$PARCTL" remove king ring
says out "one of two" "removed: 1 name"
soon "the memory is free" is_json 0 .status.granted status
soon "all of it" is_json $((48 << 20)) .status.free status
"$PARCTL" alloc --size 4K --name again --lasting >/dev/null
is "in JSON" "$(jget .remove.names remove again)" 1

# ---- the example, which is started again -------------------------------------------------------
if [[ -n ${3-} ]]; then
        first=$("$3") || fail "the example ended with status $?"
        second=$("$3") || fail "the example ended with status $?"
        is "a second start" "${first#start 1, }" "${second#start 2, }"
        is "the first start" "${first%% at *}" "start 1, ring"
        expect 0 "the example removes its ring" "$3" --remove
        is "a start after that" "$("$3" | cut -d, -f1)" "start 1"
fi

stop_pard || fail "pard ended with status $?"
finish
