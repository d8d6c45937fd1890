/* proposer.h: one round of the register, run by this sentinel (QUORUM sections 1 and 3).
 *
 *     IDLE -> PREPARE -> [FENCE ->] ACCEPT -> IDLE
 *
 * PREPARE gathers promises, all of them or what 100 ms brought; FENCE, only to choose a master, gathers the last words
 * of the nodes; ACCEPT proposes one value. A round whose change cannot be made ends as an identity round: the value is
 * proposed as it is, so that everybody learns it and is settled. */
#ifndef SENTINEL_CORE_PROPOSER_H
#define SENTINEL_CORE_PROPOSER_H

#include "sentinel/core/choose.h"
#include "sentinel/core/links.h"
#include "sentinel/core/votes.h"

struct sn_group;

enum sn_change {
    SN_CHANGE_NOTHING, /* identity round */
    SN_CHANGE_CREATE,
    SN_CHANGE_IN_SYNC,
    SN_CHANGE_MASTER, /* a majority says dead */
    SN_CHANGE_SPARE,  /* a replica is missing, or there are more than wanted */
    SN_CHANGE_FENCE,  /* a fence stands: choose again, on the master's own RELEASE */
};

enum sn_round_phase { SN_ROUND_IDLE, SN_ROUND_PREPARE, SN_ROUND_FENCE, SN_ROUND_ACCEPT };

struct sn_round {
    enum sn_round_phase phase;
    enum sn_change change;
    struct ballot ballot;
    int64_t phase_ns; /* when the phase began */
    struct sn_votes votes;
    struct topology value; /* from FENCE on, what was taken; in ACCEPT, what is proposed */
    bool has_given_way;    /* what was asked for could not be done: others shall have their turn */
    uint32_t targets;      /* FENCE: members that must answer */
    struct sn_answers answers;
};

void sn_round_free(struct sn_round *round);

/* Whether a round of our own may begin: none runs, nobody else is due, and a majority of the sentinels is connected. */
bool sn_round_may_start(const struct sn_sentinel *sentinel, const struct sn_group *group);
int64_t sn_round_free_at(const struct sn_sentinel *sentinel, const struct sn_group *group); /* when to ask again */

void sn_round_start(struct sn_sentinel *sentinel, struct sn_group *group, enum sn_change change);

void sn_round_promised(struct sn_sentinel *sentinel, struct sn_group *group, const struct identity *sender,
                       const struct promise *promise);
void sn_round_accepted(struct sn_sentinel *sentinel, struct sn_group *group, const struct identity *sender,
                       const struct ballot *ballot);
void sn_round_refused(struct sn_sentinel *sentinel, struct sn_group *group, const struct identity *sender,
                      const struct message *message);
void sn_round_fenced(struct sn_sentinel *sentinel, struct sn_group *group, const struct fenced *fenced);

/* Sends the present request of the round to a sentinel that has just been connected. */
void sn_round_catch_up(struct sn_sentinel *sentinel, struct sn_group *group, struct sn_link *link);

int64_t sn_round_tick(struct sn_sentinel *sentinel, struct sn_group *group);

/* The operator's create. Answers on the link, at once or when the round has ended. */
void sn_creation_ask(struct sn_sentinel *sentinel, struct sn_link *link, const struct topology *value);
void sn_creation_learned(struct sn_sentinel *sentinel, struct sn_group *group);
int64_t sn_creation_tick(struct sn_sentinel *sentinel, struct sn_group *group);

#endif
