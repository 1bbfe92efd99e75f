#!/bin/bash
# SPDX-License-Identifier: MIT
#
# reproducible.sh BUILD_DIR - what a build tree installs agrees to the byte with what the same sources give elsewhere:
# built again in folders of other names, at another time, in another locale and time zone, by another number of jobs,
# with another umask, and without a compiler cache
set -euo pipefail
top=$(readlink -f "$(dirname "$(readlink -f "$0")")/../..")
build=$(readlink -f "${1:?usage: reproducible.sh BUILD_DIR}")

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# cached NAME - its value in the build tree
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }

# fingerprint ROOT - one line for each file, with its type, mode and sum
fingerprint() {
        (cd "$1" && find . ! -type d -printf '%y %m %p %l\n' | LC_ALL=C sort &&
                find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
}

again() {
        mkdir -p "$dir/a copy of the sources"
        cd "$top"
        # What belongs to the tree, and all that CMake reads: nothing that was built here before.
        tar -c --exclude ./build --exclude './build-*' --exclude ./.git . | tar -x -C "$dir/a copy of the sources"
        find "$dir/a copy of the sources" -type f -exec touch -d '2001-02-03 04:05:06 UTC' {} +
        umask 077
        export LC_ALL=C.UTF-8 LANG=C.UTF-8 TZ=Pacific/Kiritimati HOME=$dir USER=somebody LOGNAME=somebody
        export CCACHE_DISABLE=1
        unset SOURCE_DATE_EPOCH
        cmake -G Ninja -S "$dir/a copy of the sources" -B "$dir/elsewhere" -DPAR_TESTS=OFF \
                -DCMAKE_C_COMPILER="$(cached CMAKE_C_COMPILER)" -DCMAKE_BUILD_TYPE="$(cached CMAKE_BUILD_TYPE)" \
                -DCMAKE_INSTALL_PREFIX="$(cached CMAKE_INSTALL_PREFIX)" -DCMAKE_C_FLAGS="$(cached CMAKE_C_FLAGS)" &&
                nice cmake --build "$dir/elsewhere" -j "$(($(nproc) + 1))" &&
                DESTDIR=$dir/second cmake --install "$dir/elsewhere"
}

DESTDIR=$dir/first cmake --install "$build" >"$dir/log" || { cat "$dir/log"; exit 1; }
(again) >"$dir/log" 2>&1 || { tail -n 40 "$dir/log"; exit 1; }
fingerprint "$dir/first" >"$dir/one"
fingerprint "$dir/second" >"$dir/two"
[[ $(grep -c . "$dir/one") -gt 20 ]]
if ! diff "$dir/one" "$dir/two"; then
        echo "is not the same when it is built again"
        exit 1
fi
