#!/bin/bash
# SPDX-License-Identifier: MIT
#
# boot.sh ROOT SCRIPT [FILE...] - boot ROOT, in which pard is installed, with its own systemd in a container, and run
# SCRIPT there as root; what it says is said here, and its status is this one's. What changes in ROOT is forgotten. The
# files are to be found beside the script, in /test.
#
# The container has this machine's hugepages, and no network.
set -euo pipefail

root=$1 script=$2
shift 2
dir=$(mktemp -d "${TMPDIR:-/tmp}/par-boot.XXXXXX")
trap 'umount "$dir/over/root" "$dir/over" 2>/dev/null; rm -rf "$dir"' EXIT
mkdir -p "$dir/test" "$dir/over"
cp "$script" "$dir/test/script"
[[ $# -eq 0 ]] || cp "$@" "$dir/test/"
touch "$dir/test/said"

# nspawn's own way of forgetting what changes, --volatile=overlay, does not come up in a container.
mount -t tmpfs par-boot "$dir/over"
mkdir "$dir/over/up" "$dir/over/work" "$dir/over/root"
mount -t overlay par-boot -o "lowerdir=$root,upperdir=$dir/over/up,workdir=$dir/over/work" "$dir/over/root"

units=$dir/over/root/etc/systemd/system
mkdir -p "$units/multi-user.target.wants"
cat >"$units/par-test.service" <<'UNIT'
[Unit]
Description=What is to be tested
[Service]
Type=exec
ExecStart=/bin/bash -c 'bash /test/script >/test/said 2>&1; echo $? >/test/status; systemctl --no-block poweroff'
UNIT
ln -s ../par-test.service "$units/multi-user.target.wants/par-test.service"

mkdir -p /run/systemd/nspawn
status=0
# Hugepages are reserved through /sys, which a container sees read-only otherwise.
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes
timeout --kill-after=10 "${PAR_BOOT_SECONDS:-600}" systemd-nspawn --quiet --directory="$dir/over/root" --boot --register=no \
        --keep-unit --private-network --capability=all --bind="$dir/test:/test" </dev/null >"$dir/console" 2>&1 || status=$?
cat "$dir/test/said"
if [[ ! -s $dir/test/status ]]; then
        echo "the container ended with status $status before the test did; its last words:"
        tail -30 "$dir/console"
        exit 1
fi
exit "$(<"$dir/test/status")"
