#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_packages.sh DEBS - the packages in a clean Debian: apt installs them with what they depend on, the daemon runs
# there as somebody else than root, a program is compiled against the library and gets memory, and nothing is left when
# they are purged
set -euo pipefail
debs=${1:?usage: test_packages.sh DEBS}
here=$(dirname "$(readlink -f "$0")")

[[ $(id -u) -eq 0 ]] || { echo "a root of our own needs root"; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/par-root.XXXXXX")
trap 'rm -rf --one-file-system "$dir"' EXIT
root=$dir/root

# files - everything in the root but what apt, dpkg and the running of programs leave behind
files() {
        find "$root" -xdev -path "$root/debs" -prune -o -path "$root/proc" -prune -o -path "$root/sys" -prune -o \
                -path "$root/dev" -prune -o -path "$root/tmp/*" -prune -o -path "$root/var/cache/*" -prune -o \
                -path "$root/var/log/*" -prune -o -path "$root/var/lib/apt/*" -prune -o \
                -path "$root/var/lib/dpkg/*-old" -prune -o -printf '/%P\n' | LC_ALL=C sort
}
inside() { "$here/root.sh" run "$root" /bin/bash -euo pipefail -c "$1"; }

"$here/root.sh" make "$root"
files >"$dir/before"
"$here/root.sh" install "$root" "$debs"/pard_*.deb "$debs"/libpar0_*.deb "$debs"/libparheap0_*.deb \
        "$debs"/libpar-dev_*.deb

# ---- installed ------------------------------------------------------------------------------
inside '
        getent passwd pard >/dev/null
        getent group pard pard-admin >/dev/null
        [[ $(systemctl is-enabled pard.socket pard.service | sort -u) == enabled ]]
        [[ -d /run/pard ]]
        pard --check-config
        ! ldd /usr/bin/pard /usr/bin/parctl | grep "not found"
        for name in parctl.1 pard.8 pard.conf.5; do [[ -e /usr/share/man/man${name##*.}/$name.gz ]]; done
        [[ -e /usr/share/man/man3/par_free.3.gz ]]
        bash -n /usr/share/bash-completion/completions/parctl'

# ---- used, by a user whom nobody prepared anything for --------------------------------------
cat >"$root/tmp/use.sh" <<'EOS'
set -euo pipefail
cd "$(mktemp -d)"
export PAR_SOCKET=$PWD/pard.sock
pard --config /usr/share/doc/pard/examples/conf/sim.conf --socket "$PAR_SOCKET" 2>log &
for ((i = 0; i < 600; i++)); do
        ! parctl --json status 2>/dev/null | grep -q '"state": "ready"' || break
        sleep 0.1
done
parctl status || { cat log; exit 1; }
parctl pools
cc -Wall -Werror -o hello /usr/share/doc/libpar-dev/examples/hello_par.c $(pkg-config --cflags --libs libpar)
./hello
cc -Wall -Werror -o ring /usr/share/doc/libpar-dev/examples/ring.c $(pkg-config --cflags --libs libpar)
./ring
for driver in edu_dma nvme_io; do
        cc -Wall -Werror -o $driver /usr/share/doc/libpar-dev/examples/$driver.c $(pkg-config --cflags --libs libpar)
        ! ./$driver # without a device
done
kill %1
wait %1
[[ ! -e $PAR_SOCKET ]]
EOS
inside 'useradd --system tester && setpriv --reuid tester --regid tester --clear-groups bash /tmp/use.sh' >"$dir/used" 2>&1 ||
        { cat "$dir/used"; exit 1; }
grep -q '^backend  *sim$' "$dir/used"
grep -Eq '^0x[0-9a-f]+ is 0x[0-9a-f]+$' "$dir/used"

# ---- installed again: a configuration that was changed stays --------------------------------
inside '
        echo "log_level = notice" >>/etc/pard/pard.conf
        apt-get install -q -y --reinstall /debs/pard_*.deb >/tmp/log 2>&1 </dev/null || { cat /tmp/log; exit 1; }
        [[ $(tail -n 1 /etc/pard/pard.conf) == "log_level = notice" ]]
        apt-get remove -q -y pard >/tmp/log 2>&1 </dev/null || { cat /tmp/log; exit 1; }
        [[ -e /etc/pard/pard.conf && ! -e /usr/bin/pard ]]'

# ---- purged ---------------------------------------------------------------------------------
inside '
        userdel tester
        apt-get purge -q -y --auto-remove pard libpar0 libparheap0 libpar-dev >/tmp/log 2>&1 </dev/null || { cat /tmp/log; exit 1; }
        ! dpkg-query -W pard libpar0 libparheap0 libpar-dev 2>/dev/null | grep .'
# The user and the groups stay, as those of other packages do; passwd and its like have backups now.
files | grep -vx '/etc/\(passwd\|group\|shadow\|gshadow\|subuid\|subgid\)-\|/etc/\.pwd\.lock' >"$dir/after"
if LC_ALL=C comm -13 "$dir/before" "$dir/after" | grep .; then
        echo "is left after the packages were purged"
        exit 1
fi
