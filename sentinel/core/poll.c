#include "sentinel/core/poll.h"

#include "common/base/mem.h"
#include "sentinel/core/core.h"
#include "sentinel/core/reconcile.h"
#include "sentinel/core/values.h"

#define RETRY_NS   (250 * NS_PER_MS)
#define SILENCE_NS (3 * NS_PER_S) /* a connection on which nothing was heard for so long is made anew */

static void drop(struct sn_sentinel *sentinel, struct sn_node *node)
{
    if (node->link) {
        node->link->node = NULL;
        sn_link_condemn(sentinel, node->link);
    }
    if (node->last_k > node->group->last_k)
        node->group->last_k = node->last_k;
    mem_free(node);
}

static struct sn_node *take_out(struct sn_group *group, const struct member *member)
{
    for (uint32_t i = 0; i < group->node_count; i++) {
        struct sn_node *node = group->nodes[i];
        if (node && identity_equal(&node->id, &member->node) && address_equal(&node->control, &member->control)) {
            group->nodes[i] = NULL;
            return node;
        }
    }
    return NULL;
}

static struct sn_node *make(const struct sn_sentinel *sentinel, struct sn_group *group, const struct member *member)
{
    struct sn_node *node = mem_zero(sizeof(*node));
    node->group = group;
    node->id = member->node;
    node->newest.node = member->node;
    node->control = member->control;
    node->fence_since_ns = NEVER_NS;
    node->last_k = (sentinel->run - 1) << 32;
    if (node->last_k < group->last_k)
        node->last_k = group->last_k;
    return node;
}

void sn_poll_refresh(struct sn_sentinel *sentinel, struct sn_group *group)
{
    const struct topology *learned = &group->learned;
    struct sn_node *nodes[TOPOLOGY_MEMBERS_MAX] = {0};
    for (uint32_t i = 0; i < learned->member_count; i++) {
        nodes[i] = take_out(group, &learned->members[i]);
        if (!nodes[i])
            nodes[i] = make(sentinel, group, &learned->members[i]);
        /* What a committed topology names has lived; an older life that answers now is a restored disk. */
        if (identity_equal(&learned->master.node, &nodes[i]->id) &&
            learned->master.incarnation > nodes[i]->newest.incarnation)
            nodes[i]->newest = learned->master;
    }
    for (uint32_t i = 0; i < group->node_count; i++) {
        if (group->nodes[i])
            drop(sentinel, group->nodes[i]);
    }
    memcpy(group->nodes, nodes, sizeof(nodes));
    group->node_count = learned->member_count;
}

static void poll(struct sn_sentinel *sentinel, struct sn_node *node)
{
    struct sn_group *group = node->group;
    struct message *message = &sentinel->outgoing;
    if (!node->link || !node->link->is_open || node->link->is_condemned)
        return;
    message->kind = MESSAGE_POLL;
    memcpy(message->group, group->name, GROUP_NAME_MAX);
    message->poll.k = sn_node_begin_poll(node, sentinel->now_ns);
    message->poll.version = group->learned.version;
    sn_link_send(sentinel, node->link, message);
    node->poll_ns = sentinel->now_ns + POLL_INTERVAL_NS;
}

void sn_poll_all(struct sn_sentinel *sentinel, struct sn_group *group)
{
    for (uint32_t i = 0; i < group->node_count; i++)
        poll(sentinel, group->nodes[i]);
}

void sn_poll_opened(struct sn_sentinel *sentinel, struct sn_node *node)
{
    struct message *hello = &sentinel->outgoing;
    hello->kind = MESSAGE_HELLO;
    hello->hello.kind = PEER_SENTINEL;
    hello->hello.sender = sentinel->id;
    hello->hello.secret = sentinel->config.secret;
    hello->hello.protocol = CONTROL_PROTOCOL;
    sn_link_send(sentinel, node->link, hello);
    memset(node->polls, 0, sizeof(node->polls));
    poll(sentinel, node);
}

void sn_poll_lost(struct sn_sentinel *sentinel, struct sn_node *node)
{
    node->link = NULL;
    node->retry_ns = sentinel->now_ns + RETRY_NS;
}

