#include "cacheworker/stream/stream_call.h"
#include "cacheworker/stream/stream_commands.h"

/* The stream argv[2]. NULL: the error was replied. */
static const struct cw_stream *read_stream(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 2);
    if (!entry)
        cw_reply_error(call, CW_ERROR_NO_KEY);
    else if (cw_call_is_type(call, entry, CW_TYPE_STREAM))
        return cw_stream_of(entry);
    return NULL;
}

static void reply_number(struct cw_call *call, const char *name, int64_t number)
{
    resp_write_bulk_text(call->reply, name);
    resp_write_integer(call->reply, number);
}

static void reply_id(struct cw_call *call, const char *name, struct cw_stream_id id)
{
    resp_write_bulk_text(call->reply, name);
    cw_reply_stream_id(call, id);
}

static void reply_text(struct cw_call *call, const char *name, struct slice text)
{
    resp_write_bulk_text(call->reply, name);
    resp_write_bulk(call->reply, text);
}

/* ---- XINFO CONSUMERS and GROUPS ---- */

void cw_xinfo_consumers_command(struct cw_call *call)
{
    const struct cw_stream *stream = read_stream(call);
    if (!stream)
        return;
    const struct cw_stream_group *group = cw_stream_group_find(stream, call->argv[3]);
    if (!group) {
        cw_reply_stream_error(call, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
                              CW_QUOTED(call->argv[3]), CW_QUOTED(call->argv[2]));
        return;
    }
    resp_write_array(call->reply, group->consumers.count);
    for (uint32_t i = 0; i < group->consumers.count; i++) {
        const struct cw_stream_consumer *consumer = cw_stream_consumer_at(group, i);
        int64_t idle_ms = cw_call_since_ms(call, consumer->seen_ms);
        bool was_active = consumer->active_ms != CW_STREAM_NEVER_ACTIVE;
        resp_write_map(call->reply, call->protocol, 4);
        reply_text(call, "name", consumer->named.name);
        reply_number(call, "pending", (int64_t)consumer->pending.count);
        reply_number(call, "idle", idle_ms > 0 ? idle_ms : 0);
        reply_number(call, "inactive",
                     was_active ? cw_call_since_ms(call, consumer->active_ms) : CW_STREAM_NEVER_ACTIVE);
    }
}

/* How far the group has read, and how much is left. */
static void reply_progress(struct cw_call *call, const struct cw_stream *stream, const struct cw_stream_group *group)
{
    int64_t lag;
    reply_id(call, "last-delivered-id", group->last_id);
    resp_write_bulk_text(call->reply, "entries-read");
    if (group->entries_read != CW_STREAM_READ_UNKNOWN)
        resp_write_integer(call->reply, group->entries_read);
    else
        resp_write_null(call->reply, call->protocol);
    resp_write_bulk_text(call->reply, "lag");
    if (cw_stream_group_lag(stream, group, &lag))
        resp_write_integer(call->reply, lag);
    else
        resp_write_null(call->reply, call->protocol);
}

void cw_xinfo_groups_command(struct cw_call *call)
{
    const struct cw_stream *stream = read_stream(call);
    if (!stream)
        return;
    resp_write_array(call->reply, stream->groups.count);
    for (uint32_t i = 0; i < stream->groups.count; i++) {
        const struct cw_stream_group *group = cw_stream_group_at(stream, i);
        resp_write_map(call->reply, call->protocol, 6);
        reply_text(call, "name", group->named.name);
        reply_number(call, "consumers", group->consumers.count);
        reply_number(call, "pending", (int64_t)group->pending.count);
        reply_progress(call, stream, group);
    }
}

/* ---- XINFO STREAM ---- */

/* FULL, and COUNT: of entries, and of what is pending, shown of each; 0: all. False: the error was replied. */
static bool parse_full(struct cw_call *call, bool *ret_full, uint64_t *ret_count)
{
    enum { COUNT_DEFAULT = 10, WORDS = 3, FULL_WORDS = 4, COUNT_WORDS = 6 };
    int64_t count = COUNT_DEFAULT;
    *ret_full = call->argc > WORDS;
    bool is_well = call->argc == WORDS || ((call->argc == FULL_WORDS || call->argc == COUNT_WORDS) &&
                                           slice_equal_nocase(call->argv[3], "full"));
    if (!is_well || (call->argc == COUNT_WORDS && !slice_equal_nocase(call->argv[4], "count"))) {
        cw_reply_subcommand_syntax_error(call);
        return false;
    }
    if (call->argc == COUNT_WORDS && !cw_call_integer(call, 5, &count))
        return false;
    *ret_count = count < 0 ? COUNT_DEFAULT : (uint64_t)count;
    return true;
}

