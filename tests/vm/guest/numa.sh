#!/bin/sh
# SPDX-License-Identifier: MIT
#
# numa.sh - with numa=fake=3, of which one node ends below 4 GiB, a pool of low memory is full at once
#
# The kernels for clouds have no numa=fake.
#
# vm kernel: linux-image-6.12-amd64
# vm memory: 6G
# vm boot: numa=fake=3
set -- /sys/devices/system/node/node*
echo "$# nodes"
exec test_numa
