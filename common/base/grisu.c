#include "common/base/grisu.h"

#include "common/base/check.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    FRACTION_BITS = 52,
    EXPONENT_BIAS = 1023 + FRACTION_BITS,
    POWER_FIRST = -348,
    POWER_STEP = 8,
    SCALED_EXPONENT_MIN = -60, /* of the product: its integer part has 4 to 32 bits */
};

#define HIDDEN_BIT ((uint64_t)1 << FRACTION_BITS)

/* 10^-348, 10^-340, ..., 10^340 as 64 bits with the highest set, rounded to the nearest. */
static const uint64_t powers[] = {
    0xfa8fd5a0081c0288, 0xbaaee17fa23ebf76, 0x8b16fb203055ac76, 0xcf42894a5dce35ea, 0x9a6bb0aa55653b2d,
    0xe61acf033d1a45df, 0xab70fe17c79ac6ca, 0xff77b1fcbebcdc4f, 0xbe5691ef416bd60c, 0x8dd01fad907ffc3c,
    0xd3515c2831559a83, 0x9d71ac8fada6c9b5, 0xea9c227723ee8bcb, 0xaecc49914078536d, 0x823c12795db6ce57,
    0xc21094364dfb5637, 0x9096ea6f3848984f, 0xd77485cb25823ac7, 0xa086cfcd97bf97f4, 0xef340a98172aace5,
    0xb23867fb2a35b28e, 0x84c8d4dfd2c63f3b, 0xc5dd44271ad3cdba, 0x936b9fcebb25c996, 0xdbac6c247d62a584,
    0xa3ab66580d5fdaf6, 0xf3e2f893dec3f126, 0xb5b5ada8aaff80b8, 0x87625f056c7c4a8b, 0xc9bcff6034c13053,
    0x964e858c91ba2655, 0xdff9772470297ebd, 0xa6dfbd9fb8e5b88f, 0xf8a95fcf88747d94, 0xb94470938fa89bcf,
    0x8a08f0f8bf0f156b, 0xcdb02555653131b6, 0x993fe2c6d07b7fac, 0xe45c10c42a2b3b06, 0xaa242499697392d3,
    0xfd87b5f28300ca0e, 0xbce5086492111aeb, 0x8cbccc096f5088cc, 0xd1b71758e219652c, 0x9c40000000000000,
    0xe8d4a51000000000, 0xad78ebc5ac620000, 0x813f3978f8940984, 0xc097ce7bc90715b3, 0x8f7e32ce7bea5c70,
    0xd5d238a4abe98068, 0x9f4f2726179a2245, 0xed63a231d4c4fb27, 0xb0de65388cc8ada8, 0x83c7088e1aab65db,
    0xc45d1df942711d9a, 0x924d692ca61be758, 0xda01ee641a708dea, 0xa26da3999aef774a, 0xf209787bb47d6b85,
    0xb454e4a179dd1877, 0x865b86925b9bc5c2, 0xc83553c5c8965d3d, 0x952ab45cfa97a0b3, 0xde469fbd99a05fe3,
    0xa59bc234db398c25, 0xf6c69a72a3989f5c, 0xb7dcbf5354e9bece, 0x88fcf317f22241e2, 0xcc20ce9bd35c78a5,
    0x98165af37b2153df, 0xe2a0b5dc971f303a, 0xa8d9d1535ce3b396, 0xfb9b7cd9a4a7443c, 0xbb764c4ca7a44410,
    0x8bab8eefb6409c1a, 0xd01fef10a657842c, 0x9b10a4e5e9913129, 0xe7109bfba19c0c9d, 0xac2820d9623bf429,
    0x80444b5e7aa7cf85, 0xbf21e44003acdd2d, 0x8e679c2f5e44ff8f, 0xd433179d9c8cb841, 0x9e19db92b4e31ba9,
    0xeb96bf6ebadf77d9, 0xaf87023b9bf0ee6b,
};

static const uint32_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

/* A number, and the middles between it and its neighbours: any decimal between these reads back as it. All three are
 * to be multiplied by 2^exponent. */
struct interval {
    uint64_t low;
    uint64_t number;
    uint64_t high;
    int exponent;
};

