/* crc32c.h: the checksum of small durable files (Castagnoli's polynomial, RFC 3720 appendix B.4). */
#ifndef COMMON_BASE_CRC32C_H
#define COMMON_BASE_CRC32C_H

#include "common/base/slice.h"

#include <stdint.h>

uint32_t crc32c(struct slice bytes);

#endif
