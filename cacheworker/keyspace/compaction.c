/* Memory that is held in vain is given back; keyspace.h. */
#include "cacheworker/keyspace/keyspace_internal.h"

enum { SLACK_BYTES = 4 << 20 }; /* held in vain that nobody minds */

/* Goes on with an object; true while more is left. */
static bool compact_object(struct cw_keyspace *keyspace, const struct cw_entry *entry, unsigned *budget)
{
    void *object = cw_entry_object(entry);
    bool more = cw_keyspace_operations(keyspace, entry)
                    ->compact_step(keyspace->data->arena, &object, &keyspace->data->compaction.inner, budget);
    memcpy(cw_entry_block(entry), &object, sizeof(object));
    return more;
}

/* The objects of a segment, one after the other; false when the budget is used up before the last was done. */
static bool compact_objects(struct cw_keyspace *keyspace, struct cw_table *table, unsigned *budget)
{
    struct compaction *compaction = &keyspace->data->compaction;
    struct cw_place place = cw_table_place(table, compaction->position);
    uint64_t number = 0;
    for (unsigned i = 0; i < CW_SEGMENT_BUCKETS; i++) {
        const struct cw_bucket *bucket = &place.segment->buckets[i];
        unsigned count = cw_bucket_count(bucket);
        for (unsigned j = 0; j < count; j++, number++) {
            const struct cw_entry *entry = cw_bucket_at(bucket, j);
            if (number < compaction->object || !cw_entry_is_object(entry))
                continue;
            compaction->object = number;
            if (*budget == 0 || compact_object(keyspace, entry, budget))
                return false;
            compaction->inner = 0;
            compaction->object = number + 1;
        }
    }
    return true;
}

/* False: the database is done. */
static bool compact_segment(struct cw_keyspace *keyspace, unsigned *budget)
{
    struct compaction *compaction = &keyspace->data->compaction;
    struct cw_table *table = keyspace->data->tables[compaction->database];
    if (!table->directory)
        return false;
    uint64_t next = cw_table_compact(table, compaction->position, budget, NULL, NULL);
    if (!compact_objects(keyspace, table, budget))
        return true;
    compaction->object = compaction->inner = 0;
    compaction->position = next;
    return next != 0;
}

bool cw_keyspace_has_slack(const struct cw_keyspace *keyspace)
{
    size_t held = cw_arena_held_bytes(keyspace->data->arena);
    size_t used = cw_arena_used_bytes(keyspace->data->arena);
    return held - used > used / 4 + SLACK_BYTES;
}

bool cw_keyspace_compact_step(struct cw_keyspace *keyspace, unsigned budget)
{
    struct compaction *compaction = &keyspace->data->compaction;
    if (cw_keyspace_owes(keyspace))
        return false; /* what is being shown stays where it is */
    if (!compaction->is_active && !cw_arena_begin_compaction(keyspace->data->arena))
        return false;
    compaction->is_active = true;
    while (budget > 0) {
        if (compact_segment(keyspace, &budget))
            continue;
        compaction->position = 0;
        if (++compaction->database < keyspace->databases)
            continue;
        cw_arena_end_compaction(keyspace->data->arena);
        *compaction = (struct compaction){.is_active = false};
        return false;
    }
    return true;
}
