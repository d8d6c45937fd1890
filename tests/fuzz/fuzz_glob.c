/* A pattern, a NUL, and a text: the matcher agrees with one that tries everything, where that one is not too slow. */
#include "common/base/glob.h"
#include "common/base/mem.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum { SLOW_MAX = 14 }; /* letters; the other matcher takes exponential time */

/* One letter against the set that begins behind `[`; moves the pattern behind the set. */
static bool is_in_set(struct slice *pattern, unsigned char letter)
{
    size_t at = 0;
    bool is_negated = at < pattern->length && pattern->data[at] == '^';
    bool found = false;
    at += is_negated;
    for (;; at++) {
        if (at + 1 < pattern->length && pattern->data[at] == '\\') {
            at++;
            found |= (unsigned char)pattern->data[at] == letter;
        } else if (at >= pattern->length) {
            break;
        } else if (pattern->data[at] == ']') {
            at++;
            break;
        } else if (at + 2 < pattern->length && pattern->data[at + 1] == '-') {
            unsigned char low = (unsigned char)pattern->data[at], high = (unsigned char)pattern->data[at + 2];
            found |= low <= high ? letter >= low && letter <= high : letter >= high && letter <= low;
            at += 2;
        } else {
            found |= (unsigned char)pattern->data[at] == letter;
        }
    }
    *pattern = slice_skip(*pattern, at < pattern->length ? at : pattern->length);
    return found != is_negated;
}

static bool match(struct slice pattern, struct slice text)
{
    if (pattern.length == 0)
        return text.length == 0;
    if (pattern.data[0] == '*') {
        for (size_t skipped = 0; skipped <= text.length; skipped++)
            if (match(slice_skip(pattern, 1), slice_skip(text, skipped)))
                return true;
        return false;
    }
    if (text.length == 0)
        return false;
    unsigned char letter = (unsigned char)text.data[0];
    struct slice rest = slice_skip(pattern, 1);
    bool fits;
    if (pattern.data[0] == '?') {
        fits = true;
    } else if (pattern.data[0] == '[') {
        fits = is_in_set(&rest, letter);
    } else {
        if (pattern.data[0] == '\\' && pattern.length > 1) {
            pattern = rest;
            rest = slice_skip(rest, 1);
        }
        fits = (unsigned char)pattern.data[0] == letter;
    }
    return fits && match(rest, slice_skip(text, 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, 0, size);
    if (size == 0 || !end)
        return 0;
    struct slice pattern = slice_of((const char *)data, (size_t)(end - data));
    struct slice text = slice_of((const char *)end + 1, size - pattern.length - 1);
    char *blocks[2] = {fuzz_exact_copy(pattern), fuzz_exact_copy(text)};
    pattern.data = blocks[0];
    text.data = blocks[1];
    bool is_match = glob_match(pattern, text, false);
    (void)glob_match(pattern, text, true); /* a range in small letters is another one: nothing follows for it */
    if (pattern.length <= SLOW_MAX && text.length <= SLOW_MAX)
        CHECK(is_match == match(pattern, text));
    mem_free(blocks[0]);
    mem_free(blocks[1]);
    return 0;
}
