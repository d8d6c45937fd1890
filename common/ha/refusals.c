#include "common/ha/refusals.h"

static const char *const names[] = {
    [REFUSAL_SECRET] = "secret",
    [REFUSAL_PROTOCOL] = "protocol",
    [REFUSAL_NO_HELLO] = "no_hello",
    [REFUSAL_PERMISSION] = "permission",
    [REFUSAL_MALFORMED] = "malformed",
    [REFUSAL_GROUP] = "group",
    [REFUSAL_OLD] = "old",
};

bool refusals_tell(struct refusals *refusals, int64_t now_ns)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < REFUSAL_OLD; i++)
        total += refusals->counts[i];
    if (total == refusals->told_total ||
        (refusals->told_ns != 0 && now_ns < refusals->told_ns + REFUSALS_TOLD_EVERY_NS))
        return false;
    refusals->told_total = total;
    refusals->told_ns = now_ns;
    return true;
}

void refusals_format(const struct refusals *refusals, struct buf *out)
{
    for (unsigned i = 0; i < REFUSAL_KINDS; i++)
        buf_add_format(out, "%s%s=%llu", i > 0 ? "," : "", names[i], (unsigned long long)refusals->counts[i]);
}
