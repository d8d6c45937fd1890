#!/usr/bin/env bash
# Every C file is formatted as .clang-format (version 14) says. Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
count=0 bad=0
while IFS= read -r file; do
    count=$((count + 1))
    if ! clang-format --dry-run -Werror "$file" 2>/dev/null; then
        echo "# $file: run clang-format -i on it"
        bad=$((bad + 1))
    fi
done < <(find common sentinel proxy cacheworker ctl tests -name '*.[ch]' | sort)
if [ "$count" -gt 0 ] && [ "$bad" -eq 0 ]; then
    echo "ok 1 - $count files are formatted"
else
    echo "not ok 1 - $bad of $count files are not formatted"
fi
echo "1..1"
[ "$bad" -eq 0 ]
