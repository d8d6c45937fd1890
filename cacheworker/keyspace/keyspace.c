#include "cacheworker/keyspace/keyspace.h"

#include "cacheworker/keyspace/entry_memory.h"
#include "cacheworker/keyspace/table.h"
#include "common/base/mem.h"

enum {
    GROWTH_MAX = 1 << 20,    /* a growing value gets as much room again, but not more than this */
    CURSOR_SHIFT = 64 - 53,  /* hashes are cut to what a double holds; no bucket is that small */
    FREE_AT_ONCE_MAX = 64,   /* parts of an object */
    SLACK_BYTES = 8 << 20,   /* held in vain that nobody minds */
    FLUSH_NOW_MAX = 1 << 16, /* entries; more are freed in steps, lest a flush takes long */
};
_Static_assert(CURSOR_SHIFT <= 64 - CW_SEGMENT_BUCKET_BITS - CW_DEPTH_MAX, "cursors name buckets");

struct snapshot {
    uint64_t version; /* of the running snapshot; 0: none runs */
    cw_visitor visitor;
    void *context;            /* borrowed */
    struct cw_table **tables; /* per database at begin; NULL once completely shown; retired ones are owned */
    unsigned database;        /* being shown ... */
    uint64_t position;        /* ... from this hash on */
};

struct compaction {
    bool is_active;
    unsigned database;
    uint64_t position; /* the hash from where on nothing was moved */
    uint64_t object; /* the place in the database of the object that is being compacted, as a number of its bucket's */
    uint64_t inner;  /* position in that object */
};

struct data { /* what cw_keyspace_swap exchanges */
    struct cw_hash_key hash_key;
    struct rand rand;
    struct cw_arena *arena; /* owned */
    const struct cw_object_operations *objects[CW_TYPES];
    struct cw_table **tables; /* owned; per database */
    struct cw_table *drafts;  /* owned; of the one draft, if any */
    struct list garbage;      /* of tables, owned: to be freed in steps */
    struct list unwanted;     /* of struct unwanted, owned: objects to be freed in steps */
    uint64_t unwanted_count;
    uint64_t last_version; /* of all snapshots so far */
    struct snapshot snapshot;
    struct compaction compaction;
};

struct cw_keyspace {
    struct data *data; /* owned */
    unsigned databases;
    enum cw_expiry_mode expiry_mode;
    void (*expired)(void *context, unsigned database, struct slice key);
    void (*expired_parts)(void *context, unsigned database, struct slice key, const struct slice *names, size_t count);
    void (*added)(void *context, unsigned database, struct slice key);
    void (*missed)(void *context, unsigned database, struct slice key);
    bool announces_added;
    bool announces_missed;
    void *context;                               /* borrowed */
    const struct cw_keyspace_observer *observer; /* borrowed; NULL: nobody observes */
    const struct cw_access_rules *access;        /* borrowed */
    bool overlooks_uses;
    const struct cw_packing *packing; /* borrowed */
    struct cw_keyspace_stats stats;
};

/* ---- Life ---- */

static struct data *data_create(const struct cw_keyspace_config *config)
{
    struct data *data = mem_zero(sizeof(*data));
    rand_seed(&data->rand, config->seed);
    if (config->objects)
        memcpy(data->objects, *config->objects, sizeof(data->objects));
    data->hash_key.word[0] = rand_u64(&data->rand);
    data->hash_key.word[1] = rand_u64(&data->rand);
    data->arena = cw_arena_create();
    data->tables = mem_zero(config->databases * sizeof(struct cw_table *));
    for (unsigned i = 0; i < config->databases; i++)
        data->tables[i] = cw_table_create(data->arena, &data->hash_key, data->objects);
    data->drafts = cw_table_create(data->arena, &data->hash_key, data->objects);
    list_init(&data->garbage);
    list_init(&data->unwanted);
    return data;
}

static const struct cw_packing default_packing = CW_PACKING_DEFAULT;

struct cw_keyspace *cw_keyspace_create(const struct cw_keyspace_config *config)
{
    static const struct cw_access_rules lru = CW_ACCESS_RULES_DEFAULT;
    struct cw_keyspace *keyspace = mem_zero(sizeof(*keyspace));
    keyspace->databases = config->databases;
    keyspace->expiry_mode = config->expiry_mode;
    keyspace->expired = config->expired;
    keyspace->expired_parts = config->expired_parts;
    keyspace->added = config->added;
    keyspace->missed = config->missed;
    keyspace->context = config->context;
    keyspace->packing = config->packing ? config->packing : &default_packing;
    keyspace->access = config->access ? config->access : &lru;
    keyspace->data = data_create(config);
    return keyspace;
}

