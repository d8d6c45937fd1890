#include "cacheworker/stream/stream.h"

#include "cacheworker/keyspace/budget.h"
#include "cacheworker/stream/stream_group.h"
#include "common/base/errors.h"

#include <limits.h>

/* ---- Life ---- */

struct cw_stream *cw_stream_create(struct cw_arena *arena)
{
    struct cw_stream *stream = cw_arena_alloc(arena, sizeof(*stream));
    *stream = (struct cw_stream){.held = {.bytes = cw_arena_rounded(sizeof(*stream)), .blocks = 1}};
    return stream;
}

static int copy_nodes(struct cw_arena *arena, const struct cw_stream *from, struct cw_stream *to)
{
    for (struct cw_id_place place = cw_id_map_first(&from->nodes); place.leaf; place = cw_id_map_next(place)) {
        const struct cw_id_item *item = cw_id_map_item(place);
        int result = cw_stream_load_node(arena, to, item->id, cw_stream_node_listpack(item->value));
        if (result < 0)
            return result;
    }
    return 0;
}

struct cw_stream *cw_stream_copy(struct cw_arena *arena, const struct cw_stream *stream)
{
    struct cw_stream *copy = cw_stream_create(arena);
    if (copy_nodes(arena, stream, copy) < 0 || cw_stream_groups_copy(arena, stream, copy) < 0) {
        cw_stream_free(arena, copy);
        return NULL;
    }
    copy->length = stream->length;
    copy->entries_added = stream->entries_added;
    copy->last_id = stream->last_id;
    copy->first_id = stream->first_id;
    copy->max_deleted_id = stream->max_deleted_id;
    return copy;
}

/* Takes a node out and frees it. */
static void drop_node(const struct cw_stream_memory *memory, struct cw_stream *stream, struct cw_stream_id node_id)
{
    cw_stream_node_free(memory, cw_id_map_remove(memory, &stream->nodes, node_id));
}

bool cw_stream_free_step(struct cw_arena *arena, struct cw_stream *stream, unsigned *budget)
{
    struct cw_stream_memory memory = cw_stream_memory(arena, stream);
    while (*budget > 0) {
        if (cw_stream_groups_free_part(&memory, &stream->groups)) {
            cw_spend(budget, 1);
        } else if (stream->nodes.count > 0) {
            const struct cw_id_item *last = cw_id_map_item(cw_id_map_last(&stream->nodes));
            cw_spend(budget, cw_free_cost(((const struct cw_stream_node *)last->value)->capacity));
            drop_node(&memory, stream, last->id);
        } else {
            cw_arena_free(arena, stream, sizeof(*stream));
            return false;
        }
    }
    return true;
}

void cw_stream_free(struct cw_arena *arena, struct cw_stream *stream)
{
    unsigned budget;
    if (!stream)
        return;
    do
        budget = UINT_MAX;
    while (cw_stream_free_step(arena, stream, &budget));
}

static void *move_node(void *context, struct cw_stream_id id, void *value, unsigned *budget)
{
    (void)id;
    return cw_arena_move(context, value, cw_stream_node_bytes(value), budget);
}

/* The maps of a stream have numbers: that of the nodes is the first, then come those of the groups. */
static enum cw_stream_compacted compact_map(struct cw_arena *arena, struct cw_stream *stream, uint64_t number,
                                            unsigned *budget)
{
    if (number > 0)
        return cw_stream_groups_compact(arena, stream, number - 1, budget);
    struct cw_stream_memory memory = cw_stream_memory(arena, stream);
    bool more = cw_id_map_compact(&memory, &stream->nodes, &stream->compacted_to, budget, move_node, arena);
    return more ? CW_STREAM_COMPACTED_PART : CW_STREAM_COMPACTED_MAP;
}

