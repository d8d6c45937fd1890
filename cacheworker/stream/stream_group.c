#include "cacheworker/stream/stream_group.h"

#include "common/base/errors.h"

/* ---- Groups ---- */

struct cw_stream_group *cw_stream_group_find(const struct cw_stream *stream, struct slice name)
{
    uint32_t index;
    return (struct cw_stream_group *)(void *)cw_name_list_find(&stream->groups, name, &index);
}

static size_t group_bytes(size_t name_length)
{
    return sizeof(struct cw_stream_group) + name_length;
}

int cw_stream_group_create(struct cw_arena *arena, struct cw_stream *stream, struct slice name,
                           struct cw_stream_id last_id, int64_t entries_read, struct cw_stream_group **ret_group)
{
    uint32_t index;
    if (cw_name_list_find(&stream->groups, name, &index))
        return ERR_EXISTS;
    struct cw_stream_memory memory = cw_stream_memory(arena, stream);
    struct cw_stream_group *group = cw_stream_memory_try_alloc(&memory, group_bytes(name.length));
    if (!group)
        return ERR_NO_MEMORY;
    *group = (struct cw_stream_group){
        .named = {slice_of(group->name, name.length)}, .last_id = last_id, .entries_read = entries_read};
    memcpy(group->name, name.data, name.length);
    if (cw_name_list_insert(&memory, &stream->groups, index, &group->named) < 0) {
        cw_stream_memory_free(&memory, group, group_bytes(name.length));
        return ERR_NO_MEMORY;
    }
    *ret_group = group;
    return 0;
}

static size_t consumer_bytes(size_t name_length)
{
    return sizeof(struct cw_stream_consumer) + name_length;
}

static void pop_last(const struct cw_stream_memory *memory, struct cw_id_map *map, bool frees)
{
    void *value = cw_id_map_remove(memory, map, cw_id_map_item(cw_id_map_last(map))->id);
    if (frees)
        cw_stream_memory_free(memory, value, sizeof(struct cw_stream_pending));
}

/* About one block of the group's last consumer. */
static void free_consumer_part(const struct cw_stream_memory *memory, struct cw_stream_group *group)
{
    uint32_t last = group->consumers.count - 1;
    struct cw_stream_consumer *consumer = cw_stream_consumer_at(group, last);
    if (consumer->pending.count > 0) {
        pop_last(memory, &consumer->pending, false);
        return;
    }
    cw_name_list_remove(memory, &group->consumers, last);
    cw_stream_memory_free(memory, consumer, consumer_bytes(consumer->named.name.length));
}

static struct cw_stream_memory group_memory(struct cw_arena *arena, struct cw_stream_group *group)
{
    return (struct cw_stream_memory){arena, &group->held};
}

/* About one block of what a group holds; false when it holds nothing but itself. */
static bool free_group_part(struct cw_arena *arena, struct cw_stream_group *group)
{
    struct cw_stream_memory memory = group_memory(arena, group);
    if (group->consumers.count > 0)
        free_consumer_part(&memory, group);
    else if (group->pending.count > 0)
        pop_last(&memory, &group->pending, true);
    else
        return false;
    return true;
}

bool cw_stream_groups_free_part(const struct cw_stream_memory *memory, struct cw_name_list *groups)
{
    if (groups->count == 0)
        return false;
    struct cw_stream_group *group = (struct cw_stream_group *)(void *)groups->items[groups->count - 1];
    if (!free_group_part(memory->arena, group)) {
        cw_name_list_remove(memory, groups, groups->count - 1);
        cw_stream_memory_free(memory, group, group_bytes(group->named.name.length));
    }
    return true;
}

struct cw_stream_held cw_stream_groups_held(const struct cw_name_list *groups)
{
    struct cw_stream_held sum = {0};
    for (uint32_t i = 0; i < groups->count; i++) {
        const struct cw_stream_group *group = (const struct cw_stream_group *)(const void *)groups->items[i];
        sum.bytes += group->held.bytes;
        sum.blocks += group->held.blocks;
    }
    return sum;
}

