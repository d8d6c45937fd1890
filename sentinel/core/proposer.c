#include "sentinel/core/proposer.h"

#include "common/base/mem.h"
#include "sentinel/core/core.h"
#include "sentinel/core/values.h"

#include <stdarg.h>
#include <stdio.h>

#define PREPARE_NS    (100 * NS_PER_MS)  /* to hear all sentinels, not just a majority */
#define FENCE_NS      (400 * NS_PER_MS)  /* to hear all nodes, not just enough */
#define PATIENCE_NS   (1000 * NS_PER_MS) /* a phase that got nowhere by then has failed */
#define FAILED_NS     (1000 * NS_PER_MS) /* others get their turn */
#define RETRY_LOW_NS  (50 * NS_PER_MS)
#define RETRY_HIGH_NS (250 * NS_PER_MS)

void sn_round_free(struct sn_round *round)
{
    sn_votes_clear(&round->votes);
}

/* Whether a majority of sentinels could answer. Without this a lonely one would raise ballots for nothing. */

static bool is_reachable(void *context, const struct identity *id)
{
    const struct sn_sentinel *sentinel = context;
    return identity_equal(id, &sentinel->id) || sn_peers_reach(sentinel, id);
}

static const struct topology *lists_of(const struct sn_group *group)
{
    if (group->acceptor.value.version > 0)
        return &group->acceptor.value;
    return &group->creation.value;
}

bool sn_round_may_start(const struct sn_sentinel *sentinel, const struct sn_group *group)
{
    return group->round.phase == SN_ROUND_IDLE && sentinel->now_ns >= group->quiet_until_ns &&
           topology_majority(lists_of(group), is_reachable, (void *)sentinel);
}

int64_t sn_round_free_at(const struct sn_sentinel *sentinel, const struct sn_group *group)
{
    return group->quiet_until_ns > sentinel->now_ns ? group->quiet_until_ns : NEVER_NS;
}

/* Ending. */

enum outcome { COMMITTED, OUTBID, FAILED };

static void end(struct sn_sentinel *sentinel, struct sn_group *group, enum outcome outcome)
{
    struct sn_round *round = &group->round;
    int64_t wait = 0;
    if (outcome == OUTBID)
        wait = rand_between(&sentinel->rand, RETRY_LOW_NS, RETRY_HIGH_NS);
    else if (outcome == FAILED || round->has_given_way)
        wait = FAILED_NS;
    if (group->quiet_until_ns < sentinel->now_ns + wait)
        group->quiet_until_ns = sentinel->now_ns + wait;
    round->phase = SN_ROUND_IDLE;
    sn_votes_clear(&round->votes);
}

/* Sending. */

static const struct message *request(struct sn_sentinel *sentinel, struct sn_group *group)
{
    struct message *message = &sentinel->outgoing;
    memcpy(message->group, group->name, GROUP_NAME_MAX);
    if (group->round.phase == SN_ROUND_ACCEPT) {
        message->kind = MESSAGE_ACCEPT;
        message->learn.ballot = group->round.ballot;
        message->learn.topology = group->round.value;
    } else {
        message->kind = MESSAGE_PREPARE;
        message->prepare.ballot = group->round.ballot;
    }
    return message;
}

void sn_round_catch_up(struct sn_sentinel *sentinel, struct sn_group *group, struct sn_link *link)
{
    if (group->round.phase == SN_ROUND_PREPARE || group->round.phase == SN_ROUND_ACCEPT)
        sn_link_send(sentinel, link, request(sentinel, group));
}

static void enter(struct sn_sentinel *sentinel, struct sn_group *group, enum sn_round_phase phase)
{
    group->round.phase = phase;
    group->round.phase_ns = sentinel->now_ns;
}

/* ACCEPT. */

