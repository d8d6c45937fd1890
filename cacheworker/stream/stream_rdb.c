#include "cacheworker/stream/stream_rdb.h"

#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "cacheworker/stream/stream_group.h"
#include "common/base/errors.h"

enum { TIME_BYTES = 8 };

/* ---- Writing ---- */

unsigned cw_stream_rdb_type(const struct cw_entry *entry)
{
    (void)entry;
    return RDB_TYPE_STREAM_LISTPACKS_2;
}

static void add_id(struct buf *out, struct cw_stream_id id)
{
    cw_rdb_add_length(out, id.ms);
    cw_rdb_add_length(out, id.seq);
}

static void add_raw_id(struct buf *out, struct cw_stream_id id)
{
    cw_stream_id_encode(id, buf_reserve(out, CW_STREAM_ID_BYTES));
    buf_commit(out, CW_STREAM_ID_BYTES);
}

enum writing {
    WRITING_COUNT,
    WRITING_NODES,
    WRITING_GROUP,
    WRITING_GROUP_NUMBERS,
    WRITING_PENDING,
    WRITING_CONSUMER,
    WRITING_CONSUMER_NUMBERS,
    WRITING_OWNED,
};

static void add_node(struct cw_rdb_parts *parts, struct buf *out, const struct cw_id_item *node)
{
    char id[CW_STREAM_ID_BYTES];
    cw_stream_id_encode(node->id, id);
    cw_rdb_add_string(out, slice_of(id, sizeof(id)));
    cw_rdb_parts_add(parts, out, cw_stream_node_listpack(node->value));
}

static void add_numbers(struct buf *out, const struct cw_stream *stream)
{
    cw_rdb_add_length(out, stream->length);
    add_id(out, stream->last_id);
    add_id(out, stream->first_id);
    add_id(out, stream->max_deleted_id);
    cw_rdb_add_length(out, stream->entries_added);
    cw_rdb_add_length(out, stream->groups.count);
}

static void add_group_numbers(struct buf *out, const struct cw_stream_group *group)
{
    add_id(out, group->last_id);
    cw_rdb_add_length(out, (uint64_t)group->entries_read);
    cw_rdb_add_length(out, group->pending.count);
}

static void add_pending(struct buf *out, const struct cw_id_item *item)
{
    const struct cw_stream_pending *pending = item->value;
    add_raw_id(out, item->id);
    cw_rdb_add_little_endian(out, (uint64_t)pending->delivery_ms, TIME_BYTES);
    cw_rdb_add_length(out, pending->deliveries);
}

static void add_consumer_numbers(struct buf *out, const struct cw_stream_consumer *consumer)
{
    cw_rdb_add_little_endian(out, (uint64_t)consumer->seen_ms, TIME_BYTES);
    cw_rdb_add_length(out, consumer->pending.count);
}

/* The item of the map that is next; NULL: it was the last. */
static const struct cw_id_item *next_item(struct cw_rdb_parts *parts)
{
    struct cw_id_place place = parts->stream.place;
    if (!place.leaf)
        return NULL;
    parts->stream.place = cw_id_map_next(place);
    return cw_id_map_item(place);
}

static bool begin_map(struct cw_rdb_parts *parts, const struct cw_id_map *map, enum writing phase)
{
    parts->stream.place = cw_id_map_first(map);
    parts->phase = phase;
    return true;
}

static bool next_of_group(struct cw_rdb_parts *parts, struct buf *out, const struct cw_stream_group *group)
{
    const struct cw_id_item *item;
    switch ((enum writing)parts->phase) {
    case WRITING_GROUP:
        cw_rdb_parts_add(parts, out, group->named.name);
        parts->phase = WRITING_GROUP_NUMBERS;
        return true;
    case WRITING_GROUP_NUMBERS:
        add_group_numbers(out, group);
        return begin_map(parts, &group->pending, WRITING_PENDING);
    default:
        item = next_item(parts);
        if (item != NULL) {
            add_pending(out, item);
            return true;
        }
        cw_rdb_add_length(out, group->consumers.count);
        parts->stream.consumer = 0;
        parts->phase = WRITING_CONSUMER;
        return true;
    }
}