void cw_keyspace_destroy(struct cw_keyspace *keyspace)
{
    if (!keyspace)
        return;
    cw_keyspace_snapshot_cancel(keyspace);
    for (unsigned i = 0; i < keyspace->databases; i++)
        cw_keyspace_flush(keyspace, i, false);
    while (cw_keyspace_free_step(keyspace, UINT32_MAX))
        ;
    struct data *data = keyspace->data;
    for (unsigned i = 0; i < keyspace->databases; i++)
        cw_table_destroy(data->tables[i]);
    cw_table_destroy(data->drafts);
    cw_arena_destroy(data->arena);
    mem_free(data->tables);
    mem_free(data);
    mem_free(keyspace);
}

void cw_keyspace_observe(struct cw_keyspace *keyspace, const struct cw_keyspace_observer *observer)
{
    keyspace->observer = observer;
}

void cw_keyspace_set_expiry_mode(struct cw_keyspace *keyspace, enum cw_expiry_mode mode)
{
    keyspace->expiry_mode = mode;
}

void cw_keyspace_announce(struct cw_keyspace *keyspace, bool added, bool missed)
{
    keyspace->announces_added = added && keyspace->added;
    keyspace->announces_missed = missed && keyspace->missed;
}

enum cw_expiry_mode cw_keyspace_expiry_mode(const struct cw_keyspace *keyspace)
{
    return keyspace->expiry_mode;
}

void cw_keyspace_overlook_uses(struct cw_keyspace *keyspace, bool overlook)
{
    keyspace->overlooks_uses = overlook;
}

const struct cw_access_rules *cw_keyspace_access_rules(const struct cw_keyspace *keyspace)
{
    return keyspace->access;
}

unsigned cw_keyspace_databases(const struct cw_keyspace *keyspace)
{
    return keyspace->databases;
}

static struct cw_table *table_of(const struct cw_keyspace *keyspace, unsigned database)
{
    CHECK(database < keyspace->databases);
    return keyspace->data->tables[database];
}

uint64_t cw_keyspace_count(const struct cw_keyspace *keyspace, unsigned database)
{
    return table_of(keyspace, database)->count;
}

uint64_t cw_keyspace_count_expires(const struct cw_keyspace *keyspace, unsigned database)
{
    return table_of(keyspace, database)->expires;
}

bool cw_keyspace_expects_due(const struct cw_keyspace *keyspace, unsigned database)
{
    const struct cw_table *table = table_of(keyspace, database);
    return table->expires > 0 || table->with_parts > 0;
}

struct cw_keyspace_stats *cw_keyspace_stats(struct cw_keyspace *keyspace)
{
    return &keyspace->stats;
}

/* Tables are the arena's, but for their heads. */
static size_t bytes_beside_arena(const struct cw_keyspace *keyspace)
{
    return sizeof(*keyspace) + sizeof(*keyspace->data) + (keyspace->databases + 1) * sizeof(struct cw_table);
}

size_t cw_keyspace_used_bytes(const struct cw_keyspace *keyspace)
{
    return bytes_beside_arena(keyspace) + cw_arena_held_bytes(keyspace->data->arena);
}

size_t cw_keyspace_data_bytes(const struct cw_keyspace *keyspace)
{
    return bytes_beside_arena(keyspace) + cw_arena_used_bytes(keyspace->data->arena);
}

size_t cw_keyspace_table_bytes(const struct cw_keyspace *keyspace, unsigned database)
{
    return cw_table_used_bytes(table_of(keyspace, database)) - sizeof(struct cw_table);
}

void cw_keyspace_trim(struct cw_keyspace *keyspace)
{
    cw_arena_trim(keyspace->data->arena);
}

size_t cw_keyspace_entry_bytes(const struct cw_keyspace *keyspace, const struct cw_entry *entry)
{
    size_t bytes = cw_entry_used_bytes(entry) + sizeof(struct cw_bucket) / CW_BUCKET_SLOTS;
    if (cw_entry_is_object(entry))
        bytes += keyspace->data->objects[cw_entry_type(entry)]->used_bytes(cw_entry_object(entry));
    return bytes;
}

struct cw_arena *cw_keyspace_arena(const struct cw_keyspace *keyspace)
{
    return keyspace->data->arena;
}

const struct cw_hash_key *cw_keyspace_hash_key(const struct cw_keyspace *keyspace)
{
    return &keyspace->data->hash_key;
}

const struct cw_packing *cw_keyspace_packing(const struct cw_keyspace *keyspace)
{
    return keyspace->packing;
}

struct rand *cw_keyspace_rand(struct cw_keyspace *keyspace)
{
    return &keyspace->data->rand;
}

/* ---- Hashing and prefetching ---- */

uint64_t cw_keyspace_hash(const struct cw_keyspace *keyspace, struct slice key)
{
    return cw_hash(&keyspace->data->hash_key, key);
}

void cw_keyspace_prefetch_bucket(const struct cw_keyspace *keyspace, unsigned database, uint64_t hash)
{
    const struct cw_table *table = table_of(keyspace, database);
    if (table->directory)
        __builtin_prefetch(cw_table_bucket(table, hash));
}