static struct interval interval_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof(bits));
    uint64_t fraction = bits & (HIDDEN_BIT - 1);
    int exponent = (int)(bits >> FRACTION_BITS);
    if (exponent > 0)
        fraction |= HIDDEN_BIT;
    else
        exponent = 1;

    int shift = __builtin_clzll(2 * fraction + 1);
    struct interval interval = {
        .number = 2 * fraction << shift,
        .high = (2 * fraction + 1) << shift,
        .exponent = exponent - EXPONENT_BIAS - 1 - shift,
    };
    if (fraction == HIDDEN_BIT)
        interval.low = (4 * fraction - 1) << (shift - 1); /* a power of two: the neighbour below is closer */
    else
        interval.low = (2 * fraction - 1) << shift;
    return interval;
}

/* The 64 high bits of the product, rounded. */
static uint64_t multiply(uint64_t a, uint64_t b)
{
    return (uint64_t)(((unsigned __int128)a * b + ((uint64_t)1 << 63)) >> 64);
}

/* Multiplies by the lowest power of ten of the table that brings the exponent to SCALED_EXPONENT_MIN or above; by less
 * than 29 above, as the powers are 26 or 27 bits apart. Returns the power. */
static int scale(struct interval *interval)
{
    /* 10^power has floor(power * log2(10)) + 1 bits before the point. The two fractions are log10(2) and log2(10). */
    int bits = SCALED_EXPONENT_MIN - 1 - interval->exponent;
    int index = ((bits * 78913 >> 18) + 1 - POWER_FIRST + POWER_STEP - 1) / POWER_STEP;
    CHECK(index >= 0 && index < (int)ARRAY_LENGTH(powers));
    int power = POWER_FIRST + index * POWER_STEP;

    /* The products of the limits may be wrong by one: the interval becomes smaller, so that it is right for sure. */
    interval->low = multiply(interval->low, powers[index]) + 1;
    interval->number = multiply(interval->number, powers[index]);
    interval->high = multiply(interval->high, powers[index]) - 1;
    interval->exponent += (power * 217706 >> 16) - 63 + 64;
    return power;
}

/* What is left to write of the upper limit, and how far below it one may and wants to end; in common units. */
struct remainder {
    uint64_t left;
    uint64_t width;    /* of the interval */
    uint64_t distance; /* of the number */
};

/* The digits are at most the upper limit: lowers the last one while that comes closer to the number and stays within
 * the interval. `unit` is what one of the last digit is worth. */
static void approach(char *last_digit, struct remainder remainder, uint64_t unit)
{
    uint64_t left = remainder.left;
    while (left < remainder.distance && remainder.width - left >= unit &&
           (left + unit < remainder.distance || remainder.distance - left > left + unit - remainder.distance)) {
        (*last_digit)--;
        left += unit;
    }
}

/* The digits of the upper limit, until what is left of it lies within the interval. */
static int generate(const struct interval *interval, char *digits, int *ret_exponent)
{
    int shift = -interval->exponent;
    uint64_t one = (uint64_t)1 << shift;
    uint64_t integer = interval->high >> shift;
    uint64_t fraction = interval->high & (one - 1);
    struct remainder remainder = {
        .width = interval->high - interval->low,
        .distance = interval->high - interval->number,
    };
    int count = 0;
    for (int position = 9; position >= 0; position--) {
        uint64_t digit = integer / tens[position];
        integer %= tens[position];
        if (digit == 0 && count == 0)
            continue;
        digits[count++] = (char)('0' + digit);
        remainder.left = (integer << shift) + fraction;
        if (remainder.left <= remainder.width) {
            approach(&digits[count - 1], remainder, (uint64_t)tens[position] << shift);
            *ret_exponent = position;
            return count;
        }
    }
    for (int position = -1;; position--) {
        fraction *= 10;
        remainder.width *= 10;
        remainder.distance *= 10;
        uint64_t digit = fraction >> shift;
        fraction &= one - 1;
        CHECK(count < GRISU_DIGITS_MAX);
        digits[count++] = (char)('0' + digit);
        if (fraction < remainder.width) {
            remainder.left = fraction;
            approach(&digits[count - 1], remainder, one);
            *ret_exponent = position;
            return count;
        }
    }
}

int grisu_digits(double number, char digits[GRISU_DIGITS_MAX], int *ret_exponent)
{
    struct interval interval = interval_of(number);
    int power = scale(&interval);
    int exponent;
    int count = generate(&interval, digits, &exponent);
    *ret_exponent = exponent - power;
    return count;
}