static void propose(struct sn_sentinel *sentinel, struct sn_group *group)
{
    struct sn_round *round = &group->round;
    struct sn_vote *own = sn_votes_of(&round->votes, &sentinel->id);
    uint64_t sequence = 0;
    enter(sentinel, group, SN_ROUND_ACCEPT);
    if (own && sn_group_accept_own(sentinel, group, &round->ballot, &round->value, &sequence)) {
        own->has_accepted = true;
        own->sequence = sequence;
    } else if (own) {
        own->has_refused = true;
    }
    sn_peers_refresh(sentinel);
    sn_peers_send(sentinel, group, request(sentinel, group));
}

/* Goes on with the value as it is. `why` is NULL where nothing else was wanted. */
static void give_way(struct sn_sentinel *sentinel, struct sn_group *group, const char *why)
{
    if (why) {
        sn_decide(sentinel, group, "no change: %s", why);
        group->round.has_given_way = true;
    }
    propose(sentinel, group);
}

static void sign(const struct sn_sentinel *sentinel, struct topology *value, const char *format, ...) PRINTF(3, 4);

static void sign(const struct sn_sentinel *sentinel, struct topology *value, const char *format, ...)
{
    va_list arguments;
    memset(value->author, 0, sizeof(value->author));
    memset(value->reason, 0, sizeof(value->reason));
    snprintf(value->author, sizeof(value->author), "sentinel %s", sn_short_id(&sentinel->id).text);
    va_start(arguments, format);
    vsnprintf(value->reason, sizeof(value->reason), format, arguments);
    va_end(arguments);
}

/* FENCE: choosing a master. */

static bool counts(const struct sn_sentinel *sentinel, const struct sn_round *round, const struct identity *node)
{
    return sn_mutant(sentinel, SN_MUTANT_COUNT_UNHEARD) || sn_votes_heard(&round->votes, &round->value, node);
}

/* Takes for an answer what the views say; only for the simulator. */
static void answer_by_views(struct sn_round *round)
{
    for (uint32_t i = 0; i < round->votes.count; i++) {
        const struct promise *promise = round->votes.items[i].promise;
        for (uint32_t j = 0; promise && j < promise->view_count; j++) {
            const struct status *status = &promise->views[j].status;
            struct fenced fenced = {.epoch = round->value.epoch + 1,
                                    .ballot = round->ballot,
                                    .life = status->life,
                                    .history = status->history};
            sn_answers_add(&round->answers, &fenced, true);
        }
    }
}

static void fence(struct sn_sentinel *sentinel, struct sn_group *group)
{
    struct sn_round *round = &group->round;
    round->answers = (struct sn_answers){0};
    round->targets = 0;
    enter(sentinel, group, SN_ROUND_FENCE);
    if (sn_mutant(sentinel, SN_MUTANT_CHOOSE_WITHOUT_FENCING)) {
        answer_by_views(round);
        return;
    }

    struct message *message = &sentinel->outgoing;
    message->kind = MESSAGE_FENCE;
    memcpy(message->group, group->name, GROUP_NAME_MAX);
    message->fence.epoch = round->value.epoch + 1;
    message->fence.ballot = round->ballot;
    for (uint32_t i = 0; i < group->node_count; i++) {
        struct sn_node *node = group->nodes[i];
        if (counts(sentinel, round, &node->id))
            round->targets |= UINT32_C(1) << i;
        if (node->link && sn_votes_any_heard(&round->votes, &node->id))
            sn_link_send(sentinel, node->link, message);
    }
}

static bool all_answered(const struct sn_group *group)
{
    for (uint32_t i = 0; i < group->node_count; i++) {
        if ((group->round.targets & UINT32_C(1) << i) && !sn_answers_of(&group->round.answers, &group->nodes[i]->id))
            return false;
    }
    return true;
}

static bool takes_the_best(const struct sn_sentinel *sentinel, const struct topology *topology)
{
    if (sentinel->config.cold_start == SN_COLD_START_BY_DURABILITY)
        return topology->durability == DURABILITY_ASYNC;
    return sentinel->config.cold_start == SN_COLD_START_BEST;
}