void cw_keyspace_prefetch_entry(const struct cw_keyspace *keyspace, unsigned database, uint64_t hash)
{
    const struct cw_table *table = table_of(keyspace, database);
    if (!table->directory)
        return;
    const struct cw_bucket *bucket = cw_table_bucket(table, hash);
    uint64_t match = cw_bucket_match(bucket->control, hash);
    const char *wanted = match ? bucket->slots[__builtin_ctzll(match) / 8] : (const char *)cw_bucket_next(bucket);
    if (!wanted)
        return;
    __builtin_prefetch(wanted);
    __builtin_prefetch(wanted + sizeof(struct cw_bucket) - 1); /* An entry may lie across two cache lines. */
}

/* ---- Snapshot ---- */

struct show {
    const struct snapshot *snapshot;
    unsigned database;
};

static void show_entry(void *context, struct cw_entry *entry)
{
    const struct show *show = context;
    show->snapshot->visitor(show->snapshot->context, show->database, entry);
}

/* Shows a bucket to the snapshot that its table is part of, unless that was done. */
static void show_bucket(const struct snapshot *snapshot, const struct cw_table *table, const struct cw_place *place)
{
    struct cw_segment *segment = place->segment;
    if (segment->version != snapshot->version) {
        segment->version = snapshot->version;
        segment->written = 0;
    }
    uint32_t bit = (uint32_t)1 << place->index;
    if (segment->written & bit)
        return;
    segment->written |= bit;
    struct show show = {snapshot, table->snapshot_database};
    cw_bucket_for_each(&segment->buckets[place->index], show_entry, &show);
}

/* Stands before every change of what a snapshot shows. */
static void before_change(const struct cw_keyspace *keyspace, const struct cw_table *table, uint64_t hash)
{
    if (LIKELY(table->snapshot == 0))
        return;
    struct cw_place place = cw_table_place(table, hash);
    if (place.segment)
        show_bucket(&keyspace->data->snapshot, table, &place);
}

static void snapshot_leave_table(struct data *data, struct cw_table *table)
{
    table->snapshot = 0;
    if (table->retired)
        list_add_last(&data->garbage, &table->garbage);
}

void cw_keyspace_snapshot_begin(struct cw_keyspace *keyspace, cw_visitor visitor, void *context)
{
    struct data *data = keyspace->data;
    CHECK(data->snapshot.version == 0);
    data->snapshot = (struct snapshot){.version = ++data->last_version, .visitor = visitor, .context = context};
    data->snapshot.tables = mem_zero(keyspace->databases * sizeof(struct cw_table *));
    for (unsigned i = 0; i < keyspace->databases; i++) {
        data->snapshot.tables[i] = data->tables[i];
        data->tables[i]->snapshot = data->snapshot.version;
        data->tables[i]->snapshot_database = i;
    }
}

static void snapshot_end(struct cw_keyspace *keyspace)
{
    struct snapshot *snapshot = &keyspace->data->snapshot;
    for (unsigned i = 0; i < keyspace->databases; i++)
        if (snapshot->tables[i])
            snapshot_leave_table(keyspace->data, snapshot->tables[i]);
    mem_free(snapshot->tables);
    *snapshot = (struct snapshot){0};
}

bool cw_keyspace_snapshot_step(struct cw_keyspace *keyspace, unsigned budget)
{
    struct snapshot *snapshot = &keyspace->data->snapshot;
    CHECK(snapshot->version != 0);
    for (; budget > 0 && snapshot->database < keyspace->databases; budget--) {
        struct cw_table *table = snapshot->tables[snapshot->database];
        struct cw_place place = cw_table_place(table, snapshot->position);
        if (place.segment && place.index == 0)
            cw_segment_prefetch_entries(place.segment);
        if (place.segment)
            show_bucket(snapshot, table, &place);
        snapshot->position = place.next;
        if (place.next != 0)
            continue;
        snapshot->tables[snapshot->database++] = NULL;
        snapshot_leave_table(keyspace->data, table);
    }
    if (snapshot->database < keyspace->databases)
        return true;
    snapshot_end(keyspace);
    return false;
}

void cw_keyspace_snapshot_cancel(struct cw_keyspace *keyspace)
{
    if (keyspace->data->snapshot.version != 0)
        snapshot_end(keyspace);
}

bool cw_keyspace_snapshot_is_active(const struct cw_keyspace *keyspace)
{
    return keyspace->data->snapshot.version != 0;
}

/* ---- Entries ---- */

/* Objects are freed in steps: one that is small at once, any other when free_step comes to it. */
struct unwanted { /* an object that no entry owns any more */
    struct list node;
    const struct cw_object_operations *operations; /* borrowed */
    void *object;
};

static void object_free(struct cw_keyspace *keyspace, enum cw_type type, void *object)
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

static void entry_free(struct cw_keyspace *keyspace, struct cw_entry *entry)
{
    if (cw_entry_is_object(entry))
        object_free(keyspace, cw_entry_type(entry), cw_entry_object(entry));
    cw_entry_free(keyspace->data->arena, entry);
}

