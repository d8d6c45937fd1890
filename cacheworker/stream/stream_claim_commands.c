#include "cacheworker/engine/changes.h"
#include "cacheworker/stream/stream_call.h"
#include "cacheworker/stream/stream_commands.h"

struct claim {
    struct cw_stream *stream;
    struct cw_stream_group *group;
    struct cw_stream_consumer *consumer;
    int64_t idle_ms;     /* at least */
    int64_t delivery_ms; /* that the entries get */
    int64_t deliveries;  /* that they get; negative: one more */
    bool forces;         /* also entries that are not pending */
    bool just_ids;
};

enum claim_result {
    CLAIM_NOTHING, /* not pending, or not idle for long enough */
    CLAIM_GONE,    /* there is no such entry; if it was pending, it is no more */
    CLAIM_DONE,
};

static bool parse_idle(struct cw_call *call, struct claim *claim)
{
    if (number_parse_i64(call->argv[4], &claim->idle_ms) < 0) {
        cw_reply_stream_error(call, "ERR Invalid min-idle-time argument for %s",
                              call->command->id == COMMAND_ID_XCLAIM ? "XCLAIM" : "XAUTOCLAIM");
        return false;
    }
    if (claim->idle_ms < 0)
        claim->idle_ms = 0;
    return true;
}

static enum claim_result give_up(struct cw_call *call, const struct claim *claim, struct cw_stream_id id,
                                 const struct cw_stream_pending *pending)
{
    if (pending) {
        cw_propagate_stream_claim(call, call->argv[1], claim->group, id, pending);
        cw_stream_pending_drop(cw_call_arena(call), claim->group, id);
    }
    return CLAIM_GONE;
}

/* Gives an entry to the consumer, and replies it. */
static enum claim_result claim_entry(struct cw_call *call, const struct claim *claim, struct cw_stream_id id)
{
    struct cw_stream_pending *pending = cw_stream_pending_find(claim->group, id);
    if (!cw_stream_has(claim->stream, id))
        return give_up(call, claim, id, pending);
    if (pending && claim->idle_ms > 0 && cw_call_since_ms(call, pending->delivery_ms) < claim->idle_ms)
        return CLAIM_NOTHING;
    if (!pending) {
        if (!claim->forces)
            return CLAIM_NOTHING;
        pending = cw_stream_pending_add(cw_call_arena(call), claim->group, id);
        pending->deliveries = 1;
    }
    cw_stream_pending_assign(cw_call_arena(call), claim->group, pending, id, claim->consumer);
    pending->delivery_ms = claim->delivery_ms;
    if (claim->deliveries >= 0)
        pending->deliveries = (uint64_t)claim->deliveries;
    else if (!claim->just_ids)
        pending->deliveries++;
    claim->consumer->active_ms = call->now_ms;
    if (claim->just_ids)
        cw_reply_stream_id(call, id);
    else
        cw_reply_stream_entry_at(call, claim->stream, id);
    cw_propagate_stream_claim(call, call->argv[1], claim->group, id, pending);
    return CLAIM_DONE;
}

/* ---- XCLAIM ---- */

struct claim_options {
    size_t first_option; /* behind the ids, which begin at argv[5] */
    struct cw_stream_id last_id;
};

/* An integer in the words of XCLAIM. */
static bool parse_claim_number(struct cw_call *call, size_t index, const char *name, int64_t *ret_number)
{
    if (number_parse_i64(call->argv[index], ret_number) == 0)
        return true;
    cw_reply_stream_error(call, "ERR Invalid %s option argument for XCLAIM", name);
    return false;
}

/* A delivery in the future, or before time began, was now. What the master says is so, though its clock may differ. */
static void set_delivery(const struct cw_call *call, struct claim *claim, int64_t delivery_ms)
{
    bool is_sound = call->session == NULL || (delivery_ms >= 0 && delivery_ms <= call->now_ms);
    claim->delivery_ms = is_sound ? delivery_ms : call->now_ms;
}

/* The option at *index, which moves to its last word. */
static bool parse_claim_option(struct cw_call *call, size_t *index, struct claim *claim, struct claim_options *options)
{
    struct slice word = call->argv[*index];
    bool has_more = *index + 1 < call->argc;
    int64_t number;
    if (slice_equal_nocase(word, "force")) {
        claim->forces = true;
    } else if (slice_equal_nocase(word, "justid")) {
        claim->just_ids = true;
    } else if (has_more && slice_equal_nocase(word, "idle")) {
        if (!parse_claim_number(call, ++*index, "IDLE", &number))
            return false;
        set_delivery(call, claim, number >= 0 ? call->now_ms - number : call->now_ms);
    } else if (has_more && slice_equal_nocase(word, "time")) {
        if (!parse_claim_number(call, ++*index, "TIME", &number))
            return false;
        set_delivery(call, claim, number);
    } else if (has_more && slice_equal_nocase(word, "retrycount")) {
        return parse_claim_number(call, ++*index, "RETRYCOUNT", &claim->deliveries);
    } else if (has_more && slice_equal_nocase(word, "lastid")) {
        return cw_call_stream_id(call, ++*index, &options->last_id);
    } else {
        cw_reply_stream_error(call, "ERR Unrecognized XCLAIM option '%.*s'", CW_QUOTED(word));
        return false;
    }
    return true;
}

