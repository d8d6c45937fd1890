/* What was deleted and is freed later; keyspace.h. */
#include "cacheworker/keyspace/entry_memory.h"
#include "cacheworker/keyspace/keyspace_internal.h"

#include <limits.h>

enum {
    PARTS_AT_ONCE_MAX = 64,      /* of an object */
    BLOCK_AT_ONCE_MAX = 1 << 20, /* bytes */
};

/* What is big is freed in steps, when free_step comes to it. */
struct unwanted { /* an object that no entry owns any more */
    struct list node;
    const struct cw_object_operations *operations; /* borrowed */
    void *object;
};

static void defer(struct data *data, const struct cw_object_operations *operations, void *object)
{
    struct unwanted *unwanted = cw_arena_alloc(data->arena, sizeof(*unwanted));
    *unwanted = (struct unwanted){.operations = operations, .object = object};
    list_add_last(&data->unwanted, &unwanted->node);
    data->unwanted_count++;
}

unsigned cw_keyspace_discard_object(struct cw_keyspace *keyspace, enum cw_type type, void *object)
{
    struct data *data = keyspace->data;
    const struct cw_object_operations *operations = data->objects[type];
    uint64_t parts = operations->count(object);
    unsigned budget = UINT_MAX;
    if (parts <= PARTS_AT_ONCE_MAX && !operations->free_step(data->arena, object, &budget))
        return UINT_MAX - budget;
    defer(data, operations, object);
    return 1;
}

/* A block loses its pages from the end on; its length says how many bytes are left. */
static bool free_block(struct cw_arena *arena, void *object, unsigned *budget)
{
    struct cw_block *block = object;
    while (*budget > 0) {
        size_t length = cw_arena_drop_end(block->bytes, block->length);
        cw_spend(budget, cw_free_cost(block->length - length));
        block->length = length;
        if (length > 0)
            continue;
        cw_block_free(arena, block);
        return false;
    }
    return true;
}

static const struct cw_object_operations block_operations = {.free_step = free_block};

unsigned cw_keyspace_discard_block(struct cw_keyspace *keyspace, struct cw_block *block)
{
    struct data *data = keyspace->data;
    if (block->capacity > BLOCK_AT_ONCE_MAX) {
        block->length = block->capacity;
        defer(data, &block_operations, block);
        return 1;
    }
    unsigned cost = cw_free_cost(block->capacity);
    cw_block_free(data->arena, block);
    return cost;
}

unsigned cw_keyspace_discard(struct cw_keyspace *keyspace, struct cw_entry *entry)
{
    unsigned cost = 1;
    if (UNLIKELY(entry->flags & CW_ENTRY_OWED)) {
        cw_keyspace_keep_owed(keyspace, entry);
        return cost;
    }
    if (cw_entry_is_object(entry))
        cost += cw_keyspace_discard_object(keyspace, cw_entry_type(entry), cw_entry_object(entry));
    else if (entry->flags & CW_ENTRY_BLOCK)
        cost += cw_keyspace_discard_block(keyspace, *cw_entry_block(entry));
    cw_entry_free_shell(keyspace->data->arena, entry);
    return cost;
}

/* ---- Whole databases ---- */

uint64_t cw_keyspace_flush(struct cw_keyspace *keyspace, unsigned database)
{
    struct data *data = keyspace->data;
    struct cw_table *table = cw_keyspace_table(keyspace, database);
    uint64_t count = table->count;
    if (UNLIKELY(keyspace->observer != NULL))
        keyspace->observer->flushed(keyspace->observer->context, database);
    if (count > 0) {
        data->tables[database] = cw_table_create(data->arena, &data->hash_key, data->objects);
        table->retired = true;
        if (table->snapshot == 0)
            list_add_last(&data->garbage, &table->garbage);
    }
    return count;
}

static unsigned free_entry(void *context, struct cw_entry *entry)
{
    struct cw_keyspace *keyspace = context;
    keyspace->stats.freed_later++;
    return cw_keyspace_discard(keyspace, entry);
}

/* Takes from the budget what it freed; false when no object waits. */
static bool free_objects(struct cw_keyspace *keyspace, unsigned *budget)
{
    struct data *data = keyspace->data;
    while (*budget > 0 && !list_is_empty(&data->unwanted)) {
        struct unwanted *unwanted = LIST_ENTRY(data->unwanted.next, struct unwanted, node);
        if (unwanted->operations->free_step(data->arena, unwanted->object, budget))
            break;
        cw_spend(budget, 1);
        list_remove(&unwanted->node);
        cw_arena_free(data->arena, unwanted, sizeof(*unwanted));
        data->unwanted_count--;
        keyspace->stats.freed_later++;
    }
    return !list_is_empty(&data->unwanted);
}

bool cw_keyspace_free_step(struct cw_keyspace *keyspace, unsigned budget)
{
    struct data *data = keyspace->data;
    bool has_objects = free_objects(keyspace, &budget);
    while (budget > 0 && !list_is_empty(&data->garbage)) {
        struct cw_table *table = LIST_ENTRY(data->garbage.next, struct cw_table, garbage);
        if (!cw_table_free_step(table, &budget, free_entry, keyspace))
            cw_table_destroy(table);
        has_objects = free_objects(keyspace, &budget);
    }
    bool has_pages = cw_arena_trim_step(data->arena, &budget);
    return has_objects || has_pages || !list_is_empty(&data->garbage);
}

uint64_t cw_keyspace_to_free(const struct cw_keyspace *keyspace)
{
    const struct data *data = keyspace->data;
    uint64_t count = data->unwanted_count;
    LIST_FOR_EACH(node, &data->garbage)
    count += LIST_ENTRY(node, struct cw_table, garbage)->count;
    return count;
}
