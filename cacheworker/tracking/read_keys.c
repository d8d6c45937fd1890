#include "cacheworker/tracking/read_keys.h"

#include "cacheworker/keyspace/hash.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/rand.h"

enum {
    SLOTS_FIRST = 16,
    MOVED_PER_ADDITION = 4, /* slots of the old table, so that it is empty before the new one is full */
};

struct entry {
    struct entry *next; /* in its slot */
    struct list age;    /* in keys->oldest, or in keys->garbage */
    uint64_t hash;
    uint64_t *readers; /* owned; ascending */
    uint32_t count;
    uint32_t capacity;
    size_t length;
    char name[];
};

struct slots {
    struct entry **at; /* owned; NULL: there are none */
    size_t count;      /* a power of two */
};

struct cw_read_keys {
    struct cw_hash_key hash_key;
    cw_reader_is_alive is_alive;
    void *context;
    struct slots slots;
    struct slots old; /* what was not moved yet while the table grows */
    size_t moved;     /* slots of old */
    size_t count;
    uint64_t readers;
    struct list oldest; /* all entries, the oldest first */
    struct list garbage;
};

static struct slots make_slots(size_t count)
{
    return (struct slots){mem_zero(count * sizeof(struct entry *)), count};
}

struct cw_read_keys *cw_read_keys_create(uint64_t seed, cw_reader_is_alive is_alive, void *context)
{
    struct cw_read_keys *keys = mem_zero(sizeof(*keys));
    keys->hash_key = (struct cw_hash_key){{rand_mix(seed), rand_mix(seed + 1)}};
    keys->is_alive = is_alive;
    keys->context = context;
    keys->slots = make_slots(SLOTS_FIRST);
    list_init(&keys->oldest);
    list_init(&keys->garbage);
    return keys;
}

void cw_read_keys_destroy(struct cw_read_keys *keys)
{
    if (keys == NULL)
        return;
    cw_read_keys_clear(keys);
    (void)cw_read_keys_free_step(keys, UINT32_MAX);
    mem_free(keys->slots.at);
    mem_free(keys);
}

/* --- slots --- */

static struct slice name_of(const struct entry *entry)
{
    return slice_of(entry->name, entry->length);
}

static struct entry **slot_of(const struct slots *slots, uint64_t hash)
{
    return &slots->at[hash & (slots->count - 1)];
}

static struct entry **find_in(const struct slots *slots, struct slice key, uint64_t hash)
{
    struct entry **place = slot_of(slots, hash);
    while (*place != NULL && !((*place)->hash == hash && slice_equal(name_of(*place), key)))
        place = &(*place)->next;
    return place;
}

/* Where the pointer to the entry is; where there is none, the place for a new one. */
static struct entry **find(const struct cw_read_keys *keys, struct slice key, uint64_t hash)
{
    if (keys->old.at != NULL) {
        struct entry **place = find_in(&keys->old, key, hash);
        if (*place != NULL)
            return place;
    }
    return find_in(&keys->slots, key, hash);
}

static void insert(struct slots *slots, struct entry *entry)
{
    struct entry **slot = slot_of(slots, entry->hash);
    entry->next = *slot;
    *slot = entry;
}

static void move_some(struct cw_read_keys *keys)
{
    if (keys->old.at == NULL)
        return;
    for (unsigned i = 0; i < MOVED_PER_ADDITION && keys->moved < keys->old.count; i++, keys->moved++) {
        for (struct entry *entry = keys->old.at[keys->moved], *next; entry != NULL; entry = next) {
            next = entry->next;
            insert(&keys->slots, entry);
        }
        keys->old.at[keys->moved] = NULL;
    }
    if (keys->moved == keys->old.count) {
        mem_free(keys->old.at);
        keys->old = (struct slots){NULL, 0};
    }
}

static void grow(struct cw_read_keys *keys)
{
    keys->old = keys->slots;
    keys->moved = 0;
    keys->slots = make_slots(2 * keys->old.count);
}