/* The position is the number of a map, plus one. */
bool cw_stream_compact_step(struct cw_arena *arena, struct cw_stream **stream, uint64_t *position, unsigned *budget)
{
    if (*position == 0) {
        *stream = cw_arena_move(arena, *stream, sizeof(**stream), budget);
        (*stream)->compacted_to = CW_STREAM_ID_MIN;
        *position = 1;
    }
    for (;;) {
        switch (compact_map(arena, *stream, *position - 1, budget)) {
        case CW_STREAM_COMPACTED_ALL: return false;
        case CW_STREAM_COMPACTED_PART: return true;
        case CW_STREAM_COMPACTED_MAP: (*stream)->compacted_to = CW_STREAM_ID_MIN; ++*position;
        }
    }
}

size_t cw_stream_used_bytes(const struct cw_stream *stream)
{
    return stream->held.bytes + cw_stream_groups_held(&stream->groups).bytes;
}

uint64_t cw_stream_blocks(const struct cw_stream *stream)
{
    return stream->held.blocks + cw_stream_groups_held(&stream->groups).blocks;
}

int cw_stream_load_node(struct cw_arena *arena, struct cw_stream *stream, struct cw_stream_id node_id,
                        struct slice listpack)
{
    struct cw_stream_memory memory = cw_stream_memory(arena, stream);
    struct cw_stream_node *node = cw_stream_node_load(&memory, listpack);
    if (!node)
        return ERR_NO_MEMORY;
    if (!cw_id_map_insert(&memory, &stream->nodes, node_id, node)) {
        cw_stream_node_free(&memory, node);
        return ERR_CORRUPT;
    }
    stream->length += cw_stream_node_master(listpack).live;
    return 0;
}

/* ---- Adding ---- */

int cw_stream_choose_id(const struct cw_stream *stream, enum cw_stream_id_form form, int64_t now_ms,
                        struct cw_stream_id *id)
{
    struct cw_stream_id chosen = *id;
    uint64_t now = now_ms > 0 ? (uint64_t)now_ms : 0;
    bool follows_last = false;
    switch (form) {
    case CW_STREAM_ID_GIVEN: break;
    case CW_STREAM_ID_AUTO_SEQ: follows_last = chosen.ms == stream->last_id.ms; break;
    case CW_STREAM_ID_AUTO:
        chosen = (struct cw_stream_id){.ms = now};
        follows_last = now <= stream->last_id.ms;
        break;
    }
    if (follows_last) {
        chosen = stream->last_id;
        if (!cw_stream_id_increment(&chosen) || (form == CW_STREAM_ID_AUTO_SEQ && chosen.ms != id->ms))
            return ERR_STALE;
    }
    if (cw_stream_id_compare(chosen, stream->last_id) <= 0)
        return ERR_STALE;
    *id = chosen;
    return 0;
}

/* Whether one more entry, of `bytes` of text, goes into the node. */
static bool node_has_room(const struct cw_stream_node *node, const struct cw_stream_limits *limits, uint64_t bytes)
{
    uint64_t bytes_max = limits->node_bytes_max;
    if (bytes_max == 0 || bytes_max > CW_LISTPACK_BYTES_MAX)
        bytes_max = CW_LISTPACK_BYTES_MAX;
    if (node->length + bytes >= bytes_max)
        return false;
    if (limits->node_entries_max == 0)
        return true;
    struct cw_stream_master master = cw_stream_node_master(cw_stream_node_listpack(node));
    return master.live + master.deleted < limits->node_entries_max;
}

/* Adds the entry to the last node. ERR_TOO_BIG: it needs a node of its own. */
static int append_to_last(const struct cw_stream_memory *memory, struct cw_stream *stream,
                          const struct cw_stream_limits *limits, uint64_t bytes, struct cw_stream_id id,
                          const struct cw_stream_fields *fields)
{
    if (stream->nodes.count == 0)
        return ERR_TOO_BIG;
    struct cw_id_item *item = cw_id_map_item(cw_id_map_last(&stream->nodes));
    struct cw_stream_node *node = item->value;
    if (!node_has_room(node, limits, bytes))
        return ERR_TOO_BIG;
    int result = cw_stream_node_append(memory, &node, item->id, id, fields);
    item->value = node;
    return result;
}

