#include "cacheworker/aof/entry_commands_stream.h"

#include "cacheworker/stream/stream_group.h"
#include "common/resp/resp_writer.h"

enum phase { PHASE_ENTRY, PHASE_FIELD, PHASE_NUMBERS, PHASE_GROUP, PHASE_CONSUMER, PHASE_PENDING };

static const struct cw_stream *stream_of(const struct cw_entry_commands *commands)
{
    return cw_entry_object(commands->entry);
}

/* ---- Words ---- */

static void add_id(struct buf *out, struct cw_stream_id id)
{
    char text[CW_STREAM_ID_TEXT_MAX];
    resp_write_bulk(out, slice_of(text, cw_stream_id_format(id, text)));
}

static void begin_command(const struct cw_entry_commands *commands, struct buf *out, uint64_t words, const char *name)
{
    resp_write_array(out, words);
    resp_write_bulk_text(out, name);
    resp_write_bulk(out, cw_entry_key(commands->entry));
}

static void begin_of_group(const struct cw_entry_commands *commands, struct buf *out, uint64_t words,
                           const char *subcommand, const struct cw_stream_group *group)
{
    resp_write_array(out, words);
    resp_write_bulk_text(out, "XGROUP");
    resp_write_bulk_text(out, subcommand);
    resp_write_bulk(out, cw_entry_key(commands->entry));
    resp_write_bulk(out, group->named.name);
}

/* ---- Entries ---- */

/* A stream without entries comes into being all the same. */
static void make_empty(const struct cw_entry_commands *commands, struct buf *out)
{
    begin_command(commands, out, 7, "XADD");
    resp_write_bulk_text(out, "MAXLEN");
    resp_write_bulk_text(out, "0");
    resp_write_bulk_text(out, "0-1");
    resp_write_bulk_text(out, "x");
    resp_write_bulk_text(out, "y");
}

/* No command adds an entry without fields. A payload of RESTORE may have one, which cannot be told. */
static void next_entry(struct cw_entry_commands *commands, struct buf *out)
{
    struct cw_stream_commands *stream = &commands->stream;
    if (cw_stream_cursor_next(&stream->cursor)) {
        if (stream->cursor.fields == 0)
            return;
        begin_command(commands, out, 3 + 2 * stream->cursor.fields, "XADD");
        add_id(out, stream->cursor.id);
        stream->phase = PHASE_FIELD;
    } else {
        if (!stream->is_made)
            make_empty(commands, out);
        stream->phase = PHASE_NUMBERS;
    }
    stream->is_made = true;
}

static void next_field(struct cw_entry_commands *commands, struct buf *out)
{
    struct cw_stream_commands *stream = &commands->stream;
    struct cw_packed_value name, value;
    cw_stream_cursor_field(&stream->cursor, &name, &value);
    cw_entry_commands_add(commands, out, &name);
    cw_entry_commands_add(commands, out, &value);
    if (stream->cursor.fields == 0)
        stream->phase = PHASE_ENTRY;
}

static void write_numbers(const struct cw_entry_commands *commands, struct buf *out)
{
    const struct cw_stream *stream = stream_of(commands);
    begin_command(commands, out, 7, "XSETID");
    add_id(out, stream->last_id);
    resp_write_bulk_text(out, "ENTRIESADDED");
    resp_write_bulk_u64(out, stream->entries_added);
    resp_write_bulk_text(out, "MAXDELETEDID");
    add_id(out, stream->max_deleted_id);
}

/* ---- Groups ---- */

static void begin_group(struct cw_entry_commands *commands, struct buf *out, const struct cw_stream_group *group)
{
    begin_of_group(commands, out, 7, "CREATE", group);
    add_id(out, group->last_id);
    resp_write_bulk_text(out, "ENTRIESREAD");
    resp_write_bulk_i64(out, group->entries_read);
    commands->stream.consumer = 0;
    commands->stream.phase = PHASE_CONSUMER;
}

static void begin_consumer(struct cw_entry_commands *commands, struct buf *out, const struct cw_stream_group *group)
{
    struct cw_stream_commands *stream = &commands->stream;
    if (stream->consumer == group->consumers.count) {
        stream->group++;
        stream->phase = PHASE_GROUP;
        return;
    }
    const struct cw_stream_consumer *consumer = cw_stream_consumer_at(group, stream->consumer);
    begin_of_group(commands, out, 5, "CREATECONSUMER", group);
    resp_write_bulk(out, consumer->named.name);
    stream->place = cw_id_map_first(&consumer->pending);
    stream->phase = PHASE_PENDING;
}

static void claim(const struct cw_entry_commands *commands, struct buf *out, const struct cw_stream_group *group,
                  const struct cw_id_item *item)
{
    const struct cw_stream_pending *pending = item->value;
    begin_command(commands, out, 12, "XCLAIM");
    resp_write_bulk(out, group->named.name);
    resp_write_bulk(out, pending->consumer->named.name);
    resp_write_bulk_text(out, "0");
    add_id(out, item->id);
    resp_write_bulk_text(out, "TIME");
    resp_write_bulk_i64(out, pending->delivery_ms);
    resp_write_bulk_text(out, "RETRYCOUNT");
    resp_write_bulk_u64(out, pending->deliveries);
    resp_write_bulk_text(out, "JUSTID");
    resp_write_bulk_text(out, "FORCE");
}

static void next_pending(struct cw_entry_commands *commands, struct buf *out, const struct cw_stream_group *group)
{
    struct cw_stream_commands *stream = &commands->stream;
    if (!stream->place.leaf) {
        stream->consumer++;
        stream->phase = PHASE_CONSUMER;
        return;
    }
    claim(commands, out, group, cw_id_map_item(stream->place));
    stream->place = cw_id_map_next(stream->place);
}

static bool next_of_groups(struct cw_entry_commands *commands, struct buf *out)
{
    struct cw_stream_commands *stream = &commands->stream;
    if (stream->group == stream_of(commands)->groups.count)
        return false;
    const struct cw_stream_group *group = cw_stream_group_at(stream_of(commands), stream->group);
    if (stream->phase == PHASE_GROUP)
        begin_group(commands, out, group);
    else if (stream->phase == PHASE_CONSUMER)
        begin_consumer(commands, out, group);
    else
        next_pending(commands, out, group);
    return true;
}

/* ---- All of it ---- */

void cw_stream_commands_begin(struct cw_entry_commands *commands)
{
    commands->stream = (struct cw_stream_commands){.phase = PHASE_ENTRY};
    cw_stream_cursor_init(&commands->stream.cursor, stream_of(commands), CW_STREAM_ID_MIN, CW_STREAM_ID_MAX, false);
}

bool cw_stream_commands_next(struct cw_entry_commands *commands, struct buf *out)
{
    switch ((enum phase)commands->stream.phase) {
    case PHASE_ENTRY: next_entry(commands, out); return true;
    case PHASE_FIELD: next_field(commands, out); return true;
    case PHASE_NUMBERS:
        write_numbers(commands, out);
        commands->stream.phase = PHASE_GROUP;
        return true;
    case PHASE_GROUP:
    case PHASE_CONSUMER:
    case PHASE_PENDING: break;
    }
    return next_of_groups(commands, out);
}
