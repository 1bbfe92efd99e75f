# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# complete.bash - what bash offers at the end of each line of standard input, a line each: "LINE" a tab, and the words.
# Completions are loaded as they are by everybody: on demand, from XDG_DATA_DIRS.
. /usr/share/bash-completion/bash_completion

while IFS= read -r line; do
        # As readline cuts it: at spaces, and at what is in COMP_WORDBREAKS, which stands for itself.
        mapfile -t COMP_WORDS < <(grep -oE '[=:]+|[^=: ]+' <<<"$line")
        [[ $line != *' ' && -n $line ]] || COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        COMP_LINE=$line COMP_POINT=${#line}
        export COMP_TYPE=9 COMP_KEY=9
        complete -p parctl >/dev/null 2>&1 || _completion_loader parctl
        function=$(complete -p parctl | sed 's/.* -F \([^ ]*\) .*/\1/')
        COMPREPLY=()
        "$function" parctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" 2>/dev/null || true
        printf '%s\t%s\n' "$line" "$(printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort -u | paste -sd ' ')"
done
