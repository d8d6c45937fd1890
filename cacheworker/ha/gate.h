/* gate.h: up to which offset of the stream a master in a sync mode has acknowledged, and may acknowledge (QUORUM
 * section 5). Pure arithmetic over what the replicas have acknowledged. */
#ifndef CACHEWORKER_HA_GATE_H
#define CACHEWORKER_HA_GATE_H

#include "cacheworker/ha/ha.h"
#include "cacheworker/repl/repl.h"
#include "common/ha/topology.h"

#define CW_GATE_OPEN CW_RELEASED_ALL /* as an offset: the master acknowledges alone */

/* min(k, size) replicas of the set must hold a write; `blocks` keeps asking for k of them where the set is empty. */
struct cw_rule {
    uint32_t acknowledgements;
    bool blocks;
    uint32_t count;
    const struct life *in_sync; /* borrowed */
};

/* The last offset that the rule lets a reply depend on, or CW_GATE_OPEN. */
uint64_t cw_rule_covers(const struct cw_rule *rule, const struct cw_replica_view *views, size_t count);

/* Whether min(k, size) of the set hold everything up to `offset`: then it may become the in-sync set. */
bool cw_rule_holds(const struct cw_rule *rule, const struct cw_replica_view *views, size_t count, uint64_t offset);

/* Neither number ever falls within a term. */
struct cw_gate {
    bool is_open;          /* nobody is asked: whatever is executed may be acknowledged at once */
    uint64_t released;     /* while it is not: replies that depend on no later offset may leave */
    uint64_t acknowledged; /* what a new in-sync set must hold: replies may have left, or an earlier master's did */
};

/* A new master counts its whole branch as acknowledged; one that is chosen again does not begin anew. */
void cw_gate_begin(struct cw_gate *gate, uint64_t branch_end);

/* `covered` as all rules in force say, `end` of the stream; before anything is executed under changed rules. True when
 * replies that were held may leave now. */
bool cw_gate_update(struct cw_gate *gate, uint64_t covered, uint64_t end);

uint64_t cw_gate_released(const struct cw_gate *gate); /* or CW_GATE_OPEN */
uint64_t cw_gate_acknowledged(const struct cw_gate *gate, uint64_t end);

#endif
