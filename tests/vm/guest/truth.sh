#!/bin/sh
# SPDX-License-Identifier: MIT
#
# truth.sh - told addresses are those of the client's own pagemap: a pool of 28 bits and one without limit
#
# vm boot: hugepages=200
said=$(test_truth 300 1 truth.conf) || exit
echo "$said"

# Both pools have to have been used.
# shellcheck disable=SC2046 # two numbers
set -- $(echo "$said" | sed -n 's/.* from \(0x[0-9a-f]*\) to \(0x[0-9a-f]*\) .*/\1 \2/p')
border=0x10000000
[ $(($1 < border && $2 > border)) -eq 1 ]
