#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_devices.sh PARD PARCTL PROFILES - devices as a driver's author meets them: every profile that is shipped, several
# devices at once, memory that is seen elsewhere than the processor sees it, and what is said where that cannot be
set -uo pipefail

PARD=$1 PARCTL=$2 profiles=$3
# shellcheck source=../support/pard.sh
. "$(dirname "$0")/../support/pard.sh"
command -v jq >/dev/null || exit 77

# Memory below 16 MiB and above, that of a board whose memory begins just above 31 bits, and one's at 40 bits.
cp -r "$profiles" "$dir/devices"
{
        base_config
        echo "admin_group = \"$(id -g)\""
        cat <<'CONFIG'
backend = "sim"
devices_dir = "devices"
sim {
        extent "isa"   { first = "0x0" size = "64M" }
        extent "mbus"  { first = "0x40000000" size = "64M" }
        extent "ram31" { first = "0x80000000" size = "64M" }
        extent "ram36" { first = "0x800000000" size = "64M" }
        extent "ram40" { first = "0x8000000000" size = "64M" }
}
pool "isa"   { below = "16M" size_min = "8M" reuse_delay = "0" }
pool "low"   { addr_min = "16M" below = "1G" spill = yes size_min = "8M" reuse_delay = "0" }
pool "mbus"  { addr_min = "1G" below = "2G" size_min = "8M" reuse_delay = "0" }
pool "ram31" { addr_min = "2G" below = "4G" size_min = "8M" reuse_delay = "0" }
pool "ram36" { addr_min = "32G" below = "64G" size_min = "8M" reuse_delay = "0" }
pool "ram40" { addr_min = "512G" size_min = "8M" reuse_delay = "0" }
device "capture0" { dma_bits = 28  boundary = "64K" }
device "far"      { addr_min = "4G" }
device "bare31"   { dma_bits = 31 }
device "board31"  { dma_bits = 31  bus_window { cpu_first = "2G" dma_first = "0" length = "2G" } }
device "board40"  { dma_bits = 32  boundary = "64K"
        bus_window { cpu_first = "0x8000000000" dma_first = "0x80000000" length = "2G" } }
device "both"     {
        bus_window { cpu_first = "2G" dma_first = "0" length = "1G" }
        bus_window { cpu_first = "0x8000000000" dma_first = "1G" length = "1G" } }
device "nvme0"        { pci = "0000:01:00.0" }
device "0000:02:00.0" {}
pci "0000:01:00.0" { dma_mask_bits = 30  iommu_group = 4 }
CONFIG
} >"$dir/pard.conf"
start_pard

# settled - nothing is on its way to the system and back
settled() { soon "all is back" is_json 0 .status.leaving status; }

# ---- the list -------------------------------------------------------------------------------
is "those of the file, then those of the folder" "$(jget '[.devices[].device][:4]' devices)" \
        '["capture0","far","bare31","board31"]'
is "limits and whence" "$(jget '.devices[] | select(.device == "nvme0") | [.addr_max, .addr_max_set_by, .pci, .present,
        .iommu_group]' devices)" '["0x3fffffff","sysfs","0000:01:00.0",true,4]'
is "a PCI device that is not there" "$(jget '.devices[] | select(.pci == "0000:02:00.0") | .present' devices)" false
is "bus windows" "$(jget '.devices[] | select(.device == "board31") | .bus_windows' devices)" \
        '"sees memory 0x80000000 to 0xffffffff at bus address 0x0"'
expect 0 "as text" "$PARCTL" devices
says out "as text" "device board31: sees memory 0x80000000 to 0xffffffff at bus address 0x0"

