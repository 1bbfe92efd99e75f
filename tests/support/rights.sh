# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Sourced by tests in shell: what a process may do, as docs/security.md tells it in its table "Rights".

# capability_names HEX - "none", or the names of those that are in a set of /proc/PID/status
capability_names() {
        local set=$((16#$1)) names=() bit
        local -A known=([0]=CHOWN [1]=DAC_OVERRIDE [5]=KILL [6]=SETGID [7]=SETUID [9]=LINUX_IMMUTABLE [14]=IPC_LOCK [21]=SYS_ADMIN)
        for ((bit = 0; bit < 63; bit++)); do
                if ((set >> bit & 1)); then names+=("${known[$bit]:-$bit}"); fi
        done
        if ((${#names[@]})); then (IFS=+; echo "${names[*]}"); else echo none; fi
}

# rights_of PID - permitted, effective, ambient and bounding set, no_new_privs, seccomp, and whether others of the same
# user may look into it
rights_of() {
        local status=/proc/$1/status set line=()
        for set in CapPrm CapEff CapAmb CapBnd; do
                line+=("$(capability_names "$(awk -v set="$set:" '$1 == set { print $2 }' "$status")")")
        done
        line+=("$(awk '$1 == "NoNewPrivs:" { print $2 }' "$status")" "$(awk '$1 == "Seccomp:" { print $2 }' "$status")")
        if [[ $(stat -c %u "/proc/$1/environ") == 0 ]]; then line+=(no); else line+=(yes); fi
        echo "${line[*]}"
}

# rights_told DOC STARTER PROCESS - the same, as the table says
rights_told() {
        awk -v starter="$2" -v process="$3" '$1 == starter && $2 == process { $1 = $2 = ""; sub(/^ +/, ""); print }' "$1"
}

# processes_of KEEPER - sets keeper, worker and opener to pids; the opener is no child of the keeper's, and known by its
# standard error, which is the same
processes_of() {
        local pid
        # shellcheck disable=SC2034 # whoever sources this reads them
        keeper=$1 worker=$(pgrep -P "$1") opener=
        for pid in $(pgrep -x pard-opener); do
                if [[ $(readlink "/proc/$pid/fd/2") == "$(readlink "/proc/$1/fd/2")" ]]; then opener=$pid; fi
        done
}
