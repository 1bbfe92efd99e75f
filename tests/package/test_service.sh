#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_service.sh PACKAGES - the installed packages as a service, under a systemd of their own: see service.sh.
set -euo pipefail

packages=$1
here=$(dirname "$(readlink -f "$0")")
nr=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
for tool in systemd-nspawn mmdebstrap; do
        command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
if [[ $(id -u) -ne 0 || ! -w $nr ]]; then
        echo "skipped: a container with hugepages takes root, and a system that has them"
        exit 77
fi

root=$(mktemp -d "${TMPDIR:-/tmp}/par-service.XXXXXX")
trap 'rm -rf "$root"' EXIT
"$here/root.sh" make "$root"
"$here/root.sh" install "$root" "$packages"/libpar0_*.deb "$packages"/libparheap0_*.deb \
        "$packages"/libpar-dev_*.deb "$packages"/pard_*.deb
"$here/boot.sh" "$root" "$here/service.sh" "$here/keeps.c" "$packages"/pard_*.deb \
        "$here/../support/rights.sh" "$here/../../docs/security.md"
