#!/bin/bash
# SPDX-License-Identifier: MIT
#
# sbom.sh BUILD_DIR VERSION - every file has a licence and a copyright holder, as reuse sees it; the bill of materials
# has each file with its checksum and each library with its version, is SPDX of the form "tag: value", and is the same
# again
set -euo pipefail
top=$(readlink -f "$(dirname "$(readlink -f "$0")")/../..")
build=$1 version=$2
command -v reuse >/dev/null || { echo "reuse is not installed"; exit 77; }

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export SOURCE_DATE_EPOCH=1800000000
for name in one two; do
        "$top/docs/make-sbom.sh" "$dir/$name" "$build" "$version"
done
cmp "$dir/one" "$dir/two"
grep -qx 'Created: 2027-01-15T08:00:00Z' "$dir/one"
cd "$top"

# ---- the form: what is there once, that each name is one thing's, and that relations lead somewhere ----
awk '
        function bad(why) { print FNR ": " why ": " $0; failed = 1; exit }
        function each(name, tags, all, i) {
                split(tags, all)
                for (i in all)
                        if (count[all[i]] != count[name]) {
                                print all[i] ": " count[all[i]] + 0 " times, and " name ": " count[name]
                                failed = 1
                        }
        }
        /^$/ { next }
        !/^[A-Z][A-Za-z0-9]*: ./ { bad("no tag and value") }
        { tag = $1; sub(/:$/, "", tag); count[tag]++ }
        /<text>/ && !/<\/text>/ { bad("a text over several lines") }
        tag == "SPDXID" { if ($2 in ids) bad("named twice"); ids[$2] = 1 }
        tag == "Relationship" { from[FNR] = $2; to[FNR] = $4; if ($3 !~ /^[A-Z_]+$/) bad("no relation") }
        tag == "FileChecksum" && ($2 != "SHA1:" || length($3) != 40 || $3 ~ /[^0-9a-f]/) { bad("no checksum") }
        tag == "LicenseInfoInFile" && $2 != "MIT" { bad("another licence") }
        END {
                split("SPDXVersion DataLicense DocumentName DocumentNamespace Created", once)
                for (i in once) if (count[once[i]] != 1) { print once[i] ": " count[once[i]] + 0 " times"; failed = 1 }
                for (line in from)
                        if (!(from[line] in ids) || !(to[line] in ids)) {
                                print "line " line ": nothing of that name"
                                failed = 1
                        }
                each("FileName", "FileChecksum LicenseConcluded LicenseInfoInFile FileCopyrightText")
                each("PackageName", "PackageVersion PackageDownloadLocation PackageLicenseDeclared PackageCopyrightText")
                exit failed
        }' "$dir/one"

# ---- the files: reuse leaves out the licence's own text, links and what is empty ----------------------
sed -n 's/^FileName: //p; s/^FileChecksum: SHA1: //p' "$dir/one" | paste - - | awk -F '\t' '{ print $2 "  " $1 }' >"$dir/sums"
sha1sum --quiet -c "$dir/sums"
for file in client/session/par.c client/par.h daemon/main.c proto/par.proto docs/man/pard.8 README.md debian/control; do
        grep -qF "  ./$file" "$dir/sums" || { echo "$file is not there"; exit 1; }
done

# ---- the libraries -----------------------------------------------------------------------------
for file in daemon/pard client/parctl/parctl client/libpar.so client/heap/libparheap.so; do
        readelf -dW "$build/$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
done | grep -v '^libpar\.so' | LC_ALL=C sort -u >"$dir/wanted"
sed -n 's/^PackageComment: <text>\([^;]*\); linked with: .*/\1/p' "$dir/one" | LC_ALL=C sort >"$dir/listed"
diff "$dir/wanted" "$dir/listed"
grep -q '^Relationship: SPDXRef-par STATIC_LINK SPDXRef-library-libjemalloc' "$dir/one" || { echo "jemalloc is not there"; exit 1; }
sed -n 's/^PackageName: //p; s/^PackageVersion: //p' "$dir/one" | paste - - | while read -r package number; do
        [[ $package == par && $number == "$version" ]] ||
                [[ $(dpkg-query -W -f '${Version}\n' "$package" | head -n 1) == "$number" ]] ||
                { echo "$package is not $number here"; exit 1; }
done
