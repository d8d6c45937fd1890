#include "cacheworker/engine/changes.h"
#include "cacheworker/stream/stream_call.h"
#include "cacheworker/stream/stream_commands.h"
#include "common/base/errors.h"
#include "common/base/mem.h"

/* ---- XGROUP ---- */

static void reply_key_missing(struct cw_call *call)
{
    cw_reply_error(call,
                   "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use "
                   "the MKSTREAM option to create an empty stream automatically.");
}

/* The stream argv[2], to be changed. NULL: the error was replied. */
static struct cw_stream *open_stream(struct cw_call *call)
{
    struct cw_ref ref;
    if (!cw_call_is_type(call, cw_call_open(call, 2, &ref), CW_TYPE_STREAM))
        return NULL;
    if (!ref.entry)
        reply_key_missing(call);
    return cw_stream_of(ref.entry);
}

/* Its group argv[3]. NULL: the error was replied. */
static struct cw_stream_group *find_group(struct cw_call *call, const struct cw_stream *stream)
{
    struct cw_stream_group *group = cw_stream_group_find(stream, call->argv[3]);
    if (!group)
        cw_reply_stream_error(call, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
                              CW_QUOTED(call->argv[3]), CW_QUOTED(call->argv[2]));
    return group;
}

struct group_options {
    bool creates_stream;
    int64_t entries_read;
};

static bool parse_entries_read(struct cw_call *call, size_t index, int64_t *ret_entries_read)
{
    if (!cw_call_integer(call, index, ret_entries_read))
        return false;
    if (*ret_entries_read >= 0 || *ret_entries_read == CW_STREAM_READ_UNKNOWN)
        return true;
    cw_reply_error(call, "ERR value for ENTRIESREAD must be positive or -1");
    return false;
}

static bool parse_group_options(struct cw_call *call, bool creates_group, struct group_options *options)
{
    *options = (struct group_options){.entries_read = CW_STREAM_READ_UNKNOWN};
    for (size_t i = 5; i < call->argc; i++) {
        if (creates_group && slice_equal_nocase(call->argv[i], "mkstream")) {
            options->creates_stream = true;
        } else if (i + 1 < call->argc && slice_equal_nocase(call->argv[i], "entriesread")) {
            if (!parse_entries_read(call, ++i, &options->entries_read))
                return false;
        } else {
            cw_reply_subcommand_syntax_error(call);
            return false;
        }
    }
    return true;
}

static bool is_last_id(struct slice text)
{
    return slice_equal(text, SLICE_LITERAL("$"));
}

static void create_group(struct cw_call *call, struct cw_ref *ref, struct cw_stream_id id, int64_t entries_read)
{
    struct cw_arena *arena = cw_call_arena(call);
    struct cw_stream *stream = ref->entry ? cw_stream_of(ref->entry) : cw_stream_create(arena);
    struct cw_stream_group *group;
    int result = cw_stream_group_create(arena, stream, call->argv[3], id, entries_read, &group);
    if (result < 0) {
        cw_reply_error(call,
                       result == ERR_EXISTS ? "BUSYGROUP Consumer Group name already exists" : CW_ERROR_NO_MEMORY);
        if (!ref->entry)
            cw_stream_free(arena, stream);
        return;
    }
    call->news = ref->entry != NULL ? CW_NEWS_TO_NOBODY : CW_NEWS_TO_ALL;
    if (!ref->entry)
        cw_keyspace_put_object(call->keyspace, ref, CW_TYPE_STREAM, CW_ENCODING_STREAM, stream);
    cw_call_notify(call, CW_NOTIFY_STREAM, "xgroup-create", ref->key);
    call->dirty++;
    resp_write_ok(call->reply);
}

void cw_xgroup_create_command(struct cw_call *call)
{
    enum { WORDS_MAX = 8 };
    struct group_options options;
    struct cw_stream_id id;
    struct cw_ref ref;
    if (!parse_group_options(call, true, &options) ||
        !cw_call_is_type(call, cw_call_open(call, 2, &ref), CW_TYPE_STREAM))
        return;
    if (!ref.entry && !options.creates_stream) {
        reply_key_missing(call);
        return;
    }
    if (call->argc > WORDS_MAX) { /* options given twice */
        cw_reply_subcommand_syntax_error(call);
        return;
    }
    if (is_last_id(call->argv[4]))
        id = ref.entry ? cw_stream_of(ref.entry)->last_id : CW_STREAM_ID_MIN;
    else if (!cw_call_stream_id(call, 4, &id))
        return;
    create_group(call, &ref, id, options.entries_read);
}

