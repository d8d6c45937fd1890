/* choose.h: who becomes master (QUORUM section 3 steps 3 to 5, "enough" of section 5, cold start of section 6).
 *
 * Pure arithmetic over the answers to FENCE. `topology` is always the value that the round took. */
#ifndef SENTINEL_CORE_CHOOSE_H
#define SENTINEL_CORE_CHOOSE_H

#include "common/ha/messages.h"
#include "common/ha/topology.h"

struct sn_answer {
    struct fenced fenced;
    bool counts; /* a majority of the views heard this node in the last 2 s: nobody else could get a lease */
};

struct sn_answers {
    uint32_t count;
    struct sn_answer items[TOPOLOGY_MEMBERS_MAX]; /* at most one per node */
};

/* Files an answer, in place of an earlier one of the same node. Surplus ones are dropped. */
void sn_answers_add(struct sn_answers *answers, const struct fenced *fenced, bool counts);

const struct sn_answer *sn_answers_of(const struct sn_answers *answers, const struct identity *node); /* or NULL */

/* The last word of the epoch's own master, or NULL. */
const struct fenced *sn_answers_release(const struct sn_answers *answers, const struct topology *topology);

/* Whether the counting answers surely contain every acknowledged write. */
bool sn_answers_enough(const struct sn_answers *answers, const struct topology *topology);

/* Cold start: whether all whose answers could matter have answered, in whatever life. */
bool sn_answers_complete(const struct sn_answers *answers, const struct topology *topology);

/* The best of the counting answers that may become master, or NULL. */
const struct sn_answer *sn_answers_best(const struct sn_answers *answers, const struct topology *topology);

/* When nobody else can come any more and no one with data may continue the branch: the best of those whose data lie on
 * another one, or NULL. They are worth more than nothing. */
const struct sn_answer *sn_answers_salvage(const struct sn_answers *answers, const struct topology *topology);

/* An empty node never wins over one with data; at once only when everybody listed answered and holds nothing. */
bool sn_answers_is_empty(const struct sn_answer *answer);
bool sn_answers_any_data(const struct sn_answers *answers);
bool sn_answers_all_empty(const struct sn_answers *answers, const struct topology *topology);

/* The topology of the next epoch with that winner, who is no spare any more. Author and reason are left to the caller.
 */
void sn_answers_successor(const struct sn_answers *answers, const struct topology *topology,
                          const struct sn_answer *winner, struct topology *ret_successor);

#endif