static int append_node(const struct cw_stream_memory *memory, struct cw_stream *stream, struct cw_stream_id id,
                       const struct cw_stream_fields *fields)
{
    struct cw_stream_node *node;
    int result = cw_stream_node_create(memory, fields, &node);
    if (result < 0)
        return result;
    CHECK(cw_stream_node_append(memory, &node, id, id, fields) == 0);
    struct cw_id_place last = cw_id_map_last(&stream->nodes);
    if (last.leaf) {
        struct cw_stream_node *full = cw_id_map_item(last)->value;
        cw_stream_node_shrink(memory, &full);
        cw_id_map_item(last)->value = full;
    }
    if (cw_id_map_insert(memory, &stream->nodes, id, node))
        return 0;
    /* XSETID may set the last id back behind deleted entries; a node that has only such ones may be in the way. */
    cw_stream_node_free(memory, node);
    return ERR_STALE;
}

int cw_stream_append(struct cw_arena *arena, struct cw_stream *stream, const struct cw_stream_limits *limits,
                     struct cw_stream_id id, const struct cw_stream_fields *fields)
{
    if (cw_stream_id_compare(id, stream->last_id) <= 0)
        return ERR_STALE;
    uint64_t bytes = 0;
    for (size_t i = 0; i < 2 * fields->count; i++)
        bytes += fields->texts[i].length;
    if (bytes > CW_LISTPACK_BYTES_MAX)
        return ERR_TOO_BIG;

    struct cw_stream_memory memory = cw_stream_memory(arena, stream);
    int result = append_to_last(&memory, stream, limits, bytes, id, fields);
    if (result == ERR_TOO_BIG)
        result = append_node(&memory, stream, id, fields);
    if (result < 0)
        return result;
    stream->length++;
    stream->entries_added++;
    stream->last_id = id;
    if (stream->length == 1)
        stream->first_id = id;
    return 0;
}

/* ---- Removing ---- */

void cw_stream_find_first_id(struct cw_stream *stream)
{
    struct cw_stream_cursor cursor;
    cw_stream_cursor_init(&cursor, stream, CW_STREAM_ID_MIN, CW_STREAM_ID_MAX, false);
    stream->first_id = cw_stream_cursor_next(&cursor) ? cursor.id : CW_STREAM_ID_MIN;
}

bool cw_stream_delete(struct cw_arena *arena, struct cw_stream *stream, struct cw_stream_id id)
{
    struct cw_stream_cursor cursor;
    cw_stream_cursor_init(&cursor, stream, id, id, false);
    if (!cw_stream_cursor_next(&cursor))
        return false;
    struct cw_stream_memory memory = cw_stream_memory(arena, stream);
    struct cw_id_item *item = cw_id_map_item(cursor.node);
    if (cursor.master.live == 1) {
        drop_node(&memory, stream, item->id);
    } else {
        struct cw_stream_node *node = item->value;
        cw_stream_node_delete(&memory, &node, cursor.entry.place);
        item->value = node;
    }
    stream->length--;
    if (cw_stream_id_compare(id, stream->max_deleted_id) > 0)
        stream->max_deleted_id = id;
    if (stream->length == 0 || cw_stream_id_compare(id, stream->first_id) == 0)
        cw_stream_find_first_id(stream);
    return true;
}

/* The id of the last entry in a node, deleted or not. */
static struct cw_stream_id node_last_id(struct slice listpack, struct cw_stream_id node_id,
                                        const struct cw_stream_master *master)
{
    return cw_stream_node_entry(listpack, node_id, master, cw_stream_node_before(listpack, CW_LISTPACK_END)).id;
}