struct cw_stream *cw_stream_group_destroy(struct cw_arena *arena, struct cw_stream *stream,
                                          struct cw_stream_group *group)
{
    struct cw_stream_memory memory = cw_stream_memory(arena, stream);
    uint32_t index;
    cw_name_list_find(&stream->groups, group->named.name, &index);
    cw_name_list_remove(&memory, &stream->groups, index);
    struct cw_stream *rest = cw_stream_create(arena);
    struct cw_stream_memory rest_memory = cw_stream_memory(arena, rest);
    CHECK(cw_name_list_insert(&rest_memory, &rest->groups, 0, &group->named) == 0); /* one item: a small block */
    cw_stream_memory_hand_over(&memory, &rest_memory, group_bytes(group->named.name.length));
    return rest;
}

/* ---- Counting what was read ---- */

/* Whether an entry deleted by its id is, or may be, at `from` or behind it. */
static bool has_deleted_from(const struct cw_stream *stream, struct cw_stream_id from)
{
    if (stream->length == 0 || cw_stream_id_is_zero(stream->max_deleted_id))
        return false;
    if (cw_stream_id_compare(stream->first_id, stream->max_deleted_id) > 0)
        return false;
    return cw_stream_id_compare(from, stream->max_deleted_id) <= 0;
}

int64_t cw_stream_entries_up_to(const struct cw_stream *stream, struct cw_stream_id id)
{
    int to_last = cw_stream_id_compare(id, stream->last_id);
    if (stream->entries_added == 0)
        return 0;
    if (to_last == 0 || (stream->length == 0 && to_last < 0))
        return (int64_t)stream->entries_added;
    if (to_last > 0)
        return CW_STREAM_READ_UNKNOWN;
    bool is_whole = cw_stream_id_is_zero(stream->max_deleted_id) ||
                    cw_stream_id_compare(stream->max_deleted_id, stream->first_id) < 0;
    int to_first = cw_stream_id_compare(id, stream->first_id);
    if (!is_whole || to_first > 0)
        return CW_STREAM_READ_UNKNOWN;
    return (int64_t)(stream->entries_added - stream->length + (to_first == 0));
}

void cw_stream_group_delivered(const struct cw_stream *stream, struct cw_stream_group *group, struct cw_stream_id id)
{
    if (cw_stream_id_compare(id, group->last_id) <= 0)
        return;
    if (group->entries_read != CW_STREAM_READ_UNKNOWN && !has_deleted_from(stream, id))
        group->entries_read = (int64_t)((uint64_t)group->entries_read + 1); /* a client may have set the greatest */
    else if (stream->entries_added > 0)
        group->entries_read = cw_stream_entries_up_to(stream, id);
    group->last_id = id;
}

bool cw_stream_group_lag(const struct cw_stream *stream, const struct cw_stream_group *group, int64_t *ret_lag)
{
    int64_t read = group->entries_read;
    if (stream->entries_added == 0)
        read = 0;
    else if (read == CW_STREAM_READ_UNKNOWN || has_deleted_from(stream, group->last_id))
        read = cw_stream_entries_up_to(stream, group->last_id);
    if (read == CW_STREAM_READ_UNKNOWN)
        return false;
    *ret_lag = (int64_t)(stream->entries_added - (uint64_t)read);
    return true;
}

/* ---- Consumers ---- */

struct cw_stream_consumer *cw_stream_consumer_find(const struct cw_stream_group *group, struct slice name)
{
    uint32_t index;
    return (struct cw_stream_consumer *)(void *)cw_name_list_find(&group->consumers, name, &index);
}

