/* lease.h: the arithmetic of promise and lease (QUORUM section 2). Pure integers, nanoseconds of CLOCK_BOOTTIME. */
#ifndef COMMON_HA_LEASE_H
#define COMMON_HA_LEASE_H

#include "common/base/door.h"
#include "common/ha/topology.h"

#define POLL_INTERVAL_NS NS_PER_S
#define PROMISE_NS       (5 * NS_PER_S)
#define LEASE_NS         (49 * NS_PER_S / 10) /* 4.9/0.99 < 5.0/1.01: clocks may differ by 1 % in rate */

/* What a master counts: for each sentinel, the newest T (its own clock before the answered STATUS was composed) that
 * was granted to its own life and epoch. */
struct lease_grant {
    struct identity sentinel;
    int64_t status_ns;
};

/* The moment until which replies may leave: the m-th largest T of the list's sentinels + LEASE_NS; under two lists the
 * lower of both. INT64_MIN when no majority granted. A sentinel counts once, sentinels outside the lists not at all. */
int64_t lease_deadline(const struct topology *topology, const struct lease_grant *grants, size_t count);

#endif
