#include "cacheworker/keyspace/table.h"

#include <limits.h>

enum {
    CHAIN_SLOT = CW_BUCKET_SLOTS - 1,
    PICKS_MAX = 100, /* random segments tried before the one at hand must do */
};

#define ENTRY_SLOTS(control) ((unsigned)((control) & (CW_CONTROL_CHAINED - 1)))

struct cw_table *cw_table_create(struct cw_arena *arena, const struct cw_hash_key *hash_key,
                                 const struct cw_object_operations *const *objects)
{
    struct cw_table *table = cw_arena_alloc(arena, sizeof(*table));
    *table = (struct cw_table){.arena = arena,
                               .hash_key = hash_key,
                               .objects = objects,
                               .earliest_due = CW_NEVER_DUE,
                               .round_earliest_due = CW_NEVER_DUE};
    list_init(&table->garbage);
    return table;
}

/* ---- Buckets ---- */

static void bucket_set(struct cw_bucket *bucket, unsigned slot, void *entry, uint64_t tag)
{
    unsigned shift = 8 * (slot + 1);
    bucket->control = (bucket->control & ~((uint64_t)0xff << shift)) | (tag & 0xff) << shift | (uint64_t)1 << slot;
    bucket->slots[slot] = entry;
}

static uint64_t bucket_tag(const struct cw_bucket *bucket, unsigned slot)
{
    return bucket->control >> (8 * (slot + 1)) & 0xff;
}

/* Puts an entry into the chain, lengthening it where it is full. */
static void bucket_add(struct cw_arena *arena, struct cw_bucket *bucket, struct cw_entry *entry, uint64_t tag,
                       struct cw_bucket **ret_bucket, unsigned *ret_slot)
{
    for (struct cw_bucket *next; (next = cw_bucket_next(bucket)) != NULL && ENTRY_SLOTS(bucket->control) == 0x3f;)
        bucket = next;
    unsigned taken = (unsigned)(bucket->control & 0xff);
    unsigned free_slots = ~(taken & 0x7f) & (taken & CW_CONTROL_CHAINED ? 0x3f : 0x7f);
    if (free_slots == 0) {
        struct cw_bucket *next = cw_arena_alloc(arena, sizeof(*next));
        *next = (struct cw_bucket){0};
        bucket_set(next, 0, bucket->slots[CHAIN_SLOT], bucket_tag(bucket, CHAIN_SLOT));
        bucket->slots[CHAIN_SLOT] = next;
        bucket->control = (bucket->control & ~((uint64_t)1 << CHAIN_SLOT)) | CW_CONTROL_CHAINED;
        bucket = next;
        free_slots = 0x7e;
    }
    *ret_slot = (unsigned)__builtin_ctz(free_slots);
    *ret_bucket = bucket;
    bucket_set(bucket, *ret_slot, entry, tag);
}

/* Frees the buckets that continue this one, and leaves it empty. */
static void bucket_reset(struct cw_arena *arena, struct cw_bucket *bucket)
{
    for (struct cw_bucket *next = cw_bucket_next(bucket), *after; next; next = after) {
        after = cw_bucket_next(next);
        cw_arena_free(arena, next, sizeof(*next));
    }
    *bucket = (struct cw_bucket){0};
}

void cw_bucket_for_each(const struct cw_bucket *bucket, cw_bucket_visit visit, void *context)
{
    for (; bucket; bucket = cw_bucket_next(bucket))
        for (unsigned left = ENTRY_SLOTS(bucket->control); left; left &= left - 1)
            visit(context, bucket->slots[__builtin_ctz(left)]);
}

unsigned cw_bucket_count(const struct cw_bucket *bucket)
{
    unsigned count = 0;
    for (; bucket; bucket = cw_bucket_next(bucket))
        count += (unsigned)__builtin_popcount(ENTRY_SLOTS(bucket->control));
    return count;
}

struct cw_entry *cw_bucket_at(const struct cw_bucket *bucket, unsigned index)
{
    for (; bucket; bucket = cw_bucket_next(bucket))
        for (unsigned left = ENTRY_SLOTS(bucket->control); left; left &= left - 1)
            if (index-- == 0)
                return bucket->slots[__builtin_ctz(left)];
    return NULL;
}