void cw_xgroup_setid_command(struct cw_call *call)
{
    call->news = CW_NEWS_TO_NOBODY;
    enum { WORDS_MAX = 7 };
    struct group_options options;
    struct cw_stream *stream;
    struct cw_stream_group *group;
    if (!parse_group_options(call, false, &options) || !(stream = open_stream(call)) ||
        !(group = find_group(call, stream)))
        return;
    if (call->argc > WORDS_MAX) {
        cw_reply_subcommand_syntax_error(call);
        return;
    }
    struct cw_stream_id id = stream->last_id;
    if (!is_last_id(call->argv[4]) && cw_stream_id_parse_end(call->argv[4], 0, &id) < 0) {
        cw_reply_error(call, CW_ERROR_STREAM_ID);
        return;
    }
    group->last_id = id;
    group->entries_read = options.entries_read;
    cw_call_notify(call, CW_NOTIFY_STREAM, "xgroup-setid", call->argv[2]);
    call->dirty++;
    resp_write_ok(call->reply);
}

void cw_xgroup_destroy_command(struct cw_call *call)
{
    call->news = CW_NEWS_TO_WAITERS;
    struct cw_stream *stream = open_stream(call);
    if (!stream)
        return;
    struct cw_stream_group *group = cw_stream_group_find(stream, call->argv[3]);
    if (group) {
        struct cw_stream *rest = cw_stream_group_destroy(cw_call_arena(call), stream, group);
        cw_keyspace_discard_object(call->keyspace, CW_TYPE_STREAM, rest);
        cw_call_notify(call, CW_NOTIFY_STREAM, "xgroup-destroy", call->argv[2]);
        call->dirty++;
    }
    resp_write_integer(call->reply, group != NULL);
}

void cw_xgroup_createconsumer_command(struct cw_call *call)
{
    call->news = CW_NEWS_TO_NOBODY;
    struct cw_stream *stream = open_stream(call);
    struct cw_stream_group *group = stream ? find_group(call, stream) : NULL;
    struct cw_stream_consumer *consumer;
    if (!group)
        return;
    int result = cw_stream_consumer_create(cw_call_arena(call), group, call->argv[4], call->now_ms, &consumer);
    if (result == ERR_NO_MEMORY) {
        cw_reply_error(call, CW_ERROR_NO_MEMORY);
        return;
    }
    if (result == 0)
        cw_call_notify(call, CW_NOTIFY_STREAM, "xgroup-createconsumer", call->argv[2]);
    call->dirty += result == 0;
    resp_write_integer(call->reply, result == 0);
}

void cw_xgroup_delconsumer_command(struct cw_call *call)
{
    call->news = CW_NEWS_TO_NOBODY;
    struct cw_stream *stream = open_stream(call);
    struct cw_stream_group *group = stream ? find_group(call, stream) : NULL;
    if (!group)
        return;
    struct cw_stream_consumer *consumer = cw_stream_consumer_find(group, call->argv[4]);
    uint64_t pending = consumer ? consumer->pending.count : 0;
    if (consumer) {
        struct cw_stream *rest = cw_stream_consumer_delete(cw_call_arena(call), group, consumer);
        if (rest)
            cw_keyspace_discard_object(call->keyspace, CW_TYPE_STREAM, rest);
        cw_call_notify(call, CW_NOTIFY_STREAM, "xgroup-delconsumer", call->argv[2]);
        call->dirty++;
    }
    resp_write_integer(call->reply, (int64_t)pending);
}

void cw_xgroup_help_command(struct cw_call *call)
{
    static const char *const lines[] = {
        "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <entries-read>]",
        "    A group that is given the entries behind <id>, or behind the last one.",
        "    MKSTREAM makes an empty stream where there is no key.",
        "    ENTRIESREAD says how many entries there ever were up to <id>.",
        "CREATECONSUMER <key> <group> <consumer>",
        "    A consumer, before it reads for the first time.",
        "DELCONSUMER <key> <group> <consumer>",
        "    Removes a consumer with all that it has not acknowledged.",
        "DESTROY <key> <group>",
        "    Removes a group with its consumers.",
        "HELP",
        "    These lines.",
        "SETID <key> <group> <id|$> [ENTRIESREAD <entries-read>]",
        "    The group goes on behind <id>, or behind the last entry.",
    };
    cw_reply_lines(call, lines, ARRAY_LENGTH(lines));
}

/* ---- XACK ---- */

