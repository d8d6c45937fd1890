#include "sentinel/core/choose.h"

void sn_answers_add(struct sn_answers *answers, const struct fenced *fenced, bool counts)
{
    for (uint32_t i = 0; i < answers->count; i++) {
        if (identity_equal(&answers->items[i].fenced.life.node, &fenced->life.node)) {
            answers->items[i] = (struct sn_answer){.fenced = *fenced, .counts = counts};
            return;
        }
    }
    if (answers->count < TOPOLOGY_MEMBERS_MAX)
        answers->items[answers->count++] = (struct sn_answer){.fenced = *fenced, .counts = counts};
}

const struct sn_answer *sn_answers_of(const struct sn_answers *answers, const struct identity *node)
{
    for (uint32_t i = 0; i < answers->count; i++) {
        if (identity_equal(&answers->items[i].fenced.life.node, node))
            return &answers->items[i];
    }
    return NULL;
}

static bool has_answered(const struct sn_answers *answers, const struct identity *node)
{
    const struct sn_answer *answer = sn_answers_of(answers, node);
    return answer && answer->counts;
}

const struct fenced *sn_answers_release(const struct sn_answers *answers, const struct topology *topology)
{
    const struct sn_answer *answer = sn_answers_of(answers, &topology->master.node);
    if (topology->epoch == 0 || !answer || !answer->fenced.is_release ||
        !life_equal(&answer->fenced.life, &topology->master))
        return NULL;
    return &answer->fenced;
}

/* Everything that the released master ever acknowledged is in this history. */
static bool holds_acknowledged(const struct history *history, const struct fenced *release)
{
    return history_is_prefix(history, &release->history) && history->last_offset >= release->acknowledged_offset;
}

/* A life of I, or with everything acknowledged on disk also a later life of its node that read all of it back. */
static bool speaks_for_in_sync(const struct topology *topology, const struct fenced *fenced)
{
    for (uint32_t i = 0; i < topology->in_sync_count; i++) {
        const struct life *life = &topology->in_sync[i];
        if (life_equal(life, &fenced->life))
            return true;
        if (topology->durability == DURABILITY_SYNC_FSYNC && !fenced->damaged &&
            identity_equal(&life->node, &fenced->life.node))
            return true;
    }
    return false;
}

static bool speaks_for_master(const struct topology *topology, const struct fenced *fenced)
{
    if (life_equal(&topology->master, &fenced->life))
        return true;
    return topology->durability == DURABILITY_SYNC_FSYNC && !fenced->damaged &&
           identity_equal(&topology->master.node, &fenced->life.node);
}

/* Any k' acknowledging replicas and any q answering ones share a member. */
static uint32_t in_sync_needed(const struct topology *topology)
{
    if (topology->durability == DURABILITY_ASYNC || topology->in_sync_count <= topology->acknowledgements)
        return 1;
    return topology->in_sync_count - topology->acknowledgements + 1;
}

bool sn_answers_enough(const struct sn_answers *answers, const struct topology *topology)
{
    const struct fenced *release = sn_answers_release(answers, topology);
    uint32_t in_sync = 0;
    if (topology->epoch == 0)
        return false;
    for (uint32_t i = 0; i < answers->count; i++) {
        const struct sn_answer *answer = &answers->items[i];
        if (!answer->counts)
            continue;
        if (speaks_for_master(topology, &answer->fenced))
            return true;
        if (release && holds_acknowledged(&answer->fenced.history, release))
            return true;
        if (speaks_for_in_sync(topology, &answer->fenced))
            in_sync++;
    }
    return in_sync >= in_sync_needed(topology);
}

bool sn_answers_complete(const struct sn_answers *answers, const struct topology *topology)
{
    if (topology->epoch == 0) {
        for (uint32_t i = 0; i < topology->member_count; i++) {
            if (!has_answered(answers, &topology->members[i].node))
                return false;
        }
        return true;
    }
    for (uint32_t i = 0; i < topology->in_sync_count; i++) {
        if (!has_answered(answers, &topology->in_sync[i].node))
            return false;
    }
    return has_answered(answers, &topology->master.node);
}

/* The branch as far as this node got, or the branch and more of its epoch. In epoch 0 there is no branch yet, and only
 * a history that has no entry of the coming epoch or a later one can be continued. */
static bool may_continue(const struct topology *topology, const struct history *history)
{
    if (topology->epoch == 0)
        return history_epoch(history) == 0;
    if (history_is_prefix(history, &topology->branch))
        return true;
    return history_epoch(history) == topology->epoch && history_is_prefix(&topology->branch, history);
}

static bool is_eligible(const struct topology *topology, const struct sn_answer *answer)
{
    const struct member *member = topology_member(topology, &answer->fenced.life.node);
    return answer->counts && member && member->priority > 0;
}

