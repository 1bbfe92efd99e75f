#!/bin/bash
# SPDX-License-Identifier: MIT
#
# initramfs.sh OUT KERNEL MODULES PROGRAM... - what the guest boots into
#
#   OUT      the archive to write
#   KERNEL   a directory of kernel.sh
#   MODULES  names of kernel modules, in one argument; they are loaded in this order
#   PROGRAM  files of this build
#
# Programs and their shared libraries lie at the same paths as here, so that tests find what they were compiled to look
# for; each program is in PATH, too. Everything else is busybox and guest/.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
out=$1 kernel=$2 modules=$3
shift 3

root=$(mktemp -d "${TMPDIR:-/tmp}/par-vm-root.XXXXXX")
trap 'rm -rf "$root"' EXIT
chmod 0755 "$root" # pard's worker is nobody in particular
mkdir -p "$root"/{bin,dev,etc,proc,run,sys,tmp,usr/local/bin}

# libraries PROGRAM... - the files that the dynamic linker would load, itself included
libraries() { ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && $2 ~ /^\(/ { print $1 }' | sort -u; }

# module_files MODULE... - with those that they need, in the order of loading
module_files() {
        local module
        for module; do
                # Not by this machine's own rules (-C): they may say to run something instead.
                modprobe -C /dev/null -d "$kernel" -S "$(ls "$kernel/lib/modules")" --show-depends "$module"
        done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

cp "$(command -v busybox)" "$root/bin/busybox"
ln -s busybox "$root/bin/sh"
cp -r "$here/guest" "$root/guest"
ln -s guest/init "$root/init"
for program; do
        ln -s "$program" "$root/usr/local/bin/$(basename "$program")"
done
mapfile -t files < <(libraries "$@")
cp -L --parents "$@" "${files[@]}" "$root"

number=100
# shellcheck disable=SC2086 # they are names
for file in $(module_files $modules); do
        mkdir -p "$root/modules"
        # busybox would try the compressed ones first, and the kernel complain.
        name=${file##*/}
        case $file in
        *.xz) xz -dc "$file" ;;
        *) cat "$file" ;;
        esac >"$root/modules/$((number++))-${name%.xz}"
done

(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) >"$out"
