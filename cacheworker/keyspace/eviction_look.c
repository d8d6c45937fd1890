/* What may be evicted; keyspace.h. */
#include "cacheworker/keyspace/keyspace_internal.h"

struct looked {
    bool expiring;
    const struct cw_entry **entries;
    unsigned capacity;
    unsigned count;
};

static void look_at_entry(void *context, struct cw_entry *entry)
{
    struct looked *looked = context;
    bool is_wanted = !looked->expiring || entry->flags & CW_ENTRY_EXPIRES;
    if (is_wanted && looked->count < looked->capacity)
        looked->entries[looked->count++] = entry;
}

static void prefetch_entry(void *context, struct cw_entry *entry)
{
    (void)context;
    __builtin_prefetch(entry);
}

void cw_keyspace_prefetch_look(const struct cw_keyspace *keyspace, unsigned database, uint64_t position)
{
    const struct cw_table *table = cw_keyspace_table(keyspace, database);
    if (table->directory)
        cw_bucket_for_each(cw_table_bucket(table, position), prefetch_entry, NULL);
}

/* Whether there may be such entries in the place; moves the position behind what it answers for. */
static bool is_worth_a_look(const struct cw_place *place, bool expiring, uint64_t *position)
{
    bool none_expires = place->segment->earliest_due == CW_NEVER_DUE;
    *position = expiring && none_expires ? cw_table_segment_end(place->segment, place->first) : place->next;
    if (expiring)
        return !none_expires && place->segment->due[place->index] != CW_NEVER_DUE;
    return cw_bucket_count(&place->segment->buckets[place->index]) > 0;
}

unsigned cw_keyspace_look(struct cw_keyspace *keyspace, unsigned database, bool expiring, uint64_t *position,
                          const struct cw_entry **entries, unsigned capacity, unsigned *budget)
{
    const struct cw_table *table = cw_keyspace_table(keyspace, database);
    struct looked looked = {expiring, entries, capacity, 0};
    while (table->directory && looked.count == 0 && *budget > 0) {
        struct cw_place place = cw_table_place(table, *position);
        unsigned cost = 1;
        if (is_worth_a_look(&place, expiring, position)) {
            cw_bucket_for_each(&place.segment->buckets[place.index], look_at_entry, &looked);
            cost = CW_READ_COST;
            if (looked.count == 0)
                cw_table_renew_due(table, place.segment, place.index); /* Its keys with an expiry were deleted. */
        }
        *budget -= cost < *budget ? cost : *budget;
    }
    return looked.count;
}

/* The bucket and the slot of an entry; false when it is not there. */
static bool find_entry(const struct cw_table *table, uint64_t hash, const struct cw_entry *entry,
                       struct cw_bucket **ret_bucket, unsigned *ret_slot)
{
    struct cw_bucket *bucket = table->directory ? cw_table_bucket(table, hash) : NULL;
    for (; bucket; bucket = cw_bucket_next(bucket))
        for (unsigned slot = 0; slot < CW_BUCKET_SLOTS; slot++)
            if (bucket->control >> slot & 1 && bucket->slots[slot] == entry) {
                *ret_bucket = bucket;
                *ret_slot = slot;
                return true;
            }
    return false;
}

bool cw_keyspace_holds(const struct cw_keyspace *keyspace, unsigned database, uint64_t hash,
                       const struct cw_entry *entry)
{
    struct cw_bucket *bucket;
    unsigned slot;
    return find_entry(cw_keyspace_table(keyspace, database), hash, entry, &bucket, &slot);
}

void cw_keyspace_evict(struct cw_keyspace *keyspace, unsigned database, uint64_t hash, const struct cw_entry *entry)
{
    struct cw_ref ref = {.hash = hash, .table = cw_keyspace_table(keyspace, database)};
    CHECK(find_entry(ref.table, hash, entry, &ref.bucket, &ref.slot));
    ref.entry = ref.bucket->slots[ref.slot];
    cw_keyspace_before_change(keyspace, ref.table, hash, NULL);
    cw_keyspace_delete(keyspace, &ref);
}
