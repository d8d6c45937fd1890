#include "sentinel/core/protection.h"

void sn_protection_begin(struct sn_protection *protection, uint64_t epoch, const struct life *life, int64_t now_ns)
{
    if (protection->epoch != epoch || !life_equal(&protection->life, life))
        *protection = (struct sn_protection){.epoch = epoch, .life = *life, .until_ns = now_ns};
    if (epoch > 0 && protection->until_ns < now_ns + PROMISE_NS)
        protection->until_ns = now_ns + PROMISE_NS;
}

void sn_protection_renew_late(struct sn_protection *protection, int64_t alive_ns, int64_t now_ns)
{
    if (protection->epoch > 0 && protection->until_ns > alive_ns && protection->until_ns < now_ns + PROMISE_NS)
        protection->until_ns = now_ns + PROMISE_NS;
}

bool sn_protection_has_ended(const struct sn_protection *protection, int64_t now_ns)
{
    return protection->epoch == 0 || protection->is_gone || now_ns >= protection->until_ns;
}

bool sn_protection_allows(const struct sn_protection *protection, const struct topology *value, int64_t now_ns)
{
    if (value->epoch <= protection->epoch || sn_protection_has_ended(protection, now_ns))
        return true;
    return value->release.epoch > 0 && value->release.epoch + 1 == value->epoch;
}
