/* gcra.h: the generic cell rate algorithm (ITU-T I.371), a leaky bucket that is one date: the theoretical arrival time,
 * when the bucket will be empty. As the module redis-cell computes it, but in whole nanoseconds throughout. Pure. */
#ifndef CACHEWORKER_LIMITER_GCRA_H
#define CACHEWORKER_LIMITER_GCRA_H

#include "common/base/check.h"

#include <stdbool.h>
#include <stdint.h>

struct cw_gcra {
    int64_t interval_ns;  /* in which one unit leaks, at least 1 */
    int64_t tolerance_ns; /* what the bucket holds */
};

/* A bucket of burst + 1 units of which `count` leak per period. ERR_INVALID: less than nothing, or nothing ever leaks;
 * ERR_TOO_BIG: no dates are so far apart. */
MUST_CHECK int cw_gcra_create(int64_t burst, int64_t count, int64_t period_s, struct cw_gcra *ret_gcra);

struct cw_gcra_verdict {
    bool is_limited;
    int64_t arrival_ns;     /* to be kept; unchanged where is_limited */
    int64_t remaining;      /* units that would be let through now */
    int64_t retry_after_ns; /* when so much would be; -1: at once, or never */
    int64_t reset_after_ns; /* when the bucket is empty */
};

/* Whether `quantity` units, at least 0, may come at now_ns. `arrival_ns` is what was kept, or now_ns. ERR_TOO_BIG: no
 * date is so far away. */
MUST_CHECK int cw_gcra_judge(const struct cw_gcra *gcra, int64_t arrival_ns, int64_t now_ns, int64_t quantity,
                             struct cw_gcra_verdict *ret_verdict);

#endif
