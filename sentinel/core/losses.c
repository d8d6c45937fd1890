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

/* A node of the master's own epoch may be ahead of the branch, which is how the epoch began. */
uint64_t sn_losses_tail(const struct history *history, const struct topology *topology)
{
    if (topology->epoch == 0 || history_is_prefix(history, &topology->branch) ||
        history_is_prefix(&topology->branch, history) || history_epoch(history) >= topology->epoch)
        return 0;
    return history->last_offset - history_common_offset(history, &topology->branch);
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
    struct sn_group *group = node->group;
    uint64_t bytes = sn_losses_tail(&node->status.history, &group->learned);
    bool is_told =
        node->told_tail_epoch == group->learned.epoch && life_equal(&node->told_tail_life, &node->status.life);
    if (bytes == 0 || is_told)
        return;
    node->told_tail_epoch = group->learned.epoch;
    node->told_tail_life = node->status.life;
    group->losses.known_bytes += bytes;
    sn_decide(sentinel, group,
              "%s %s holds %llu bytes of epoch %llu that stand in no branch: they give way to a full sync",
              node_role_name(node->status.role), sn_short_id(&node->id).text, (unsigned long long)bytes,
              (unsigned long long)history_epoch(&node->status.history));
}
