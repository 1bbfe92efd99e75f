#!/bin/bash
# SPDX-License-Identifier: MIT
#
# man_library.sh CC - the pages of section 3 against the public headers: every function, constant, struct, field and result is
# there, nothing that does not exist, prototypes are those of the header, and the examples compile
set -euo pipefail
cc=${1:?usage: man_library.sh CC}
top=$(readlink -f "$(dirname "$(readlink -f "$0")")/../..")
headers=("$top"/client/par*.h "$top"/client/heap/par*.h)
cd "$top/docs/man"
dir=$(mktemp -d "${TMPDIR:-/tmp}/par-man.XXXXXX")
trap 'rm -rf "$dir"' EXIT
status=0
header=$dir/all.h
cat "${headers[@]}" >"$header"
includes=(-I"$top/client" -I"$top/client/heap")

wrong() {
        echo "$*"
        status=1
}

# section TITLE FILE... - what stands under a heading
section() {
        local title=$1
        shift
        awk -v title=".Sh $title" '/^\.Sh / { inside = $0 == title; next } inside' "$@"
}

# literal FILE... - literal blocks as they are read; a form feed behind each
literal() {
        awk '/^\.Bd -literal/ { inside = 1; next }
             /^\.Ed/ { if (inside) print "\f"; inside = 0; next }
             inside { gsub(/\\e/, "\\"); gsub(/\\&/, ""); print }' "$@"
}

# prototypes FILE... - the synopsis in C
prototypes() {
        awk '
                function words(line,    n, i, part) { # what stands between quotes, or between spaces
                        n = 0
                        while (match(line, /"[^"]*"|[^ "]+/)) {
                                part = substr(line, RSTART, RLENGTH)
                                gsub(/"/, "", part)
                                word[++n] = part
                                line = substr(line, RSTART + RLENGTH)
                        }
                        return n
                }
                function print_it() {
                        print type, name "(" (arguments == "" ? "void" : arguments) ");"
                }
                function add(argument) { arguments = arguments (arguments == "" ? "" : ", ") argument }
                /^\.Ft / { type = substr($0, 5) }
                /^\.Fn / { n = words(substr($0, 5)); name = word[1]; arguments = ""
                           for (i = 2; i <= n; i++) add(word[i])
                           print_it() }
                /^\.Fo / { name = $2; arguments = "" }
                /^\.Fa / { words(substr($0, 5)); add(word[1]) }
                /^\.Fc/ { print_it() }' < <(section SYNOPSIS "$@")
}

# ---- functions: each once, with the prototype of the header ---------------------------------
declared=$(for header in "${headers[@]}"; do "$cc" -E -P "${includes[@]}" "$header"; done | tr '\n' ' ' |
        sed 's/{[^{}]*}/;/g; s/{[^{}]*}/;/g' |
        grep -oE '\bpar_[a-z_]+ *\(' | tr -d ' (' | LC_ALL=C sort -u)
prototypes ./*.3 >"$dir/prototypes"
shown=$(grep -oE '\bpar_[a-z_]+\(' "$dir/prototypes" | tr -d '(' | LC_ALL=C sort)
[[ $shown == "$declared" ]] || wrong "synopses (<) and headers (>) differ:
$(diff <(echo "$shown") <(echo "$declared"))"
{ printf '#include <%s>\n' "${headers[@]##*/}" && cat "$dir/prototypes"; } >"$dir/prototypes.c"
"$cc" -std=c17 -Wall -Wextra -Werror -fsyntax-only "${includes[@]}" "$dir/prototypes.c" ||
        wrong "a synopsis has another prototype than its header"

