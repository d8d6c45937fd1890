/* buf.h: owned bytes that grow at the end and are consumed at the front.
 *
 *     memory  [ consumed | readable: start .. end | free ]
 *
 * A zeroed struct is an empty buffer. Pointers into it hold until the next call that adds bytes. */
#ifndef COMMON_BASE_BUF_H
#define COMMON_BASE_BUF_H

#include "common/base/check.h"
#include "common/base/slice.h"

#include <stdint.h>

struct buf {
    char *memory; /* owned; NULL while nothing was added */
    size_t start;
    size_t end;
    size_t capacity;
};

void buf_free(struct buf *buf);  /* releases the memory; the buffer is empty and usable afterwards */
void buf_clear(struct buf *buf); /* forgets the bytes, keeps the memory */

/* Room for `extra` more bytes; returns where they go. */
char *buf_reserve_slow(struct buf *buf, size_t extra);
static inline char *buf_reserve(struct buf *buf, size_t extra)
{
    if (LIKELY(buf->capacity - buf->end >= extra) && LIKELY(buf->memory != NULL))
        return buf->memory + buf->end;
    return buf_reserve_slow(buf, extra);
}

/* Says that `count` bytes were written at buf_reserve's place. */
static inline void buf_commit(struct buf *buf, size_t count)
{
    buf->end += count;
}

static inline size_t buf_length(const struct buf *buf)
{
    return buf->end - buf->start;
}

static inline struct slice buf_slice(const struct buf *buf)
{
    return slice_of(buf->memory ? buf->memory + buf->start : NULL, buf->end - buf->start);
}

static inline void buf_add(struct buf *buf, const void *data, size_t length)
{
    if (length == 0)
        return;
    memcpy(buf_reserve(buf, length), data, length);
    buf->end += length;
}

static inline void buf_add_slice(struct buf *buf, struct slice bytes)
{
    buf_add(buf, bytes.data, bytes.length);
}

/* Puts bytes in front of what was added since the buffer was `length` long. They must not lie in it. */
void buf_insert(struct buf *buf, size_t length, struct slice bytes);

void buf_add_text(struct buf *buf, const char *text);
void buf_add_format(struct buf *buf, const char *format, ...) PRINTF(2, 3);
void buf_add_u64(struct buf *buf, uint64_t number); /* decimal */
void buf_add_i64(struct buf *buf, int64_t number);  /* decimal */

/* Drops `count` readable bytes at the front. */
static inline void buf_consume(struct buf *buf, size_t count)
{
    CHECK(count <= buf->end - buf->start);
    buf->start += count;
    if (buf->start == buf->end)
        buf->start = buf->end = 0;
}

/* Gives memory back when the buffer is empty and holds more than `keep` bytes. */
void buf_shrink(struct buf *buf, size_t keep);

#endif
