#!/bin/sh
# SPDX-License-Identifier: MIT
#
# quarantine_iommu.sh - behind an IOMMU, with hidden addresses: a dead driver's memory is free with its container
#
# vm boot: hugepages=200 intel_iommu=on
# vm modules: vfio vfio_iommu_type1 vfio-pci
# vm qemu: -device intel-iommu,intremap=on,caching-mode=on
# vm qemu: -device edu -icount shift=3,sleep=off
address=$(./find_pci 0x1234 0x11e8)
echo vfio-pci >"/sys/bus/pci/devices/$address/driver_override"
echo "$address" >/sys/bus/pci/drivers_probe
chmod 0666 /dev/vfio/*
exec test_dead_driver hidden "$address"