# ---- names: all that are there, and no other ------------------------------------------------
for page in *.3; do
        for name in $(sed -n '/^\.Sh NAME$/,/^\.Sh/s/^\.Nm \([^ ]*\).*/\1/p' "$page"); do
                [[ $name == libpar || $name == "${page%.3}" ]] || grep -qxF "$name" <<<"$declared" ||
                        wrong "$page: there is no function $name"
        done
        for name in $(sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESC/s/^\.F[no] \([^ ]*\).*/\1/p' "$page"); do
                sed -n '/^\.Sh NAME$/,/^\.Sh/p' "$page" | grep -qE "^\.Nm $name( ,)?\$" ||
                        wrong "$page: $name is not in its NAME"
        done
done
for constant in $(grep -ohE '\bPAR_[A-Z_]+\b' "${headers[@]}" | sort -u |
        grep -vxE 'PAR_([A-Z]+_)?H|PAR_MUST_CHECK|PAR_ALLOC_|PAR_CONNECT_|PAR_SLAB_|PAR_IOVA_|PAR_MAP_|PAR_MAPPING_|PAR_'); do
        grep -qE "\b$constant\b" ./*.3 || wrong "no page tells of $constant"
done
while read -r name; do
        case $name in
        PAR_DEBUG) ;; # the environment's
        *) cat "${headers[@]}" | grep -cE "\b$name\b" >/dev/null || wrong "no header has $name" ;;
        esac
done < <(sed -s '/^\.Dt/d' ./*.3 | grep -oE '\b(PAR|par)_[A-Za-z_]+\b' | sort -u)

# ---- structs: as in the header, with every field --------------------------------------------
awk '/^struct [a-z_]+ \{$/, /^};$/' "${headers[@]}" >"$dir/header-structs"
literal ./*.3 | awk '/^struct [a-z_]+ \{$/, /^};$/' >"$dir/page-structs"
sorted() { awk '{ printf "%s%s", $0, /^};/ ? "\n" : "|" }' "$1" | LC_ALL=C sort; }
diff <(sorted "$dir/page-structs") <(sorted "$dir/header-structs") ||
        wrong "structs of the pages (<) and of the headers (>) differ"
for page in *.3; do
        for field in $(literal "$page" | awk '/^struct [a-z_]+ \{$/ { inside = 1; next } /^};$/ { inside = 0 } inside' |
                sed 's/.*(\*\([a-z_]*\))(.*/\1;/' | grep -oE '[a-z_]+(\[[0-9]*\])?[,;]' | sed 's/[^a-z_].*//'); do
                grep -qE "^\.It Fa (.* Fa )?$field( |\$)" "$page" || wrong "$page: no word on the field $field"
        done
done

# ---- results: those that the header names ---------------------------------------------------
# returns NAME - the results in the comment above a function
returns() {
        awk -v name="$1" '/^\/\*/ { text = "" } { text = text $0 "\n" }
                $0 ~ "[ *]" name "\\(.*" && !/^ \*/ && !/^\/\*/ { print text; exit }' "${headers[@]}" |
                sed -n '/Return:/,/\*\//p' | grep -oE '\-(PAR_)?[A-Z_]+[A-Z]\b' || true
}
for page in *.3; do
        want=$(for name in $(section SYNOPSIS "$page" | sed -n 's/^\.F[no] \([^ ]*\).*/\1/p'); do
                returns "$name"
        done | LC_ALL=C sort -u)
        have=$(section "RETURN VALUES" "$page" | grep -oE '\bFl (PAR_)?[A-Z_]+[A-Z]\b' | sed 's/^Fl /-/' |
                LC_ALL=C sort -u || true)
        [[ $want == "$have" ]] || wrong "$page: its results (<) and those of its header (>) differ:
$(diff <(echo "$have") <(echo "$want"))"
done

# ---- examples -------------------------------------------------------------------------------
for page in *.3; do
        section EXAMPLES "$page" >"$dir/examples"
        literal "$dir/examples" | awk -v base="$dir/${page%.3}" '
                BEGIN { file = base "-" ++n ".c" } /^\f$/ { file = base "-" ++n ".c"; next } { print >file }'
        [[ -e $dir/${page%.3}-1.c ]] || wrong "$page has no example"
done
for example in "$dir"/*-[0-9].c; do
        "$cc" -std=c17 -Wall -Wextra -Wno-missing-prototypes -Werror -fsyntax-only "${includes[@]}" "$example" ||
                wrong "an example of ${example##*/} does not compile"
done
exit $status
