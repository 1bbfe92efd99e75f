#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_start.sh PARD PARCTL - what keeps pard from starting is said in a sentence, and nothing is left behind.
set -uo pipefail

PARD=$1 PARCTL=$2
# shellcheck source=../support/pard.sh
. "$(dirname "$0")/../support/pard.sh"

# ---- the command line -----------------------------------------------------------------------
expect 0 "help" "$PARD" --help
says out "help" "--check-config"
expect 0 "version" "$PARD" --version
says out "version" "pard "
expect 2 "an unknown option" "$PARD" --colour
says err "an unknown option" "Try: pard --help"
expect 2 "an argument" "$PARD" now
says err "an argument" '"now"'
expect 2 "a bad level" "$PARD" --log-level loud
expect 2 "a worker without a keeper" "$PARD" --worker
says err "a worker without a keeper" "is for pard itself"

# ---- the configuration ----------------------------------------------------------------------
sim_config >"$dir/pard.conf"
expect 0 "a good configuration" "$PARD" --check-config --config "$dir/pard.conf"
says out "a good configuration" "pools: 2, devices: 1"
expect 1 "no configuration" "$PARD" --config "$dir/none.conf"
says err "no configuration" "$dir/none.conf cannot be read"

lines=$(($(wc -l <"$dir/pard.conf") + 1))
echo 'colour = "red"' >>"$dir/pard.conf"
for how in "" --check-config; do
        expect 1 "an unknown key $how" "$PARD" $how --config "$dir/pard.conf"
        says err "an unknown key $how" "$dir/pard.conf:$lines: there is no key \"colour\""
done
[[ ! -e $PAR_SOCKET ]] || fail "a socket after a failed start"

{ sim_config; printf '\0'; } >"$dir/pard.conf"
expect 1 "a NUL byte" "$PARD" --config "$dir/pard.conf"
says err "a NUL byte" "this is no text"

head -c 2000000 /dev/zero | tr '\0' ' ' >"$dir/pard.conf"
expect 1 "a huge configuration" "$PARD" --config "$dir/pard.conf"
says err "a huge configuration" "File too large"

{ base_config; echo 'pool "odd" { page_size = "16K" size_min = "64K" }'; } >"$dir/pard.conf"
expect 0 "a page size of another machine" "$PARD" --check-config --config "$dir/pard.conf"
says err "a page size of another machine" "this system has no hugepages of 16K"

if [[ ! -e /dev/udmabuf ]]; then
        { base_config; echo 'pool "sealed" { size_min = "4M" handout = "dmabuf" }'; } >"$dir/pard.conf"
        expect 0 "a pool of dma-bufs" "$PARD" --check-config --config "$dir/pard.conf"
        expect 1 "no dma-bufs" "$PARD" --config "$dir/pard.conf"
        says err "no dma-bufs" 'pool "sealed": handout = "dmabuf" takes /dev/udmabuf'
        [[ ! -e $PAR_SOCKET ]] || fail "a socket after a failed start"
fi

# ---- the socket -----------------------------------------------------------------------------
sim_config >"$dir/pard.conf"
start_pard
is "mode of the socket" "$(stat -c %a "$PAR_SOCKET")" 660
expect 1 "a second pard" "$PARD" --config "$dir/pard.conf"
says err "a second pard" "another pard serves $PAR_SOCKET (pid $pard_pid)"
expect 0 "the first goes on" "$PARCTL" status
stop_pard || fail "pard stopped with status $?"
[[ ! -e $PAR_SOCKET ]] || fail "the socket is still there"
[[ ! -e $PAR_SOCKET.lock ]] || fail "the lock is still there"

# A pard that was killed leaves its socket, and a worker that ends before long: the next one waits for that.
start_pard
stopped=$(worker)
kill -STOP "$stopped"
kill -KILL "$pard_pid"
wait "$pard_pid" 2>/dev/null
pard_pid=
[[ -S $PAR_SOCKET ]] || fail "no socket to be stale"
{ sleep 0.5; kill -CONT "$stopped"; } &
start_pard
says log "a stale socket" "which nobody serves"
stop_pard || fail "pard stopped with status $?"

