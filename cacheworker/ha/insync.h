/* insync.h: the master's observation of its replicas, and the changes of the in-sync set that it asks for (QUORUM
 * section 5). One request at a time: it is asked for again, of one sentinel after another, until a version
 * above the expected one is learned. */
#ifndef CACHEWORKER_HA_INSYNC_H
#define CACHEWORKER_HA_INSYNC_H

#include "cacheworker/ha/gate.h"
#include "cacheworker/repl/repl.h"
#include "common/ha/messages.h"
#include "common/ha/topology.h"

#define CW_INSYNC_INTERVAL_NS  (100 * NS_PER_MS) /* between two looks */
#define CW_INSYNC_CAUGHT_UP_NS (2 * NS_PER_S)    /* a replica is added that was in step for so long */
#define CW_INSYNC_RETRY_NS     (500 * NS_PER_MS)

struct cw_insync_watch { /* of one life */
    struct life life;
    int64_t heard_ns; /* its last ack, or when watching began */
    int64_t lag_ns;
    uint64_t acknowledged_offset;
    int64_t caught_up_since_ns; /* NEVER_NS: it is not */
    bool is_present;            /* connected at the last look */
};

struct cw_insync { /* a zeroed struct is ready; cw_insync_begin starts a term */
    int64_t max_lag_ns;
    bool blocks; /* struct cw_rule */
    int64_t looked_ns;
    uint32_t count;
    struct cw_insync_watch watches[2 * TOPOLOGY_MEMBERS_MAX];
    bool is_asking; /* for the set in `request`, whose rule is in force beside the present one */
    bool is_sent;   /* from now on only a higher version ends the asking */
    struct insync request;
    int64_t asked_ns;
};

void cw_insync_begin(struct cw_insync *insync, const struct topology *topology, int64_t max_lag_ns, bool blocks,
                     int64_t now_ns);

/* Looks at the replicas, at most every CW_INSYNC_INTERVAL_NS. True when insync->request is to be sent now. A look that
 * comes late starts the observation anew: whoever slept cannot say that the others were silent.
 *
 * In a sync mode a set is sent when min(k, size) of it hold `acknowledged`; until then it is wished for only, which may
 * change, and its rule makes sure that the moment comes. */
bool cw_insync_look(struct cw_insync *insync, const struct topology *topology, const struct life *self,
                    const struct cw_replica_view *views, size_t count, uint64_t acknowledged, int64_t now_ns);

/* Remembers what the replicas have acknowledged, for when they are gone; 0 for a life that was not heard yet. */
void cw_insync_note(struct cw_insync *insync, const struct cw_replica_view *views, size_t count);
uint64_t cw_insync_acknowledged(const struct cw_insync *insync, const struct life *life);

/* The rule of the set that is asked for. */
struct cw_rule cw_insync_rule(const struct cw_insync *insync);

int64_t cw_insync_deadline(const struct cw_insync *insync);

#endif
