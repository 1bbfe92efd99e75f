#!/bin/sh
# SPDX-License-Identifier: MIT
#
# iommu.sh - behind an IOMMU: buffers anywhere, addresses below 256 MiB, the drivers' data right, and no other memory hit
#
# vm boot: hugepages=200 intel_iommu=on
# vm disk: 80M
# vm modules: vfio vfio_iommu_type1 vfio-pci
# vm qemu: -device intel-iommu,intremap=on,caching-mode=on
# vm qemu: -device edu -device nvme,drive=disk,serial=par -icount shift=3,sleep=off
set -e
edu=$(./find_pci 0x1234 0x11e8) nvme=$(./find_pci 0x1b36 0x0010)
./give_to_vfio "$edu" "$nvme"
test_iommu "0-0xfedfffff, 0xfef00000-0x7fffffffff" "$edu" "$nvme" "$@"
test_iova "$edu"
exec test_iommu_share "$edu"