/* Cold start (QUORUM section 6): whether the policy's patience is at an end, or the operator's. */
static bool has_waited(const struct sn_sentinel *sentinel, const struct sn_group *group)
{
    int64_t since = group->failover.short_since_ns;
    if (sn_force_stands(sentinel, group))
        return true;
    return takes_the_best(sentinel, &group->round.value) && since != NEVER_NS &&
           sentinel->now_ns - since >= sentinel->config.cold_start_wait_ns;
}

static bool may_start_cold(const struct sn_sentinel *sentinel, const struct sn_group *group)
{
    return sn_mutant(sentinel, SN_MUTANT_EAGER_COLD_START) ||
           sn_answers_complete(&group->round.answers, &group->round.value) || has_waited(sentinel, group);
}

static void note_short(struct sn_sentinel *sentinel, struct sn_group *group)
{
    if (group->failover.short_since_ns == NEVER_NS)
        group->failover.short_since_ns = sentinel->now_ns;
}

static void keep_all_in_sync(const struct sn_answers *answers, const struct sn_answer *winner, struct topology *value)
{
    value->in_sync_count = 0;
    for (uint32_t i = 0; i < answers->count; i++) {
        if (&answers->items[i] != winner)
            value->in_sync[value->in_sync_count++] = answers->items[i].fenced.life;
    }
}

static void appoint(struct sn_sentinel *sentinel, struct sn_group *group, const struct sn_answer *winner, bool is_cold)
{
    struct sn_round *round = &group->round;
    struct topology *next = mem_alloc(sizeof(*next));
    sn_answers_successor(&round->answers, &round->value, winner, next);
    if (sn_mutant(sentinel, SN_MUTANT_KEEP_LAGGING))
        keep_all_in_sync(&round->answers, winner, next);

    const char *cause = "the master was silent for 5 s";
    if (round->value.epoch == 0)
        cause = "first master";
    else if (round->change == SN_CHANGE_FENCE)
        cause = "a fence stood";
    else if (group->protection.is_gone)
        cause = "the master's node restarted";
    bool is_same = life_equal(&next->master, &round->value.master);
    const char *cost = "";
    if (is_cold && round->value.epoch > 0)
        cost = sn_force_stands(sentinel, group) ? "; forced by the operator: acknowledged writes may be lost"
                                                : "; cold start: acknowledged writes may be lost";
    sign(sentinel, next, "%s%s%s", cause, is_same ? "; chosen again" : "", cost);
    sn_decide(sentinel, group, "propose master %s for epoch %llu at offset %llu, best of %u answers: %s",
              sn_short_id(&next->master.node).text, (unsigned long long)next->epoch,
              (unsigned long long)next->branch.last_offset, round->answers.count, next->reason);
    round->value = *next;
    mem_free(next);
    propose(sentinel, group);
}

static void choose(struct sn_sentinel *sentinel, struct sn_group *group)
{
    struct sn_round *round = &group->round;
    int64_t waited = sentinel->now_ns - round->phase_ns;
    bool is_all = all_answered(group);
    if (!is_all && waited < FENCE_NS)
        return;
    bool is_enough = sn_answers_enough(&round->answers, &round->value);
    bool is_cold = !is_enough && may_start_cold(sentinel, group);
    if (!is_enough && !is_cold) {
        if (!is_all && waited < PATIENCE_NS)
            return;
        note_short(sentinel, group);
        give_way(sentinel, group, "too few of the nodes that may hold acknowledged writes have answered");
        return;
    }
    const struct sn_answer *winner = sn_answers_best(&round->answers, &round->value);
    if ((!winner || sn_answers_is_empty(winner)) && has_waited(sentinel, group)) {
        const struct sn_answer *salvage = sn_answers_salvage(&round->answers, &round->value);
        winner = salvage ? salvage : winner;
        is_cold |= salvage != NULL;
    }
    if (!winner) {
        note_short(sentinel, group);
        give_way(sentinel, group, "no node that answered may become master");
        return;
    }
    if (sn_answers_is_empty(winner) && sn_answers_any_data(&round->answers)) {
        note_short(sentinel, group);
        give_way(sentinel, group, "only an empty node may become master, and another one holds data");
        return;
    }
    if (sn_answers_is_empty(winner) && !sn_answers_all_empty(&round->answers, &round->value) &&
        !has_waited(sentinel, group)) {
        note_short(sentinel, group);
        give_way(sentinel, group, "only empty nodes have answered, and not all of them");
        return;
    }
    if (!sn_votes_say_dead(&round->votes, &round->value) && !sn_answers_release(&round->answers, &round->value) &&
        !sn_mutant(sentinel, SN_MUTANT_DECIDE_WITHOUT_DEAD)) {
        give_way(sentinel, group, "the master is not seen dead and has not released its epoch");
        return;
    }
    appoint(sentinel, group, winner, is_cold);
}

