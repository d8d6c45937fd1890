#include "sentinel/core/failover.h"

#include "sentinel/core/api.h"
#include "sentinel/core/core.h"

#define TELL_NS     (250 * NS_PER_MS)
#define FRESH_NS    (500 * NS_PER_MS)
#define JITTER_NS   (50 * NS_PER_MS)
#define STANDING_NS NS_PER_S /* so long a fence may stand before somebody lifts it */

/* In a new group nobody waits for a master yet, and the sentinels first must have heard the nodes. */
#define FIRST_NS (200 * NS_PER_MS)

static const struct sm_state states[] = {
    [SN_WATCHING] = {"watching", SM_TO(SN_DOWN)},
    [SN_DOWN] = {"down", SM_TO(SN_WATCHING) | SM_TO(SN_CANDIDATE)},
    [SN_CANDIDATE] = {"candidate", SM_TO(SN_WATCHING) | SM_TO(SN_DOWN) | SM_TO(SN_ELECTING)},
    [SN_ELECTING] = {"electing", SM_TO(SN_WATCHING) | SM_TO(SN_DOWN)},
};

void sn_failover_init(struct sn_failover *failover)
{
    sm_init(&failover->state, "failover", states, ARRAY_LENGTH(states), SN_WATCHING);
    failover->short_since_ns = NEVER_NS;
}

struct poll_of_downs {
    const struct sn_sentinel *sentinel;
    const struct sn_group *group;
};

static bool says_down(void *context, const struct identity *id)
{
    const struct poll_of_downs *ask = context;
    const struct sn_failover *failover = &ask->group->failover;
    if (identity_equal(id, &ask->sentinel->id))
        return sn_group_sees_dead(ask->sentinel, ask->group);
    for (uint32_t i = 0; i < failover->down_count; i++) {
        if (identity_equal(&failover->downs[i].sentinel, id))
            return ask->sentinel->now_ns - failover->downs[i].heard_ns <= FRESH_NS;
    }
    return false;
}

bool sn_failover_is_agreed(const struct sn_sentinel *sentinel, const struct sn_group *group)
{
    struct poll_of_downs ask = {sentinel, group};
    return group->learned.version > 0 && topology_majority(&group->learned, says_down, &ask);
}

uint32_t sn_failover_downs(const struct sn_sentinel *sentinel, const struct sn_group *group)
{
    struct poll_of_downs ask = {sentinel, group};
    uint32_t count = 0;
    for (uint32_t i = 0; i < group->learned.sentinels.count; i++)
        count += says_down(&ask, &group->learned.sentinels.entries[i].sentinel);
    return count;
}

void sn_failover_heard(struct sn_sentinel *sentinel, struct sn_group *group, const struct identity *sender,
                       uint64_t epoch, const struct life *life)
{
    struct sn_failover *failover = &group->failover;
    if (epoch > group->learned.epoch)
        sn_group_met_version(sentinel, group, group->learned.version + 1);
    if (epoch != group->learned.epoch || !life_equal(life, &group->learned.master))
        return;
    for (uint32_t i = 0; i < failover->down_count; i++) {
        if (identity_equal(&failover->downs[i].sentinel, sender)) {
            failover->downs[i].heard_ns = sentinel->now_ns;
            return;
        }
    }
    if (failover->down_count < ARRAY_LENGTH(failover->downs))
        failover->downs[failover->down_count++] = (struct sn_down){*sender, sentinel->now_ns};
}

/* Nothing that was said of an older epoch holds for this one. */
void sn_failover_epoch(struct sn_sentinel *sentinel, struct sn_group *group)
{
    struct sn_failover *failover = &group->failover;
    if (failover->state.state != SN_WATCHING) {
        if (sn_group_sees_dead(sentinel, group)) {
            failover->tell_ns = sentinel->now_ns;
            if (failover->state.state != SN_DOWN)
                sm_move(&failover->state, SN_DOWN);
        } else {
            sm_move(&failover->state, SN_WATCHING);
        }
    }
    failover->down_count = 0;
    failover->is_agreed = false;
    failover->short_since_ns = NEVER_NS;
}

static void tell(struct sn_sentinel *sentinel, struct sn_group *group)
{
    struct message *message = &sentinel->outgoing;
    if (sentinel->now_ns < group->failover.tell_ns)
        return;
    message->kind = MESSAGE_DOWN;
    memcpy(message->group, group->name, GROUP_NAME_MAX);
    message->down.epoch = group->learned.epoch;
    message->down.life = group->learned.master;
    sn_peers_send(sentinel, group, message);
    group->failover.tell_ns = sentinel->now_ns + TELL_NS;
}

static void publish_agreement(struct sn_sentinel *sentinel, struct sn_group *group, bool is_agreed)
{
    if (is_agreed && !group->failover.is_agreed && group->learned.epoch > 0)
        sn_api_publish_state(sentinel, group, "+odown");
    group->failover.is_agreed = is_agreed;
}

