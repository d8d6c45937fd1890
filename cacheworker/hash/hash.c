#include "cacheworker/hash/hash.h"

#include "cacheworker/keyspace/packed_entry.h"
#include "common/base/rand.h"

enum {
    PICKS_MAX = 100, /* at random, before all fields are looked at */
};

/* ---- Reading ---- */

static struct cw_big_hash *big_of(const struct cw_entry *entry)
{
    return cw_entry_object(entry);
}

static struct cw_dictionary *fields_of(const struct cw_entry *entry)
{
    return big_of(entry)->fields;
}

static bool is_seen(const struct cw_entry *member, int64_t from_ms)
{
    return !(member->flags & CW_ENTRY_EXPIRES) || cw_entry_expire_ms(member) >= from_ms;
}

static uint64_t count_all(const struct cw_entry *entry)
{
    return cw_entry_is_object(entry) ? cw_dictionary_count(fields_of(entry))
                                     : cw_listpack_count(cw_entry_value(entry)) / 2;
}

/* How many fields are there that are not seen. */
static uint64_t count_hidden(const struct cw_entry *entry, int64_t from_ms)
{
    return entry->flags & CW_ENTRY_PARTS ? cw_big_hash_count_due(big_of(entry), from_ms) : 0;
}

uint64_t cw_hash_count(const struct cw_entry *entry, int64_t from_ms)
{
    return count_all(entry) - count_hidden(entry, from_ms);
}

static struct cw_packed_value text_value(struct slice text)
{
    return (struct cw_packed_value){.text = slice_of(text.data ? text.data : "", text.length)};
}

static size_t find_packed(struct slice listpack, struct slice field)
{
    struct cw_packed_needle needle = cw_packed_needle(field);
    return cw_listpack_find(listpack, cw_listpack_first(listpack), &needle, 2);
}

static const struct cw_entry *find_member(const struct cw_entry *entry, int64_t from_ms, struct slice field)
{
    const struct cw_entry *member = cw_dictionary_find(fields_of(entry), field);
    return member && is_seen(member, from_ms) ? member : NULL;
}

bool cw_hash_get(const struct cw_entry *entry, int64_t from_ms, struct slice field, struct cw_packed_value *ret_value)
{
    if (cw_entry_is_object(entry)) {
        const struct cw_entry *member = find_member(entry, from_ms, field);
        if (member)
            *ret_value = text_value(cw_entry_value(member));
        return member != NULL;
    }
    struct slice listpack = cw_entry_value(entry);
    size_t place = find_packed(listpack, field);
    if (place == CW_LISTPACK_END)
        return false;
    *ret_value = cw_listpack_value(listpack, cw_listpack_next(listpack, place));
    return true;
}

bool cw_hash_expiry(const struct cw_entry *entry, int64_t from_ms, struct slice field, int64_t *ret_expire_ms)
{
    const struct cw_entry *member = cw_entry_is_object(entry) ? find_member(entry, from_ms, field) : NULL;
    bool exists =
        member || (!cw_entry_is_object(entry) && find_packed(cw_entry_value(entry), field) != CW_LISTPACK_END);
    if (exists)
        *ret_expire_ms = member ? cw_entry_expire_ms(member) : CW_NO_EXPIRY;
    return exists;
}

bool cw_hash_has_expiry(const struct cw_entry *entry)
{
    return entry->flags & CW_ENTRY_PARTS && cw_big_hash_count_expiries(big_of(entry)) > 0;
}

static void stand_at(struct cw_hash_walk *walk, struct slice listpack, size_t place)
{
    walk->expire_ms = CW_NO_EXPIRY;
    walk->field = cw_listpack_value(listpack, place);
    place = cw_listpack_next(listpack, place);
    walk->value = cw_listpack_value(listpack, place);
    walk->place = cw_listpack_next(listpack, place);
}

static void stand_on(struct cw_hash_walk *walk, const struct cw_entry *member)
{
    walk->field = text_value(cw_entry_key(member));
    walk->value = text_value(cw_entry_value(member));
    walk->expire_ms = cw_entry_expire_ms(member);
}

