#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_containers.sh DEBS CONF - pard in one container and its clients in others, as docs/containers.md tells: run by
# podman with what conf/kubernetes says, on real hugepages; a client comes by the socket's folder, or by CDI, has no
# privilege at all, and a user namespace of its own; and still finds a pard that was started again
set -euo pipefail
debs=${1:?usage: test_containers.sh DEBS CONF}
conf=${2:?usage: test_containers.sh DEBS CONF}
here=$(dirname "$(readlink -f "$0")")
nr=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages

for tool in podman runc mmdebstrap; do
        command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
if [[ $(id -u) -ne 0 || ! -w $nr ]]; then
        echo "skipped: containers with hugepages take root, and a system that has them"
        exit 77
fi
# Mounts of our own, and processes: whatever happens, both end with this script.
if [[ -z ${PAR_CONTAINERS_INSIDE:-} ]]; then
        PAR_CONTAINERS_INSIDE=1 exec unshare --mount --pid --fork --kill-child=KILL --mount-proc "$0" "$@"
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/par-containers.XXXXXX")
chmod 0711 "$dir" # a user namespace's root goes through it
before=$(<"$nr")
parent=${dir##*/} # of the containers' cgroups
end() {
        podman rm --all --force --time 5 >/dev/null 2>&1 || true
        echo "$before" >"$nr"
        # A command that was run in a container is taken apart after it has ended; and podman leaves mounts, the last
        # made first, in its storage.
        for ((i = 0; i < 50; i++)); do
                awk -v under="$dir/" 'index($5, under) == 1 { print $5 }' /proc/self/mountinfo | tac |
                        xargs --no-run-if-empty --max-args 1 umount --lazy 2>/dev/null || true
                rm -rf --one-file-system "$dir/storage" 2>/dev/null && break
                sleep 0.1
        done
        find /sys/fs/cgroup -depth -type d -path "*/$parent*" -exec rmdir {} + 2>/dev/null || true
        rm -rf --one-file-system "$dir"
}
trap end EXIT

fail() {
        echo "FAILED: $*"
        podman logs pard 2>&1 | tail -n 20 || true
        exit 1
}

# podman COMMAND... - with a place of its own for all that it keeps
podman() {
        command podman --root "$dir/storage" --runroot "$dir/run" --tmpdir "$dir/tmp" --runtime runc \
                --cgroup-manager cgroupfs --events-backend none "$@"
}
# Its own default limits are more than a container may have that runs this. pard has the frames of its pool twice.
options=(--network none --cgroup-parent "/$parent" --ulimit nofile=4096:4096 --ulimit nproc=512:512)

# run OPTION... -- COMMAND... - in a container of which nothing is left
run() {
        local own=()
        while [[ $1 != -- ]]; do own+=("$1"); shift; done
        shift
        podman run --rm "${options[@]}" "${own[@]}" --rootfs "$root" "$@"
}

# manifest NAME - its options go to own, its command to command
manifest() {
        local line to="own"
        own=() command=()
        mkdir -p "$dir/config.$1"
        "$here/podman_options.py" "$conf/kubernetes/$1.yaml" "$dir/config.$1" >"$dir/options"
        while IFS= read -r line; do
                if [[ $line == -- && $to == own ]]; then to="command"; continue; fi
                if [[ $to == own ]]; then own+=("$line"); else command+=("$line"); fi
        done <"$dir/options"
}

await() {
        local name=$1
        shift
        for ((i = 0; i < 600; i++)); do
                if "$@" >/dev/null 2>&1; then return 0; fi
                sleep 0.1
        done
        fail "$name: not within a minute"
}
ready() { podman exec pard parctl --json pools | jq -e '.pools[0].state == "ready"'; }
clients() { podman exec pard parctl --json clients; }

# ---- the host: a folder for the socket, the CDI file, and hugepages ------------------------------
root=$dir/root
"$here/root.sh" make "$root"
"$here/root.sh" install "$root" "$debs"/libpar0_*.deb "$debs"/pard_*.deb
# What podman mounts something on: in there a user namespace's root can make nothing.
mkdir -p "$root/run/pard"
touch "$root/run/.containerenv"
mount -t tmpfs par-containers /run
mkdir -p /run/pard /run/cdi
cp "$conf/cdi/pard.json" /run/cdi/
echo $((before + 32)) >"$nr"

# ---- the daemon, as the DaemonSet has it -----------------------------------------------------
manifest pard
podman run --detach --name pard "${options[@]}" "${own[@]}" --rootfs "$root" "${command[@]}" >/dev/null
await "pard is ready" ready
podman exec pard parctl status >"$dir/out"
grep -qx 'pinned  *yes' "$dir/out" || fail "pages are not pinned: $(cat "$dir/out")"
[[ $(stat -c '%a %g' /run/pard/pard.sock) == "660 7277" ]] || fail "the socket: $(stat /run/pard/pard.sock)"

# ---- a client, as the pod has it ---------------------------------------------------------------
manifest driver
run "${own[@]}" -- "${command[@]}" >"$dir/out" 2>&1 || fail "the driver's pod: $(cat "$dir/out")"
grep -q '^0x[0-9a-f]* *0x[0-9a-f]* *64K' "$dir/out" || fail "no addresses: $(cat "$dir/out")"
bare=(--cap-drop=all --read-only)
run "${bare[@]}" --user 1000:1000 --volume /run/pard:/run/pard:ro -- parctl status >"$dir/out" 2>&1 &&
        fail "who is not in the group connects"

# ---- by CDI ----------------------------------------------------------------------------------
cdi=(--device par.local/pard=socket)
run "${bare[@]}" "${cdi[@]}" --user 1000:7277 -- parctl alloc --size 6M --max-segments any -- true >"$dir/out" 2>&1 ||
        fail "by CDI: $(cat "$dir/out")"
run "${bare[@]}" "${cdi[@]}" --user 0:7277 -- touch /run/pard/left 2>/dev/null && fail "the folder can be written to"

# ---- a user namespace of its own: root in there is nobody here ---------------------------------
mapped=(--uidmap 0:100000:65536 --gidmap 0:100000:7277 --gidmap 7277:7277:1 --gidmap 7278:107278:1000 --group-add 7277)
podman run --detach --name mapped "${options[@]}" "${mapped[@]}" --volume /run/pard:/run/pard:ro --rootfs "$root" \
        parctl alloc --size 4K --hold 1000 >/dev/null
shown() { clients | jq -e 'any(.clients[]; .uid == 100000)'; }
await "its uid is the one outside" shown
run "${mapped[@]}" --volume /run/pard:/run/pard:ro -- parctl grow any --to 64M >"$dir/out" 2>&1 &&
        fail "root of a user namespace is an administrator"
grep -q 'for administrators' "$dir/out" || fail "another refusal: $(cat "$dir/out")"
podman rm --force --time 0 mapped >/dev/null

# ---- another pard: found in the folder, and not behind a mount of the former socket ---------------
idle() {
        podman run --detach --name "$1" "${options[@]}" --user 1000:7277 --volume "$2" --rootfs "$root" \
                sleep infinity >/dev/null
}
idle by_folder /run/pard:/run/pard:ro
idle by_socket /run/pard/pard.sock:/run/pard/pard.sock
for name in by_folder by_socket; do
        podman exec "$name" parctl status >/dev/null || fail "$name: no pard"
done
podman restart --time 60 pard >/dev/null
await "the next pard is ready" ready
podman exec by_folder parctl status >/dev/null || fail "the next pard is not found in the folder"
podman exec by_socket parctl status >/dev/null 2>&1 && fail "the folder need not be mounted, it seems"

# ---- the end ----------------------------------------------------------------------------------
podman stop --time 60 pard >/dev/null
[[ $(podman inspect --format '{{.State.ExitCode}}' pard) == 0 ]] || fail "pard did not end well"
# The folder is root's, so the socket stays, for the next pard to replace; whoever connects is told that there is none.
status=0
podman exec by_folder parctl status >/dev/null 2>&1 || status=$?
[[ $status -eq 4 ]] || fail "after the end parctl ended with $status instead of 4"
free=${nr%/*}/free_hugepages
all_free() { [[ $(<"$free") -ge 32 ]]; }
await "all hugepages are free again" all_free