static void see_dead(struct sn_sentinel *sentinel, struct sn_group *group)
{
    group->failover.tell_ns = sentinel->now_ns;
    sm_move(&group->failover.state, SN_DOWN);
    if (group->learned.epoch == 0)
        return;
    sn_decide(sentinel, group, "see the master %s of epoch %llu dead: %s",
              sn_short_id(&group->learned.master.node).text, (unsigned long long)group->learned.epoch,
              group->protection.is_gone ? "its node lives anew" : "no valid answer for 5 s");
    sn_api_publish_state(sentinel, group, "+sdown");
}

static void see_alive(struct sn_sentinel *sentinel, struct sn_group *group)
{
    sm_move(&group->failover.state, SN_WATCHING);
    publish_agreement(sentinel, group, false);
    group->failover.short_since_ns = NEVER_NS;
    sn_decide(sentinel, group, "see the master %s of epoch %llu again", sn_short_id(&group->learned.master.node).text,
              (unsigned long long)group->learned.epoch);
    sn_api_publish_state(sentinel, group, "-sdown");
}

static void stand(struct sn_sentinel *sentinel, struct sn_group *group)
{
    sm_move(&group->failover.state, SN_CANDIDATE);
    if (sn_force_stands(sentinel, group)) {
        group->failover.candidate_ns = sentinel->now_ns;
        return;
    }
    group->failover.candidate_ns = sentinel->now_ns + sn_group_rank_ns(sentinel, group) +
                                   (int64_t)rand_below(&sentinel->rand, JITTER_NS + 1) +
                                   (group->learned.epoch == 0 ? FIRST_NS : 0);
}

static int64_t elect(struct sn_sentinel *sentinel, struct sn_group *group)
{
    struct sn_failover *failover = &group->failover;
    int64_t due = failover->candidate_ns;
    if (sentinel->now_ns < due)
        return due;
    if (!sn_round_may_start(sentinel, group))
        return sn_round_free_at(sentinel, group);
    sn_decide(sentinel, group, "choose a master for epoch %llu: %u of %u sentinels say dead",
              (unsigned long long)group->learned.epoch + 1, sn_failover_downs(sentinel, group),
              group->learned.sentinels.count);
    sm_move(&failover->state, SN_ELECTING);
    sn_round_start(sentinel, group, SN_CHANGE_MASTER);
    return sentinel->now_ns;
}

static int64_t watch_master(struct sn_sentinel *sentinel, struct sn_group *group)
{
    struct sn_failover *failover = &group->failover;
    bool is_dead = sn_group_sees_dead(sentinel, group);
    if (failover->state.state == SN_WATCHING) {
        if (!is_dead)
            return group->learned.version > 0 ? group->protection.until_ns : NEVER_NS;
        see_dead(sentinel, group);
    }
    if (!is_dead && failover->state.state != SN_ELECTING) {
        see_alive(sentinel, group);
        return group->protection.until_ns;
    }
    tell(sentinel, group);

    bool is_agreed = sn_failover_is_agreed(sentinel, group);
    publish_agreement(sentinel, group, is_agreed);
    if (failover->state.state == SN_DOWN && is_agreed)
        stand(sentinel, group);
    else if (failover->state.state == SN_CANDIDATE && !is_agreed)
        sm_move(&failover->state, SN_DOWN);
    else if (failover->state.state == SN_ELECTING && group->round.phase == SN_ROUND_IDLE)
        sm_move(&failover->state, SN_DOWN);
    int64_t next = failover->tell_ns;
    return failover->state.state == SN_CANDIDATE ? sn_earlier(next, elect(sentinel, group)) : next;
}

/* No fence is ever taken back: the epoch is moved up to it instead. */
static int64_t lift_fences(struct sn_sentinel *sentinel, struct sn_group *group)
{
    int64_t due = NEVER_NS;
    for (uint32_t i = 0; i < group->node_count; i++) {
        const struct sn_node *node = group->nodes[i];
        if (node->fence_since_ns != NEVER_NS && sentinel->now_ns - node->status_ns <= SN_HEARD_NS)
            due = sn_earlier(due, node->fence_since_ns + STANDING_NS + sn_group_rank_ns(sentinel, group));
    }
    if (due == NEVER_NS || sentinel->now_ns < due)
        return due;
    if (!sn_round_may_start(sentinel, group))
        return sn_round_free_at(sentinel, group);
    sn_decide(sentinel, group, "choose again: a fence of epoch %llu stands",
              (unsigned long long)group->learned.epoch + 1);
    sn_round_start(sentinel, group, SN_CHANGE_FENCE);
    return sentinel->now_ns;
}

int64_t sn_failover_tick(struct sn_sentinel *sentinel, struct sn_group *group)
{
    int64_t next = watch_master(sentinel, group);
    return group->learned.version > 0 ? sn_earlier(next, lift_fences(sentinel, group)) : next;
}
