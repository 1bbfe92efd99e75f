#!/bin/bash
# SPDX-License-Identifier: MIT
#
# public_header.sh CC - each public header alone, in every dialect that a user may have
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
cc=${1:?usage: public_header.sh CC}
cxx=$(command -v g++ || command -v clang++ || true)
client=$here/../../client

# try COMPILER LANGUAGE STANDARD
try() {
        local header
        for header in "$client"/par*.h "$client"/heap/par*.h; do
                echo "#include <${header##*/}>" | "$1" -std="$3" -pedantic-errors -Wall -Wextra -Wconversion -Werror \
                        -fsyntax-only -I"$client" -I"$client/heap" -x "$2" -
        done
}

for std in c99 c11 c17 gnu17; do
        try "$cc" c "$std"
done
[[ -n $cxx ]] || { echo "no C++ compiler is installed"; exit 77; }
for std in c++11 c++17 c++20; do
        try "$cxx" c++ "$std"
done
