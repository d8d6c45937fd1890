/* Unions, intersections and differences. */
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/set/set.h"
#include "cacheworker/zset/zset_commands.h"
#include "cacheworker/zset/zset_reply.h"
#include "cacheworker/zset/zset_store.h"
#include "common/base/mem.h"

#include <math.h>
#include <stdlib.h>

enum use { SHOWN, COUNTED, STORED };

enum aggregate { SUM, MIN, MAX };

struct source {
    const struct cw_entry *entry; /* borrowed; NULL: no key, an empty set */
    double weight;
    uint64_t count;
    size_t index; /* as the command names them */
};

struct combination {
    struct cw_call *call; /* borrowed */
    enum use use;
    bool takes_weights; /* a difference has no use for them, nor has a number */
    enum aggregate aggregate;
    bool with_scores;
    uint64_t limit; /* of what is counted */

    struct source *sources; /* owned */
    size_t count;

    struct cw_ref draft;
    uint64_t counted;
};

/* ---- Sources: sorted sets, and sets, whose members all have the score 1 ---- */

static bool is_set(const struct cw_entry *entry)
{
    return cw_entry_type(entry) == CW_TYPE_SET;
}

static uint64_t count_of(const struct cw_entry *entry)
{
    if (!entry)
        return 0;
    return is_set(entry) ? cw_set_count(entry) : cw_zset_count(entry);
}

static bool score_in(const struct source *source, struct slice member, double *ret_score)
{
    if (!source->entry)
        return false;
    if (!is_set(source->entry))
        return cw_zset_score(source->entry, member, ret_score);
    struct cw_packed_value value = cw_set_member(member);
    *ret_score = 1;
    return cw_set_contains(source->entry, &value);
}

struct walk { /* through the members of a source; zeroed: begins */
    bool has_begun;
    struct cw_zset_place place;
    struct cw_set_walk set;
    char space[NUMBER_TEXT_MAX];
    struct slice member; /* where it stands */
    double score;
};

static bool next_in_set(const struct cw_entry *entry, struct walk *walk)
{
    if (!cw_set_next(entry, &walk->set))
        return false;
    walk->member = cw_packed_value_text(&walk->set.member, walk->space);
    walk->score = 1;
    return true;
}

static bool next_member(const struct source *source, struct walk *walk)
{
    const struct cw_entry *entry = source->entry;
    if (entry && is_set(entry))
        return next_in_set(entry, walk);
    if (!entry || !(walk->has_begun ? cw_zset_next(entry, &walk->place) : cw_zset_at(entry, 0, &walk->place)))
        return false;
    walk->has_begun = true;
    walk->member = cw_packed_value_text(&walk->place.member, walk->space);
    walk->score = walk->place.score;
    return true;
}

static int smaller_first(const void *a, const void *b)
{
    const struct source *first = a;
    const struct source *second = b;
    if (first->count != second->count)
        return first->count < second->count ? -1 : 1;
    return first->index < second->index ? -1 : 1;
}

/* ---- Parsing ---- */

static bool refuse(struct cw_call *call, const char *error)
{
    cw_reply_error(call, error);
    return false;
}

static bool check_types(struct cw_call *call, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        const struct cw_entry *entry = cw_call_read(call, i);
        if (!(entry && is_set(entry)) && !cw_call_is_type(call, entry, CW_TYPE_ZSET))
            return false;
    }
    return true;
}

/* All keys have been read, and those deleted that were due: entries stay where they are from now on. */
static void find_sources(struct combination *combination, size_t first)
{
    for (size_t i = 0; i < combination->count; i++) {
        struct source *source = &combination->sources[i];
        source->entry = cw_call_peek(combination->call, first + i);
        source->count = count_of(source->entry);
        source->index = i;
    }
}

static bool parse_weights(struct combination *combination, size_t first)
{
    for (size_t i = 0; i < combination->count; i++)
        if (cw_score_parse(combination->call->argv[first + i], &combination->sources[i].weight) < 0)
            return refuse(combination->call, "ERR weight value is not a float");
    return true;
}