/* Puts another entry of the same key into the slot and frees the memory of the old one, but no block. */
static void ref_exchange(struct cw_ref *ref, struct cw_entry *entry)
{
    struct cw_entry *old = ref->entry;
    struct cw_table *table = ref->table;
    bool expires = cw_entry_has(entry, CW_ENTRY_EXPIRES);
    table->expires += (uint64_t)expires - cw_entry_has(old, CW_ENTRY_EXPIRES);
    table->with_parts += (uint64_t)cw_entry_has(entry, CW_ENTRY_PARTS) - cw_entry_has(old, CW_ENTRY_PARTS);
    ref->bucket->slots[ref->slot] = entry;
    ref->entry = entry;
    cw_entry_free_shell(table->arena, old);
    if (expires)
        cw_table_note_due(table, ref->hash, cw_entry_expire_ms(entry));
}

/* ---- Looking ---- */

bool cw_keyspace_contains(const struct cw_keyspace *keyspace, unsigned database, struct slice key, uint64_t hash)
{
    struct cw_bucket *bucket;
    unsigned slot;
    return cw_table_find(table_of(keyspace, database), key, hash, &bucket, &slot) != NULL;
}

static bool is_past(const struct cw_entry *entry, int64_t now_ms)
{
    return entry->flags & CW_ENTRY_EXPIRES && cw_entry_expire_ms(entry) < now_ms;
}

static const struct cw_object_operations *operations_of(const struct cw_keyspace *keyspace,
                                                        const struct cw_entry *entry)
{
    return keyspace->data->objects[cw_entry_type(entry)];
}

static bool has_due_parts(const struct cw_keyspace *keyspace, const struct cw_entry *entry, int64_t now_ms)
{
    return entry->flags & CW_ENTRY_PARTS &&
           operations_of(keyspace, entry)->earliest_due(cw_entry_object(entry)) < now_ms;
}

