#include "cacheworker/string/xxh3.h"

enum {
    SECRET_SIZE = 192,
    SHORT_MAX = 16,
    PAIRED_MAX = 128, /* bytes that are mixed from both ends */
    MIDDLE_MAX = 240,
    MIX_SIZE = 16,
    STRIPE_SIZE = 64,
    LANES = STRIPE_SIZE / 8,
    SECRET_STEP = 8, /* from one stripe to the next */
    BLOCK_STRIPES = (SECRET_SIZE - STRIPE_SIZE) / SECRET_STEP,
    BLOCK_SIZE = BLOCK_STRIPES * STRIPE_SIZE,
};

#define PRIME32_1  UINT64_C(0x9e3779b1)
#define PRIME32_2  UINT64_C(0x85ebca77)
#define PRIME32_3  UINT64_C(0xc2b2ae3d)
#define PRIME64_1  UINT64_C(0x9e3779b185ebca87)
#define PRIME64_2  UINT64_C(0xc2b2ae3d27d4eb4f)
#define PRIME64_3  UINT64_C(0x165667b19e3779f9)
#define PRIME64_4  UINT64_C(0x85ebca77c2b2ae63)
#define PRIME64_5  UINT64_C(0x27d4eb2f165667c5)
#define PRIME_MIX1 UINT64_C(0x165667919e3779f9)
#define PRIME_MIX2 UINT64_C(0x9fb21c651e98df25)

static const uint8_t secret[SECRET_SIZE] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c, 0xde, 0xd4,
    0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, 0xcb, 0x79, 0xe6, 0x4e,
    0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21, 0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43,
    0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c, 0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb,
    0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3, 0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19,
    0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8, 0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7,
    0xc7, 0x0b, 0x4f, 0x1d, 0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78,
    0x73, 0x64, 0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e, 0x2b, 0x16,
    0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce, 0x45, 0xcb, 0x3a, 0x8f,
    0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};

static uint64_t load_32(const void *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word;
}

