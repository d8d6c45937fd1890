#!/usr/bin/env bash
# includes.sh BUILD: which file may know which, and the habits that a compiler does not check. Prints TAP.
#
# BUILD is where the generated headers are. The sources are those beside this script, or SOURCE from the environment.
set -u
build=$(cd "${1:?usage: includes.sh BUILD}" && pwd) || exit 1
tidy=$(cd "$(dirname "$0")" && pwd)
cd "${SOURCE:-$tidy/../..}" || exit 1
number=0 failures=0

verdict() {
    number=$((number + 1))
    if [ -z "$2" ]; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        printf '%s\n' "$2" | sed 's/^/# /'
        failures=$((failures + 1))
    fi
}

ours=$(find common sentinel proxy cacheworker ctl tests -name '*.[ch]' 2>/dev/null | sort)
# A program that runs while building is no part of the core that it stands beside.
cores=$(find common sentinel proxy cacheworker -name '*.[ch]' 2>/dev/null |
    grep -v -e '/shell/' -e '/main\.c$' -e '^common/command/command_slots\.c$' | sort)
if [ -z "$ours" ] || [ -z "$cores" ]; then
    echo "not ok 1 - there are sources in $PWD"
    echo "1..1"
    exit 1
fi

# Lines "file line header" of the includes in quotes, or in angle brackets, of the files given.
quoted() {
    grep -Hn '^ *# *include *"' "$@" | sed 's/^\([^:]*\):\([0-9]*\):[^"]*"\([^"]*\)".*/\1 \2 \3/'
}
angled() {
    grep -Hn '^ *# *include *<' "$@" | sed 's/^\([^:]*\):\([0-9]*\):[^<]*<\([^>]*\)>.*/\1 \2 \3/'
}

core_knows_no_shell() {
    quoted $cores | awk '$3 ~ /(^|\/)(shell|ctl|tests)\// { print $1 ":" $2 ": a core includes " $3 }'
}

core_headers_are_allowed() {
    {
        sed 's/#.*//' "$tidy/allowed_headers.txt" | awk 'NF { print "allowed", $1, $2 }'
        angled $cores | sed 's/^/used /'
    } | awk '
        $1 == "allowed" { if ($3 == "") everywhere[$2] = 1; else at[$3, $2] = 1 }
        $1 == "used" && !($4 in everywhere) && !(($2, $4) in at) { print $2 ":" $3 ": a core includes <" $4 ">" }'
}

arrows_hold() {
    quoted $ours | awk '
        { split($1, from, "/"); split($3, to, "/") }
        from[1] == "tests" || from[1] == to[1] || to[1] == "common" { next }
        to[1] ~ /^(sentinel|proxy|cacheworker|ctl|tests)$/ { print $1 ":" $2 ": " from[1] " includes " $3 }'
}

includes_are_spelled_from_the_root() {
    quoted $ours | while read -r file line header; do
        case $header in
        config.h) ;;
        *../* | ./*) echo "$file:$line: \"$header\" is relative" ;;
        *) [ -f "$header" ] || [ -f "$build/$header" ] || echo "$file:$line: \"$header\" does not exist from the root" ;;
        esac
    done
}

own_header_comes_first() {
    local file header first
    for file in $ours; do
        header=${file%.c}.h
        [ "$header" != "$file" ] && [ -f "$header" ] || continue
        first=$(grep -m 1 '^ *# *include' "$file")
        [ "$first" = "#include \"$header\"" ] || echo "$file: begins with $first"
    done
}

guards_are_paths() {
    local file guard
    for file in $ours; do
        [ "${file%.h}" != "$file" ] || continue
        guard=$(printf '%s' "$file" | tr 'a-z/.' 'A-Z__')
        grep -qx "#ifndef $guard" "$file" && grep -qx "#define $guard" "$file" && [ "$(tail -n 1 "$file")" = '#endif' ] ||
            echo "$file: no guard $guard around the whole"
    done
}

no_markers_are_left() {
    find . \( -name '.git' -o -name 'build*' -o -name 'autom4te.cache' -o -name 'corpus' -o -path './tests/tidy' -o \
        -path './m4' \) -prune -o -type f \( -name '*.[ch]' -o -name '*.def' -o -name '*.mk' -o -name '*.am' -o \
        -name '*.ac' -o -name '*.sh' -o -name '*.py' -o -name '*.md' -o -name '*.txt' \) -print |
        xargs grep -nwE 'TODO|FIXME|XXX|HACK' | cut -c -160
}

verdict "a core includes nothing of a shell" "$(core_knows_no_shell)"
verdict "a core includes only the system headers it may" "$(core_headers_are_allowed)"
verdict "daemons do not include one another, common includes none" "$(arrows_hold)"
verdict "includes are spelled from the root, and exist" "$(includes_are_spelled_from_the_root)"
verdict "a file includes its own header first" "$(own_header_comes_first)"
verdict "header guards are the path in capitals" "$(guards_are_paths)"
verdict "no marker of unfinished work is left" "$(no_markers_are_left)"
echo "1..$number"
[ "$failures" -eq 0 ]
