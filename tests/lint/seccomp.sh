#!/bin/bash
# SPDX-License-Identifier: MIT
#
# seccomp.sh [--print] - docs/security.md names the system calls of the worker and of the opener as daemon/confine.c has
# them. --print: what would have to stand there.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

# calls ARRAY - the system calls in one of its lists, each once
calls() {
        sed -n "/^static const .* $1\[\] = {/,/^};/p" daemon/confine.c | grep -o 'SCMP_SYS([a-z0-9_]*)' | sed 's/SCMP_SYS(//; s/)//' |
                sort -u | paste -sd ' '
}
lists() {
        printf '```\n'
        {
                echo "worker, whatever the arguments: $(calls allowed)"
                echo "worker, with certain arguments: $(calls exacts) tgkill"
                echo "worker, ends the process: $(calls deadly)"
                echo "opener: $(calls opener_allowed); openat to read"
        } | fold -s -w 118 | sed 's/ *$//'
        printf '```\n'
}

for array in allowed exacts deadly opener_allowed; do
        [[ -n $(calls "$array") ]] || { echo "daemon/confine.c has no list $array"; exit 1; }
done
if [[ ${1:-} == --print ]]; then lists; exit; fi
told=$(awk '/^### The worker.s system calls/ { there = 1 } there && /^```/ { n++ } there && n { print } n == 2 { exit }' docs/security.md)
diff <(echo "$told") <(lists) || { echo "docs/security.md tells another list than daemon/confine.c (tests/lint/seccomp.sh --print)"; exit 1; }
