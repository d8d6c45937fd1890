/* Members: adding, removing, asking, popping, picking. Ranges are in zset_range.c. */
#include "cacheworker/zset/zset_commands.h"

#include "cacheworker/block/block.h"
#include "cacheworker/keyspace/dictionary.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/keyspace/picks.h"
#include "cacheworker/keyspace/scan.h"
#include "cacheworker/zset/zset_reply.h"
#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/base/rand.h"

#include <math.h>

static bool is_zset(struct cw_call *call, const struct cw_entry *entry)
{
    return cw_call_is_type(call, entry, CW_TYPE_ZSET);
}

/* ---- ZADD ---- */

enum { ADD_NX = 1, ADD_XX = 2, ADD_GT = 4, ADD_LT = 8, ADD_INCR = 16, ADD_CH = 32 };

struct addition {
    unsigned flags;
    size_t first; /* argument that is a score */
    uint64_t added, updated;
    bool is_done; /* the last member was added, or could be updated */
    double score; /* that the last member has now */
};

static void parse_add_options(const struct cw_call *call, struct addition *addition)
{
    static const struct {
        const char *name;
        unsigned flag;
    } options[] = {{"nx", ADD_NX}, {"xx", ADD_XX}, {"gt", ADD_GT}, {"lt", ADD_LT}, {"ch", ADD_CH}, {"incr", ADD_INCR}};
    for (addition->first = 2; addition->first < call->argc; addition->first++) {
        unsigned flag = 0;
        for (size_t i = 0; i < ARRAY_LENGTH(options); i++)
            if (slice_equal_nocase(call->argv[addition->first], options[i].name))
                flag = options[i].flag;
        if (!flag)
            return;
        addition->flags |= flag;
    }
}

/* What is wrong with these options and so many arguments behind them, or NULL. */
static const char *objection(const struct addition *addition, size_t count)
{
    unsigned flags = addition->flags;
    if (count == 0 || count % 2 != 0)
        return CW_ERROR_SYNTAX;
    if ((flags & ADD_NX) && (flags & ADD_XX))
        return "ERR XX and NX options at the same time are not compatible";
    if (((flags & ADD_GT) && (flags & ADD_NX)) || ((flags & ADD_LT) && (flags & ADD_NX)) ||
        ((flags & ADD_GT) && (flags & ADD_LT)))
        return "ERR GT, LT, and/or NX options at the same time are not compatible";
    if ((flags & ADD_INCR) && count > 2)
        return "ERR INCR option supports a single increment-element pair";
    return NULL;
}

/* False: the sum is NaN. */
static bool add_one(struct cw_call *call, struct cw_ref *ref, struct addition *addition, struct slice member,
                    double score)
{
    double before = 0;
    bool exists = ref->entry && cw_zset_score(ref->entry, member, &before);
    addition->is_done = false;
    if (exists ? addition->flags & ADD_NX : addition->flags & ADD_XX)
        return true;
    if (exists && addition->flags & ADD_INCR)
        score += before;
    if (isnan(score))
        return false;
    if (exists && (((addition->flags & ADD_LT) && score >= before) || ((addition->flags & ADD_GT) && score <= before)))
        return true;
    addition->is_done = true;
    addition->score = score;
    if (exists && score == before)
        return true;
    cw_zset_set(call->keyspace, ref, member, score);
    addition->added += !exists;
    addition->updated += exists;
    return true;
}

/* What was added up goes into the stream as the sum. */
static void propagate_sum(struct cw_call *call, const struct addition *addition, struct slice member)
{
    char text[CW_SCORE_TEXT_MAX];
    const struct slice argv[] = {SLICE_LITERAL("ZADD"), call->argv[1],
                                 slice_of(text, number_format_double(text, addition->score)), member};
    cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
}

static void reply_addition(struct cw_call *call, const struct addition *addition)
{
    if (!(addition->flags & ADD_INCR))
        resp_write_integer(call->reply,
                           (int64_t)(addition->added + (addition->flags & ADD_CH ? addition->updated : 0)));
    else if (addition->is_done)
        resp_write_double(call->reply, call->protocol, addition->score);
    else
        resp_write_null(call->reply, call->protocol);
}

static bool parse_scores(struct cw_call *call, size_t first, double *scores)
{
    for (size_t i = first; i < call->argc; i += 2)
        if (cw_score_parse(call->argv[i], &scores[(i - first) / 2]) < 0) {
            cw_reply_error(call, CW_ERROR_NOT_FLOAT);
            return false;
        }
    return true;
}

