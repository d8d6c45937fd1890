#include "cacheworker/evict/policy.h"

#include "common/base/errors.h"

static const char *const names[CW_POLICY_COUNT] = {
    [CW_POLICY_VOLATILE_LRU] = "volatile-lru",       [CW_POLICY_VOLATILE_LFU] = "volatile-lfu",
    [CW_POLICY_VOLATILE_RANDOM] = "volatile-random", [CW_POLICY_VOLATILE_TTL] = "volatile-ttl",
    [CW_POLICY_ALLKEYS_LRU] = "allkeys-lru",         [CW_POLICY_ALLKEYS_LFU] = "allkeys-lfu",
    [CW_POLICY_ALLKEYS_RANDOM] = "allkeys-random",   [CW_POLICY_NOEVICTION] = "noeviction",
};

const char *cw_policy_name(enum cw_policy policy)
{
    return names[policy];
}

int cw_policy_parse(struct slice name, enum cw_policy *ret_policy)
{
    for (unsigned i = 0; i < CW_POLICY_COUNT; i++)
        if (slice_equal_nocase(name, names[i])) {
            *ret_policy = (enum cw_policy)i;
            return 0;
        }
    return ERR_INVALID;
}
