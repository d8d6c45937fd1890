#include "sentinel/core/reconcile.h"

#include "sentinel/core/api.h"
#include "sentinel/core/core.h"

void sn_reconcile_node(struct sn_sentinel *sentinel, struct sn_node *node)
{
    struct sn_group *group = node->group;
    if (!node->has_status)
        return;
    if (node->status.version < group->learned.version && node->link)
        sn_link_send(sentinel, node->link, sn_group_message_learn(sentinel, group));
    if (node->status.group[0])
        sn_group_met_version(sentinel, group, node->status.version);

    /* A fence of another, older appliance may be any number; the next epoch is the one that we can lift. */
    if (node->status.fence != group->learned.epoch + 1)
        node->fence_since_ns = NEVER_NS;
    else if (node->fence_since_ns == NEVER_NS)
        node->fence_since_ns = sentinel->now_ns;
}

void sn_reconcile_members(struct sn_sentinel *sentinel, struct sn_group *group, bool is_own)
{
    for (uint32_t i = 0; is_own && i < group->node_count; i++) {
        if (group->nodes[i]->link)
            sn_link_send(sentinel, group->nodes[i]->link, sn_group_message_learn(sentinel, group));
    }
    sn_api_publish_topology(sentinel, group);
}
