/* losses.h: what failovers cost, as far as a sentinel can tell (QUORUM section 5).
 *
 *   estimated  when a master is replaced: what its last STATUS had reported of the epoch's stream, and the new branch
 *              lacks. Up to a poll interval more is not known. In the sync modes this was not acknowledged, unless a
 *              cold start begins the epoch.
 *   known      when a node has come back: what it held, and the branch that it now follows does not. The node keeps
 * that in a file, counts it (cacheworker/repl/diverged.h) and says so in every STATUS of that life, so that all
 *              sentinels come to know it, whichever was first to hear from the node.
 * Bytes of the stream; failovers and estimates since this sentinel's start, known ones of the lives that it has seen.
 */
#ifndef SENTINEL_CORE_LOSSES_H
#define SENTINEL_CORE_LOSSES_H

#include "common/ha/messages.h"
#include "common/ha/topology.h"

struct sn_group;
struct sn_node;
struct sn_sentinel;

struct sn_losses {
    uint64_t failovers; /* epochs that began with another life as master */
    uint64_t estimated_bytes;
    uint64_t known_bytes;
};

/* Pure: how much of what the old master had reported the new branch lacks. */
uint64_t sn_losses_estimate(const struct status *last_status, const struct topology *before,
                            const struct topology *after);

/* A later epoch was learned. Called while the nodes are still those of `before`. */
void sn_losses_epoch(struct sn_sentinel *sentinel, struct sn_group *group, const struct topology *before);

/* A valid answer, which is filed already. What was discarded is counted and told once. */
void sn_losses_answered(struct sn_sentinel *sentinel, struct sn_node *node);

#endif
