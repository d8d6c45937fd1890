/* crc64.h: the checksum of snapshots: CRC-64 with the reflected polynomial 0x95ac9329ac4bc9b5, start and end 0. */
#ifndef CACHEWORKER_RDB_CRC64_H
#define CACHEWORKER_RDB_CRC64_H

#include "common/base/slice.h"

#include <stdint.h>

/* Goes on from `crc`, 0 at first. */
uint64_t crc64(uint64_t crc, struct slice bytes);

#endif
