#!/bin/bash
# SPDX-License-Identifier: MIT
#
# dma_api.sh - each function of the kernel's DMA API (dma_api.txt) has its row in the driver guide's table
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

rows=$(sed -n '/^## What a kernel driver would call$/,/^## /p' ../../docs/driver-guide.md | grep '^|' | cut -d'|' -f2)
missing=$(grep -v '^#' dma_api.txt | while read -r name; do
        [[ $rows == *"\`$name()\`"* ]] || echo "$name"
done)
if [[ -n $missing ]]; then
        echo "docs/driver-guide.md says nothing of: ${missing//$'\n'/ }"
        exit 1
fi
