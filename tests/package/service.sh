#!/bin/bash
# SPDX-License-Identifier: MIT
#
# service.sh - what an operator does with the installed service, inside a container that systemd has booted: start, who
# may connect, status line, journal, reload, watchdog, restart, a kill, stop; and what of it a program sees that keeps
# memory (keeps.c). Run by test_service.sh.
set -uo pipefail

nr=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
before=$(<"$nr")
failures=0

fail() {
        echo "FAILED: $*"
        failures=$((failures + 1))
}

# expect STATUS NAME COMMAND... - what it says goes to /tmp/out
expect() {
        local want=$1 name=$2 status=0
        shift 2
        "$@" >/tmp/out 2>&1 || status=$?
        [[ $status -eq $want ]] && return 0
        fail "$name: status $status instead of $want: $(cat /tmp/out)"
}

# await NAME COMMAND... - within two minutes
await() {
        local name=$1
        shift
        for ((i = 0; i < 1200; i++)); do
                if "$@" >/dev/null 2>&1; then
                        return 0
                fi
                sleep 0.1
        done
        fail "$name: not within two minutes"
        return 1
}

# says NAME TEXT - the last command's output has it
says() {
        grep -qF -- "$2" /tmp/out || fail "$1: \"$2\" is not in: $(cat /tmp/out)"
}

# journal_has TEXT - what pard said; all of it goes to /tmp/out. It comes there a moment later
journal_has() { journalctl --no-pager -u pard.service >/tmp/out; grep -qF -- "$1" /tmp/out; }

property() { systemctl show -P "$1" pard.service; }
pool() { parctl --json pools | jq -r ".pools[] | select(.pool == \"$1\") | .$2"; }
is() { [[ $2 == "$3" ]] || fail "$1: \"$2\" instead of \"$3\""; }
pages_are() { (($(<"$nr") == $1)); }
config() { printf '%s\n' 'keep_free = "1G"' "$@" >/etc/pard/pard.conf; }
pool_free() { [[ $(pool "$1" free) == "$2" ]]; }

small='pool "any" { size_min = "16M" size_max = "32M" }'
config "$small"
# Any device will do: here it is only handed on.
[[ -e /dev/udmabuf ]] || mknod -m 0600 /dev/udmabuf c 1 3

# ---- start ----------------------------------------------------------------------------------
expect 0 "start" systemctl start pard.socket pard.service
is "state" "$(property ActiveState)" active
is "type" "$(property Type)" notify
await "the pool is filled" pool_free any $((16 << 20))
is "the worker's user" "$(stat -c %U "/proc/$(pgrep -P "$(property MainPID)")")" pard
property StatusText >/tmp/out
grep -q . /tmp/out || fail "no status line"
echo "status line: $(cat /tmp/out)"
(($(<"$nr") >= 8)) || fail "$(<"$nr") hugepages"

# ---- what each process may do ----------------------------------------------------------------
# shellcheck source=../support/rights.sh
. /test/rights.sh
processes_of "$(property MainPID)"
for process in keeper opener worker; do
        is "the $process" "$(rights_of "${!process}")" "$(rights_told /test/security.md unit "$process")"
        is "the user of the $process" "$(awk '$1 == "Uid:" { print $2, $3, $4, $5 }' "/proc/${!process}/status" | sort -u)" \
                "$(id -u pard) $(id -u pard) $(id -u pard) $(id -u pard)"