int cw_stream_consumer_create(struct cw_arena *arena, struct cw_stream_group *group, struct slice name, int64_t now_ms,
                              struct cw_stream_consumer **ret_consumer)
{
    uint32_t index;
    if (cw_name_list_find(&group->consumers, name, &index))
        return ERR_EXISTS;
    struct cw_stream_memory memory = group_memory(arena, group);
    struct cw_stream_consumer *consumer = cw_stream_memory_try_alloc(&memory, consumer_bytes(name.length));
    if (!consumer)
        return ERR_NO_MEMORY;
    *consumer = (struct cw_stream_consumer){
        .named = {slice_of(consumer->name, name.length)}, .seen_ms = now_ms, .active_ms = CW_STREAM_NEVER_ACTIVE};
    memcpy(consumer->name, name.data, name.length);
    if (cw_name_list_insert(&memory, &group->consumers, index, &consumer->named) < 0) {
        cw_stream_memory_free(&memory, consumer, consumer_bytes(name.length));
        return ERR_NO_MEMORY;
    }
    *ret_consumer = consumer;
    return 0;
}

static void unlist(const struct cw_stream_memory *memory, struct cw_stream_group *group,
                   const struct cw_stream_consumer *consumer)
{
    uint32_t index;
    cw_name_list_find(&group->consumers, consumer->named.name, &index);
    cw_name_list_remove(memory, &group->consumers, index);
}

/* All that is pending is this consumer's: both leave, with the group's memory but for that of other consumers. */
static struct cw_stream *part_with_all(struct cw_arena *arena, struct cw_stream_group *group,
                                       struct cw_stream_consumer *consumer)
{
    struct cw_stream_memory memory = group_memory(arena, group);
    unlist(&memory, group, consumer);
    struct cw_stream_held left = cw_name_list_held(&group->consumers);
    for (uint32_t i = 0; i < group->consumers.count; i++) {
        left.bytes += cw_arena_rounded(consumer_bytes(cw_stream_consumer_at(group, i)->named.name.length));
        left.blocks++;
    }
    struct cw_stream *rest = cw_stream_create(arena);
    struct cw_stream_group *other;
    CHECK(cw_stream_group_create(arena, rest, slice_of("", 0), CW_STREAM_ID_MIN, 0, &other) == 0);
    other->pending = group->pending;
    other->held.bytes = group->held.bytes - left.bytes;
    other->held.blocks = group->held.blocks - left.blocks;
    group->pending = (struct cw_id_map){0};
    group->held = left;
    struct cw_stream_memory other_memory = group_memory(arena, other);
    CHECK(cw_name_list_insert(&other_memory, &other->consumers, 0, &consumer->named) == 0);
    return rest;
}

struct cw_stream *cw_stream_consumer_delete(struct cw_arena *arena, struct cw_stream_group *group,
                                            struct cw_stream_consumer *consumer)
{
    struct cw_stream_memory memory = group_memory(arena, group);
    if (consumer->pending.count == group->pending.count)
        return part_with_all(arena, group, consumer);
    while (consumer->pending.count > 0) {
        struct cw_stream_id id = cw_id_map_item(cw_id_map_last(&consumer->pending))->id;
        cw_stream_pending_drop(arena, group, id);
    }
    unlist(&memory, group, consumer);
    cw_stream_memory_free(&memory, consumer, consumer_bytes(consumer->named.name.length));
    return NULL;
}

/* ---- What is pending ---- */

struct cw_stream_pending *cw_stream_pending_add(struct cw_arena *arena, struct cw_stream_group *group,
                                                struct cw_stream_id id)
{
    struct cw_stream_memory memory = group_memory(arena, group);
    struct cw_stream_pending *pending = cw_stream_memory_alloc(&memory, sizeof(*pending));
    *pending = (struct cw_stream_pending){0};
    if (cw_id_map_insert(&memory, &group->pending, id, pending))
        return pending;
    cw_stream_memory_free(&memory, pending, sizeof(*pending));
    return NULL;
}

void cw_stream_pending_assign(struct cw_arena *arena, struct cw_stream_group *group, struct cw_stream_pending *pending,
                              struct cw_stream_id id, struct cw_stream_consumer *consumer)
{
    struct cw_stream_memory memory = group_memory(arena, group);
    if (pending->consumer == consumer)
        return;
    if (pending->consumer)
        cw_id_map_remove(&memory, &pending->consumer->pending, id);
    cw_id_map_insert(&memory, &consumer->pending, id, pending);
    pending->consumer = consumer;
}

