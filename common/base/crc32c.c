#include "common/base/crc32c.h"

/* Remainders of the sixteen nibbles, reflected polynomial 0x82f63b78. Files of a few KiB need no larger table. */
static const uint32_t nibble_remainders[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t crc32c(struct slice bytes)
{
    uint32_t remainder = UINT32_MAX;
    for (size_t i = 0; i < bytes.length; i++) {
        remainder ^= (unsigned char)bytes.data[i];
        remainder = (remainder >> 4) ^ nibble_remainders[remainder & 15];
        remainder = (remainder >> 4) ^ nibble_remainders[remainder & 15];
    }
    return ~remainder;
}