static void reply_stream(struct cw_call *call, const struct cw_stream *stream)
{
    reply_number(call, "length", (int64_t)stream->length);
    reply_number(call, "radix-tree-keys", (int64_t)stream->nodes.count);
    reply_number(call, "radix-tree-nodes", (int64_t)cw_stream_radix_nodes(stream));
    reply_id(call, "last-generated-id", stream->last_id);
    reply_id(call, "max-deleted-entry-id", stream->max_deleted_id);
    reply_number(call, "entries-added", (int64_t)stream->entries_added);
    reply_id(call, "recorded-first-entry-id", stream->first_id);
}

static void reply_end_entry(struct cw_call *call, const char *name, const struct cw_stream *stream, bool reverse)
{
    struct cw_stream_cursor cursor;
    cw_stream_cursor_init(&cursor, stream, CW_STREAM_ID_MIN, CW_STREAM_ID_MAX, reverse);
    resp_write_bulk_text(call->reply, name);
    if (cw_stream_cursor_next(&cursor))
        cw_reply_stream_entry(call, &cursor);
    else
        resp_write_null(call->reply, call->protocol);
}

/* What is pending, for a group with the consumer that has it. */
static void reply_pending(struct cw_call *call, const struct cw_id_map *map, bool with_consumers, uint64_t count)
{
    uint64_t shown = count == 0 || count > map->count ? map->count : count;
    struct cw_id_place place = cw_id_map_first(map);
    resp_write_bulk_text(call->reply, "pending");
    resp_write_array(call->reply, shown);
    for (; shown > 0; shown--, place = cw_id_map_next(place)) {
        const struct cw_stream_pending *pending = cw_id_map_item(place)->value;
        resp_write_array(call->reply, with_consumers ? 4 : 3);
        cw_reply_stream_id(call, cw_id_map_item(place)->id);
        if (with_consumers)
            resp_write_bulk(call->reply, pending->consumer->named.name);
        resp_write_integer(call->reply, pending->delivery_ms);
        resp_write_integer(call->reply, (int64_t)pending->deliveries);
    }
}

static void reply_consumers(struct cw_call *call, const struct cw_stream_group *group, uint64_t count)
{
    resp_write_bulk_text(call->reply, "consumers");
    resp_write_array(call->reply, group->consumers.count);
    for (uint32_t i = 0; i < group->consumers.count; i++) {
        const struct cw_stream_consumer *consumer = cw_stream_consumer_at(group, i);
        resp_write_map(call->reply, call->protocol, 5);
        reply_text(call, "name", consumer->named.name);
        reply_number(call, "seen-time", consumer->seen_ms);
        reply_number(call, "active-time", consumer->active_ms);
        reply_number(call, "pel-count", (int64_t)consumer->pending.count);
        reply_pending(call, &consumer->pending, false, count);
    }
}

static void reply_groups(struct cw_call *call, const struct cw_stream *stream, uint64_t count)
{
    resp_write_bulk_text(call->reply, "groups");
    resp_write_array(call->reply, stream->groups.count);
    for (uint32_t i = 0; i < stream->groups.count; i++) {
        const struct cw_stream_group *group = cw_stream_group_at(stream, i);
        resp_write_map(call->reply, call->protocol, 7);
        reply_text(call, "name", group->named.name);
        reply_progress(call, stream, group);
        reply_number(call, "pel-count", (int64_t)group->pending.count);
        reply_pending(call, &group->pending, true, count);
        reply_consumers(call, group, count);
    }
}

void cw_xinfo_stream_command(struct cw_call *call)
{
    bool is_full;
    uint64_t count;
    const struct cw_stream *stream = read_stream(call);
    if (!stream || !parse_full(call, &is_full, &count))
        return;
    resp_write_map(call->reply, call->protocol, is_full ? 9 : 10);
    reply_stream(call, stream);
    if (is_full) {
        resp_write_bulk_text(call->reply, "entries");
        cw_reply_stream_range(call, stream, CW_STREAM_ID_MIN, CW_STREAM_ID_MAX, count, false);
        reply_groups(call, stream, count);
    } else {
        reply_number(call, "groups", stream->groups.count);
        reply_end_entry(call, "first-entry", stream, false);
        reply_end_entry(call, "last-entry", stream, true);
    }
}

void cw_xinfo_help_command(struct cw_call *call)
{
    static const char *const lines[] = {
        "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CONSUMERS <key> <group>",
        "    The consumers of a group.",
        "GROUPS <key>",
        "    The groups of a stream.",
        "HELP",
        "    These lines.",
        "STREAM <key> [FULL [COUNT <count>]]",
        "    A stream; with FULL also its entries and groups, <count> of each, all when it is 0.",
    };
    cw_reply_lines(call, lines, ARRAY_LENGTH(lines));
}