done
# The unit's filter is around all three, and there is one more of their own.
filters() { awk '$1 == "Seccomp_filters:" { print $2 }' "/proc/$1/status"; }
is "filters of the worker" "$(filters "$worker")" $(($(filters "$keeper") + 1))
is "filters of the opener" "$(filters "$opener")" $(($(filters "$keeper") + 1))
[[ ! -c /dev/udmabuf ]] || [[ $(readlink /proc/"$worker"/fd/*) == *udmabuf* ]] || fail "the worker has no udmabuf"
setpriv --reuid=pard --regid=pard --clear-groups --bounding-set=-all head -c 1 "/proc/$keeper/maps" >/tmp/out 2>&1 &&
        fail "pard's user can look into the keeper"

# ---- who may connect ------------------------------------------------------------------------
useradd --no-create-home stranger
useradd --no-create-home --groups pard driver
useradd --no-create-home --groups pard,pard-admin keeper
expect 5 "a stranger" setpriv --reuid=stranger --regid=stranger --init-groups parctl status
expect 0 "a driver" setpriv --reuid=driver --regid=driver --init-groups parctl alloc --size 4K -- true
expect 0 "an administrator" setpriv --reuid=keeper --regid=keeper --init-groups parctl grow any --to 20M
await "the pool grew" pool_free any $((20 << 20))
expect 0 "back" parctl shrink any --to 16M
await "the pool shrank" pool_free any $((16 << 20))
setpriv --reuid=driver --regid=driver --init-groups parctl grow any --to 20M >/tmp/out 2>&1 &&
        fail "a driver may have a pool grow"
setpriv --reuid=driver --regid=driver --init-groups parctl reload >/tmp/out 2>&1 && fail "a driver may reload"

# ---- reload ---------------------------------------------------------------------------------
main_pid=$(property MainPID)
parctl alloc --size 4M --max-segments any --hold 1000 >/tmp/held 2>&1 &
holder=$!
await "held" test -s /tmp/held
config 'pool "any" { size_min = "24M" size_max = "32M" }'
expect 0 "reload" systemctl reload pard.service
# What connects just now may have to do it once more: the worker is being replaced.
grown() { [[ $(pool any size_min) == $((24 << 20)) ]]; }
await "reloaded" grown
config 'pool "any" { page_size = "1G" size_min = "1G" }'
expect 1 "a reload that cannot be" systemctl reload pard.service
await "the journal, about a reload that cannot be" journal_has page_size
is "nothing half applied" "$(pool any size_min)" $((24 << 20))
config 'pool "any" { size_min = ' # no configuration
expect 1 "a reload of nonsense" systemctl reload pard.service
is "the same process" "$(property MainPID)" "$main_pid"
is "still active" "$(property ActiveState)" active
kill -0 "$holder" 2>/dev/null || fail "a buffer was lost: $(cat /tmp/held)"
config "$small"
kill -HUP "$main_pid"
reloaded() { [[ $(pool any size_min) == $((16 << 20)) ]]; }
await "reload by signal" reloaded
kill "$holder" 2>/dev/null
wait "$holder" 2>/dev/null

# ---- the journal ----------------------------------------------------------------------------
journalctl --no-pager -u pard.service -o json >/tmp/out
jq -es 'any(.SYSLOG_IDENTIFIER == "pard")' /tmp/out >/dev/null || fail "no entry of pard's"
jq -es 'all(.PRIORITY != null)' /tmp/out >/dev/null || fail "entries without a priority"
jq -es 'any(.PAR_POOL == "any")' /tmp/out >/dev/null ||
        { config 'pool "any" { size_min = "16M" size_max = "32M" }' ; fail "no entry names its pool in PAR_POOL"; }

# ---- metrics, from a port that is systemd's ------------------------------------------------------
expect 0 "a stop" systemctl stop pard.service
expect 0 "the port" systemctl start pard-metrics.socket
expect 0 "a start with the port" systemctl start pard.service
main_pid=$(property MainPID)
metrics() {
        exec 5<>/dev/tcp/127.0.0.1/9618 || return 1
        printf 'GET /metrics HTTP/1.0\r\n\r\n' >&5
        timeout 10 cat <&5 >/tmp/out
        exec 5>&-
        grep -q '^pard_' /tmp/out
}
await "metrics" metrics

# ---- a worker that hangs --------------------------------------------------------------------
worker=$(pgrep -P "$main_pid")
kill -STOP "$worker"
replaced() { local now; now=$(pgrep -P "$main_pid") && [[ $now != "$worker" ]]; }
await "a worker that hangs is replaced" replaced
await "and serves" parctl status
is "the keeper stays" "$(property MainPID)" "$main_pid"

# ---- a keeper that hangs --------------------------------------------------------------------
mkdir -p /run/systemd/system/pard.service.d
printf '[Service]\nWatchdogSec=8s\n' >/run/systemd/system/pard.service.d/test.conf
systemctl daemon-reload
expect 0 "restart" systemctl restart pard.service
main_pid=$(property MainPID)
sleep 9
is "the watchdog is fed" "$(property MainPID)" "$main_pid"
kill -STOP "$main_pid"
restarted() { [[ $(property MainPID) != "$main_pid" && $(property ActiveState) == active ]]; }
await "a keeper that hangs is restarted" restarted
await "and filled" pool_free any $((16 << 20))

# ---- memory that outlives every process of pard's ---------------------------------------------
frames=1000
expect 0 "the client" gcc -O1 -o /tmp/keeps /test/keeps.c -lpar
rm /run/systemd/system/pard.service.d/test.conf
systemctl daemon-reload
config "pool \"any\" { size_min = \"$((2 * frames + 16))M\" size_max = \"$((2 * frames + 16))M\" }"
expect 0 "restart with $frames frames" systemctl restart pard.service
await "$frames frames" pool_free any $(((2 * frames + 16) << 20))
main_pid=$(property MainPID)
coproc keeps { /tmp/keeps "$frames"; }

# ask NAME WANT - what the client finds
ask() {
        local said=nothing
        [[ -n ${keeps[1]:-} ]] || { fail "$1: the client has ended"; return; }
        echo check >&"${keeps[1]}"
        read -r -t 90 said <&"${keeps[0]}" || true
        is "$1" "$said" "$2"
}
first_child() { pgrep -o -P "$main_pid"; }
replaced() { local now; now=$(first_child) && [[ $now != "$worker" ]]; }
stored() { property NFileDescriptorStore; }

ask "at first" good
for ((kill = 1; kill <= 10; kill++)); do
        worker=$(first_child)
        kill -KILL "$worker"
        await "another worker" replaced
        ask "after $kill kills of the worker" good
done

worker=$(first_child)
expect 0 "reload" systemctl reload pard.service
await "another worker after a reload" replaced
ask "after a reload" good
is "the process after a reload" "$(property MainPID)" "$main_pid"

worker=$(first_child)
kill -USR2 "$main_pid"
await "another worker after an exec" replaced
ask "after the keeper's exec" good
is "the process after an exec" "$(property MainPID)" "$main_pid"
is "state after an exec" "$(property ActiveState)" active

worker=$(first_child)
expect 0 "an upgrade" dpkg -i /test/pard_*.deb
await "another worker after an upgrade" replaced
ask "after an upgrade" good
is "the process after an upgrade" "$(property MainPID)" "$main_pid"

begin=$(date +%s%N)
expect 0 "restart" systemctl restart pard.service
echo "systemctl restart with $frames frames in use: $((($(date +%s%N) - begin) / 1000000)) ms"
ask "after a restart" good
[[ $(property MainPID) != "$main_pid" ]] || fail "restart: the same process"
main_pid=$(property MainPID)
await "the journal, about a restart" journal_has "took over"
grep -q 'is no longer at' /tmp/out && fail "something moved: $(grep 'is no longer at' /tmp/out)"
await "the store is empty" eval '[[ $(stored) == 0 ]]'
is "granted" "$(pool any granted)" $((2 * frames << 20))

# A keeper that is killed takes its books with it: its clients keep their memory, and are told.
printf '[Service]\nWatchdogSec=8s\n' >/run/systemd/system/pard.service.d/test.conf
systemctl daemon-reload
expect 0 "restart with a watchdog" systemctl restart pard.service
ask "after another restart" good
main_pid=$(property MainPID)
kill -STOP "$main_pid"
await "restarted by the watchdog" restarted
ask "after the watchdog" gone
eval "exec ${keeps[1]}>&-"
wait "$keeps_PID" || fail "the client ended with status $?"
config "$small"
expect 0 "small again" systemctl restart pard.service
await "small again" pool_free any $((16 << 20))

# ---- a kill, and the end --------------------------------------------------------------------
main_pid=$(property MainPID)
kill -KILL "$main_pid"
await "restarted after a kill" restarted
await "and filled after a kill" pool_free any $((16 << 20))
expect 0 "stop" systemctl stop pard.service pard.socket
await "hugepages given back" pages_are "$before"
is "result" "$(property Result)" success
[[ ! -e /run/pard/pard.sock ]] || fail "the socket is still there"
systemctl list-units --failed --no-legend >/tmp/out
grep -q pard /tmp/out && fail "failed units: $(cat /tmp/out)"

if [[ $failures -gt 0 ]]; then
        journalctl --no-pager -u pard.service | tail -60
        exit 1
fi