static uint64_t load_64(const void *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

/* Both halves of the product, folded into one. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t avalanche(uint64_t word)
{
    word = (word ^ word >> 37) * PRIME_MIX1;
    return word ^ word >> 32;
}

static uint64_t avalanche_few(uint64_t word)
{
    word = (word ^ word >> 33) * PRIME64_2;
    word = (word ^ word >> 29) * PRIME64_3;
    return word ^ word >> 32;
}

/* ---- Up to 16 bytes ---- */

static uint64_t hash_1_to_3(const uint8_t *data, size_t length)
{
    uint64_t word = (uint64_t)data[0] << 16 | (uint64_t)data[length / 2] << 24 | data[length - 1] | length << 8;
    return avalanche_few(word ^ load_32(secret) ^ load_32(secret + 4));
}

static uint64_t hash_4_to_8(const uint8_t *data, size_t length)
{
    uint64_t word = load_32(data + length - 4) | load_32(data) << 32;
    word ^= load_64(secret + 8) ^ load_64(secret + 16);
    word = (word ^ rotate(word, 49) ^ rotate(word, 24)) * PRIME_MIX2;
    word = (word ^ ((word >> 35) + length)) * PRIME_MIX2;
    return word ^ word >> 28;
}

static uint64_t hash_9_to_16(const uint8_t *data, size_t length)
{
    uint64_t low = load_64(data) ^ load_64(secret + 24) ^ load_64(secret + 32);
    uint64_t high = load_64(data + length - 8) ^ load_64(secret + 40) ^ load_64(secret + 48);
    return avalanche(length + __builtin_bswap64(low) + high + fold(low, high));
}

static uint64_t hash_short(const uint8_t *data, size_t length)
{
    if (length > 8)
        return hash_9_to_16(data, length);
    if (length > 3)
        return hash_4_to_8(data, length);
    if (length > 0)
        return hash_1_to_3(data, length);
    return avalanche_few(load_64(secret + 56) ^ load_64(secret + 64));
}

/* ---- Up to 240 bytes ---- */

static uint64_t mix(const uint8_t *data, size_t secret_offset)
{
    return fold(load_64(data) ^ load_64(secret + secret_offset),
                load_64(data + 8) ^ load_64(secret + secret_offset + 8));
}

static uint64_t hash_17_to_128(const uint8_t *data, size_t length)
{
    uint64_t sum = length * PRIME64_1;
    size_t pairs = (length - 1) / (2 * MIX_SIZE) + 1;
    for (size_t i = 0; i < pairs; i++)
        sum += mix(data + i * MIX_SIZE, 2 * i * MIX_SIZE) +
               mix(data + length - (i + 1) * MIX_SIZE, (2 * i + 1) * MIX_SIZE);
    return avalanche(sum);
}

static uint64_t hash_129_to_240(const uint8_t *data, size_t length)
{
    enum { FIRST_ROUNDS = 8, SECOND_OFFSET = 3, LAST_OFFSET = 136 - 17 };
    uint64_t sum = length * PRIME64_1;
    for (size_t i = 0; i < FIRST_ROUNDS; i++)
        sum += mix(data + i * MIX_SIZE, i * MIX_SIZE);
    sum = avalanche(sum);
    for (size_t i = FIRST_ROUNDS; i < length / MIX_SIZE; i++)
        sum += mix(data + i * MIX_SIZE, (i - FIRST_ROUNDS) * MIX_SIZE + SECOND_OFFSET);
    return avalanche(sum + mix(data + length - MIX_SIZE, LAST_OFFSET));
}

/* ---- More: stripes of eight lanes ---- */

static void add_stripe(uint64_t *lanes, const uint8_t *data, size_t secret_offset)
{
    for (size_t i = 0; i < LANES; i++) {
        uint64_t word = load_64(data + 8 * i);
        uint64_t keyed = word ^ load_64(secret + secret_offset + 8 * i);
        lanes[i ^ 1] += word;
        lanes[i] += (keyed & UINT32_MAX) * (keyed >> 32);
    }
}

static void add_stripes(uint64_t *lanes, const uint8_t *data, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_stripe(lanes, data + i * STRIPE_SIZE, i * SECRET_STEP);
}

static void scramble(uint64_t *lanes)
{
    for (size_t i = 0; i < LANES; i++)
        lanes[i] = (lanes[i] ^ lanes[i] >> 47 ^ load_64(secret + SECRET_SIZE - STRIPE_SIZE + 8 * i)) * PRIME32_1;
}

static uint64_t hash_long(const uint8_t *data, size_t length)
{
    enum { LAST_OFFSET = SECRET_SIZE - STRIPE_SIZE - 7, MERGE_OFFSET = 11 };
    uint64_t lanes[LANES] = {PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1};
    size_t done = 0;
    for (; done + BLOCK_SIZE < length; done += BLOCK_SIZE) {
        add_stripes(lanes, data + done, BLOCK_STRIPES);
        scramble(lanes);
    }
    add_stripes(lanes, data + done, (length - 1 - done) / STRIPE_SIZE);
    add_stripe(lanes, data + length - STRIPE_SIZE, LAST_OFFSET);

    uint64_t sum = length * PRIME64_1;
    for (size_t i = 0; i < LANES; i += 2)
        sum += fold(lanes[i] ^ load_64(secret + MERGE_OFFSET + 8 * i),
                    lanes[i + 1] ^ load_64(secret + MERGE_OFFSET + 8 * i + 8));
    return avalanche(sum);
}

uint64_t cw_xxh3(struct slice bytes)
{
    const uint8_t *data = (const uint8_t *)bytes.data;
    if (bytes.length <= SHORT_MAX)
        return hash_short(data, bytes.length);
    if (bytes.length <= PAIRED_MAX)
        return hash_17_to_128(data, bytes.length);
    if (bytes.length <= MIDDLE_MAX)
        return hash_129_to_240(data, bytes.length);
    return hash_long(data, bytes.length);
}