# ---- every profile --------------------------------------------------------------------------
# A page for each: on the bus inside its limits, and in memory where its windows say.
count=0
for name in $(sed -n 's/^device "\(.*\)" {$/\1/p' "$dir"/devices/*.conf); do
        count=$((count + 1))
        expect 0 "a buffer for $name" "$PARCTL" --json alloc --size 4K --device "$name"
        read -r dma phys length < <(jq -r '.alloc.segments[0] | "\(.dma) \(.phys) \(.length)"' "$dir/out")
        last=$(jget ".devices[] | select(.device == \"$name\") | .addr_max" devices | tr -d '"')
        [[ $last == null ]] || ((dma + length - 1 <= last)) || fail "$name: $dma is above $last"
        case $name in
        raspberrypi4-soc) offset=0xc0000000 ;;
        keystone2-soc) offset=$((0x80000000 - 0x800000000)) ;;
        allwinner-mbus) offset=-0x40000000 ;;
        *) offset=0 ;;
        esac
        ((dma == phys + offset)) || fail "$name: memory $phys at $dma"
done
((count >= 13)) || fail "only $count profiles"

# An EHCI transfer descriptor: five pages, and not one more.
expect 0 "five pages for EHCI" "$PARCTL" --json alloc --size 20K --max-segments any --device ehci-qtd
is "a segment each" "$(jq -c '[.alloc.segments[].length]' "$dir/out")" '[4096,4096,4096,4096,4096]'
expect 3 "six pages for EHCI" "$PARCTL" alloc --size 24K --max-segments any --device ehci-qtd
says err "six pages for EHCI" '"device ehci-qtd: boundary 4 KiB" rules that out, with "device ehci-qtd: max_segments 5"'

# NVMe: pages of buffers, and nothing of whole pages asked of other memory.
is "what is kept" "$(jget '.devices[] | select(.device == "nvme") | [.align, .min_align_mask, .granularity]' devices)" \
        '[4096,"0xfff",null]'
expect 0 "pages for NVMe" "$PARCTL" --json alloc --size 12K --max-segments any --max-segment 6K --device nvme
is "each from its beginning" "$(jq -c '[.alloc.segments[] | .length]' "$dir/out")" '[4096,4096,4096]'

# ---- bus windows ----------------------------------------------------------------------------
settled
expect 0 "memory just above 31 bits" "$PARCTL" --json alloc --size 8M --device board31
is "where it is seen" "$(jq -c '.alloc | [.dma, .segments[0].phys]' "$dir/out")" '["0x3800000","0x83800000"]'
expect 0 "memory at 40 bits" "$PARCTL" --json alloc --size 128K --max-segments any --device board40
is "where it is seen" "$(jq -c '[.alloc.segments[] | [.dma, .phys, .length]]' "$dir/out")" \
        '[["0x83fe0000","0x8003fe0000",65536],["0x83ff0000","0x8003ff0000",65536]]'
settled
expect 0 "what a child is told" "$PARCTL" alloc --size 4K --device board31 -- \
        sh -c '[ "$PAR_DMA $PAR_PHYS" = "0x3fff000 0x83fff000" ]'
settled
expect 0 "a limit is on the bus" "$PARCTL" --json alloc --size 4K --device both --addr-min 1G
is "it is the other window" "$(jq -r '.alloc.dma' "$dir/out")" 0x43fff000

# ---- refused for ever -----------------------------------------------------------------------
refused() {
        expect 3 "$1" "$PARCTL" --json alloc --size "$2" --device "$3" "${@:6}"
        says out "$1" "$4"
        is "$1: limits" "$(jq -r '.explain | "\(.limit) \(.limit_set_by) | \(.conflict) \(.conflict_set_by)"' "$dir/out")" "$5"
}
refused "two devices" 64K capture0,far \
        'no address will do: \"device capture0: below 256 MiB\" against \"device far: from 4 GiB up\"' \
        'addr_max device capture0 | addr_min device far'
refused "sysfs and a device" 64K far,nvme0 \
        '\"sysfs for device nvme0: below 1 GiB\" against \"device far: from 4 GiB up\"' \
        'addr_max sysfs for device nvme0 | addr_min device far'
refused "the address of a PCI device and a request" 64K 0000:01:00.0 \
        '\"sysfs for device nvme0: below 1 GiB\" against \"the request: from 2 GiB up\"' \
        'addr_max sysfs for device nvme0 | addr_min the request' --addr-min 2G
refused "different bus addresses" 64K board31,bare31 \
        'a buffer has one bus address, and they see memory at different ones: \"device board31: memory 0x80000000' \
        'addr_max device board31 | addr_max device bare31'
refused "other memory" 64K board40,keystone2-soc 'no memory is seen by both' \
        'addr_max device board40 | addr_max device keystone2-soc'
refused "bus addresses outside the windows" 64K board40 \
        '\"the request: below 1 GiB\" against \"bus windows of device board40: 0x80000000 to 0xffffffff\"' \
        'addr_max the request | addr_max the bus windows of device board40' --below 1G
refused "memory above the address lines" 64K bare31 \
        'pard holds nothing there; without addr_max, set by device bare31, it could' \
        'addr_max device bare31 | null null' --pool ram31
refused "a PCI device that is not there" 64K 0000:02:00.0 'PCI device 0000:02:00.0 was not there when' \
        'null null | null null'
refused "an unknown one of two" 64K capture0,nobody 'there is no device nobody' 'null null | null null'
expect 3 "the same in words" "$PARCTL" explain --size 64K --device capture0,far
says out "the same in words" "Limit: addr_max, set by device capture0."
says out "the same in words" "Against: addr_min, set by device far."

# ---- refused for now ------------------------------------------------------------------------
settled
hold --size 8M --device board31
expect 1 "for now" "$PARCTL" --json alloc --size 64K --device board31
is "who set the limit" "$(jq -c '.explain | [.permanent, .limit_set_by]' "$dir/out")" '[false,"device board31"]'
says out "for now" '64 KiB in one piece below 2 GiB on the bus (memory 0x80000000 to 0xffffffff) for device board31: 0 B are free there'
expect 0 "the other window has some" "$PARCTL" --json alloc --size 64K --device both
is "it is the other window" "$(jq -r '.alloc.dma' "$dir/out")" 0x43ff0000
let_go

# ---- read again -----------------------------------------------------------------------------
echo 'pci "0000:02:00.0" { dma_mask_bits = 24 }' >>"$dir/pard.conf"
sed -i 's/dma_bits = 28/dma_bits = 24/' "$dir/devices/edu.conf"
expect 0 "reload" "$PARCTL" reload
settled
expect 0 "the PCI device is there now" "$PARCTL" --json alloc --size 4K --device 0000:02:00.0
is "below 16 MiB" "$(jq -r '.alloc.dma' "$dir/out")" 0xfff000
is "a profile has changed" "$(jget '.devices[] | select(.device == "edu") | .addr_max' devices)" '"0xffffff"'
echo 'pool "more" { size_min = "2M" }' >>"$dir/devices/edu.conf"
"$PARCTL" reload 2>"$dir/err" && fail "a folder of devices with a pool in it"
soon "the log names the file" grep -qF "devices/edu.conf:$(wc -l <"$dir/devices/edu.conf"): pool \"more\": only devices" "$dir/log"
is "nothing has changed" "$(jget '.devices[] | select(.device == "edu") | .addr_max' devices)" '"0xffffff"'

stop_pard
is "pard ends" $? 0
finish