/* ---- Segments ---- */

static struct cw_segment *segment_create(struct cw_table *table, unsigned depth)
{
    struct cw_segment *segment = cw_arena_alloc(table->arena, sizeof(*segment));
    memset(segment, 0, sizeof(*segment));
    segment->depth = depth;
    segment->earliest_due = CW_NEVER_DUE;
    table->segments++;
    return segment;
}

static void segment_destroy(struct cw_table *table, struct cw_segment *segment)
{
    for (unsigned i = 0; i < CW_SEGMENT_BUCKETS; i++)
        bucket_reset(table->arena, &segment->buckets[i]);
    if (segment->due)
        cw_arena_free(table->arena, segment->due, CW_SEGMENT_BUCKETS * sizeof(*segment->due));
    cw_arena_free(table->arena, segment, sizeof(*segment));
    table->segments--;
}

static void segment_note_due(struct cw_table *table, struct cw_segment *segment, unsigned index, int64_t expire_ms)
{
    if (!segment->due) {
        segment->due = cw_arena_alloc(table->arena, CW_SEGMENT_BUCKETS * sizeof(*segment->due));
        for (unsigned i = 0; i < CW_SEGMENT_BUCKETS; i++)
            segment->due[i] = CW_NEVER_DUE;
    }
    if (expire_ms < segment->due[index])
        segment->due[index] = expire_ms;
    if (expire_ms < segment->earliest_due)
        segment->earliest_due = expire_ms;
    if (expire_ms < table->earliest_due)
        table->earliest_due = expire_ms;
    if (expire_ms < table->round_earliest_due)
        table->round_earliest_due = expire_ms;
}

int64_t cw_table_entry_due(const struct cw_table *table, const struct cw_entry *entry)
{
    int64_t due_ms = entry->flags & CW_ENTRY_EXPIRES ? cw_entry_expire_ms(entry) : CW_NEVER_DUE;
    if (!(entry->flags & CW_ENTRY_PARTS))
        return due_ms;
    int64_t part_ms = table->objects[cw_entry_type(entry)]->earliest_due(cw_entry_object(entry));
    return part_ms < due_ms ? part_ms : due_ms;
}

static void note_entry(struct cw_table *table, struct cw_segment *segment, unsigned index, const struct cw_entry *entry)
{
    int64_t due_ms = table->ignores_expiries ? CW_NEVER_DUE : cw_table_entry_due(table, entry);
    if (due_ms != CW_NEVER_DUE)
        segment_note_due(table, segment, index, due_ms);
}

static void segment_add(struct cw_table *table, struct cw_segment *segment, unsigned index, struct cw_entry *entry,
                        uint64_t tag)
{
    struct cw_bucket *bucket;
    unsigned slot;
    bucket_add(table->arena, &segment->buckets[index], entry, tag, &bucket, &slot);
    segment->count++;
    note_entry(table, segment, index, entry);
}

/* Lets every directory slot of the segment's interval, which `hash` lies in, point to it. */
static void directory_set(struct cw_table *table, struct cw_segment *segment, uint64_t hash)
{
    unsigned spare = table->depth - segment->depth;
    uint64_t first = (hash >> 1 >> (63 - table->depth)) >> spare << spare;
    for (uint64_t i = 0; i < (uint64_t)1 << spare; i++)
        table->directory[first + i] = (uintptr_t)segment | segment->depth;
}

static size_t directory_bytes(uint32_t depth)
{
    return sizeof(uintptr_t) << depth;
}

static void directory_double(struct cw_table *table)
{
    uint64_t size = (uint64_t)1 << table->depth;
    uintptr_t *directory = cw_arena_alloc(table->arena, directory_bytes(table->depth + 1));
    for (uint64_t i = 0; i < size; i++)
        directory[2 * i] = directory[2 * i + 1] = table->directory[i];
    cw_arena_free(table->arena, table->directory, directory_bytes(table->depth));
    table->directory = directory;
    table->depth++;
    table->deepest = 0;
}

