#include "common/base/buf.h"

#include "common/base/mem.h"
#include "common/base/number.h"

#include <stdarg.h>
#include <stdio.h>

enum { SMALLEST_CAPACITY = 64 };

void buf_free(struct buf *buf)
{
    mem_free(buf->memory);
    *buf = (struct buf){0};
}

void buf_clear(struct buf *buf)
{
    buf->start = buf->end = 0;
}

char *buf_reserve_slow(struct buf *buf, size_t extra)
{
    size_t length = buf->end - buf->start;
    CHECK(extra < SIZE_MAX / 4 && length < SIZE_MAX / 4);

    /* Moving the readable bytes to the front is paid for by at least as many that were consumed. */
    if (buf->memory != NULL && buf->start >= length && buf->capacity - length >= extra) {
        memmove(buf->memory, buf->memory + buf->start, length);
        buf->start = 0;
        buf->end = length;
        return buf->memory + buf->end;
    }
    /* As much again as is copied stays free, or a queue that is nearly full would be copied for every few bytes. */
    size_t capacity = SMALLEST_CAPACITY;
    while (capacity < length + extra || capacity < 2 * length)
        capacity *= 2;
    if (buf->start == 0) {
        buf->memory = mem_resize(buf->memory, capacity); /* big blocks are moved by the kernel, without a copy */
    } else {
        char *memory = mem_alloc(capacity);
        memcpy(memory, buf->memory + buf->start, length);
        mem_free(buf->memory);
        buf->memory = memory;
    }
    buf->start = 0;
    buf->end = length;
    buf->capacity = capacity;
    return buf->memory + length;
}

void buf_insert(struct buf *buf, size_t length, struct slice bytes)
{
    size_t behind = buf_length(buf) - length;
    buf_reserve(buf, bytes.length);
    char *place = buf->memory + buf->start + length;
    memmove(place + bytes.length, place, behind);
    if (bytes.length > 0)
        memcpy(place, bytes.data, bytes.length);
    buf->end += bytes.length;
}

void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_add_format(struct buf *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int needed = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    CHECK(needed >= 0);

    char *place = buf_reserve(buf, (size_t)needed + 1);
    va_start(arguments, format);
    vsnprintf(place, (size_t)needed + 1, format, arguments);
    va_end(arguments);
    buf_commit(buf, (size_t)needed);
}

void buf_add_u64(struct buf *buf, uint64_t number)
{
    char *place = buf_reserve(buf, NUMBER_TEXT_MAX);
    buf_commit(buf, number_format_u64(place, number));
}

void buf_add_i64(struct buf *buf, int64_t number)
{
    char *place = buf_reserve(buf, NUMBER_TEXT_MAX);
    buf_commit(buf, number_format_i64(place, number));
}

void buf_shrink(struct buf *buf, size_t keep)
{
    if (buf->start == buf->end && buf->capacity > keep)
        buf_free(buf);
}