static bool parse_aggregate(struct cw_call *call, struct slice word, enum aggregate *ret_aggregate)
{
    if (slice_equal_nocase(word, "sum"))
        *ret_aggregate = SUM;
    else if (slice_equal_nocase(word, "min"))
        *ret_aggregate = MIN;
    else if (slice_equal_nocase(word, "max"))
        *ret_aggregate = MAX;
    else
        return refuse(call, CW_ERROR_SYNTAX);
    return true;
}

static bool parse_limit(struct cw_call *call, struct slice word, uint64_t *ret_limit)
{
    int64_t limit;
    if (number_parse_i64(word, &limit) < 0 || limit < 0)
        return refuse(call, "ERR LIMIT can't be negative");
    *ret_limit = limit == 0 ? UINT64_MAX : (uint64_t)limit;
    return true;
}

static bool parse_options(struct combination *combination, size_t first)
{
    struct cw_call *call = combination->call;
    for (size_t i = first; i < call->argc; i++) {
        struct slice word = call->argv[i];
        size_t left = call->argc - i - 1;
        if (combination->takes_weights && left >= combination->count && slice_equal_nocase(word, "weights")) {
            if (!parse_weights(combination, i + 1))
                return false;
            i += combination->count;
        } else if (combination->takes_weights && left >= 1 && slice_equal_nocase(word, "aggregate")) {
            if (!parse_aggregate(call, call->argv[++i], &combination->aggregate))
                return false;
        } else if (combination->use == COUNTED && left >= 1 && slice_equal_nocase(word, "limit")) {
            if (!parse_limit(call, call->argv[++i], &combination->limit))
                return false;
        } else if (combination->use == SHOWN && slice_equal_nocase(word, "withscores")) {
            combination->with_scores = true;
        } else {
            return refuse(call, CW_ERROR_SYNTAX);
        }
    }
    return true;
}

/* argv[index] says how many keys follow. False: replied an error. The sources are the caller's in any case. */
static bool parse(struct combination *combination, size_t index)
{
    struct cw_call *call = combination->call;
    int64_t count;
    if (!cw_call_integer(call, index, &count))
        return false;
    if (count < 1) {
        resp_write_error_format(call->reply, "ERR at least 1 input key is needed for '%s' command",
                                call->command->name);
        return false;
    }
    if ((uint64_t)count > call->argc - index - 1)
        return refuse(call, CW_ERROR_SYNTAX);
    combination->count = (size_t)count;
    combination->sources = mem_zero(combination->count * sizeof(struct source));
    for (size_t i = 0; i < combination->count; i++)
        combination->sources[i].weight = 1;
    if (!check_types(call, index + 1, combination->count) ||
        !parse_options(combination, index + 1 + combination->count))
        return false;
    find_sources(combination, index + 1);
    return true;
}

/* ---- Results ---- */

static void take(struct combination *combination, struct slice member, double score)
{
    struct cw_keyspace *keyspace = combination->call->keyspace;
    combination->counted++;
    if (combination->use == COUNTED)
        return;
    if (!combination->draft.entry)
        cw_zset_begin(keyspace, &combination->draft);
    cw_zset_set(keyspace, &combination->draft, member, score);
}

static void show(struct combination *combination)
{
    struct cw_call *call = combination->call;
    const struct cw_entry *entry = combination->draft.entry;
    struct cw_zset_place place;
    cw_zset_reply_header(call, entry ? cw_zset_count(entry) : 0, combination->with_scores);
    if (!entry)
        return;
    for (bool is_there = cw_zset_at(entry, 0, &place); is_there; is_there = cw_zset_next(entry, &place))
        cw_zset_reply_item(call, &place, combination->with_scores);
    cw_keyspace_delete(call->keyspace, &combination->draft);
}

/* ---- Scores ---- */

static double zero_if_nan(double score)
{
    return isnan(score) ? 0 : score;
}

/* What comes of two scores; `added` may be NaN, infinity weighed by zero. */
static double aggregated(enum aggregate aggregate, double score, double added)
{
    switch (aggregate) {
    case SUM: return zero_if_nan(score + added);
    case MIN: return added < score ? added : score;
    case MAX: return added > score ? added : score;
    }
    return score;
}

/* ---- The three operations ---- */

