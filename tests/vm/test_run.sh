#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_run.sh BUILD - that run tells a test that failed, was skipped, never ended or left no result from one that passed
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
build=$1

dir=$(mktemp -d "${TMPDIR:-/tmp}/par-vm-test.XXXXXX")
trap 'rm -rf "$dir"' EXIT
export TMPDIR=$dir
failures=0
fail() {
        echo "FAILED: $*"
        cat "$dir/out"
        failures=$((failures + 1))
}

# expect STATUS TEXT OPTION... - what run exits with, and something that it says
expect() {
        local want=$1 text=$2 status=0
        shift 2
        "$here/run" --build "$build" "$@" >"$dir/out" 2>&1 || status=$?
        [[ $status -eq $want ]] || fail "$*: status $status, not $want"
        grep -qF -- "$text" "$dir/out" || fail "$*: it does not say \"$text\""
        # A QEMU of its own has the directory on its command line; the brackets keep grep from finding itself.
        ! grep -ls -- "[${dir:0:1}]${dir:1}" /proc/[0-9]*/cmdline || fail "$*: a process is left"
        ! ls -d "$dir"/par-vm* 2>/dev/null || fail "$*: its directory is left"
}

# Without a kernel, and without a way to get one.
mkdir "$dir/bin"
for tool in apt-get apt-cache sudo; do
        printf '#!/bin/sh\nexit 100\n' >"$dir/bin/$tool"
        chmod +x "$dir/bin/$tool"
done
PATH=$dir/bin:$PATH XDG_CACHE_HOME=$dir/cache CI='' expect 77 "no kernel" ending
PATH=$dir/bin:$PATH XDG_CACHE_HOME=$dir/cache CI=true expect 1 "in CI that is a failure" ending

# What follows takes one.
"$here/run" --build "$build" ending -- status 0 >"$dir/out" 2>&1
status=$?
[[ $status -ne 77 ]] || { cat "$dir/out" && exit 77; }
[[ $status -eq 0 ]] || fail "status 0: status $status"
grep -qxF "here is status 0, with uio uio_pci_generic" "$dir/out" || fail "status 0: where is its output, and its module?"
expect 1 "status 5" ending -- status 5
CI='' expect 77 "skipped" ending -- status 77
expect 1 "without a result" ending -- off
expect 1 "without a result" ending -- panic
expect 1 "was ended after 3 s" --timeout 3 ending -- hang

[[ $failures -eq 0 ]]
