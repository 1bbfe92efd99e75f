# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Sourced by tests in shell: a daemon of their own on invented memory, in a temporary directory, clients that hold
# memory, and checks that count what fails. Expects PARD and PARCTL.

dir=$(mktemp -d "${TMPDIR:-/tmp}/par-test.XXXXXX")
chmod 0755 "$dir"
# pard removes what it made there, and is no longer root then.
[[ $(id -u) -ne 0 ]] || chown 65534:65534 "$dir"
export PAR_SOCKET=$dir/pard.sock
pard_pid=
holders=()
failures=0

stop_pard() {
        local status=0
        [[ -n $pard_pid ]] || return 0
        # In this order: a leak checker stops the process as it ends, and must not be undone.
        kill -CONT "$pard_pid" 2>/dev/null || true
        kill -TERM "$pard_pid" 2>/dev/null || true
        wait "$pard_pid" || status=$?
        pard_pid=
        return "$status"
}

# let_go [INDEX...] - end these clients of hold, or all; the exit status is that of the last
let_go() {
        local which=("$@") status=0 i
        [[ $# -gt 0 ]] || which=("${!holders[@]}")
        for i in "${which[@]}"; do
                kill "${holders[i]}" 2>/dev/null || true
                status=0
                wait "${holders[i]}" 2>/dev/null || status=$?
                unset "holders[i]"
        done
        return "$status"
}

# worker - the pid of pard's worker
worker() {
        pgrep -P "$pard_pid"
}

clean_up() {
        trap - EXIT
        let_go || true
        stop_pard || true
        rm -rf "$dir"
}
trap clean_up EXIT

# base_config - the first lines of any configuration here
base_config() {
        echo "socket = \"$PAR_SOCKET\""
        [[ $(id -u) -ne 0 ]] || echo 'user = "65534"'
}

# sim_config - 16 MiB below 4 GiB for those who need it, 32 MiB above for all
sim_config() {
        base_config
        cat <<'EOF'
backend = "sim"
sim {
        extent "low" { first = "0x10000000" size = "64M" }
        extent "high" { first = "0x100000000" size = "256M" }
}
pool "any" { addr_min = "4G" spill = yes size_min = "32M" reuse_delay = "0" }
pool "below4g" { below = "4G" size_min = "16M" reuse_delay = "0" quarantine = "100ms" }
device "capture0" { dma_bits = 30 boundary = "64K" }
EOF
}

# growing_config DELAY - the same, but pools may grow, a page takes so long to come, and quarantine lasts
growing_config() {
        local ever='reuse_delay = "0" quarantine = "1h" shrink_delay = "1s"'

        base_config
        cat <<EOF
backend = "sim"
sim {
        extent "low" { first = "0x10000000" size = "64M" }
        extent "high" { first = "0x100000000" size = "1G" }
        delay = "$1"
}
pool "any" { addr_min = "4G" spill = yes size_min = "32M" size_max = "256M" $ever }
pool "below4g" { below = "4G" size_min = "16M" size_max = "32M" $ever }
EOF
}

# start_pard - start it with $dir/pard.conf, and wait until its pools are filled
start_pard() {
        "$PARD" --config "$dir/pard.conf" "$@" 2>"$dir/log" &
        pard_pid=$!
        for ((i = 0; i < 600; i++)); do
                if ! kill -0 "$pard_pid" 2>/dev/null; then
                        echo "pard ended:"
                        cat "$dir/log"
                        exit 1
                fi
                if "$PARCTL" --json status 2>/dev/null | grep -q '"state": "ready"'; then
                        return 0
                fi
                sleep 0.05
        done
        echo "pard does not serve:"
        cat "$dir/log"
        exit 1
}

fail() {
        echo "FAILED: $*"
        failures=$((failures + 1))
}

# soon NAME COMMAND... - it succeeds before long
soon() {
        local name=$1 i
        shift
        for ((i = 0; i < 600; i++)); do
                "$@" && return 0
                sleep 0.05
        done
        fail "$name: not even after 30 seconds"
        return 1
}

# can_be_interrupted PID - it is parctl, no longer a copy of this shell, and catches SIGINT
can_be_interrupted() {
        [[ /proc/$1/exe -ef $PARCTL ]] &&
                (((0x$(awk '$1 == "SigCgt:" { print $2 }' "/proc/$1/status") >> 1) & 1))
}

# available_kib - memory that the system says is available
available_kib() {
        awk '/^MemAvailable:/ { print $2 }' /proc/meminfo
}

# require_hugepages FILE GIB - go on only where this file of the kernel's can be written, and so much memory is available
require_hugepages() {
        if [[ $(id -u) -ne 0 || ! -w $1 ]]; then
                echo "skipped: $1 takes root, and a system that has it"
                exit 77
        fi
        if (($(available_kib) < $2 << 20)); then
                echo "skipped: less than $2 GiB of memory are available"
                exit 77
        fi
}

# jget FILTER COMMAND... - what the command's JSON has there
jget() {
        local filter=$1
        shift
        "$PARCTL" --json "$@" | jq -c "$filter"
}

# is_json WANT FILTER COMMAND... - it has this there
is_json() {
        local want=$1
        shift
        [[ $(jget "$@") == "$want" ]]
}

# hold ALLOC-ARGUMENT... - one more client with a buffer, until let_go; what it says of that is in $dir/held
hold() {
        rm -f "$dir/held"
        "$PARCTL" alloc "$@" --hold 300 >"$dir/held" &
        holders+=($!)
        soon "a buffer: $*" test -s "$dir/held"
}

# expect STATUS NAME COMMAND... - the command's status; what it says goes to $dir/out and $dir/err
expect() {
        local want=$1 name=$2 status=0
        shift 2
        "$@" >"$dir/out" 2>"$dir/err" || status=$?
        [[ $status -eq $want ]] && return 0
        fail "$name: status $status instead of $want"
        cat "$dir/out" "$dir/err"
}

# says FILE NAME TEXT - what was said has this text in it
says() {
        grep -qF -- "$3" "$dir/$1" && return 0
        fail "$2: \"$3\" is not in:"
        cat "$dir/$1"
}

# is NAME WHAT WANT - two texts are the same
is() {
        [[ $2 == "$3" ]] && return 0
        fail "$1: \"$2\" instead of \"$3\""
}

finish() {
        [[ $failures -eq 0 ]] || exit 1
}
