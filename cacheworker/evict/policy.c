#include "cacheworker/evict/policy.h"

#include "common/base/errors.h"

const char *const cw_policy_names[CW_POLICY_COUNT + 1] = {
    [CW_POLICY_VOLATILE_LRU] = "volatile-lru",       [CW_POLICY_VOLATILE_LFU] = "volatile-lfu",
    [CW_POLICY_VOLATILE_RANDOM] = "volatile-random", [CW_POLICY_VOLATILE_TTL] = "volatile-ttl",
    [CW_POLICY_ALLKEYS_LRU] = "allkeys-lru",         [CW_POLICY_ALLKEYS_LFU] = "allkeys-lfu",
    [CW_POLICY_ALLKEYS_RANDOM] = "allkeys-random",   [CW_POLICY_NOEVICTION] = "noeviction",
};

int cw_policy_parse(struct slice name, enum cw_policy *ret_policy)
{
    for (unsigned i = 0; i < CW_POLICY_COUNT; i++)
        if (slice_equal_nocase(name, cw_policy_names[i])) {
            *ret_policy = (enum cw_policy)i;
            return 0;
        }
    return ERR_INVALID;
}