bool cw_keyspace_is_due(const struct cw_keyspace *keyspace, const struct cw_entry *entry, int64_t now_ms)
{
    if (LIKELY(!(entry->flags & (CW_ENTRY_EXPIRES | CW_ENTRY_PARTS))) || keyspace->expiry_mode == CW_EXPIRY_IGNORED)
        return false;
    return is_past(entry, now_ms) || (has_due_parts(keyspace, entry, now_ms) &&
                                      operations_of(keyspace, entry)->is_due(cw_entry_object(entry), now_ms));
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

/* Removes parts of the entry that are due, as far as the budget goes; returns how many. */
static uint64_t expire_parts(struct cw_keyspace *keyspace, unsigned database, struct cw_table *table, uint64_t hash,
                             struct cw_entry *entry, unsigned *budget, int64_t now_ms)
{
    struct parts parts = {keyspace, database, cw_entry_key(entry), 0};
    before_change(keyspace, table, hash);
    (void)operations_of(keyspace, entry)->expire_step(cw_entry_object(entry), now_ms, budget, expire_names, &parts);
    return parts.count;
}

static void expire_entry(struct cw_keyspace *keyspace, unsigned database, struct cw_table *table, uint64_t hash,
                         struct cw_bucket *bucket, unsigned slot)
{
    struct cw_entry *entry = bucket->slots[slot];
    if (keyspace->expired)
        keyspace->expired(keyspace->context, database, cw_entry_key(entry));
    keyspace->stats.expired++;
    before_change(keyspace, table, hash);
    cw_table_remove(table, hash, bucket, slot);
    entry_free(keyspace, entry);
}

/* The entry, unless it is due; what is due, the entry or parts of it, is deleted where that is this node's to do. */
static struct cw_entry *find(struct cw_keyspace *keyspace, unsigned database, struct slice key, uint64_t hash,
                             int64_t now_ms, struct cw_ref *ref)
{
    ref->table = table_of(keyspace, database);
    struct cw_entry *entry = cw_table_find(ref->table, key, hash, &ref->bucket, &ref->slot);
    if (!entry || LIKELY(!(entry->flags & (CW_ENTRY_EXPIRES | CW_ENTRY_PARTS))))
        return entry;
    bool deletes = keyspace->expiry_mode == CW_EXPIRY_DELETES;
    if (!cw_keyspace_is_due(keyspace, entry, now_ms)) {
        unsigned budget = UINT32_MAX;
        if (deletes && has_due_parts(keyspace, entry, now_ms))
            (void)expire_parts(keyspace, database, ref->table, hash, entry, &budget, now_ms);
        return entry;
    }
    if (deletes) {
        expire_entry(keyspace, database, ref->table, hash, ref->bucket, ref->slot);
        cw_table_merge(ref->table, hash);
    }
    return NULL;
}

static void touch(struct cw_keyspace *keyspace, struct cw_entry *entry, int64_t now_ms)
{
    if (UNLIKELY(keyspace->overlooks_uses))
        return;
    uint32_t access = cw_access_clock(now_ms);
    if (UNLIKELY(keyspace->access->counts_uses))
        access = cw_access_used(keyspace->access, entry->access, now_ms, &keyspace->data->rand);
    if (entry->access != access)
        entry->access = access & CW_ACCESS_MAX;
}

const struct cw_entry *cw_keyspace_read(struct cw_keyspace *keyspace, unsigned database, struct slice key,
                                        uint64_t hash, int64_t now_ms)
{
    struct cw_ref ref;
    struct cw_entry *entry = find(keyspace, database, key, hash, now_ms, &ref);
    if (!entry) {
        keyspace->stats.misses++;
        if (UNLIKELY(keyspace->announces_missed))
            keyspace->missed(keyspace->context, database, key);
        return NULL;
    }
    keyspace->stats.hits++;
    touch(keyspace, entry, now_ms);
    return entry;
}

const struct cw_entry *cw_keyspace_peek(struct cw_keyspace *keyspace, unsigned database, struct slice key,
                                        uint64_t hash, int64_t now_ms)
{
    struct cw_ref ref;
    return find(keyspace, database, key, hash, now_ms, &ref);
}

const struct cw_entry *cw_keyspace_random(struct cw_keyspace *keyspace, unsigned database)
{
    return cw_table_random(table_of(keyspace, database), &keyspace->data->rand);
}

/* ---- Changing ---- */

static inline void tell_opened(const struct cw_keyspace *keyspace, unsigned database, struct slice key, uint64_t hash,
                               bool existed)
{
    const struct cw_keyspace_observer *observer = keyspace->observer;
    if (UNLIKELY(observer != NULL))
        observer->opened(observer->context, database, key, hash, existed);
}

struct cw_entry *cw_keyspace_open(struct cw_keyspace *keyspace, unsigned database, struct slice key, uint64_t hash,
                                  int64_t now_ms, struct cw_ref *ref)
{
    ref->key = key;
    ref->hash = hash;
    ref->entry = find(keyspace, database, key, hash, now_ms, ref);
    before_change(keyspace, ref->table, hash);
    if (ref->entry)
        touch(keyspace, ref->entry, now_ms);
    ref->access = ref->entry ? ref->entry->access : cw_access_new(keyspace->access, now_ms);
    tell_opened(keyspace, database, key, hash, ref->entry != NULL);
    return ref->entry;
}

/* Drafts are in no database: nobody is told of them. */
static void announce_added(const struct cw_keyspace *keyspace, const struct cw_ref *ref)
{
    for (unsigned database = 0; database < keyspace->databases; database++)
        if (ref->table == keyspace->data->tables[database])
            keyspace->added(keyspace->context, database, cw_entry_key(ref->entry));
}

static void ref_insert(struct cw_keyspace *keyspace, struct cw_ref *ref, struct cw_entry *entry)
{
    if (UNLIKELY(keyspace->expiry_mode == CW_EXPIRY_HIDES)) {
        struct cw_entry *hidden = cw_table_find(ref->table, ref->key, ref->hash, &ref->bucket, &ref->slot);
        if (hidden) {
            cw_table_remove(ref->table, ref->hash, ref->bucket, ref->slot);
            entry_free(keyspace, hidden);
        }
    }
    cw_table_insert(ref->table, entry, ref->hash, &ref->bucket, &ref->slot);
    ref->entry = entry;
    if (UNLIKELY(keyspace->announces_added))
        announce_added(keyspace, ref);
}

static void set_kind(struct cw_ref *ref, enum cw_type type, enum cw_encoding encoding)
{
    ref->entry->kind = (uint8_t)((unsigned)type | (unsigned)encoding << 4);
    ref->entry->access = ref->access & CW_ACCESS_MAX;
}

/* Puts `entry`, of the same key, where the old one is, which is freed with its value; or adds it. */
static void ref_replace(struct cw_keyspace *keyspace, struct cw_ref *ref, struct cw_entry *entry)
{
    if (!ref->entry) {
        ref_insert(keyspace, ref, entry);
        return;
    }
    struct cw_block *block = ref->entry->flags & CW_ENTRY_BLOCK ? *cw_entry_block(ref->entry) : NULL;
    void *object = cw_entry_is_object(ref->entry) ? cw_entry_object(ref->entry) : NULL;
    enum cw_type type = cw_entry_type(ref->entry);
    ref_exchange(ref, entry);
    if (block)
        cw_arena_free_big(ref->table->arena, block);
    if (object)
        object_free(keyspace, type, object);
}

void cw_keyspace_put_expiring(struct cw_keyspace *keyspace, struct cw_ref *ref, enum cw_type type,
                              enum cw_encoding encoding, struct slice value, int64_t expire_ms)
{
    struct cw_entry *old = ref->entry;
    bool fits = old && !cw_entry_is_object(old) && !(old->flags & CW_ENTRY_EXPIRES) == (expire_ms == CW_NO_EXPIRY);
    if (fits && cw_entry_overwrite(old, value)) {
        if (expire_ms != CW_NO_EXPIRY)
            cw_keyspace_expire(keyspace, ref, expire_ms);
    } else {
        ref_replace(keyspace, ref, cw_entry_create_value(ref->table->arena, ref->key, expire_ms, value));
    }
    set_kind(ref, type, encoding);
}

void cw_keyspace_put_object(struct cw_keyspace *keyspace, struct cw_ref *ref, enum cw_type type,
                            enum cw_encoding encoding, void *object)
{
    int64_t expire_ms = ref->entry ? cw_entry_expire_ms(ref->entry) : CW_NO_EXPIRY;
    ref_replace(keyspace, ref, cw_entry_create(ref->table->arena, ref->key, expire_ms, CW_ENTRY_OBJECT, object, 0));
    set_kind(ref, type, encoding);
}

void cw_keyspace_put(struct cw_keyspace *keyspace, struct cw_ref *ref, enum cw_type type, enum cw_encoding encoding,
                     struct slice value)
{
    int64_t expire_ms = ref->entry ? cw_entry_expire_ms(ref->entry) : CW_NO_EXPIRY;
    cw_keyspace_put_expiring(keyspace, ref, type, encoding, value, expire_ms);
}

/* An inline value changes its length. */
static void resize_inline(struct cw_ref *ref, size_t length)
{
    struct cw_entry *old = ref->entry;
    size_t bytes = cw_entry_bytes(old);
    size_t kept = old->value_length < length ? old->value_length : length;
    if (cw_arena_rounded(bytes) == cw_arena_rounded(bytes - old->value_length + length)) {
        old->value_length = (uint16_t)length;
        return;
    }
    struct cw_entry *entry = cw_entry_create(ref->table->arena, ref->key, cw_entry_expire_ms(old), 0, NULL, length);
    cw_entry_inherit(entry, old);
    memcpy(cw_entry_bytes_writable(entry), cw_entry_value(old).data, kept);
    ref_exchange(ref, entry);
}

char *cw_keyspace_resize(struct cw_keyspace *keyspace, struct cw_ref *ref, size_t length)
{
    (void)keyspace;
    struct cw_arena *arena = ref->table->arena;
    struct cw_entry *old = ref->entry;
    struct slice value = cw_entry_value(old);
    size_t kept = value.length < length ? value.length : length;
    struct cw_block *old_block = old->flags & CW_ENTRY_BLOCK ? *cw_entry_block(old) : NULL;

    if (length <= CW_INLINE_VALUE_MAX && !old_block) {
        resize_inline(ref, length);
    } else if (length <= CW_INLINE_VALUE_MAX) {
        struct cw_entry *entry =
            cw_entry_create_value(arena, ref->key, cw_entry_expire_ms(old), slice_of(value.data, length));
        cw_entry_inherit(entry, old);
        ref_exchange(ref, entry);
        cw_arena_free_big(arena, old_block);
    } else if (old_block && length <= old_block->capacity && length >= old_block->capacity / 4) {
        old_block->length = length;
    } else {
        size_t room = old_block && length > value.length ? (length < GROWTH_MAX ? length : GROWTH_MAX) : 0;
        struct cw_block *block = cw_block_try_create(arena, length, length + room);
        if (!block)
            return NULL;
        memcpy(block->bytes, value.data, kept);
        if (old_block) {
            *cw_entry_block(old) = block;
            cw_arena_free_big(arena, old_block);
        } else {
            struct cw_entry *entry =
                cw_entry_create(arena, ref->key, cw_entry_expire_ms(old), CW_ENTRY_BLOCK, block, 0);
            cw_entry_inherit(entry, old);
            ref_exchange(ref, entry);
        }
    }
    char *bytes = cw_entry_bytes_writable(ref->entry);
    memset(bytes + kept, 0, length - kept);
    return bytes;
}

void cw_keyspace_set_encoding(struct cw_ref *ref, enum cw_encoding encoding)
{
    ref->entry->kind = (uint8_t)((unsigned)cw_entry_type(ref->entry) | (unsigned)encoding << 4);
}

void cw_keyspace_delete(struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    cw_table_remove(ref->table, ref->hash, ref->bucket, ref->slot);
    entry_free(keyspace, ref->entry);
    cw_table_merge(ref->table, ref->hash);
    ref->entry = NULL;
    ref->bucket = NULL;
}

void cw_keyspace_note_part(struct cw_ref *ref, int64_t expire_ms)
{
    CHECK(cw_entry_is_object(ref->entry));
    ref->table->with_parts += !cw_entry_has(ref->entry, CW_ENTRY_PARTS);
    ref->entry->flags |= CW_ENTRY_PARTS;
    cw_table_note_due(ref->table, ref->hash, expire_ms);
}

void cw_keyspace_expire(struct cw_keyspace *keyspace, struct cw_ref *ref, int64_t expire_ms)
{
    (void)keyspace;
    if (expire_ms == CW_NO_EXPIRY)
        expire_ms++; /* A date like any other, but for its meaning here. */
    if (ref->entry->flags & CW_ENTRY_EXPIRES) {
        memcpy(cw_entry_after_header(ref->entry), &expire_ms, sizeof(expire_ms));
        cw_table_note_due(ref->table, ref->hash, expire_ms);
    } else {
        ref_exchange(ref, cw_entry_relay(ref->table->arena, ref->entry, ref->key, expire_ms));
    }
}

bool cw_keyspace_persist(struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    (void)keyspace;
    if (!(ref->entry->flags & CW_ENTRY_EXPIRES))
        return false;
    ref_exchange(ref, cw_entry_relay(ref->table->arena, ref->entry, ref->key, CW_NO_EXPIRY));
    return true;
}

/* The entry of a key as it stands in the table, due or not. */
static struct cw_entry *find_raw(struct cw_keyspace *keyspace, const struct cw_key *key, struct cw_ref *ref)
{
    *ref = (struct cw_ref){.key = key->name, .hash = key->hash, .table = table_of(keyspace, key->database)};
    ref->entry = cw_table_find(ref->table, key->name, key->hash, &ref->bucket, &ref->slot);
    before_change(keyspace, ref->table, key->hash);
    return ref->entry;
}

static void replace(struct cw_keyspace *keyspace, const struct cw_key *key, struct cw_entry *entry)
{
    struct cw_ref ref;
    bool existed = find_raw(keyspace, key, &ref) != NULL;
    tell_opened(keyspace, key->database, key->name, key->hash, existed);
    if (existed)
        cw_keyspace_delete(keyspace, &ref);
    ref_insert(keyspace, &ref, entry);
}

/* The entry of a key leaves its place; returns it as that of another name. */
static struct cw_entry *take_out(struct cw_ref *from, const struct cw_key *to)
{
    struct cw_entry *old = from->entry;
    struct cw_entry *entry = cw_entry_relay(from->table->arena, old, to->name, cw_entry_expire_ms(old));
    cw_table_remove(from->table, from->hash, from->bucket, from->slot);
    cw_entry_free_shell(from->table->arena, old);
    cw_table_merge(from->table, from->hash);
    from->entry = NULL;
    return entry;
}

void cw_keyspace_move(struct cw_keyspace *keyspace, const struct cw_key *from, const struct cw_key *to)
{
    struct cw_ref source;
    CHECK(find_raw(keyspace, from, &source) != NULL);
    tell_opened(keyspace, from->database, from->name, from->hash, true);
    replace(keyspace, to, take_out(&source, to));
}

/* What another entry would point to for the same value; NULL when there is no memory. */
static void *copy_pointed(struct cw_keyspace *keyspace, const struct cw_entry *entry)
{
    struct cw_arena *arena = keyspace->data->arena;
    if (cw_entry_is_object(entry))
        return keyspace->data->objects[cw_entry_type(entry)]->copy(arena, cw_entry_object(entry));
    struct slice value = cw_entry_value(entry);
    struct cw_block *block = cw_block_try_create(arena, value.length, value.length);
    if (block)
        memcpy(block->bytes, value.data, value.length);
    return block;
}

bool cw_keyspace_copy(struct cw_keyspace *keyspace, const struct cw_key *from, const struct cw_key *to)
{
    struct cw_arena *arena = keyspace->data->arena;
    struct cw_ref source;
    struct cw_entry *old = find_raw(keyspace, from, &source);
    CHECK(old != NULL);
    int64_t expire_ms = cw_entry_expire_ms(old);
    struct cw_entry *entry;
    if (old->flags & CW_ENTRY_POINTER) {
        void *pointed = copy_pointed(keyspace, old);
        if (!pointed)
            return false;
        entry = cw_entry_create(arena, to->name, expire_ms, old->flags & CW_ENTRY_POINTER, pointed, 0);
    } else {
        entry = cw_entry_create_value(arena, to->name, expire_ms, cw_entry_value(old));
    }
    cw_entry_inherit(entry, old);
    replace(keyspace, to, entry);
    return true;
}

/* ---- Drafts ---- */

void cw_keyspace_open_draft(struct cw_keyspace *keyspace, int64_t now_ms, struct cw_ref *ref)
{
    struct cw_table *drafts = keyspace->data->drafts;
    CHECK(drafts->count == 0);
    *ref = (struct cw_ref){.table = drafts, .access = cw_access_new(keyspace->access, now_ms)};
}

void cw_keyspace_store_draft(struct cw_keyspace *keyspace, struct cw_ref *ref, const struct cw_key *to)
{
    CHECK(ref->table == keyspace->data->drafts && ref->entry != NULL);
    struct cw_entry *entry = take_out(ref, to);
    struct cw_ref place;
    bool existed = find_raw(keyspace, to, &place) != NULL;
    tell_opened(keyspace, to->database, to->name, to->hash, existed);
    ref_replace(keyspace, &place, entry);
}

/* ---- Whole databases ---- */

uint64_t cw_keyspace_flush(struct cw_keyspace *keyspace, unsigned database, bool now)
{
    struct data *data = keyspace->data;
    struct cw_table *table = table_of(keyspace, database);
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
    entry_free((struct cw_keyspace *)context, entry);
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

/* ---- Compaction ---- */

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
            const struct cw_object_operations *operations = keyspace->data->objects[cw_entry_type(entry)];
            compaction->object = number;
            if (operations->compact_step &&
                (*budget == 0 || operations->compact_step(cw_entry_object(entry), &compaction->inner, budget)))
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
    uint64_t next = cw_table_compact(table, compaction->position, NULL, NULL);
    *budget -= *budget < CW_SEGMENT_SPLIT ? *budget : CW_SEGMENT_SPLIT;
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

void cw_keyspace_swap_databases(struct cw_keyspace *keyspace, unsigned a, unsigned b)
{
    struct cw_table *table = table_of(keyspace, a);
    keyspace->data->tables[a] = table_of(keyspace, b);
    keyspace->data->tables[b] = table;
    if (LIKELY(keyspace->observer == NULL))
        return;
    keyspace->observer->swapped(keyspace->observer->context, a);
    keyspace->observer->swapped(keyspace->observer->context, b);
}

void cw_keyspace_swap(struct cw_keyspace *a, struct cw_keyspace *b)
{
    CHECK(a->databases == b->databases);
    struct data *data = a->data;
    a->data = b->data;
    b->data = data;
}

/* ---- Walking ---- */

static void visit_bucket(const struct cw_place *place, unsigned database, cw_visitor visitor, void *context)
{
    const struct cw_bucket *bucket = &place->segment->buckets[place->index];
    unsigned count = cw_bucket_count(bucket);
    for (unsigned i = 0; i < count; i++)
        visitor(context, database, cw_bucket_at(bucket, i));
}

uint64_t cw_keyspace_scan(const struct cw_keyspace *keyspace, unsigned database, uint64_t cursor, cw_visitor visitor,
                          void *context)
{
    if (cursor > UINT64_MAX >> CURSOR_SHIFT)
        return 0;
    struct cw_place place = cw_table_place(table_of(keyspace, database), cursor << CURSOR_SHIFT);
    if (!place.segment)
        return 0;
    visit_bucket(&place, database, visitor, context);
    return place.next >> CURSOR_SHIFT;
}

void cw_keyspace_for_each(const struct cw_keyspace *keyspace, unsigned database, cw_visitor visitor, void *context)
{
    uint64_t cursor = 0;
    do {
        cursor = cw_keyspace_scan(keyspace, database, cursor, visitor, context);
    } while (cursor != 0);
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
    return is_past(entry, cycle->now_ms) || has_due_parts(cycle->keyspace, entry, cycle->now_ms);
}

/* Deletes the entry, or what is due of it. False: the budget was used up before. */
static bool expire_slot(struct cycle *cycle, const struct cw_place *place, struct cw_bucket *bucket, unsigned slot)
{
    struct cw_keyspace *keyspace = cycle->keyspace;
    struct cw_table *table = table_of(keyspace, cycle->database);
    struct cw_entry *entry = bucket->slots[slot];
    if (is_past(entry, cycle->now_ms)) {
        expire_entry(keyspace, cycle->database, table, place->first, bucket, slot);
        cycle->deleted++;
        return true;
    }
    cycle->deleted += expire_parts(keyspace, cycle->database, table, place->first, entry, cycle->budget, cycle->now_ms);
    if (operations_of(keyspace, entry)->count(cw_entry_object(entry)) == 0) {
        cw_table_remove(table, place->first, bucket, slot); /* Whoever was told of the last part knows. */
        entry_free(keyspace, entry);
        return true;
    }
    return !has_due_parts(keyspace, entry, cycle->now_ms);
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
    const struct cw_table *table = table_of(cycle->keyspace, cycle->database);
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
    struct cw_table *table = table_of(keyspace, database);
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

/* ---- Eviction ---- */

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
    const struct cw_table *table = table_of(keyspace, database);
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
    const struct cw_table *table = table_of(keyspace, database);
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
    return find_entry(table_of(keyspace, database), hash, entry, &bucket, &slot);
}

void cw_keyspace_evict(struct cw_keyspace *keyspace, unsigned database, uint64_t hash, const struct cw_entry *entry)
{
    struct cw_ref ref = {.hash = hash, .table = table_of(keyspace, database)};
    CHECK(find_entry(ref.table, hash, entry, &ref.bucket, &ref.slot));
    ref.entry = ref.bucket->slots[ref.slot];
    before_change(keyspace, ref.table, hash);
    cw_keyspace_delete(keyspace, &ref);
}
