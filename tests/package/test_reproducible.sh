#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_reproducible.sh DEBS - the packages in this folder agree to the byte with what the same sources give elsewhere:
# built again in a folder of another name, on another day, in another locale and time zone, by a user of another name, on a
# machine of another name, with another umask
set -euo pipefail
debs=${1:?usage: test_reproducible.sh DEBS}
here=$(dirname "$(readlink -f "$0")")

command -v faketime >/dev/null || { echo "faketime is not installed"; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/par-again.XXXXXX")
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/another folder" "$dir/home"

# Another name of the machine takes root.
machine=()
[[ $(id -u) -ne 0 ]] || machine=(unshare --uts sh -c 'hostname elsewhere && exec "$@"' sh)
(
        umask 077
        export TMPDIR="$dir/another folder" HOME="$dir/home" USER=somebody LOGNAME=somebody
        export LC_ALL=C.UTF-8 LANG=C.UTF-8 TZ=Pacific/Kiritimati DEB_BUILD_OPTIONS=nocheck
        # The times of files stay true, or what has just been written looks older than what it was made of.
        NO_FAKE_STAT=1 nice "${machine[@]}" faketime -f +400d "$here/build.sh" "$dir/packages"
)

failures=0
for deb in "$debs"/*.deb; do
        again=$dir/packages/${deb##*/}
        cmp "$deb" "$again" && continue
        failures=$((failures + 1))
        mkdir -p "$dir/one" "$dir/two"
        dpkg-deb -R "$deb" "$dir/one" && dpkg-deb -R "$again" "$dir/two"
        diff -r "$dir/one" "$dir/two" | head -n 20 || true
        diff <(dpkg-deb -c "$deb") <(dpkg-deb -c "$again") | head -n 20 || true
        rm -rf "$dir/one" "$dir/two"
done
diff <(cd "$debs" && ls -- *.deb) <(cd "$dir/packages" && ls -- *.deb)
[[ $failures -eq 0 ]]
