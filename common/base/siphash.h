/* siphash.h: a keyed hash of bytes (SipHash-1-3; Aumasson and Bernstein 2012). Who does not know the key cannot choose
 * inputs that collide; the key comes from the shell's entropy, or from the seed in a test. */
#ifndef COMMON_BASE_SIPHASH_H
#define COMMON_BASE_SIPHASH_H

#include "common/base/slice.h"

#include <stdint.h>

struct siphash_key {
    uint64_t words[2];
};

uint64_t siphash(const struct siphash_key *key, struct slice bytes);

#endif