echo precious >"$PAR_SOCKET"
expect 1 "a file in the way" "$PARD" --config "$dir/pard.conf"
says err "a file in the way" "$PAR_SOCKET is there and is no socket"
is "the file" "$(cat "$PAR_SOCKET")" precious
rm "$PAR_SOCKET"

expect 1 "no directory" "$PARD" --config "$dir/pard.conf" --socket "$dir/none/pard.sock"
says err "no directory" "No such file or directory"

# Two starts at once: one serves, the other says so.
"$PARD" --config "$dir/pard.conf" 2>"$dir/log.a" &
a=$!
"$PARD" --config "$dir/pard.conf" 2>"$dir/log.b" &
b=$!
wait -n "$a" "$b"
is "the loser's status" $? 1
if kill -0 "$a" 2>/dev/null; then pard_pid=$a; else pard_pid=$b; fi
cat "$dir/log.a" "$dir/log.b" >"$dir/err"
says err "two starts" "another pard"
stop_pard || fail "pard stopped with status $?"

# ---- socket activation ----------------------------------------------------------------------
# is_listening SOCKET - a file is there before anybody listens
is_listening() {
        grep -q " 00010000 .* $1\$" /proc/net/unix
}
if command -v systemd-socket-activate >/dev/null; then
        systemd-socket-activate --seqpacket -l "$dir/activated.sock" "$PARD" --config "$dir/pard.conf" 2>"$dir/log" &
        pard_pid=$!
        soon "a service manager" is_listening "$dir/activated.sock"
        expect 0 "an activated socket" "$PARCTL" --socket "$dir/activated.sock" status
        [[ ! -e $PAR_SOCKET ]] || fail "a socket of its own beside the activated one"
        stop_pard || fail "pard stopped with status $?"
        [[ -S $dir/activated.sock ]] || fail "the service manager's socket was removed"

        systemd-socket-activate -l "$dir/stream.sock" "$PARD" --config "$dir/pard.conf" 2>"$dir/err" &
        pard_pid=$!
        soon "a service manager" is_listening "$dir/stream.sock"
        perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $ARGV[0])' "$dir/stream.sock"
        wait "$pard_pid"
        is "a socket of another type: status" $? 1
        pard_pid=
        says err "a socket of another type" "ListenSequentialPacket="
fi

# ---- rights ---------------------------------------------------------------------------------
if [[ $(id -u) -eq 0 ]]; then
        { sim_config | sed 's/^user = .*/user = "nobody-of-that-name"/'; } >"$dir/pard.conf"
        expect 1 "an unknown user" "$PARD" --config "$dir/pard.conf"
        says err "an unknown user" 'there is no user "nobody-of-that-name" here'

        # As somebody else: real hugepages need root, and so does a directory of root's.
        setpriv=(setpriv --reuid 65534 --regid 65534 --clear-groups)
        { base_config; echo 'pool "any" { size_min = "2M" }'; } >"$dir/pard.conf"
        mkdir "$dir/theirs"
        chown 65534:65534 "$dir/theirs"
        expect 1 "no right to hugepages" "${setpriv[@]}" "$PARD" --config "$dir/pard.conf" --socket "$dir/theirs/s"
        says err "no right to hugepages" "must be started by root"
        [[ ! -e $dir/theirs/s ]] || fail "a socket without rights"
        { sim_config | sed 's/^pool "any".*/pool "any" { size_min = "64M" }/'; } >"$dir/pard.conf"
        expect 1 "too few descriptors" bash -c 'ulimit -n 40; exec "$@"' - "${setpriv[@]}" "$PARD" \
                --config "$dir/pard.conf" --socket "$dir/theirs/s"
        says err "too few descriptors" "raise LimitNOFILE"
        sim_config >"$dir/pard.conf"
        mkdir "$dir/roots"
        expect 1 "no right to the directory" "${setpriv[@]}" "$PARD" --config "$dir/pard.conf" --socket "$dir/roots/s"
        says err "no right to the directory" "Permission denied"
fi

finish
