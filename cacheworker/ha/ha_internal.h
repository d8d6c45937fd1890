/* ha_internal.h: what the files of this room share. */
#ifndef CACHEWORKER_HA_HA_INTERNAL_H
#define CACHEWORKER_HA_HA_INTERNAL_H

#include "cacheworker/ha/ha.h"
#include "cacheworker/ha/insync.h"
#include "cacheworker/ha/node_state.h"
#include "common/base/list.h"
#include "common/ha/lease.h"

enum {
    STRANGERS_MAX = 64,   /* control links at one time that have not said HELLO */
    POLLS_REMEMBERED = 8, /* per control link; a GRANT names one of them */
};

#define GREETING_NS (10 * NS_PER_S) /* within which a control link says HELLO */

struct poll {
    uint64_t k;
    int64_t status_ns; /* T: a clock reading from before the STATUS was composed */
};

/* One control link. Its sender is nobody until a HELLO with the right secret came. */
struct control {
    struct list node;
    link_id link;
    int64_t opened_ns;
    bool is_greeted;
    enum peer_kind peer;
    struct identity sender;
    struct poll polls[POLLS_REMEMBERED];
    uint64_t poll_count;
    int64_t polled_ns; /* the newest; INT64_MIN: never */
    bool owes_fenced;  /* a FENCE waits for its fsync */
    uint64_t fence_epoch;
    struct ballot fence_ballot;
};

struct cw_ha {
    struct cw_engine *engine; /* borrowed */
    unsigned mutants;
    bool is_standalone;
    bool is_listening; /* EFFECT_LISTEN was emitted */

    /* What must be durable: `wanted` is obeyed at once, and acted on when `durable` has it. One write at a time. */
    struct cw_node_state wanted;
    struct cw_node_state durable;
    struct cw_node_state in_flight;
    uint64_t persist_token;
    bool is_persisting;
    bool persist_failed; /* the last write; tried again at persist_retry_ns */
    int64_t persist_retry_ns;
    bool is_new; /* no readable state was found: this identity was never used */
    bool was_damaged;

    struct topology topology; /* the highest version learned; version 0: none */
    struct topology pending;  /* waits until the binding to its group is durable; version 0: none */
    enum node_role role;
    uint64_t epoch; /* of the role */

    uint32_t grant_count;
    struct lease_grant grants[TOPOLOGY_SENTINELS_MAX * 2]; /* of this life and epoch, one per sentinel */
    int64_t lease_until_ns;                                /* INT64_MIN: no lease */

    struct cw_insync insync;
    struct list controls; /* of struct control, in the order in which they were opened */
    unsigned strangers;   /* of these, how many are not greeted */
    unsigned ask_turn;    /* which sentinel gets the next INSYNC */

    struct message in; /* too big for the stack */
    struct message out;
};

static inline bool cw_ha_is_fenced(const struct cw_ha *ha)
{
    return ha->wanted.fence > ha->epoch && !(ha->mutants & CW_MUTANT_FENCE_TAKEN_BACK);
}

/* Makes `wanted` durable unless that is under way. */
void cw_ha_persist(struct cw_ha *ha);

/* ha_control.c: what sentinels say, and what they are told. */
void cw_ha_send(struct cw_ha *ha, const struct control *control);
void cw_ha_send_fenced(struct cw_ha *ha); /* every FENCED whose fence is durable */
void cw_ha_send_insync(struct cw_ha *ha);
void cw_ha_drop_strangers(struct cw_ha *ha);
int64_t cw_ha_strangers_deadline(const struct cw_ha *ha);

/* ha_role.c: what a topology makes of this node. */
void cw_ha_take_topology(struct cw_ha *ha, const struct topology *topology);
void cw_ha_take_pending(struct cw_ha *ha); /* the binding is durable */
void cw_ha_take_fence(struct cw_ha *ha, uint64_t epoch);
void cw_ha_count_lease(struct cw_ha *ha);

#endif
