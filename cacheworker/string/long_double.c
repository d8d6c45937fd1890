#include "cacheworker/string/long_double.h"

#include "common/base/errors.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int cw_long_double_parse(struct slice text, long double *ret_number)
{
    char copy[CW_LONG_DOUBLE_TEXT_MAX];
    if (text.length == 0 || text.length >= sizeof(copy) || isspace((unsigned char)text.data[0]))
        return ERR_INVALID;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    char *end;
    errno = 0;
    long double number = strtold(copy, &end);
    if (end != copy + text.length || isnan(number))
        return ERR_INVALID;
    if (errno == ERANGE && (isinf(number) || number == 0))
        return ERR_INVALID;
    *ret_number = number;
    return 0;
}

size_t cw_long_double_format(char *text, long double number)
{
    int written = snprintf(text, CW_LONG_DOUBLE_TEXT_MAX, "%.17Lf", number);
    CHECK(written > 0 && written < CW_LONG_DOUBLE_TEXT_MAX);
    size_t length = (size_t)written;
    if (!memchr(text, '.', length))
        return length; /* An infinity. */
    while (text[length - 1] == '0')
        length--;
    if (text[length - 1] == '.')
        length--;
    if (length == 2 && memcmp(text, "-0", 2) == 0) {
        text[0] = '0';
        return 1;
    }
    return length;
}
