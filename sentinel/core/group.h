/* group.h: everything that a sentinel knows of one group: its register, what was learned, nodes, failover, round. */
#ifndef SENTINEL_CORE_GROUP_H
#define SENTINEL_CORE_GROUP_H

#include "sentinel/core/acceptor.h"
#include "sentinel/core/failover.h"
#include "sentinel/core/force.h"
#include "sentinel/core/losses.h"
#include "sentinel/core/node.h"
#include "sentinel/core/proposer.h"
#include "sentinel/core/settled.h"
#include "sentinel/core/spares.h"
#include "sentinel/core/why.h"

/* The operator's create, until it is committed or given up. */
struct sn_creation {
    bool is_wanted;
    struct topology value;
    link_id link; /* of the asker, who waits for the answer */
    uint64_t serial;
    int64_t give_up_ns;
};

struct sn_group {
    uint32_t number; /* index in the sentinel's table, for as long as it lives */
    char name[GROUP_NAME_MAX];

    struct sn_acceptor acceptor; /* durable */
    struct sn_protection protection;
    struct sn_settled settled;

    struct topology learned; /* version 0: nothing */
    struct ballot learned_ballot;
    uint64_t learned_sequence; /* grants wait until this change is durable */

    uint32_t node_count;
    struct sn_node *nodes[TOPOLOGY_MEMBERS_MAX]; /* owned; the members of `learned` */
    uint64_t last_k;                             /* the highest poll of nodes that were dropped */

    struct sn_failover failover;
    struct sn_spares spares;
    struct sn_round round;
    int64_t quiet_until_ns;   /* no round of our own before: after a failure, and in deference to another's */
    uint64_t highest_counter; /* of any ballot that was seen */
    int64_t lagging_since_ns; /* a higher version was met then; NEVER_NS: none */
    int64_t lagging_again_ns; /* and is not looked for again before */
    struct sn_creation creation;
    struct insync insync; /* what the master asks for; epoch 0: nothing */
    int64_t insync_until_ns;
    uint64_t forced_epoch;   /* which the operator ordered to end with what there is (force.h) */
    int64_t forced_until_ns; /* 0: nobody did */
    struct sn_losses losses;
    struct sn_why why;
};

struct sn_group *sn_group_find(const struct sn_sentinel *sentinel, struct slice name); /* or NULL */
struct sn_group *sn_group_make(struct sn_sentinel *sentinel, const char *name);        /* NULL: too many */
void sn_group_free(struct sn_group *group);

/* Whether this sentinel votes in the group: the learned list, or else the accepted one, names it. */
bool sn_group_votes(const struct sn_sentinel *sentinel, const struct sn_group *group);

/* Place in the list by id, rotated by epoch: spreads in time what several could do. */
int64_t sn_group_rank_ns(const struct sn_sentinel *sentinel, const struct sn_group *group);

bool sn_group_sees_dead(const struct sn_sentinel *sentinel, const struct sn_group *group);

/* The acceptor's side of the three requests. */
void sn_group_prepare(struct sn_sentinel *sentinel, struct sn_group *group, struct sn_link *link,
                      const struct ballot *ballot);
void sn_group_accept(struct sn_sentinel *sentinel, struct sn_group *group, struct sn_link *link,
                     const struct ballot *ballot, const struct topology *value);

/* What is committed at that ballot. `is_own`: by a round of this sentinel, which tells the others. */
void sn_group_learn(struct sn_sentinel *sentinel, struct sn_group *group, const struct ballot *ballot,
                    const struct topology *value, bool is_own);

/* The same as an own vote. False: refused. `ret_sequence` is the change that must be durable before it counts. */
MUST_CHECK bool sn_group_promise_own(struct sn_sentinel *sentinel, struct sn_group *group, const struct ballot *ballot,
                                     struct promise *ret_promise, uint64_t *ret_sequence);
MUST_CHECK bool sn_group_accept_own(struct sn_sentinel *sentinel, struct sn_group *group, const struct ballot *ballot,
                                    const struct topology *value, uint64_t *ret_sequence);

/* Keeps the master's request until a round made it true, or it can no longer hold. */
void sn_group_insync(struct sn_sentinel *sentinel, struct sn_group *group, const struct insync *request);

/* Somebody knows a higher version than was learned here. */
void sn_group_met_version(struct sn_sentinel *sentinel, struct sn_group *group, uint64_t version);

/* The learned topology as LEARN; scratch, to be sent at once. */
const struct message *sn_group_message_learn(struct sn_sentinel *sentinel, const struct sn_group *group);

int64_t sn_group_tick(struct sn_sentinel *sentinel, struct sn_group *group);

#endif
