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

growing_config 20ms >"$dir/pard.conf"
start_pard

# A server of our own, whatever the user's environment and configuration are.
terminal() {
        env -u TMUX -u NO_COLOR TMUX_TMPDIR="$dir" LC_ALL=C.UTF-8 tmux -L par -f /dev/null "$@"
}
shots=0
# screen - what the terminal shows, with its colours
screen() {
        terminal capture-pane -p -e
}
# keep_screen - where a DIRECTORY was given
keep_screen() {
        [[ -n $keep ]] || return 0
        shots=$((shots + 1))
        screen >"$keep/$(printf '%02d' "$shots").txt"
}
plain() {
        terminal capture-pane -p
}
# type TEXT - and Enter
type() {
        terminal send-keys "$1" Enter
}
# Nobody knows when a program gets to draw, so what the terminal shows is looked at until it is right: questions for
# soon.
on_screen() { [[ $(plain) == *"$1"* ]]; }
not_on_screen() { ! on_screen "$1"; }
only_a_prompt() { [[ $(plain) == '$' ]]; }
# What is typed says "$?".
a_status() { [[ $(plain) == *"status "[0-9]* ]]; }
has_size() { [[ $(stty size -F "$tty") == "$1" ]]; }
# shows NAME TEXT - before long
shows() {
        soon "$1: \"$2\" on the terminal" on_screen "$2" || plain
}
# no_longer_shows NAME TEXT
no_longer_shows() {
        soon "$1: no \"$2\" on the terminal" not_on_screen "$2" || plain
}
# begin COMMAND - after nothing but a prompt: what is on the terminal from then on is the command's, or its text
begin() {
        type clear
        soon "a prompt before: $1" only_a_prompt
        type "$1"
}
# run COMMAND... - until it has ended
run() {
        begin "parctl $*; echo status \$?"
        soon "the end of: $*" a_status
}
# resize COLUMNS ROWS - until programs on the terminal are told so
resize() {
        terminal resize-window -x "$1" -y "$2"
        soon "$1 columns and $2 lines" has_size "$2 $1"
}
# no_longer_than NAME COLUMNS - no line was wrapped
no_longer_than() {
        local width
        width=$(terminal capture-pane -p -J | LC_ALL=C.UTF-8 wc -L)
        [[ $width -le $2 ]] || fail "$1 in $2 columns: a line has $width"
}

terminal new-session -d -x 80 -y 30 "exec env PS1='\$ ' PAR_SOCKET='$PAR_SOCKET' bash --norc"
trap 'terminal kill-server 2>/dev/null; clean_up' EXIT
tty=$(terminal display-message -p '#{pane_tty}')
begin "parctl() { '$PARCTL' \"\$@\"; }"
hold --size 4M --below 4G --label "$(printf 'long%.0s' {1..15})"
hold --size 6M

# ---- what it looks like ----------------------------------------------------------------------
for columns in 80 120; do
        resize "$columns" 30
        for command in status pools frames buffers clients map "lookup 0x138000000" "explain --size 40M --below 4G"; do
                run "$command"
                no_longer_than "$command" "$columns"
                keep_screen
        done
        run map
        [[ $(screen) == *$'\033[34m'*█* ]] || fail "no blue blocks for granted memory"
        [[ $(screen) == *$'\033[32m'*░* ]] || fail "no green blocks for free memory"
        shows "map" "█ granted 10M"
        [[ $columns -ne 120 ]] || shows "a wide map" "a row 192M"
done
resize 80 30
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
# A bar stays on the terminal while the keeper is stopped, since nothing comes then.
kill -STOP "$pard_pid"
begin "parctl grow any --by 32M"
shows "a bar" "[░░░░░░░░░░░░░░░░░░░░░░░░]   0%  0B of 32M, growing"
keep_screen
kill -CONT "$pard_pid"
shows "the end" "its goal is 64M, it holds 64M"
not_on_screen ░ || fail "the bar stays"
begin "parctl grow any --to 256M"
some_way() {
        kill -CONT "$pard_pid"
        sleep 0.1
        kill -STOP "$pard_pid"
        sleep 0.3
        on_screen "█░"
}
soon "a bar that has come some way" some_way
keep_screen
terminal send-keys C-c
shows "stopped" "stopped waiting; pool any goes on towards 256M"
kill -CONT "$pard_pid"
run shrink any --to 32M
shows "shrunk" "its goal is 32M, it holds 32M"

# ---- watching ---------------------------------------------------------------------------------
begin "echo before"
type "parctl pools --watch=1"
shows "watching" "parctl pools, every 1 s"
not_on_screen before || fail "it is not on the other screen"
kill -STOP "$pard_pid"
"$PARCTL" grow any --by 128M >/dev/null &
growing=$!
shows "a bar while it is watched" "░]   0%  0B of 128M, growing"
keep_screen
kill -CONT "$pard_pid"
wait "$growing"
no_longer_shows "grown" ░
shows "a column for wide terminals" LARGEST_RUN
resize 60 10
no_longer_shows "a smaller terminal" LARGEST_RUN
shows "a smaller terminal" "below4g"
no_longer_than "watching" 60
resize 80 30
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
resize 80 12
begin "parctl frames --watch=1"
shows "more than fits" "more lines"
pkill -TERM -P "$(terminal display-message -p '#{pane_pid}')"
shows "after SIGTERM" '$'
is "the first screen after SIGTERM" "$(terminal display-message -p '#{alternate_on}')" 0
resize 80 30

# The daemon goes, and comes back.
begin "parctl status --watch=1"
shows "watching it go" "uptime"
let_go
stop_pard || fail "pard stopped with status $?"
shows "gone" "no pard listens on"
start_pard
shows "back" "uptime"
terminal send-keys C-c

# ---- questions --------------------------------------------------------------------------------
hold --size 4M --label asked
number=$("$PARCTL" --json buffers | jq '.buffers[0].buffer')
begin "parctl revoke $number; echo status \$?"
shows "what it is about" "buffer $number: 4M in pool any, granted, \"asked\", of parctl, pid ${holders[0]}"
shows "the question" "Cut them off from that? [y/N]"
keep_screen
type "n"
shows "no" "nothing was done"
shows "no" "status 1"
begin "parctl revoke --client-name parctl; echo status \$?"
shows "what it is about" ": 4M granted, of parctl, pid ${holders[0]}"
type "y"
shows "yes" "revoked: 4M"
begin "parctl release --pool any; echo status \$?"
shows "what it is about" "pool any: all that is quarantined there, 4M"
terminal send-keys C-d
shows "no answer" "status 1"
begin "parctl release --client-name parctl; echo status \$?"
shows "what it is about" ": 4M quarantined, of parctl, pid ${holders[0]}"
shows "the other question" "Is no device using it any more? [y/N]"
type "yes"
shows "yes" "released: 4M"
begin "parctl release --pool any; echo status \$?"
shows "nothing to ask about" "there is nothing of that kind"
shows "nothing to ask about" "status 1"
begin "parctl release 12345; echo status \$?"
shows "not listed" "buffer 12345: not in the list of buffers"
type "y"
shows "pard judges" "status 1"

let_go
stop_pard || fail "pard stopped with status $?"
finish
