#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_parctl.sh PARD PARCTL - the commands, their exit statuses and their JSON, on invented memory.
set -uo pipefail

PARD=$1 PARCTL=$2
# shellcheck source=../support/pard.sh
. "$(dirname "$0")/../support/pard.sh"
command -v jq >/dev/null || exit 77

# ---- usage, without a daemon ----------------------------------------------------------------
while read -r want arguments; do
        # shellcheck disable=SC2086
        expect "$want" "parctl $arguments" "$PARCTL" $arguments
        [[ $want -ne 2 ]] || says err "parctl $arguments" "Try: parctl"
done <<'EOF'
0 --help
0 --version
0 pools --help
0 help
0 help pools
0 help help
2
2 map --rows 0
2 map --scale 5K
2 map --rows 3 --scale 4K
2 map 0x1000
2 pools --size 2M
2 pools more
2 pools --sort colour
2 pools --sort pool,
2 pools --sort pool,colour
2 pools --columns pool,colour
2 pools --json=yes
2 --size 2M pools
2 pools --below 4X
2 clients --below 4G
2 pools --watch=0
2 pools --watch=x
2 map --watch --svg map.svg
2 alloc --watch --size 1M
2 buffers --without-need
2 lookup
2 lookup here
2 lookup 0x1000 --below 4G
2 drain
2 drain a b
2 drain a --end --wait
2 grow a
2 grow --by 2M
2 grow a --by 2M --to 4M
2 grow a --by 0
2 shrink a
2 revoke
2 revoke x --yes
2 revoke 0 --yes
2 revoke 1
2 release --client 7
2 reload now
2 help nothing
2 help pools map
2 alloc
2 alloc --size
2 alloc --size 0
2 alloc --size 1M --below 4G --addr-max 0xffffffff
2 alloc --size 1M --hold 1 -- true
2 alloc --size 1M --
2 explain --size 1M --wait 3
2 status --colour
4 status
4 pools
4 map
4 map --svg /nonexistent/map.svg
4 pools --watch
4 lookup 0x1000
4 drain a
4 grow a --by 2M
4 shrink a --to 2M
4 revoke 1 --yes
4 release --client-name a --yes
4 reload
4 alloc --size 1M
4 explain --size 1M
4 --socket /nonexistent/pard.sock status
125 alloc --size 1M -- true
EOF

# ---- lists ----------------------------------------------------------------------------------
sim_config >"$dir/pard.conf"
start_pard

is "status: held" "$(jget .status.held status)" $((48 << 20))
is "status: sum of the states" "$(jget '.status | .held == .free + .granted + .reusable + .leaving + .lingering
        + .quarantined + .retired' status)" true
is "status: backend" "$(jget .status.backend status)" '"sim"'
is "pools" "$(jget '[.pools[].pool]' pools)" '["any","below4g"]'
is "a pool" "$(jget '.pools[] | select(.pool == "below4g") | [.first, .last, .page_size, .node, .size_min, .held, .free,
        .granted, .largest_run, .state]' pools)" \
        '["0x0","0xffffffff",2097152,null,16777216,16777216,16777216,0,16777216,"ready"]'
is "keys of a pool" "$(jget '.pools[0] | keys_unsorted[:19] | join(" ")' pools)" \
        '"pool backend first last page_size node size_min size_max held free granted reusable leaving lingering quarantined retired largest_run pinned state"'
is "pools by address" "$(jget '[.pools[].pool]' pools --below 2G)" '["below4g"]'
is "pools by name" "$(jget '[.pools[].pool]' pools --pool any)" '["any"]'
expect 2 "an unknown pool in a list" "$PARCTL" pools --pool nowhere
says err "an unknown pool in a list" 'pard has no pool "nowhere", but: any, below4g'
for list in frames buffers map; do
        expect 2 "an unknown pool: $list" "$PARCTL" --json "$list" --pool nowhere
        is "no JSON of it: $list" "$(cat "$dir/out")" ""