bool cw_hash_next(const struct cw_entry *entry, struct cw_hash_walk *walk)
{
    if (cw_entry_is_object(entry)) {
        const struct cw_entry *member = cw_dictionary_next(fields_of(entry), &walk->dictionary);
        while (member && !is_seen(member, walk->from_ms))
            member = cw_dictionary_next(fields_of(entry), &walk->dictionary);
        if (member)
            stand_on(walk, member);
        return member != NULL;
    }
    struct slice listpack = cw_entry_value(entry);
    size_t place = walk->has_begun ? walk->place : cw_listpack_first(listpack);
    walk->has_begun = true;
    if (place == CW_LISTPACK_END)
        return false;
    stand_at(walk, listpack, place);
    return true;
}

/* The field at that place among those that never expire. */
static const struct cw_entry *lasting_at(const struct cw_dictionary *fields, uint64_t index)
{
    struct cw_dictionary_walk walk = {0};
    for (;;) {
        const struct cw_entry *member = cw_dictionary_next(fields, &walk);
        CHECK(member != NULL);
        if (!cw_entry_has(member, CW_ENTRY_EXPIRES) && index-- == 0)
            return member;
    }
}

/* One of so many that never expire. */
static const struct cw_entry *pick_lasting(const struct cw_dictionary *fields, uint64_t count, struct rand *rand)
{
    for (unsigned pick = 0; pick < PICKS_MAX; pick++) {
        const struct cw_entry *member = cw_dictionary_random(fields, rand);
        if (!cw_entry_has(member, CW_ENTRY_EXPIRES))
            return member;
    }
    return lasting_at(fields, rand_below(rand, count));
}

static const struct cw_entry *pick_member(const struct cw_entry *entry, int64_t from_ms, struct rand *rand)
{
    const struct cw_big_hash *big = big_of(entry);
    uint64_t hidden = count_hidden(entry, from_ms);
    uint64_t expiring = cw_big_hash_count_expiries(big) - hidden;
    uint64_t lasting = count_all(entry) - hidden - expiring;
    uint64_t index = expiring > 0 ? rand_below(rand, expiring + lasting) : 0;
    return index < expiring ? cw_big_hash_by_expiry(big, hidden + index) : pick_lasting(big->fields, lasting, rand);
}

void cw_hash_random(const struct cw_entry *entry, int64_t from_ms, struct rand *rand, struct cw_hash_walk *ret_pick)
{
    if (cw_entry_is_object(entry)) {
        stand_on(ret_pick, pick_member(entry, from_ms, rand));
        return;
    }
    struct slice listpack = cw_entry_value(entry);
    uint64_t index = rand_below(rand, count_all(entry));
    stand_at(ret_pick, listpack, cw_listpack_at(listpack, (int64_t)(2 * index)));
}

struct scan {
    int64_t from_ms;
    cw_hash_visitor visitor;
    void *context;
};

static void visit(void *context, const struct cw_entry *member)
{
    struct scan *scan = context;
    if (!is_seen(member, scan->from_ms))
        return;
    struct cw_packed_value field = text_value(cw_entry_key(member));
    struct cw_packed_value value = text_value(cw_entry_value(member));
    scan->visitor(scan->context, &field, &value);
}

uint64_t cw_hash_scan(const struct cw_entry *entry, int64_t from_ms, uint64_t cursor, cw_hash_visitor visitor,
                      void *context)
{
    struct scan scan = {from_ms, visitor, context};
    if (cw_entry_is_object(entry))
        return cw_dictionary_scan(fields_of(entry), cursor, visit, &scan);
    struct cw_hash_walk walk = {0};
    while (cw_hash_next(entry, &walk))
        visitor(context, &walk.field, &walk.value);
    return 0;
}

/* ---- Changing ---- */

/* Whether the reference would keep this as a listpack. */
static bool is_shown_packed(const struct cw_packing *packing, uint64_t count, size_t longest)
{
    return count <= (uint64_t)packing->hash_max_listpack_entries && longest <= (size_t)packing->hash_max_listpack_value;
}

/* Whether it is kept as one. */
static bool is_kept_packed(const struct cw_packing *packing, bool is_shown, uint64_t count, size_t bytes)
{
    if (is_shown)
        return bytes <= CW_LISTPACK_BYTES_MAX;
    return count <= (uint64_t)packing->hash_max_listpack_entries && bytes <= CW_PACKED_ANYWAY_MAX;
}

static size_t longer(struct slice a, struct slice b)
{
    return a.length > b.length ? a.length : b.length;
}

