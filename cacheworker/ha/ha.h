/* ha.h: the node's side of the quorum: who am I, which role was I given, may my replies leave (QUORUM 2, 3, 5, 6).
 *
 * It keeps "node.state" (identity, incarnation, fence, group), obeys FENCE and LEARN, and tells repl whom to follow.
 * POLL and GRANT are the control core's (control.h): for it the figures are published, and from it comes the lease; the
 * two share the desk (desk.h). It never touches data. A standalone worker has a cw_ha too, which always says yes.
 *
 * All calls are made within a step of the engine; `now` and effects are the engine's (engine.h), but for the two
 * questions that carry a `now` of their own, read after the last command was executed. */
#ifndef CACHEWORKER_HA_HA_H
#define CACHEWORKER_HA_HA_H

#include "cacheworker/engine/engine.h"
#include "common/ha/messages.h"
#include "common/ha/topology.h"

/* Guards that the simulator removes, one at a time, to show that its oracles would miss them (cw_config.mutants). Zero
 * in production. tests/sim and tests/unit/cacheworker/ha show what each of them breaks. */
enum {
    CW_MUTANT_LEASE_FROM_GRANT = 1 << 0,   /* counts the lease from the GRANT's arrival instead of the STATUS's T */
    CW_MUTANT_CLOCK_BEFORE_BATCH = 1 << 1, /* checks the lease with the time before the batch was executed */
    CW_MUTANT_FENCE_NOT_DURABLE = 1 << 2,  /* answers FENCED without making the fence durable */
    CW_MUTANT_IGNORE_INCARNATION = 1 << 3, /* restarts as the same life; takes GRANTs for any of its lives */
    CW_MUTANT_FENCE_TAKEN_BACK = 1 << 4,   /* a fenced node goes on in the epoch below its fence */
    CW_MUTANT_GRANT_OF_ANY_EPOCH = 1 << 5, /* takes a GRANT of another epoch */
    CW_MUTANT_DROP_OLD_RULE = 1 << 6,      /* obeys the in-sync set that it asks for before that is learned */
    CW_MUTANT_FORGET_BRANCH = 1 << 7,      /* a new master takes nothing of its branch for acknowledged */
    CW_MUTANT_REPLY_AT_ONCE = 1 << 8,      /* acknowledges without waiting for the in-sync replicas */
    CW_MUTANT_IGNORE_LAG = 1 << 9,         /* async: acknowledges however far the in-sync replicas are behind */
    CW_MUTANT_APPLY_HALVES = 1 << 10,      /* a replica executes what stands in a transaction before its end is there */
    CW_MUTANT_AOF_GOES_ON = 1 << 11,       /* behind a full sync the old append-only file goes on */
    CW_MUTANT_AOF_FORGETS_EPOCHS = 1 << 12, /* a replica's append-only file does not tell where epochs begin */
    CW_MUTANT_NAME_BEFORE_SYNC = 1 << 13,   /* a dump.rdb gets its name before it is durable */
    CW_MUTANT_PICTURE_AHEAD = 1 << 14,      /* a snapshot says that it reaches further than its data */
    CW_MUTANT_READ_AHEAD = 1 << 15,         /* a read waits for no write, not even of its own key */
    CW_MUTANT_FORGET_MIGRATION = 1 << 16,   /* a new master does not know that the group migrates */
    CW_MUTANT_CUT_OVER_AT_ONCE = 1 << 17,   /* a cut-over does not wait for what the source had */
    CW_MUTANT_HEAR_POLLS_AGAIN = 1 << 18,   /* a POLL that was heard before is answered as if it were new */
};

struct cw_ha;

MUST_CHECK int cw_ha_create(struct cw_engine *engine, struct cw_ha **ret_ha);
void cw_ha_destroy(struct cw_ha *ha); /* NULL is fine */

/* --- the engine's calls; see engine.h --- */

void cw_ha_start(struct cw_ha *ha);
void cw_ha_stop(struct cw_ha *ha);
void cw_ha_persisted(struct cw_ha *ha, uint64_t token, int result);
void cw_ha_turn(struct cw_ha *ha);

/* At the end of a turn: what STATUS will say. */
void cw_ha_publish(struct cw_ha *ha);

/* Whether there is something for the control core since this was last asked. */
bool cw_ha_take_wake(struct cw_ha *ha);

int64_t cw_ha_deadline(const struct cw_ha *ha);
void cw_ha_request(struct cw_ha *ha, link_id link, const struct slice *argv, size_t argc);

enum cw_serving cw_ha_serving(const struct cw_ha *ha, int64_t now_ns);

/* The lease alone: whether this node may act as master. */
bool cw_ha_has_lease(const struct cw_ha *ha, int64_t now_ns);

/* Whether replies and pushes may leave: under the lease, and in async while every replica in I is less than max_lag
 * behind. Only those of a master are ever held. */
bool cw_ha_may_reply(const struct cw_ha *ha, int64_t now_ns);

/* In a sync mode: the offset of the stream that replies may depend on; later ones wait. Rises within a term only. */
#define CW_RELEASED_ALL UINT64_MAX
uint64_t cw_ha_released(const struct cw_ha *ha);
bool cw_ha_may_hold(const struct cw_ha *ha); /* whether replies may have to wait for replicas at all */

/* Of a master: up to which offset all of the in-sync set have acknowledged its stream (UINT64_MAX where nobody is in
 * sync); whether the group wants replicas and has none in sync; whether every replica that is up, in sync or not, has
 * acknowledged `offset`. Up is one that takes the stream and was heard within max_lag; a group that wants replicas
 * wants one of them to be up. */
uint64_t cw_ha_held_in_sync(const struct cw_ha *ha);
bool cw_ha_lacks_replica(const struct cw_ha *ha);
bool cw_ha_is_held_by_all(const struct cw_ha *ha, uint64_t offset);

/* Whether a replica acknowledges what it received at once: its master's clients wait for that. */
bool cw_ha_acks_at_once(const struct cw_ha *ha);

/* Whether a link that was opened for this epoch and life may be used: they are this node's, as master. */
bool cw_ha_is_master_of(const struct cw_ha *ha, uint64_t epoch, const struct life *life);

/* --- facts, for INFO, RESPITE commands and oracles --- */

const struct life *cw_ha_life(const struct cw_ha *ha);
const struct topology *cw_ha_topology(const struct cw_ha *ha); /* version 0: none */
enum node_role cw_ha_role(const struct cw_ha *ha);
uint64_t cw_ha_epoch(const struct cw_ha *ha);             /* of the role */
uint64_t cw_ha_fence(const struct cw_ha *ha);             /* the one that is obeyed, durable or on its way there */
void cw_ha_info(const struct cw_ha *ha, struct buf *out); /* lines of INFO's section "respite" */

#endif
