#include "cacheworker/keyspace/dictionary.h"

#include "cacheworker/keyspace/entry_memory.h"
#include "cacheworker/keyspace/table.h"
#include "common/base/mem.h"

enum { CURSOR_SHIFT = 64 - 53 }; /* as the keyspace's cursors */

struct cw_dictionary {
    struct cw_table *table; /* owned; its garbage list is unused */
    size_t bytes;           /* of entries and their values */
};

struct cw_dictionary *cw_dictionary_create(struct cw_arena *arena, const struct cw_hash_key *hash_key)
{
    struct cw_dictionary *dictionary = mem_zero(sizeof(*dictionary));
    dictionary->table = cw_table_create(arena, hash_key, NULL);
    return dictionary;
}

static unsigned free_entry(void *context, struct cw_entry *entry)
{
    unsigned cost = cw_free_cost(cw_entry_used_bytes(entry));
    cw_entry_free((struct cw_arena *)context, entry);
    return cost;
}

bool cw_dictionary_free_step(struct cw_dictionary *dictionary, unsigned *budget)
{
    struct cw_table *table = dictionary->table;
    if (cw_table_free_step(table, budget, free_entry, table->arena))
        return true;
    cw_table_destroy(table);
    mem_free(dictionary);
    return false;
}

size_t cw_dictionary_used_bytes(const struct cw_dictionary *dictionary)
{
    return sizeof(*dictionary) + cw_table_used_bytes(dictionary->table) + dictionary->bytes;
}

uint64_t cw_dictionary_count(const struct cw_dictionary *dictionary)
{
    return dictionary->table->count;
}

uint64_t cw_dictionary_count_expires(const struct cw_dictionary *dictionary)
{
    return dictionary->table->expires;
}

/* ---- One entry ---- */

struct place {
    struct cw_bucket *bucket;
    unsigned slot;
    uint64_t hash;
};

static struct cw_entry *find(const struct cw_dictionary *dictionary, struct slice name, struct place *place)
{
    place->hash = cw_hash(dictionary->table->hash_key, name);
    return cw_table_find(dictionary->table, name, place->hash, &place->bucket, &place->slot);
}

struct cw_entry *cw_dictionary_find(const struct cw_dictionary *dictionary, struct slice name)
{
    struct place place;
    return find(dictionary, name, &place);
}

static void note_due(struct cw_dictionary *dictionary, const struct place *place, int64_t expire_ms)
{
    if (expire_ms != CW_NO_EXPIRY)
        cw_table_note_due(dictionary->table, place->hash, expire_ms);
}

static struct cw_entry *add(struct cw_dictionary *dictionary, struct slice name, struct slice value, int64_t expire_ms,
                            struct place *place)
{
    struct cw_table *table = dictionary->table;
    struct cw_entry *entry = cw_entry_create_value(table->arena, name, expire_ms, value);
    cw_table_insert(table, entry, place->hash, &place->bucket, &place->slot);
    dictionary->bytes += cw_entry_used_bytes(entry);
    return entry;
}

struct cw_entry *cw_dictionary_put(struct cw_dictionary *dictionary, struct slice name, struct slice value,
                                   int64_t expire_ms, bool *ret_is_new)
{
    struct cw_table *table = dictionary->table;
    struct place place;
    struct cw_entry *old = find(dictionary, name, &place);
    *ret_is_new = old == NULL;
    if (!old)
        return add(dictionary, name, value, expire_ms, &place);

    dictionary->bytes -= cw_entry_used_bytes(old);
    struct cw_entry *entry = old;
    bool keeps_layout = !(old->flags & CW_ENTRY_EXPIRES) == (expire_ms == CW_NO_EXPIRY);
    if (!keeps_layout || !cw_entry_overwrite(old, value)) {
        entry = cw_entry_create_value(table->arena, name, expire_ms, value);
        table->expires += (uint64_t)(expire_ms != CW_NO_EXPIRY) - (uint64_t)(bool)(old->flags & CW_ENTRY_EXPIRES);
        place.bucket->slots[place.slot] = entry;
        cw_entry_free(table->arena, old);
    } else if (expire_ms != CW_NO_EXPIRY) {
        memcpy(cw_entry_after_header(entry), &expire_ms, sizeof(expire_ms));
    }
    note_due(dictionary, &place, expire_ms);
    dictionary->bytes += cw_entry_used_bytes(entry);
    return entry;
}

bool cw_dictionary_expire(struct cw_dictionary *dictionary, struct slice name, int64_t expire_ms)
{
    struct cw_table *table = dictionary->table;
    struct place place;
    struct cw_entry *old = find(dictionary, name, &place);
    if (!old)
        return false;
    bool did_expire = cw_entry_has(old, CW_ENTRY_EXPIRES);
    bool expires = expire_ms != CW_NO_EXPIRY;
    if (expires && did_expire) {
        memcpy(cw_entry_after_header(old), &expire_ms, sizeof(expire_ms));
    } else if (expires || did_expire) {
        dictionary->bytes -= cw_entry_used_bytes(old);
        struct cw_entry *entry = cw_entry_relay(table->arena, old, cw_entry_key(old), expire_ms);
        table->expires += (uint64_t)expires - (uint64_t)did_expire;
        place.bucket->slots[place.slot] = entry;
        cw_entry_free_shell(table->arena, old);
        dictionary->bytes += cw_entry_used_bytes(entry);
    }
    note_due(dictionary, &place, expire_ms);
    return true;
}

