/* crc64.h: the checksum at the end of an RDB file and of DUMP (Jones' polynomial, both sides reflected, as Redis). */
#ifndef COMMON_BASE_CRC64_H
#define COMMON_BASE_CRC64_H

#include "common/base/slice.h"

#include <stdint.h>

/* Goes on from `remainder`, which is 0 at the beginning. */
uint64_t crc64(uint64_t remainder, struct slice bytes);

#endif
