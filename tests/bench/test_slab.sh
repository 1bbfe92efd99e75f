#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_slab.sh PAR-BENCH - a run of par-bench slab that is too short to mean anything: every row is there, and a
# peer or why there is none
set -euo pipefail
bench=${1:?usage: test_slab.sh PAR-BENCH}
command -v jq >/dev/null || { echo "SKIP: there is no jq"; exit 77; }
# shellcheck source=tests/support/pard.sh
source "$(dirname "$(readlink -f "$0")")/../support/pard.sh"

{
        base_config
        cat <<'CONFIG'
backend = "sim"
sim { extent "high" { first = "4G" size = "64M" page_size = "2M" } }
pool "any" { size_min = "48M" }
CONFIG
} >"$dir/pard.conf"
start_pard
"$bench" slab --rounds 3 --times 1000 --json >"$dir/json"
jq --exit-status '[.slab.cells[].operation] == ["get_put", "bulk_32", "bulk_32_dma", "dma_address",
        "dma_pointer", "bounded", "bounded_live"] and
        all(.slab.cells[]; .own_ns > 0) and
        all(.slab.cells[:5][]; .times == 1000 and .clock == "thread") and
        all(.slab.cells[5:][]; .times == 10 and .clock == "wall") and
        if .slab.peer then .slab.left_out == null and
                all(.slab.cells[] | select(.operation != "dma_pointer"); .peer_ns > 0 and .ratio > 0)
        else .slab.left_out != "" and all(.slab.cells[]; .ratio == null) end' "$dir/json" >/dev/null ||
        { cat "$dir/json"; exit 1; }
"$bench" slab --rounds 1 --times 1000 | grep -q '^dma_pointer '
# Where DPDK has no room for all the zones beside which one is timed, that row is without a peer.
"$bench" slab --rounds 1 --times 1000 --json \
        --dpdk "--no-huge -m 40 --no-pci --no-telemetry --no-shconf --log-level 1" >"$dir/json" 2>"$dir/said"
jq --exit-status '.slab.peer == null or (.slab.cells[5].peer_ns > 0 and .slab.cells[6].peer_ns == null)' "$dir/json" \
        >/dev/null || { cat "$dir/json"; exit 1; }
jq --exit-status '.slab.peer == null' "$dir/json" >/dev/null || grep -q "par-bench slab: DPDK, zone [0-9]* of 256: " "$dir/said"
! PAR_SOCKET=/nowhere "$bench" slab --rounds 1 --times 1 2>"$dir/said"
grep -q "par-bench slab: " "$dir/said"
