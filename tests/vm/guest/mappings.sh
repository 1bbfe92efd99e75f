#!/bin/sh
# SPDX-License-Identifier: MIT
#
# mappings.sh - a buffer of 1 GiB in hundreds of places is one mapping in large pages, of the 65,535 that there may be
#
# vm memory: 3G
# vm boot: hugepages=1060 intel_iommu=on
# vm modules: vfio vfio_iommu_type1 vfio-pci
# vm qemu: -device intel-iommu,intremap=on,caching-mode=on -device edu
set -e
edu=$(./find_pci 0x1234 0x11e8)
./give_to_vfio "$edu"
exec test_mappings "$edu"
