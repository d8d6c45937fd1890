/* oracle_sync.h: what an acknowledged write is worth (QUORUM section 5).
 *
 * async: what a later branch lacks was acknowledged within max_lag, unless nobody was in sync.
 * sync: S5, what was acknowledged is in the history of every later master:
 *   by offset  when bytes leave a master they may show the stream up to an offset; every later branch reaches it
 *   by value   no answer of a counter is given twice
 * A cold start may lose what was acknowledged, and says so: then both begin anew. */
#ifndef TESTS_SIM_ORACLE_SYNC_H
#define TESTS_SIM_ORACLE_SYNC_H

#include "tests/sim/world.h"

#include "common/ha/topology.h"

struct oracle;

enum { SHOWN_MAX = 4096 };

/* When bytes left a master they may have shown the stream up to here. */
struct shown {
    int64_t at_ns; /* true time */
    uint64_t offset;
};

struct sync_words {
    struct shown shown[SHOWN_MAX]; /* async: ring, at most one in SHOWN_SPACING_NS */
    uint64_t shown_count;
    uint64_t shown_of_epoch; /* the first that the present epoch's master showed */
    uint64_t shown_offset;   /* the highest that a reply may have shown */
    uint64_t shown_epoch;    /* by the master of this epoch */
    int64_t begun_ns;        /* operations that were answered before are not looked at; true time */
};

/* Bytes that answer commands leave this master. */
void sync_replied(struct oracle *oracle, const struct sim_process *master);

/* A later epoch was learned by somebody for the first time. */
void sync_check_branch(struct oracle *oracle, const struct topology *topology);

void sync_finish(struct oracle *oracle);

#endif
