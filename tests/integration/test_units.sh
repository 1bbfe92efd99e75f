#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_units.sh PARD PARCTL UNITS... - the service manager accepts the units and the users that they need, and says how
# much the service is exposed. PARD and PARCTL stand in for the programs where they will be installed.
set -euo pipefail

pard=$1 parctl=$2 service=$3 socket=$4 sysusers=$5
command -v systemd-analyze >/dev/null || exit 77
dir=$(mktemp -d "${TMPDIR:-/tmp}/par-units.XXXXXX")
trap 'rm -rf "$dir"' EXIT

sed "s|^ExecStart=[^ ]*/pard |ExecStart=$pard |; s|^ExecReload=![^ ]*/parctl |ExecReload=!$parctl |" "$service" >"$dir/pard.service"
cp "$socket" "$dir/pard.socket"
cp "${socket%/*}/pard-metrics.socket" "$dir/"
grep -q "^ExecStart=$pard --config /.*/pard/pard.conf --park$" "$dir/pard.service"
grep -q "^ExecReload=!$parctl reload$" "$dir/pard.service"

# It exits with 0 for most of what it warns of: no word is good word.
said=$(systemd-analyze verify --man=no --generators=no --recursive-errors=no "$dir/pard.service" "$dir"/pard{,-metrics}.socket 2>&1) ||
        { echo "$said"; exit 1; }
if grep "$dir\|pard[a-z-]*\.s" <<<"$said"; then
        exit 1
fi

# The exposure that docs/security.md tells, in tenths. A drop-in for a carve-out changes nothing of it.
mkdir "$dir/carveout"
sed 's/^\(AmbientCapabilities\|CapabilityBoundingSet\)=.*/& CAP_LINUX_IMMUTABLE/' "$dir/pard.service" >"$dir/carveout/pard.service"
for unit in "$dir/pard.service" "$dir/carveout/pard.service"; do
        systemd-analyze security --no-pager --offline=true --threshold=10 "$unit" >"$dir/exposure" 2>&1 ||
                { grep '✗\|→' "$dir/exposure"; exit 1; }
        grep '→' "$dir/exposure"
done

if command -v systemd-sysusers >/dev/null; then
        mkdir -p "$dir/root/etc"
        systemd-sysusers --root="$dir/root" "$sysusers"
        grep -q '^pard:' "$dir/root/etc/passwd"
        grep -q '^pard-admin:' "$dir/root/etc/group"
fi
