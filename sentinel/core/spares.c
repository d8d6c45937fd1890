#include "sentinel/core/spares.h"

#include "sentinel/core/core.h"

#define FORGIVEN_NS (600 * NS_PER_S) /* a node that was not lost for so long has a clean record */

enum { DOUBLINGS_MAX = 5, TOLD_LOSSES = 2 };

/* What to change. */

static bool is_listed_in_sync(const struct topology *topology, const struct identity *node)
{
    for (uint32_t i = 0; i < topology->in_sync_count; i++) {
        if (identity_equal(&topology->in_sync[i].node, node))
            return true;
    }
    return false;
}

static bool is_better_spare(const struct topology *topology, const struct sn_presence *presences, int a, int b)
{
    if (presences[a].losses != presences[b].losses)
        return presences[a].losses < presences[b].losses;
    return topology->members[a].priority < topology->members[b].priority;
}

static int best_spare(const struct topology *topology, const struct sn_presence *presences)
{
    int best = -1;
    for (int i = 0; i < (int)topology->member_count; i++) {
        if (topology->members[i].kind == MEMBER_SPARE && presences[i].is_steady &&
            (best < 0 || is_better_spare(topology, presences, i, best)))
            best = i;
    }
    return best;
}

bool sn_spares_choose(const struct topology *topology, const struct sn_presence *presences,
                      struct sn_exchange *ret_exchange)
{
    uint32_t listed = 0, present = 0, in_sync = 0;
    int missing = -1, outside = -1;
    if (topology->epoch == 0 || topology->wanted_replicas == 0)
        return false;
    for (int i = 0; i < (int)topology->member_count; i++) {
        const struct member *member = &topology->members[i];
        if (member->kind != MEMBER_REPLICA || identity_equal(&member->node, &topology->master.node))
            continue;
        listed++;
        if (is_listed_in_sync(topology, &member->node)) {
            in_sync++;
            present++;
        } else if (presences[i].is_missing) {
            missing = i;
        } else {
            outside = i;
            present++;
        }
    }

    struct sn_exchange exchange = {-1, -1};
    if (present < topology->wanted_replicas) {
        exchange.joiner = best_spare(topology, presences);
        if (exchange.joiner < 0)
            return false;
        if (listed >= topology->wanted_replicas)
            exchange.leaver = missing;
    } else if (listed > topology->wanted_replicas) {
        if (missing >= 0)
            exchange.leaver = missing;
        else if (in_sync >= topology->wanted_replicas)
            exchange.leaver = outside;
        if (exchange.leaver < 0)
            return false;
    } else {
        return false;
    }
    *ret_exchange = exchange;
    return true;
}

void sn_spares_apply(struct topology *topology, const struct sn_exchange *exchange)
{
    if (exchange->leaver >= 0)
        topology->members[exchange->leaver].kind = MEMBER_SPARE;
    if (exchange->joiner >= 0)
        topology->members[exchange->joiner].kind = MEMBER_REPLICA;
}

/* What was seen. */

static int64_t silent_since(const struct sn_group *group, const struct sn_node *node)
{
    int64_t answered_ns = node->has_status && node->status_ns > node->loading_ns ? node->status_ns : node->loading_ns;
    return answered_ns > group->spares.observed_ns ? answered_ns : group->spares.observed_ns;
}

/* How long it must have answered without a gap: nothing was ever held against a node that was not lost. */
static int64_t probation_ns(const struct sn_sentinel *sentinel, const struct sn_node *node)
{
    if (node->losses == 0)
        return 0;
    uint32_t doublings = node->losses - 1 < DOUBLINGS_MAX ? node->losses - 1 : DOUBLINGS_MAX;
    return sentinel->config.spare_wait_ns << doublings;
}

static bool is_steady(const struct sn_sentinel *sentinel, const struct sn_node *node)
{
    return node->has_status && sentinel->now_ns - node->status_ns <= SN_HEARD_NS &&
           !(node->status.flags & (STATUS_STUCK | STATUS_DISK_ERROR)) &&
           sentinel->now_ns - node->steady_ns >= probation_ns(sentinel, node);
}

void sn_spares_look(const struct sn_sentinel *sentinel, const struct sn_group *group, struct sn_presence *ret_presences)
{
    for (uint32_t i = 0; i < group->node_count; i++) {
        const struct sn_node *node = group->nodes[i];
        ret_presences[i] = (struct sn_presence){
            .is_missing = sentinel->now_ns - silent_since(group, node) >= sentinel->config.spare_wait_ns,
            .is_steady = is_steady(sentinel, node),
            .losses = node->losses,
        };
    }
}

