#include "sentinel/core/group.h"

#include "common/base/mem.h"
#include "sentinel/core/api.h"
#include "sentinel/core/core.h"
#include "sentinel/core/poll.h"
#include "sentinel/core/reconcile.h"
#include "sentinel/core/values.h"

#define DEFERENCE_NS (700 * NS_PER_MS) /* after saying dead to another: its whole round fits in */
#define LAGGING_NS   (200 * NS_PER_MS) /* so long a LEARN may still be under way */
#define RANK_NS      (100 * NS_PER_MS)
#define INSYNC_NS    (5 * NS_PER_S) /* a master that still wants it asks again */

/* A version that no round brings to light is one of another appliance: it is not asked for at every STATUS. */
#define LAGGING_AGAIN_NS (5 * NS_PER_S)

struct sn_group *sn_group_find(const struct sn_sentinel *sentinel, struct slice name)
{
    for (uint32_t i = 0; i < sentinel->group_count; i++) {
        if (slice_equal(slice_text(sentinel->groups[i]->name), name))
            return sentinel->groups[i];
    }
    return NULL;
}

struct sn_group *sn_group_make(struct sn_sentinel *sentinel, const char *name)
{
    struct sn_group *group = sn_group_find(sentinel, slice_text(name));
    if (group || sentinel->group_count == SN_GROUPS_MAX)
        return group;
    group = mem_zero(sizeof(*group));
    group->number = sentinel->group_count;
    memcpy(group->name, name, strlen(name));
    group->lagging_since_ns = NEVER_NS;
    group->spares.observed_ns = sentinel->now_ns;
    group->spares.due_ns = NEVER_NS;
    sn_failover_init(&group->failover);
    sentinel->groups[sentinel->group_count++] = group;
    return group;
}

void sn_group_free(struct sn_group *group)
{
    if (!group)
        return;
    for (uint32_t i = 0; i < group->node_count; i++)
        mem_free(group->nodes[i]);
    sn_round_free(&group->round);
    mem_free(group);
}

/* The value by whose lists this sentinel knows its place. */
static const struct topology *listed_in(const struct sn_group *group)
{
    return group->learned.version > 0 ? &group->learned : &group->acceptor.value;
}

bool sn_group_votes(const struct sn_sentinel *sentinel, const struct sn_group *group)
{
    return sn_values_lists(listed_in(group), &sentinel->id);
}

int64_t sn_group_rank_ns(const struct sn_sentinel *sentinel, const struct sn_group *group)
{
    const struct sentinel_list *list = &listed_in(group)->sentinels;
    uint64_t place = 0;
    if (list->count == 0)
        return 0;
    for (uint32_t i = 0; i < list->count; i++)
        place += identity_compare(&list->entries[i].sentinel, &sentinel->id) < 0;
    return (int64_t)((place + listed_in(group)->epoch) % list->count) * RANK_NS;
}

bool sn_group_sees_dead(const struct sn_sentinel *sentinel, const struct sn_group *group)
{
    return group->learned.version > 0 && sn_protection_has_ended(&group->protection, sentinel->now_ns);
}

static void saw_ballot(struct sn_group *group, const struct ballot *ballot)
{
    if (ballot->counter > group->highest_counter)
        group->highest_counter = ballot->counter;
}

static void fill_views(const struct sn_sentinel *sentinel, const struct sn_group *group, struct promise *promise)
{
    promise->view_count = 0;
    for (uint32_t i = 0; i < group->node_count; i++) {
        const struct sn_node *node = group->nodes[i];
        if (!node->has_status)
            continue;
        struct node_view *view = &promise->views[promise->view_count++];
        view->age_ms = (sentinel->now_ns - node->status_ns) / NS_PER_MS;
        view->status = node->status;
    }
}