static void unite(struct combination *combination)
{
    qsort(combination->sources, combination->count, sizeof(struct source), smaller_first);
    for (size_t i = 0; i < combination->count; i++) {
        const struct source *source = &combination->sources[i];
        struct walk walk = {0};
        while (next_member(source, &walk)) {
            double score = zero_if_nan(source->weight * walk.score);
            double before;
            if (combination->draft.entry && cw_zset_score(combination->draft.entry, walk.member, &before))
                score = aggregated(combination->aggregate, before, score);
            take(combination, walk.member, score);
        }
    }
}

/* False: some source does not have the member. */
static bool aggregate_all(const struct combination *combination, const struct walk *walk, double *ret_score)
{
    double score = zero_if_nan(combination->sources[0].weight * walk->score);
    for (size_t i = 1; i < combination->count; i++) {
        double added;
        if (!score_in(&combination->sources[i], walk->member, &added))
            return false;
        score = aggregated(combination->aggregate, score, added * combination->sources[i].weight);
    }
    *ret_score = score;
    return true;
}

static void intersect(struct combination *combination)
{
    struct walk walk = {0};
    double score;
    qsort(combination->sources, combination->count, sizeof(struct source), smaller_first);
    while (combination->counted < combination->limit && next_member(&combination->sources[0], &walk))
        if (aggregate_all(combination, &walk, &score))
            take(combination, walk.member, score);
}

static bool is_in_another(const struct combination *combination, struct slice member)
{
    double score;
    for (size_t i = 1; i < combination->count; i++)
        if (score_in(&combination->sources[i], member, &score))
            return true;
    return false;
}

static void subtract_by_looking(struct combination *combination)
{
    struct walk walk = {0};
    while (next_member(&combination->sources[0], &walk))
        if (!is_in_another(combination, walk.member))
            take(combination, walk.member, walk.score);
}

/* Removes the members of all others from a copy of the first, until nothing is left. */
static void subtract_by_removing(struct combination *combination)
{
    struct walk first = {0};
    while (next_member(&combination->sources[0], &first))
        take(combination, first.member, first.score);
    for (size_t i = 1; i < combination->count; i++) {
        struct walk walk = {0};
        while (combination->draft.entry && next_member(&combination->sources[i], &walk))
            (void)cw_zset_remove(combination->call->keyspace, &combination->draft, walk.member);
    }
}

/* Looking costs a step for each member of the first in each of the others; copying and removing one, about twice as
 * dear, for each member of any. */
static void subtract(struct combination *combination)
{
    uint64_t looking = combination->sources[0].count * (combination->count - 1);
    uint64_t removing = 0;
    for (size_t i = 0; i < combination->count; i++)
        removing += combination->sources[i].count;
    if (looking / 2 <= removing)
        subtract_by_looking(combination);
    else
        subtract_by_removing(combination);
}

/* ---- Commands ---- */

static void run(struct cw_call *call, void (*operate)(struct combination *combination), enum use use)
{
    struct combination combination = {
        .call = call, .use = use, .takes_weights = operate != subtract && use != COUNTED, .limit = UINT64_MAX};
    if (parse(&combination, use == STORED ? 2 : 1)) {
        cw_keyspace_open_draft(call->keyspace, call->now_ms, &combination.draft);
        operate(&combination);
        switch (use) {
        case SHOWN: show(&combination); break;
        case COUNTED: resp_write_integer(call->reply, (int64_t)combination.counted); break;
        case STORED: cw_zset_store(call, &combination.draft, 1, call->command->name); break;
        }
    }
    mem_free(combination.sources);
}

void cw_zunion_command(struct cw_call *call)
{
    run(call, unite, SHOWN);
}

void cw_zunionstore_command(struct cw_call *call)
{
    run(call, unite, STORED);
}

void cw_zinter_command(struct cw_call *call)
{
    run(call, intersect, SHOWN);
}

void cw_zinterstore_command(struct cw_call *call)
{
    run(call, intersect, STORED);
}

void cw_zintercard_command(struct cw_call *call)
{
    run(call, intersect, COUNTED);
}

void cw_zdiff_command(struct cw_call *call)
{
    run(call, subtract, SHOWN);
}

void cw_zdiffstore_command(struct cw_call *call)
{
    run(call, subtract, STORED);
}
