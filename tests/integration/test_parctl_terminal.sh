#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_parctl_terminal.sh PARD PARCTL [DIRECTORY] - parctl in a terminal, as a user has it: colours, widths, questions,
# bars, and a screen that is redrawn and given back. With DIRECTORY what the terminal showed is kept there.
set -uo pipefail

PARD=$1 PARCTL=$(readlink -f "$2") keep=${3:-}
# shellcheck source=../support/pard.sh
. "$(dirname "$0")/../support/pard.sh"
command -v tmux >/dev/null && command -v jq >/dev/null || exit 77
locale -a | grep -qi '^C\.utf-\?8$' || exit 77

{
        base_config
        cat <<'EOF2'
backend = "sim"
sim {
        extent "low" { first = "0x10000000" size = "64M" }
        extent "high" { first = "0x100000000" size = "1G" }
        delay = "20ms"
}
pool "any" { addr_min = "4G" spill = yes size_min = "32M" size_max = "256M" reuse_delay = "0" quarantine = "1h" shrink_delay = "1s" }
pool "below4g" { below = "4G" size_min = "16M" size_max = "32M" reuse_delay = "0" quarantine = "1h" shrink_delay = "1s" }
EOF2
} >"$dir/pard.conf"
start_pard

# A server of our own, whatever the user's environment and configuration are.
terminal() {
        env -u TMUX -u NO_COLOR TMUX_TMPDIR="$dir" LC_ALL=C.UTF-8 tmux -L par -f /dev/null "$@"
}
shots=0
# screen - what the terminal shows, with its colours
screen() {
        terminal capture-pane -p -e
        [[ -n $keep ]] || return 0
        shots=$((shots + 1))
        terminal capture-pane -p -e >"$keep/$(printf '%02d' "$shots").txt"
}
plain() {
        terminal capture-pane -p
}
# type TEXT - and Enter
type() {
        terminal send-keys "$1" Enter
}
# shows NAME TEXT - the terminal does so before long
shows() {
        for ((i = 0; i < 200; i++)); do
                [[ $(plain) == *"$2"* ]] && return 0
                sleep 0.05
        done
        fail "$1: \"$2\" is not on the terminal:"
        plain || exit 1
}
# granted BYTES - wait until so much is
granted() {
        for ((i = 0; i < 200; i++)); do
                [[ $("$PARCTL" --json status | jq .status.granted) -eq $1 ]] && return 0
                sleep 0.05
        done
        fail "not $1 bytes are granted"
}
# run COMMAND... - on a clean screen, until the next prompt
run() {
        type "clear; parctl $*; echo status \$?"
        shows "$*" "status "
}
# no_longer_than NAME COLUMNS - no line was wrapped
no_longer_than() {
        local width
        width=$(terminal capture-pane -p -J | LC_ALL=C.UTF-8 wc -L)
        [[ $width -le $2 ]] || fail "$1 in $2 columns: a line has $width"
}

terminal new-session -d -x 80 -y 30 "exec env PS1='\$ ' PAR_SOCKET='$PAR_SOCKET' bash --norc"
holders=()
trap 'terminal kill-server 2>/dev/null; kill "${holders[@]}" 2>/dev/null; clean_up' EXIT
type "parctl() { '$PARCTL' \"\$@\"; }"
"$PARCTL" alloc --size 4M --below 4G --label "$(printf 'long%.0s' {1..15})" --hold 300 >/dev/null &
holders=($!)
"$PARCTL" alloc --size 6M --hold 300 >/dev/null &
holders+=($!)
granted $((10 << 20))

# ---- what it looks like ----------------------------------------------------------------------
for columns in 80 120; do
        terminal resize-window -x "$columns" -y 30
        for command in status pools frames buffers clients map "lookup 0x138000000" "explain --size 40M --below 4G"; do
                run "$command"
                no_longer_than "$command" "$columns"
                screen >/dev/null
        done
        run map
        [[ $(screen) == *$'\033[34m'*█* ]] || fail "no blue blocks for granted memory"
        [[ $(screen) == *$'\033[32m'*░* ]] || fail "no green blocks for free memory"
        shows "map" "█ granted 10M"
        [[ $columns -ne 120 ]] || shows "a wide map" "a row 192M"
