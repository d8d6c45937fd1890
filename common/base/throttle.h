/* throttle.h: how often an address may say a wrong password.
 *
 * Each address has an allowance, which a failure takes one from and time gives back (a token bucket). Who has none left
 * is not even looked at, right or wrong. The table has a fixed size: where all places for an address are taken, the
 * one closest to its full allowance is forgotten. Of an IPv6 address the first 64 bits count, which is what one host is
 * given at least. */
#ifndef COMMON_BASE_THROTTLE_H
#define COMMON_BASE_THROTTLE_H

#include "common/base/address.h"
#include "common/base/siphash.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    THROTTLE_ALLOWANCE = 128, /* failures at once */
    THROTTLE_BACK_PER_S = 8,  /* and as many later */
    THROTTLE_PLACES = 1024,
};

/* What who has none left is told. */
#define THROTTLE_WORDS "ERR too many failed attempts to authenticate from this address, try again later"

struct throttle_place {
    uint64_t hash;      /* of the address; 0: free */
    int64_t full_at_ns; /* when it will have its whole allowance again */
};

struct throttle {
    struct siphash_key seed;
    struct throttle_place places[THROTTLE_PLACES];
};

void throttle_init(struct throttle *throttle, struct siphash_key seed);

/* Whether the address has no allowance left. */
bool throttle_refuses(const struct throttle *throttle, const struct address *peer, int64_t now_ns);

void throttle_failed(struct throttle *throttle, const struct address *peer, int64_t now_ns);

#endif
