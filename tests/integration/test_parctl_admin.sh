#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_parctl_admin.sh PARD PARCTL - what an administrator sees and does, as text and as JSON, on invented memory whose
# pages come in an order of their own; and what others may not.
set -uo pipefail

PARD=$1 PARCTL=$2
# shellcheck source=../support/pard.sh
. "$(dirname "$0")/../support/pard.sh"
command -v jq >/dev/null || exit 77

growing_config 5ms >"$dir/pard.conf"
start_pard

# ---- map -------------------------------------------------------------------------------------
hold --size 4M --below 4G --label ring
hold --size 6M --label "<b>&"
is "the map has all that is held" "$(jget '[.map.extents[].size] | add' map)" $((48 << 20))
is "states in the map" "$(jget '[.map.extents[].state] | unique' map)" '["free","granted"]'
is "the map of a pool" "$(jget '[.map.extents[] | .pool] | unique' map --pool below4g)" '["below4g"]'
is "the map below" "$(jget '[.map.extents[] | select(.state == "granted") | .size] | add' map --below 4G)" 4194304
is "a window cuts extents" "$(jget '[.map.extents[].size] | add' map --addr-min 0x13800000 --addr-max 0x138fffff)" 1048576
is "in order" "$(jget '[.map.extents[].first | length] | . == sort' map)" true
"$PARCTL" map >"$dir/out"
says out "a map" "Physical memory that pard holds: 48M. A block is 2M, a row 128M."
says out "a map" "not held ..."
grep -Eqx '0x10000000 .*##\.+' "$dir/out" || fail "the row of low memory: $(cat "$dir/out")"
is "a map in 80 columns" "$(awk 'length($0) > 80' "$dir/out" | head -n 1)" ""
"$PARCTL" map --scale 64K --noheadings --pool below4g >"$dir/out"
is "64 blocks of 64K are 4M" "$(grep -c '^0x1[0-9a-f]* *################################' "$dir/out")" 1
is "no more than asked for" "$("$PARCTL" map --rows 3 --noheadings | grep -vc '\.\.\. ')" 2
expect 0 "a picture" "$PARCTL" map --svg "$dir/map.svg"
grep -q '>0x10000000</text>' "$dir/map.svg" || fail "the picture has no addresses"
if command -v xmllint >/dev/null; then
        xmllint --noout "$dir/map.svg" || fail "the picture is no XML"
fi
"$PARCTL" map --svg - >"$dir/out"
cmp "$dir/map.svg" "$dir/out" || fail "the picture on standard output is another one"
[[ $(stat -c %s "$dir/map.svg") -lt 8192 ]] || fail "the picture is large"
expect 5 "no such place" "$PARCTL" map --svg "$dir/nowhere/map.svg"
says err "no such place" "nowhere/map.svg: No such file"
expect 5 "a full device" "$PARCTL" map --svg /dev/full

