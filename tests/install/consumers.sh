#!/bin/bash
# SPDX-License-Identifier: MIT
#
# consumers.sh BUILD_DIR CC - install into an empty root, and build and run a ten-line program against it through
# pkg-config and through CMake's find_package, from C and from C++
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
build=${1:?usage: consumers.sh BUILD_DIR CC}
cc=$2
cxx=$(command -v g++ || command -v clang++ || true)
[[ -n $cxx ]] || { echo "no C++ compiler is installed"; exit 77; }

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

DESTDIR=$root cmake --install "$build" >"$root/log" || { cat "$root/log"; exit 1; }

# one NAME - the one file of that name (or whose path ends so) in the root
one() {
        local found
        found=$(find "$root" -path "*/$1" ! -type d)
        [[ -n $found && $found != *$'\n'* ]] || { echo "installed of $1: ${found:-nothing}" >&2; return 1; }
        echo "$found"
}
mapfile -t headers < <(cd "$here/../../client" && printf '%s\n' par*.h && cd heap && printf '%s\n' par*.h)
for name in bin/pard bin/parctl "${headers[@]}" libpar.so libpar.so.0 libpar.pc libparheap.so libparheap.so.0 \
        libparheap.pc etc/pard/pard.conf etc/pard/devices/nvme.conf pard.service pard.socket \
        pard-metrics.socket man8/pard.8 man1/parctl.1 man5/pard.conf.5 man3/libpar.3 man3/par_free.3 \
        bash-completion/completions/parctl site-functions/_parctl; do
        one "$name" >/dev/null
done
libraries=$(dirname "$(one libpar.so.0)")
pc=$(one libpar.pc)
package=$(dirname "$(one parConfig.cmake)")

export PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=${pc%/*}
[[ $(pkg-config --modversion libpar) == 0.* ]]
read -ra flags <<<"$(pkg-config --cflags --libs libpar)"
"$cc" -Wall -Wextra -Werror -o "$root/hello-pc" "$here/hello.c" "${flags[@]}"
cp "$here/hello.c" "$root/hello.cpp"
"$cxx" -Wall -Wextra -Werror -o "$root/hello-pc-cxx" "$root/hello.cpp" "${flags[@]}"
read -ra flags <<<"$(pkg-config --cflags --libs libparheap)"
"$cc" -Wall -Wextra -Werror -o "$root/heap-pc" "$here/heap.c" "${flags[@]}"

cmake -G Ninja -S "$here/consumer" -B "$root/consumer" -Dpar_DIR="$package" -DCMAKE_C_COMPILER="$cc" \
        -DCMAKE_CXX_COMPILER="$cxx" >"$root/log" 2>&1 || { cat "$root/log"; exit 1; }
cmake --build "$root/consumer" >"$root/log" 2>&1 || { cat "$root/log"; exit 1; }

# A socket that nobody listens on.
perl -MSocket -e 'socket(S, PF_UNIX, SOCK_SEQPACKET, 0) && bind(S, sockaddr_un($ARGV[0])) or die' "$root/stale"

# expect PROGRAM SOCKET ERRNO
expect() {
        local status=0
        LD_LIBRARY_PATH=$libraries PAR_SOCKET=$2 "$1" >"$root/out" || status=$?
        [[ $status -eq $3 ]] || { echo "$1 with $2: $status instead of $3: $(<"$root/out")"; return 1; }
        # A reason in brackets, too.
        grep -q '(..*)' "$root/out"
}
for program in hello-pc hello-pc-cxx consumer/hello consumer/hello-cxx; do
        expect "$root/$program" "$root/nothing" 2  # ENOENT
        expect "$root/$program" "$root/stale" 111  # ECONNREFUSED
done
for program in heap-pc consumer/heap consumer/heap-cxx; do
        LD_LIBRARY_PATH=$libraries "$root/$program" >"$root/out" || { echo "$program: $(<"$root/out")"; exit 1; }
done
