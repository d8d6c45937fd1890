/* packed.h: bytes that are edited in place, wherever they lie: in an entry of the keyspace, or in a node of a list or
 * stream. listpack.h and intset.h edit through this, so that they know nothing of who owns the bytes. */
#ifndef CACHEWORKER_PACKED_PACKED_H
#define CACHEWORKER_PACKED_PACKED_H

#include "common/base/buf.h"
#include "common/base/slice.h"

#include <stddef.h>

struct cw_packed {
    char *bytes; /* borrowed from the owner; moves with every splice */
    size_t length;
    /* Replaces `removed` bytes at `offset` by `inserted` bytes of any content; keeps what is before and behind. Sets
     * bytes and length, and returns bytes + offset. */
    char *(*splice)(struct cw_packed *packed, size_t offset, size_t removed, size_t inserted);
    void *owner; /* borrowed; the splice's own */
};

static inline struct slice cw_packed_slice(const struct cw_packed *packed)
{
    return slice_of(packed->bytes, packed->length);
}

/* The bytes of a buffer: a value that is built before it is put anywhere, or a test's. The buffer is borrowed while the
 * result is used, and changed by nobody else meanwhile. */
struct cw_packed cw_packed_of_buf(struct buf *buf);

#endif
