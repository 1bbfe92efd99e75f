#!/bin/bash
# SPDX-License-Identifier: MIT
#
# root.sh make DIR            - DIR becomes the root of a clean Debian
# root.sh install DIR DEB...  - apt installs these packages there, with what they depend on
# root.sh run DIR COMMAND...  - run something in it, with processes of its own: what it leaves running ends with it
#
# All of them need root. The clean Debian comes from the apt sources of this machine, has what it takes to boot it, to
# look around and to compile a C program, and is kept for two weeks in ${XDG_CACHE_HOME:-~/.cache}/par, with what apt
# fetched.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/par
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
include=systemd,systemd-sysv,dbus,procps,jq,gcc,libc6-dev,pkg-config

usage() {
        echo "usage: root.sh make DIR | install DIR DEB... | run DIR COMMAND..." >&2
        exit 2
}

# sources - files that say where apt gets packages from here
sources() {
        find /etc/apt/sources.list /etc/apt/sources.list.d \( -name '*.list' -o -name '*.sources' \) -size +0 2>/dev/null || true
}

# base TAR - make the clean Debian
base() {
        local list
        mapfile -t list < <(sources)
        # How this machine fetches packages, such as through a proxy.
        apt-config dump Acquire | grep -v '^Acquire::\(IndexTargets\|Changelogs\)' >"$1.conf"
        mmdebstrap --quiet --format=tar --variant=minbase --include="$include" --aptopt="$1.conf" --skip=cleanup/apt/lists \
                "$suite" "$1.part" "${list[@]}" </dev/null
        rm "$1.conf"
        mv "$1.part" "$1"
}

# the_base - print the name of the clean Debian's archive, made if it is not there or old
the_base() {
        local key tar
        # shellcheck disable=SC2046
        key=$({ echo "$suite $include"; cat $(sources); } | sha256sum | cut -c 1-12)
        tar=$cache/root-$key.tar
        mkdir -p "$cache"
        exec 9>"$cache/lock"
        flock 9
        find "$cache" \( -name '*.tar' -o -name '*.deb' \) -mtime +14 -delete
        [[ -e $tar ]] || base "$tar" >&2
        exec 9>&-
        echo "$tar"
}

make_root() {
        local tar
        command -v mmdebstrap >/dev/null || { echo "mmdebstrap is not installed"; exit 77; }
        tar=$(the_base)
        mkdir -p "$1"
        tar -x -C "$1" -f "$tar"
        cp --remove-destination -L /etc/resolv.conf /etc/hosts "$1/etc/"
}

install_in() {
        local root=$1 fetched=$cache/fetched
        shift
        mkdir -p "$root/debs" "$fetched"
        cp "$@" "$root/debs/"
        # apt takes what fits, and fetches the rest.
        cp "$fetched"/*.deb "$root/var/cache/apt/archives/" 2>/dev/null || true
        run_in "$root" /bin/sh -c 'export DEBIAN_FRONTEND=noninteractive
                install() { apt-get install -q -y --no-install-recommends -o APT::Keep-Downloaded-Packages=true "$@"; }
                install "$@" || { apt-get update -q && install "$@"; }' sh "${@/#*\//\/debs\/}" \
                >"$root/debs/log" 2>&1 </dev/null || { cat "$root/debs/log"; return 1; }
        cp -u "$root"/var/cache/apt/archives/*.deb "$fetched/" 2>/dev/null || true
}

run_in() {
        # $ is the inner shell's.
        # shellcheck disable=SC2016
        unshare --mount --pid --fork --kill-child=KILL /bin/sh -ec '
                root=$1
                shift
                mount -t proc proc "$root/proc"
                mount -t sysfs -o ro sysfs "$root/sys"
                mount --rbind /dev "$root/dev"
                exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb \
                        chroot "$root" "$@"' sh "$@"
}

[[ $# -ge 2 ]] || usage
[[ $(id -u) -eq 0 ]] || { echo "root.sh needs root"; exit 77; }
case $1 in
make) make_root "$2" ;;
install) [[ $# -ge 3 ]] || usage; install_in "${@:2}" ;;
run) [[ $# -ge 3 ]] || usage; run_in "${@:2}" ;;
*) usage ;;
esac
