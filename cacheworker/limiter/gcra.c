#include "cacheworker/limiter/gcra.h"

#include "common/base/errors.h"

#define NS_PER_SECOND INT64_C(1000000000)

int cw_gcra_create(int64_t burst, int64_t count, int64_t period_s, struct cw_gcra *ret_gcra)
{
    struct cw_gcra gcra;
    int64_t period_ns;
    int64_t units;
    if (burst < 0 || count <= 0 || period_s <= 0)
        return ERR_INVALID;
    if (__builtin_mul_overflow(period_s, NS_PER_SECOND, &period_ns) || __builtin_add_overflow(burst, 1, &units))
        return ERR_TOO_BIG;
    gcra.interval_ns = period_ns / count;
    if (gcra.interval_ns == 0)
        return ERR_INVALID;
    if (__builtin_mul_overflow(gcra.interval_ns, units, &gcra.tolerance_ns))
        return ERR_TOO_BIG;
    *ret_gcra = gcra;
    return 0;
}

int cw_gcra_judge(const struct cw_gcra *gcra, int64_t arrival_ns, int64_t now_ns, int64_t quantity,
                  struct cw_gcra_verdict *ret_verdict)
{
    int64_t from_ns = arrival_ns > now_ns ? arrival_ns : now_ns;
    int64_t increment_ns;
    int64_t next_ns;
    if (__builtin_mul_overflow(gcra->interval_ns, quantity, &increment_ns) ||
        __builtin_add_overflow(from_ns, increment_ns, &next_ns))
        return ERR_TOO_BIG;
    bool is_limited = next_ns - now_ns > gcra->tolerance_ns;
    int64_t reset_ns = (is_limited ? from_ns : next_ns) - now_ns;
    struct cw_gcra_verdict verdict = {
        .is_limited = is_limited,
        .arrival_ns = is_limited ? arrival_ns : next_ns,
        .remaining = reset_ns < gcra->tolerance_ns ? (gcra->tolerance_ns - reset_ns) / gcra->interval_ns : 0,
        .retry_after_ns = -1,
        .reset_after_ns = reset_ns,
    };
    if (is_limited && increment_ns <= gcra->tolerance_ns)
        verdict.retry_after_ns = next_ns - now_ns - gcra->tolerance_ns;
    *ret_verdict = verdict;
    return 0;
}
