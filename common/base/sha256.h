/* sha256.h: SHA-256 of bytes (FIPS 180-4, section 6.2), for passwords: users are kept, shown and compared by it. */
#ifndef COMMON_BASE_SHA256_H
#define COMMON_BASE_SHA256_H

#include "common/base/slice.h"

#include <stdint.h>

enum { SHA256_LENGTH = 32, SHA256_TEXT_LENGTH = 64 };

void sha256(struct slice bytes, uint8_t ret_digest[SHA256_LENGTH]);

/* The digest in lower case hexadecimal digits, without a terminating NUL. */
void sha256_text(struct slice bytes, char ret_text[SHA256_TEXT_LENGTH]);

#endif