static struct entry *take_entry(struct cw_read_keys *keys, struct slice key)
{
    uint64_t hash = cw_hash(&keys->hash_key, key);
    struct entry **place = find(keys, key, hash);
    if (*place != NULL)
        return *place;
    move_some(keys);
    if (keys->count == keys->slots.count && keys->old.at == NULL)
        grow(keys);
    struct entry *entry = mem_zero(sizeof(*entry) + key.length);
    entry->hash = hash;
    entry->length = key.length;
    memcpy(entry->name, key.data, key.length);
    insert(&keys->slots, entry);
    list_add_last(&keys->oldest, &entry->age);
    keys->count++;
    return entry;
}

static void free_entry(struct entry *entry)
{
    list_remove(&entry->age);
    mem_free(entry->readers);
    mem_free(entry);
}

/* --- readers --- */

/* The place of the first that is not below `reader`. */
static uint32_t place_of(const struct entry *entry, uint64_t reader)
{
    uint32_t low = 0;
    for (uint32_t high = entry->count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (entry->readers[middle] < reader)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void drop_dead(struct cw_read_keys *keys, struct entry *entry)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < entry->count; i++) {
        if (keys->is_alive(keys->context, entry->readers[i]))
            entry->readers[kept++] = entry->readers[i];
    }
    keys->readers -= entry->count - kept;
    entry->count = kept;
}

/* Room for one more: that of the dead, where they were half. */
static void make_room(struct cw_read_keys *keys, struct entry *entry)
{
    if (entry->count < entry->capacity)
        return;
    drop_dead(keys, entry);
    if (entry->count <= entry->capacity / 2 && entry->capacity > 0)
        return;
    entry->capacity = entry->capacity ? 2 * entry->capacity : 1;
    entry->readers = mem_resize(entry->readers, entry->capacity * sizeof(uint64_t));
}

void cw_read_keys_add(struct cw_read_keys *keys, struct slice key, uint64_t reader)
{
    (void)cw_read_keys_free_step(keys, 2);
    struct entry *entry = take_entry(keys, key);
    uint32_t place = place_of(entry, reader);
    if (place < entry->count && entry->readers[place] == reader)
        return;
    make_room(keys, entry);
    place = place_of(entry, reader);
    memmove(entry->readers + place + 1, entry->readers + place, (entry->count - place) * sizeof(uint64_t));
    entry->readers[place] = reader;
    entry->count++;
    keys->readers++;
}

void cw_read_keys_take(struct cw_read_keys *keys, struct slice key, void (*tell)(void *context, uint64_t reader),
                       void *context)
{
    if (keys->count == 0)
        return;
    struct entry **place = find(keys, key, cw_hash(&keys->hash_key, key));
    struct entry *entry = *place;
    if (entry == NULL)
        return;
    for (uint32_t i = 0; i < entry->count; i++)
        tell(context, entry->readers[i]);
    *place = entry->next;
    keys->count--;
    keys->readers -= entry->count;
    free_entry(entry);
}

/* --- all of it --- */

/* The members of `from` go behind those of `to`. */
static void append_all(struct list *to, struct list *from)
{
    struct list *first = from->next;
    struct list *last = from->previous;
    list_remove(from); /* now they are a ring without a head, and `from` is empty */
    first->previous = to->previous;
    to->previous->next = first;
    last->next = to;
    to->previous = last;
}

struct slice cw_read_keys_oldest(const struct cw_read_keys *keys)
{
    CHECK(keys->count > 0);
    return name_of(LIST_ENTRY(keys->oldest.next, struct entry, age));
}

void cw_read_keys_clear(struct cw_read_keys *keys)
{
    if (keys->count == 0)
        return;
    append_all(&keys->garbage, &keys->oldest);
    mem_free(keys->slots.at);
    mem_free(keys->old.at);
    keys->old = (struct slots){NULL, 0};
    keys->slots = make_slots(SLOTS_FIRST);
    keys->count = 0;
    keys->readers = 0;
}

bool cw_read_keys_free_step(struct cw_read_keys *keys, unsigned budget)
{
    for (; budget > 0 && !list_is_empty(&keys->garbage); budget--)
        free_entry(LIST_ENTRY(keys->garbage.next, struct entry, age));
    return !list_is_empty(&keys->garbage);
}

size_t cw_read_keys_count(const struct cw_read_keys *keys)
{
    return keys->count;
}

uint64_t cw_read_keys_readers(const struct cw_read_keys *keys)
{
    return keys->readers;
}
