#!/bin/bash
# SPDX-License-Identifier: MIT
#
# hardening.sh BUILD_DIR|DEBS - what is installed, by a build tree or by the packages in a folder: each program and
# library is position independent, with stack protector, fortified functions, read-only relocations, immediate binding
# and marks for indirect branches; nothing of it is writable and executable, needs text relocations, has a search path
# for libraries, or names the folder that it was built in
#
# hardening-check's own test of control flow protection looks for a mark that the linker only sets where all objects have
# it, and Debian 12's crti.o has none: so the instructions are counted instead.
set -euo pipefail
from=$(readlink -f "${1:?usage: hardening.sh BUILD_DIR|DEBS}")

command -v hardening-check >/dev/null || { echo "devscripts is not installed"; exit 77; }
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
shopt -s nullglob
debs=("$from"/*.deb)
if [[ ${#debs[@]} -gt 0 ]]; then
        for deb in "${debs[@]}"; do
                [[ $deb == *-dbgsym_* ]] || dpkg -x "$deb" "$root"
        done
        built_in=/par-package. # build.sh makes such a folder
else
        DESTDIR=$root cmake --install "$from" >"$root/log" || { cat "$root/log"; exit 1; }
        rm "$root/log"
        built_in=$from
fi

failures=0
fail() {
        echo "$name: $*"
        failures=$((failures + 1))
}

check() {
        local said
        said=$(hardening-check --nocfprotection "$1" 2>&1) || fail "$said"
        said=$(readelf -dW "$1" | grep -E '\((TEXTREL|RPATH|RUNPATH)\)|TEXTREL') && fail "$said"
        said=$(readelf -lW "$1" | grep -E '^  (LOAD|GNU_STACK).* RWE ') && fail "writable and executable: $said"
        readelf -lW "$1" | grep -qE '^  GNU_STACK.* RW ' || fail "no word about the stack"
        grep -qaF "$built_in" "$1" && fail "names $built_in"
        if [[ $(uname -m) == x86_64 ]]; then
                # A handful is in every program, from the C library. The jemalloc in libparheap is the distribution's,
                # built without: 60 are ours.
                said=$(objdump -d "$1" | grep -c endbr64) || true
                [[ $said -ge 40 ]] || fail "only $said marks for indirect branches"
        fi
        [[ -z $(find "$1" -perm /7000) ]] || fail "runs as somebody else than who starts it"
}

names=()
while read -r -d '' file; do
        [[ $(head -c 4 "$file") == $'\177ELF' ]] 2>/dev/null || continue
        name=${file#"$root"}
        names+=("${name##*/}")
        check "$file"
done < <(find "$root" -type f -print0 | LC_ALL=C sort -z)

for wanted in pard parctl 'libpar.so.*'; do
        # A pattern.
        # shellcheck disable=SC2053
        for found in "${names[@]}" ''; do [[ $found != $wanted ]] || continue 2; done
        name=$wanted fail "not installed"
done
[[ $failures -eq 0 ]]
