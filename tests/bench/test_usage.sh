#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_usage.sh PAR-BENCH - that it helps, and that wrong usage ends with status 2 and says why
set -uo pipefail
bench=${1:?usage: test_usage.sh PAR-BENCH}
failures=0

# expect STATUS STREAM TEXT [ARGUMENT...] - it ends so, and the text is in the output (1) or among the errors (2)
expect() {
        local status=$1 stream=$2 text=$3 got=0 said
        shift 3
        if [[ $stream -eq 1 ]]; then
                said=$("$bench" "$@" 2>/dev/null) || got=$?
        else
                said=$("$bench" "$@" 2>&1 >/dev/null) || got=$?
        fi
        [[ $got -eq $status && $said == *"$text"* ]] && return
        printf 'par-bench %s: status %s, "%s"\n' "$*" "$got" "$said"
        failures=$((failures + 1))
}

expect 2 2 "Usage: par-bench"
expect 0 1 "Usage: par-bench" --help
expect 2 2 'no command "nothing"' nothing

# Each command that is listed there is.
commands=$("$bench" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p')
[[ -n $commands ]] || { echo "--help lists no commands"; failures=$((failures + 1)); }
for command in $commands; do
        expect 0 1 "Usage: par-bench $command" "$command" --help
        expect 2 2 "unrecognized option" "$command" --nonsense
done

expect 2 2 "--row nothing" path --row nothing
expect 2 2 "--rounds 0" path --rounds 0
expect 2 2 "--sessions 1001" path --sessions 1001

expect 2 2 "--size 3" engine --size 3
expect 2 2 "--size 0" engine --size 0
expect 2 2 "--size 2048T" engine --size 2048T
expect 2 2 "--fill 0" engine --fill 0
expect 2 2 "--fill 98" engine --fill 98
expect 2 2 "--fill 5x" engine --fill 5x
expect 2 2 "--placer pard" engine --placer pard
expect 2 2 "--churn 0" engine --churn 0
expect 2 2 "--samples 4294967296" engine --samples 4294967296
expect 2 2 "--seconds 0" engine --seconds 0
expect 2 2 "--seed x" engine --seed x
expect 2 2 '"size" is no option' engine size
expect 2 2 "requires an argument" engine --size
many=(--fill 1 --fill 2 --fill 3 --fill 4 --fill 5 --fill 6 --fill 7 --fill 8)
expect 2 2 "too many" engine "${many[@]}" --fill 9

expect 2 2 "--rounds 0" slab --rounds 0
expect 2 2 "--times x" slab --times x
expect 2 2 '"times" is no option' slab times
expect 2 2 "--rounds 0" heap --rounds 0
expect 2 2 "--rounds 1001" heap --rounds 1001
expect 2 2 "--pairs x" heap --pairs x
expect 2 2 '"json" is no option' heap json

expect 2 2 "--load 0" experiment --load 0
expect 2 2 "--seeds 0" experiment --seeds 0
expect 2 2 "--requests 0" experiment --requests 0
expect 2 2 "--placer pard" experiment --placer pard
expect 2 2 '"quick" is no option' experiment quick
expect 0 1 "two ends" experiment --list
expect 1 2 "no such mix" experiment --mix nothing
expect 1 2 "No such file" experiment --workload /nowhere
expect 1 2 "begins no statement" experiment --workload "$bench"
expect 1 2 "no marks" experiment --quick --mix board --machine board-4G --doc /dev/null

[[ $failures -eq 0 ]]
