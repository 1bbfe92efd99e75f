#!/bin/bash
# SPDX-License-Identifier: MIT
#
# arrows.sh - whether every include follows the arrows of docs/architecture.md
#
# For each folder: whose headers it may include, and for each library: which folders may know it. CMake's include
# paths enforce the first half at compile time; this also sees the system's headers.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
cd "$here/../.."

# folder: folders whose headers it may include.
declare -A may_include=(
        [proto/base]="proto/base"
        [proto]="proto proto/base"
        [daemon/log]="daemon/log proto/base"
        [daemon/core]="daemon/core proto/base"
        [daemon/state]="daemon/state daemon/core proto/base"
        [daemon/backend]="daemon/backend daemon/core proto/base"
        [daemon/keeper/protocol]="daemon/keeper/protocol proto/base"
        [daemon/keeper]="daemon/keeper daemon/keeper/protocol daemon/backend daemon/core daemon/log proto/base"
        [daemon/transport]="daemon/transport daemon/state daemon/core daemon/keeper/protocol daemon/log proto proto/base"
        [daemon/config]="daemon/config daemon/state daemon/core daemon/backend daemon/keeper/protocol proto/base"
        [daemon]="daemon daemon/config daemon/transport daemon/state daemon/core daemon/keeper daemon/keeper/protocol daemon/backend daemon/log proto/base"
        [client/base]="client/base client"
        [client/connection]="client/connection client/base proto proto/base"
        [client/iommu]="client/iommu client/base daemon/core proto/base"
        [client/buffer]="client/buffer client/connection client/iommu client/base daemon/core proto proto/base"
        [client/debug]="client/debug client/buffer client/base proto/base"
        [client/slab]="client/slab client/buffer client/base proto/base"
        [client/dma]="client/dma client/debug client/buffer client/base daemon/core proto/base"
        [client/sg]="client/sg client/buffer client/iommu client/base daemon/core proto/base"
        [client/iova]="client/iova client/buffer client/base daemon/core proto/base"
        [client/session]="client/session client/iova client/dma client/slab client/debug client/buffer client/iommu proto/base"
        [client]="client"
        [client/heap]="client/heap proto/base"
        [client/parctl]="client/parctl client proto proto/base"
        [client/examples]="client/examples client"
)

# library header (a pattern): files that may include it (patterns).
libraries=(
        '<event2/*|daemon/transport/* tests/fuzz/inline_loop.c tests/bench/ping.c'
        '<protobuf-c/*|proto/*'
        '"*.pb-c.h"|proto/* daemon/transport/* client/*'
        '<liburing*|daemon/backend/*'
        '<hugetlbfs.h>|daemon/backend/*'
        '<confuse.h>|daemon/config/*'
        '<seccomp.h>|daemon/confine.c'
        '<sys/capability.h>|daemon/privileges.c'
        '<systemd/*|daemon/keeper/* daemon/log/journal.c daemon/main.c daemon/activation.c'
        '<libsmartcols/*|client/parctl/*'
        '<jansson.h>|client/parctl/* tests/bench/* tests/hostile/* tests/integration/*'
        '<jemalloc/*|client/heap/* tests/bench/heap_peer_jemalloc.c'
        '<rte_*|client/examples/dpdk_extmem.c tests/bench/heap_peer_dpdk.c tests/bench/slab_rival_dpdk.c tests/integration/test_dpdk.c'
        '<cmocka.h>|tests/*'
)

# Pure folders: no system calls, no clock, no log. What they may have of the C library:
pure_folders="daemon/core daemon/state"
pure_headers="<assert.h> <bsd/sys/queue.h> <bsd/sys/tree.h> <ctype.h> <errno.h> <inttypes.h> <limits.h> <stdarg.h>
 <stdatomic.h> <stdbool.h> <stddef.h> <stdint.h> <stdio.h> <stdlib.h> <string.h> <sys/queue.h> <sys/types.h> <syslog.h>"

failures=0
complain() {
        printf '%s\n' "$*"
        failures=$((failures + 1))
}

# matches VALUE "PATTERN..." - whether one of the patterns fits
matches() {
        local pattern
        set -f
        for pattern in $2; do
                # shellcheck disable=SC2053 # a pattern is meant
                if [[ $1 == $pattern ]]; then
                        set +f
                        return 0
                fi
        done
        set +f
        return 1
}

check_own() { # FILE FOLDER HEADER
        local folder
        [[ $3 != *.pb-c.h ]] || return 0
        for folder in ${may_include[$2]}; do
                [[ ! -e $folder/$3 ]] || return 0
        done
        complain "$1: \"$3\" is not for $2"
}

check_libraries() { # FILE INCLUDE
        local entry
        for entry in "${libraries[@]}"; do
                if matches "$2" "${entry%%|*}" && ! matches "$1" "${entry#*|}"; then
                        complain "$1: $2 belongs to: ${entry#*|}"
                fi
        done
}

while read -r file; do
        folder=${file%/*}
        if [[ $folder != tests/* && -z ${may_include[$folder]:-} ]]; then
                complain "$file: arrows.sh knows no folder $folder"
                continue
        fi
        while read -r include; do
                check_libraries "$file" "$include"
                [[ $folder != tests/* ]] || continue
                if [[ $include == \"* ]]; then
                        header=${include#\"}
                        check_own "$file" "$folder" "${header%\"}"
                elif matches "$folder" "$pure_folders" && ! matches "$include" "$pure_headers"; then
                        complain "$file: $include is not for a pure folder"
                fi
        done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*(["<][^">]*[">]).*/\1/p' "$file")
done < <("$here/sources.sh")

# What lies in client/ itself is in the way of no arrow: it is installed, and everybody's.
for file in client/*.[ch]; do
        grep -qE "^set\(PAR_HEADERS( .*)? ${file#client/}[ )]" client/CMakeLists.txt || complain "$file: it is not installed"
done

# The arrows have no circle.
for folder in "${!may_include[@]}"; do
        for other in ${may_include[$folder]}; do
                echo "$folder $other"
        done
done | tsort >/dev/null || complain "arrows in a circle"

if [[ $failures -gt 0 ]]; then
        echo "$failures includes against the arrows"
        exit 1
fi
