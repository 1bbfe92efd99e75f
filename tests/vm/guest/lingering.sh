#!/bin/sh
# SPDX-License-Identifier: MIT
#
# lingering.sh - frames that linger come back when the last reference goes, whatever kind it was of
#
# vm memory: 2G
exec test_lingering "${1:-3}" 0 hugetlb
