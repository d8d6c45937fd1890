/* failover.h: from a silent master to a round that chooses the next (QUORUM section 3, steps 1 and 7).
 *
 *     WATCHING <-> DOWN <-> CANDIDATE -> ELECTING -> DOWN or WATCHING
 *
 * DOWN tells the others every 250 ms; DOWNs of a majority, none older than 500 ms, make a CANDIDATE, which waits for
 * its rank; ELECTING is while the round runs. */
#ifndef SENTINEL_CORE_FAILOVER_H
#define SENTINEL_CORE_FAILOVER_H

#include "common/base/sm.h"
#include "common/ha/messages.h"
#include "sentinel/core/links.h"

struct sn_group;

enum sn_failover_state { SN_WATCHING, SN_DOWN, SN_CANDIDATE, SN_ELECTING };

struct sn_down { /* heard of another sentinel, about the learned epoch */
    struct identity sentinel;
    int64_t heard_ns;
};

struct sn_failover {
    struct sm state;        /* enum sn_failover_state */
    int64_t tell_ns;        /* DOWN: when to say so again */
    int64_t candidate_ns;   /* CANDIDATE: when the round is due */
    int64_t short_since_ns; /* since when enough is missing in this epoch; NEVER_NS: it is not */
    bool is_agreed;         /* a majority says dead, as it was last told to subscribers */
    uint32_t down_count;
    struct sn_down downs[2 * TOPOLOGY_SENTINELS_MAX];
};

void sn_failover_init(struct sn_failover *failover);

void sn_failover_heard(struct sn_sentinel *sentinel, struct sn_group *group, const struct identity *sender,
                       uint64_t epoch, const struct life *life);

/* A majority of fresh DOWNs, our own included. */
bool sn_failover_is_agreed(const struct sn_sentinel *sentinel, const struct sn_group *group);
uint32_t sn_failover_downs(const struct sn_sentinel *sentinel, const struct sn_group *group); /* how many, for logs */

void sn_failover_epoch(struct sn_sentinel *sentinel, struct sn_group *group); /* a new epoch was learned */
int64_t sn_failover_tick(struct sn_sentinel *sentinel, struct sn_group *group);

#endif