bool sn_group_promise_own(struct sn_sentinel *sentinel, struct sn_group *group, const struct ballot *ballot,
                          struct promise *ret_promise, uint64_t *ret_sequence)
{
    saw_ballot(group, ballot);
    if (!sn_acceptor_promise(&group->acceptor, ballot))
        return false;
    ret_promise->ballot = *ballot;
    ret_promise->accepted = group->acceptor.accepted;
    ret_promise->has_value = group->acceptor.value.version > 0;
    ret_promise->value = group->acceptor.value;
    ret_promise->learned_epoch = group->learned.epoch;
    ret_promise->master_dead = sn_group_sees_dead(sentinel, group);
    fill_views(sentinel, group, ret_promise);
    if (ret_promise->master_dead)
        sn_settled_await(&group->settled, ballot, true, sentinel->now_ns + SN_SETTLE_PROMISE_NS);
    *ret_sequence = sn_touch(sentinel);
    return true;
}

static void answer_refusal(struct sn_sentinel *sentinel, struct sn_group *group, struct sn_link *link,
                           const struct ballot *ballot, enum refuse_reason reason)
{
    struct message *message = &sentinel->outgoing;
    message->kind = MESSAGE_REFUSE;
    memcpy(message->group, group->name, GROUP_NAME_MAX);
    message->refuse.ballot = *ballot;
    message->refuse.higher = group->acceptor.promised;
    message->refuse.reason = reason;
    sn_link_send(sentinel, link, message);
}

static void answer_durably(struct sn_sentinel *sentinel, struct sn_link *link, uint64_t sequence)
{
    if (sn_mutant(sentinel, SN_MUTANT_REPLY_BEFORE_DURABLE))
        sn_link_send(sentinel, link, &sentinel->outgoing);
    else
        sn_held_add(sentinel, sequence, link, &sentinel->outgoing);
}

void sn_group_prepare(struct sn_sentinel *sentinel, struct sn_group *group, struct sn_link *link,
                      const struct ballot *ballot)
{
    struct message *message = &sentinel->outgoing;
    uint64_t sequence;
    if (!sn_group_promise_own(sentinel, group, ballot, &message->promise, &sequence)) {
        answer_refusal(sentinel, group, link, ballot, REFUSE_BALLOT);
        return;
    }
    if (message->promise.master_dead && group->quiet_until_ns < sentinel->now_ns + DEFERENCE_NS)
        group->quiet_until_ns = sentinel->now_ns + DEFERENCE_NS;
    message->kind = MESSAGE_PROMISE;
    memcpy(message->group, group->name, GROUP_NAME_MAX);
    answer_durably(sentinel, link, sequence);
}

/* What an acceptance or a refusal leaves open, it waits to learn. */
static enum sn_verdict judge(struct sn_sentinel *sentinel, struct sn_group *group, const struct ballot *ballot,
                             const struct topology *value)
{
    static const struct sn_protection nobody;
    bool ignores_lease = sn_mutant(sentinel, SN_MUTANT_IGNORE_LEASE);
    saw_ballot(group, ballot);
    enum sn_verdict verdict = sn_acceptor_accept(&group->acceptor, ignores_lease ? &nobody : &group->protection, ballot,
                                                 value, sentinel->now_ns);
    if (verdict == SN_REFUSED_BALLOT)
        return verdict;

    bool blocks = group->learned.version == 0 || value->epoch != group->learned.epoch;
    if (verdict == SN_ACCEPTED && sn_mutant(sentinel, SN_MUTANT_GRANT_AFTER_ACCEPTING))
        blocks = false;
    if (verdict == SN_REFUSED_LEASE && sn_mutant(sentinel, SN_MUTANT_RENEW_AFTER_REFUSING))
        blocks = false;
    sn_settled_await(&group->settled, ballot, blocks, sentinel->now_ns + SN_SETTLE_VALUE_NS);
    return verdict;
}

