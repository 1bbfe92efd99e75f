#!/bin/bash
# SPDX-License-Identifier: MIT
#
# completion.sh BUILD_DIR PARD PARCTL CLIENT - bash and zsh complete the commands, all options of each, columns, and what
# a running daemon has; they offer nothing, at once, where none runs; and a name that a client chose is never a command.
# CLIENT connects under the name that it is given.
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
build=$1 PARD=$2 PARCTL=$3 client=$4
[[ -e /usr/share/bash-completion/bash_completion ]] || { echo "bash-completion is not installed"; exit 77; }
command -v jq >/dev/null || { echo "jq is not installed"; exit 77; }
command -v zsh >/dev/null || { echo "zsh is not installed"; exit 77; }
# shellcheck source=../support/pard.sh
. "$here/../support/pard.sh"

DESTDIR=$dir/root cmake --install "$build" >"$dir/log" || { cat "$dir/log"; exit 1; }
data=$(dirname "$(find "$dir/root" -type d -name bash-completion)")
export PATH=$dir/bin:$PATH LC_ALL=C
mkdir "$dir/bin"
ln -s "$PARCTL" "$dir/bin/parctl"

# offered SHELL - what a shell offers for the lines of standard input
offered() {
        case $1 in
        bash) XDG_DATA_DIRS=$data bash --norc "$here/complete.bash" ;;
        zsh) zsh -f "$here/complete.zsh" "$data/zsh/site-functions" ;;
        esac
}

# check - both shells offer what standard input says: "LINE", a tab, and the words
check() {
        local shell
        cat >"$dir/want"
        for shell in bash zsh; do
                cut -f 1 "$dir/want" | offered "$shell" >"$dir/got" 2>"$dir/err" || fail "$shell: $(cat "$dir/err")"
                diff "$dir/want" "$dir/got" >"$dir/diff" || fail "wanted (<) and what $shell offers (>) differ:
$(cat "$dir/diff")"
        done
}

# words TEXT... - as the drivers print them
words() { printf '%s\n' "$@" | tr ' ' '\n' | grep . | sort -u | xargs; }
# options [COMMAND] - all options that the help names
options() { words "$("$PARCTL" "$@" --help | sed -n 's/^  \(--[a-z][a-z-]*\).*/\1/p')"; }
columns() { words "$("$PARCTL" "$1" --help | sed -n '/^Columns:/,/^$/p' | tail -n +2)"; }

# ---- from the help, without a daemon --------------------------------------------------------
commands=$("$PARCTL" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[[ -n $commands ]] || fail "parctl --help names no commands"
started=$SECONDS
{
        printf 'parctl \t%s\n' "$(words "$commands")"
        printf 'parctl --json sta\tstatus\n'
        printf 'parctl --\t%s\n' "$(options)"
        for command in $commands; do
                printf 'parctl %s --\t%s\n' "$command" "$(options "$command")"
        done
        printf 'parctl pools --sort \t%s\n' "$(columns pools)"
        printf 'parctl buffers --sort=-need\t-needs_below\n'
        printf 'parctl buffers --columns buffer,siz\tbuffer,size\n'
        printf 'parctl alloc --size \t\n'
        printf 'parctl alloc --size 4K --max-segments \tany\n'
        printf 'parctl alloc --size 4K -- parct\tparctl\n'
        printf 'parctl explain --below \t\n'
        printf 'parctl pools --pool \t\n'
        printf 'parctl nonsense --\t\n'
        printf 'parctl help expl\texplain\n'
        printf 'parctl help explain \t\n'
        printf 'parctl lookup \t\n'
        printf 'parctl lookup 0x1000 \t\n'
} | check
[[ $((SECONDS - started)) -lt 60 ]] || fail "without a daemon it takes $((SECONDS - started)) s"

# ---- from a daemon --------------------------------------------------------------------------
{
        sim_config
        echo 'pool "with:colon" { below = "4G" size_min = "2M" }'
} >"$dir/pard.conf"
start_pard
# A client whose name a shell might run.
# shellcheck disable=SC2016
name='$(touch ran);`touch ran`'
cd "$dir" || exit
"$client" "$name" >"$dir/connected" &
client_pid=$!
soon "a client with a buffer" test -s "$dir/connected"
held=$("$PARCTL" --json clients | jq '.clients[] | select(.client != "parctl") | .id')
buffer=$("$PARCTL" --json buffers | jq '.buffers[0].buffer')
[[ -n $held && -n $buffer ]] || fail "there is no client with a buffer"

check <<EOF
parctl pools --pool 	any below4g with:colon
parctl pools --pool=be	below4g
parctl pools --sort held --pool be	below4g
parctl alloc --size 4K --pool a	any
parctl --socket $PAR_SOCKET pools --pool be	below4g
parctl --socket /nonexistent pools --pool be	
parctl grow any	any
parctl grow any 	
parctl drain --end b	below4g
parctl revoke $buffer	$buffer
parctl revoke $buffer $buffer	$buffer
EOF
for shell in bash zsh; do
        [[ " $(echo 'parctl release --client ' | offered $shell | cut -f 2) " == *" $held "* ]] ||
                fail "$shell does not offer the client $held"
done
quoted=$(echo 'parctl revoke --client-name ' | offered bash | cut -f 2)
[[ $quoted == *'\$\(touch\ '* ]] || fail "a client's name is offered as \"$quoted\""
echo 'parctl revoke --client-name ' | offered zsh >"$dir/out"
says out "a client's name, in zsh" 'touch'
[[ ! -e ran ]] || fail "a client's name was run as a command"
kill "$client_pid"
wait "$client_pid" 2>/dev/null

is "a colon in a pool's name" "$(echo 'parctl pools --pool with:co' | offered bash | cut -f 2)" colon
is "a colon in a pool's name, in zsh" "$(echo 'parctl pools --pool with:co' | offered zsh | cut -f 2)" with:colon
is "files" "$(echo "parctl --socket $dir/pard.so" | offered bash | cut -f 2)" "$PAR_SOCKET $PAR_SOCKET.lock"
is "files, in zsh" "$(echo "parctl --socket $dir/pard.so" | offered zsh | cut -f 2)" "pard.sock pard.sock.lock"
stop_pard || fail "pard stopped with status $?"
finish
