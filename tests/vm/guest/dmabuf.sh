#!/bin/sh
# SPDX-License-Identifier: MIT
#
# dmabuf.sh - a buffer as a dma-buf: imported by another uid, written by a device, right for both, and nobody else's after
#
# vm boot: hugepages=150
# vm qemu: -device edu -icount shift=3,sleep=off
[ -c /dev/udmabuf ] || { echo "this kernel has no udmabuf" && exit 77; }
address=$(./find_pci 0x1234 0x11e8)
echo 1 >"/sys/bus/pci/devices/$address/enable"
exec test_dmabuf "$address" "$@"