done
is "several columns to sort by" "$(jget '[.frames[].frame] | .[0] == .[-1]' frames --sort pool,-frame)" false
is "first the pool, then the highest" "$("$PARCTL" frames --noheadings --columns pool,frame --sort pool,-frame |
        awk '{ print $1, $2 }')" "$(jq -r '.frames | sort_by(.pool, .frame) | group_by(.pool)[] | reverse[] | "\(.pool) \(.frame)"' \
        < <("$PARCTL" --json frames))"
is "pools sorted" "$(jget '[.pools[].pool]' pools --sort -pool)" '["below4g","any"]'
is "frames" "$(jget '.frames | length' frames)" 24
is "frames that lie nowhere" "$(jget 'any(.frames[]; .verified)' frames)" false
is "frames below" "$(jget '.frames | length' frames --below 4G)" 8
is "frames of a pool" "$(jget '.frames | length' frames --pool any)" 16
is "a frame" "$(jget '.frames[0] | [.pool, .size, .state, .client]' frames --below 4G --sort frame)" \
        '["below4g",2097152,"free",null]'
is "no buffers" "$(jget .buffers buffers)" '[]'
is "one client" "$(jget '.clients | length' clients)" 1
is "its name" "$(jget '.clients[0] | [.client, .connected]' clients)" '["parctl",true]'

expect 0 "text" "$PARCTL" pools
says out "text" "PAGE_SIZE"
says out "text" "16M"
expect 0 "bytes" "$PARCTL" pools --bytes --noheadings
says out "bytes" 16777216
! grep -q PAGE_SIZE "$dir/out" || fail "headings in spite of --noheadings"
expect 0 "status as text" "$PARCTL" status
says out "status as text" "quarantined"

# What has nothing to tell is left out of the text, and what is too long for the terminal.
mapfile -t lines < <("$PARCTL" pools)
is "a pool without limits, and one with" "$(tr -s ' ' <<<"${lines[1]% *}|${lines[2]% *}" | sed 's/ *|/|/; s/ *$//')" \
        "any 0x100000000 - 2M 32M 32M 0B 32M ready|below4g 0x0 0xffffffff 2M 16M 16M 0B 16M ready"
on_terminal() {
        script -qec "stty cols $1; \"$PARCTL\" ${*:2}" /dev/null </dev/null | tr -d '\r'
}
hold --size 4M --below 4G --label "$(printf 'long%.0s' {1..15})"
for list in pools frames buffers clients; do
        is "$list in 80 columns" "$(on_terminal 80 "$list" | awk 'length($0) > 80' | head -n 1)" ""
done
on_terminal 80 buffers >"$dir/out"
says out "the start of a label" longlong
! grep -q AGE_S "$dir/out" || fail "a narrow terminal has room for everything"
on_terminal 200 buffers >"$dir/out"
says out "a wide terminal" AGE_S
says out "a wide terminal" "$(printf 'long%.0s' {1..15})"
let_go
"$PARCTL" --help >"$dir/out"
for command in status pools frames buffers clients limits map lookup alloc explain drain grow shrink revoke release remove reload help; do
        "$PARCTL" "$command" --help >>"$dir/out"
done
is "help in 80 columns" "$(awk 'length($0) > 80' "$dir/out" | head -n 1)" ""

# ---- alloc ----------------------------------------------------------------------------------
grant=$("$PARCTL" --json alloc --size 1M --below 4G --label iq-ring)
is "a grant's label and pool" "$(jq -c '.alloc | [.label, .pool, .size]' <<<"$grant")" '["iq-ring","below4g",1048576]'
is "a grant's segment" "$(jq -c '.alloc | .segments | length' <<<"$grant")" 1
is "dma of the first segment" "$(jq -c '.alloc | .dma == .segments[0].dma' <<<"$grant")" true
is "offset and length" "$(jq -c '.alloc.segments[0] | [.length, .offset]' <<<"$grant")" '[1048576,0]'
is "given back" "$(jget .buffers buffers)" '[]'
expect 0 "alloc as text" "$PARCTL" alloc --size 64K --device capture0
says out "alloc as text" "64K from pool below4g"
expect 0 "alloc in bytes" "$PARCTL" alloc --size 64K --bytes
says out "alloc in bytes" "65536 from pool any"
is "a large one" "$("$PARCTL" --json alloc --size 6M | jq -c '.alloc | [.pool, .size]')" '["any",6291456]'