bool sn_group_accept_own(struct sn_sentinel *sentinel, struct sn_group *group, const struct ballot *ballot,
                         const struct topology *value, uint64_t *ret_sequence)
{
    if (judge(sentinel, group, ballot, value) != SN_ACCEPTED)
        return false;
    *ret_sequence = sn_touch(sentinel);
    return true;
}

void sn_group_accept(struct sn_sentinel *sentinel, struct sn_group *group, struct sn_link *link,
                     const struct ballot *ballot, const struct topology *value)
{
    enum sn_verdict verdict = judge(sentinel, group, ballot, value);
    if (verdict != SN_ACCEPTED) {
        if (verdict == SN_REFUSED_LEASE)
            sn_decide(sentinel, group, "refuse epoch %llu: the promise to epoch %llu stands",
                      (unsigned long long)value->epoch, (unsigned long long)group->protection.epoch);
        answer_refusal(sentinel, group, link, ballot, verdict == SN_REFUSED_LEASE ? REFUSE_LEASE : REFUSE_BALLOT);
        return;
    }
    struct message *message = &sentinel->outgoing;
    message->kind = MESSAGE_ACCEPTED;
    memcpy(message->group, group->name, GROUP_NAME_MAX);
    message->prepare.ballot = *ballot;
    answer_durably(sentinel, link, sn_touch(sentinel));
    sn_peers_refresh(sentinel);
}

static void note_version(struct sn_sentinel *sentinel, struct sn_group *group, const struct topology *before)
{
    const struct topology *learned = &group->learned;
    if (learned->epoch == before->epoch && before->version > 0) {
        sn_decide(sentinel, group, "version %llu: %s, by %s", (unsigned long long)learned->version, learned->reason,
                  learned->author);
        return;
    }
    sn_decide(sentinel, group, "version %llu, epoch %llu, master %s: %s, by %s", (unsigned long long)learned->version,
              (unsigned long long)learned->epoch,
              life_is_nobody(&learned->master) ? "none" : sn_short_id(&learned->master.node).text, learned->reason,
              learned->author);
}

/* The master of a new epoch has 5 s to appear. In epoch 0 there is nobody to protect. */
static void enter_epoch(struct sn_sentinel *sentinel, struct sn_group *group, const struct topology *before)
{
    /* After a start an older value may be met first: the promise to what was accepted, and granted under, stands. */
    bool is_older =
        group->learned.epoch < group->acceptor.value.epoch && group->learned.epoch < group->protection.epoch;
    if (!is_older)
        sn_protection_begin(&group->protection, group->learned.epoch, &group->learned.master, sentinel->now_ns);
    sn_failover_epoch(sentinel, group);
    if (before->version > 0)
        sn_api_publish_switch(sentinel, group, before);
}

static void adopt(struct sn_sentinel *sentinel, struct sn_group *group, const struct topology *value)
{
    struct topology *before = mem_alloc(sizeof(*before));
    *before = group->learned;
    group->learned = *value;
    note_version(sentinel, group, before);
    if (value->epoch != before->epoch || before->version == 0)
        enter_epoch(sentinel, group, before);
    sn_losses_epoch(sentinel, group, before);
    sn_spares_learned(sentinel, group, before);
    mem_free(before);

    if (group->insync.expected_version != value->version)
        group->insync = (struct insync){0};
    for (uint32_t i = 0; i < group->node_count; i++)
        group->nodes[i]->fence_since_ns = NEVER_NS;
    sn_poll_refresh(sentinel, group);
    sn_peers_refresh(sentinel);
}

void sn_group_insync(struct sn_sentinel *sentinel, struct sn_group *group, const struct insync *request)
{
    group->insync = *request;
    group->insync_until_ns = sentinel->now_ns + INSYNC_NS;
}