static void directory_halve(struct cw_table *table)
{
    uint64_t size = (uint64_t)1 << --table->depth;
    uintptr_t *directory = cw_arena_alloc(table->arena, directory_bytes(table->depth));
    uint64_t deepest = 0;
    for (uint64_t i = 0; i < size; i++) {
        directory[i] = table->directory[2 * i];
        deepest += (directory[i] & 63) == table->depth;
    }
    cw_arena_free(table->arena, table->directory, directory_bytes(table->depth + 1));
    table->directory = directory;
    table->deepest = deepest;
}

static void table_plant(struct cw_table *table)
{
    struct cw_segment *segment = segment_create(table, 0);
    segment->version = table->snapshot; /* What comes after the picture was taken is no part of it. */
    segment->written = UINT32_MAX;
    table->directory = cw_arena_alloc(table->arena, directory_bytes(0));
    table->directory[0] = (uintptr_t)segment;
    table->depth = 0;
    table->deepest = 1;
}

/* Each bit of the lower half of `bits`, twice. */
static uint32_t spread(uint32_t bits)
{
    uint32_t wide = 0;
    for (unsigned i = 0; i < CW_SEGMENT_BUCKETS; i++)
        wide |= (bits >> (i / 2) & 1) << i;
    return wide;
}

struct split {
    struct cw_table *table;
    struct cw_segment *halves[2];
};

static void prefetch_entry(void *context, struct cw_entry *entry)
{
    (void)context;
    __builtin_prefetch(entry);
}

void cw_segment_prefetch_entries(const struct cw_segment *segment)
{
    for (unsigned i = 0; i < CW_SEGMENT_BUCKETS; i++)
        cw_bucket_for_each(&segment->buckets[i], prefetch_entry, NULL);
}

static void split_entry(void *context, struct cw_entry *entry)
{
    struct split *split = context;
    uint64_t hash = cw_hash(split->table->hash_key, cw_entry_key(entry));
    unsigned depth = split->halves[0]->depth;
    segment_add(split->table, split->halves[hash >> (64 - depth) & 1], cw_table_bucket_index(hash, depth), entry, hash);
}

static void table_split(struct cw_table *table, struct cw_segment *segment, uint64_t hash)
{
    unsigned depth = segment->depth + 1;
    if (depth > table->depth)
        directory_double(table);
    struct split split = {table, {segment_create(table, depth), segment_create(table, depth)}};
    for (unsigned half = 0; half < 2; half++) {
        split.halves[half]->version = segment->version;
        split.halves[half]->written = spread(segment->written >> (half * CW_SEGMENT_BUCKETS / 2));
    }
    cw_segment_prefetch_entries(segment);
    for (unsigned i = 0; i < CW_SEGMENT_BUCKETS; i++)
        cw_bucket_for_each(&segment->buckets[i], split_entry, &split);

    uint64_t bit = (uint64_t)1 << (64 - depth);
    directory_set(table, split.halves[0], hash & ~bit);
    directory_set(table, split.halves[1], hash | bit);
    if (depth == table->depth)
        table->deepest += 2;
    segment_destroy(table, segment);
}

void cw_table_merge(struct cw_table *table, uint64_t hash)
{
    if (!table->directory || table->snapshot != 0)
        return; /* Two buckets of which one is written could not become one. */
    for (;;) {
        unsigned depth;
        struct cw_segment *segment = cw_table_segment(table, hash, &depth);
        if (depth == 0 || segment->count > CW_SEGMENT_MERGE)
            return;
        unsigned other_depth;
        uint64_t bit = (uint64_t)1 << (64 - depth);
        struct cw_segment *halves[2] = {segment, segment};
        halves[!(hash & bit)] = cw_table_segment(table, hash ^ bit, &other_depth);
        if (other_depth != depth || halves[0]->count + halves[1]->count > CW_SEGMENT_MERGE)
            return;

        struct cw_segment *merged = segment_create(table, depth - 1);
        for (unsigned i = 0; i < 2 * CW_SEGMENT_BUCKETS; i++) {
            struct cw_bucket *from = &halves[i / CW_SEGMENT_BUCKETS]->buckets[i % CW_SEGMENT_BUCKETS];
            for (struct cw_bucket *bucket = from; bucket; bucket = cw_bucket_next(bucket))
                for (unsigned left = ENTRY_SLOTS(bucket->control); left; left &= left - 1) {
                    unsigned slot = (unsigned)__builtin_ctz(left);
                    segment_add(table, merged, i / 2, bucket->slots[slot], bucket_tag(bucket, slot));
                }
        }
        if (depth == table->depth)
            table->deepest -= 2;
        segment_destroy(table, halves[0]);
        segment_destroy(table, halves[1]);
        directory_set(table, merged, hash);
        while (table->depth > 0 && table->deepest == 0)
            directory_halve(table);
    }
}

