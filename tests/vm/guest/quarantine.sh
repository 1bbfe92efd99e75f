#!/bin/sh
# SPDX-License-Identifier: MIT
#
# quarantine.sh - a driver is killed: its memory waits for as long as the device is bus master, and no longer
#
# vm boot: hugepages=200
# vm disk: 80M
# vm qemu: -device edu -device nvme,drive=disk,serial=par -icount shift=3,sleep=off
while [ -d /sys/bus/pci/drivers/nvme ] && ! ls /sys/bus/pci/drivers/nvme/0* >/dev/null 2>&1; do
        sleep 0.1
done
exec test_dead_driver physical "$(./find_pci 0x1234 0x11e8)" "$(./find_pci 0x1b36 0x0010)"
