#!/usr/bin/env bash
# purity.sh BUILD: a core is events in, effects out. So its archive may leave undefined only what itself or the common
# core defines, or what allowed_symbols.txt names, and it may hold no variable. Prints TAP.
#
# BUILD is a plain build: a sanitizer brings symbols of its own.
set -u
build=${1:?usage: purity.sh BUILD}
tidy=$(cd "$(dirname "$0")" && pwd)
number=0 failures=0

# verdict DESCRIPTION OFFENCES: one test, well when there are no offences.
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

# Lines "object symbol" of what an archive's objects leave undefined, but for what is defined or allowed.
stray_symbols() {
    {
        sed 's/#.*//' "$tidy/allowed_symbols.txt" | awk 'NF { print "allowed", $1, $2 }'
        nm --defined-only "$1" "$build/libcommon_core.a" 2>/dev/null | awk 'NF == 3 { print "defined", $3 }'
        nm -A -u "$1" 2>/dev/null | sed 's/^[^:]*://; s/:/ /' | awk '{ print "undefined", $1, $NF }'
    } | awk '
        $1 == "allowed" { if ($3 == "") everywhere[$2] = 1; else at[$3, $2] = 1 }
        $1 == "defined" { everywhere[$2] = 1 }
        $1 == "undefined" && !($3 in everywhere) && !(($2, $3) in at) { print $2 " uses " $3 }' | sort -u
}

# Data that can change: what lies in .data, .bss, or is common or of a thread. Constants with pointers in them are moved
# to .data.rel.ro by the linker's relocation, and are none.
variables() {
    nm -A --format=sysv --defined-only "$1" 2>/dev/null | awk -F'|' '
        $NF ~ /^(\.data|\.bss|\.tdata|\.tbss|\*COM\*)/ && $NF !~ /^\.data\.rel\.ro/ { gsub(/ +/, "", $1); print $1 " is a variable" }'
}

for name in common sentinel proxy cacheworker; do
    archive=$build/lib${name}_core.a
    if [ ! -f "$archive" ]; then
        verdict "$name core is pure" "$archive is missing: build it first"
        continue
    fi
    verdict "$name core uses only what it may" "$(stray_symbols "$archive")"
    verdict "$name core has no variables" "$(variables "$archive")"
done
echo "1..$number"
[ "$failures" -eq 0 ]