/* ---- The end ---- */

struct freeing {
    cw_entry_freer freer;
    void *context;
    uint64_t count;
    unsigned cost;
};

static void free_entry(void *context, struct cw_entry *entry)
{
    struct freeing *freeing = context;
    freeing->count++;
    freeing->cost += freeing->freer(freeing->context, entry);
}

static void free_directory(struct cw_table *table)
{
    cw_arena_free(table->arena, table->directory, directory_bytes(table->depth));
    table->directory = NULL;
}

bool cw_table_free_step(struct cw_table *table, unsigned *budget, cw_entry_freer freer, void *context)
{
    while (*budget > 0 && table->directory) {
        struct cw_place place = cw_table_place(table, table->free_position);
        struct cw_bucket *bucket = &place.segment->buckets[place.index];
        struct freeing freeing = {.freer = freer, .context = context, .cost = 1};
        if (place.index == 0)
            cw_segment_prefetch_entries(place.segment);
        cw_bucket_for_each(bucket, free_entry, &freeing);
        bucket_reset(table->arena, bucket);
        table->count -= freeing.count;
        cw_spend(budget, freeing.cost);

        table->free_position = place.next;
        if (place.index == CW_SEGMENT_BUCKETS - 1)
            segment_destroy(table, place.segment);
        if (place.next == 0)
            free_directory(table);
    }
    return table->directory != NULL;
}

void cw_table_destroy(struct cw_table *table)
{
    if (!table)
        return;
    CHECK(table->count == 0);
    unsigned budget = UINT_MAX;
    while (cw_table_free_step(table, &budget, NULL, NULL))
        budget = UINT_MAX;
    list_remove(&table->garbage);
    cw_arena_free(table->arena, table, sizeof(*table));
}

/* ---- Places ---- */

uint64_t cw_table_segment_end(const struct cw_segment *segment, uint64_t hash)
{
    if (segment->depth == 0)
        return 0;
    unsigned bits = 64 - segment->depth;
    return ((hash >> bits) + 1) << bits;
}

struct cw_place cw_table_place(const struct cw_table *table, uint64_t hash)
{
    if (!table->directory)
        return (struct cw_place){0};
    unsigned depth;
    struct cw_segment *segment = cw_table_segment(table, hash, &depth);
    unsigned bits = 64 - CW_SEGMENT_BUCKET_BITS - depth;
    return (struct cw_place){.segment = segment,
                             .index = cw_table_bucket_index(hash, depth),
                             .first = hash >> bits << bits,
                             .next = ((hash >> bits) + 1) << bits};
}

/* ---- Entries ---- */

struct cw_entry *cw_table_find(const struct cw_table *table, struct slice key, uint64_t hash,
                               struct cw_bucket **ret_bucket, unsigned *ret_slot)
{
    if (UNLIKELY(!table->directory))
        return NULL;
    for (struct cw_bucket *bucket = cw_table_bucket(table, hash); bucket; bucket = cw_bucket_next(bucket)) {
        for (uint64_t match = cw_bucket_match(bucket->control, hash); match; match &= match - 1) {
            unsigned slot = (unsigned)__builtin_ctzll(match) / 8;
            if (!(bucket->control >> slot & 1))
                continue;
            struct cw_entry *entry = bucket->slots[slot];
            if (LIKELY(slice_equal(cw_entry_key(entry), key))) {
                *ret_bucket = bucket;
                *ret_slot = slot;
                return entry;
            }
        }
    }
    return NULL;
}