static bool next_of_consumers(struct cw_rdb_parts *parts, struct buf *out, const struct cw_stream_group *group)
{
    if (parts->stream.consumer == group->consumers.count) {
        parts->stream.group++;
        parts->phase = WRITING_GROUP;
        return true;
    }
    const struct cw_stream_consumer *consumer = cw_stream_consumer_at(group, parts->stream.consumer);
    const struct cw_id_item *item;
    switch ((enum writing)parts->phase) {
    case WRITING_CONSUMER:
        cw_rdb_parts_add(parts, out, consumer->named.name);
        parts->phase = WRITING_CONSUMER_NUMBERS;
        return true;
    case WRITING_CONSUMER_NUMBERS:
        add_consumer_numbers(out, consumer);
        return begin_map(parts, &consumer->pending, WRITING_OWNED);
    default:
        item = next_item(parts);
        if (item != NULL) {
            add_raw_id(out, item->id);
            return true;
        }
        parts->stream.consumer++;
        parts->phase = WRITING_CONSUMER;
        return true;
    }
}

bool cw_stream_rdb_next(struct cw_rdb_parts *parts, struct buf *out)
{
    const struct cw_stream *stream = cw_entry_object(parts->entry);
    if (parts->phase == WRITING_COUNT) {
        cw_rdb_add_length(out, stream->nodes.count);
        return begin_map(parts, &stream->nodes, WRITING_NODES);
    }
    if (parts->phase == WRITING_NODES) {
        const struct cw_id_item *node = next_item(parts);
        if (node != NULL) {
            add_node(parts, out, node);
            return true;
        }
        add_numbers(out, stream);
        parts->phase = WRITING_GROUP;
        return true;
    }
    if (parts->stream.group == stream->groups.count)
        return false;
    const struct cw_stream_group *group = cw_stream_group_at(stream, parts->stream.group);
    return parts->phase < WRITING_CONSUMER ? next_of_group(parts, out, group) : next_of_consumers(parts, out, group);
}

/* ---- Reading: each function takes one part ---- */

enum phase {
    PHASE_START,
    PHASE_NODES,
    PHASE_NUMBERS,
    PHASE_GROUPS,
    PHASE_PENDING,
    PHASE_CONSUMERS,
    PHASE_OWNED,
    PHASE_END
};

enum { AROUND_GROUP, AROUND_CONSUMER }; /* value->around */

static struct cw_stream *stream_of(const struct cw_rdb_value *value)
{
    return value->object;
}

static struct cw_stream_group *group_of(const struct cw_rdb_value *value)
{
    return value->around[AROUND_GROUP].object;
}

static struct cw_arena *arena_of(const struct cw_rdb_value *value)
{
    return cw_keyspace_arena(value->keyspace);
}

static int take_id(struct cw_rdb_cursor *cursor, struct cw_stream_id *ret_id)
{
    int result = cw_rdb_take_plain_length(cursor, &ret_id->ms);
    return result <= 0 ? result : cw_rdb_take_plain_length(cursor, &ret_id->seq);
}

static int take_raw_id(struct cw_rdb_cursor *cursor, struct cw_stream_id *ret_id)
{
    const unsigned char *bytes;
    int result = cw_rdb_take(cursor, CW_STREAM_ID_BYTES, &bytes);
    if (result > 0)
        *ret_id = cw_stream_id_decode((const char *)bytes);
    return result;
}

static int read_start(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    int result = cw_rdb_take_whole_length(cursor, &value->left);
    if (result <= 0)
        return result;
    value->object = cw_stream_create(arena_of(value));
    cw_keyspace_put_object(value->keyspace, value->ref, CW_TYPE_STREAM, CW_ENCODING_STREAM, value->object);
    value->phase = PHASE_NODES;
    return 1;
}

