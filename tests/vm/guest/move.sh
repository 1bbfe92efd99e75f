#!/bin/sh
# SPDX-License-Identifier: MIT
#
# move.sh - soft offlining, move_pages and compaction leave pinned frames where they are; unpinned ones are noticed
#
# vm boot: hugepages=200
# vm qemu: -object memory-backend-ram,id=ram0,size=512M -numa node,memdev=ram0
# vm qemu: -object memory-backend-ram,id=ram1,size=512M -numa node,memdev=ram1
test_move pinned || exit
# Where io_uring is switched off pard cannot pin.
disabled=/proc/sys/kernel/io_uring_disabled
if [ ! -e $disabled ]; then
        echo "this kernel cannot switch io_uring off: nothing was tried without a pin"
        exit 0
fi
echo 2 >$disabled
exec test_move unpinned