void cw_table_insert(struct cw_table *table, struct cw_entry *entry, uint64_t hash, struct cw_bucket **ret_bucket,
                     unsigned *ret_slot)
{
    if (UNLIKELY(!table->directory))
        table_plant(table);
    unsigned depth;
    struct cw_segment *segment;
    while ((segment = cw_table_segment(table, hash, &depth))->count >= CW_SEGMENT_SPLIT && depth < CW_DEPTH_MAX)
        table_split(table, segment, hash);

    unsigned index = cw_table_bucket_index(hash, depth);
    bucket_add(table->arena, &segment->buckets[index], entry, hash, ret_bucket, ret_slot);
    segment->count++;
    table->count++;
    table->expires += cw_entry_has(entry, CW_ENTRY_EXPIRES);
    table->with_parts += cw_entry_has(entry, CW_ENTRY_PARTS);
    note_entry(table, segment, index, entry);
}

void cw_table_remove(struct cw_table *table, uint64_t hash, struct cw_bucket *bucket, unsigned slot)
{
    unsigned depth;
    struct cw_segment *segment = cw_table_segment(table, hash, &depth);
    const struct cw_entry *entry = bucket->slots[slot];
    table->expires -= cw_entry_has(entry, CW_ENTRY_EXPIRES);
    table->with_parts -= cw_entry_has(entry, CW_ENTRY_PARTS);
    segment->count--;
    table->count--;
    bucket->control &= ~((uint64_t)1 << slot);
    bucket->slots[slot] = NULL;

    /* The last bucket of the chain fills the hole, and goes when it is empty: the others stay full. */
    struct cw_bucket *before = NULL;
    struct cw_bucket *last = &segment->buckets[cw_table_bucket_index(hash, depth)];
    for (struct cw_bucket *next; (next = cw_bucket_next(last)) != NULL; last = next)
        before = last;
    if (!before)
        return;
    if (bucket != last) {
        unsigned moved = (unsigned)__builtin_ctz(ENTRY_SLOTS(last->control));
        bucket_set(bucket, slot, last->slots[moved], bucket_tag(last, moved));
        last->control &= ~((uint64_t)1 << moved);
        last->slots[moved] = NULL;
    }
    if (ENTRY_SLOTS(last->control) == 0) {
        before->control &= ~CW_CONTROL_CHAINED;
        before->slots[CHAIN_SLOT] = NULL;
        cw_arena_free(table->arena, last, sizeof(*last));
    }
}

static struct cw_entry *entry_in_segment(const struct cw_segment *segment, uint64_t number)
{
    for (unsigned i = 0; i < CW_SEGMENT_BUCKETS; i++) {
        unsigned count = cw_bucket_count(&segment->buckets[i]);
        if (number < count)
            return cw_bucket_at(&segment->buckets[i], (unsigned)number);
        number -= count;
    }
    return NULL;
}

/* A random hash finds a segment with a chance that halves with its depth. So each is taken with a chance that is the
 * less the shallower it is, and the less it holds. */
struct cw_entry *cw_table_random(const struct cw_table *table, struct rand *rand)
{
    if (table->count == 0)
        return NULL;
    uint64_t position = rand_u64(rand);
    for (unsigned pick = 0;; pick++) {
        unsigned depth;
        const struct cw_segment *segment = cw_table_segment(table, position, &depth);
        bool chooses = table->segments > 1 && pick < PICKS_MAX;
        uint64_t tickets = chooses ? (uint64_t)CW_SEGMENT_SPLIT << (table->depth - depth) : segment->count;
        uint64_t ticket = tickets > 0 ? rand_below(rand, tickets) : 0;
        if (ticket < segment->count)
            return entry_in_segment(segment, ticket);
        position = chooses ? rand_u64(rand) : cw_table_segment_end(segment, position);
    }
}

void cw_table_note_due(struct cw_table *table, uint64_t hash, int64_t expire_ms)
{
    unsigned depth;
    struct cw_segment *segment = cw_table_segment(table, hash, &depth);
    segment_note_due(table, segment, cw_table_bucket_index(hash, depth), expire_ms);
}

struct renewal {
    const struct cw_table *table;
    int64_t earliest_ms;
};

static void renew(void *context, struct cw_entry *entry)
{
    struct renewal *renewal = context;
    int64_t due_ms = cw_table_entry_due(renewal->table, entry);
    if (due_ms < renewal->earliest_ms)
        renewal->earliest_ms = due_ms;
}

