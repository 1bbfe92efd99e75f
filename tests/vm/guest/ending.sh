#!/bin/sh
# SPDX-License-Identifier: MIT
#
# ending.sh - ends as its arguments say, for the test of run itself: status NUMBER, off, panic or hang
#
# vm modules: uio_pci_generic
# shellcheck disable=SC2046 # on one line
echo "here is $1 $2, with" $(lsmod | awk 'NR > 1 { print $1 }' | sort)
case $1 in
status) exit "$2" ;;
off) poweroff -f ;;
panic) echo c >/proc/sysrq-trigger ;;
esac
sleep 1000