static void refuse(struct sn_sentinel *sentinel, struct sn_node *node, const char *why)
{
    if (!node->is_refused)
        sn_decide(sentinel, node->group, "refuse what answers for node %s: %s", sn_short_id(&node->id).text, why);
    node->is_refused = true;
}

/* Any answer tells which life of the node runs now. False: not one of ours. */
static bool meet(struct sn_sentinel *sentinel, struct sn_node *node, const struct life *life)
{
    struct sn_protection *protection = &node->group->protection;
    if (!sn_node_meet_life(node, life)) {
        refuse(sentinel, node, "another node, or a disk that was set back");
        return false;
    }
    node->is_refused = false;
    if (sentinel->config.restart_shortcut && !protection->is_gone && protection->epoch > 0 &&
        identity_equal(&life->node, &protection->life.node) && life->incarnation > protection->life.incarnation) {
        protection->is_gone = true;
        sn_decide(sentinel, node->group, "the master %s of epoch %llu is gone: its node answers in a newer life",
                  sn_short_id(&life->node).text, (unsigned long long)protection->epoch);
    }
    return true;
}

/* Whether the STATUS is that of the learned topology's master, doing its work. */
static bool is_masters(const struct sn_sentinel *sentinel, const struct sn_group *group, const struct status *status)
{
    const struct topology *learned = &group->learned;
    bool is_life = sn_mutant(sentinel, SN_MUTANT_IGNORE_INCARNATION)
                       ? identity_equal(&status->life.node, &learned->master.node)
                       : life_equal(&status->life, &learned->master);
    return learned->epoch > 0 && is_life && status->epoch == learned->epoch && status->role == ROLE_MASTER &&
           !(status->flags & STATUS_STUCK);
}

static void grant(struct sn_sentinel *sentinel, struct sn_node *node, const struct status *status)
{
    struct sn_group *group = node->group;
    if (!sn_settled_may_grant(&group->settled))
        return;
    if (group->learned_sequence > sentinel->durable && !sn_mutant(sentinel, SN_MUTANT_GRANT_BEFORE_DURABLE))
        return;
    sn_protection_begin(&group->protection, group->learned.epoch, &group->learned.master, sentinel->now_ns);

    struct message *message = &sentinel->outgoing;
    message->kind = MESSAGE_GRANT;
    memcpy(message->group, group->name, GROUP_NAME_MAX);
    message->grant.k = status->k;
    message->grant.life = status->life;
    message->grant.epoch = group->learned.epoch;
    sn_link_send(sentinel, node->link, message);
}

/* What a node says of its own troubles, when that changes. */
static void tell_condition(struct sn_sentinel *sentinel, struct sn_node *node, const struct status *status)
{
    static const struct {
        uint32_t flag;
        const char *begins;
        const char *ends;
    } conditions[] = {
        {STATUS_LOADING, "is loading its data from its disk; until it knows its history it counts for nothing",
         "has loaded its data"},
        {STATUS_BUSY, "is busy: it answers, but a command of its takes long; busy is not dead", "is not busy any more"},
        {STATUS_STUCK, "is stuck: its command thread does not come back; as a master it is granted nothing",
         "is not stuck any more"},
        {STATUS_DISK_ERROR, "cannot write to its disk", "can write to its disk again"},
    };
    uint32_t flags = status->flags;
    for (size_t i = 0; i < ARRAY_LENGTH(conditions); i++) {
        uint32_t flag = conditions[i].flag;
        if ((flags ^ node->told_flags) & flag)
            sn_decide(sentinel, node->group, "%s %s %s", node_role_name(status->role), sn_short_id(&node->id).text,
                      flags & flag ? conditions[i].begins : conditions[i].ends);
    }
    node->told_flags = flags;
}

