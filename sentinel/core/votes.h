/* votes.h: what a proposer gathers in a round, and which value it goes on with (QUORUM section 1). Pure. */
#ifndef SENTINEL_CORE_VOTES_H
#define SENTINEL_CORE_VOTES_H

#include "common/base/door.h"
#include "common/ha/messages.h"
#include "common/ha/topology.h"

enum { SN_VOTES_MAX = 4 * TOPOLOGY_SENTINELS_MAX };

struct sn_vote {
    struct identity sentinel;
    struct promise *promise; /* owned; NULL until it promised */
    bool has_accepted;
    bool has_refused;
    uint64_t sequence; /* own vote: counts when the state of that number is durable; others': 0 */
};

struct sn_votes {
    uint64_t durable; /* own votes up to this sequence count */
    uint32_t count;
    struct sn_vote items[SN_VOTES_MAX];
};

void sn_votes_clear(struct sn_votes *votes);

/* The vote of that sentinel, made when new. NULL when there are too many. */
struct sn_vote *sn_votes_of(struct sn_votes *votes, const struct identity *sentinel);

bool sn_votes_promised(const struct sn_votes *votes, const struct topology *list);     /* by a majority */
bool sn_votes_promised_all(const struct sn_votes *votes, const struct topology *list); /* by everybody listed */
bool sn_votes_accepted(const struct sn_votes *votes, const struct topology *list);
bool sn_votes_can_accept(const struct sn_votes *votes, const struct topology *list); /* refusals leave a majority */

/* A majority sees the master of `list`'s epoch dead. */
bool sn_votes_say_dead(const struct sn_votes *votes, const struct topology *list);

/* A majority has accepted exactly `value` last. */
bool sn_votes_show(const struct sn_votes *votes, const struct topology *value);

/* A majority of the views heard that node at most SN_HEARD_NS before they promised. */
bool sn_votes_heard(const struct sn_votes *votes, const struct topology *list, const struct identity *node);
bool sn_votes_any_heard(const struct sn_votes *votes, const struct identity *node);

/* The value that the round takes: the accepted one of the highest ballot; one of a newer epoch than `learned` is left
 * aside for the next lower when it was not and never can be committed, and no majority says dead. NULL: the register is
 * empty as far as these votes know. */
const struct topology *sn_votes_take(const struct sn_votes *votes, const struct topology *learned);

#define SN_HEARD_NS (2 * NS_PER_S)

#endif