void sn_round_fenced(struct sn_sentinel *sentinel, struct sn_group *group, const struct fenced *fenced)
{
    struct sn_round *round = &group->round;
    if (round->phase == SN_ROUND_FENCE && fenced->epoch == round->value.epoch + 1 &&
        ballot_compare(&fenced->ballot, &round->ballot) == 0)
        sn_answers_add(&round->answers, fenced, counts(sentinel, round, &fenced->life.node));
}

/* PREPARE. */

static void change_in_sync(struct sn_sentinel *sentinel, struct sn_group *group)
{
    const struct insync *request = &group->insync;
    struct topology *value = &group->round.value;
    if (request->expected_version != value->version || request->epoch != value->epoch ||
        !life_equal(&request->life, &value->master)) {
        give_way(sentinel, group, NULL);
        return;
    }
    value->version++;
    value->in_sync_count = request->count;
    memset(value->in_sync, 0, sizeof(value->in_sync));
    memcpy(value->in_sync, request->in_sync, request->count * sizeof(request->in_sync[0]));
    value->durability = request->durability;
    value->acknowledgements = request->acknowledgements;
    sign(sentinel, value, "the master has %u replicas in sync", request->count);
    propose(sentinel, group);
}

/* Who was missing here must be so for a majority, and the spare be heard by one. */
static void exchange(struct sn_sentinel *sentinel, struct sn_group *group)
{
    struct sn_round *round = &group->round;
    struct topology *value = &round->value;
    struct sn_presence presences[TOPOLOGY_MEMBERS_MAX];
    struct sn_exchange exchange;
    sn_spares_look(sentinel, group, presences);
    for (uint32_t i = 0; i < value->member_count; i++) {
        bool is_heard = sn_votes_heard(&round->votes, value, &value->members[i].node);
        presences[i].is_missing &= !is_heard;
        presences[i].is_steady &= is_heard;
    }
    if (sn_votes_say_dead(&round->votes, value) || !sn_spares_choose(value, presences, &exchange)) {
        give_way(sentinel, group, "the others do not see what called for another replica");
        return;
    }
    sn_spares_apply(value, &exchange);
    value->version++;
    struct sn_short_id leaver = {"nobody"}, joiner = {"nobody"};
    if (exchange.leaver >= 0)
        leaver = sn_short_id(&value->members[exchange.leaver].node);
    if (exchange.joiner >= 0)
        joiner = sn_short_id(&value->members[exchange.joiner].node);
    if (exchange.joiner < 0)
        sign(sentinel, value, "the %u wanted replicas are complete: %s becomes a spare", value->wanted_replicas,
             leaver.text);
    else if (exchange.leaver < 0)
        sign(sentinel, value, "%u replicas are wanted: spare %s becomes one", value->wanted_replicas, joiner.text);
    else
        sign(sentinel, value, "replica %s is missing: spare %s takes its place", leaver.text, joiner.text);
    propose(sentinel, group);
}

