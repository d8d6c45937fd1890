#!/usr/bin/env bash
# Every C file is formatted as .clang-format (version 14) says. Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
number=0 failed=0
while IFS= read -r file; do
    number=$((number + 1))
    if clang-format --dry-run -Werror "$file" 2>/dev/null; then
        echo "ok $number - $file"
    else
        echo "not ok $number - $file: run clang-format -i on it"
        failed=1
    fi
done < <(find common sentinel proxy cacheworker ctl tests -name '*.[ch]' | sort)
echo "1..$number"
exit $failed
