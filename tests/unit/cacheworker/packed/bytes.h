/* bytes.h: what the tests of packed bytes share. */
#ifndef TESTS_UNIT_CACHEWORKER_PACKED_BYTES_H
#define TESTS_UNIT_CACHEWORKER_PACKED_BYTES_H

#include "common/base/buf.h"
#include "common/base/mem.h"

static inline unsigned hex_digit(char digit)
{
    return (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

/* Appends the bytes that `text` tells in hexadecimal digits; spaces between them are passed over. */
static inline void hex_add(struct buf *buf, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == ' ')
            continue;
        char byte = (char)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
        buf_add(buf, &byte, 1);
        text++;
    }
}

/* A copy in a block of its own length, so that a sanitizer sees what reads behind it. */
static inline struct slice exact_copy(struct slice bytes)
{
    char *copy = mem_alloc(bytes.length);
    if (bytes.length > 0)
        memcpy(copy, bytes.data, bytes.length);
    return slice_of(copy, bytes.length);
}

static inline void free_copy(struct slice copy)
{
    mem_free((char *)(uintptr_t)copy.data);
}

static inline void flip_bit(char *bytes, size_t bit)
{
    bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
}

#endif
