#!/bin/sh
# SPDX-License-Identifier: MIT
#
# map.sh - memory of malloc() through par_map() and a device that reaches 28 bits: bounced, counted, and right, 1,000 times
#
# vm boot: hugepages=200
# vm qemu: -device edu -icount shift=3,sleep=off
exec test_map "$(./find_pci 0x1234 0x11e8)" "$@"
