#include "common/base/glob.h"

#include "common/base/check.h"

static unsigned char fold(char byte, bool ignore_case)
{
    return (unsigned char)(ignore_case && byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
}

/* Whether `byte` is of the class that opens at `*at`; moves `*at` behind it. A class without its ']' ends with the
 * pattern, as in Redis. */
static bool class_matches(struct slice pattern, size_t *at, unsigned char byte, bool ignore_case)
{
    size_t i = *at + 1;
    bool negated = i < pattern.length && pattern.data[i] == '^';
    bool found = false;
    for (i += negated ? 1 : 0; i < pattern.length && pattern.data[i] != ']'; i++) {
        bool escaped = pattern.data[i] == '\\' && i + 1 < pattern.length;
        i += escaped ? 1 : 0;
        unsigned char low = fold(pattern.data[i], ignore_case);
        unsigned char high = low;
        if (!escaped && i + 2 < pattern.length && pattern.data[i + 1] == '-') {
            high = fold(pattern.data[i + 2], ignore_case);
            i += 2;
        }
        if (low > high) {
            unsigned char swapped = low;
            low = high;
            high = swapped;
        }
        found = found || (byte >= low && byte <= high);
    }
    *at = i < pattern.length ? i + 1 : i;
    return found != negated;
}

/* Whether the element at `*at`, which is not a star, takes this byte; moves `*at` behind it if so. */
static bool element_matches(struct slice pattern, size_t *at, char text_byte, bool ignore_case)
{
    unsigned char byte = fold(text_byte, ignore_case);
    size_t i = *at;
    bool matches;
    switch (pattern.data[i]) {
    case '?':
        matches = true;
        i++;
        break;
    case '[': matches = class_matches(pattern, &i, byte, ignore_case); break;
    case '\\':
        if (i + 1 < pattern.length)
            i++;
        FALLTHROUGH;
    default:
        matches = fold(pattern.data[i], ignore_case) == byte;
        i++;
        break;
    }
    if (matches)
        *at = i;
    return matches;
}

bool glob_match(struct slice pattern, struct slice text, bool ignore_case)
{
    size_t p = 0;
    size_t t = 0;
    bool starred = false;
    size_t star_p = 0; /* behind the last star */
    size_t star_t = 0; /* how far that star reaches at least */
    while (t < text.length) {
        if (p < pattern.length && pattern.data[p] == '*') {
            starred = true;
            star_p = ++p;
            star_t = t;
        } else if (p < pattern.length && element_matches(pattern, &p, text.data[t], ignore_case)) {
            t++;
        } else if (starred) {
            /* The last star takes one byte more; earlier stars need not be tried again. */
            p = star_p;
            t = ++star_t;
        } else {
            return false;
        }
    }
    while (p < pattern.length && pattern.data[p] == '*')
        p++;
    return p == pattern.length;
}