static void add_all(struct cw_call *call, struct addition *addition, const double *scores)
{
    struct cw_ref ref;
    if (!is_zset(call, cw_call_open(call, 1, &ref)))
        return;
    bool is_number = true;
    for (size_t i = addition->first; i < call->argc && is_number; i += 2)
        is_number = add_one(call, &ref, addition, call->argv[i + 1], scores[(i - addition->first) / 2]);
    call->dirty = addition->added + addition->updated;
    if (call->dirty > 0)
        cw_call_notify(call, CW_NOTIFY_ZSET, addition->flags & ADD_INCR ? "zincr" : "zadd", ref.key);
    if (!is_number) {
        cw_reply_error(call, "ERR resulting score is not a number (NaN)");
        return;
    }
    if (call->dirty > 0 && addition->flags & ADD_INCR)
        propagate_sum(call, addition, call->argv[addition->first + 1]);
    reply_addition(call, addition);
}

static void add_members(struct cw_call *call, struct addition *addition)
{
    const char *error = objection(addition, call->argc - addition->first);
    if (error) {
        cw_reply_error(call, error);
        return;
    }
    double *scores = mem_alloc((call->argc - addition->first) / 2 * sizeof(double));
    if (parse_scores(call, addition->first, scores))
        add_all(call, addition, scores);
    mem_free(scores);
}

void cw_zadd_command(struct cw_call *call)
{
    struct addition addition = {.flags = 0};
    parse_add_options(call, &addition);
    add_members(call, &addition);
}

void cw_zincrby_command(struct cw_call *call)
{
    struct addition addition = {.flags = ADD_INCR, .first = 2};
    add_members(call, &addition);
}

void cw_zrem_command(struct cw_call *call)
{
    struct cw_ref ref;
    if (!is_zset(call, cw_call_open(call, 1, &ref)))
        return;
    int64_t removed = 0;
    for (size_t i = 2; i < call->argc && ref.entry; i++)
        removed += cw_zset_remove(call->keyspace, &ref, call->argv[i]);
    if (removed > 0)
        cw_call_notify_removal(call, CW_NOTIFY_ZSET, "zrem", ref.key, !ref.entry);
    call->dirty += (uint64_t)removed;
    resp_write_integer(call->reply, removed);
}

/* ---- Asking ---- */

void cw_zcard_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (is_zset(call, entry))
        resp_write_integer(call->reply, entry ? (int64_t)cw_zset_count(entry) : 0);
}

static void reply_score(struct cw_call *call, const struct cw_entry *entry, struct slice member)
{
    double score;
    if (entry && cw_zset_score(entry, member, &score))
        resp_write_double(call->reply, call->protocol, score);
    else
        resp_write_null(call->reply, call->protocol);
}

void cw_zscore_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (is_zset(call, entry))
        reply_score(call, entry, call->argv[2]);
}

void cw_zmscore_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_zset(call, entry))
        return;
    resp_write_array(call->reply, call->argc - 2);
    for (size_t i = 2; i < call->argc; i++)
        reply_score(call, entry, call->argv[i]);
}

static void reply_rank(struct cw_call *call, bool is_reverse)
{
    bool with_score = call->argc == 4;
    if (call->argc > 4) {
        struct buf text = {0};
        buf_add_format(&text, "ERR wrong number of arguments for '%s' command", call->command->name);
        resp_write_error(call->reply, buf_slice(&text));
        buf_free(&text);
        return;
    }
    if (with_score && !slice_equal_nocase(call->argv[3], "withscore")) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return;
    }
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_zset(call, entry))
        return;
    uint64_t rank;
    double score;
    if (!entry || !cw_zset_rank(entry, call->argv[2], &rank, &score)) {
        if (with_score)
            resp_write_null_array(call->reply, call->protocol);
        else
            resp_write_null(call->reply, call->protocol);
        return;
    }
    if (is_reverse)
        rank = cw_zset_count(entry) - 1 - rank;
    if (with_score)
        resp_write_array(call->reply, 2);
    resp_write_integer(call->reply, (int64_t)rank);
    if (with_score)
        resp_write_double(call->reply, call->protocol, score);
}

void cw_zrank_command(struct cw_call *call)
{
    reply_rank(call, false);
}

void cw_zrevrank_command(struct cw_call *call)
{
    reply_rank(call, true);
}

/* ---- Scanning ---- */

static void add_found(void *context, const struct cw_packed_value *member, double score)
{
    struct cw_found *found = context;
    if (!cw_found_visit(found, member))
        return;
    cw_write_packed_value(&found->replies, member);
    resp_write_double(&found->replies, 2, score);
    found->count += 2;
}

static uint64_t scan_members(struct cw_call *call, const struct cw_entry *entry, uint64_t cursor,
                             struct cw_found *found)
{
    (void)call;
    return cw_zset_scan(entry, cursor, add_found, found);
}