# $ is the command's.
# shellcheck disable=SC2016
expect 0 "a command" "$PARCTL" alloc --size 8K --dma-bits 32 -- sh -c 'echo "$PAR_BUFFER $PAR_DMA $PAR_PHYS $PAR_SIZE"'
grep -Eqx '[0-9]+ 0x[0-9a-f]+ 0x[0-9a-f]+ 8192' "$dir/out" || fail "the command's environment: $(cat "$dir/out")"
expect 37 "a command's status" "$PARCTL" alloc --size 8K -- sh -c 'exit 37'
expect 143 "a command that is killed" "$PARCTL" alloc --size 8K -- sh -c 'kill -TERM $$'
expect 127 "a command that is not there" "$PARCTL" alloc --size 8K -- /nonexistent/command
expect 126 "a command that cannot be executed" "$PARCTL" alloc --size 8K -- "$dir/pard.conf"
expect 125 "no buffer for a command" "$PARCTL" alloc --size 1G -- true
is "all given back" "$(jget .status.granted status)" 0

# A held buffer is shown, and given back on a signal without quarantine.
hold --json --size 4M --below 4G --label held
is "the held buffer" "$(jget '.buffers[] | [.label, .name, .client, .pool, .size, .needs_below, .state]' buffers)" \
        '["held",null,"parctl","below4g",4194304,"0xffffffff","granted"]'
is "its number" "$(jget '.buffers[0].buffer' buffers)" "$(jq .alloc.buffer "$dir/held")"
is "its place" "$(jget '.buffers[0].first' buffers --below 4G)" "$(jq -c .alloc.dma "$dir/held")"
is "not above" "$(jget '.buffers | length' buffers --addr-min 4G)" 0
is "its frames" "$(jget '[.frames[] | select(.state == "granted")] | length' frames)" 2
is "its client" "$(jget '.clients[] | select(.buffers == 1) | [.client, .granted]' clients)" '["parctl",4194304]'

# ---- explain and refusals -------------------------------------------------------------------
expect 0 "explain what fits" "$PARCTL" --json explain --size 1M --below 4G
is "it fits" "$(jq -c '.explain | [.result, .permanent, .pool, (.segments | length)]' "$dir/out")" \
        '["granted",false,"below4g",1]'
expect 1 "explain what does not fit now" "$PARCTL" --json explain --size 14M --below 4G
is "not now" "$(jq -c '.explain | [.permanent, .size, (.blockers | length)]' "$dir/out")" '[false,14680064,1]'
is "the blocker" "$(jq -c '.explain.blockers[0] | [.buffer, .size, .needs_below]' "$dir/out")" \
        "[$(jq .alloc.buffer "$dir/held"),4194304,\"0xffffffff\"]"
is "keys of an explanation" "$(jq -c '.explain | keys_unsorted[:9] | join(" ")' "$dir/out")" \
        '"result permanent sentence limit limit_set_by size free_in_window largest_run blockers"'
expect 3 "explain what never fits" "$PARCTL" --json explain --size 1G
is "never" "$(jq -c '.explain | [.result, .permanent]' "$dir/out")" '["never_fits",true]'
expect 3 "explain as text" "$PARCTL" explain --size 1M --below 1M
says out "explain as text" "never_fits: "
says out "explain as text" "Waiting does not help."
expect 1 "refused for now" "$PARCTL" --json alloc --size 14M --below 4G
is "a refused alloc explains" "$(jq -c '.explain.permanent' "$dir/out")" false
expect 3 "refused for ever" "$PARCTL" alloc --size 1M --below 1M
says err "refused for ever" "never_fits"
expect 1 "waiting in vain" "$PARCTL" alloc --size 14M --below 4G --wait 100
expect 3 "an unknown pool" "$PARCTL" alloc --size 1M --pool nowhere
expect 3 "an unknown device" "$PARCTL" --json alloc --size 1M --device nobody
is "it is explained" "$(jq -c '.explain | [.result, .permanent]' "$dir/out")" '["invalid",true]'
expect 1 "a refusal as text" "$PARCTL" explain --size 14M --below 4G
says out "a refusal as text" "Limit: addr_max, set by the request."
says out "a refusal as text" "Waiting may help."
says out "a refusal as text" "Who has memory there:"
expect 3 "no power of two" "$PARCTL" alloc --size 1M --align 12K

