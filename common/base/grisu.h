/* grisu.h: the decimal digits of a double, by Grisu2 (Florian Loitsch, "Printing Floating-Point Numbers Quickly and
 * Accurately with Integers", PLDI 2010, section 5).
 *
 * The digits always read back as the same double. In all but about one case of a thousand they are the fewest that do,
 * and the closest ones among these. It is not exact in the rest because the reference is not: Redis 7.2 prints what
 * Grisu2 finds with powers of ten in steps of eight, and a reply is compared byte by byte. */
#ifndef COMMON_BASE_GRISU_H
#define COMMON_BASE_GRISU_H

enum { GRISU_DIGITS_MAX = 18 };

/* `number` is positive and finite, its value digits * 10^exponent. Returns the count of digits; the first and the last
 * are not '0'. */
int grisu_digits(double number, char digits[GRISU_DIGITS_MAX], int *ret_exponent);

#endif
