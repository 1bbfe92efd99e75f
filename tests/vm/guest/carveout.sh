#!/bin/sh
# SPDX-License-Identifier: MIT
#
# carveout.sh - memory carved out below 16 MiB: a device that reaches 24 bits has right data from it, 1,000 times
#
# vm boot: hugepages=20 memmap=2M!8M
# vm qemu: -device edu,dma_mask=0xffffff -icount shift=3,sleep=off
# vm modules: nd_e820 nd_pmem

# The file system is for memory that is gone at the next boot: nothing of it need survive.
make_carveout() {
        /usr/local/bin/mke2fs -q -t ext4 -b 4096 -m 0 -N 512 -O ^has_journal,^resize_inode /dev/pmem0 &&
                mkdir -p -m 0700 /mnt/carveout && mount -t ext4 -o dax /dev/pmem0 /mnt/carveout &&
                chown 65534:65534 /mnt/carveout # whom pard becomes there
}

# busybox has an mke2fs of its own, which knows no ext4.
if [ ! -x /usr/local/bin/mke2fs ]; then
        echo "skipped: there was no mke2fs when this was built"
        exit 77
fi
make_carveout || exit 1
PAR_CARVEOUT=/mnt/carveout test_carveout || exit 1
test_isa "$(./find_pci 0x1234 0x11e8)" "$@" || exit 1
umount /mnt/carveout # nobody has any of it
