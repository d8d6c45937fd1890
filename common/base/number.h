/* number.h: strict conversion between numbers and their decimal text. */
#ifndef COMMON_BASE_NUMBER_H
#define COMMON_BASE_NUMBER_H

#include "common/base/check.h"
#include "common/base/slice.h"

#include <stdint.h>

enum {
    NUMBER_TEXT_MAX = 24,          /* the longest text of a 64-bit number fits, sign included */
    NUMBER_DOUBLE_TEXT_MAX = 2048, /* a double written out exactly, to the last decimal, has up to 1077 bytes */
};

/* The canonical form only, as Redis' string2ll: no spaces, no plus sign, no leading zeros. ERR_INVALID or ERR_RANGE. */
MUST_CHECK int number_parse_i64(struct slice text, int64_t *ret_number);
MUST_CHECK int number_parse_u64(struct slice text, uint64_t *ret_number);

/* The whole text, shorter than NUMBER_DOUBLE_TEXT_MAX, as a double: "inf", "-inf", exponents and hexadecimal digits
 * allowed; NaN, spaces, overflow and underflow to zero refused. ERR_INVALID. */
MUST_CHECK int number_parse_double(struct slice text, double *ret_number);

/* The same as a C string, which ends at a NUL: spaces before the number are skipped, and no text at all is 0. What is
 * too big or too small for a double is refused. */
MUST_CHECK int number_read_double(struct slice text, double *ret_number);

/* Write the text without a terminating NUL and return its length; `text` has NUMBER_TEXT_MAX bytes. */
size_t number_format_u64(char *text, uint64_t number);
size_t number_format_i64(char *text, int64_t number);

/* The text that Redis 7.2 writes, byte by byte ("0.1", "1e-7", "1e+100", "-0", "inf", "nan"): it reads back as the same
 * double, and is nearly always the shortest that does (grisu.h); 32 bytes suffice. */
size_t number_format_double(char *text, double number);

#endif
