#!/bin/sh
# SPDX-License-Identifier: MIT
#
# poison.sh - memory of a buffer fails: pard lives on, and lends it to nobody else
#
# vm boot: hugepages=100
exec test_poison
