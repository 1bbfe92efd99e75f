#!/bin/sh
# SPDX-License-Identifier: MIT
#
# restart.sh - drivers of edu and NVMe are killed in the middle of transfers and go on where they were, at the same addresses
#
# vm boot: hugepages=60
# vm disk: 80M
# vm qemu: -device edu -device nvme,drive=disk,serial=par -icount shift=3,sleep=off
while [ -d /sys/bus/pci/drivers/nvme ] && ! ls /sys/bus/pci/drivers/nvme/0* >/dev/null 2>&1; do
        sleep 0.1
done
exec test_restarted_driver "$(./find_pci 0x1234 0x11e8)" "$(./find_pci 0x1b36 0x0010)"
