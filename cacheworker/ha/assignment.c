#include "cacheworker/ha/assignment.h"

enum node_role cw_assigned_role(const struct topology *topology, const struct life *life)
{
    const struct member *member = topology_member(topology, &life->node);
    if (topology->epoch == 0 || member == NULL)
        return ROLE_UNADOPTED;
    if (life_equal(&topology->master, life))
        return ROLE_MASTER;
    if (identity_equal(&topology->master.node, &life->node))
        return ROLE_UNADOPTED;
    return member->kind == MEMBER_SPARE ? ROLE_SPARE : ROLE_REPLICA;
}

bool cw_branch_fits(const struct topology *topology, const struct history *history)
{
    if (topology->epoch <= history_epoch(history))
        return false;
    struct history begun = *history;
    history_begin_epoch(&begun, topology->epoch);
    if (begun.count != topology->branch.count || begun.last_offset != topology->branch.last_offset)
        return false;
    for (uint32_t i = 0; i < begun.count; i++)
        if (begun.entries[i].epoch != topology->branch.entries[i].epoch ||
            begun.entries[i].first_offset != topology->branch.entries[i].first_offset)
            return false;
    return true;
}

enum cw_learning cw_learn(const struct cw_standing *standing, const struct topology *topology)
{
    bool bound = standing->group[0] != '\0';
    if (topology->version <= standing->version || (bound && strcmp(topology->group, standing->group) != 0))
        return CW_LEARN_IGNORE;
    if (topology_member(topology, &standing->life.node) == NULL)
        return bound ? CW_LEARN_DROP : CW_LEARN_IGNORE;
    if (topology->epoch < standing->fence || topology->epoch < standing->epoch)
        return CW_LEARN_NOTE;
    if (topology->epoch == standing->epoch && cw_assigned_role(topology, &standing->life) == standing->role)
        return CW_LEARN_NOTE;
    return CW_LEARN_ADOPT;
}
