#include "sentinel/core/votes.h"

#include "common/base/mem.h"
#include "sentinel/core/values.h"

void sn_votes_clear(struct sn_votes *votes)
{
    for (uint32_t i = 0; i < votes->count; i++)
        mem_free(votes->items[i].promise);
    *votes = (struct sn_votes){.durable = votes->durable};
}

struct sn_vote *sn_votes_of(struct sn_votes *votes, const struct identity *sentinel)
{
    for (uint32_t i = 0; i < votes->count; i++) {
        if (identity_equal(&votes->items[i].sentinel, sentinel))
            return &votes->items[i];
    }
    if (votes->count == SN_VOTES_MAX)
        return NULL;
    struct sn_vote *vote = &votes->items[votes->count++];
    *vote = (struct sn_vote){.sentinel = *sentinel};
    return vote;
}

/* A question that a majority is asked: `applies` to the vote of each. */
struct question {
    const struct sn_votes *votes;
    bool (*applies)(const struct question *question, const struct sn_vote *vote);
    bool without_vote; /* the answer for a sentinel that has not voted */
    const struct ballot *ballot;
    const struct topology *value;
    const struct identity *node;
};

static bool ask(void *context, const struct identity *sentinel)
{
    const struct question *question = context;
    for (uint32_t i = 0; i < question->votes->count; i++) {
        const struct sn_vote *vote = &question->votes->items[i];
        if (identity_equal(&vote->sentinel, sentinel))
            return question->applies(question, vote);
    }
    return question->without_vote;
}

static bool majority(struct question question, const struct topology *list)
{
    return topology_majority(list, ask, &question);
}

static bool has_promised(const struct question *question, const struct sn_vote *vote)
{
    return vote->promise && vote->sequence <= question->votes->durable;
}

static bool has_accepted(const struct question *question, const struct sn_vote *vote)
{
    return vote->has_accepted && vote->sequence <= question->votes->durable;
}

static bool may_accept(const struct question *question, const struct sn_vote *vote)
{
    (void)question;
    return !vote->has_refused;
}

static bool says_dead(const struct question *question, const struct sn_vote *vote)
{
    return has_promised(question, vote) && vote->promise->master_dead &&
           vote->promise->learned_epoch == question->value->epoch;
}

static bool shows(const struct question *question, const struct sn_vote *vote)
{
    return has_promised(question, vote) && vote->promise->has_value &&
           sn_values_equal(&vote->promise->value, question->value);
}

static bool accepted_below(const struct question *question, const struct sn_vote *vote)
{
    return has_promised(question, vote) && ballot_compare(&vote->promise->accepted, question->ballot) < 0;
}

static bool view_heard(const struct question *question, const struct sn_vote *vote)
{
    if (!has_promised(question, vote))
        return false;
    for (uint32_t i = 0; i < vote->promise->view_count; i++) {
        const struct node_view *view = &vote->promise->views[i];
        if (view->age_ms <= SN_HEARD_NS / NS_PER_MS && identity_equal(&view->status.life.node, question->node))
            return true;
    }
    return false;
}

bool sn_votes_promised(const struct sn_votes *votes, const struct topology *list)
{
    return majority((struct question){.votes = votes, .applies = has_promised}, list);
}

static bool all_of(const struct question *question, const struct sentinel_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (!ask((void *)question, &list->entries[i].sentinel))
            return false;
    }
    return true;
}

bool sn_votes_promised_all(const struct sn_votes *votes, const struct topology *list)
{
    struct question question = {.votes = votes, .applies = has_promised};
    return all_of(&question, &list->sentinels) && all_of(&question, &list->previous_sentinels);
}

bool sn_votes_accepted(const struct sn_votes *votes, const struct topology *list)
{
    return majority((struct question){.votes = votes, .applies = has_accepted}, list);
}

bool sn_votes_can_accept(const struct sn_votes *votes, const struct topology *list)
{
    return majority((struct question){.votes = votes, .applies = may_accept, .without_vote = true}, list);
}

bool sn_votes_say_dead(const struct sn_votes *votes, const struct topology *list)
{
    return majority((struct question){.votes = votes, .applies = says_dead, .value = list}, list);
}

bool sn_votes_show(const struct sn_votes *votes, const struct topology *value)
{
    return majority((struct question){.votes = votes, .applies = shows, .value = value}, value);
}

bool sn_votes_heard(const struct sn_votes *votes, const struct topology *list, const struct identity *node)
{
    return majority((struct question){.votes = votes, .applies = view_heard, .node = node}, list);
}

bool sn_votes_any_heard(const struct sn_votes *votes, const struct identity *node)
{
    struct question question = {.votes = votes, .applies = view_heard, .node = node};
    for (uint32_t i = 0; i < votes->count; i++) {
        if (view_heard(&question, &votes->items[i]))
            return true;
    }
    return false;
}

/* The accepted value with the highest ballot below `ceiling` (NULL: of all). */
static const struct promise *highest_below(const struct sn_votes *votes, const struct ballot *ceiling)
{
    struct question question = {.votes = votes};
    const struct promise *highest = NULL;
    for (uint32_t i = 0; i < votes->count; i++) {
        const struct promise *promise = votes->items[i].promise;
        if (!has_promised(&question, &votes->items[i]) || !promise->has_value)
            continue;
        if (ceiling && ballot_compare(&promise->accepted, ceiling) >= 0)
            continue;
        if (!highest || ballot_compare(&promise->accepted, &highest->accepted) > 0)
            highest = promise;
    }
    return highest;
}

static bool may_be_left_aside(const struct sn_votes *votes, const struct promise *candidate,
                              const struct topology *learned)
{
    struct question below = {.votes = votes, .applies = accepted_below, .ballot = &candidate->accepted};
    return learned->version > 0 && candidate->value.epoch > learned->epoch && majority(below, &candidate->value) &&
           majority(below, learned) && !sn_votes_say_dead(votes, learned);
}

const struct topology *sn_votes_take(const struct sn_votes *votes, const struct topology *learned)
{
    const struct promise *candidate = highest_below(votes, NULL);
    while (candidate && may_be_left_aside(votes, candidate, learned)) {
        const struct promise *lower = highest_below(votes, &candidate->accepted);
        if (!lower)
            break;
        candidate = lower;
    }
    return candidate ? &candidate->value : NULL;
}
