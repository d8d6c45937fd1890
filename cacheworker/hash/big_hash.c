#include "cacheworker/hash/big_hash.h"

#include "cacheworker/keyspace/table.h"

enum { EXPIRED_AT_ONCE = 64 }; /* fields: a command of the stream names so many */

struct cw_big_hash *cw_big_hash_create(struct cw_arena *arena, const struct cw_hash_key *hash_key)
{
    struct cw_big_hash *hash = cw_arena_alloc(arena, sizeof(*hash));
    *hash = (struct cw_big_hash){.arena = arena, .fields = cw_dictionary_create(arena, hash_key)};
    return hash;
}

/* ---- Expiries: dates are below 2^53, so that a double is one ---- */

static void add_expiry(struct cw_big_hash *hash, const struct cw_entry *member)
{
    if (!cw_entry_has(member, CW_ENTRY_EXPIRES))
        return;
    if (!hash->expiries)
        hash->expiries = cw_order_create(hash->arena);
    cw_order_insert(hash->expiries, hash->arena, (double)cw_entry_expire_ms(member), member);
}

static void remove_expiry(struct cw_big_hash *hash, const struct cw_entry *member)
{
    if (!cw_entry_has(member, CW_ENTRY_EXPIRES))
        return;
    cw_order_remove(hash->expiries, hash->arena, (double)cw_entry_expire_ms(member), cw_entry_key(member));
    if (cw_order_count(hash->expiries) > 0)
        return;
    cw_order_destroy(hash->expiries, hash->arena);
    hash->expiries = NULL;
}

int64_t cw_big_hash_earliest_due(const struct cw_big_hash *hash)
{
    struct cw_order_place place;
    if (!hash->expiries || !cw_order_first(hash->expiries, &place))
        return INT64_MAX;
    return cw_entry_expire_ms(cw_order_item(&place).member);
}

uint64_t cw_big_hash_count_expiries(const struct cw_big_hash *hash)
{
    return hash->expiries ? cw_order_count(hash->expiries) : 0;
}

uint64_t cw_big_hash_count_due(const struct cw_big_hash *hash, int64_t now_ms)
{
    return hash->expiries ? cw_order_rank_of(hash->expiries, (double)now_ms, slice_of("", 0)) : 0;
}

const struct cw_entry *cw_big_hash_by_expiry(const struct cw_big_hash *hash, uint64_t rank)
{
    struct cw_order_place place;
    CHECK(hash->expiries && cw_order_at(hash->expiries, rank, &place));
    return cw_order_item(&place).member;
}

/* ---- Fields ---- */

bool cw_big_hash_put(struct cw_big_hash *hash, struct slice field, struct slice value, int64_t expire_ms)
{
    bool is_new;
    const struct cw_entry *old = hash->expiries ? cw_dictionary_find(hash->fields, field) : NULL;
    if (old)
        remove_expiry(hash, old);
    add_expiry(hash, cw_dictionary_put(hash->fields, field, value, expire_ms, &is_new));
    return is_new;
}

bool cw_big_hash_expire(struct cw_big_hash *hash, struct slice field, int64_t expire_ms)
{
    const struct cw_entry *old = cw_dictionary_find(hash->fields, field);
    if (!old)
        return false;
    remove_expiry(hash, old);
    add_expiry(hash, cw_dictionary_expire(hash->fields, field, expire_ms));
    return true;
}

bool cw_big_hash_remove(struct cw_big_hash *hash, struct slice field)
{
    const struct cw_entry *old = hash->expiries ? cw_dictionary_find(hash->fields, field) : NULL;
    if (old)
        remove_expiry(hash, old);
    return cw_dictionary_remove(hash->fields, field);
}

/* ---- As an object ---- */

static void copy_expiry(void *context, const struct cw_entry *member)
{
    add_expiry((struct cw_big_hash *)context, member);
}

