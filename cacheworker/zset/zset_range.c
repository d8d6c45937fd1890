/* Ranges of ranks, scores and members. */
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/zset/zset_commands.h"
#include "cacheworker/zset/zset_reply.h"
#include "cacheworker/zset/zset_store.h"

enum kind { BY_ANY, BY_RANK, BY_SCORE, BY_LEX };

struct range {
    enum kind kind;
    bool is_reverse;
    bool with_scores;
    int64_t offset, limit; /* limit below 0: none */

    int64_t first_rank, last_rank; /* as given, from either end */
    struct cw_score_limit low_score, high_score;
    struct cw_lex_limit low_lex, high_lex;
};

/* ---- Parsing ---- */

static bool parse_limits(struct cw_call *call, struct range *range, size_t low, size_t high)
{
    switch (range->kind) {
    case BY_ANY:
    case BY_RANK:
        return cw_call_integer(call, low, &range->first_rank) && cw_call_integer(call, high, &range->last_rank);
    case BY_SCORE:
        if (cw_score_limit_parse(call->argv[low], &range->low_score) == 0 &&
            cw_score_limit_parse(call->argv[high], &range->high_score) == 0)
            return true;
        cw_reply_error(call, "ERR min or max is not a float");
        return false;
    case BY_LEX:
        if (cw_lex_limit_parse(call->argv[low], &range->low_lex) == 0 &&
            cw_lex_limit_parse(call->argv[high], &range->high_lex) == 0)
            return true;
        cw_reply_error(call, "ERR min or max not valid string range item");
        return false;
    }
    return false;
}

/* Reads the options from argv[index] on. `is_free`: the command's name did not say of which kind and direction. */
static bool parse_options(struct cw_call *call, size_t index, bool is_free, bool takes_scores, struct range *range)
{
    range->limit = -1;
    bool has_limit = false;
    for (size_t i = index; i < call->argc; i++) {
        struct slice word = call->argv[i];
        if (takes_scores && slice_equal_nocase(word, "withscores")) {
            range->with_scores = true;
        } else if (slice_equal_nocase(word, "limit") && i + 2 < call->argc) {
            if (!cw_call_integer(call, i + 1, &range->offset) || !cw_call_integer(call, i + 2, &range->limit))
                return false;
            has_limit = true;
            i += 2;
        } else if (is_free && slice_equal_nocase(word, "rev")) {
            range->is_reverse = true;
        } else if (range->kind == BY_ANY && slice_equal_nocase(word, "bylex")) {
            range->kind = BY_LEX;
        } else if (range->kind == BY_ANY && slice_equal_nocase(word, "byscore")) {
            range->kind = BY_SCORE;
        } else {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return false;
        }
    }
    if (has_limit && range->limit != -1 && (range->kind == BY_RANK || range->kind == BY_ANY)) {
        cw_reply_error(call, "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
        return false;
    }
    if (range->with_scores && range->kind == BY_LEX) {
        cw_reply_error(call, "ERR syntax error, WITHSCORES not supported in combination with BYLEX");
        return false;
    }
    return true;
}

/* ---- Ranks ---- */

struct ranks { /* of the members of a range, in the order of the set */
    uint64_t first, last;
};

static bool ranks_by_rank(const struct range *range, int64_t count, struct ranks *ret_ranks)
{
    int64_t first = range->first_rank < 0 ? range->first_rank + count : range->first_rank;
    int64_t last = range->last_rank < 0 ? range->last_rank + count : range->last_rank;
    first = first < 0 ? 0 : first;
    last = last >= count ? count - 1 : last;
    if (first > last || first >= count)
        return false;
    ret_ranks->first = (uint64_t)(range->is_reverse ? count - 1 - last : first);
    ret_ranks->last = (uint64_t)(range->is_reverse ? count - 1 - first : last);
    return true;
}

/* Takes the part that LIMIT leaves, counted in the direction of the range. */
static bool apply_limit(const struct range *range, struct ranks *ranks)
{
    uint64_t count = ranks->last - ranks->first + 1;
    if (range->offset < 0 || (uint64_t)range->offset >= count || range->limit == 0)
        return false;
    uint64_t offset = (uint64_t)range->offset;
    uint64_t left = count - offset;
    uint64_t taken = range->limit < 0 || (uint64_t)range->limit > left ? left : (uint64_t)range->limit;
    if (range->is_reverse) {
        ranks->last -= offset;
        ranks->first = ranks->last - taken + 1;
    } else {
        ranks->first += offset;
        ranks->last = ranks->first + taken - 1;
    }
    return true;
}

/* False: no member is in the range. */
static bool find_ranks(const struct range *range, const struct cw_entry *entry, struct ranks *ret_ranks)
{
    if (!entry)
        return false;
    switch (range->kind) {
    case BY_ANY:
    case BY_RANK: return ranks_by_rank(range, (int64_t)cw_zset_count(entry), ret_ranks);
    case BY_SCORE:
        return cw_zset_score_range(entry, &range->low_score, &range->high_score, &ret_ranks->first, &ret_ranks->last) &&
               apply_limit(range, ret_ranks);
    case BY_LEX:
        return cw_zset_lex_range(entry, &range->low_lex, &range->high_lex, &ret_ranks->first, &ret_ranks->last) &&
               apply_limit(range, ret_ranks);
    }
    return false;
}

/* ---- Reading ---- */

static void reply_ranks(struct cw_call *call, const struct cw_entry *entry, const struct range *range,
                        const struct ranks *ranks)
{
    uint64_t count = ranks->last - ranks->first + 1;
    struct cw_zset_place place;
    cw_zset_reply_header(call, count, range->with_scores);
    bool is_there = cw_zset_at(entry, range->is_reverse ? ranks->last : ranks->first, &place);
    for (; count > 0 && is_there; count--) {
        cw_zset_reply_item(call, &place, range->with_scores);
        is_there = count > 1 && (range->is_reverse ? cw_zset_previous(entry, &place) : cw_zset_next(entry, &place));
    }
}

/* The limits are argv[index] and what follows it. */
static bool parse_range(struct cw_call *call, size_t index, bool is_free, bool takes_scores, struct range *range)
{
    if (!parse_options(call, index + 2, is_free, takes_scores, range))
        return false;
    bool swaps = range->is_reverse && (range->kind == BY_SCORE || range->kind == BY_LEX);
    return parse_limits(call, range, swaps ? index + 1 : index, swaps ? index : index + 1);
}

static void reply_range(struct cw_call *call, enum kind kind, bool is_reverse, bool is_free)
{
    struct range range = {.kind = kind, .is_reverse = is_reverse};
    if (!parse_range(call, 2, is_free, true, &range))
        return;
    struct ranks ranks;
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!cw_call_is_type(call, entry, CW_TYPE_ZSET))
        return;
    if (find_ranks(&range, entry, &ranks))
        reply_ranks(call, entry, &range, &ranks);
    else
        resp_write_array(call->reply, 0);
}