void cw_xack_command(struct cw_call *call)
{
    call->news = CW_NEWS_TO_NOBODY;
    bool is_replied;
    struct cw_stream *stream = NULL;
    struct cw_stream_group *group = cw_call_stream_group(call, &stream, &is_replied);
    if (!group) {
        if (!is_replied)
            resp_write_integer(call->reply, 0);
        return;
    }
    struct cw_stream_id *ids = cw_call_stream_ids(call, 3);
    if (!ids)
        return;
    cw_call_open_read(call, 1);
    int64_t acknowledged = 0;
    for (size_t i = 3; i < call->argc; i++)
        acknowledged += cw_stream_pending_drop(cw_call_arena(call), group, ids[i - 3]);
    mem_free(ids);
    call->dirty += (uint64_t)acknowledged;
    resp_write_integer(call->reply, acknowledged);
}

/* ---- XPENDING ---- */

struct pending_query {
    struct cw_stream_id first;
    struct cw_stream_id last;
    int64_t idle_ms; /* at least */
    int64_t count;
    bool has_consumer; /* else: any */
    struct slice consumer;
};

static bool parse_pending(struct cw_call *call, struct pending_query *query)
{
    size_t at = 3;
    *query = (struct pending_query){.idle_ms = 0};
    if (slice_equal_nocase(call->argv[3], "idle")) {
        if (!cw_call_integer(call, 4, &query->idle_ms))
            return false;
        at = 5;
        if (call->argc < at + 3) {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return false;
        }
    }
    query->has_consumer = call->argc > at + 3;
    if (query->has_consumer)
        query->consumer = call->argv[at + 3];
    return cw_call_integer(call, at + 2, &query->count) && cw_call_stream_range_first(call, at, &query->first) &&
           cw_call_stream_range_last(call, at + 1, &query->last);
}

static void reply_pending_summary(struct cw_call *call, const struct cw_stream_group *group)
{
    resp_write_array(call->reply, 4);
    resp_write_integer(call->reply, (int64_t)group->pending.count);
    if (group->pending.count == 0) {
        resp_write_null(call->reply, call->protocol);
        resp_write_null(call->reply, call->protocol);
        resp_write_null_array(call->reply, call->protocol);
        return;
    }
    cw_reply_stream_id(call, cw_id_map_item(cw_id_map_first(&group->pending))->id);
    cw_reply_stream_id(call, cw_id_map_item(cw_id_map_last(&group->pending))->id);
    size_t before = buf_length(call->reply);
    uint64_t consumers = 0;
    for (uint32_t i = 0; i < group->consumers.count; i++) {
        const struct cw_stream_consumer *consumer = cw_stream_consumer_at(group, i);
        if (consumer->pending.count == 0)
            continue;
        resp_write_array(call->reply, 2);
        resp_write_bulk(call->reply, consumer->named.name);
        resp_write_bulk_u64(call->reply, consumer->pending.count);
        consumers++;
    }
    resp_insert_array(call->reply, before, consumers);
}

static void reply_pending(struct cw_call *call, const struct cw_id_map *map, const struct pending_query *query)
{
    size_t before = buf_length(call->reply);
    int64_t replied = 0;
    struct cw_id_place place = cw_id_map_at_least(map, query->first);
    for (; place.leaf && replied < query->count; place = cw_id_map_next(place)) {
        struct cw_stream_id id = cw_id_map_item(place)->id;
        const struct cw_stream_pending *pending = cw_id_map_item(place)->value;
        int64_t idle = cw_call_since_ms(call, pending->delivery_ms);
        if (cw_stream_id_compare(id, query->last) > 0)
            break;
        if (query->idle_ms != 0 && idle < query->idle_ms)
            continue;
        resp_write_array(call->reply, 4);
        cw_reply_stream_id(call, id);
        resp_write_bulk(call->reply, pending->consumer->named.name);
        resp_write_integer(call->reply, idle > 0 ? idle : 0);
        resp_write_integer(call->reply, (int64_t)pending->deliveries);
        replied++;
    }
    resp_insert_array(call->reply, before, (uint64_t)replied);
}

void cw_xpending_command(struct cw_call *call)
{
    enum { SUMMARY_WORDS = 3, QUERY_WORDS_MIN = 6, QUERY_WORDS_MAX = 9 };
    struct pending_query query;
    struct cw_stream *stream;
    bool is_summary = call->argc == SUMMARY_WORDS;
    if (!is_summary && (call->argc < QUERY_WORDS_MIN || call->argc > QUERY_WORDS_MAX)) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return;
    }
    if (!is_summary && !parse_pending(call, &query))
        return;
    const struct cw_stream_group *group = cw_call_require_stream_group(call, &stream);
    if (!group)
        return;
    if (is_summary) {
        reply_pending_summary(call, group);
    } else if (!query.has_consumer) {
        reply_pending(call, &group->pending, &query);
    } else {
        const struct cw_stream_consumer *consumer = cw_stream_consumer_find(group, query.consumer);
        if (consumer)
            reply_pending(call, &consumer->pending, &query);
        else
            resp_write_array(call->reply, 0);
    }
}
