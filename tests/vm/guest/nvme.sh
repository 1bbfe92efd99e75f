#!/bin/sh
# SPDX-License-Identifier: MIT
#
# nvme.sh - a driver in user space writes 64 MiB to an NVMe device and reads them back, out of buffers in many pieces
#
# vm boot: hugepages=140
# vm disk: 128M
# vm qemu: -device nvme,drive=disk,serial=1
# The kernel's own driver, where it is built in, looks for devices in the background; not while ours takes over.
while [ -d /sys/bus/pci/drivers/nvme ] && ! ls /sys/bus/pci/drivers/nvme/0* >/dev/null 2>&1; do
        sleep 0.1
done
exec test_nvme "$(./find_pci 0x1b36 0x0010)"
