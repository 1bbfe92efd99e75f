#!/bin/sh
# SPDX-License-Identifier: MIT
#
# drivers.sh - two drivers at once, of two users, on two devices: each has right data, and nothing of the other's
#
# vm boot: hugepages=200
# vm qemu: -device edu -device edu -icount shift=3,sleep=off
# shellcheck disable=SC2046 # two addresses
exec test_drivers $(./find_pci 0x1234 0x11e8) "$@"
