#!/bin/bash
# SPDX-License-Identifier: MIT
#
# packages.sh - debian/control names the packages that are needed to build, those of tests/support/packages.txt; and
# the symbols of the libraries the functions of their maps
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

# What every Debian build has is not named there, nor is debhelper here.
diff <(awk '$1 == "build" { print $2 }' tests/support/packages.txt | grep -vxE 'gcc|libc6-dev' | LC_ALL=C sort) \
        <(sed -n '/^Build-Depends:/,/^$/s/^ \([a-z0-9-]*\).*/\1/p' debian/control | grep -vE '^(debhelper|dh)-' |
                LC_ALL=C sort) ||
        { echo "tests/support/packages.txt (<) and Build-Depends (>) differ"; exit 1; }

for library in libpar heap/libparheap; do
        symbols=debian/${library##*/}0.symbols
        diff <(sed -n 's/^ *\(par_[a-z_]*\);/\1/p' client/$library.map | LC_ALL=C sort) \
                <(sed -n 's/^ \(par_[a-z_]*\)@.*/\1/p' "$symbols" | LC_ALL=C sort) ||
                { echo "client/$library.map (<) and $symbols (>) differ"; exit 1; }
done
