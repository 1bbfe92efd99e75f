#!/bin/sh
# SPDX-License-Identifier: MIT
#
# ending.sh - ends as its arguments say, for the test of run itself: status NUMBER, off, panic or hang
echo "here is $1 $2"
case $1 in
status) exit "$2" ;;
off) poweroff -f ;;
panic) echo c >/proc/sysrq-trigger ;;
esac
sleep 1000