void cw_zrange_command(struct cw_call *call)
{
    reply_range(call, BY_ANY, false, true);
}

void cw_zrevrange_command(struct cw_call *call)
{
    reply_range(call, BY_RANK, true, false);
}

void cw_zrangebyscore_command(struct cw_call *call)
{
    reply_range(call, BY_SCORE, false, false);
}

void cw_zrevrangebyscore_command(struct cw_call *call)
{
    reply_range(call, BY_SCORE, true, false);
}

void cw_zrangebylex_command(struct cw_call *call)
{
    reply_range(call, BY_LEX, false, false);
}

void cw_zrevrangebylex_command(struct cw_call *call)
{
    reply_range(call, BY_LEX, true, false);
}

static void count_range(struct cw_call *call, enum kind kind)
{
    struct range range = {.kind = kind, .limit = -1};
    struct ranks ranks;
    if (!parse_limits(call, &range, 2, 3))
        return;
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!cw_call_is_type(call, entry, CW_TYPE_ZSET))
        return;
    bool any = find_ranks(&range, entry, &ranks);
    resp_write_integer(call->reply, any ? (int64_t)(ranks.last - ranks.first + 1) : 0);
}

void cw_zcount_command(struct cw_call *call)
{
    count_range(call, BY_SCORE);
}

void cw_zlexcount_command(struct cw_call *call)
{
    count_range(call, BY_LEX);
}

/* ---- Changing ---- */

void cw_zrangestore_command(struct cw_call *call)
{
    struct range range = {.kind = BY_ANY};
    struct ranks ranks;
    if (!parse_range(call, 3, true, false, &range))
        return;
    const struct cw_entry *entry = cw_call_read(call, 2);
    if (!cw_call_is_type(call, entry, CW_TYPE_ZSET))
        return;
    struct cw_ref draft;
    cw_keyspace_open_draft(call->keyspace, call->now_ms, &draft);
    if (find_ranks(&range, entry, &ranks)) {
        struct cw_zset_place place;
        cw_zset_begin(call->keyspace, &draft);
        for (bool is_there = cw_zset_at(entry, ranks.first, &place); is_there && place.rank <= ranks.last;
             is_there = cw_zset_next(entry, &place)) {
            char space[NUMBER_TEXT_MAX];
            cw_zset_set(call->keyspace, &draft, cw_packed_value_text(&place.member, space), place.score);
        }
    }
    cw_zset_store(call, &draft, 1, "zrangestore");
}

static void remove_range(struct cw_call *call, enum kind kind)
{
    struct range range = {.kind = kind, .limit = -1};
    struct ranks ranks;
    struct cw_ref ref;
    if (!parse_limits(call, &range, 2, 3))
        return;
    if (!cw_call_is_type(call, cw_call_open(call, 1, &ref), CW_TYPE_ZSET))
        return;
    int64_t removed = 0;
    if (find_ranks(&range, ref.entry, &ranks)) {
        removed = (int64_t)(ranks.last - ranks.first + 1);
        cw_zset_remove_ranks(call->keyspace, &ref, ranks.first, ranks.last);
    }
    if (removed > 0)
        cw_call_notify_removal(call, CW_NOTIFY_ZSET, call->command->name, ref.key, !ref.entry);
    call->dirty += (uint64_t)removed;
    resp_write_integer(call->reply, removed);
}

void cw_zremrangebyrank_command(struct cw_call *call)
{
    remove_range(call, BY_RANK);
}

void cw_zremrangebyscore_command(struct cw_call *call)
{
    remove_range(call, BY_SCORE);
}

void cw_zremrangebylex_command(struct cw_call *call)
{
    remove_range(call, BY_LEX);
}
