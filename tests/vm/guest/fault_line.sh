#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fault_line.sh - a device writes to a buffer that was freed: what the kernel says of it, pasted into parctl, names who had it
#
# vm boot: hugepages=20 intel_iommu=on
# vm modules: vfio vfio_iommu_type1 vfio-pci
# vm qemu: -device intel-iommu,intremap=on,caching-mode=on
# vm qemu: -device edu -icount shift=3,sleep=off
address=$(./find_pci 0x1234 0x11e8)
echo vfio-pci >"/sys/bus/pci/devices/$address/driver_override"
echo "$address" >/sys/bus/pci/drivers_probe
exec test_fault_line "$address"
