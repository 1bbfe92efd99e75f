#!/bin/bash
# SPDX-License-Identifier: MIT
#
# man_config.sh PARD - pard.conf(5) against the parser's keys and the shipped pard.conf: every key in its section, no
# other, with the same default, and fixed where it is; and its examples are good configurations
set -euo pipefail
pard=${1:?usage: man_config.sh PARD}
top=$(readlink -f "$(dirname "$(readlink -f "$0")")/../..")
page=$top/docs/man/pard.conf.5
dir=$(mktemp -d "${TMPDIR:-/tmp}/par-man.XXXXXX")
trap 'rm -rf "$dir"' EXIT
status=0

# "section.key value" for each item of the page; "?" where it shows no default
awk '
        BEGIN { section["GENERAL KEYS"] = ""; section["POOLS"] = "pool"; section["DEVICES"] = "device"
                section["Bus windows"] = "bus_window"
                section["Quotas"] = "quota"; section["Claims"] = "claim"; section["PCI devices"] = "pci"
                section["Users and groups"] = ""
                section["THE INVENTED MEMORY"] = "sim"; section["Extents"] = "extent" }
        /^\.S[hs] / { heading = substr($0, 5) }
        /^\.It Ic / {
                if (!(heading in section)) { print "a key under " heading > "/dev/stderr"; exit 1 }
                value = $0
                sub(/^[^=]*= /, "", value)
                if (value ~ /^Ar /) value = "?"
                if (sub(/^Qq /, "", value)) value = "\"" (value == "\\&" ? "" : value) "\""
                print section[heading] "." $3, value
        }' "$page" | LC_ALL=C sort >"$dir/page"

sed -n 's/^ *{ "\(.*\)", "\(.*\)", .*/\1.\2/p' "$top/daemon/config/config_keys.c" | LC_ALL=C sort >"$dir/keys"
[[ -s $dir/keys ]]
if ! diff <(awk '{ print $1 }' "$dir/page") "$dir/keys"; then
        echo "pard.conf(5) (<) and the parser's keys (>) differ"
        status=1
fi

# The same of the shipped file, of keys that are commented out.
awk '
        { line = $0; sub(/^ */, "", line) }
        line ~ /^(pool|quota|claim|device|bus_window|pci|sim|extent)[^=]*\{$/ { name[++depth] = line; sub(/ .*/, "", name[depth]) }
        line ~ /^\}/ { depth-- }
        match(line, /^#[a-z_]+ = /) {
                value = substr(line, RLENGTH + 1)
                sub(/^#/, "", line); sub(/ .*/, "", line)
                print name[depth] "." line, value
        }' "$top/conf/pard.conf" | LC_ALL=C sort >"$dir/file"
while read -r key value; do
        [[ $value != "?" ]] || continue
        grep -qxF "$key $value" "$dir/file" ||
                { echo "pard.conf(5): the default of $key is not $value, see conf/pard.conf"; status=1; }
done <"$dir/page"

# "(fixed)" stands where a key cannot change while pard runs.
awk '
        BEGIN { section["GENERAL KEYS"] = "top"; section["POOLS"] = "pool"; section["DEVICES"] = "device" }
        function flush() { if (key != "") print key, (text ~ /\(fixed\)/ ? "true" : "false"); key = "" }
        /^\.(S[hs]|It|El)/ { flush() }
        /^\.S[hs] / { heading = substr($0, 5) }
        /^\.It Ic / && heading in section { key = section[heading] "." $3; text = "" }
        { text = text $0 }' "$page" | LC_ALL=C sort >"$dir/page-fixed"
sed -n 's/^static const struct setting \([a-z]*\)_settings.*/\1/p
        s/^ *\(PLAIN(struct [a-z_]*,\|{\) "\([a-z_]*\)", \(true\|false\),.*/. \2 \3/p' \
        "$top/daemon/config/config_compare.c" |
        awk '$1 != "." { section = $1; next } section != "sim" { print section "." $2, $3 }' |
        grep -v '^pool\.\(quota\|claim\) ' | # these two are sections
        LC_ALL=C sort >"$dir/fixed"
[[ -s $dir/fixed ]]
while read -r key fixed; do
        grep -qxF "$key $fixed" "$dir/page-fixed" ||
                { echo "pard.conf(5): whether $key is fixed is told wrongly: it is \"$fixed\""; status=1; }
done <"$dir/fixed"

# An example each.
awk -v base="$dir/example" '/^\.Bd -literal/ { inside = ++n; next } /^\.Ed/ { inside = 0 }
        inside { print >(base n ".conf") }' "$page"
for example in "$dir"/example*.conf; do
        [[ $(id -u) -ne 0 ]] || sed -i '1i user = "65534"' "$example"
        "$pard" --check-config --config "$example" >"$dir/out" 2>&1 || { cat "$dir/out"; status=1; }
done
exit $status
