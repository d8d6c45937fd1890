#include "cacheworker/keyspace/dictionary.h"

#include "cacheworker/keyspace/entry_memory.h"
#include "cacheworker/keyspace/table.h"

enum { CURSOR_SHIFT = 64 - 53 }; /* as the keyspace's cursors */

struct cw_dictionary {
    struct cw_table *table; /* owned; its garbage list is unused */
    size_t bytes;           /* of entries and their values */
};

struct cw_dictionary *cw_dictionary_create(struct cw_arena *arena, const struct cw_hash_key *hash_key)
{
    struct cw_dictionary *dictionary = cw_arena_alloc(arena, sizeof(*dictionary));
    *dictionary = (struct cw_dictionary){.table = cw_table_create(arena, hash_key, NULL)};
    dictionary->table->ignores_expiries = true;
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
    struct cw_arena *arena = table->arena;
    cw_table_destroy(table);
    cw_arena_free(arena, dictionary, sizeof(*dictionary));
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
        place.bucket->slots[place.slot] = entry;
        cw_entry_free(table->arena, old);
    } else if (expire_ms != CW_NO_EXPIRY) {
        memcpy(cw_entry_after_header(entry), &expire_ms, sizeof(expire_ms));
    }
    dictionary->bytes += cw_entry_used_bytes(entry);
    return entry;
}

struct cw_entry *cw_dictionary_expire(struct cw_dictionary *dictionary, struct slice name, int64_t expire_ms)
{
    struct cw_table *table = dictionary->table;
    struct place place;
    struct cw_entry *old = find(dictionary, name, &place);
    bool expires = expire_ms != CW_NO_EXPIRY;
    if (!old || (!expires && !cw_entry_has(old, CW_ENTRY_EXPIRES)))
        return old;
    if (expires && cw_entry_has(old, CW_ENTRY_EXPIRES)) {
        memcpy(cw_entry_after_header(old), &expire_ms, sizeof(expire_ms));
        return old;
    }
    dictionary->bytes -= cw_entry_used_bytes(old);
    struct cw_entry *entry = cw_entry_relay(table->arena, old, cw_entry_key(old), expire_ms);
    place.bucket->slots[place.slot] = entry;
    cw_entry_free_shell(table->arena, old);
    dictionary->bytes += cw_entry_used_bytes(entry);
    return entry;
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

bool cw_dictionary_compact_step(struct cw_dictionary **dictionary, uint64_t *position, unsigned *budget,
                                cw_entry_moved moved, void *context)
{
    struct cw_arena *arena = (*dictionary)->table->arena;
    if (*position == 0) {
        *dictionary = cw_arena_move(arena, *dictionary, sizeof(**dictionary), budget);
        (*dictionary)->table = cw_table_move((*dictionary)->table, budget);
    }
    struct cw_table *table = (*dictionary)->table;
    while (table->directory && *budget > 0) {
        *position = cw_table_compact(table, *position, budget, moved, context);
        if (*position == 0)
            return false;
    }
    return table->directory != NULL;
}
