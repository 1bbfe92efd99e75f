#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_units.sh PARD UNITS... - the service manager accepts the units and the users that they need. PARD stands in for
# the program where it will be installed.
set -euo pipefail

pard=$1 service=$2 socket=$3 sysusers=$4
command -v systemd-analyze >/dev/null || exit 77
dir=$(mktemp -d "${TMPDIR:-/tmp}/par-units.XXXXXX")
trap 'rm -rf "$dir"' EXIT

sed "s|^ExecStart=[^ ]*/pard |ExecStart=$pard |" "$service" >"$dir/pard.service"
cp "$socket" "$dir/pard.socket"
grep -q "^ExecStart=$pard --config /.*/pard/pard.conf$" "$dir/pard.service"

# It exits with 0 for most of what it warns of: no word is good word.
said=$(systemd-analyze verify --man=no --generators=no --recursive-errors=no "$dir/pard.service" "$dir/pard.socket" 2>&1) ||
        { echo "$said"; exit 1; }
if grep "$dir\|pard\.s" <<<"$said"; then
        exit 1
fi

if command -v systemd-sysusers >/dev/null; then
        mkdir -p "$dir/root/etc"
        systemd-sysusers --root="$dir/root" "$sysusers"
        grep -q '^pard:' "$dir/root/etc/passwd"
        grep -q '^pard-admin:' "$dir/root/etc/group"
fi
