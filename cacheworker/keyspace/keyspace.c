#include "cacheworker/keyspace/keyspace.h"

#include "cacheworker/keyspace/entry_memory.h"
#include "cacheworker/keyspace/keyspace_internal.h"
#include "common/base/mem.h"

enum {
    GROWTH_MAX = 1 << 20,   /* a growing value gets as much room again, but not more than this */
    TOUCHED_PARTS = 64,     /* that are due, and removed when a key is touched; active expiry does the rest */
    CURSOR_SHIFT = 64 - 53, /* hashes are cut to what a double holds; no bucket is that small */
};
_Static_assert(CURSOR_SHIFT <= 64 - CW_SEGMENT_BUCKET_BITS - CW_DEPTH_MAX, "cursors name buckets");

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
        cw_keyspace_flush(keyspace, i);
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

uint64_t cw_keyspace_count(const struct cw_keyspace *keyspace, unsigned database)
{
    return cw_keyspace_table(keyspace, database)->count;
}

uint64_t cw_keyspace_count_expires(const struct cw_keyspace *keyspace, unsigned database)
{
    return cw_keyspace_table(keyspace, database)->expires;
}

bool cw_keyspace_expects_due(const struct cw_keyspace *keyspace, unsigned database)
{
    const struct cw_table *table = cw_keyspace_table(keyspace, database);
    return table->expires > 0 || table->with_parts > 0;
}

struct cw_keyspace_stats *cw_keyspace_stats(struct cw_keyspace *keyspace)
{
    return &keyspace->stats;
}

static size_t bytes_beside_arena(const struct cw_keyspace *keyspace)
{
    return sizeof(*keyspace) + sizeof(*keyspace->data);
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
    return cw_table_used_bytes(cw_keyspace_table(keyspace, database)) - sizeof(struct cw_table);
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
    const struct cw_table *table = cw_keyspace_table(keyspace, database);
    if (table->directory)
        __builtin_prefetch(cw_table_bucket(table, hash));
}

void cw_keyspace_prefetch_entry(const struct cw_keyspace *keyspace, unsigned database, uint64_t hash)
{
    const struct cw_table *table = cw_keyspace_table(keyspace, database);
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

/* ---- Entries ---- */

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

const struct cw_entry *cw_keyspace_standing(const struct cw_keyspace *keyspace, unsigned database, struct slice key,
                                            uint64_t hash)
{
    struct cw_bucket *bucket;
    unsigned slot;
    return cw_table_find(cw_keyspace_table(keyspace, database), key, hash, &bucket, &slot);
}

/* The entry, unless it is due; what is due, the entry or parts of it, is deleted where that is this node's to do. */
static struct cw_entry *find(struct cw_keyspace *keyspace, unsigned database, struct slice key, uint64_t hash,
                             int64_t now_ms, struct cw_ref *ref)
{
    ref->table = cw_keyspace_table(keyspace, database);
    struct cw_entry *entry = cw_table_find(ref->table, key, hash, &ref->bucket, &ref->slot);
    if (!entry || LIKELY(!(entry->flags & (CW_ENTRY_EXPIRES | CW_ENTRY_PARTS))))
        return entry;
    bool deletes = keyspace->expiry_mode == CW_EXPIRY_DELETES;
    if (!cw_keyspace_is_due(keyspace, entry, now_ms)) {
        unsigned budget = TOUCHED_PARTS * CW_REMOVE_COST;
        if (deletes && cw_keyspace_has_due_parts(keyspace, entry, now_ms))
            (void)cw_keyspace_expire_parts(keyspace, database, ref->table, hash, entry, &budget, now_ms);
        return entry;
    }
    if (deletes) {
        cw_keyspace_expire_entry(keyspace, database, ref->table, hash, ref->bucket, ref->slot);
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
    return cw_table_random(cw_keyspace_table(keyspace, database), &keyspace->data->rand);
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
    ref->database = database;
    ref->parts_from_ms = keyspace->expiry_mode == CW_EXPIRY_DELETES ? now_ms : 0;
    ref->entry = find(keyspace, database, key, hash, now_ms, ref);
    cw_keyspace_before_change(keyspace, ref->table, hash, ref->entry);
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
            cw_keyspace_discard(keyspace, hidden);
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
        cw_keyspace_discard_block(keyspace, block);
    if (object)
        cw_keyspace_discard_object(keyspace, type, object);
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
        cw_block_free(arena, old_block);
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
            cw_block_free(arena, old_block);
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
    cw_keyspace_discard(keyspace, ref->entry);
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
    *ref = (struct cw_ref){.key = key->name, .hash = key->hash, .table = cw_keyspace_table(keyspace, key->database)};
    ref->entry = cw_table_find(ref->table, key->name, key->hash, &ref->bucket, &ref->slot);
    cw_keyspace_before_change(keyspace, ref->table, key->hash, ref->entry);
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

void cw_keyspace_swap_databases(struct cw_keyspace *keyspace, unsigned a, unsigned b)
{
    struct cw_table *table = cw_keyspace_table(keyspace, a);
    keyspace->data->tables[a] = cw_keyspace_table(keyspace, b);
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
    struct cw_place place = cw_table_place(cw_keyspace_table(keyspace, database), cursor << CURSOR_SHIFT);
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
