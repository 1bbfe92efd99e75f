#!/bin/bash
# SPDX-License-Identifier: MIT
#
# public_header.sh CC - par.h alone, in every dialect that a user may have
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
cc=${1:?usage: public_header.sh CC}
cxx=$(command -v g++ || command -v clang++ || true)
header=$here/../../client/par.h

for std in c99 c11 c17 gnu17; do
        echo '#include "par.h"' | "$cc" -std=$std -pedantic-errors -Wall -Wextra -Wconversion -Werror \
                -fsyntax-only -I"${header%/*}" -x c -
done
[[ -n $cxx ]] || { echo "no C++ compiler is installed"; exit 77; }
for std in c++11 c++17 c++20; do
        echo '#include "par.h"' | "$cxx" -std=$std -pedantic-errors -Wall -Wextra -Wconversion -Werror \
                -fsyntax-only -I"${header%/*}" -x c++ -
done