static bool is_better(const struct topology *topology, const struct sn_answer *a, const struct sn_answer *b)
{
    int order = history_compare(&a->fenced.history, &b->fenced.history);
    if (order != 0)
        return order > 0;
    bool a_is_master = life_equal(&a->fenced.life, &topology->master);
    if (a_is_master != life_equal(&b->fenced.life, &topology->master))
        return a_is_master;
    const struct member *a_member = topology_member(topology, &a->fenced.life.node);
    const struct member *b_member = topology_member(topology, &b->fenced.life.node);
    if (a_member->kind != b_member->kind)
        return a_member->kind == MEMBER_REPLICA;
    if (a_member->priority != b_member->priority)
        return a_member->priority < b_member->priority;
    return identity_compare(&a->fenced.life.node, &b->fenced.life.node) < 0;
}

const struct sn_answer *sn_answers_best(const struct sn_answers *answers, const struct topology *topology)
{
    const struct sn_answer *best = NULL;
    for (uint32_t i = 0; i < answers->count; i++) {
        const struct sn_answer *answer = &answers->items[i];
        if (is_eligible(topology, answer) && may_continue(topology, &answer->fenced.history) &&
            (!best || is_better(topology, answer, best)))
            best = answer;
    }
    return best;
}

bool sn_answers_is_empty(const struct sn_answer *answer)
{
    return answer->fenced.history.count == 0;
}

const struct sn_answer *sn_answers_salvage(const struct sn_answers *answers, const struct topology *topology)
{
    const struct sn_answer *best = NULL;
    for (uint32_t i = 0; i < answers->count; i++) {
        const struct sn_answer *answer = &answers->items[i];
        if (is_eligible(topology, answer) && !sn_answers_is_empty(answer) &&
            history_epoch(&answer->fenced.history) <= topology->epoch && (!best || is_better(topology, answer, best)))
            best = answer;
    }
    return best;
}

bool sn_answers_any_data(const struct sn_answers *answers)
{
    for (uint32_t i = 0; i < answers->count; i++) {
        if (!sn_answers_is_empty(&answers->items[i]))
            return true;
    }
    return false;
}

bool sn_answers_all_empty(const struct sn_answers *answers, const struct topology *topology)
{
    for (uint32_t i = 0; i < topology->member_count; i++) {
        const struct sn_answer *answer = sn_answers_of(answers, &topology->members[i].node);
        if (!answer || !answer->counts || !sn_answers_is_empty(answer))
            return false;
    }
    return true;
}

/* Whose answers will count when the next master is chosen: who holds what the winner holds, or all that was ever
 * acknowledged; in async also who was in sync and is on the winner's way. */
static bool stays_in_sync(const struct topology *topology, const struct sn_answer *answer,
                          const struct sn_answer *winner, const struct fenced *release)
{
    const struct history *history = &answer->fenced.history;
    const struct member *member = topology_member(topology, &answer->fenced.life.node);
    if (answer == winner || !answer->counts || !member || member->kind != MEMBER_REPLICA ||
        !history_is_prefix(history, &winner->fenced.history))
        return false;
    if (history_compare(history, &winner->fenced.history) == 0)
        return true;
    if (release && holds_acknowledged(history, release))
        return true;
    return topology->durability == DURABILITY_ASYNC && topology_in_sync(topology, &answer->fenced.life);
}

void sn_answers_successor(const struct sn_answers *answers, const struct topology *topology,
                          const struct sn_answer *winner, struct topology *ret_successor)
{
    const struct fenced *release = sn_answers_release(answers, topology);
    struct topology *next = ret_successor;

    *next = *topology;
    next->version++;
    next->epoch++;
    next->master = winner->fenced.life;
    next->branch = winner->fenced.history;
    history_begin_epoch(&next->branch, next->epoch);
    for (uint32_t i = 0; i < next->member_count; i++) {
        if (identity_equal(&next->members[i].node, &next->master.node))
            next->members[i].kind = MEMBER_REPLICA;
    }
    next->in_sync_count = 0;
    for (uint32_t i = 0; i < answers->count; i++) {
        if (stays_in_sync(topology, &answers->items[i], winner, release))
            next->in_sync[next->in_sync_count++] = answers->items[i].fenced.life;
    }
    for (uint32_t i = next->in_sync_count; i < TOPOLOGY_MEMBERS_MAX; i++)
        next->in_sync[i] = (struct life){0};
    next->release = (struct release){0};
    if (release) {
        next->release.epoch = topology->epoch;
        next->release.life = release->life;
        next->release.acknowledged_offset = release->acknowledged_offset;
        next->release.history = release->history;
    }
}
