#include "cacheworker/engine/changes.h"
#include "cacheworker/block/block.h"
#include "cacheworker/stream/stream_call.h"
#include "cacheworker/stream/stream_commands.h"
#include "common/base/errors.h"
#include "common/base/mem.h"

/* One of the streams that XREAD or XREADGROUP reads. */
struct reading {
    struct slice key;
    struct cw_stream *stream;            /* NULL: there is none */
    struct cw_stream_id after;           /* of XREADGROUP: CW_STREAM_ID_MAX means what was not delivered yet */
    struct cw_stream_group *group;       /* of XREADGROUP */
    struct cw_stream_consumer *consumer; /* the same */
};

struct read {
    bool by_group; /* XREADGROUP */
    bool has_group;
    bool never_pends; /* NOACK */
    struct slice group;
    struct slice consumer;
    uint64_t count;   /* entries of each stream; 0: all */
    size_t keys;      /* index of the first; as many ids follow them */
    size_t key_count; /* 0: STREAMS was not there */
    int64_t wait_ms;  /* BLOCK; 0: for ever; negative: not at all */
    uint64_t replied; /* streams */
};

/* ---- Arguments ---- */

static bool parse_block(struct cw_call *call, size_t index, struct read *read)
{
    int64_t wait_ms;
    const char *error = NULL;
    if (call->flags & CW_CALL_FROM_SCRIPT) {
        resp_write_error_format(call->reply, "ERR %s command is not allowed with BLOCK option from scripts",
                                call->command->name);
        return false;
    }
    if (number_parse_i64(call->argv[index], &wait_ms) < 0)
        error = "ERR timeout is not an integer or out of range";
    else if (wait_ms < 0)
        error = "ERR timeout is negative";
    else if (wait_ms > INT64_MAX - call->now_ms)
        error = "ERR timeout is out of range";
    if (error)
        cw_reply_error(call, error);
    read->wait_ms = wait_ms;
    return !error;
}

static bool parse_count(struct cw_call *call, size_t index, struct read *read)
{
    int64_t count;
    if (!cw_call_integer(call, index, &count))
        return false;
    read->count = count < 0 ? 0 : (uint64_t)count;
    return true;
}

static bool parse_streams(struct cw_call *call, size_t index, struct read *read)
{
    read->keys = index + 1;
    read->key_count = (call->argc - read->keys) / 2;
    if ((call->argc - read->keys) % 2 == 0)
        return true;
    resp_write_error_format(call->reply,
                            "ERR Unbalanced '%s' list of streams: for each stream key an ID or '%c' must be specified.",
                            call->command->full_name, read->by_group ? '>' : '$');
    return false;
}

static bool refuse_group_word(struct cw_call *call, const char *word)
{
    resp_write_error_format(call->reply, "ERR The %s option is only supported by XREADGROUP. You called XREAD instead.",
                            word);
    return false;
}

/* The word at *index, which moves to the last that belongs to it. */
static bool parse_word(struct cw_call *call, size_t *index, struct read *read)
{
    struct slice word = call->argv[*index];
    size_t more = call->argc - *index - 1;
    if (more > 0 && slice_equal_nocase(word, "block"))
        return parse_block(call, ++*index, read);
    if (more > 0 && slice_equal_nocase(word, "count"))
        return parse_count(call, ++*index, read);
    if (more > 0 && slice_equal_nocase(word, "streams"))
        return parse_streams(call, *index, read);
    if (more > 1 && slice_equal_nocase(word, "group")) {
        if (!read->by_group)
            return refuse_group_word(call, "GROUP");
        read->has_group = true;
        read->group = call->argv[++*index];
        read->consumer = call->argv[++*index];
        return true;
    }
    if (slice_equal_nocase(word, "noack")) {
        read->never_pends = true;
        return read->by_group || refuse_group_word(call, "NOACK");
    }
    cw_reply_error(call, CW_ERROR_SYNTAX);
    return false;
}

static bool parse_words(struct cw_call *call, struct read *read)
{
    for (size_t i = 1; i < call->argc && read->key_count == 0; i++)
        if (!parse_word(call, &i, read))
            return false;
    if (read->key_count == 0) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return false;
    }
    if (read->by_group && !read->has_group) {
        cw_reply_error(call, "ERR Missing GROUP option for XREADGROUP");
        return false;
    }
    return true;
}