let_go
is "the holder's status" $? 0
is "no quarantine after a signal" "$(jget .status.quarantined status)" 0
is "nothing granted" "$(jget .status.granted status)" 0

# A signal to parctl reaches the command.
"$PARCTL" alloc --size 8K -- sleep 60 2>/dev/null &
runner=$!
has_command() { pgrep -P "$runner" -x sleep >/dev/null; }
soon "the command runs" has_command
is "it has a buffer" "$(jget '.status.granted > 0' status)" true
kill -TERM "$runner"
wait "$runner"
is "the passed signal" $? 143
is "given back after it" "$(jget .status.granted status)" 0

# Nobody reads: that is no reason to go on, nor to leave memory behind.
"$PARCTL" frames | true
expect 5 "a full device" sh -c "\"$PARCTL\" alloc --size 8K >/dev/full"
is "nothing is left" "$(jget '[.status.granted, .status.quarantined]' status)" '[0,0]'

# ---- permission -----------------------------------------------------------------------------
if [[ $(id -u) -eq 0 ]]; then
        # The clone may lie where nobody but root may look.
        mkdir -m 755 "$dir/public"
        cp "$PARCTL" $(ldd "$PARCTL" | awk '$1 ~ /^libpar/ { print $3 }') "$dir/public"
        as_stranger=(env LD_LIBRARY_PATH="$dir/public" setpriv --reuid 65533 --regid 65533 --clear-groups
                "$dir/public/parctl")
        expect 5 "no permission for the socket" "${as_stranger[@]}" status
        says err "no permission for the socket" "you may not connect"
        chmod 0666 "$PAR_SOCKET"
        hold --size 8K --label secret
        expect 0 "a stranger's view" "${as_stranger[@]}" --json buffers
        is "strangers are not named" "$(jq -c '.buffers[0] | [.client, .pid, .uid]' "$dir/out")" '[null,null,null]'
        kill -INT "${holders[-1]}"
        let_go
fi

# ---- the worker dies while it is asked --------------------------------------------------------
# another_worker PID - one worker is there, and not this one
another_worker() {
        local now
        now=$(worker)
        [[ $now =~ ^[0-9]+$ && $now -ne $1 ]]
}
# Who waits for memory waits on, who holds it holds it.
hold --size 16M --below 4G
"$PARCTL" alloc --size 4M --below 4G --wait -1 >"$dir/out" &
waiter=$!
soon "it waits" is_json 1 .status.waiting status
first_worker=$(worker)
kill -KILL "$first_worker"
soon "a new worker" another_worker "$first_worker"
soon "it waits again" is_json 1 .status.waiting status
let_go
is "the holder's status after that" $? 0
wait "$waiter"
is "the waiter's status after that" $? 0
# Who has just connected is served by the next worker.
kill -STOP "$(worker)"
"$PARCTL" pools >"$dir/out" &
asking=$!
sleep 0.2
kill -KILL "$(worker)"
wait "$asking"
is "the next worker answers" $? 0
says out "the next worker answers" below4g

# ---- pard is stopped while somebody waits ------------------------------------------------------
hold --size 16M --below 4G
"$PARCTL" alloc --size 4M --below 4G --wait -1 2>"$dir/err" &
waiter=$!
soon "it waits" is_json 1 .status.waiting status
stop_pard || fail "pard stopped with status $?"
wait "$waiter"
is "the daemon goes away" $? 4
says err "the daemon goes away" "the connection to pard is gone: pard was stopped"
finish
