#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make-sbom.sh OUT BUILD_DIR VERSION - write the bill of materials as an SPDX document: each file of the sources with its
# licence and checksum, as `reuse spdx` finds them; and each library that the programs and the libraries in BUILD_DIR are
# linked with, with its version as Debian's package manager knows it; jemalloc, which is inside of libparheap, among them.
#
# The same sources and libraries give the same document, but for the date, which SOURCE_DATE_EPOCH sets.
set -euo pipefail
out=${1:?usage: make-sbom.sh OUT BUILD_DIR VERSION}
build=$2 version=$3
top=$(readlink -f "$(dirname "$(readlink -f "$0")")/..")

dir=$(mktemp -d "${TMPDIR:-/tmp}/par-sbom.XXXXXX")
trap 'rm -rf "$dir"' EXIT

# sources TO - what belongs to the tree
sources() {
        cd "$top"
        if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
                git ls-files -z --cached --others --exclude-standard | xargs -0 ls -d 2>/dev/null |
                        tar -c --no-recursion --files-from - | tar -x -C "$1"
        else
                tar -c --exclude ./build --exclude './build-*' --exclude ./obj . | tar -x -C "$1"
        fi
}

# libraries - "FILE SONAME" for each library that one of our files is linked with
libraries() {
        local file
        for file in "$build/daemon/pard" "$build/client/parctl/parctl" "$build/client/libpar.so" \
                "$build/client/heap/libparheap.so"; do
                readelf -dW "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
                        while read -r soname; do
                                [[ $soname == libpar.so.* ]] || echo "$(basename "$file") $soname"
                        done
        done
}

# package_of SONAME - Debian's package that has it, with its architecture
package_of() {
        local path
        path=$(PATH=/sbin:/usr/sbin:$PATH ldconfig -p | awk -v name="$1" '$1 == name { print $NF; exit }')
        # The package may know it by the name before /lib became a link.
        { dpkg -S "$path" || dpkg -S "${path#/usr}" || dpkg -S "/usr$path"; } 2>/dev/null | head -n 1 | sed 's/: .*//'
}

# describe_library PACKAGE ID RELATIONSHIP COMMENT - one that is linked with
describe_library() {
        local name=${1%:*} architecture=${1##*:} number
        number=$(dpkg-query -W -f '${Version}' "$1")
        cat <<EOF

PackageName: $name
SPDXID: SPDXRef-library-$2
PackageVersion: $number
PackageSupplier: Organization: Debian
PackageDownloadLocation: NOASSERTION
FilesAnalyzed: false
PackageLicenseConcluded: NOASSERTION
PackageLicenseDeclared: NOASSERTION
PackageCopyrightText: NOASSERTION
PackageComment: <text>$4</text>
ExternalRef: PACKAGE-MANAGER purl pkg:deb/debian/$name@${number//+/%2B}?arch=$architecture
Relationship: SPDXRef-par $3 SPDXRef-library-$2
EOF
}

# describe_libraries - packages, and who is linked with them
describe_libraries() {
        local package users
        libraries >"$dir/linked"
        cut -d ' ' -f 2 "$dir/linked" | LC_ALL=C sort -u | while read -r soname; do
                package=$(package_of "$soname")
                users=$(awk -v name="$soname" '$2 == name { print $1 }' "$dir/linked" | xargs)
                describe_library "$package" "${soname//[^A-Za-z0-9.-]/-}" DYNAMIC_LINK "$soname; linked with: $users"
        done
        package=$(dpkg-query -W -f '${Package}:${Architecture}' libjemalloc-dev)
        describe_library "$package" libjemalloc-pic.a STATIC_LINK "libjemalloc_pic.a; inside of libparheap.so"
}

describe_par() {
        cat <<EOF

PackageName: par
SPDXID: SPDXRef-par
PackageVersion: $version
PackageSupplier: Organization: The PAR developers
PackageDownloadLocation: NOASSERTION
FilesAnalyzed: false
PackageLicenseConcluded: MIT
PackageLicenseDeclared: MIT
PackageCopyrightText: <text>2026 The PAR developers</text>
Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-par
EOF
}

command -v reuse >/dev/null || { echo "make-sbom.sh: reuse is not installed" >&2; exit 77; }
mkdir "$dir/par-$version"
sources "$dir/par-$version"
reuse --root "$dir/par-$version" lint >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
reuse --root "$dir/par-$version" spdx >"$dir/files" 2>"$dir/log" || { cat "$dir/log" >&2; exit 1; }
{
        describe_par
        describe_libraries
} >"$dir/packages"
# Of its own accord reuse names each document by chance. What it writes is good by 2.2 as well, which has package URLs.
name=$(cat <(grep -E '^File(Name|Checksum):' "$dir/files") "$dir/packages" | sha256sum | cut -c 1-32)
created=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%dT%H:%M:%SZ)
sed -e 's/^SPDXVersion: .*/SPDXVersion: SPDX-2.2/' -e "s|^DocumentNamespace: .*|DocumentNamespace: http://spdx.org/spdxdocs/par-$version-$name|" \
        -e "s|^Created: .*|Created: $created|" \
        -e '/^Creator: Person: /d' -e 's/^Creator: Organization: .*/Creator: Organization: The PAR developers/' \
        -e 's/ describes / DESCRIBES /' "$dir/files" >"$dir/document"
cat "$dir/packages" >>"$dir/document"
mv "$dir/document" "$out"
