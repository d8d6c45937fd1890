/* hyperloglog.h: estimating how many different elements were seen, in at most 12 KiB.
 *
 * An element's hash names one of 16384 registers by its low 14 bits; the register keeps the greatest number of trailing
 * zeros, plus one, that the other bits of a hash ever had. The registers are a string in Redis' own format, byte for
 * byte, so that values can be exchanged with it:
 *
 *   "HYLL" | encoding 1 | zeros 3 | count 8, little endian | registers
 *
 * The count is what the registers came to when it was last asked for; its highest bit says that they have changed
 * since. Dense registers are six bits each, the first in the low bits of the first byte. Sparse ones are runs:
 *
 *   00llllll            l+1 registers are 0
 *   01llllll llllllll   l+1 registers are 0 (high bits first)
 *   1vvvvvll            l+1 registers are v+1
 *
 * A sparse string becomes a dense one when a run cannot say it (above 32), or when it would be longer than the caller
 * allows. How runs are split and joined decides about the bytes, and is therefore as the reference does it.
 *
 * Strings come from clients: all of this may be given any bytes, and reads none behind them.
 *
 * Sources: Flajolet et al. 2007; Heule, Nunkesser, Hall 2013 (sparse form); Ertl 2017, arXiv:1702.01284 (the estimate);
 * redis.io/commands/pfcount. */
#ifndef CACHEWORKER_HYPERLOGLOG_HYPERLOGLOG_H
#define CACHEWORKER_HYPERLOGLOG_HYPERLOGLOG_H

#include "common/base/check.h"
#include "common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CW_HLL_REGISTERS = 1 << 14,
    CW_HLL_REGISTER_MAX = 63,
    CW_HLL_HEADER_BYTES = 16,
    CW_HLL_DENSE_BYTES = CW_HLL_HEADER_BYTES + CW_HLL_REGISTERS * 6 / 8,
    CW_HLL_VALID_BYTES_MAX = CW_HLL_HEADER_BYTES + CW_HLL_REGISTERS * 2, /* every register a run of two bytes */
};

/* Where an element is noted: one register, and the value that it must have at least (1 to 51). */
struct cw_hll_note {
    unsigned index;
    unsigned value;
};

struct cw_hll_note cw_hll_note_of(struct slice element);

/* ---- Any value ---- */

/* Whether it has the header and, if dense, the length of one. The functions below may be called for no other value;
 * sparse runs are only looked at by whoever needs them. */
bool cw_hll_is_hyperloglog(struct slice value);
bool cw_hll_is_dense(struct slice value);

/* The count in the header, when it is good. */
bool cw_hll_cached_count(struct slice value, uint64_t *ret_count);
void cw_hll_cache_count(char *value, uint64_t count);
void cw_hll_forget_count(char *value);

/* The estimate. ERR_CORRUPT. */
MUST_CHECK int cw_hll_count(struct slice value, uint64_t *ret_count);

/* Notes an element in a dense value, in place; true when that changed it. The cached count is left alone. */
bool cw_hll_dense_add(char *value, struct slice element);
unsigned cw_hll_dense_register(struct slice value, unsigned index);

/* Raises each of the CW_HLL_REGISTERS to what the value has. ERR_CORRUPT; some may have been raised by then. */
MUST_CHECK int cw_hll_merge(struct slice value, uint8_t *registers);
uint64_t cw_hll_count_registers(const uint8_t *registers);

/* ---- A value being worked on ---- */

struct cw_hll {
    size_t length;
    char bytes[CW_HLL_VALID_BYTES_MAX];
};

void cw_hll_init(struct cw_hll *hll);                               /* empty, sparse, count 0 */
MUST_CHECK int cw_hll_load(struct cw_hll *hll, struct slice value); /* ERR_CORRUPT: longer than any valid one */
MUST_CHECK int cw_hll_make_dense(struct cw_hll *hll);               /* ERR_CORRUPT, and nothing changed */
static inline struct slice cw_hll_value(const struct cw_hll *hll)
{
    return slice_of(hll->bytes, hll->length);
}

/* Raises a register. A sparse value that would be longer than `sparse_bytes_max` becomes dense. Returns 1 when the
 * value changed, 0, or ERR_CORRUPT, and nothing changed. A sparse value that changes loses its cached count. */
MUST_CHECK int cw_hll_raise(struct cw_hll *hll, struct cw_hll_note note, size_t sparse_bytes_max);

/* ---- Sparse runs, one by one ---- */

struct cw_hll_walk {
    struct slice rest;  /* of the bytes */
    unsigned registers; /* seen so far */
};

struct cw_hll_run {
    unsigned length; /* registers */
    unsigned value;
    unsigned bytes; /* 1 or 2 */
};

struct cw_hll_walk cw_hll_walk_of(struct slice sparse_value);

/* Returns 1 and the next run, 0 at the end of the bytes, or ERR_CORRUPT when a run is cut or leads beyond the last
 * register. A whole value has walk->registers == CW_HLL_REGISTERS at its end. */
MUST_CHECK int cw_hll_walk_next(struct cw_hll_walk *walk, struct cw_hll_run *ret_run);

#endif
