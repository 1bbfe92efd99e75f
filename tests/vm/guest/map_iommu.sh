#!/bin/sh
# SPDX-License-Identifier: MIT
#
# map_iommu.sh - the same behind an IOMMU: nothing is bounced, and a device does what its mapping says
#
# vm boot: hugepages=200 intel_iommu=on
# vm modules: vfio vfio_iommu_type1 vfio-pci
# vm qemu: -device intel-iommu,intremap=on,caching-mode=on
# vm qemu: -device edu -icount shift=3,sleep=off
set -e
edu=$(./find_pci 0x1234 0x11e8)
./give_to_vfio "$edu"
test_map "$edu" "$@"
exec test_directions "$edu" readable
