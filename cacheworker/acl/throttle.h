/* throttle.h: how often an address may say a wrong password.
 *
 * Each address has an allowance, which a failure takes one from and time gives back (a token bucket). Who has none left
 * is not even looked at, right or wrong. The table has a fixed size: where all places for an address are taken, the
 * one closest to its full allowance is forgotten. Of an IPv6 address the first 64 bits count, which is what one host is
 * given at least. */
#ifndef CACHEWORKER_ACL_THROTTLE_H
#define CACHEWORKER_ACL_THROTTLE_H

#include "common/base/address.h"
#include "common/base/siphash.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CW_THROTTLE_ALLOWANCE = 128, /* failures at once */
    CW_THROTTLE_BACK_PER_S = 8,  /* and as many later */
    CW_THROTTLE_PLACES = 1024,
};

struct cw_throttle_place {
    uint64_t hash;      /* of the address; 0: free */
    int64_t full_at_ns; /* when it will have its whole allowance again */
};

struct cw_throttle {
    struct siphash_key seed;
    struct cw_throttle_place places[CW_THROTTLE_PLACES];
};

void cw_throttle_init(struct cw_throttle *throttle, struct siphash_key seed);

/* Whether the address has no allowance left. */
bool cw_throttle_refuses(const struct cw_throttle *throttle, const struct address *peer, int64_t now_ns);

void cw_throttle_failed(struct cw_throttle *throttle, const struct address *peer, int64_t now_ns);

#endif
