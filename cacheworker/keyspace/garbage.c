/* What was deleted and is freed later; keyspace.h. */
#include "cacheworker/keyspace/entry_memory.h"
#include "cacheworker/keyspace/keyspace_internal.h"

enum {
    FREE_AT_ONCE_MAX = 64,   /* parts of an object */
    FLUSH_NOW_MAX = 1 << 16, /* entries; more are freed in steps, lest a flush takes long */
};

/* Objects are freed in steps: one that is small at once, any other when free_step comes to it. */
struct unwanted { /* an object that no entry owns any more */
    struct list node;
    const struct cw_object_operations *operations; /* borrowed */
    void *object;
};

void cw_keyspace_discard_object(struct cw_keyspace *keyspace, enum cw_type type, void *object)
{
    struct data *data = keyspace->data;
    const struct cw_object_operations *operations = keyspace->data->objects[type];
    unsigned budget = FREE_AT_ONCE_MAX;
    if (operations->count(object) <= FREE_AT_ONCE_MAX && !operations->free_step(data->arena, object, &budget))
        return;
    struct unwanted *unwanted = cw_arena_alloc(data->arena, sizeof(*unwanted));
    *unwanted = (struct unwanted){.operations = operations, .object = object};
    list_add_last(&data->unwanted, &unwanted->node);
    data->unwanted_count++;
}

void cw_keyspace_discard(struct cw_keyspace *keyspace, struct cw_entry *entry)
{
    if (cw_entry_is_object(entry))
        cw_keyspace_discard_object(keyspace, cw_entry_type(entry), cw_entry_object(entry));
    cw_entry_free(keyspace->data->arena, entry);
}

/* ---- Whole databases ---- */

uint64_t cw_keyspace_flush(struct cw_keyspace *keyspace, unsigned database, bool now)
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
    if (now)
        (void)cw_keyspace_free_step(keyspace, FLUSH_NOW_MAX);
    return count;
}

static void free_entry(void *context, struct cw_entry *entry)
{
    cw_keyspace_discard((struct cw_keyspace *)context, entry);
}

/* Frees the entries of the first segment that has any; returns how many. */
static unsigned free_segment(struct cw_keyspace *keyspace, struct cw_table *table)
{
    unsigned depth;
    struct cw_segment *segment = cw_table_segment(table, table->free_position, &depth);
    cw_segment_prefetch_entries(segment);
    for (unsigned i = 0; i < CW_SEGMENT_BUCKETS; i++)
        cw_bucket_for_each(&segment->buckets[i], free_entry, keyspace);
    table->free_position = cw_table_segment_end(segment, table->free_position);
    table->count -= segment->count;
    return segment->count;
}

/* Takes from the budget what it freed; false when no object waits. */
static bool free_objects(struct cw_keyspace *keyspace, unsigned *budget)
{
    struct data *data = keyspace->data;
    while (*budget > 0 && !list_is_empty(&data->unwanted)) {
        struct unwanted *unwanted = LIST_ENTRY(data->unwanted.next, struct unwanted, node);
        if (unwanted->operations->free_step(data->arena, unwanted->object, budget))
            break;
        *budget -= *budget > 0;
        list_remove(&unwanted->node);
        cw_arena_free(data->arena, unwanted, sizeof(*unwanted));
        data->unwanted_count--;
        keyspace->stats.objects_freed_later++;
    }
    return !list_is_empty(&data->unwanted);
}

bool cw_keyspace_free_step(struct cw_keyspace *keyspace, unsigned budget)
{
    struct data *data = keyspace->data;
    bool has_objects = free_objects(keyspace, &budget);
    while (budget > 0 && !list_is_empty(&data->garbage)) {
        struct cw_table *table = LIST_ENTRY(data->garbage.next, struct cw_table, garbage);
        unsigned cost = 1;
        if (table->count > 0)
            cost += free_segment(keyspace, table);
        else
            cw_table_destroy(table);
        budget -= cost < budget ? cost : budget;
        has_objects = free_objects(keyspace, &budget);
    }
    return has_objects || !list_is_empty(&data->garbage);
}

uint64_t cw_keyspace_objects_to_free(const struct cw_keyspace *keyspace)
{
    return keyspace->data->unwanted_count;
}
