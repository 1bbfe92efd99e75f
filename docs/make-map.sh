#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make-map.sh PARD PARCTL - draw docs/map.svg: a pard on invented memory with a few clients, one of which has died, and a
# part of a pool that is being drained.
set -euo pipefail

PARD=$1 PARCTL=$2
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=../tests/support/pard.sh
. "$here/../tests/support/pard.sh"

{
        base_config
        cat <<'EOF2'
backend = "sim"
keep_free = "0"
sim {
        extent "low" { first = "0x10000000" size = "640M" }
        extent "high" { first = "0x100000000" size = "1G" }
        order = "blind"
        seed = 7
}
pool "any" { addr_min = "4G" spill = yes size_min = "640M" harvest_max = "2G" reuse_delay = "1h" quarantine = "1h" }
pool "below4g" { below = "4G" size_min = "320M" harvest_max = "2G" reuse_delay = "1h" quarantine = "1h" }
EOF2
} >"$dir/pard.conf"
start_pard

hold --size 16M --below 4G --max-segments any --label iq-ring
hold --size 96M --max-segments any --label frames
hold --size 48M --below 4G --max-segments any --label dead
kill -KILL "${holders[-1]}"
hold --size 24M --below 4G --max-segments any --label descriptors
hold --size 160M --max-segments any --label capture
hold --size 64M --max-segments any --label dead
kill -KILL "${holders[-1]}"
hold --size 48M --max-segments any --label playback
sleep 0.5
"$PARCTL" drain any --addr-min 0x13c000000 >/dev/null
sleep 0.5
"$PARCTL" map --svg "$here/map.svg"
"$PARCTL" map