static bool find_group(struct cw_call *call, const struct read *read, struct reading *reading)
{
    reading->group = reading->stream ? cw_stream_group_find(reading->stream, read->group) : NULL;
    if (reading->group)
        return true;
    cw_reply_stream_error(call, "NOGROUP No such key '%.*s' or consumer group '%.*s' in XREADGROUP with GROUP option",
                          CW_QUOTED(reading->key), CW_QUOTED(read->group));
    return false;
}

static bool parse_after(struct cw_call *call, const struct read *read, size_t index, struct reading *reading)
{
    bool is_last = slice_equal(call->argv[index], SLICE_LITERAL("$"));
    bool is_new = slice_equal(call->argv[index], SLICE_LITERAL(">"));
    if (is_last && read->by_group) {
        cw_reply_error(call,
                       "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of "
                       "this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID "
                       "would just return an empty result set.");
        return false;
    }
    if (is_new && !read->by_group) {
        cw_reply_error(call, "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> "
                             "<consumer> option.");
        return false;
    }
    if (is_last)
        reading->after = reading->stream ? reading->stream->last_id : CW_STREAM_ID_MIN;
    else if (is_new)
        reading->after = CW_STREAM_ID_MAX;
    else
        return cw_call_stream_id(call, index, &reading->after);
    return true;
}

/* Key and id number i. */
static bool parse_reading(struct cw_call *call, const struct read *read, size_t i, struct reading *reading)
{
    const struct cw_entry *entry = cw_call_read(call, read->keys + i);
    if (!cw_call_is_type(call, entry, CW_TYPE_STREAM))
        return false;
    reading->key = call->argv[read->keys + i];
    reading->stream = cw_stream_of(entry);
    return (!read->by_group || find_group(call, read, reading)) &&
           parse_after(call, read, read->keys + read->key_count + i, reading);
}

/* The stream will be changed; and the consumer exists from now on. */
static bool open_consumer(struct cw_call *call, const struct read *read, size_t i, struct reading *reading)
{
    cw_call_open_read(call, read->keys + i);
    reading->consumer = cw_call_stream_consumer(call, reading->key, reading->group, read->consumer);
    return reading->consumer != NULL;
}

/* ---- Serving ---- */

static struct cw_stream_id next_id(struct cw_stream_id id)
{
    cw_stream_id_increment(&id); /* behind the greatest one is the least, as in the reference */
    return id;
}

static bool has_after(const struct cw_stream *stream, struct cw_stream_id id)
{
    return stream->length > 0 && cw_stream_id_compare(cw_stream_last_present_id(stream), id) > 0;
}

/* One more stream of the reply; its entries follow. */
static void begin_stream(struct cw_call *call, struct read *read, const struct reading *reading)
{
    read->replied++;
    if (call->protocol == 2)
        resp_write_array(call->reply, 2);
    resp_write_bulk(call->reply, reading->key);
}

static void serve(struct cw_call *call, struct read *read, const struct reading *reading)
{
    if (!reading->stream || !has_after(reading->stream, reading->after))
        return;
    begin_stream(call, read, reading);
    cw_reply_stream_range(call, reading->stream, next_id(reading->after), CW_STREAM_ID_MAX, read->count, false);
}

/* The entry is pending for this consumer from now on, whoever had it before: XGROUP SETID may have set the group back.
 */
static void make_pending(struct cw_call *call, const struct reading *reading, struct cw_stream_id id)
{
    struct cw_stream_pending *pending = cw_stream_pending_find(reading->group, id);
    if (!pending)
        pending = cw_stream_pending_add(cw_call_arena(call), reading->group, id);
    cw_stream_pending_assign(cw_call_arena(call), reading->group, pending, id, reading->consumer);
    pending->delivery_ms = reading->consumer->active_ms = call->now_ms;
    pending->deliveries = 1;
    cw_propagate_stream_claim(call, reading->key, reading->group, id, pending);
}

/* Entries that the group has not delivered yet. */
static void deliver(struct cw_call *call, const struct read *read, const struct reading *reading)
{
    size_t before = buf_length(call->reply);
    uint64_t delivered = 0;
    struct cw_stream_cursor cursor;
    cw_stream_cursor_init(&cursor, reading->stream, next_id(reading->group->last_id), CW_STREAM_ID_MAX, false);
    for (; (read->count == 0 || delivered < read->count) && cw_stream_cursor_next(&cursor); delivered++) {
        cw_stream_group_delivered(reading->stream, reading->group, cursor.id);
        cw_reply_stream_entry(call, &cursor);
        if (!read->never_pends)
            make_pending(call, reading, cursor.id);
    }
    resp_insert_array(call->reply, before, delivered);
    if (delivered > 0)
        cw_propagate_stream_group_id(call, reading->key, reading->group);
}

