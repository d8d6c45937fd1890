/* spares.h: who takes the place of a missing replica (QUORUM section 7).
 *
 * A group has a wanted number of replicas. One that is silent for spare_wait changes places with a spare, by a round
 * like any other; which of the new replicas are in sync is left to the master. Such changes are voluntary: one per
 * SN_VOLUNTARY_NS at most. A node that comes and goes is counted, and as a spare it must answer the longer without a
 * gap, the more often it was lost. */
#ifndef SENTINEL_CORE_SPARES_H
#define SENTINEL_CORE_SPARES_H

#include "common/base/door.h"
#include "common/ha/topology.h"

struct sn_group;
struct sn_node;
struct sn_sentinel;

#define SN_VOLUNTARY_NS (30 * NS_PER_S)

struct sn_presence { /* of one member */
    bool is_missing; /* it was silent for spare_wait */
    bool is_steady;  /* it answers, and has done so for as long as its record asks */
    uint32_t losses; /* how often it was lost lately */
};

struct sn_exchange { /* indices of members; -1: nobody */
    int leaver;      /* the replica that becomes a spare */
    int joiner;      /* the spare that becomes a replica */
};

/* What is to be changed; false: nothing. `presences` stand in the order of the members. A node of the in-sync set is
 * never moved: its answer may be needed, and the master takes it out first. Pure. */
bool sn_spares_choose(const struct topology *topology, const struct sn_presence *presences,
                      struct sn_exchange *ret_exchange);

void sn_spares_apply(struct topology *topology, const struct sn_exchange *exchange); /* kinds only */

struct sn_spares {       /* of one group */
    int64_t observed_ns; /* silence is counted from here on: the start, or the end of a pause of our own */
    int64_t free_ns;     /* no voluntary change before */
    int64_t due_ns;      /* when this sentinel's turn comes; NEVER_NS: there is nothing to change */
    bool has_told;       /* why it waits */
};

/* What this sentinel saw of the members of the learned topology. */
void sn_spares_look(const struct sn_sentinel *sentinel, const struct sn_group *group,
                    struct sn_presence *ret_presences);

/* A valid answer, before it is filed: counts what was lost between it and the one before. */
void sn_spares_answered(struct sn_sentinel *sentinel, struct sn_node *node, const struct life *life);

/* Another version than `before` was learned. */
void sn_spares_learned(struct sn_sentinel *sentinel, struct sn_group *group, const struct topology *before);

int64_t sn_spares_tick(struct sn_sentinel *sentinel, struct sn_group *group);

#endif