void cw_zscan_command(struct cw_call *call)
{
    cw_scan_value(call, CW_TYPE_ZSET, scan_members);
}

/* ---- Picks ---- */

struct pick_place {
    struct cw_zset_place zset;
    bool has_begun;
};

static bool walk_members(struct cw_picks *picks)
{
    struct pick_place *place = picks->place;
    bool is_there =
        place->has_begun ? cw_zset_next(picks->entry, &place->zset) : cw_zset_at(picks->entry, 0, &place->zset);
    place->has_begun = true;
    picks->member = place->zset.member;
    return is_there;
}

static void draw_member(struct cw_picks *picks, struct rand *rand)
{
    struct pick_place *place = picks->place;
    cw_zset_random(picks->entry, rand, &place->zset);
    picks->member = place->zset.member;
}

static void reply_pick_score(struct cw_call *call, const struct cw_picks *picks)
{
    const struct pick_place *place = picks->place;
    resp_write_double(call->reply, call->protocol, place->zset.score);
}

void cw_zrandmember_command(struct cw_call *call)
{
    int64_t count;
    bool with_scores;
    if (!cw_picks_parse(call, "withscores", &count, &with_scores))
        return;
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_zset(call, entry))
        return;
    struct pick_place place = {0};
    struct cw_picks picks = {.entry = entry,
                             .count = entry ? cw_zset_count(entry) : 0,
                             .shows_more = with_scores,
                             .place = &place,
                             .walk = walk_members,
                             .draw = draw_member,
                             .reply_more = reply_pick_score};
    cw_picks_reply(call, &picks, count);
}

/* ---- Popping ---- */

/* Replies the first `count` of a side, each as a pair of its own or not, and removes them. */
static void pop_members(struct cw_call *call, struct cw_ref *ref, bool highest, uint64_t popped, bool nested)
{
    uint64_t size = cw_zset_count(ref->entry);
    struct cw_zset_place place;
    bool is_there = popped > 0 && cw_zset_at(ref->entry, highest ? size - 1 : 0, &place);
    for (uint64_t i = 0; i < popped && is_there; i++) {
        if (nested)
            resp_write_array(call->reply, 2);
        cw_zset_reply_member(call, &place.member);
        resp_write_double(call->reply, call->protocol, place.score);
        is_there = highest ? cw_zset_previous(ref->entry, &place) : cw_zset_next(ref->entry, &place);
    }
    if (popped == 0)
        return;
    cw_zset_remove_ranks(call->keyspace, ref, highest ? size - popped : 0, highest ? size - 1 : popped - 1);
    cw_call_notify_removal(call, CW_NOTIFY_ZSET, highest ? "zpopmax" : "zpopmin", ref->key, !ref->entry);
    call->dirty += popped;
}

/* The array of them. */
static void pop(struct cw_call *call, struct cw_ref *ref, bool highest, uint64_t count, bool nested)
{
    uint64_t size = cw_zset_count(ref->entry);
    uint64_t popped = count < size ? count : size;
    resp_write_array(call->reply, nested ? popped : 2 * popped);
    pop_members(call, ref, highest, popped, nested);
}

static void pop_one_key(struct cw_call *call, bool highest)
{
    int64_t count = 1;
    if (call->argc > 3) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return;
    }
    if (call->argc == 3 && (number_parse_i64(call->argv[2], &count) < 0 || count < 0)) {
        cw_reply_error(call, "ERR value is out of range, must be positive");
        return;
    }
    struct cw_ref ref;
    if (!is_zset(call, cw_call_open(call, 1, &ref)))
        return;
    if (ref.entry)
        pop(call, &ref, highest, (uint64_t)count, call->protocol > 2 && call->argc == 3);
    else
        resp_write_array(call->reply, 0);
}

void cw_zpopmin_command(struct cw_call *call)
{
    pop_one_key(call, false);
}

void cw_zpopmax_command(struct cw_call *call)
{
    pop_one_key(call, true);
}

/* ZMPOP becomes the pop of the one key that had something. */
static void propagate_pop(struct cw_call *call, struct slice key, bool highest, uint64_t count)
{
    char text[NUMBER_TEXT_MAX];
    const struct slice argv[] = {highest ? SLICE_LITERAL("ZPOPMAX") : SLICE_LITERAL("ZPOPMIN"), key,
                                 slice_of(text, number_format_u64(text, count))};
    cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
}

static bool parse_side(struct cw_call *call, size_t index, bool *ret_highest)
{
    *ret_highest = index < call->argc && slice_equal_nocase(call->argv[index], "max");
    if (*ret_highest || (index < call->argc && slice_equal_nocase(call->argv[index], "min")))
        return true;
    cw_reply_error(call, CW_ERROR_SYNTAX);
    return false;
}