# ---- lookup ----------------------------------------------------------------------------------
first=$(jget '.buffers[] | select(.label == "ring") | .first' buffers)
first=${first//\"/}
inside=$(printf '0x%x' $((first + 0x201000)))
is "a buffer's address" "$(jget '.lookup | [.address, .space, .state, .held, .offset, .label, .client, .pool, .page_size]' lookup "$inside")" \
        "[\"$inside\",\"phys\",\"granted\",true,2101248,\"ring\",\"parctl\",\"below4g\",2097152]"
is "its holder" "$(jget '.lookup | [.pid, .uid]' lookup "$inside")" "[${holders[0]},$(id -u)]"
is "nobody's address" "$(jget '.lookup | [.held, .frame, .state, .buffer, .client, .previous]' lookup 0x1000)" \
        '[false,null,null,null,null,[]]'
is "several" "$(jget '.lookup.held' lookup "$inside" 0x1000 0x2000 | tr '\n' ' ')" "true false false "
expect 0 "as text" "$PARCTL" lookup "$inside" 4G
says out "as text" 'offset 0x201000 of 0x400000, "ring"'
says out "as text" "parctl, pid ${holders[0]}"
is "whose a free frame is" "$("$PARCTL" lookup "$(jget '[.frames[] | select(.state == "free")][0].frame' frames | tr -d '"')" | grep -c client)" 0

# Who had it before, and until when.
not_before=$(date +%s)
"$PARCTL" alloc --size 12M --below 4G --label "was here" >/dev/null
soon "taken again" is_json 12582912 '.pools[] | select(.pool == "below4g") | .free' pools
before=$(jget '.lookup.previous[0] | select(.label == "was here")' lookup 0x13a00000)
is "who had it" "$(jq -c '[.client, .uid]' <<<"$before")" "[\"parctl\",$(id -u)]"
until=$(date +%s -d "$(jq -r .until <<<"$before")")
not_after=$(date +%s)
[[ $until -ge $((not_before - 1)) && $until -le $((not_after + 1)) ]] ||
        fail "until $until, and it was between $not_before and $not_after"
"$PARCTL" lookup 0x13a00000 >"$dir/out"
says out "who had it, as text" '"was here", until 20'

# ---- who need not be there --------------------------------------------------------------------
hold --size 2M --pool below4g --label anywhere
is "who need not be in low memory" "$(jget '[.buffers[].label]' buffers --below 4G --without-need --sort -size)" '["anywhere"]'
is "who is there" "$(jget '[.buffers[].label]' buffers --below 4G --sort -size)" '["ring","anywhere"]'

# ---- explain: the largest run ------------------------------------------------------------------
expect 1 "too large for now" "$PARCTL" --json explain --size 30M --below 4G
is "the largest run" "$(jq -c '.explain | [.largest_run > 0, (.largest_first | type), (.largest_last | type), (.longer | type)]' \
        "$dir/out")" '[true,"string","string","string"]'
expect 1 "as text" "$PARCTL" explain --size 30M --below 4G
says out "the largest run as text" "Largest free run: "

# ---- grow and shrink --------------------------------------------------------------------------
expect 0 "grow" "$PARCTL" --json grow any --by 32M
is "grown" "$(jq -c '.grow | [.pool, .goal, .held]' "$dir/out")" '["any",67108864,67108864]'
is "as the list has it" "$(jget '.pools[] | select(.pool == "any") | [.goal, .held]' pools)" '[67108864,67108864]'
expect 0 "grow to" "$PARCTL" grow any --to 80M --bytes
says out "grow to" "any: its goal is 83886080, it holds 83886080, 6291456 of that in use"
expect 0 "grow without waiting" "$PARCTL" grow any --to 128M --no-wait
soon "grown all the same" is_json 134217728 '.pools[] | select(.pool == "any") | .held' pools
expect 3 "more than size_max" "$PARCTL" grow any --to 1G
says err "more than size_max" "size_max"
expect 2 "grow is not shrink" "$PARCTL" grow any --to 32M
says err "grow is not shrink" "the goal of pool any is 128M: grow cannot bring it there"
expect 2 "shrink is not grow" "$PARCTL" shrink any --to 200M
expect 2 "below nothing" "$PARCTL" shrink any --by 200M
expect 0 "shrink" "$PARCTL" --json shrink any --by 96M
is "shrunk" "$(jq -c '.shrink | [.goal, .held]' "$dir/out")" '[33554432,33554432]'
expect 3 "less than size_min" "$PARCTL" shrink any --to 16M
expect 2 "an unknown pool" "$PARCTL" grow nowhere --by 2M
says err "an unknown pool" 'pard has no pool "nowhere", but: any, below4g'

# Interrupted waiting leaves the pool at it. Nothing comes while the keeper is stopped.
kill -STOP "$pard_pid"
"$PARCTL" grow any --to 254M >/dev/null 2>"$dir/err" &
growing=$!
soon "waiting that can be interrupted" can_be_interrupted "$growing"
kill -INT "$growing"
wait "$growing"
is "interrupted" $? 1
says err "interrupted" "stopped waiting; pool any goes on towards 254M, and holds 32M"
# Half a second on it has asked again, and the worker does not answer.
"$PARCTL" grow any --to 256M >/dev/null 2>"$dir/err" &
growing=$!
soon "waiting that can be interrupted" can_be_interrupted "$growing"
kill -STOP "$(worker)"
sleep 0.5
kill -INT "$growing"
kill -CONT "$(worker)"
wait "$growing"
is "interrupted while it asks" $? 1
says err "interrupted while it asks" "stopped waiting; pool any goes on towards 256M, and holds 32M"
kill -CONT "$pard_pid"
soon "it went on" is_json 268435456 '.pools[] | select(.pool == "any") | .held' pools
expect 0 "back" "$PARCTL" shrink any --to 32M

# ---- drain ------------------------------------------------------------------------------------
expect 0 "drain" "$PARCTL" --json drain below4g --addr-min 0x13000000
is "what is in use there" "$(jq -c '.drain | [.pool, .end, .in_use > 0]' "$dir/out")" '["below4g",false,true]'
is "it is shown" "$(jget '.pools[] | select(.pool == "below4g") | .draining > 0' pools)" true
is "the map shows it" "$(jget '[.map.extents[] | select(.draining)] | length > 0' map)" true
says_map=$("$PARCTL" map --pool below4g)
[[ $says_map == *DD* ]] || fail "no draining memory in: $says_map"
"$PARCTL" drain below4g --addr-min 0x13000000 --wait >"$dir/out" 2>"$dir/err" &
draining=$!
soon "waiting that can be interrupted" can_be_interrupted "$draining"
sleep 0.3
kill -0 "$draining" || fail "it does not wait until the memory is given back"
kill -TERM "$draining"
wait "$draining"
is "interrupted drain" $? 1
says err "interrupted drain" "goes on draining"
let_go 0 2
expect 0 "drained" "$PARCTL" drain below4g --addr-min 0x13000000 --wait
says out "drained" "below4g: drained"
expect 1 "nothing is granted from there" "$PARCTL" alloc --size 2M --addr-min 0x13000000 --below 4G
expect 0 "end" "$PARCTL" drain below4g --end
says out "end" "below4g: grants from there again"
soon "it fills again" is_json 16777216 '.pools[] | select(.pool == "below4g") | .held' pools

# ---- revoke and release -------------------------------------------------------------------------
expect 2 "nobody to be asked" "$PARCTL" revoke 1 </dev/null
says err "nobody to be asked" "say --yes"
hold --size 2M --label mine
number=$(jget '.buffers[] | select(.label == "mine") | .buffer' buffers)
expect 0 "revoke" "$PARCTL" --json revoke "$number" --yes
is "revoked" "$(jq -c .revoke.bytes "$dir/out")" 2097152
is "it is quarantined" "$(jget .status.quarantined status)" 2097152
expect 1 "once is enough" "$PARCTL" revoke "$number" --yes
expect 1 "one of two" "$PARCTL" revoke "$number" 999999 --yes
says err "one of two" "buffer 999999 was not revoked"
expect 0 "release" "$PARCTL" --json release --pool any --yes
is "released" "$(jq -c '.release.bytes' "$dir/out")" 2097152
is "no quarantine" "$(jget .status.quarantined status)" 0
expect 1 "nothing more to release" "$PARCTL" release --client-name parctl --yes
hold --size 2M --label again
number=$(jget '.clients[] | select(.pid == '"${holders[-1]}"') | .id' clients)
expect 0 "revoke all of a client" "$PARCTL" revoke --client "$number" --pool any --yes
says out "revoke all of a client" "revoked: 2M"
expect 2 "in no such pool" "$PARCTL" revoke --client "$number" --pool nowhere --yes

# ---- who waits --------------------------------------------------------------------------------
hold --size 24M --below 4G --wait 5000
"$PARCTL" alloc --size 16M --below 4G --label patient --wait -1 2>/dev/null &
waiter=$!
soon "it waits" is_json 1 '.status.waiting' status
is "who waits for what" "$(jget '.clients[] | select(.waiting > 0) | [.pid, .waiting, .waiting_for, (.waiting_s | type)]' clients)" \
        "[$waiter,1,16777216,\"number\"]"
"$PARCTL" clients >"$dir/out"
says out "who waits for what, as text" "16 MiB in one piece below 4 GiB"
is "pools count them" "$(jget '[.pools[].waiting] | add > 0' pools)" true
kill "$waiter"
wait "$waiter"

# ---- reload -----------------------------------------------------------------------------------
expect 0 "reload" "$PARCTL" reload
says out "reload" "nothing changed"
sed -i 's/reuse_delay = "0"/reuse_delay = "1s"/' "$dir/pard.conf"
expect 0 "another configuration" "$PARCTL" --json reload
is "what changed" "$(jq -c .reload.changed "$dir/out")" '["pool any: reuse_delay","pool below4g: reuse_delay"]'
cp "$dir/pard.conf" "$dir/good.conf"
sed -i 's/addr_min = "4G"/addr_min = "5G"/' "$dir/pard.conf"
expect 3 "what cannot change" "$PARCTL" reload
says err "what cannot change" "addr_min"
echo 'nonsense' >>"$dir/pard.conf"
expect 3 "no configuration" "$PARCTL" reload
cp "$dir/good.conf" "$dir/pard.conf"

# ---- again and again ----------------------------------------------------------------------------
lists=(status pools frames buffers clients map)
watchers=()
for list in "${lists[@]}"; do
        "$PARCTL" --json "$list" --watch=1 2>/dev/null | head -n 2 >"$dir/$list" &
        watchers+=($!)
done
wait "${watchers[@]}"
for list in "${lists[@]}"; do
        is "$list: an object a line" "$(jq -c 'keys == ["'"$list"'"]' "$dir/$list" | tr '\n' ' ')" "true true "
        is "$list: a line an object" "$(wc -l <"$dir/$list")" 2
done
two_maps() {
        [[ $(grep -c '^--- 20' "$dir/out") -ge 2 ]]
}
"$PARCTL" map --watch=1 >"$dir/out" &
watcher=$!
soon "two maps" two_maps
kill -INT "$watcher"
wait "$watcher"
is "watching ends well" $? 0
! grep -q $'\033' "$dir/out" || fail "commands for a terminal where there is none"

# ---- what others may not ------------------------------------------------------------------------
if [[ $(id -u) -eq 0 ]]; then
        mkdir -m 755 "$dir/public"
        cp "$PARCTL" $(ldd "$PARCTL" | awk '$1 ~ /^libpar/ { print $3 }') "$dir/public"
        as_stranger=(env LD_LIBRARY_PATH="$dir/public" setpriv --reuid 65533 --regid 65533 --clear-groups
                "$dir/public/parctl")
        chmod 0666 "$PAR_SOCKET"
        number=$(jget '.buffers[0].buffer' buffers)
        expect 3 "a stranger grows" "${as_stranger[@]}" grow any --by 2M
        expect 3 "a stranger drains" "${as_stranger[@]}" drain any
        expect 3 "a stranger revokes" "${as_stranger[@]}" revoke "$number" --yes
        expect 3 "a stranger reloads" "${as_stranger[@]}" reload
        expect 0 "a stranger's map" "${as_stranger[@]}" map
        expect 0 "a stranger looks up" "${as_stranger[@]}" --json lookup "$inside"
        is "and is told no names" "$(jq -c '.lookup | [.client, .pid, .uid, ([.previous[] | .client, .uid, .label] | unique)]' "$dir/out")" \
                '[null,null,null,[null]]'
        is "nor that he is one" "$("${as_stranger[@]}" --json status | jq .status.admin)" false
        is "root is" "$(jget .status.admin status)" true
fi

let_go
stop_pard || fail "pard stopped with status $?"
finish
