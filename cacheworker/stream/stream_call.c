#include "cacheworker/stream/stream_call.h"

#include "common/base/errors.h"
#include "common/base/mem.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- Arguments ---- */

bool cw_call_stream_id(struct cw_call *call, size_t index, struct cw_stream_id *ret_id)
{
    if (cw_stream_id_parse(call->argv[index], 0, ret_id) == 0)
        return true;
    cw_reply_error(call, CW_ERROR_STREAM_ID);
    return false;
}

static bool is_range_end(struct cw_call *call, int result, const char *out_of_range)
{
    if (result < 0)
        cw_reply_error(call, result == ERR_RANGE ? out_of_range : CW_ERROR_STREAM_ID);
    return result == 0;
}

bool cw_call_stream_range_first(struct cw_call *call, size_t index, struct cw_stream_id *ret_id)
{
    return is_range_end(call, cw_stream_id_parse_range_first(call->argv[index], ret_id),
                        "ERR invalid start ID for the interval");
}

bool cw_call_stream_range_last(struct cw_call *call, size_t index, struct cw_stream_id *ret_id)
{
    return is_range_end(call, cw_stream_id_parse_range_last(call->argv[index], ret_id),
                        "ERR invalid end ID for the interval");
}

struct cw_stream_id *cw_call_stream_ids(struct cw_call *call, size_t first)
{
    struct cw_stream_id *ids = mem_alloc((call->argc - first) * sizeof(*ids));
    for (size_t i = first; i < call->argc; i++)
        if (!cw_call_stream_id(call, i, &ids[i - first])) {
            mem_free(ids);
            return NULL;
        }
    return ids;
}

struct cw_stream_group *cw_call_stream_group(struct cw_call *call, struct cw_stream **ret_stream, bool *ret_is_replied)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    *ret_is_replied = !cw_call_is_type(call, entry, CW_TYPE_STREAM);
    if (*ret_is_replied || !entry)
        return NULL;
    *ret_stream = cw_stream_of(entry);
    return cw_stream_group_find(*ret_stream, call->argv[2]);
}

struct cw_stream_group *cw_call_require_stream_group(struct cw_call *call, struct cw_stream **ret_stream)
{
    bool is_replied;
    struct cw_stream_group *group = cw_call_stream_group(call, ret_stream, &is_replied);
    if (!group && !is_replied)
        cw_reply_stream_error(call, "NOGROUP No such key '%.*s' or consumer group '%.*s'", CW_QUOTED(call->argv[1]),
                              CW_QUOTED(call->argv[2]));
    return group;
}

/* ---- Replies ---- */

void cw_reply_stream_error(struct cw_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    CHECK(length >= 0);
    char *text = mem_alloc((size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    resp_write_error(call->reply, slice_of(text, (size_t)length));
    mem_free(text);
}

void cw_reply_stream_id(struct cw_call *call, struct cw_stream_id id)
{
    char text[CW_STREAM_ID_TEXT_MAX];
    resp_write_bulk(call->reply, slice_of(text, cw_stream_id_format(id, text)));
}

static void reply_value(struct cw_call *call, const struct cw_packed_value *value)
{
    if (value->text.data)
        resp_write_bulk(call->reply, value->text);
    else
        resp_write_bulk_i64(call->reply, value->integer);
}

void cw_reply_stream_entry(struct cw_call *call, struct cw_stream_cursor *cursor)
{
    resp_write_array(call->reply, 2);
    cw_reply_stream_id(call, cursor->id);
    resp_write_array(call->reply, 2 * cursor->fields);
    while (cursor->fields > 0) {
        struct cw_packed_value name;
        struct cw_packed_value value;
        cw_stream_cursor_field(cursor, &name, &value);
        reply_value(call, &name);
        reply_value(call, &value);
    }
}

bool cw_reply_stream_entry_at(struct cw_call *call, const struct cw_stream *stream, struct cw_stream_id id)
{
    struct cw_stream_cursor cursor;
    cw_stream_cursor_init(&cursor, stream, id, id, false);
    if (!cw_stream_cursor_next(&cursor))
        return false;
    cw_reply_stream_entry(call, &cursor);
    return true;
}

void cw_reply_stream_range(struct cw_call *call, const struct cw_stream *stream, struct cw_stream_id first,
                           struct cw_stream_id last, uint64_t count, bool reverse)
{
    size_t before = buf_length(call->reply);
    uint64_t replied = 0;
    struct cw_stream_cursor cursor;
    cw_stream_cursor_init(&cursor, stream, first, last, reverse);
    for (; (count == 0 || replied < count) && !cw_reply_is_full(call) && cw_stream_cursor_next(&cursor); replied++)
        cw_reply_stream_entry(call, &cursor);
    resp_insert_array(call->reply, before, replied);
}

/* ---- Replicas ---- */

static struct slice id_text(struct cw_stream_id id, char space[CW_STREAM_ID_TEXT_MAX])
{
    return slice_of(space, cw_stream_id_format(id, space));
}

void cw_propagate_stream_claim(struct cw_call *call, struct slice key, const struct cw_stream_group *group,
                               struct cw_stream_id id, const struct cw_stream_pending *pending)
{
    char id_space[CW_STREAM_ID_TEXT_MAX];
    char last_space[CW_STREAM_ID_TEXT_MAX];
    char time[NUMBER_TEXT_MAX];
    char count[NUMBER_TEXT_MAX];
    const struct slice argv[] = {
        SLICE_LITERAL("XCLAIM"),     key,
        group->named.name,           pending->consumer->named.name,
        SLICE_LITERAL("0"),          id_text(id, id_space),
        SLICE_LITERAL("TIME"),       slice_of(time, number_format_i64(time, pending->delivery_ms)),
        SLICE_LITERAL("RETRYCOUNT"), slice_of(count, number_format_u64(count, pending->deliveries)),
        SLICE_LITERAL("FORCE"),      SLICE_LITERAL("JUSTID"),
        SLICE_LITERAL("LASTID"),     id_text(group->last_id, last_space),
    };
    cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
    call->dirty++;
}

void cw_propagate_stream_group_id(struct cw_call *call, struct slice key, const struct cw_stream_group *group)
{
    char space[CW_STREAM_ID_TEXT_MAX];
    char read[NUMBER_TEXT_MAX];
    const struct slice argv[] = {
        SLICE_LITERAL("XGROUP"),
        SLICE_LITERAL("SETID"),
        key,
        group->named.name,
        id_text(group->last_id, space),
        SLICE_LITERAL("ENTRIESREAD"),
        slice_of(read, number_format_i64(read, group->entries_read)),
    };
    cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
    call->dirty++;
}

struct cw_stream_consumer *cw_call_stream_consumer(struct cw_call *call, struct slice key,
                                                   struct cw_stream_group *group, struct slice name)
{
    struct cw_stream_consumer *consumer = cw_stream_consumer_find(group, name);
    if (consumer) {
        consumer->seen_ms = call->now_ms;
        return consumer;
    }
    if (cw_stream_consumer_create(cw_call_arena(call), group, name, call->now_ms, &consumer) < 0) {
        cw_reply_error(call, CW_ERROR_NO_MEMORY);
        return NULL;
    }
    const struct slice argv[] = {SLICE_LITERAL("XGROUP"), SLICE_LITERAL("CREATECONSUMER"), key, group->named.name,
                                 name};
    cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
    cw_call_notify(call, CW_NOTIFY_STREAM, "xgroup-createconsumer", key);
    call->dirty++;
    return consumer;
}