static bool parse_pop_count(struct cw_call *call, size_t index, int64_t *ret_count)
{
    bool has_count = false;
    *ret_count = 1;
    for (; index < call->argc; index += 2) {
        if (has_count || index + 1 == call->argc || !slice_equal_nocase(call->argv[index], "count")) {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return false;
        }
        has_count = true;
        if (number_parse_i64(call->argv[index + 1], ret_count) < 0 || *ret_count <= 0) {
            cw_reply_error(call, "ERR count should be greater than 0");
            return false;
        }
    }
    return true;
}

/* The words of ZMPOP, from the number of keys on; its keys are behind that. */
struct zmpop {
    size_t first_key;
    size_t behind_keys;
    bool highest;
    int64_t count;
};

static bool parse_zmpop(struct cw_call *call, size_t index, struct zmpop *zmpop)
{
    int64_t keys;
    if (number_parse_i64(call->argv[index], &keys) < 0 || keys <= 0) {
        cw_reply_error(call, "ERR numkeys should be greater than 0");
        return false;
    }
    if ((uint64_t)keys > call->argc - index - 2) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return false;
    }
    zmpop->first_key = index + 1;
    zmpop->behind_keys = index + 1 + (size_t)keys;
    return parse_side(call, zmpop->behind_keys, &zmpop->highest) &&
           parse_pop_count(call, zmpop->behind_keys + 1, &zmpop->count);
}

/* Of the first of these keys that is a sorted set. True: it has replied, an error perhaps. */
static bool pop_from_any(struct cw_call *call, const struct zmpop *zmpop)
{
    for (size_t i = zmpop->first_key; i < zmpop->behind_keys; i++) {
        struct cw_ref ref;
        if (!is_zset(call, cw_call_open(call, i, &ref)))
            return true;
        if (!ref.entry)
            continue;
        uint64_t members = cw_zset_count(ref.entry);
        uint64_t popped = (uint64_t)zmpop->count < members ? (uint64_t)zmpop->count : members;
        resp_write_array(call->reply, 2);
        resp_write_bulk(call->reply, call->argv[i]);
        pop(call, &ref, zmpop->highest, popped, true);
        propagate_pop(call, call->argv[i], zmpop->highest, popped);
        return true;
    }
    return false;
}

void cw_zmpop_command(struct cw_call *call)
{
    struct zmpop zmpop;
    if (parse_zmpop(call, 1, &zmpop) && !pop_from_any(call, &zmpop))
        resp_write_null_array(call->reply, call->protocol);
}

/* ---- Waiting for members ---- */

static void wait_for_members(struct cw_call *call, size_t first_key, size_t behind_keys, int64_t timeout_ms)
{
    const struct cw_blocking blocking = {.type = CW_TYPE_ZSET,
                                         .keys = call->argv + first_key,
                                         .key_count = behind_keys - first_key,
                                         .timeout_ms = timeout_ms};
    if (cw_may_block(call))
        cw_block(call, &blocking);
    else
        resp_write_null_array(call->reply, call->protocol);
}

void cw_bzmpop_command(struct cw_call *call)
{
    struct zmpop zmpop;
    int64_t timeout_ms;
    if (parse_zmpop(call, 2, &zmpop) && cw_call_timeout(call, 1, &timeout_ms) && !pop_from_any(call, &zmpop))
        wait_for_members(call, zmpop.first_key, zmpop.behind_keys, timeout_ms);
}

/* Key, member and score; the stream gets the pop of that key. */
static void pop_one_member(struct cw_call *call, struct cw_ref *ref, bool highest)
{
    resp_write_array(call->reply, 3);
    resp_write_bulk(call->reply, ref->key);
    pop_members(call, ref, highest, 1, false);
    const struct slice argv[] = {highest ? SLICE_LITERAL("ZPOPMAX") : SLICE_LITERAL("ZPOPMIN"), ref->key};
    cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
}

static void pop_or_wait(struct cw_call *call, bool highest)
{
    int64_t timeout_ms;
    if (!cw_call_timeout(call, call->argc - 1, &timeout_ms))
        return;
    for (size_t i = 1; i < call->argc - 1; i++) {
        struct cw_ref ref;
        if (!is_zset(call, cw_call_open(call, i, &ref)))
            return;
        if (!ref.entry)
            continue;
        pop_one_member(call, &ref, highest);
        return;
    }
    wait_for_members(call, 1, call->argc - 1, timeout_ms);
}

void cw_bzpopmin_command(struct cw_call *call)
{
    pop_or_wait(call, false);
}

void cw_bzpopmax_command(struct cw_call *call)
{
    pop_or_wait(call, true);
}
