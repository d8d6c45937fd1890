/* force.h: the operator's word that what is missing will not come back (QUORUM section 3, step 4).
 *
 * Where too few nodes answer that may hold acknowledged writes, the group waits for them. The operator may ask what
 * choosing among the rest would cost, and order it. That skips the waiting for *enough*, never the lease: a majority of
 * sentinels must see the master dead, and their promises must have run out. */
#ifndef SENTINEL_CORE_FORCE_H
#define SENTINEL_CORE_FORCE_H

#include "common/base/buf.h"

#include <stdbool.h>

struct sn_group;
struct sn_sentinel;

/* Answers with lines of text: who would be chosen, and what would be missing then; an error when no majority sees the
 * master dead. `is_order`: and does it, for SN_FORCE_NS at most. */
void sn_force_ask(struct sn_sentinel *sentinel, struct sn_group *group, bool is_order, struct buf *out);

/* The order stands, for the epoch that it was given in. */
bool sn_force_stands(const struct sn_sentinel *sentinel, const struct sn_group *group);

#define SN_FORCE_NS (30 * NS_PER_S)

#endif
