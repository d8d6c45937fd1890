/* settled.h: what a sentinel still waits to learn (QUORUM section 1, "unsettled").
 *
 * It is unsettled from saying dead in a PROMISE, accepting a value or refusing one for its lease, until it learns at
 * that ballot or a higher one. Meanwhile it grants nothing, unless only values of the learned epoch are open. */
#ifndef SENTINEL_CORE_SETTLED_H
#define SENTINEL_CORE_SETTLED_H

#include "common/base/door.h"
#include "common/ha/topology.h"

#define SN_SETTLE_VALUE_NS   (200 * NS_PER_MS)  /* after a value was accepted or refused */
#define SN_SETTLE_PROMISE_NS (1000 * NS_PER_MS) /* after a mere PROMISE */

struct sn_settled {
    struct ballot awaited;  /* no ballot: settled */
    struct ballot blocking; /* the same, of what forbids grants */
    int64_t due_ns;         /* when an identity round is due, the rank's share to be added; of the newest cause */
};

void sn_settled_await(struct sn_settled *settled, const struct ballot *ballot, bool blocks_grants, int64_t due_ns);
void sn_settled_learn(struct sn_settled *settled, const struct ballot *ballot);

bool sn_settled_is(const struct sn_settled *settled);
bool sn_settled_may_grant(const struct sn_settled *settled);

#endif
