#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_parctl_sentences.sh PARD PARCTL - what parctl says of wrong usage, of output that nobody takes, of what it did, and of
# what others have; on invented memory.
set -uo pipefail

PARD=$1 PARCTL=$2
# shellcheck source=../support/pard.sh
. "$(dirname "$0")/../support/pard.sh"
command -v jq >/dev/null || exit 77

# ---- wrong usage, without a daemon -----------------------------------------------------------
while IFS='|' read -r sentence arguments; do
        # shellcheck disable=SC2086
        expect 2 "parctl $arguments" "$PARCTL" $arguments
        says err "parctl $arguments" "parctl: $sentence"
done <<'EOF2'
a command is missing|
a command is missing|--json
unknown command "pool"|pool
unknown option: --color|pools --color
unknown option: -x|pools -x
unknown option: -x|pools -xy
unknown option: -x|-x pools
--size stands behind the command|--size 2M pools
pools does not take --size|pools --size 2M
--json takes no value|pools --json=yes
--pool needs a value|pools --pool
unexpected "more"|pools more
--sort: pools have no column "colour"|pools --sort=colour
--columns: buffers have no column "-size"|buffers --columns=-size
explain needs --size|explain
alloc needs --size|alloc
unexpected "1M"|alloc --size 1M 1M
a command is missing after --|alloc --size 1M --
--hold and -- COMMAND: give one|alloc --size 1M --hold 1 -- true
--vfio needs --device|alloc --size 1M --vfio
--lasting needs --name|alloc --size 1M --lasting
--allow needs --name|alloc --size 1M --allow uid:1001
--below: there is nothing below 1|alloc --size 1M --below 1
--below and --dma-bits both set the highest address|alloc --size 1M --below 4G --dma-bits 32
--dma-bits|alloc --size 1M --dma-bits 65
--dma-bits|alloc --size 1M --dma-bits 0
--max-segments: "0" is neither "any" nor a number from 1 to 4294967294|alloc --size 1M --max-segments 0
--max-segments|alloc --size 1M --max-segments many
--max-segment|alloc --size 1M --max-segment 0
--boundary|alloc --size 1M --boundary x
--align|alloc --size 1M --align 0
--addr-min|alloc --size 1M --addr-min -1
--wait|alloc --size 1M --wait -2
--wait|alloc --size 1M --wait 2147483648
--hold|alloc --size 1M --hold ever
--rows|map --rows many
--scale: must be a multiple of 4K, up to 1024T|map --scale 0
--scale|map --scale big
--rows and --scale: give one|map --rows 3 --scale 4K
--watch and --svg: give one|map --watch --svg x.svg
--without-need: needs --below or --addr-max|buffers --without-need
drain needs POOL|drain
--end and --wait: give one|drain a --end --wait
grow needs --by or --to|grow a
--by and --to: give one|grow a --by 2M --to 4M
revoke: "x" is no number above 0|revoke x --yes
revoke: "1x" is no number above 0|revoke 1x --yes
revoke needs BUFFER..., --client, --client-name or --pool|revoke
--client|revoke --client 0 --yes
lookup: "here" is no address|lookup here
--device: 0x1000 is a physical address|lookup 0x1000 --device capture0
EOF2

# ---- what it did -----------------------------------------------------------------------------
{
        base_config
        cat <<'EOF2'
backend = "sim"
sim {
        extent "low" { first = "0x10000000" size = "64M" }
        extent "high" { first = "0x100000000" size = "256M" }
        free = "96M"
}
pool "any" { addr_min = "4G" spill = yes size_min = "32M" size_max = "256M" reuse_delay = "0" quarantine = "1h" }
pool "below4g" { below = "4G" size_min = "16M" reuse_delay = "0" quarantine = "1h" quota "uid:1001" { bytes = "8M" buffers = 100 } }
device "capture0" { dma_bits = 30 boundary = "64K" }
EOF2
} >"$dir/pard.conf"
start_pard

