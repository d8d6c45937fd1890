/* ha_internal.h: what the files of this room share. */
#ifndef CACHEWORKER_HA_HA_INTERNAL_H
#define CACHEWORKER_HA_HA_INTERNAL_H

#include "cacheworker/ha/desk.h"
#include "cacheworker/ha/gate.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/ha/insync.h"
#include "cacheworker/ha/node_state.h"
#include "common/ha/lease.h"
#include "common/resp/resp_reader.h"

enum { OWED_MAX = 2 * TOPOLOGY_SENTINELS_MAX };

struct owed_fenced {  /* an answer to a FENCE that waits for its fsync */
    uint64_t address; /* 0: none */
    uint64_t epoch;
    struct ballot ballot;
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

    struct cw_desk *desk;  /* borrowed; NULL standalone */
    uint64_t term;         /* a new number with each role and epoch: a lease of another term is none */
    uint64_t standing;     /* a new number with each topology */
    int64_t lease_seen_ns; /* the end of the lease when it was last looked at */
    int64_t published_ns;  /* INT64_MIN: never */
    int64_t looked_at_sessions_ns;
    int64_t waiting_since_ns; /* of the oldest command without a reply, as of then; 0: none waited */
    uint64_t letters_read;
    bool wakes;               /* the control core has something to look at */
    struct refusals refusals; /* of letters, and a copy of the control core's */
    uint64_t letters_refused[REFUSAL_KINDS];

    struct cw_insync insync;
    struct owed_fenced owed[OWED_MAX];
    unsigned owed_turn;   /* whose place the next one takes where all are taken */
    struct cw_gate gate;  /* sync modes */
    int64_t lag_until_ns; /* async: then the replicas may be max_lag behind, as far as one knows now */

    struct message in; /* too big for the stack */
    struct message out;
    struct buf letter_in; /* owned */
    struct buf letter_out;
    struct resp_request request;
};

static inline bool cw_ha_is_fenced(const struct cw_ha *ha)
{
    return ha->wanted.fence > ha->epoch && !(ha->mutants & CW_MUTANT_FENCE_TAKEN_BACK);
}

static inline bool cw_ha_is_async(const struct cw_ha *ha)
{
    return ha->topology.durability == DURABILITY_ASYNC;
}

/* What replies may have acknowledged, by this master or one before it in the branch. */
uint64_t cw_ha_acknowledged(const struct cw_ha *ha);

/* Makes `wanted` durable unless that is under way. */
void cw_ha_persist(struct cw_ha *ha);

/* ha_control.c: what sentinels say, and what they are told. */
void cw_ha_read_letters(struct cw_ha *ha);
void cw_ha_send_fenced(struct cw_ha *ha); /* every FENCED whose fence is durable */
void cw_ha_send_insync(struct cw_ha *ha);
void cw_ha_refuse_letter(struct cw_ha *ha, enum refusal refusal);
void cw_ha_tell_refusals(struct cw_ha *ha); /* logs what was refused, at most every REFUSALS_TOLD_EVERY_NS */

/* ha_role.c: what a topology makes of this node. */
void cw_ha_take_topology(struct cw_ha *ha, const struct topology *topology);
void cw_ha_take_pending(struct cw_ha *ha); /* the binding is durable */
void cw_ha_give_up_role(struct cw_ha *ha); /* a master whose state cannot be made durable */
void cw_ha_take_fence(struct cw_ha *ha, uint64_t epoch);
void cw_ha_begin_term(struct cw_ha *ha); /* from here on there is no lease */
void cw_ha_look_at_lease(struct cw_ha *ha);
int64_t cw_ha_lease_until_ns(const struct cw_ha *ha); /* of this term, as of now; INT64_MIN: none */

#endif