/* Takes entries out of the first node, which does not go as a whole. */
static uint64_t trim_within(const struct cw_stream_memory *memory, struct cw_stream *stream, struct cw_id_item *item,
                            const struct cw_stream_trim *trim)
{
    bool by_id = trim->by == CW_STREAM_TRIM_ID;
    struct cw_stream_node *node = item->value;
    uint64_t removed = cw_stream_node_trim(memory, &node, item->id, by_id ? UINT64_MAX : stream->length - trim->length,
                                           by_id ? &trim->id : NULL);
    item->value = node;
    stream->length -= removed;
    return removed;
}

uint64_t cw_stream_trim(struct cw_arena *arena, struct cw_stream *stream, const struct cw_stream_trim *trim)
{
    struct cw_stream_memory memory = cw_stream_memory(arena, stream);
    bool by_id = trim->by == CW_STREAM_TRIM_ID;
    uint64_t removed = 0;
    while (trim->by != CW_STREAM_TRIM_NONE && stream->nodes.count > 0) {
        if (!by_id && stream->length <= trim->length)
            break;
        struct cw_id_item *item = cw_id_map_item(cw_id_map_first(&stream->nodes));
        struct slice listpack = cw_stream_node_listpack(item->value);
        struct cw_stream_master master = cw_stream_node_master(listpack);
        if (trim->limit > 0 && removed + master.live > trim->limit)
            break;
        bool whole = by_id ? cw_stream_id_compare(node_last_id(listpack, item->id, &master), trim->id) < 0
                           : stream->length - master.live >= trim->length;
        if (!whole) {
            removed += trim->approximate ? 0 : trim_within(&memory, stream, item, trim);
            break;
        }
        stream->length -= master.live;
        removed += master.live;
        drop_node(&memory, stream, item->id);
    }
    if (removed > 0 || stream->length == 0)
        cw_stream_find_first_id(stream);
    return removed;
}

/* ---- Looking ---- */

bool cw_stream_has(const struct cw_stream *stream, struct cw_stream_id id)
{
    struct cw_stream_cursor cursor;
    cw_stream_cursor_init(&cursor, stream, id, id, false);
    return cw_stream_cursor_next(&cursor);
}

struct cw_stream_id cw_stream_last_present_id(const struct cw_stream *stream)
{
    struct cw_stream_cursor cursor;
    cw_stream_cursor_init(&cursor, stream, CW_STREAM_ID_MIN, CW_STREAM_ID_MAX, true);
    return cw_stream_cursor_next(&cursor) ? cursor.id : CW_STREAM_ID_MIN;
}

struct cw_stream_id cw_stream_edge_id(const struct cw_stream *stream)
{
    struct cw_stream_cursor cursor;
    cw_stream_cursor_init(&cursor, stream, CW_STREAM_ID_MIN, CW_STREAM_ID_MAX, false);
    cursor.shows_deleted = true;
    return cw_stream_cursor_next(&cursor) ? cursor.id : CW_STREAM_ID_MAX;
}

/* A radix tree of keys of 16 bytes, as it is built from one key to the next: the depths at which the path to the last
 * key branches, and what is complete to the left of it. A node stands for each branch and each key, and one for the
 * bytes between two of these, if there are any. */
struct radix {
    int depths[CW_STREAM_ID_BYTES];
    unsigned branches;
    uint64_t nodes;
};

static int radix_depth(const struct radix *radix)
{
    return radix->branches > 0 ? radix->depths[radix->branches - 1] : -1;
}

static void radix_count(struct radix *radix, int depth, int parent)
{
    radix->nodes += depth - parent > 1 ? 2 : 1;
}

/* Completes the branches deeper than this. */
static void radix_close(struct radix *radix, int depth)
{
    while (radix_depth(radix) > depth) {
        int complete = radix->depths[--radix->branches];
        int parent = radix_depth(radix) > depth ? radix_depth(radix) : depth;
        radix_count(radix, complete, parent);
    }
}

/* How many bytes two different ids begin with in common. */
static int common_bytes(struct cw_stream_id a, struct cw_stream_id b)
{
    return a.ms != b.ms ? __builtin_clzll(a.ms ^ b.ms) / 8 : 8 + __builtin_clzll(a.seq ^ b.seq) / 8;
}

