#include "common/base/number.h"

#include "common/base/errors.h"
#include "common/base/grisu.h"

#include <errno.h>
#include <math.h>
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
    char copy[NUMBER_DOUBLE_TEXT_MAX];
    if (text.length == 0 || text.length >= sizeof(copy))
        return ERR_INVALID;
    if (text.data[0] == ' ' || (text.data[0] >= '\t' && text.data[0] <= '\r'))
        return ERR_INVALID; /* strtod would skip them */
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    char *end;
    errno = 0;
    double number = strtod(copy, &end);
    if (end != copy + text.length || isnan(number))
        return ERR_INVALID;
    if (errno == ERANGE && (isinf(number) || number == 0))
        return ERR_INVALID; /* "1e400" is no number; "inf" is, and a tiny one that lost digits too */
    *ret_number = number;
    return 0;
}

int number_read_double(struct slice text, double *ret_number)
{
    char copy[NUMBER_DOUBLE_TEXT_MAX];
    if (text.length >= sizeof(copy))
        return ERR_INVALID;
    if (text.length > 0)
        memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    char *end;
    errno = 0;
    double number = strtod(copy, &end);
    if (*end != '\0' || errno == ERANGE || isnan(number))
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

static size_t format_scientific(char *text, const char *digits, int count, int exponent)
{
    size_t length = 0;
    text[length++] = digits[0];
    if (count > 1) {
        text[length++] = '.';
        memcpy(text + length, digits + 1, (size_t)count - 1);
        length += (size_t)count - 1;
    }
    int power = exponent + count - 1;
    text[length++] = 'e';
    text[length++] = power < 0 ? '-' : '+';
    return length + number_format_u64(text + length, (uint64_t)(power < 0 ? -power : power));
}

static size_t format_fraction(char *text, const char *digits, int count, int decimals)
{
    int whole = count - decimals; /* digits before the point; not positive: zeros follow it */
    size_t length = 0;
    if (whole <= 0) {
        text[0] = '0';
        text[1] = '.';
        memset(text + 2, '0', (size_t)-whole);
        length = 2 + (size_t)-whole;
        memcpy(text + length, digits, (size_t)count);
        return length + (size_t)count;
    }
    memcpy(text, digits, (size_t)whole);
    text[whole] = '.';
    memcpy(text + whole + 1, digits + whole, (size_t)decimals);
    return (size_t)count + 1;
}

/* Where the reference changes between the forms: seven zeros behind the digits, six decimals or three zeros before. */
static size_t format_positive(char *text, double number)
{
    char digits[GRISU_DIGITS_MAX];
    int exponent;
    int count = grisu_digits(number, digits, &exponent);
    int power = exponent + count - 1;
    if (exponent >= 0 && power < count + 7) {
        memcpy(text, digits, (size_t)count);
        memset(text + count, '0', (size_t)exponent);
        return (size_t)(count + exponent);
    }
    if (exponent < 0 && (exponent > -7 || (power > -4 && power < 4)))
        return format_fraction(text, digits, count, -exponent);
    return format_scientific(text, digits, count, exponent);
}

size_t number_format_double(char *text, double number)
{
    size_t sign = signbit(number) && !isnan(number) ? 1 : 0;
    double magnitude = sign ? -number : number;
    if (sign)
        *text++ = '-';
    if (isnan(number) || isinf(number)) {
        memcpy(text, isnan(number) ? "nan" : "inf", 3);
        return sign + 3;
    }
    const double written_as_integers = 4611686018427387904.0; /* 2^62 */
    if (magnitude <= written_as_integers && magnitude == (double)(uint64_t)magnitude)
        return sign + number_format_u64(text, (uint64_t)magnitude);
    return sign + format_positive(text, magnitude);
}
