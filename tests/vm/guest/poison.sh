#!/bin/sh
# SPDX-License-Identifier: MIT
#
# poison.sh - memory fails, in use and free: pard lives on, tells who has it, and lends it to nobody
#
# vm boot: hugepages=100
exec test_poison