/* The value is the one that was learned: what was wanted may be done to it. */
static void change(struct sn_sentinel *sentinel, struct sn_group *group)
{
    struct sn_round *round = &group->round;
    switch (round->change) {
    case SN_CHANGE_NOTHING:
    case SN_CHANGE_CREATE: give_way(sentinel, group, NULL); break;
    case SN_CHANGE_IN_SYNC: change_in_sync(sentinel, group); break;
    case SN_CHANGE_MASTER:
        if (!sn_votes_say_dead(&round->votes, &round->value) && !sn_mutant(sentinel, SN_MUTANT_DECIDE_WITHOUT_DEAD))
            give_way(sentinel, group, "no majority sees the master dead by now");
        else
            fence(sentinel, group);
        break;
    case SN_CHANGE_SPARE: exchange(sentinel, group); break;
    case SN_CHANGE_FENCE: fence(sentinel, group); break;
    }
}

static bool heard_all_it_may(const struct sn_sentinel *sentinel, const struct sn_group *group,
                             const struct topology *list)
{
    const struct sn_round *round = &group->round;
    if (!sn_votes_promised(&round->votes, list))
        return false;
    if (sentinel->now_ns - round->phase_ns >= PREPARE_NS || sn_votes_promised_all(&round->votes, list))
        return true;
    return round->change == SN_CHANGE_IN_SYNC && sn_votes_show(&round->votes, &group->learned);
}

static void decide(struct sn_sentinel *sentinel, struct sn_group *group)
{
    struct sn_round *round = &group->round;
    const struct topology *taken = sn_votes_take(&round->votes, &group->learned);
    const struct topology *list = taken ? taken : &group->creation.value;
    if (!heard_all_it_may(sentinel, group, list))
        return;
    if (taken) {
        round->value = *taken;
        if (group->learned.version > 0 && sn_values_equal(taken, &group->learned))
            change(sentinel, group);
        else
            give_way(sentinel, group, NULL);
    } else if (round->change == SN_CHANGE_CREATE && group->creation.is_wanted) {
        round->value = group->creation.value;
        propose(sentinel, group);
    } else {
        end(sentinel, group, FAILED); /* over an empty register nothing but the operator's create is proposed */
    }
}

void sn_round_start(struct sn_sentinel *sentinel, struct sn_group *group, enum sn_change wanted)
{
    struct sn_round *round = &group->round;
    CHECK(round->phase == SN_ROUND_IDLE);
    sn_votes_clear(&round->votes);
    round->change = wanted;
    round->has_given_way = false;
    if (group->acceptor.promised.counter > group->highest_counter)
        group->highest_counter = group->acceptor.promised.counter;
    round->ballot = (struct ballot){group->highest_counter + 1, sentinel->id, sentinel->run};
    enter(sentinel, group, SN_ROUND_PREPARE);

    struct sn_vote *own = sn_votes_of(&round->votes, &sentinel->id);
    struct promise *promise = mem_zero(sizeof(*promise));
    CHECK(sn_group_promise_own(sentinel, group, &round->ballot, promise, &own->sequence));
    own->promise = promise;
    sn_peers_send(sentinel, group, request(sentinel, group));
}

/* Votes of others. */

static bool is_present(const struct sn_group *group, enum sn_round_phase phase, const struct ballot *ballot)
{
    return group->round.phase == phase && ballot_compare(&group->round.ballot, ballot) == 0;
}

void sn_round_promised(struct sn_sentinel *sentinel, struct sn_group *group, const struct identity *sender,
                       const struct promise *promise)
{
    (void)sentinel;
    struct sn_vote *vote;
    if (!is_present(group, SN_ROUND_PREPARE, &promise->ballot) ||
        (promise->has_value && strcmp(promise->value.group, group->name) != 0) ||
        !(vote = sn_votes_of(&group->round.votes, sender)) || vote->promise)
        return;
    vote->promise = mem_alloc(sizeof(*promise));
    *vote->promise = *promise;
    if (promise->accepted.counter > group->highest_counter)
        group->highest_counter = promise->accepted.counter;
}