bool cw_dictionary_remove(struct cw_dictionary *dictionary, struct slice name)
{
    struct place place;
    struct cw_entry *entry = find(dictionary, name, &place);
    if (!entry)
        return false;
    dictionary->bytes -= cw_entry_used_bytes(entry);
    cw_table_remove(dictionary->table, place.hash, place.bucket, place.slot);
    cw_entry_free(dictionary->table->arena, entry);
    cw_table_merge(dictionary->table, place.hash);
    return true;
}

/* ---- Many ---- */

struct cw_entry *cw_dictionary_next(const struct cw_dictionary *dictionary, struct cw_dictionary_walk *walk)
{
    while (!walk->has_ended) {
        struct cw_place place = cw_table_place(dictionary->table, walk->position);
        if (!place.segment)
            break;
        if (place.index == 0 && walk->index == 0)
            cw_segment_prefetch_entries(place.segment);
        const struct cw_bucket *bucket = &place.segment->buckets[place.index];
        if (walk->index < cw_bucket_count(bucket))
            return cw_bucket_at(bucket, walk->index++);
        walk->position = place.next;
        walk->index = 0;
        walk->has_ended = place.next == 0;
    }
    return NULL;
}

uint64_t cw_dictionary_scan(const struct cw_dictionary *dictionary, uint64_t cursor, cw_dictionary_visitor visitor,
                            void *context)
{
    if (cursor > UINT64_MAX >> CURSOR_SHIFT)
        return 0;
    struct cw_place place = cw_table_place(dictionary->table, cursor << CURSOR_SHIFT);
    if (!place.segment)
        return 0;
    const struct cw_bucket *bucket = &place.segment->buckets[place.index];
    unsigned count = cw_bucket_count(bucket);
    for (unsigned i = 0; i < count; i++)
        visitor(context, cw_bucket_at(bucket, i));
    return place.next >> CURSOR_SHIFT;
}

void cw_dictionary_for_each(const struct cw_dictionary *dictionary, cw_dictionary_visitor visitor, void *context)
{
    struct cw_dictionary_walk walk = {0};
    for (const struct cw_entry *entry; (entry = cw_dictionary_next(dictionary, &walk)) != NULL;)
        visitor(context, entry);
}

struct cw_entry *cw_dictionary_random(const struct cw_dictionary *dictionary, struct rand *rand)
{
    return cw_table_random(dictionary->table, rand);
}

struct copying {
    struct cw_dictionary *copy;
};

static void copy_entry(void *context, const struct cw_entry *entry)
{
    struct copying *copying = context;
    bool is_new;
    cw_dictionary_put(copying->copy, cw_entry_key(entry), cw_entry_value(entry), cw_entry_expire_ms(entry), &is_new);
}

struct cw_dictionary *cw_dictionary_copy(const struct cw_dictionary *dictionary)
{
    const struct cw_table *table = dictionary->table;
    struct copying copying = {cw_dictionary_create(table->arena, table->hash_key)};
    cw_dictionary_for_each(dictionary, copy_entry, &copying);
    return copying.copy;
}

bool cw_dictionary_compact_step(struct cw_dictionary *dictionary, uint64_t *position, unsigned *budget,
                                void (*moved)(void *context, const struct cw_entry *old, struct cw_entry *entry),
                                void *context)
{
    struct cw_table *table = dictionary->table;
    if (!table->directory)
        return false;
    while (*budget > 0) {
        *position = cw_table_compact(table, *position, moved, context);
        *budget -= *budget < CW_SEGMENT_SPLIT ? *budget : CW_SEGMENT_SPLIT;
        if (*position == 0)
            return false;
    }
    return true;
}

/* ---- Expiry ---- */

int64_t cw_dictionary_earliest_due_ms(const struct cw_dictionary *dictionary)
{
    return dictionary->table->expires > 0 ? dictionary->table->earliest_due : INT64_MAX;
}

/* The entries of a bucket that are due, from the `count`th place on; returns how many there are then. */
static size_t due_in_bucket(const struct cw_bucket *bucket, int64_t now_ms, struct cw_entry **entries, size_t count,
                            size_t most)
{
    unsigned held = cw_bucket_count(bucket);
    for (unsigned i = 0; i < held && count < most; i++) {
        struct cw_entry *entry = cw_bucket_at(bucket, i);
        if (entry->flags & CW_ENTRY_EXPIRES && cw_entry_expire_ms(entry) < now_ms)
            entries[count++] = entry;
    }
    return count;
}

static size_t due_in_segment(const struct cw_table *table, struct cw_segment *segment, int64_t now_ms, unsigned *budget,
                             struct cw_entry **entries, size_t most)
{
    size_t count = 0;
    if (segment->earliest_due >= now_ms)
        return 0;
    for (unsigned i = 0; i < CW_SEGMENT_BUCKETS && count < most; i++) {
        if (segment->due[i] >= now_ms)
            continue;
        size_t before = count;
        cw_spend(budget, CW_READ_COST);
        count = due_in_bucket(&segment->buckets[i], now_ms, entries, count, most);
        if (count == before)
            cw_table_renew_due(table, segment, i);
    }
    return count;
}

size_t cw_dictionary_due(struct cw_dictionary *dictionary, int64_t now_ms, unsigned *budget, struct cw_entry **entries,
                         size_t most)
{
    struct cw_table *table = dictionary->table;
    if (table->expires == 0 || !table->directory || !cw_table_begin_round(table, now_ms))
        return 0;
    while (*budget > 0) {
        unsigned depth;
        struct cw_segment *segment = cw_table_segment(table, table->round_position, &depth);
        cw_spend(budget, CW_LOOK_COST);
        size_t count = due_in_segment(table, segment, now_ms, budget, entries, most);
        if (count > 0)
            return count;
        if (cw_table_end_look(table, segment))
            break;
    }
    return 0;
}
