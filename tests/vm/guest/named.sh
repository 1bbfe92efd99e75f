#!/bin/sh
# SPDX-License-Identifier: MIT
#
# named.sh - a buffer with a name, of a driver that is killed, for another uid: a dma-buf, and what the device writes
#
# vm boot: hugepages=100
# vm qemu: -device edu -icount shift=3,sleep=off
[ -c /dev/udmabuf ] || { echo "this kernel has no udmabuf" && exit 77; }
address=$(./find_pci 0x1234 0x11e8)
echo 1 >"/sys/bus/pci/devices/$address/enable"
exec test_named "$address" "$@"
