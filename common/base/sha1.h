/* sha1.h: SHA-1 (RFC 3174). It names scripts, as Redis does; it protects nothing. */
#ifndef COMMON_BASE_SHA1_H
#define COMMON_BASE_SHA1_H

#include "common/base/slice.h"

#include <stdint.h>

enum { SHA1_BYTES = 20, SHA1_HEX = 40 };

void sha1(struct slice bytes, uint8_t ret_digest[SHA1_BYTES]);

/* The same as 40 lower case digits, without a NUL. */
void sha1_hex(struct slice bytes, char ret_digits[SHA1_HEX]);

#endif
