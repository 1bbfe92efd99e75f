#!/bin/bash
# SPDX-License-Identifier: MIT
#
# kernel.sh PACKAGE - a kernel of Debian's for the virtual machine: the directory that has it, on standard output
#
# PACKAGE is one that depends on the kernel itself, such as linux-image-6.12-cloud-amd64. Nothing is installed: the
# kernel is fetched and unpacked into a cache outside the source tree, and used from there until somebody removes it.
# The directory has:
#
#   vmlinuz       the kernel
#   lib/modules/  its modules
#
# Exit status: 0; 77 where there is neither a cached kernel nor a way to fetch one.
set -euo pipefail

meta=${1:?usage: kernel.sh PACKAGE}
cache=${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/par-vm
kernel=$cache/$meta

# Two tests at once fetch it once.
mkdir -p "$cache"
exec 9<"$cache"
flock 9
if [[ -d $kernel ]]; then
        echo "$kernel"
        exit
fi

# unpack DIRECTORY DEB - what a virtual machine needs of it; -e does not hold where a caller looks at the status
unpack() {
        cd "$1" &&
                dpkg -x "$2" . &&
                mv boot/vmlinuz-* vmlinuz &&
                { [[ -d lib ]] || mv usr/lib lib; } &&
                rm -rf boot usr &&
                depmod -b . "$(ls lib/modules)"
}

# fetch - unpack it into the cache, as a whole or not at all
fetch() {
        local package
        package=$(apt-cache depends "$meta" 2>/dev/null | awk '/Depends: linux-image-/ { print $2; exit }')
        [[ -n $package ]] || return
        rm -rf "$kernel.fresh"
        mkdir -p "$kernel.fresh/deb" "$kernel.fresh/root"
        (cd "$kernel.fresh/deb" && apt-get -q download "$package" >&2) &&
                (unpack "$kernel.fresh/root" "$kernel.fresh"/deb/*.deb) &&
                mv "$kernel.fresh/root" "$kernel" &&
                rm -rf "$kernel.fresh"
}

# The package lists of a fresh machine may be missing, and old ones name packages that are gone.
update_lists() {
        local as_root=()
        [[ $(id -u) -eq 0 ]] || as_root=(sudo -n)
        "${as_root[@]}" apt-get -q update
}

if ! fetch 2>/dev/null && ! { update_lists && fetch; } >"$cache/log" 2>&1; then
        echo "no kernel: $meta is not in $cache, and apt cannot fetch it:" >&2
        tail -n 5 "$cache/log" >&2
        exit 77
fi
echo "$kernel"