void sn_round_accepted(struct sn_sentinel *sentinel, struct sn_group *group, const struct identity *sender,
                       const struct ballot *ballot)
{
    (void)sentinel;
    struct sn_vote *vote;
    if (is_present(group, SN_ROUND_ACCEPT, ballot) && (vote = sn_votes_of(&group->round.votes, sender)))
        vote->has_accepted = true;
}

void sn_round_refused(struct sn_sentinel *sentinel, struct sn_group *group, const struct identity *sender,
                      const struct message *message)
{
    struct sn_round *round = &group->round;
    struct sn_vote *vote;
    if (message->refuse.higher.counter > group->highest_counter)
        group->highest_counter = message->refuse.higher.counter;
    /* The same request again, after a new connection, is refused by the very ballot that it carries. */
    if (ballot_compare(&message->refuse.ballot, &round->ballot) != 0 ||
        ballot_compare(&message->refuse.higher, &round->ballot) == 0)
        return;
    if (round->phase == SN_ROUND_PREPARE)
        end(sentinel, group, OUTBID);
    else if (round->phase == SN_ROUND_ACCEPT && (vote = sn_votes_of(&round->votes, sender)))
        vote->has_refused = true;
}

/* Time. */

static void finish(struct sn_sentinel *sentinel, struct sn_group *group)
{
    struct sn_round *round = &group->round;
    if (!sn_votes_can_accept(&round->votes, &round->value)) {
        bool is_outbid = ballot_compare(&group->acceptor.promised, &round->ballot) > 0 ||
                         group->highest_counter > round->ballot.counter;
        end(sentinel, group, is_outbid ? OUTBID : FAILED);
        return;
    }
    if (!sn_votes_accepted(&round->votes, &round->value))
        return;
    struct topology *value = mem_alloc(sizeof(*value));
    *value = round->value;
    struct ballot ballot = round->ballot;
    end(sentinel, group, COMMITTED);
    sn_group_learn(sentinel, group, &ballot, value, true);
    mem_free(value);
}

static void advance(struct sn_sentinel *sentinel, struct sn_group *group)
{
    struct sn_round *round = &group->round;
    round->votes.durable = sentinel->durable;
    if (sn_mutant(sentinel, SN_MUTANT_REPLY_BEFORE_DURABLE))
        round->votes.durable = sentinel->sequence;
    switch (round->phase) {
    case SN_ROUND_IDLE: break;
    case SN_ROUND_PREPARE: decide(sentinel, group); break;
    case SN_ROUND_FENCE: choose(sentinel, group); break;
    case SN_ROUND_ACCEPT: finish(sentinel, group); break;
    }
}

int64_t sn_round_tick(struct sn_sentinel *sentinel, struct sn_group *group)
{
    struct sn_round *round = &group->round;
    enum sn_round_phase before;
    do {
        before = round->phase;
        /* Outbid in our own acceptor: the ballot does not stand any more. */
        if ((before == SN_ROUND_PREPARE || before == SN_ROUND_FENCE) &&
            ballot_compare(&group->acceptor.promised, &round->ballot) > 0)
            end(sentinel, group, OUTBID);
        else
            advance(sentinel, group);
    } while (round->phase != before && round->phase != SN_ROUND_IDLE);
    if (round->phase == SN_ROUND_IDLE)
        return NEVER_NS;

    int64_t waited = sentinel->now_ns - round->phase_ns;
    if (waited >= PATIENCE_NS && round->phase != SN_ROUND_FENCE) {
        end(sentinel, group, FAILED);
        return sentinel->now_ns;
    }
    int64_t pause = round->phase == SN_ROUND_PREPARE ? PREPARE_NS : FENCE_NS;
    return round->phase_ns + (round->phase != SN_ROUND_ACCEPT && waited < pause ? pause : PATIENCE_NS);
}