void sn_spares_answered(struct sn_sentinel *sentinel, struct sn_node *node, const struct life *life)
{
    int64_t now = sentinel->now_ns;
    if (!node->has_status) {
        node->steady_ns = now;
        return;
    }
    bool is_anew = !life_equal(&node->status.life, life);
    if (!is_anew && now - silent_since(node->group, node) <= SN_HEARD_NS)
        return;
    node->steady_ns = now;
    node->losses = node->losses > 0 && now - node->lost_ns >= FORGIVEN_NS ? 1 : node->losses + 1;
    node->lost_ns = now;
    if (node->losses >= TOLD_LOSSES)
        sn_decide(sentinel, node->group,
                  "node %s comes and goes: lost %u times within minutes (%s); as a spare it is taken after %lld s "
                  "without a gap",
                  sn_short_id(&node->id).text, node->losses, is_anew ? "it restarted" : "it was silent",
                  (long long)(probation_ns(sentinel, node) / NS_PER_S));
}

void sn_spares_learned(struct sn_sentinel *sentinel, struct sn_group *group, const struct topology *before)
{
    const struct topology *learned = &group->learned;
    bool is_exchange = before->version == 0 && learned->version > 1; /* what was before our start is not known */
    for (uint32_t i = 0; i < learned->member_count; i++) {
        const struct member *was = topology_member(before, &learned->members[i].node);
        is_exchange |= was && was->kind != learned->members[i].kind;
    }
    if (is_exchange)
        group->spares.free_ns = sentinel->now_ns + SN_VOLUNTARY_NS;
    group->spares.due_ns = NEVER_NS;
    group->spares.has_told = false;
}

/* When somebody will be missing, or a spare may be taken, if nothing else happens. */
static int64_t next_look(const struct sn_sentinel *sentinel, const struct sn_group *group)
{
    int64_t next = NEVER_NS;
    for (uint32_t i = 0; i < group->node_count; i++) {
        const struct sn_node *node = group->nodes[i];
        int64_t missing_ns = silent_since(group, node) + sentinel->config.spare_wait_ns;
        int64_t steady_ns = node->steady_ns + probation_ns(sentinel, node);
        if (missing_ns > sentinel->now_ns)
            next = sn_earlier(next, missing_ns);
        if (node->has_status && steady_ns > sentinel->now_ns)
            next = sn_earlier(next, steady_ns);
    }
    return next;
}

/* L4: whoever runs into the limit waits, and says so once. */
static int64_t wait(struct sn_sentinel *sentinel, struct sn_group *group)
{
    struct sn_spares *spares = &group->spares;
    if (spares->free_ns <= sentinel->now_ns)
        return spares->due_ns;
    if (!spares->has_told)
        sn_decide(sentinel, group, "the replicas are not as wanted, but one change in %lld s is enough: waiting",
                  (long long)(SN_VOLUNTARY_NS / NS_PER_S));
    spares->has_told = true;
    return spares->free_ns > spares->due_ns ? spares->free_ns : spares->due_ns;
}

int64_t sn_spares_tick(struct sn_sentinel *sentinel, struct sn_group *group)
{
    struct sn_spares *spares = &group->spares;
    struct sn_presence presences[TOPOLOGY_MEMBERS_MAX];
    struct sn_exchange exchange;
    if (group->learned.wanted_replicas == 0 || group->learned.epoch == 0 || sn_group_sees_dead(sentinel, group))
        return NEVER_NS;
    sn_spares_look(sentinel, group, presences);
    if (!sn_spares_choose(&group->learned, presences, &exchange)) {
        spares->due_ns = NEVER_NS;
        return next_look(sentinel, group);
    }
    if (spares->due_ns == NEVER_NS)
        spares->due_ns = sentinel->now_ns + sn_group_rank_ns(sentinel, group);
    int64_t due = wait(sentinel, group);
    if (sentinel->now_ns < due)
        return due;
    if (!sn_round_may_start(sentinel, group))
        return sn_round_free_at(sentinel, group);
    sn_round_start(sentinel, group, SN_CHANGE_SPARE);
    return sentinel->now_ns;
}
