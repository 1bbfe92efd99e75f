#!/bin/bash
# SPDX-License-Identifier: MIT
#
# build.sh OUT - build the Debian packages from a clean copy of this tree; OUT is emptied first and then has them.
# DEB_BUILD_OPTIONS is passed on: nocheck leaves the unit tests out.
set -euo pipefail
top=$(readlink -f "$(dirname "$(readlink -f "$0")")/../..")
out=${1:?usage: build.sh OUT}

command -v dh >/dev/null || { echo "debhelper is not installed"; exit 77; }
copy=$(mktemp -d "${TMPDIR:-/tmp}/par-package.XXXXXX")
trap 'rm -rf "$copy"' EXIT

# What belongs to the tree: nothing that was built here before.
cd "$top"
mkdir "$copy/pard"
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files -z --cached --others --exclude-standard | xargs -0 ls -d 2>/dev/null |
                tar -c --no-recursion --files-from - | tar -x -C "$copy/pard"
else
        tar -c --exclude ./build --exclude './build-*' . | tar -x -C "$copy/pard"
fi

# Without a compiler cache: to share objects between folders ccache makes their names relative, and then the packages are
# not those that anybody else builds.
export CCACHE_DISABLE=1
DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-} parallel=$(nproc)"
export DEB_BUILD_OPTIONS
cd "$copy/pard"
dpkg-buildpackage --build=binary --no-sign >"$copy/log" 2>&1 || { grep -vE "^\[[0-9]+/" "$copy/log" | tail -n 60; exit 1; }
if grep -E '^(dh_missing|dpkg-gensymbols|dpkg-shlibdeps): warning' "$copy/log"; then
        exit 1
fi
rm -rf "$out"
mkdir -p "$out"
mv "$copy"/*.deb "$copy"/*.changes "$copy"/*.buildinfo "$out"
cp "$copy/log" "$out/build.log"