hold --size 4M --below 4G --label ring
expect 0 "drain" "$PARCTL" drain below4g
says out "drain" "below4g: draining, "
soon "all but what is in use is gone" is_json 4194304 '.pools[] | select(.pool == "below4g") | .draining' pools
expect 0 "drain what is in use" "$PARCTL" drain below4g
says out "drain what is in use" "below4g: draining, 4M still in use"
expect 0 "drain what is in use, in bytes" "$PARCTL" drain below4g --bytes
says out "drain what is in use, in bytes" "below4g: draining, 4194304 still in use"
"$PARCTL" status >"$dir/out"
says out "status of a pool that is drained" "4M to drain"
expect 0 "end of a drain" "$PARCTL" --json drain below4g --end
is "end of a drain" "$(jq -c .drain "$dir/out")" '{"pool":"below4g","end":true,"in_use":null}'
expect 2 "drain a pool that is not there" "$PARCTL" drain nowhere
says err "drain a pool that is not there" 'pard has no pool "nowhere", but: any, below4g'

expect 0 "nobody's place" "$PARCTL" map --addr-min 1T
is "nobody's place" "$(cat "$dir/out")" "pard holds no memory there."
expect 0 "no buffer of that name" "$PARCTL" --json buffers --below 16M
is "no buffer of that name" "$(jq -c . "$dir/out")" '{"buffers":[]}'

sed -i 's/quarantine = "1h"/quarantine = "2h"/' "$dir/pard.conf"
expect 0 "reload" "$PARCTL" reload
is "reload" "$(cat "$dir/out")" $'changed: pool any: quarantine\nchanged: pool below4g: quarantine'
expect 0 "reload again" "$PARCTL" --json reload
is "reload again" "$(jq -c . "$dir/out")" '{"reload":{"changed":[]}}'

# Who asks is told the mistake that the keeper found, although the worker cannot look names up.
cp "$dir/pard.conf" "$dir/good.conf"
{
        echo 'group = "root"'
        sed 's/size_min = "16M"/size_min = "17M"/' "$dir/good.conf"
} >"$dir/pard.conf"
expect 3 "reload of a mistake behind a name" "$PARCTL" reload
says err "reload of a mistake behind a name" \
        "pard.conf:$(grep -n 17M "$dir/pard.conf" | cut -d: -f1): pool \"below4g\": size_min: \"17M\" is no multiple of page_size (2M)"
cp "$dir/good.conf" "$dir/pard.conf"

# A pool that grows beyond what the machine has stops, and says why.
expect 1 "grow beyond the machine" "$PARCTL" grow any --to 256M
says err "grow beyond the machine" "of 256M, and is short: "
"$PARCTL" status >"$dir/out"
says out "status of a pool that is short" "short"
expect 0 "and back" "$PARCTL" shrink any --to 32M
says out "and back" "any: its goal is 32M, it holds 32M, 0B of that in use"

# Limits are of bytes, or of something else.
expect 0 "limits" "$PARCTL" limits --pool below4g --noheadings --columns limit,most
is "limits" "$(awk '{ print $1, $2 }' "$dir/out")" $'bytes 8M\nbuffers 100'
expect 0 "limits in bytes" "$PARCTL" limits --pool below4g --noheadings --columns limit,most --bytes
is "limits in bytes" "$(awk '{ print $1, $2 }' "$dir/out")" $'bytes 8388608\nbuffers 100'
is "limits in JSON" "$("$PARCTL" --json limits --pool below4g | jq -c '[.limits[].most]')" '[8388608,100]'

# ---- lines of a log --------------------------------------------------------------------------
expect 2 "a log without faults" "$PARCTL" lookup - </dev/null
says err "a log without faults" "no line of standard input reports a DMA that an IOMMU has stopped"
fault='DMAR: [DMA Write NO_PASID] Request device [03:00.0] fault addr 0x10200000 [fault reason 0x05] PTE Write access is not set'
expect 0 "a log with one" "$PARCTL" lookup - <<<"hello"$'\n'"$fault"
says out "a log with one" "0x10200000"