static bool parse_claim(struct cw_call *call, struct claim *claim, struct claim_options *options)
{
    struct cw_stream_id ignored;
    *options = (struct claim_options){.first_option = 5};
    claim->delivery_ms = call->now_ms;
    claim->deliveries = -1;
    while (options->first_option < call->argc &&
           cw_stream_id_parse(call->argv[options->first_option], 0, &ignored) == 0)
        options->first_option++;
    for (size_t i = options->first_option; i < call->argc; i++)
        if (!parse_claim_option(call, &i, claim, options))
            return false;
    return true;
}

/* The key is changed from here on, and the consumer exists. */
static bool open_claim(struct cw_call *call, struct claim *claim)
{
    cw_call_propagate_nothing(call); /* as it stands: what came of it is told */
    cw_call_open_read(call, 1);
    claim->consumer = cw_call_stream_consumer(call, call->argv[1], claim->group, call->argv[3]);
    return claim->consumer != NULL;
}

void cw_xclaim_command(struct cw_call *call)
{
    call->news = CW_NEWS_TO_NOBODY;
    struct claim claim = {.group = NULL};
    struct claim_options options;
    claim.group = cw_call_require_stream_group(call, &claim.stream);
    if (!claim.group || !parse_idle(call, &claim) || !parse_claim(call, &claim, &options) || !open_claim(call, &claim))
        return;
    bool has_moved = cw_stream_id_compare(options.last_id, claim.group->last_id) > 0;
    if (has_moved)
        claim.group->last_id = options.last_id;

    size_t before = buf_length(call->reply);
    uint64_t claimed = 0;
    for (size_t i = 5; i < options.first_option; i++) {
        struct cw_stream_id id = CW_STREAM_ID_MIN;
        CHECK(cw_stream_id_parse(call->argv[i], 0, &id) == 0);
        claimed += claim_entry(call, &claim, id) == CLAIM_DONE;
    }
    resp_insert_array(call->reply, before, claimed);
    if (has_moved)
        cw_propagate_stream_group_id(call, call->argv[1], claim.group);
}

/* ---- XAUTOCLAIM ---- */

static bool parse_autoclaim_options(struct cw_call *call, struct claim *claim, int64_t *ret_count)
{
    static const int64_t count_max = INT64_MAX / 16; /* the reference's, for the size of an id */
    *ret_count = 100;
    for (size_t i = 6; i < call->argc; i++) {
        if (i + 1 < call->argc && slice_equal_nocase(call->argv[i], "count")) {
            if (number_parse_i64(call->argv[++i], ret_count) < 0 || *ret_count < 1 || *ret_count > count_max) {
                cw_reply_error(call, "ERR COUNT must be > 0");
                return false;
            }
        } else if (slice_equal_nocase(call->argv[i], "justid")) {
            claim->just_ids = true;
        } else {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return false;
        }
    }
    return true;
}

/* Claims from `first` on, up to `count` entries, those that are gone included, and replies them; and where to go on. */
static void autoclaim(struct cw_call *call, const struct claim *claim, struct cw_stream_id first, int64_t count)
{
    enum { ATTEMPTS = 10 }; /* entries looked at for each that may be claimed */
    size_t before = buf_length(call->reply);
    uint64_t claimed = 0;
    uint64_t gone_count = 0;
    struct buf gone = {0};
    struct cw_id_place place = cw_id_map_at_least(&claim->group->pending, first);
    for (int64_t attempts = count * ATTEMPTS; place.leaf && attempts > 0 && count > 0; attempts--) {
        struct cw_stream_id id = cw_id_map_item(place)->id;
        enum claim_result result = claim_entry(call, claim, id);
        if (result == CLAIM_GONE) {
            char text[CW_STREAM_ID_TEXT_MAX];
            resp_write_bulk(&gone, slice_of(text, cw_stream_id_format(id, text)));
            gone_count++;
            place = cw_id_map_at_least(&claim->group->pending, id);
        } else {
            place = cw_id_map_next(place);
        }
        claimed += result == CLAIM_DONE;
        count -= result != CLAIM_NOTHING;
    }
    char text[CW_STREAM_ID_TEXT_MAX];
    struct cw_stream_id next = place.leaf ? cw_id_map_item(place)->id : CW_STREAM_ID_MIN;
    struct buf header = {0};
    resp_write_array(&header, 3);
    resp_write_bulk(&header, slice_of(text, cw_stream_id_format(next, text)));
    resp_write_array(&header, claimed);
    buf_insert(call->reply, before, buf_slice(&header));
    resp_write_array(call->reply, gone_count);
    buf_add_slice(call->reply, buf_slice(&gone));
    buf_free(&header);
    buf_free(&gone);
}

void cw_xautoclaim_command(struct cw_call *call)
{
    call->news = CW_NEWS_TO_NOBODY;
    struct claim claim = {.delivery_ms = call->now_ms, .deliveries = -1};
    struct cw_stream_id first;
    int64_t count;
    if (!parse_idle(call, &claim) || !cw_call_stream_range_first(call, 5, &first) ||
        !parse_autoclaim_options(call, &claim, &count))
        return;
    claim.group = cw_call_require_stream_group(call, &claim.stream);
    if (claim.group && open_claim(call, &claim))
        autoclaim(call, &claim, first, count);
}
