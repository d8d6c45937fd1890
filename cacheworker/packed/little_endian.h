/* little_endian.h: numbers at any address, least significant byte first, as the packed formats have them. Compilers
 * make one load or store of each. */
#ifndef CACHEWORKER_PACKED_LITTLE_ENDIAN_H
#define CACHEWORKER_PACKED_LITTLE_ENDIAN_H

#include <stdint.h>

static inline uint16_t load_u16_le(const void *from)
{
    const unsigned char *bytes = from;
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static inline int32_t load_i24_le(const void *from)
{
    const unsigned char *bytes = from;
    uint32_t number = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16;
    return (int32_t)(number << 8) >> 8; /* the sign is its highest bit */
}

static inline uint32_t load_u32_le(const void *from)
{
    const unsigned char *bytes = from;
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static inline uint64_t load_u64_le(const void *from)
{
    const unsigned char *bytes = from;
    return load_u32_le(bytes) | (uint64_t)load_u32_le(bytes + 4) << 32;
}

static inline void store_u16_le(void *to, uint16_t number)
{
    unsigned char *bytes = to;
    bytes[0] = (unsigned char)number;
    bytes[1] = (unsigned char)(number >> 8);
}

static inline void store_u32_le(void *to, uint32_t number)
{
    unsigned char *bytes = to;
    bytes[0] = (unsigned char)number;
    bytes[1] = (unsigned char)(number >> 8);
    bytes[2] = (unsigned char)(number >> 16);
    bytes[3] = (unsigned char)(number >> 24);
}

static inline void store_u64_le(void *to, uint64_t number)
{
    unsigned char *bytes = to;
    store_u32_le(bytes, (uint32_t)number);
    store_u32_le(bytes + 4, (uint32_t)(number >> 32));
}

#endif