# ---- devices behind an IOMMU that are not there ------------------------------------------------
expect 5 "no PCI device" "$PARCTL" alloc --size 1M --device capture0 --vfio
says err "no PCI device" "capture0: no PCI device behind an IOMMU has this address"
expect 5 "no PCI device to explain" "$PARCTL" explain --size 1M --device capture0 --vfio
says err "no PCI device to explain" "no PCI device behind an IOMMU"
expect 3 "no device at all" "$PARCTL" explain --size 1M --device nobody --vfio
is "nothing was left" "$(jget '[.status.granted, .status.quarantined]' status)" '[4194304,0]'

# ---- nobody takes what it says -----------------------------------------------------------------
number=$(jget '.buffers[0].buffer' buffers)
while read -r arguments; do
        for json in "" --json; do
                # shellcheck disable=SC2086
                expect 5 "a full device: $json $arguments" sh -c 'exec "$0" "$@" >/dev/full' "$PARCTL" $json $arguments
                says err "a full device: $json $arguments" "parctl: "
        done
done <<EOF2
status
pools
frames
buffers
clients
devices
map
lookup 0x1000
lookup iova:0x1000
explain --size 1M
alloc --size 1M
reload
EOF2
# What was done is done.
expect 5 "drain into a full device" sh -c 'exec "$0" "$@" >/dev/full' "$PARCTL" drain any
is "it is being drained" "$(jget '.pools[] | select(.pool == "any") | .draining >= 0 and .state != "ready"' pools)" true
expect 5 "its end into a full device" sh -c 'exec "$0" "$@" >/dev/full' "$PARCTL" --json drain any --end
soon "it is no longer drained" is_json '"ready"' '.pools[] | select(.pool == "any") | .state' pools
expect 5 "revoke into a full device" sh -c 'exec "$0" "$@" >/dev/full' "$PARCTL" --json revoke "$number" --yes
is "it is revoked" "$(jget .status.quarantined status)" 4194304
expect 0 "released" "$PARCTL" release --pool below4g --yes
says out "released" "released: 4M"

# ---- what others have --------------------------------------------------------------------------
if [[ $(id -u) -eq 0 ]]; then
        # The clone may lie where nobody but root may look.
        mkdir -m 755 "$dir/public"
        cp "$PARCTL" $(ldd "$PARCTL" | awk '$1 ~ /^libpar/ { print $3 }') "$dir/public"
        as_stranger=(env LD_LIBRARY_PATH="$dir/public" setpriv --reuid 65533 --regid 65533 --clear-groups
                "$dir/public/parctl")
        chmod 0666 "$PAR_SOCKET"
        let_go
        hold --size 12M --below 4G --label secret
        first=$(jget '.buffers[0].first' buffers)
        first=${first//\"/}
        expect 0 "a stranger's look" "${as_stranger[@]}" lookup "$first"
        says out "a stranger's look" "client   somebody else"
        ! grep -q secret "$dir/out" || fail "a stranger is told a label: $(cat "$dir/out")"
        let_go
        "$PARCTL" alloc --size 12M --below 4G --label "was here" --wait 60000 >/dev/null
        expect 0 "a stranger looks back" "${as_stranger[@]}" lookup "$first"
        says out "a stranger looks back" "before   somebody else, until 20"
        ! grep -q "was here" "$dir/out" || fail "a stranger is told a former label: $(cat "$dir/out")"
        expect 1 "a stranger removes a name" "${as_stranger[@]}" remove no-such-name
        says err "a stranger removes a name" "no-such-name was not removed: "
fi
expect 1 "a name that nothing has" "$PARCTL" --json remove no-such-name
says err "a name that nothing has" "no-such-name was not removed: "
is "no JSON of what was not done" "$(cat "$dir/out")" ""

let_go
stop_pard || fail "pard stopped with status $?"
finish