bool cw_stream_pending_drop(struct cw_arena *arena, struct cw_stream_group *group, struct cw_stream_id id)
{
    struct cw_stream_memory memory = group_memory(arena, group);
    struct cw_stream_pending *pending = cw_id_map_remove(&memory, &group->pending, id);
    if (!pending)
        return false;
    if (pending->consumer)
        cw_id_map_remove(&memory, &pending->consumer->pending, id);
    cw_stream_memory_free(&memory, pending, sizeof(*pending));
    return true;
}

/* ---- Copying ---- */

static int copy_consumers(struct cw_arena *arena, const struct cw_stream_group *from, struct cw_stream_group *to)
{
    for (uint32_t i = 0; i < from->consumers.count; i++) {
        const struct cw_stream_consumer *consumer = cw_stream_consumer_at(from, i);
        struct cw_stream_consumer *copy;
        int result = cw_stream_consumer_create(arena, to, consumer->named.name, consumer->seen_ms, &copy);
        if (result < 0)
            return result;
        copy->active_ms = consumer->active_ms;
    }
    return 0;
}

/* In the order of ids, so that all maps of the copy are filled from the front. */
static void copy_pending(struct cw_arena *arena, const struct cw_stream_group *from, struct cw_stream_group *to)
{
    for (struct cw_id_place place = cw_id_map_first(&from->pending); place.leaf; place = cw_id_map_next(place)) {
        const struct cw_id_item *item = cw_id_map_item(place);
        const struct cw_stream_pending *pending = item->value;
        struct cw_stream_pending *copy = cw_stream_pending_add(arena, to, item->id);
        copy->delivery_ms = pending->delivery_ms;
        copy->deliveries = pending->deliveries;
        cw_stream_pending_assign(arena, to, copy, item->id, cw_stream_consumer_find(to, pending->consumer->named.name));
    }
}

int cw_stream_groups_copy(struct cw_arena *arena, const struct cw_stream *from, struct cw_stream *to)
{
    for (uint32_t i = 0; i < from->groups.count; i++) {
        const struct cw_stream_group *group = cw_stream_group_at(from, i);
        struct cw_stream_group *copy;
        int result = cw_stream_group_create(arena, to, group->named.name, group->last_id, group->entries_read, &copy);
        if (result < 0 || (result = copy_consumers(arena, group, copy)) < 0)
            return result;
        copy_pending(arena, group, copy);
    }
    return 0;
}

/* ---- Compaction ---- */

/* Two maps point to what is pending: the group's, which is gone through, and the consumer's. */
static void *move_pending(void *context, struct cw_stream_id id, void *value, unsigned *budget)
{
    struct cw_stream_pending *pending = cw_arena_move(context, value, sizeof(*pending), budget);
    if (pending != value)
        cw_id_map_item(cw_id_map_at_least(&pending->consumer->pending, id))->value = pending;
    return pending;
}

enum cw_stream_compacted cw_stream_groups_compact(struct cw_arena *arena, struct cw_stream *stream, uint64_t number,
                                                  unsigned *budget)
{
    for (uint32_t i = 0; i < stream->groups.count; i++) {
        struct cw_stream_group *group = cw_stream_group_at(stream, i);
        if (number > group->consumers.count) {
            number -= group->consumers.count + UINT64_C(1);
            continue;
        }
        struct cw_stream_memory memory = group_memory(arena, group);
        struct cw_id_map *map =
            number == 0 ? &group->pending : &cw_stream_consumer_at(group, (uint32_t)number - 1)->pending;
        bool more =
            cw_id_map_compact(&memory, map, &stream->compacted_to, budget, number == 0 ? move_pending : NULL, arena);
        return more ? CW_STREAM_COMPACTED_PART : CW_STREAM_COMPACTED_MAP;
    }
    return CW_STREAM_COMPACTED_ALL;
}
