#!/bin/sh
# SPDX-License-Identifier: MIT
#
# edu.sh - a device that reaches 28 bits has wrong data from elsewhere, and right data from pard's buffer, 1,000 times
#
# The device takes 100 ms for each transfer, of the machine's time; with -icount that passes at once while the machine
# has nothing to do but wait.
#
# vm boot: hugepages=200
# vm qemu: -device edu -icount shift=3,sleep=off
exec test_edu "$(./find_pci 0x1234 0x11e8)" "$@"
