/* Keys, and parts of keys, that are due; keyspace.h. */
#include "cacheworker/keyspace/keyspace_internal.h"

bool cw_keyspace_is_due(const struct cw_keyspace *keyspace, const struct cw_entry *entry, int64_t now_ms)
{
    if (LIKELY(!(entry->flags & (CW_ENTRY_EXPIRES | CW_ENTRY_PARTS))) || keyspace->expiry_mode == CW_EXPIRY_IGNORED)
        return false;
    return cw_keyspace_is_past(entry, now_ms) ||
           (cw_keyspace_has_due_parts(keyspace, entry, now_ms) &&
            cw_keyspace_operations(keyspace, entry)->is_due(cw_entry_object(entry), now_ms));
}

struct parts { /* of a key, that are due */
    struct cw_keyspace *keyspace;
    unsigned database;
    struct slice key;
    uint64_t count;
};

static void expire_names(void *context, const struct slice *names, size_t count)
{
    struct parts *parts = context;
    struct cw_keyspace *keyspace = parts->keyspace;
    if (keyspace->expired_parts)
        keyspace->expired_parts(keyspace->context, parts->database, parts->key, names, count);
    keyspace->stats.expired_parts += count;
    parts->count += count;
}

void cw_keyspace_tell_expired_part(struct cw_keyspace *keyspace, const struct cw_ref *ref, struct slice name)
{
    struct parts parts = {keyspace, ref->database, ref->key, 0};
    expire_names(&parts, &name, 1);
}

uint64_t cw_keyspace_expire_parts(struct cw_keyspace *keyspace, unsigned database, struct cw_table *table,
                                  uint64_t hash, struct cw_entry *entry, unsigned *budget, int64_t now_ms)
{
    struct parts parts = {keyspace, database, cw_entry_key(entry), 0};
    cw_keyspace_before_change(keyspace, table, hash, NULL);
    if (UNLIKELY(entry->flags & CW_ENTRY_OWED)) {
        cw_keyspace_want(keyspace, entry);
        return 0;
    }
    (void)cw_keyspace_operations(keyspace, entry)
        ->expire_step(cw_entry_object(entry), now_ms, budget, expire_names, &parts);
    return parts.count;
}

void cw_keyspace_expire_entry(struct cw_keyspace *keyspace, unsigned database, struct cw_table *table, uint64_t hash,
                              struct cw_bucket *bucket, unsigned slot)
{
    struct cw_entry *entry = bucket->slots[slot];
    if (keyspace->expired)
        keyspace->expired(keyspace->context, database, cw_entry_key(entry));
    keyspace->stats.expired++;
    cw_keyspace_before_change(keyspace, table, hash, NULL);
    cw_table_remove(table, hash, bucket, slot);
    cw_keyspace_discard(keyspace, entry);
}

/* ---- Active expiry ---- */

struct cycle { /* over a database */
    struct cw_keyspace *keyspace;
    unsigned database;
    int64_t now_ms;
    unsigned *budget;
    uint64_t deleted; /* keys, and parts of keys */
};

static bool is_behind(const struct cycle *cycle, const struct cw_bucket *bucket, unsigned slot)
{
    if (!(bucket->control >> slot & 1))
        return false;
    const struct cw_entry *entry = bucket->slots[slot];
    return cw_keyspace_is_past(entry, cycle->now_ms) ||
           cw_keyspace_has_due_parts(cycle->keyspace, entry, cycle->now_ms);
}

/* Deletes the entry, or what is due of it. False: the budget was used up before. */
static bool expire_slot(struct cycle *cycle, const struct cw_place *place, struct cw_bucket *bucket, unsigned slot)
{
    struct cw_keyspace *keyspace = cycle->keyspace;
    struct cw_table *table = cw_keyspace_table(keyspace, cycle->database);
    struct cw_entry *entry = bucket->slots[slot];
    if (cw_keyspace_is_past(entry, cycle->now_ms)) {
        cw_keyspace_expire_entry(keyspace, cycle->database, table, place->first, bucket, slot);
        cycle->deleted++;
        return true;
    }
    cycle->deleted +=
        cw_keyspace_expire_parts(keyspace, cycle->database, table, place->first, entry, cycle->budget, cycle->now_ms);
    if (cw_keyspace_operations(keyspace, entry)->count(cw_entry_object(entry)) == 0) {
        cw_table_remove(table, place->first, bucket, slot); /* Whoever was told of the last part knows. */
        cw_keyspace_discard(keyspace, entry);
        return true;
    }
    return !cw_keyspace_has_due_parts(keyspace, entry, cycle->now_ms);
}

/* Deletes what is due in one bucket and its chain. False: the budget was used up before. */
static bool expire_bucket(struct cycle *cycle, const struct cw_place *place)
{
    struct cw_bucket *bucket = &place->segment->buckets[place->index];
    while (bucket) {
        unsigned slot = 0;
        while (slot < CW_BUCKET_SLOTS && !is_behind(cycle, bucket, slot))
            slot++;
        if (slot == CW_BUCKET_SLOTS) {
            bucket = cw_bucket_next(bucket);
            continue;
        }
        /* A hole is filled from the end of the chain, which may vanish, so the chain is begun anew. */
        if (!expire_slot(cycle, place, bucket, slot))
            return false;
        bucket = &place->segment->buckets[place->index];
    }
    return true;
}

/* Deletes what is due in the segment that `position` lies in. False: the budget was used up in the middle of an object,
 * which is due as before. */
static bool expire_segment(struct cycle *cycle, struct cw_segment *segment, uint64_t position)
{
    const struct cw_table *table = cw_keyspace_table(cycle->keyspace, cycle->database);
    unsigned bits = 64 - CW_SEGMENT_BUCKET_BITS - segment->depth;
    uint64_t hash = segment->depth == 0 ? 0 : position >> (64 - segment->depth) << (64 - segment->depth);
    for (unsigned i = 0; i < CW_SEGMENT_BUCKETS; i++) {
        if (segment->due[i] >= cycle->now_ms)
            continue;
        struct cw_place place = cw_table_place(table, hash + ((uint64_t)i << bits));
        cw_spend(cycle->budget, CW_READ_COST);
        if (!expire_bucket(cycle, &place))
            return false;
        cw_table_renew_due(table, segment, i);
    }
    return true;
}

uint64_t cw_keyspace_expire_step(struct cw_keyspace *keyspace, unsigned database, unsigned *budget, int64_t now_ms)
{
    CHECK(keyspace->expiry_mode == CW_EXPIRY_DELETES);
    struct cycle cycle = {keyspace, database, now_ms, budget, 0};
    struct cw_table *table = cw_keyspace_table(keyspace, database);
    if (!table->directory || !cw_table_begin_round(table, now_ms))
        return 0;
    while (*budget > 0) {
        uint64_t position = table->round_position;
        unsigned depth;
        struct cw_segment *segment = cw_table_segment(table, position, &depth);
        bool has_due = segment->earliest_due < now_ms;
        cw_spend(budget, CW_LOOK_COST);
        if (has_due && !expire_segment(&cycle, segment, position))
            break;
        bool ended = cw_table_end_look(table, segment);
        if (has_due)
            cw_table_merge(table, position);
        if (ended)
            break;
    }
    return cycle.deleted;
}
