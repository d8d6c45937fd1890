#include "common/base/sha1.h"

enum { BLOCK = 64, ROUNDS = 80 };

static uint32_t rotate(uint32_t word, unsigned count)
{
    return word << count | word >> (32 - count);
}

static void add_block(uint32_t state[5], const uint8_t *block)
{
    uint32_t words[ROUNDS];
    for (unsigned i = 0; i < 16; i++)
        words[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
                   block[4 * i + 3];
    for (unsigned i = 16; i < ROUNDS; i++)
        words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t mixed = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                         : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                         : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                                  : (b ^ c ^ d) + 0xca62c1d6;
        uint32_t next = rotate(a, 5) + mixed + e + words[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

/* What is left over, a one bit, zeros, and the length in bits: one block or two. */
static void add_end(uint32_t state[5], struct slice rest, uint64_t length)
{
    uint8_t blocks[2 * BLOCK] = {0};
    if (rest.length > 0)
        memcpy(blocks, rest.data, rest.length);
    blocks[rest.length] = 0x80;
    size_t size = rest.length + 9 > BLOCK ? 2 * BLOCK : BLOCK;
    for (unsigned i = 0; i < 8; i++)
        blocks[size - 1 - i] = (uint8_t)(length * 8 >> 8 * i);
    for (size_t at = 0; at < size; at += BLOCK)
        add_block(state, blocks + at);
}

void sha1(struct slice bytes, uint8_t ret_digest[SHA1_BYTES])
{
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    struct slice rest = bytes;
    for (; rest.length >= BLOCK; rest = slice_skip(rest, BLOCK))
        add_block(state, (const uint8_t *)rest.data);
    add_end(state, rest, bytes.length);
    for (unsigned i = 0; i < SHA1_BYTES; i++)
        ret_digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha1_hex(struct slice bytes, char ret_digits[SHA1_HEX])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA1_BYTES];
    sha1(bytes, digest);
    for (unsigned i = 0; i < SHA1_BYTES; i++) {
        ret_digits[2 * i] = digits[digest[i] >> 4];
        ret_digits[2 * i + 1] = digits[digest[i] & 15];
    }
}
