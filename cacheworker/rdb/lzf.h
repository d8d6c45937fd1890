/* lzf.h: unpacks the LZF format of Marc Lehmann's liblzf, which the reference compresses strings with. */
#ifndef CACHEWORKER_RDB_LZF_H
#define CACHEWORKER_RDB_LZF_H

#include "common/base/check.h"
#include "common/base/slice.h"

/* The most that `packed_length` bytes can stand for: a back reference of three bytes gives at most 264. */
static inline size_t cw_lzf_length_max(size_t packed_length)
{
    return packed_length * 88;
}

/* Fills exactly `length` bytes of `out`. ERR_CORRUPT when the packed bytes stand for more, fewer, or nonsense. */
MUST_CHECK int cw_lzf_unpack(struct slice packed, char *out, size_t length);

#endif
