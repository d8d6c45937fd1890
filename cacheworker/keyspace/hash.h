/* hash.h: SipHash-1-3 (Aumasson and Bernstein 2012), the keyed hash that clients cannot aim at without its key. */
#ifndef CACHEWORKER_KEYSPACE_HASH_H
#define CACHEWORKER_KEYSPACE_HASH_H

#include "common/base/slice.h"

#include <stdint.h>

struct cw_hash_key {
    uint64_t word[2];
};

uint64_t cw_hash(const struct cw_hash_key *key, struct slice bytes);

#endif
