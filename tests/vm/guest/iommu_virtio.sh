#!/bin/sh
# SPDX-License-Identifier: MIT
#
# iommu_virtio.sh - the same as iommu, behind an IOMMU of another kind: virtio's, which translates all 64 bits
#
# It has no remapping of interrupts, which VFIO insists on, unless it is told otherwise.
#
# vm boot: hugepages=200
# vm disk: 80M
# vm modules: virtio-iommu vfio vfio_iommu_type1 vfio-pci
# vm qemu: -device virtio-iommu-pci
# vm qemu: -device edu -device nvme,drive=disk,serial=par -icount shift=3,sleep=off
set -e
echo 1 >/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts
edu=$(./find_pci 0x1234 0x11e8) nvme=$(./find_pci 0x1b36 0x0010)
./give_to_vfio "$edu" "$nvme"
test_iommu "0-0xfedfffff, 0xfef00000-0xffffffffffffffff" "$edu" "$nvme" "$@"
test_iova "$edu"
test_directions "$edu"
exec test_iommu_share "$edu"
