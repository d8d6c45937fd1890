#include "common/base/number.h"

#include "common/base/errors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int number_parse_u64(struct slice text, uint64_t *ret_number)
{
    if (text.length == 0 || text.length > 20 || (text.data[0] == '0' && text.length > 1))
        return ERR_INVALID;
    uint64_t number = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';
        if (digit > 9)
            return ERR_INVALID;
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, digit, &number))
            return ERR_RANGE;
    }
    *ret_number = number;
    return 0;
}

int number_parse_i64(struct slice text, int64_t *ret_number)
{
    bool negative = text.length > 0 && text.data[0] == '-';
    uint64_t magnitude;
    int error = number_parse_u64(negative ? slice_skip(text, 1) : text, &magnitude);
    if (error < 0)
        return error;
    if (negative && magnitude == 0)
        return ERR_INVALID;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return ERR_RANGE;
    *ret_number = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return 0;
}

int number_parse_double(struct slice text, double *ret_number)
{
    char copy[512];
    if (text.length == 0 || text.length >= sizeof(copy) || text.data[0] == ' ' ||
        (text.data[0] >= '\t' && text.data[0] <= '\r'))
        return ERR_INVALID;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    char *end;
    double number = strtod(copy, &end);
    if (end != copy + text.length || isnan(number))
        return ERR_INVALID;
    *ret_number = number;
    return 0;
}

size_t number_format_u64(char *text, uint64_t number)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445"
        "46474849505152535455565758596061626364656667686970717273747576777879808182838485868788899091"
        "9293949596979899";
    char reversed[NUMBER_TEXT_MAX];
    size_t at = sizeof(reversed);
    while (number >= 100) {
        at -= 2;
        memcpy(reversed + at, pairs + 2 * (number % 100), 2);
        number /= 100;
    }
    if (number >= 10) {
        at -= 2;
        memcpy(reversed + at, pairs + 2 * number, 2);
    } else {
        reversed[--at] = (char)('0' + number);
    }
    size_t length = sizeof(reversed) - at;
    memcpy(text, reversed + at, length);
    return length;
}

size_t number_format_i64(char *text, int64_t number)
{
    if (number >= 0)
        return number_format_u64(text, (uint64_t)number);
    text[0] = '-';
    return 1 + number_format_u64(text + 1, 0 - (uint64_t)number);
}

size_t number_format_double(char *text, double number)
{
    if (isinf(number)) {
        size_t length = number < 0 ? 4 : 3;
        memcpy(text, number < 0 ? "-inf" : "inf", length);
        return length;
    }
    if (number == 0) {
        text[0] = signbit(number) ? '-' : '0';
        text[1] = '0';
        return signbit(number) ? 2 : 1;
    }
    int length = 0;
    for (int precision = 15; precision <= 17; precision++) {
        length = snprintf(text, 32, "%.*g", precision, number);
        if (strtod(text, NULL) == number)
            break;
    }
    return (size_t)length;
}