void sn_group_learn(struct sn_sentinel *sentinel, struct sn_group *group, const struct ballot *ballot,
                    const struct topology *value, bool is_own)
{
    bool was_settled = sn_settled_is(&group->settled);
    saw_ballot(group, ballot);
    if (value->version < group->learned.version) {
        sentinel->refusals.counts[REFUSAL_OLD]++;
        return;
    }
    /* Also what was accepted at this very ballot may still be on its way to the disk. */
    group->learned_sequence =
        sn_acceptor_learn(&group->acceptor, ballot, value) ? sn_touch(sentinel) : sentinel->sequence;
    sn_settled_learn(&group->settled, ballot);
    if (ballot_compare(ballot, &group->learned_ballot) > 0)
        group->learned_ballot = *ballot;

    bool is_new = value->version > group->learned.version;
    if (is_new) {
        group->lagging_since_ns = NEVER_NS;
        adopt(sentinel, group, value);
    }
    if (is_new || !was_settled)
        sn_poll_all(sentinel, group);
    if (is_own)
        sn_peers_send(sentinel, group, sn_group_message_learn(sentinel, group));
    if (is_new)
        sn_reconcile_members(sentinel, group, is_own);
    sn_creation_learned(sentinel, group);
}

void sn_group_met_version(struct sn_sentinel *sentinel, struct sn_group *group, uint64_t version)
{
    if (version > group->learned.version && group->lagging_since_ns == NEVER_NS &&
        sentinel->now_ns >= group->lagging_again_ns)
        group->lagging_since_ns = sentinel->now_ns;
}

const struct message *sn_group_message_learn(struct sn_sentinel *sentinel, const struct sn_group *group)
{
    struct message *message = &sentinel->outgoing;
    message->kind = MESSAGE_LEARN;
    memcpy(message->group, group->name, GROUP_NAME_MAX);
    message->learn.ballot = group->learned_ballot;
    message->learn.topology = group->learned;
    return message;
}

/* An identity round brings to light what was committed while nobody told. */
static int64_t settle(struct sn_sentinel *sentinel, struct sn_group *group)
{
    int64_t due = NEVER_NS;
    if (!sn_settled_is(&group->settled))
        due = group->settled.due_ns + sn_group_rank_ns(sentinel, group);
    if (group->lagging_since_ns != NEVER_NS)
        due = sn_earlier(due, group->lagging_since_ns + LAGGING_NS + sn_group_rank_ns(sentinel, group));
    if (due == NEVER_NS)
        return NEVER_NS;
    if (sentinel->now_ns < due)
        return due;
    if (!sn_round_may_start(sentinel, group))
        return sn_round_free_at(sentinel, group);
    group->lagging_since_ns = NEVER_NS;
    group->lagging_again_ns = sentinel->now_ns + LAGGING_AGAIN_NS;
    sn_round_start(sentinel, group, SN_CHANGE_NOTHING);
    return sentinel->now_ns;
}

static int64_t ask_insync(struct sn_sentinel *sentinel, struct sn_group *group)
{
    if (group->insync.epoch == 0)
        return NEVER_NS;
    if (sentinel->now_ns >= group->insync_until_ns) {
        group->insync = (struct insync){0};
        return NEVER_NS;
    }
    if (!sn_round_may_start(sentinel, group))
        return sn_round_free_at(sentinel, group);
    sn_round_start(sentinel, group, SN_CHANGE_IN_SYNC);
    return sentinel->now_ns;
}

int64_t sn_group_tick(struct sn_sentinel *sentinel, struct sn_group *group)
{
    int64_t next = sn_poll_tick(sentinel, group);
    next = sn_earlier(next, sn_round_tick(sentinel, group));
    next = sn_earlier(next, sn_creation_tick(sentinel, group));
    if (!sn_group_votes(sentinel, group))
        return next;
    next = sn_earlier(next, sn_failover_tick(sentinel, group));
    next = sn_earlier(next, settle(sentinel, group));
    next = sn_earlier(next, ask_insync(sentinel, group));
    return sn_earlier(next, sn_spares_tick(sentinel, group));
}
