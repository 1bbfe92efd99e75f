#!/bin/sh
# SPDX-License-Identifier: MIT
#
# move.sh - soft offlining, move_pages, compaction and pressure leave pinned frames where they are; unpinned are noticed
#
# vm boot: hugepages=200
# vm qemu: -device edu
# vm qemu: -object memory-backend-ram,id=ram0,size=512M -numa node,memdev=ram0
# vm qemu: -object memory-backend-ram,id=ram1,size=512M -numa node,memdev=ram1
test_move pinned "$(./find_pci 0x1234 0x11e8)" || exit
# Where io_uring is switched off pard cannot pin.
disabled=/proc/sys/kernel/io_uring_disabled
if [ ! -e $disabled ]; then
        echo "this kernel cannot switch io_uring off: nothing was tried without a pin"
        exit 0
fi
echo 2 >$disabled
exec test_move unpinned