/* What the consumer has pending behind that id. */
static void deliver_again(struct cw_call *call, const struct read *read, const struct reading *reading)
{
    size_t before = buf_length(call->reply);
    uint64_t replied = 0;
    struct cw_id_place place = cw_id_map_at_least(&reading->consumer->pending, next_id(reading->after));
    for (; place.leaf && (read->count == 0 || replied < read->count) && !cw_reply_is_full(call); replied++) {
        struct cw_stream_id id = cw_id_map_item(place)->id;
        struct cw_stream_pending *pending = cw_id_map_item(place)->value;
        if (cw_reply_stream_entry_at(call, reading->stream, id)) {
            pending->delivery_ms = call->now_ms;
            pending->deliveries++;
            cw_propagate_stream_claim(call, reading->key, reading->group, id, pending);
        } else { /* deleted meanwhile */
            resp_write_array(call->reply, 2);
            cw_reply_stream_id(call, id);
            resp_write_null_array(call->reply, call->protocol);
        }
        place = cw_id_map_next(place);
    }
    resp_insert_array(call->reply, before, replied);
}

static void serve_group(struct cw_call *call, struct read *read, const struct reading *reading)
{
    if (cw_stream_id_compare(reading->after, CW_STREAM_ID_MAX) != 0) {
        begin_stream(call, read, reading);
        deliver_again(call, read, reading);
    } else if (has_after(reading->stream, reading->group->last_id)) {
        begin_stream(call, read, reading);
        deliver(call, read, reading);
    }
}

static void write_header(struct cw_call *call, const struct read *read, size_t before)
{
    if (read->replied == 0)
        resp_write_null_array(call->reply, call->protocol);
    else if (call->protocol == 2)
        resp_insert_array(call->reply, before, read->replied);
    else
        resp_insert_map(call->reply, before, read->replied);
}

/* What is new from now on: "$" becomes the id that it meant. */
static void wait_for_entries(struct cw_call *call, const struct read *read, const struct reading *readings)
{
    struct slice *argv = mem_alloc(call->argc * sizeof(*argv));
    char(*texts)[CW_STREAM_ID_TEXT_MAX] = mem_alloc(read->key_count * sizeof(*texts));
    memcpy(argv, call->argv, call->argc * sizeof(*argv));
    for (size_t i = 0; i < read->key_count; i++) {
        struct slice *id = &argv[read->keys + read->key_count + i];
        if (slice_equal(*id, SLICE_LITERAL("$")))
            *id = slice_of(texts[i], cw_stream_id_format(readings[i].after, texts[i]));
    }
    const struct cw_blocking blocking = {.type = CW_TYPE_STREAM,
                                         .ends_without_key = read->by_group,
                                         .keys = call->argv + read->keys,
                                         .key_count = read->key_count,
                                         .timeout_ms = read->wait_ms,
                                         .argv = argv};
    cw_block(call, &blocking);
    mem_free(argv);
    mem_free(texts);
}

static void read_streams(struct cw_call *call, struct read *read, struct reading *readings)
{
    for (size_t i = 0; i < read->key_count; i++)
        if (!parse_reading(call, read, i, &readings[i]))
            return;
    for (size_t i = 0; read->by_group && i < read->key_count; i++)
        if (!open_consumer(call, read, i, &readings[i]))
            return;
    size_t before = buf_length(call->reply);
    for (size_t i = 0; i < read->key_count; i++)
        (read->by_group ? serve_group : serve)(call, read, &readings[i]);
    if (read->replied == 0 && read->wait_ms >= 0 && cw_may_block(call))
        wait_for_entries(call, read, readings);
    else
        write_header(call, read, before);
}

static void run(struct cw_call *call, bool by_group)
{
    struct read read = {.by_group = by_group, .wait_ms = -1};
    if (!parse_words(call, &read))
        return;
    struct reading *readings = mem_zero(read.key_count * sizeof(*readings));
    read_streams(call, &read, readings);
    mem_free(readings);
}

void cw_xread_command(struct cw_call *call)
{
    run(call, false);
}

void cw_xreadgroup_command(struct cw_call *call)
{
    cw_call_propagate_nothing(call); /* as it stands: what came of it is told */
    call->news = CW_NEWS_TO_NOBODY;
    run(call, true);
}