/* The packed fields move into a dictionary. */
static void unpack(struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    struct cw_big_hash *big = cw_big_hash_create(cw_keyspace_arena(keyspace), cw_keyspace_hash_key(keyspace));
    struct cw_hash_walk walk = {0};
    while (cw_hash_next(ref->entry, &walk)) {
        char spaces[2][NUMBER_TEXT_MAX];
        (void)cw_big_hash_put(big, cw_packed_value_text(&walk.field, spaces[0]),
                              cw_packed_value_text(&walk.value, spaces[1]), CW_NO_EXPIRY);
    }
    cw_keyspace_put_object(keyspace, ref, CW_TYPE_HASH, CW_ENCODING_HASHTABLE, big);
}

static void create(struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    char empty[CW_LISTPACK_EMPTY_BYTES];
    cw_listpack_init(empty);
    cw_keyspace_put(keyspace, ref, CW_TYPE_HASH, CW_ENCODING_LISTPACK, slice_of(empty, sizeof(empty)));
}

/* Before a packed hash gets a field or another value: changes how it is shown and kept, where that asks for it. */
static void make_room(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice field, struct slice value)
{
    const struct cw_packing *packing = cw_keyspace_packing(keyspace);
    struct slice listpack = cw_entry_value(ref->entry);
    uint64_t count = count_all(ref->entry) + 1;
    size_t bytes = listpack.length + cw_listpack_element_bytes(field) + cw_listpack_element_bytes(value);
    if (cw_entry_encoding(ref->entry) == CW_ENCODING_LISTPACK && !is_shown_packed(packing, count, longer(field, value)))
        cw_keyspace_set_encoding(ref, CW_ENCODING_HASHTABLE);
    if (!is_kept_packed(packing, cw_entry_encoding(ref->entry) == CW_ENCODING_LISTPACK, count, bytes))
        unpack(keyspace, ref);
}

static void set_packed(struct cw_packed *packed, size_t place, struct slice field, struct slice value)
{
    if (place != CW_LISTPACK_END) {
        cw_listpack_replace(packed, cw_listpack_next(cw_packed_slice(packed), place), value);
        return;
    }
    cw_listpack_append(packed, field);
    cw_listpack_append(packed, value);
}

/* Before a field is changed that may be due: then it goes first, and is not there any more. */
static void drop_due(struct cw_keyspace *keyspace, const struct cw_ref *ref, struct slice field)
{
    if (LIKELY(!cw_entry_has(ref->entry, CW_ENTRY_PARTS)))
        return;
    const struct cw_entry *member = cw_dictionary_find(fields_of(ref->entry), field);
    if (!member || is_seen(member, ref->parts_from_ms))
        return;
    cw_keyspace_tell_expired_part(keyspace, ref, field);
    (void)cw_big_hash_remove(big_of(ref->entry), field);
}

/* Into one that is an object. */
static bool set_member(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice field, struct slice value,
                       int64_t expire_ms)
{
    drop_due(keyspace, ref, field);
    if (expire_ms == CW_HASH_KEEPS_EXPIRY) {
        const struct cw_entry *member = cw_dictionary_find(fields_of(ref->entry), field);
        expire_ms = member ? cw_entry_expire_ms(member) : CW_NO_EXPIRY;
    }
    bool is_new = cw_big_hash_put(big_of(ref->entry), field, value, expire_ms);
    if (expire_ms != CW_NO_EXPIRY)
        cw_keyspace_note_part(ref, expire_ms);
    return is_new;
}

bool cw_hash_set_expiring(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice field, struct slice value,
                          int64_t expire_ms)
{
    bool expires = expire_ms != CW_NO_EXPIRY && expire_ms != CW_HASH_KEEPS_EXPIRY;
    if (!ref->entry)
        create(keyspace, ref);
    if (expires && !cw_entry_is_object(ref->entry))
        unpack(keyspace, ref);
    if (!cw_entry_is_object(ref->entry)) {
        const struct cw_packing *packing = cw_keyspace_packing(keyspace);
        size_t place = find_packed(cw_entry_value(ref->entry), field);
        bool is_short = longer(field, value) <= (size_t)packing->hash_max_listpack_value;
        if (place == CW_LISTPACK_END || !is_short)
            make_room(keyspace, ref, field, value);
        if (!cw_entry_is_object(ref->entry)) {
            struct cw_packed_entry packed;
            cw_packed_entry_open(&packed, keyspace, ref);
            set_packed(&packed.packed, place, field, value);
            return place == CW_LISTPACK_END;
        }
    }
    return set_member(keyspace, ref, field, value, expire_ms);
}