static void answered(struct sn_sentinel *sentinel, struct sn_node *node, const struct status *status)
{
    struct sn_group *group = node->group;
    if (!sn_node_end_poll(node, status->k, sentinel->now_ns) || !meet(sentinel, node, &status->life)) {
        sentinel->refusals.counts[REFUSAL_OLD]++;
        return;
    }
    if (status->group[0] && strcmp(status->group, group->name) != 0) {
        refuse(sentinel, node, "it is bound to another group");
        sentinel->refusals.counts[REFUSAL_GROUP]++;
        return;
    }
    tell_condition(sentinel, node, status);
    if (status->flags & STATUS_LOADING) {
        node->loading_ns = sentinel->now_ns;
        return;
    }
    sn_spares_answered(sentinel, node, &status->life);
    node->has_status = true;
    node->status = *status;
    node->status_ns = sentinel->now_ns;
    sn_losses_answered(sentinel, node);
    if (is_masters(sentinel, group, status))
        grant(sentinel, node, status);
    sn_reconcile_node(sentinel, node);
}

static void fenced(struct sn_sentinel *sentinel, struct sn_node *node, const struct fenced *fenced)
{
    if (meet(sentinel, node, &fenced->life))
        sn_round_fenced(sentinel, node->group, fenced);
}

/* The master asks for another in-sync set. One request is kept; what cannot hold is dropped at once. */
static void insync(struct sn_sentinel *sentinel, struct sn_node *node, const struct insync *request)
{
    struct sn_group *group = node->group;
    const struct topology *learned = &group->learned;
    if (!identity_equal(&request->life.node, &node->id) || request->epoch == 0 || request->epoch != learned->epoch ||
        !life_equal(&request->life, &learned->master) || request->expected_version != learned->version) {
        sn_reconcile_node(sentinel, node);
        return;
    }
    for (uint32_t i = 0; i < request->count; i++) {
        if (!topology_member(learned, &request->in_sync[i].node) ||
            identity_equal(&request->in_sync[i].node, &learned->master.node))
            return;
        for (uint32_t j = 0; j < i; j++) {
            if (identity_equal(&request->in_sync[i].node, &request->in_sync[j].node))
                return;
        }
    }
    sn_group_insync(sentinel, group, request);
}

void sn_poll_request(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    struct sn_node *node = link->node;
    struct message *message = &sentinel->received;
    if (!node || slice_equal(argv[0], SLICE_LITERAL("+OK")))
        return;
    if (message_decode(argv, argc, message) != 0 ||
        (message->kind != MESSAGE_HELLO && strcmp(message->group, node->group->name) != 0)) {
        refuse(sentinel, node, "it does not speak as a node");
        sentinel->refusals.counts[REFUSAL_MALFORMED]++;
        sn_link_condemn(sentinel, link);
        return;
    }
    switch (message->kind) {
    case MESSAGE_HELLO: break;
    case MESSAGE_STATUS: answered(sentinel, node, &message->status); break;
    case MESSAGE_FENCED: fenced(sentinel, node, &message->fenced); break;
    case MESSAGE_INSYNC: insync(sentinel, node, &message->insync); break;
    default: sn_link_condemn(sentinel, link); break;
    }
}

static int64_t tick(struct sn_sentinel *sentinel, struct sn_node *node)
{
    int64_t now = sentinel->now_ns;
    if (!node->link) {
        if (now < node->retry_ns)
            return node->retry_ns;
        node->retry_ns = now + RETRY_NS;
        node->link = sn_link_connect(sentinel, SN_LINK_NODE, &node->control);
        if (!node->link)
            return node->retry_ns;
        node->link->node = node;
        return NEVER_NS;
    }
    if (!node->link->is_open)
        return NEVER_NS;
    if (now - node->link->heard_ns >= SILENCE_NS) {
        sn_link_condemn(sentinel, node->link);
        return NEVER_NS;
    }
    if (now >= node->poll_ns)
        poll(sentinel, node);
    return sn_earlier(node->poll_ns, node->link->heard_ns + SILENCE_NS);
}

int64_t sn_poll_tick(struct sn_sentinel *sentinel, struct sn_group *group)
{
    int64_t next = NEVER_NS;
    if (!sn_values_lists(&group->learned, &sentinel->id))
        return next;
    for (uint32_t i = 0; i < group->node_count; i++)
        next = sn_earlier(next, tick(sentinel, group->nodes[i]));
    return next;
}
