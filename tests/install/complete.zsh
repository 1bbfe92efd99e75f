# SPDX-License-Identifier: MIT
#
# complete.zsh DIR - what zsh offers at the end of each line of standard input, a line each: "LINE" a tab, and the
# words. DIR has the completion functions. A zsh on a terminal of its own is asked: completion exists only there.
zmodload zsh/zpty

offers=$(mktemp) prepare=$(mktemp)
cat >$prepare <<END
PS1= PS2=
fpath=(${(q)1} \$fpath)
offers=${(q)offers}
END
cat >>$prepare <<'END'
autoload -Uz compinit && compinit -u -D
# Every match goes through compadd, which tells what it keeps where it is asked for that.
compadd() {
        if [[ ${@[1,(i)(-|--)]} != *-[OAD]\ * ]]; then
                local -a kept
                builtin compadd -A kept "$@"
                [[ -z $kept ]] || print -rl -- ${IPREFIX##*=}$^kept >>$offers
        fi
        builtin compadd "$@"
}
offer() {
        zle list-choices
        zle kill-buffer
        print -r -- "." >>$offers
}
zle -N offer
bindkey '^T' offer
print -r -- "." >>$offers
END

# wait_for_offers - into reply, until the "." that ends them
wait_for_offers() {
        local -i i
        for ((i = 0; i < 1000; i++)); do
                reply=(${(f)"$(<$offers)"})
                [[ $reply[-1] != . ]] || break
                # What it prints must go somewhere.
                while zpty -rt shell >/dev/null; do :; done
                sleep 0.01
        done
        : >$offers
        reply[-1]=()
        ((i < 1000))
}

zpty -b shell zsh -f -i
zpty -w shell "source $prepare"
wait_for_offers || { print -u2 "zsh does not start"; exit 1 }
while IFS= read -r line; do
        zpty -w -n shell "$line"$'\C-T'
        wait_for_offers || { print -u2 "zsh does not answer"; exit 1 }
        print -r -- "$line"$'\t'"${(j: :)${(@ou)reply}}"
done
zpty -d shell
rm -f $offers $prepare
