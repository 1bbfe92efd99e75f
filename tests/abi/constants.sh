#!/bin/bash
# SPDX-License-Identifier: MIT
#
# constants.sh CC - whether every constant of the reference's par.h is in par.h with the same value
#
# Results and events are passed as plain integers, so the comparison of the libraries does not see them.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
cc=${1:?usage: constants.sh CC}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Enumerators, and macros with a value; the version is meant to change.
names=$(grep -oE '\bPAR_[A-Z0-9_]+\b' "$here/par-0.1.h" | grep -vE '^PAR_(H|MUST_CHECK|SOCKET|DEBUG|VERSION_.*)$' |
        sort -u)

# values HEADER - each name with its value
values() {
        {
                printf '#include "%s"\n#include <stdio.h>\nint main(void)\n{\n' "$1"
                for name in $names; do
                        [[ $name == *_ ]] || printf 'printf("%s %%llu\\n", (unsigned long long)%s);\n' "$name" "$name"
                done
                printf 'return 0;\n}\n'
        } >"$dir/values.c"
        "$cc" -o "$dir/values" "$dir/values.c"
        "$dir/values"
}

values "$here/par-0.1.h" >"$dir/old"
values "$(readlink -f "$here/../../client")/par.h" >"$dir/new"
[[ $(wc -l <"$dir/old") -gt 15 ]]
diff "$dir/old" "$dir/new"
