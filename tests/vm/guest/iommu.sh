#!/bin/sh
# SPDX-License-Identifier: MIT
#
# iommu.sh - behind an IOMMU: buffers anywhere, addresses below 256 MiB, the drivers' data right, and no other memory hit
#
# vm timeout: 240
# vm boot: hugepages=200 intel_iommu=on
# vm disk: 80M
# vm modules: vfio vfio_iommu_type1 vfio-pci
# vm qemu: -device intel-iommu,intremap=on,caching-mode=on
# vm qemu: -device edu -device nvme,drive=disk,serial=par -icount shift=3,sleep=off
# The kernel's own driver looks for devices in the background; not while VFIO takes over.
while [ -d /sys/bus/pci/drivers/nvme ] && ! ls /sys/bus/pci/drivers/nvme/0* >/dev/null 2>&1; do
        sleep 0.1
done
for address in $(./find_pci 0x1234 0x11e8) $(./find_pci 0x1b36 0x0010); do
        device=/sys/bus/pci/devices/$address
        echo vfio-pci >"$device/driver_override"
        [ ! -e "$device/driver" ] || echo "$address" >"$device/driver/unbind"
        echo "$address" >/sys/bus/pci/drivers_probe
done
chmod 0666 /dev/vfio/*
# shellcheck disable=SC2046 # two addresses
exec test_iommu $(./find_pci 0x1234 0x11e8) $(./find_pci 0x1b36 0x0010) "$@"
