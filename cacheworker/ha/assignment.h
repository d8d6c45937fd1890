/* assignment.h: which role a topology gives to a life, and what a node does when it learns one. Pure. */
#ifndef CACHEWORKER_HA_ASSIGNMENT_H
#define CACHEWORKER_HA_ASSIGNMENT_H

#include "common/ha/messages.h"
#include "common/ha/topology.h"

/* The role that `topology` gives to `life`: the master by life, all others by node. The node of the master in another
 * life than the one that was chosen is unadopted until the next epoch (QUORUM section 3). */
enum node_role cw_assigned_role(const struct topology *topology, const struct life *life);

/* Whether a chosen node's history is the one with which the epoch begins, but for the entry of that epoch. */
bool cw_branch_fits(const struct topology *topology, const struct history *history);

enum cw_learning {
    CW_LEARN_IGNORE, /* older, known, or another group's */
    CW_LEARN_DROP,   /* the group that the node is bound to does not list it any more */
    CW_LEARN_NOTE,   /* known from now on, but the role stays: nothing new, or an epoch below the fence */
    CW_LEARN_ADOPT,  /* the role that it gives is to be taken */
};

struct cw_standing { /* of a node, before it learns */
    struct life life;
    const char *group; /* that it is bound to, or is binding itself to; "" */
    uint64_t version;  /* known */
    uint64_t fence;    /* obeyed */
    enum node_role role;
    uint64_t epoch; /* of the role */
};

enum cw_learning cw_learn(const struct cw_standing *standing, const struct topology *topology);

#endif
