#!/bin/bash
# SPDX-License-Identifier: MIT
#
# install.sh SCOPE - install the Debian packages of packages.txt that are missing
#
# SCOPE is "build" (to build and to run the demo) or "check" (to run all tests as well). Touches nothing, and asks
# for no password, where nothing is missing.
set -euo pipefail

scope=${1:?usage: install.sh build|check}
list=$(dirname "$(readlink -f "$0")")/packages.txt

wanted() {
        case $scope in
        build) awk '$1 == "build" { print $2 }' "$list" ;;
        check) awk '$1 == "build" || $1 == "check" { print $2 }' "$list" ;;
        *)
                echo "install.sh: unknown scope $scope" >&2
                return 2
                ;;
        esac
}

missing=()
for package in $(wanted); do
        status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
        [[ $status == "install ok installed" ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

if ! command -v apt-get >/dev/null; then
        echo "install.sh: this is no Debian; please install what these packages have: ${missing[*]}" >&2
        exit 1
fi

as_root=()
if [[ $(id -u) -ne 0 ]]; then
        if ! command -v sudo >/dev/null; then
                echo "install.sh: neither root nor sudo; please install: ${missing[*]}" >&2
                exit 1
        fi
        as_root=(sudo)
fi

echo "installing: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 "$@" \
                </dev/null >"$log" 2>&1
}
# The lists of a fresh machine may be missing or old: fetch them only where the first try fails.
if ! apt install --no-install-recommends "${missing[@]}"; then
        if ! apt update || ! apt install --no-install-recommends "${missing[@]}"; then
                cat "$log" >&2
                exit 1
        fi
fi
