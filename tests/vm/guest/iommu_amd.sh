#!/bin/sh
# SPDX-License-Identifier: MIT
#
# iommu_amd.sh - the same as iommu, behind AMD's, which leaves out the addresses of HyperTransport, too
#
# vm boot: hugepages=200 amd_iommu=on
# vm disk: 80M
# vm kernel: linux-image-6.12-amd64
# vm modules: vfio vfio_iommu_type1 vfio-pci
# vm qemu: -device amd-iommu,intremap=on
# vm qemu: -device edu -device nvme,drive=disk,serial=par -icount shift=3,sleep=off
set -e
edu=$(./find_pci 0x1234 0x11e8) nvme=$(./find_pci 0x1b36 0x0010)
./give_to_vfio "$edu" "$nvme"
test_iommu "0-0xfedfffff, 0xfef00000-0xfcffffffff, 0x10000000000-0xffffffffffffffff" "$edu" "$nvme" "$@"
test_iova "$edu"
test_directions "$edu"
exec test_iommu_share "$edu"
