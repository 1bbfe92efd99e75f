#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_heap.sh PAR-BENCH PARD - a run of par-bench heap that is too short to mean anything: every case is there, for
# every allocator, and what is not there is named
set -euo pipefail
bench=${1:?usage: test_heap.sh PAR-BENCH PARD}
PARD=${2:?usage: test_heap.sh PAR-BENCH PARD}
command -v jq >/dev/null || { echo "SKIP: there is no jq"; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/par-bench.XXXXXX")
export PAR_SOCKET=$dir/pard.sock
pard=
finish() {
        [[ -z $pard ]] || { kill "$pard" && wait "$pard"; } || true
        rm -rf "$dir"
}
trap finish EXIT
status=0

# Without a pard there is nothing to measure.
! "$bench" heap 2>"$dir/errors" || { echo "it measures without a pard"; status=1; }
grep -q "$PAR_SOCKET" "$dir/errors" || { cat "$dir/errors"; status=1; }

chmod 0755 "$dir"
cat >"$dir/conf" <<EOC
$([[ $(id -u) -ne 0 ]] || echo 'user = "65534"')
backend = "sim"
sim { extent "high" { first = "4G" size = "1G" page_size = "2M" } }
pool "any" { size_min = "256M" }
EOC
# Whoever starts it listens, so that a client that comes early waits.
"$PARD" --config "$dir/conf" --socket "$PAR_SOCKET" 2>"$dir/log" &
pard=$!
while [[ ! -S $PAR_SOCKET ]]; do
        kill -0 "$pard" || { cat "$dir/log"; exit 1; }
        sleep 0.1
done

"$bench" heap --rounds 5 --pairs 32 --no-dpdk --json >"$dir/json"
[[ $(wc -l <"$dir/json") -eq 1 ]] || { echo "more than one line"; status=1; }

# holds WHAT FILTER - what the filter says of all is true
holds() {
        jq --exit-status ".heap | $2" "$dir/json" >/dev/null && return
        echo "$1: not so: $(<"$dir/json")"
        status=1
}
holds "the cases" '[.cases[] | [.size, .threads, .live]] == [[64,1,0],[256,1,0],[1024,1,0],[4096,1,0],[65536,1,0],
        [64,2,0],[1024,2,0],[4096,2,0],[64,1,10000],[1024,1,10000],[4096,1,10000]]'
holds "who is compared" '[.missing[].allocator] as $missing |
        all(.cases[]; [.allocators[].allocator] + $missing | sort == ["glibc", "jemalloc", "mallocx", "par_heap", "rte_malloc"])'
holds "the heap comes first" 'all(.cases[]; .allocators[0].allocator == "par_heap" and .allocators[0].ratio == 1)'
holds "figures" 'all(.cases[].allocators[]; .ns > 0 and .ratio > 0)'
holds "why it is missing" 'all(.missing[]; .why | length > 10) and ([.missing[].allocator] | index("rte_malloc"))'
"$bench" heap --rounds 1 --pairs 16 --no-dpdk | grep -q "Not measured: rte_malloc: "
exit $status
