#!/bin/bash
# SPDX-License-Identifier: MIT
#
# man.sh - the manual pages: mandoc finds nothing to say about them, no two describe the same name, and each name that
# they refer to is that of a page of ours, or none of ours
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../../docs/man"

command -v mandoc >/dev/null || { echo "mandoc is not installed"; exit 77; }
status=0

mandoc -T lint -W warning ./*.[1-9] || status=1

# What groff says, which is what man(1) uses here; it knows other complaints than mandoc.
for page in *.[1-9]; do
        said=$(groff -mdoc -Tutf8 -ww -z "$page" 2>&1)
        [[ -z $said ]] || { echo "$said"; status=1; }
done

# "NAME SECTION" for each name that a page describes
described() {
        for page in *.[1-9]; do
                sed -n '/^\.Sh NAME$/,/^\.Sh/s/^\.Nm \([^ ]*\).*/\1/p' "$page" | sed "s/\$/ ${page##*.}/"
        done
}
names=$(described | LC_ALL=C sort)
twice=$(uniq -d <<<"$names")
[[ -z $twice ]] || { echo "described by two pages: $twice"; status=1; }

for page in *.[1-9]; do
        # The page has the name of its file.
        grep -qxF "${page%.*} ${page##*.}" <<<"$names" || { echo "$page does not describe ${page%.*}"; status=1; }
        while read -r name section; do
                [[ $name == par* || $name == libpar* ]] || continue
                grep -qxF "$name $section" <<<"$names" ||
                        { echo "$page refers to $name($section), which is not there"; status=1; }
        done < <(sed -n 's/^\.It Xr \([^ ]*\) \([0-9]\).*/\1 \2/p; s/^\.Xr \([^ ]*\) \([0-9]\).*/\1 \2/p' "$page")
done
exit $status