static int read_node(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    struct slice id;
    struct slice listpack;
    int result = cw_rdb_take_string(cursor, &value->texts[0], &id);
    if (result <= 0 || (result = cw_rdb_take_string(cursor, &value->texts[1], &listpack)) <= 0)
        return result;
    if (id.length != CW_STREAM_ID_BYTES || !cw_stream_node_is_valid(listpack))
        return cw_rdb_value_refuse(value, "a node of the stream is damaged");
    value->left--;
    result = cw_stream_load_node(arena_of(value), stream_of(value), cw_stream_id_decode(id.data), listpack);
    if (result < 0)
        value->why = "entries of the stream are not in order";
    return result < 0 ? result : 1;
}

/* The first id is looked up, whatever is said of it. */
static int read_numbers(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    struct cw_stream *stream = stream_of(value);
    struct cw_stream_id last_id;
    struct cw_stream_id first_id;
    struct cw_stream_id max_deleted_id = CW_STREAM_ID_MIN;
    uint64_t length;
    uint64_t groups;
    int result = cw_rdb_take_plain_length(cursor, &length);
    if (result <= 0 || (result = take_id(cursor, &last_id)) <= 0)
        return result;
    uint64_t entries_added = length;
    if (value->type != RDB_TYPE_STREAM_LISTPACKS &&
        ((result = take_id(cursor, &first_id)) <= 0 || (result = take_id(cursor, &max_deleted_id)) <= 0 ||
         (result = cw_rdb_take_plain_length(cursor, &entries_added)) <= 0))
        return result;
    if ((result = cw_rdb_take_plain_length(cursor, &groups)) <= 0)
        return result;
    if (length != stream->length)
        return cw_rdb_value_refuse(value, "the stream has not as many entries as it says");
    stream->last_id = last_id;
    stream->max_deleted_id = max_deleted_id;
    stream->entries_added = entries_added;
    cw_stream_find_first_id(stream);
    value->around[AROUND_GROUP].left = groups;
    value->phase = PHASE_GROUPS;
    return 1;
}

static int read_group(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    struct cw_stream *stream = stream_of(value);
    struct slice name;
    struct cw_stream_id last_id;
    struct cw_stream_group *group;
    uint64_t entries_read;
    int result = cw_rdb_take_string(cursor, &value->texts[0], &name);
    if (result <= 0 || (result = take_id(cursor, &last_id)) <= 0)
        return result;
    if (value->type == RDB_TYPE_STREAM_LISTPACKS)
        entries_read = (uint64_t)cw_stream_entries_up_to(stream, last_id);
    else if ((result = cw_rdb_take_plain_length(cursor, &entries_read)) <= 0)
        return result;
    if ((result = cw_rdb_take_plain_length(cursor, &value->left)) <= 0)
        return result;
    result = cw_stream_group_create(arena_of(value), stream, name, last_id, (int64_t)entries_read, &group);
    if (result < 0)
        return result == ERR_EXISTS ? cw_rdb_value_refuse(value, "a group stands there twice") : result;
    value->around[AROUND_GROUP].object = group;
    value->around[AROUND_GROUP].left--;
    value->phase = PHASE_PENDING;
    return 1;
}

static int read_pending(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    struct cw_stream_id id;
    uint64_t delivery_ms;
    uint64_t deliveries;
    int result = take_raw_id(cursor, &id);
    if (result <= 0 || (result = cw_rdb_take_little_endian(cursor, TIME_BYTES, &delivery_ms)) <= 0 ||
        (result = cw_rdb_take_plain_length(cursor, &deliveries)) <= 0)
        return result;
    struct cw_stream_pending *pending = cw_stream_pending_add(arena_of(value), group_of(value), id);
    if (!pending)
        return cw_rdb_value_refuse(value, "an entry is pending twice");
    pending->delivery_ms = (int64_t)delivery_ms;
    pending->deliveries = deliveries;
    value->left--;
    return 1;
}

static int read_consumer_count(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    int result = cw_rdb_take_plain_length(cursor, &value->around[AROUND_CONSUMER].left);
    if (result > 0)
        value->phase = PHASE_CONSUMERS;
    return result;
}

