#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_dpdk.sh sim|hugetlb PARD PARCTL DPDK_EXTMEM TEST_DPDK - DPDK on memory of pard's: the example, whose every mbuf lies
# where DPDK says, and what docs/dpdk.md says of DPDK. On invented memory without root and without hugepages; on real
# memory DPDK asks the kernel for the addresses as well, and has the same.
set -uo pipefail

backend=$1 PARD=$2 PARCTL=$3 example=$4 traps=$5
# shellcheck source=../support/pard.sh
. "$(dirname "$0")/../support/pard.sh"
nr=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
eal=(--no-pci --no-telemetry --log-level=error)
as=()
export XDG_RUNTIME_DIR=$dir # where DPDK makes a folder, though it puts nothing there

# Pieces of 6 MiB at most: DPDK is never told that 8 MiB are one.
sim_pieces() {
        base_config
        [[ $(id -u) -ne 0 ]] || echo 'group = "65534"'
        echo 'backend = "sim"'
        echo 'sim {'
        for i in 0 1 2 3; do
                printf '        extent "e%d" { first = "%#x" size = "6M" }\n' "$i" $(((1 << 32) + i * (8 << 20)))
        done
        echo '}'
        echo 'pool "any" { size_min = "24M" reuse_delay = "0" }'
}

real_memory() {
        base_config
        echo 'keep_free = "1G"'
        echo 'pool "any" { page_size = "2M" size_min = "32M" reuse_delay = "0" }'
}

if [[ $backend == sim ]]; then
        sim_pieces >"$dir/pard.conf"
        start_pard
        eal+=(--no-huge --no-shconf -m 64)
        mode="virtual, but for memory of pard"
        if [[ $(id -u) -eq 0 ]]; then
                # The clone may lie where nobody but root may look.
                mkdir -m 755 "$dir/public"
                cp "$example" "$traps" $(ldd "$example" | awk '$1 ~ /^libpar/ { print $3 }') "$dir/public"
                example=$dir/public/${example##*/} traps=$dir/public/${traps##*/}
                as=(env LD_LIBRARY_PATH="$dir/public" setpriv --reuid 65534 --regid 65534 --clear-groups)
                mkdir -m 700 "$dir/run"
                chown 65534 "$dir/run"
                export XDG_RUNTIME_DIR=$dir/run
        fi
else
        require_hugepages $nr 4
        real_memory >"$dir/pard.conf"
        start_pard
        # DPDK's own: pard would have taken those that were free before.
        echo $(($(<"$nr") + 16)) >"$nr"
        trap 'echo $(($(<"$nr") - 16)) >"$nr"; clean_up' EXIT
        eal+=(--in-memory -m 8 --iova-mode=pa)
        mode="physical"
fi

expect 0 "the example" "${as[@]}" "$example" "${eal[@]}"
says out "the example" "addresses for devices are $mode"
says out "the example" "mbufs in the heap: 3000 mbufs, each where DPDK says"
says out "the example" "mbufs in the buffer: 3000 mbufs, each where DPDK says"
is "buffers afterwards" "$(jget '.buffers' buffers)" "[]"

if [[ $backend != sim ]]; then
        # Real memory is in as many pieces as it is; and the kernel knows nothing of what is invented.
        stop_pard || fail "pard stopped with status $?"
        sim_pieces >"$dir/pard.conf"
        start_pard
        eal=("${eal[@]/=pa/=va}")
fi
expect 0 "DPDK's ways" "${as[@]}" "$traps" "${eal[@]}"
finish