uint64_t cw_stream_radix_nodes(const struct cw_stream *stream)
{
    struct radix radix = {0};
    int before = -1; /* what the key has in common with the one before */
    struct cw_id_place place = cw_id_map_first(&stream->nodes);
    if (!place.leaf)
        return 1;
    while (place.leaf) {
        struct cw_id_place next = cw_id_map_next(place);
        int behind = next.leaf ? common_bytes(cw_id_map_item(place)->id, cw_id_map_item(next)->id) : -1;
        radix_count(&radix, CW_STREAM_ID_BYTES, before > behind ? before : behind);
        radix_close(&radix, behind);
        if (radix_depth(&radix) < behind)
            radix.depths[radix.branches++] = behind;
        before = behind;
        place = next;
    }
    return radix.nodes;
}

/* ---- Walking ---- */

void cw_stream_cursor_init(struct cw_stream_cursor *cursor, const struct cw_stream *stream, struct cw_stream_id first,
                           struct cw_stream_id last, bool reverse)
{
    *cursor = (struct cw_stream_cursor){.first = first, .last = last, .reverse = reverse};
    cursor->node = cw_id_map_at_most(&stream->nodes, reverse ? last : first);
    if (!cursor->node.leaf)
        cursor->node = cw_id_map_first(&stream->nodes);
}

/* Where the entry behind the one at hand begins, in this node. */
static size_t next_place(struct cw_stream_cursor *cursor)
{
    if (cursor->is_entered) {
        if (cursor->reverse)
            return cw_stream_node_before(cursor->listpack, cursor->entry.place);
        return cw_stream_node_after(cursor->listpack, cursor->data,
                                    cursor->entry.has_names ? 2 * cursor->fields : cursor->fields);
    }
    cursor->listpack = cw_stream_node_listpack(cw_id_map_item(cursor->node)->value);
    cursor->master = cw_stream_node_master(cursor->listpack);
    cursor->is_entered = true;
    return cursor->reverse ? cw_stream_node_before(cursor->listpack, CW_LISTPACK_END) : cursor->master.first_entry;
}

static bool step(struct cw_stream_cursor *cursor)
{
    while (cursor->node.leaf) {
        size_t place = next_place(cursor);
        if (place != CW_LISTPACK_END) {
            cursor->entry =
                cw_stream_node_entry(cursor->listpack, cw_id_map_item(cursor->node)->id, &cursor->master, place);
            cursor->id = cursor->entry.id;
            cursor->fields = cursor->entry.fields;
            cursor->name = cursor->master.first_name;
            cursor->data = cursor->entry.data;
            return true;
        }
        cursor->node = cursor->reverse ? cw_id_map_previous(cursor->node) : cw_id_map_next(cursor->node);
        cursor->is_entered = false;
    }
    return false;
}

bool cw_stream_cursor_next(struct cw_stream_cursor *cursor)
{
    while (step(cursor)) {
        if (cursor->entry.is_deleted && !cursor->shows_deleted)
            continue;
        int to_first = cw_stream_id_compare(cursor->id, cursor->first);
        int to_last = cw_stream_id_compare(cursor->id, cursor->last);
        if (cursor->reverse ? to_last > 0 : to_first < 0)
            continue;
        if (cursor->reverse ? to_first >= 0 : to_last <= 0)
            return true;
        cursor->node.leaf = NULL;
    }
    return false;
}

void cw_stream_cursor_field(struct cw_stream_cursor *cursor, struct cw_packed_value *ret_name,
                            struct cw_packed_value *ret_value)
{
    size_t *name = cursor->entry.has_names ? &cursor->data : &cursor->name;
    *ret_name = cw_listpack_value(cursor->listpack, *name);
    *name = cw_listpack_next(cursor->listpack, *name);
    *ret_value = cw_listpack_value(cursor->listpack, cursor->data);
    cursor->data = cw_listpack_next(cursor->listpack, cursor->data);
    cursor->fields--;
}
