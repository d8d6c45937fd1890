/* bits.h: strings as rows of bits. Bit 0 is the most significant one of the first byte (redis.io/commands/setbit), so
 * an integer field reads as big endian. Pure arithmetic on bytes; nothing is allocated. */
#ifndef CACHEWORKER_BITMAP_BITS_H
#define CACHEWORKER_BITMAP_BITS_H

#include "common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- Counting and finding ---- */

/* How many bits are one. */
uint64_t cw_bits_count(struct slice bytes);

/* The same of bits first to last, which lie in the string; first <= last. */
uint64_t cw_bits_count_between(struct slice bytes, uint64_t first, uint64_t last);

enum { CW_BITS_NOT_FOUND = -1 };

/* The place of the first bit that is `value` among bits first to last, which lie in the string; first <= last. */
int64_t cw_bits_find(struct slice bytes, bool value, uint64_t first, uint64_t last);

/* ---- Fields of 1 to 64 bits ---- */

/* The field's bits, the last one lowest. What lies behind the end of the string reads as zero. */
uint64_t cw_bits_read(struct slice bytes, uint64_t offset, unsigned width);

/* Replaces the field by the low `width` bits of `bits`. The field must lie in the string. */
void cw_bits_write(char *bytes, uint64_t offset, unsigned width, uint64_t bits);

struct cw_bits_type {
    bool is_signed;
    unsigned width; /* 1 to 64; of an unsigned one 1 to 63, so that any number is an int64_t */
};

/* The number that a field's bits are. The other way a conversion does it. */
int64_t cw_bits_number(struct cw_bits_type type, uint64_t bits);

enum cw_bits_overflow { CW_BITS_WRAP, CW_BITS_SATURATE, CW_BITS_FAIL };

/* What a field has after it was set to `number`, which an unsigned type takes as an unsigned one; after `increment` was
 * added to the number that it has. False when it does not fit and overflow is CW_BITS_FAIL. */
bool cw_bits_convert(struct cw_bits_type type, enum cw_bits_overflow overflow, int64_t number, int64_t *ret_number);
bool cw_bits_add(struct cw_bits_type type, enum cw_bits_overflow overflow, int64_t number, int64_t increment,
                 int64_t *ret_number);

/* ---- Combining ---- */

enum cw_bits_operation {
    CW_BITS_AND,
    CW_BITS_OR,
    CW_BITS_XOR,
    CW_BITS_NOT,    /* of one string */
    CW_BITS_DIFF,   /* in the first and in none of the others */
    CW_BITS_DIFF1,  /* in some of the others and not in the first */
    CW_BITS_AND_OR, /* in the first and in some of the others */
    CW_BITS_ONE,    /* in exactly one */
};

/* Combines strings into `result`, which is as long as the longest of them; a shorter one reads as zero behind its end.
 * At least one string; at least two for DIFF, DIFF1 and AND_OR. `result` overlaps none of them. */
void cw_bits_combine(enum cw_bits_operation operation, const struct slice *strings, size_t count, char *result,
                     size_t length);

#endif