bool cw_hash_set(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice field, struct slice value)
{
    return cw_hash_set_expiring(keyspace, ref, field, value, CW_NO_EXPIRY);
}

bool cw_hash_expire(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice field, int64_t expire_ms)
{
    if (!cw_entry_is_object(ref->entry)) {
        bool exists = find_packed(cw_entry_value(ref->entry), field) != CW_LISTPACK_END;
        if (!exists || expire_ms == CW_NO_EXPIRY)
            return exists;
        unpack(keyspace, ref);
    }
    drop_due(keyspace, ref, field);
    bool exists = cw_big_hash_expire(big_of(ref->entry), field, expire_ms);
    if (exists && expire_ms != CW_NO_EXPIRY)
        cw_keyspace_note_part(ref, expire_ms);
    return exists;
}

/* Whether a packed hash stays as it is shown and kept when it gets this pair. */
static bool has_room(const struct cw_keyspace *keyspace, const struct cw_ref *ref, struct slice listpack,
                     struct slice field, struct slice value)
{
    const struct cw_packing *packing = cw_keyspace_packing(keyspace);
    uint64_t count = cw_listpack_count(listpack) / 2 + 1;
    size_t bytes = listpack.length + cw_listpack_element_bytes(field) + cw_listpack_element_bytes(value);
    bool is_shown = cw_entry_encoding(ref->entry) == CW_ENCODING_LISTPACK;
    return (!is_shown || is_shown_packed(packing, count, longer(field, value))) &&
           is_kept_packed(packing, is_shown, count, bytes);
}

/* Sets pairs of a packed hash, until one asks for another form; returns how many it has set. */
static size_t set_pairs_packed(struct cw_keyspace *keyspace, struct cw_ref *ref, const struct slice *pairs,
                               size_t count, uint64_t *ret_created)
{
    struct cw_packed_entry packed;
    size_t done = 0;
    cw_packed_entry_begin(&packed, keyspace, ref);
    for (; done < count; done++) {
        struct slice field = pairs[2 * done], value = pairs[2 * done + 1];
        if (!has_room(keyspace, ref, cw_packed_slice(&packed.packed), field, value))
            break;
        size_t place = find_packed(cw_packed_slice(&packed.packed), field);
        set_packed(&packed.packed, place, field, value);
        *ret_created += place == CW_LISTPACK_END;
    }
    cw_packed_entry_commit(&packed);
    return done;
}

uint64_t cw_hash_set_pairs(struct cw_keyspace *keyspace, struct cw_ref *ref, const struct slice *pairs, size_t count)
{
    uint64_t created = 0;
    size_t done = 0;
    if (!ref->entry)
        create(keyspace, ref);
    if (count > 1 && !cw_entry_is_object(ref->entry))
        done = set_pairs_packed(keyspace, ref, pairs, count, &created);
    for (; done < count; done++)
        created += cw_hash_set(keyspace, ref, pairs[2 * done], pairs[2 * done + 1]);
    return created;
}

bool cw_hash_delete(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice field)
{
    if (cw_entry_is_object(ref->entry)) {
        drop_due(keyspace, ref, field);
        if (!cw_big_hash_remove(big_of(ref->entry), field))
            return false;
    } else {
        size_t place = find_packed(cw_entry_value(ref->entry), field);
        if (place == CW_LISTPACK_END)
            return false;
        struct cw_packed_entry packed;
        cw_packed_entry_open(&packed, keyspace, ref);
        cw_listpack_delete(&packed.packed, place, 2);
    }
    if (count_all(ref->entry) == 0)
        cw_keyspace_delete(keyspace, ref);
    return true;
}

void cw_hash_put_listpack(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice listpack)
{
    const struct cw_packing *packing = cw_keyspace_packing(keyspace);
    cw_keyspace_put(keyspace, ref, CW_TYPE_HASH, CW_ENCODING_LISTPACK, listpack);
    size_t longest = 0;
    struct cw_hash_walk walk = {0};
    while (cw_hash_next(ref->entry, &walk))
        longest = longer(slice_of("", longest), slice_of("", longer(walk.field.text, walk.value.text)));
    uint64_t count = count_all(ref->entry);
    bool is_shown = is_shown_packed(packing, count, longest);
    if (!is_shown)
        cw_keyspace_set_encoding(ref, CW_ENCODING_HASHTABLE);
    if (!is_kept_packed(packing, is_shown, count, listpack.length))
        unpack(keyspace, ref);
}
