#!/bin/bash
# SPDX-License-Identifier: MIT
#
# readme.sh BUILD_DIR - the first driver of README.md, built and run by the lines that stand there, in a clone where ./demo has
# built
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
source=$(readlink -f "$here/../..")
clone=$(mktemp -d)
pard=

clean_up() {
        [[ -z $pard ]] || { kill "$pard" && wait "$pard"; } 2>/dev/null
        rm -rf "$clone"
}
trap clean_up EXIT

# pard is no longer root when it makes its socket there.
chmod 0755 "$clone"
cd "$clone" || exit
mkdir build && ln -s "${1:?usage: readme.sh BUILD_DIR}" build/demo
ln -s "$source/client" "$source/conf" .

mapfile -t lines < <(sed -n '/^build\/demo\/daemon\/pard /,/^```$/p' "$source/README.md" | sed '$d')
[[ ${#lines[@]} -eq 3 && ${lines[0]} == *" &" ]] || { echo "README.md: not the lines that were expected"; exit 1; }
eval "${lines[0]}"
pard=$!
for ((i = 0; i < 600; i++)); do
        [[ ! -S pard.sock ]] || break
        sleep 0.1
done
eval "${lines[1]}" || exit 1
eval "${lines[2]}" >out || { cat out; exit 1; }
grep -Eqx '0x[0-9a-f]+ is 0x[0-9a-f]{1,8}' out || { cat out; exit 1; }
