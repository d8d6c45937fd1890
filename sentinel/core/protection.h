/* protection.h: the promise that a sentinel gives with a GRANT (QUORUM section 2): until then it accepts no epoch above
 * the protected one. "The master is dead" means that this promise has run out: vote and detection are one event. */
#ifndef SENTINEL_CORE_PROTECTION_H
#define SENTINEL_CORE_PROTECTION_H

#include "common/ha/lease.h"
#include "common/ha/topology.h"

struct sn_protection {
    uint64_t epoch; /* 0: nobody is protected */
    struct life life;
    int64_t until_ns;
    bool is_gone; /* the protected life's node has answered this sentinel in a newer one */
};

/* Promises for PROMISE_NS from now. For the epoch that is protected already the promise only grows. */
void sn_protection_begin(struct sn_protection *protection, uint64_t epoch, const struct life *life, int64_t now_ns);

/* Lengthens a promise that still stood at `alive_ns`, when this sentinel last looked. */
void sn_protection_renew_late(struct sn_protection *protection, int64_t alive_ns, int64_t now_ns);

bool sn_protection_has_ended(const struct sn_protection *protection, int64_t now_ns);

/* Whether a value may be accepted: it is of no higher epoch, or the promise has ended, or it carries the RELEASE of the
 * epoch just before its own. */
bool sn_protection_allows(const struct sn_protection *protection, const struct topology *value, int64_t now_ns);

#endif
