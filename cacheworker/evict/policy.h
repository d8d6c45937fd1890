/* policy.h: the values of maxmemory-policy. */
#ifndef CACHEWORKER_EVICT_POLICY_H
#define CACHEWORKER_EVICT_POLICY_H

#include "common/base/check.h"
#include "common/base/slice.h"

#include <stdbool.h>

enum cw_policy { /* in the order in which CONFIG SET lists them */
                 CW_POLICY_VOLATILE_LRU,
                 CW_POLICY_VOLATILE_LFU,
                 CW_POLICY_VOLATILE_RANDOM,
                 CW_POLICY_VOLATILE_TTL,
                 CW_POLICY_ALLKEYS_LRU,
                 CW_POLICY_ALLKEYS_LFU,
                 CW_POLICY_ALLKEYS_RANDOM,
                 CW_POLICY_NOEVICTION,
};

enum { CW_POLICY_COUNT = CW_POLICY_NOEVICTION + 1 };

extern const char *const cw_policy_names[CW_POLICY_COUNT + 1]; /* by policy; ended by NULL */

static inline const char *cw_policy_name(enum cw_policy policy) /* "allkeys-lru" */
{
    return cw_policy_names[policy];
}

/* In any case; ERR_INVALID. */
MUST_CHECK int cw_policy_parse(struct slice name, enum cw_policy *ret_policy);

/* Whether only keys with an expiry may go. */
static inline bool cw_policy_is_volatile(enum cw_policy policy)
{
    return policy <= CW_POLICY_VOLATILE_TTL;
}

static inline bool cw_policy_is_lfu(enum cw_policy policy)
{
    return policy == CW_POLICY_VOLATILE_LFU || policy == CW_POLICY_ALLKEYS_LFU;
}

static inline bool cw_policy_is_random(enum cw_policy policy)
{
    return policy == CW_POLICY_VOLATILE_RANDOM || policy == CW_POLICY_ALLKEYS_RANDOM;
}

#endif