static void *copy_object(struct cw_arena *arena, const void *object)
{
    const struct cw_big_hash *from = object;
    struct cw_big_hash *hash = cw_arena_alloc(arena, sizeof(*hash));
    *hash = (struct cw_big_hash){.arena = arena, .fields = cw_dictionary_copy(from->fields)};
    if (from->expiries)
        cw_dictionary_for_each(hash->fields, copy_expiry, hash);
    return hash;
}

static bool free_object(struct cw_arena *arena, void *object, unsigned *budget)
{
    struct cw_big_hash *hash = object;
    if (hash->expiries && cw_order_free_step(hash->expiries, arena, budget))
        return true;
    hash->expiries = NULL;
    if (cw_dictionary_free_step(hash->fields, budget))
        return true;
    cw_arena_free(arena, hash, sizeof(*hash));
    return false;
}

static size_t object_bytes(const void *object)
{
    const struct cw_big_hash *hash = object;
    return cw_arena_rounded(sizeof(*hash)) + cw_dictionary_used_bytes(hash->fields) +
           (hash->expiries ? cw_order_used_bytes(hash->expiries) : 0);
}

static uint64_t object_count(const void *object)
{
    return cw_dictionary_count(((const struct cw_big_hash *)object)->fields);
}

static void member_moved(void *context, const struct cw_entry *old, struct cw_entry *entry)
{
    struct cw_big_hash *hash = context;
    if (cw_entry_has(entry, CW_ENTRY_EXPIRES))
        cw_order_repoint(hash->expiries, (double)cw_entry_expire_ms(entry), old, entry);
}

static bool compact_object(struct cw_arena *arena, void **object, uint64_t *position, unsigned *budget)
{
    if (*position == 0)
        *object = cw_arena_move(arena, *object, sizeof(struct cw_big_hash), budget);
    struct cw_big_hash *hash = *object;
    return cw_order_compact_with(&hash->fields, &hash->expiries, arena, position, budget, member_moved, hash);
}

static int64_t object_earliest_due(const void *object)
{
    return cw_big_hash_earliest_due(object);
}

static bool object_is_due(const void *object, int64_t now_ms)
{
    const struct cw_big_hash *hash = object;
    struct cw_order_place last;
    return cw_big_hash_count_expiries(hash) == cw_dictionary_count(hash->fields) &&
           cw_order_last(hash->expiries, &last) && cw_entry_expire_ms(cw_order_item(&last).member) < now_ms;
}

/* The names of the first fields that are due, EXPIRED_AT_ONCE at most; returns how many. */
static size_t first_due(const struct cw_big_hash *hash, int64_t now_ms, struct slice *names)
{
    struct cw_order_place place;
    size_t count = 0;
    bool is_there = hash->expiries && cw_order_first(hash->expiries, &place);
    for (; is_there && count < EXPIRED_AT_ONCE; is_there = cw_order_next(hash->expiries, &place)) {
        const struct cw_entry *member = cw_order_item(&place).member;
        if (cw_entry_expire_ms(member) >= now_ms)
            break;
        names[count++] = cw_entry_key(member);
    }
    return count;
}

static bool object_expire(void *object, int64_t now_ms, unsigned *budget, cw_expired_parts expired, void *context)
{
    struct cw_big_hash *hash = object;
    while (*budget > 0) {
        struct slice names[EXPIRED_AT_ONCE];
        size_t count = first_due(hash, now_ms, names);
        if (count == 0)
            return false;
        expired(context, names, count);
        for (size_t i = 0; i < count; i++)
            (void)cw_big_hash_remove(hash, names[i]);
        cw_spend(budget, CW_REMOVE_COST * (unsigned)count);
    }
    return cw_big_hash_earliest_due(hash) < now_ms;
}

const struct cw_object_operations cw_hash_operations = {
    .copy = copy_object,
    .free_step = free_object,
    .used_bytes = object_bytes,
    .count = object_count,
    .compact_step = compact_object,
    .earliest_due = object_earliest_due,
    .is_due = object_is_due,
    .expire_step = object_expire,
};