static int read_consumer(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    struct slice name;
    struct cw_stream_consumer *consumer;
    uint64_t seen_ms;
    int result = cw_rdb_take_string(cursor, &value->texts[0], &name);
    if (result <= 0 || (result = cw_rdb_take_little_endian(cursor, TIME_BYTES, &seen_ms)) <= 0)
        return result;
    uint64_t active_ms = seen_ms;
    if (value->type == RDB_TYPE_STREAM_LISTPACKS_3 &&
        (result = cw_rdb_take_little_endian(cursor, TIME_BYTES, &active_ms)) <= 0)
        return result;
    if ((result = cw_rdb_take_plain_length(cursor, &value->left)) <= 0)
        return result;
    result = cw_stream_consumer_create(arena_of(value), group_of(value), name, (int64_t)seen_ms, &consumer);
    if (result < 0)
        return result == ERR_EXISTS ? cw_rdb_value_refuse(value, "a consumer stands there twice") : result;
    consumer->active_ms = (int64_t)active_ms;
    value->around[AROUND_CONSUMER].object = consumer;
    value->around[AROUND_CONSUMER].left--;
    value->phase = PHASE_OWNED;
    return 1;
}

/* One of the group's pending entries, which the consumer has, and nobody else. */
static int read_owned(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    struct cw_stream_id id;
    int result = take_raw_id(cursor, &id);
    if (result <= 0)
        return result;
    struct cw_stream_pending *pending = cw_stream_pending_find(group_of(value), id);
    if (!pending || pending->consumer)
        return cw_rdb_value_refuse(value, "a consumer has an entry that it cannot have");
    cw_stream_pending_assign(arena_of(value), group_of(value), pending, id, value->around[AROUND_CONSUMER].object);
    value->left--;
    return 1;
}

/* Whether all that is pending has a consumer; consumers have nothing in common. */
static bool is_whole(const struct cw_stream_group *group)
{
    uint64_t owned = 0;
    for (uint32_t i = 0; i < group->consumers.count; i++)
        owned += cw_stream_consumer_at(group, i)->pending.count;
    return owned == group->pending.count;
}

/* Goes on to the phase that takes something, or to the end. False: what was read makes no sense. */
static bool settle_phase(struct cw_rdb_value *value)
{
    if (value->phase == PHASE_NODES && value->left == 0)
        value->phase = PHASE_NUMBERS;
    if (value->phase == PHASE_OWNED && value->left == 0)
        value->phase = PHASE_CONSUMERS;
    if (value->phase == PHASE_CONSUMERS && value->around[AROUND_CONSUMER].left == 0) {
        if (!is_whole(group_of(value)))
            return false;
        value->phase = PHASE_GROUPS;
    }
    if (value->phase == PHASE_GROUPS && value->around[AROUND_GROUP].left == 0)
        value->phase = PHASE_END;
    return true;
}

static int read_part(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    switch ((enum phase)value->phase) {
    case PHASE_START: return read_start(value, cursor);
    case PHASE_NODES: return read_node(value, cursor);
    case PHASE_NUMBERS: return read_numbers(value, cursor);
    case PHASE_GROUPS: return read_group(value, cursor);
    case PHASE_PENDING: return value->left > 0 ? read_pending(value, cursor) : read_consumer_count(value, cursor);
    case PHASE_CONSUMERS: return read_consumer(value, cursor);
    case PHASE_OWNED: return read_owned(value, cursor);
    case PHASE_END: break;
    }
    return ERR_CORRUPT;
}

int cw_stream_rdb_read(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    while (value->phase != PHASE_END) {
        struct cw_rdb_cursor part = *cursor;
        int result = read_part(value, &part);
        if (cw_rdb_take_part(cursor, &part, result) <= 0)
            return result;
        if (!settle_phase(value))
            return cw_rdb_value_refuse(value, "nobody has an entry that is pending");
    }
    return 1;
}
