/* long_double.h: the numbers of INCRBYFLOAT, read and written as Redis does. */
#ifndef CACHEWORKER_STRING_LONG_DOUBLE_H
#define CACHEWORKER_STRING_LONG_DOUBLE_H

#include "common/base/check.h"
#include "common/base/slice.h"

enum { CW_LONG_DOUBLE_TEXT_MAX = 5 * 1024 }; /* 4933 digits before the point, 17 behind it */

/* The whole text, shorter than CW_LONG_DOUBLE_TEXT_MAX, "inf" and exponents allowed; NaN, spaces, overflow and
 * underflow are not. ERR_INVALID. */
MUST_CHECK int cw_long_double_parse(struct slice text, long double *ret_number);

/* Seventeen digits behind the point, without the zeros at the end, no exponent. Returns the length. */
size_t cw_long_double_format(char *text, long double number);

#endif