void cw_table_renew_due(const struct cw_table *table, struct cw_segment *segment, unsigned index)
{
    struct renewal renewal = {table, CW_NEVER_DUE};
    cw_bucket_for_each(&segment->buckets[index], renew, &renewal);
    segment->due[index] = renewal.earliest_ms;
    segment->earliest_due = CW_NEVER_DUE;
    for (unsigned i = 0; i < CW_SEGMENT_BUCKETS; i++)
        if (segment->due[i] < segment->earliest_due)
            segment->earliest_due = segment->due[i];
}

bool cw_table_begin_round(struct cw_table *table, int64_t now_ms)
{
    if (table->round_position != 0)
        return true;
    if (table->earliest_due >= now_ms)
        return false;
    table->round_earliest_due = CW_NEVER_DUE;
    return true;
}

bool cw_table_end_look(struct cw_table *table, const struct cw_segment *segment)
{
    if (segment->earliest_due < table->round_earliest_due)
        table->round_earliest_due = segment->earliest_due;
    table->round_position = cw_table_segment_end(segment, table->round_position);
    if (table->round_position != 0)
        return false;
    table->earliest_due = table->round_earliest_due;
    return true;
}

size_t cw_table_used_bytes(const struct cw_table *table)
{
    return sizeof(*table) + (table->directory ? directory_bytes(table->depth) : 0) +
           table->segments * sizeof(struct cw_segment);
}

/* ---- Compaction ---- */

struct compacting {
    struct cw_arena *arena;
    unsigned *budget;
    cw_entry_moved moved; /* or NULL */
    void *context;
};

static void compact_slot(const struct compacting *compacting, void **slot)
{
    struct cw_entry *old = *slot;
    struct cw_entry *entry = cw_arena_move(compacting->arena, old, cw_entry_bytes(old), compacting->budget);
    *slot = entry;
    if (entry->flags & CW_ENTRY_BLOCK) {
        struct cw_block **block = cw_entry_block(entry);
        *block = cw_arena_move(compacting->arena, *block, cw_block_bytes(*block), compacting->budget);
    }
    if (entry != old && compacting->moved)
        compacting->moved(compacting->context, old, entry);
}

static void compact_bucket(const struct compacting *compacting, struct cw_bucket *bucket)
{
    for (; bucket; bucket = cw_bucket_next(bucket)) {
        for (unsigned left = ENTRY_SLOTS(bucket->control); left; left &= left - 1)
            compact_slot(compacting, &bucket->slots[__builtin_ctz(left)]);
        if (bucket->control & CW_CONTROL_CHAINED)
            bucket->slots[CHAIN_SLOT] =
                cw_arena_move(compacting->arena, bucket->slots[CHAIN_SLOT], sizeof(*bucket), compacting->budget);
    }
}

uint64_t cw_table_compact(struct cw_table *table, uint64_t hash, unsigned *budget, cw_entry_moved moved, void *context)
{
    struct compacting compacting = {table->arena, budget, moved, context};
    unsigned depth;
    if (hash == 0)
        table->directory = cw_arena_move(table->arena, table->directory, directory_bytes(table->depth), budget);
    struct cw_segment *segment = cw_table_segment(table, hash, &depth);
    struct cw_segment *there = cw_arena_move(table->arena, segment, sizeof(*segment), budget);
    if (there != segment)
        directory_set(table, there, hash);
    if (there->due)
        there->due = cw_arena_move(table->arena, there->due, CW_SEGMENT_BUCKETS * sizeof(*there->due), budget);
    cw_spend(budget, CW_COMPACT_COST);
    cw_segment_prefetch_entries(there);
    for (unsigned i = 0; i < CW_SEGMENT_BUCKETS; i++)
        compact_bucket(&compacting, &there->buckets[i]);
    return cw_table_segment_end(there, hash);
}

struct cw_table *cw_table_move(struct cw_table *table, unsigned *budget)
{
    CHECK(list_is_empty(&table->garbage));
    table = cw_arena_move(table->arena, table, sizeof(*table), budget);
    list_init(&table->garbage);
    return table;
}
