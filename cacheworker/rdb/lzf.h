/* lzf.h: the LZF format of Marc Lehmann's liblzf, which the reference compresses strings with. */
#ifndef CACHEWORKER_RDB_LZF_H
#define CACHEWORKER_RDB_LZF_H

#include "common/base/check.h"
#include "common/base/slice.h"

#include <stdint.h>

/* The most that `packed_length` bytes can stand for: a back reference of three bytes gives at most 264. */
static inline size_t cw_lzf_length_max(size_t packed_length)
{
    return packed_length * 88;
}

enum { CW_LZF_PLACES_BITS = 13 };

struct cw_lzf { /* a zeroed struct is ready, for any number of strings; what is left from one does not count for the
                   next */
    uint32_t places[1 << CW_LZF_PLACES_BITS]; /* where three bytes with that hash were seen last */
};

/* Packs into `out`; returns how long that is, or 0: it would be longer than `capacity`. */
MUST_CHECK size_t cw_lzf_pack(struct cw_lzf *lzf, struct slice bytes, char *out, size_t capacity);

/* Fills exactly `length` bytes of `out`. ERR_CORRUPT when the packed bytes stand for more, fewer, or nonsense. */
MUST_CHECK int cw_lzf_unpack(struct slice packed, char *out, size_t length);

#endif
