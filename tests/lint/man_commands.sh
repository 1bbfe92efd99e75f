#!/bin/bash
# SPDX-License-Identifier: MIT
#
# man_commands.sh PARD PARCTL - pard(8) and parctl(1) against what --help says: every command and option is there, and
# none that does not exist, the same of the journal's fields; and parctl understands the examples
set -euo pipefail
pard=${1:?usage: man_commands.sh PARD PARCTL} parctl=$2
top=$(readlink -f "$(dirname "$(readlink -f "$0")")/../..")
page=$top/docs/man/parctl.1
status=0

# same WHAT PAGE HELP - two lists of words
same() {
        local page help
        page=$(tr ' ' '\n' <<<"$2" | grep . | LC_ALL=C sort -u || true)
        help=$(tr ' ' '\n' <<<"$3" | grep . | LC_ALL=C sort -u || true)
        [[ $page == "$help" ]] && return
        echo "$1: the page (<) and --help (>) differ:"
        diff <(echo "$page") <(echo "$help") || status=1
}

# helped PROGRAM... - options in the help of it, but for those that stand in its prose
helped() { "$@" --help | grep -oE '^  --[a-z][a-z-]*' | tr -d ' ' | tr '\n' ' '; }
# options TEXT - options in mdoc
options() { { grep -oE '\bFl -[a-z][a-z-]*' <<<"$1" || true; } | sed 's/^Fl -/--/' | tr '\n' ' '; }

same "pard(8)" "$(options "$(<"$top/docs/man/pard.8")")" "$(helped "$pard")"

same "fields of the journal" "$(grep -oE '\bEv PAR_[A-Z]+' "$top/docs/man/pard.8" | cut -c 4- | tr '\n' ' ')" \
        "$(grep -oE '"PAR_[A-Z]+=' "$top/daemon/log/journal.c" | tr -d '"=' | tr '\n' ' ')"

# ---- parctl ---------------------------------------------------------------------------------
# under HEADING - options that are items there
under() {
        options "$(awk -v heading="$1" '/^\.S[hs] / { inside = substr($0, 5) == heading; next } inside && /^\.It /' "$page")"
}
general=$(under DESCRIPTION)
same "parctl" "$general" "$(helped "$parctl")"
commands=$("$parctl" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
documented=$(sed -n '/^\.Sh COMMANDS/,/^\.Sh/s/^\.It Ic \([a-z]*\).*/\1/p' "$page")
same "commands of parctl" "$documented" "$commands"

for command in $commands; do
        # Its own line, continued or not, and the groups that it refers to.
        line=$(awk -v start="^\\\\.It Ic $command( |\$)" '/\\$/ { sub(/\\$/, ""); held = held $0; next }
                { $0 = held $0; held = "" } $0 ~ start' "$page")
        takes=$(options "$line")
        [[ $line != *"Ar range"* ]] || takes+=$(under "Ranges")
        [[ $line != *"Ar order"* ]] || takes+=$(under "Order")
        [[ $line != *"Ar selection"* ]] || takes+=$(under "Selections")
        [[ $line != *"Ar limits"* ]] || takes+=$(under "Limits of a request")
        same "parctl $command" "$takes $general" "$(helped "$parctl" "$command")"
done

# Nobody listens: any status but that of wrong usage will do.
examples=0
while read -r line; do
        examples=$((examples + 1))
        line=${line//\\(dq/\"}
        got=0
        PAR_SOCKET=/nonexistent/pard.sock PATH=$(dirname "$parctl"):$PATH bash -c "$line" >/dev/null 2>&1 || got=$?
        [[ $got -eq 4 || $got -eq 125 ]] || { echo "parctl(1): \"$line\" ends with $got"; status=1; }
done < <(sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/s/^\.Dl [#$] //p' "$page")
[[ $examples -gt 0 ]] || { echo "parctl(1) has no examples"; status=1; }
exit $status
