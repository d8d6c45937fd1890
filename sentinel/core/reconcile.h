/* reconcile.h: whoever is behind is told again, at every answer (QUORUM section 3 step 6). */
#ifndef SENTINEL_CORE_RECONCILE_H
#define SENTINEL_CORE_RECONCILE_H

#include "sentinel/core/node.h"

/* Looks at the last STATUS: an older version gets LEARN again, a higher one makes us ask, a fence above the learned
 * epoch is timed. */
void sn_reconcile_node(struct sn_sentinel *sentinel, struct sn_node *node);

/* Tells what was just learned to subscribers; what was committed here, also to the members. */
void sn_reconcile_members(struct sn_sentinel *sentinel, struct sn_group *group, bool is_own);

#endif
