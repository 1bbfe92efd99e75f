#!/bin/bash
# SPDX-License-Identifier: MIT
#
# coverage.sh - how many lines of the files that it is for each fuzz target's corpus reaches
usage() {
        cat <<'EOT'
usage: tests/fuzz/coverage.sh [--files] [--build DIR] [--work DIR] [TARGET...]

  --files      each file, not only the sum of a target's
  --build DIR  where to build, without sanitizers and with clang's counters; build/fuzz-coverage
  --work DIR   what tests/fuzz/hour.sh was given: its corpora count as well
  TARGET       only these

Needs clang, and llvm-profdata and llvm-cov of its version (Debian: llvm-14).
EOT
}
set -euo pipefail
root=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
build=$root/build/fuzz-coverage
work= files=
targets=()
while [[ $# -gt 0 ]]; do
        case $1 in
        --files) files=1 && shift ;;
        --build) build=$2 && shift 2 ;;
        --work) work=$2 && shift 2 ;;
        -h | --help) usage && exit 0 ;;
        -*) usage >&2 && exit 2 ;;
        *) targets+=("$1") && shift ;;
        esac
done

# What each target is for: patterns of files below the root.
declare -A meant=(
        [fuzz_client]="client/base/*.c client/connection/*.c client/iommu/*.c client/buffer/*.c client/debug/*.c client/slab/*.c client/dma/*.c client/sg/*.c client/iova/*.c client/session/*.c"
        [fuzz_config]="daemon/config/*.c"
        [fuzz_fault_line]="client/parctl/fault_line.c"
        [fuzz_keeper]="daemon/keeper/*.c"
        [fuzz_ledger]="daemon/state/ledger*.c daemon/state/restore.c daemon/state/aside.c daemon/transport/records.c"
        [fuzz_message]="proto/*.c"
        [fuzz_session]="daemon/transport/*.c"
        [fuzz_sg]="client/sg/*.c"
        [fuzz_space]="daemon/core/*.c"
        [fuzz_state]="daemon/state/*.c"
)
[[ ${#targets[@]} -gt 0 ]] || mapfile -t targets < <(printf '%s\n' "${!meant[@]}" | sort)

version=$(clang -dumpversion)
version=${version%%.*}
for tool in llvm-profdata llvm-cov; do
        command -v "$tool-$version" >/dev/null || { echo "$tool-$version is not installed"; exit 77; }
done
flags="-O1 -fsanitize=fuzzer-no-link -fprofile-instr-generate -fcoverage-mapping"
cache=()
if command -v ccache >/dev/null; then
        cache=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
fi
cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=clang -DPAR_CHECKS=ON -DPAR_FUZZ=ON \
        -DCMAKE_C_FLAGS="$flags" "${cache[@]}" >/dev/null
cmake --build "$build" --target "${targets[@]}" >/dev/null

# report TARGET - llvm-cov's lines for the files that it is for
report() {
        local target=$1 binary=$build/tests/fuzz/$1 sources=() pattern dirs=("$root/tests/fuzz/corpus/$1")
        [[ -z $work || ! -d $work/$target/corpus ]] || dirs+=("$work/$target/corpus")
        for pattern in ${meant[$target]}; do
                # shellcheck disable=SC2206 # it is a pattern
                sources+=("$root"/$pattern)
        done
        LLVM_PROFILE_FILE=$build/$target.profraw "$binary" -runs=0 -max_len=65536 "${dirs[@]}" >"$build/$target.log" 2>&1
        "llvm-profdata-$version" merge -sparse "$build/$target.profraw" -o "$build/$target.profdata"
        "llvm-cov-$version" report "$binary" -instr-profile="$build/$target.profdata" "${sources[@]}"
}

printf '%-45s  %6s  %7s  %6s\n' target lines reached ""
for target in "${targets[@]}"; do
        report "$target" | awk -v target="$target" -v files="$files" '
                files && $1 ~ /\.c$/ { printf "  %-43s  %6d  %7d  %6s\n", $1, $8, $8 - $9, $10 }
                $1 == "TOTAL" { printf "%-45s  %6d  %7d  %6s\n", target, $8, $8 - $9, $10 }'
done