done
terminal resize-window -x 80 -y 30
run map --no-color
shows "without colours" "# granted 10M"
[[ $(screen) != *$'\033[3'* ]] || fail "colours in spite of --no-color"
type "export NO_COLOR=1"
run map
shows "NO_COLOR" "# granted 10M"
type "unset NO_COLOR; export LC_ALL=C"
run map
shows "another locale" "# granted 10M"
[[ $(screen) == *$'\033[34m'*\#* ]] || fail "no colours where the locale has no blocks"
type "export LC_ALL=C.UTF-8"

# ---- bars -------------------------------------------------------------------------------------
type "clear; parctl grow any --by 128M"
shows "a bar" "█░"
shows "a bar" "of 128M, "
screen >/dev/null
shows "the end" "its goal is 160M, it holds 160M"
[[ $(plain) != *█* ]] || fail "the bar stays"
type "clear; parctl grow any --to 256M"
shows "a bar again" "█░"
terminal send-keys C-c
shows "stopped" "stopped waiting; pool any goes on towards 256M"
run shrink any --to 32M
shows "shrunk" "its goal is 32M, it holds 32M"

# ---- watching ---------------------------------------------------------------------------------
type "clear; echo before"
type "parctl pools --watch=1"
shows "watching" "parctl pools, every 1 s"
[[ $(plain) != *before* ]] || fail "it is not on the other screen"
"$PARCTL" grow any --by 128M >/dev/null &
growing=$!
shows "a bar while it is watched" "of 128M, "
[[ $(plain) == *░* ]] || fail "growing without a bar"
screen >/dev/null
wait "$growing"
terminal resize-window -x 60 -y 10
shows "a smaller terminal" "below4g"
no_longer_than "watching" 60
terminal resize-window -x 80 -y 30
terminal send-keys C-z
shows "suspended" "Stopped"
shows "the first screen is back" "before"
type "fg"
shows "continued" "parctl pools, every 1 s"
terminal send-keys C-c
shows "the first screen is back again" "before"
is "the cursor is there" "$(terminal display-message -p '#{cursor_flag}')" 1
is "lines are wrapped" "$(terminal display-message -p '#{wrap_flag}')" 1
is "the first screen" "$(terminal display-message -p '#{alternate_on}')" 0
type "echo status \$?"
shows "it ended well" "status 0"

# More than fits is said; SIGTERM gives the screen back as well.
terminal resize-window -x 80 -y 12
type "clear; parctl frames --watch=1"
shows "more than fits" "more lines"
pkill -TERM -P "$(terminal display-message -p '#{pane_pid}')"
shows "after SIGTERM" '$'
is "the first screen after SIGTERM" "$(terminal display-message -p '#{alternate_on}')" 0
terminal resize-window -x 80 -y 30

# The daemon goes, and comes back.
type "clear; parctl status --watch=1"
shows "watching it go" "uptime"
kill "${holders[@]}"
wait "${holders[@]}" 2>/dev/null
stop_pard || fail "pard stopped with status $?"
shows "gone" "no pard listens on"
start_pard
shows "back" "uptime"
terminal send-keys C-c

# ---- questions --------------------------------------------------------------------------------
"$PARCTL" alloc --size 4M --label asked --hold 300 >/dev/null &
holders=($!)
granted $((4 << 20))
number=$("$PARCTL" --json buffers | jq '.buffers[0].buffer')
type "clear; parctl revoke $number; echo status \$?"
shows "what it is about" "buffer $number: 4M in pool any, granted, \"asked\", of parctl, pid ${holders[0]}"
shows "the question" "Cut them off from that? [y/N]"
screen >/dev/null
type "n"
shows "no" "nothing was done"
shows "no" "status 1"
type "clear; parctl revoke --client-name parctl; echo status \$?"
shows "what it is about" ": 4M granted, of parctl, pid ${holders[0]}"
type "y"
shows "yes" "revoked: 4M"
type "clear; parctl release --pool any; echo status \$?"
shows "what it is about" "pool any: all that is quarantined there, 4M"
terminal send-keys C-d
shows "no answer" "status 1"
type "clear; parctl release --client-name parctl; echo status \$?"
shows "what it is about" ": 4M quarantined, of parctl, pid ${holders[0]}"
shows "the other question" "Is no device using it any more? [y/N]"
type "yes"
shows "yes" "released: 4M"
type "clear; parctl release --pool any; echo status \$?"
shows "nothing to ask about" "there is nothing of that kind"
shows "nothing to ask about" "status 1"
type "clear; parctl release 12345; echo status \$?"
shows "not listed" "buffer 12345: not in the list of buffers"
type "y"
shows "pard judges" "status 1"

kill "${holders[@]}" 2>/dev/null
wait "${holders[@]}" 2>/dev/null
stop_pard || fail "pard stopped with status $?"
finish
