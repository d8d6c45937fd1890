/* hex.h: bytes written as hexadecimal digits in a test. */
#ifndef TESTS_UNIT_CACHEWORKER_PACKED_HEX_H
#define TESTS_UNIT_CACHEWORKER_PACKED_HEX_H

#include "common/base/buf.h"

static inline unsigned hex_digit(char digit)
{
    return (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

/* Appends the bytes that `text` tells; spaces between them are passed over. */
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

#endif
