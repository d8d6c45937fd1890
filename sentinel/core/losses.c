#include "sentinel/core/losses.h"

#include "sentinel/core/core.h"

uint64_t sn_losses_estimate(const struct status *last_status, const struct topology *before,
                            const struct topology *after)
{
    uint64_t end = after->branch.count > 0 ? after->branch.entries[after->branch.count - 1].first_offset : 0;
    bool is_of_epoch = last_status->epoch == before->epoch && history_epoch(&last_status->history) == before->epoch;
    if (!is_of_epoch || !life_equal(&last_status->life, &before->master) || last_status->history.last_offset <= end)
        return 0;
    return last_status->history.last_offset - end;
}

static const struct sn_node *find_node(const struct sn_group *group, const struct identity *id)
{
    for (uint32_t i = 0; i < group->node_count; i++)
        if (group->nodes[i] && identity_equal(&group->nodes[i]->id, id))
            return group->nodes[i];
    return NULL;
}

void sn_losses_epoch(struct sn_sentinel *sentinel, struct sn_group *group, const struct topology *before)
{
    const struct topology *after = &group->learned;
    if (before->epoch == 0 || after->epoch <= before->epoch || life_equal(&before->master, &after->master))
        return;
    group->losses.failovers++;
    const struct sn_node *old = find_node(group, &before->master.node);
    uint64_t bytes = old && old->has_status ? sn_losses_estimate(&old->status, before, after) : 0;
    group->losses.estimated_bytes += bytes;
    if (bytes > 0)
        sn_decide(sentinel, group, "epoch %llu lacks %llu bytes that the master of epoch %llu had reported%s",
                  (unsigned long long)after->epoch, (unsigned long long)bytes, (unsigned long long)before->epoch,
                  after->durability == DURABILITY_ASYNC ? ": acknowledged writes among them are lost" : "");
}

void sn_losses_answered(struct sn_sentinel *sentinel, struct sn_node *node)
{
    const struct status *status = &node->status;
    uint64_t told_bytes = life_equal(&node->told_life, &status->life) ? node->told_discarded_bytes : 0;
    if (status->discarded_bytes <= told_bytes)
        return;
    uint64_t bytes = status->discarded_bytes - told_bytes;
    node->told_life = status->life;
    node->told_discarded_bytes = status->discarded_bytes;
    node->group->losses.known_bytes += bytes;
    sn_decide(sentinel, node->group,
              "%s %s has discarded %llu bytes that stood in no branch: a file beside its data holds them",
              node_role_name(status->role), sn_short_id(&node->id).text, (unsigned long long)bytes);
}
