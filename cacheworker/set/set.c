#include "cacheworker/set/set.h"

#include "cacheworker/keyspace/packed_entry.h"
#include "cacheworker/packed/intset.h"
#include "common/base/rand.h"

enum { INTSET_ENTRIES_MAX = 1 << 26 }; /* whatever the settings say: half a gibibyte */

/* ---- As an object ---- */

static void *copy_object(struct cw_arena *arena, const void *object)
{
    (void)arena;
    return cw_dictionary_copy(object);
}

static bool free_object(struct cw_arena *arena, void *object, unsigned *budget)
{
    (void)arena;
    return cw_dictionary_free_step(object, budget);
}

static size_t object_bytes(const void *object)
{
    return cw_dictionary_used_bytes(object);
}

static uint64_t object_count(const void *object)
{
    return cw_dictionary_count(object);
}

static bool compact_object(struct cw_arena *arena, void **object, uint64_t *position, unsigned *budget)
{
    (void)arena;
    struct cw_dictionary *members = *object;
    bool more = cw_dictionary_compact_step(&members, position, budget, NULL, NULL);
    *object = members;
    return more;
}

const struct cw_object_operations cw_set_operations = {.copy = copy_object,
                                                       .free_step = free_object,
                                                       .used_bytes = object_bytes,
                                                       .count = object_count,
                                                       .compact_step = compact_object};

/* ---- Reading ---- */

/* Which of the packed forms an entry that is no object has. */
static bool is_intset(const struct cw_entry *entry)
{
    return cw_entry_encoding(entry) == CW_ENCODING_INTSET;
}

uint64_t cw_set_count(const struct cw_entry *entry)
{
    if (cw_entry_is_object(entry))
        return cw_dictionary_count(cw_entry_object(entry));
    struct slice packed = cw_entry_value(entry);
    return is_intset(entry) ? cw_intset_count(packed) : cw_listpack_count(packed);
}

/* The needle borrows from member and space. */
static struct cw_packed_needle needle_of(const struct cw_packed_value *member, char space[NUMBER_TEXT_MAX])
{
    if (member->text.data)
        return cw_packed_needle(member->text);
    return (struct cw_packed_needle){
        .text = cw_packed_value_text(member, space), .is_integer = true, .integer = member->integer};
}

static bool is_integer(const struct cw_packed_value *member, int64_t *ret_integer)
{
    if (member->text.data)
        return number_parse_i64(member->text, ret_integer) == 0;
    *ret_integer = member->integer;
    return true;
}

static size_t find_packed(const struct cw_entry *entry, const struct cw_packed_needle *needle)
{
    struct slice listpack = cw_entry_value(entry);
    return cw_listpack_find(listpack, cw_listpack_first(listpack), needle, 1);
}

bool cw_set_contains(const struct cw_entry *entry, const struct cw_packed_value *member)
{
    uint32_t index;
    char space[NUMBER_TEXT_MAX];
    if (cw_entry_is_object(entry))
        return cw_dictionary_find(cw_entry_object(entry), cw_packed_value_text(member, space)) != NULL;
    struct cw_packed_needle needle = needle_of(member, space);
    if (is_intset(entry))
        return needle.is_integer && cw_intset_find(cw_entry_value(entry), needle.integer, &index);
    return find_packed(entry, &needle) != CW_LISTPACK_END;
}

static struct cw_packed_value integer_value(int64_t integer)
{
    return (struct cw_packed_value){.integer = integer};
}

static bool next_in_intset(struct slice intset, struct cw_set_walk *walk)
{
    if (walk->place >= cw_intset_count(intset))
        return false;
    walk->member = integer_value(cw_intset_at(intset, (uint32_t)walk->place++));
    return true;
}

static bool next_in_listpack(struct slice listpack, struct cw_set_walk *walk)
{
    size_t place = walk->has_begun ? walk->place : cw_listpack_first(listpack);
    walk->has_begun = true;
    if (place == CW_LISTPACK_END)
        return false;
    walk->member = cw_listpack_value(listpack, place);
    walk->place = cw_listpack_next(listpack, place);
    return true;
}

bool cw_set_next(const struct cw_entry *entry, struct cw_set_walk *walk)
{
    if (!cw_entry_is_object(entry)) {
        struct slice packed = cw_entry_value(entry);
        return is_intset(entry) ? next_in_intset(packed, walk) : next_in_listpack(packed, walk);
    }
    const struct cw_entry *member = cw_dictionary_next(cw_entry_object(entry), &walk->dictionary);
    if (member)
        walk->member = cw_set_member(cw_entry_key(member));
    return member != NULL;
}

struct cw_packed_value cw_set_random(const struct cw_entry *entry, struct rand *rand)
{
    if (cw_entry_is_object(entry))
        return cw_set_member(cw_entry_key(cw_dictionary_random(cw_entry_object(entry), rand)));
    struct slice packed = cw_entry_value(entry);
    uint64_t index = rand_below(rand, cw_set_count(entry));
    if (is_intset(entry))
        return integer_value(cw_intset_at(packed, (uint32_t)index));
    return cw_listpack_value(packed, cw_listpack_at(packed, (int64_t)index));
}

struct scan {
    cw_set_visitor visitor;
    void *context;
};

static void visit(void *context, const struct cw_entry *entry)
{
    struct scan *scan = context;
    struct cw_packed_value member = cw_set_member(cw_entry_key(entry));
    scan->visitor(scan->context, &member);
}

uint64_t cw_set_scan(const struct cw_entry *entry, uint64_t cursor, cw_set_visitor visitor, void *context)
{
    struct scan scan = {visitor, context};
    if (cw_entry_is_object(entry))
        return cw_dictionary_scan(cw_entry_object(entry), cursor, visit, &scan);
    struct cw_set_walk walk = {0};
    while (cw_set_next(entry, &walk))
        visitor(context, &walk.member);
    return 0;
}

/* ---- From one form to another ---- */

static uint64_t intset_max(const struct cw_packing *packing)
{
    uint64_t most = (uint64_t)packing->set_max_intset_entries;
    return most < INTSET_ENTRIES_MAX ? most : INTSET_ENTRIES_MAX;
}

static size_t text_length(int64_t integer)
{
    char text[NUMBER_TEXT_MAX];
    return number_format_i64(text, integer);
}

/* Of all members' texts; it is that of the first or the last. */
static size_t longest_in_intset(struct slice intset)
{
    uint32_t count = cw_intset_count(intset);
    if (count == 0)
        return 0;
    size_t first = text_length(cw_intset_at(intset, 0));
    size_t last = text_length(cw_intset_at(intset, count - 1));
    return first > last ? first : last;
}

/* How the reference would keep the set, which is packed now, with one member more. */
static enum cw_encoding encoding_with(const struct cw_packing *packing, const struct cw_entry *entry,
                                      const struct cw_packed_needle *needle)
{
    enum cw_encoding encoding = cw_entry_encoding(entry);
    uint64_t count = cw_set_count(entry) + 1;
    size_t longest = needle->text.length;
    if (encoding == CW_ENCODING_HASHTABLE)
        return encoding;
    if (encoding == CW_ENCODING_INTSET) {
        if (needle->is_integer)
            return count <= intset_max(packing) ? encoding : CW_ENCODING_HASHTABLE;
        size_t length = longest_in_intset(cw_entry_value(entry));
        longest = length > longest ? length : longest;
    }
    bool is_listpack = count <= (uint64_t)packing->set_max_listpack_entries &&
                       longest <= (size_t)packing->set_max_listpack_value &&
                       cw_entry_value(entry).length + longest <= CW_LISTPACK_BYTES_MAX / 2;
    return is_listpack ? CW_ENCODING_LISTPACK : CW_ENCODING_HASHTABLE;
}

/* What the members take as a listpack. */
static size_t listpack_bytes(const struct cw_entry *entry)
{
    if (!is_intset(entry))
        return cw_entry_value(entry).length;
    size_t bytes = CW_LISTPACK_EMPTY_BYTES;
    struct cw_set_walk walk = {0};
    while (cw_set_next(entry, &walk))
        bytes += cw_listpack_integer_bytes(walk.member.integer);
    return bytes;
}

static void to_listpack(struct cw_keyspace *keyspace, struct cw_ref *ref, enum cw_encoding encoding)
{
    struct buf bytes = {0};
    struct cw_set_walk walk = {0};
    cw_listpack_init(buf_reserve(&bytes, CW_LISTPACK_EMPTY_BYTES));
    buf_commit(&bytes, CW_LISTPACK_EMPTY_BYTES);
    struct cw_packed listpack = cw_packed_of_buf(&bytes);
    while (cw_set_next(ref->entry, &walk))
        cw_listpack_append_integer(&listpack, walk.member.integer);
    cw_keyspace_put(keyspace, ref, CW_TYPE_SET, encoding, buf_slice(&bytes));
    buf_free(&bytes);
}

static void to_dictionary(struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    struct cw_dictionary *dictionary =
        cw_dictionary_create(cw_keyspace_arena(keyspace), cw_keyspace_hash_key(keyspace));
    struct cw_set_walk walk = {0};
    while (cw_set_next(ref->entry, &walk)) {
        char space[NUMBER_TEXT_MAX];
        bool is_new;
        cw_dictionary_put(dictionary, cw_packed_value_text(&walk.member, space), slice_of(NULL, 0), CW_NO_EXPIRY,
                          &is_new);
    }
    cw_keyspace_put_object(keyspace, ref, CW_TYPE_SET, CW_ENCODING_HASHTABLE, dictionary);
}

/* A packed set is shown as `encoding` from now on, and kept in a way that goes with that; `count` members, of which the
 * new ones take `more` bytes, are what it is to hold. */
static void reshape(struct cw_keyspace *keyspace, struct cw_ref *ref, enum cw_encoding encoding, uint64_t count,
                    size_t more)
{
    const struct cw_packing *packing = cw_keyspace_packing(keyspace);
    bool fits = encoding != CW_ENCODING_HASHTABLE || (count <= (uint64_t)packing->set_max_listpack_entries &&
                                                      listpack_bytes(ref->entry) + more <= CW_PACKED_ANYWAY_MAX);
    if (!fits)
        to_dictionary(keyspace, ref);
    else if (is_intset(ref->entry) && encoding != CW_ENCODING_INTSET)
        to_listpack(keyspace, ref, encoding);
    else
        cw_keyspace_set_encoding(ref, encoding);
}

/* ---- Changing ---- */

void cw_set_create(struct cw_keyspace *keyspace, struct cw_ref *ref, enum cw_encoding encoding)
{
    char empty[CW_INTSET_EMPTY_BYTES];
    size_t length = encoding == CW_ENCODING_INTSET ? CW_INTSET_EMPTY_BYTES : CW_LISTPACK_EMPTY_BYTES;
    if (encoding == CW_ENCODING_INTSET)
        cw_intset_init(empty);
    else
        cw_listpack_init(empty);
    cw_keyspace_put(keyspace, ref, CW_TYPE_SET, encoding, slice_of(empty, length));
}

static enum cw_encoding first_encoding(const struct cw_packing *packing, const struct cw_packed_value *first,
                                       uint64_t count)
{
    int64_t integer;
    if (is_integer(first, &integer) && count <= intset_max(packing))
        return CW_ENCODING_INTSET;
    return count <= (uint64_t)packing->set_max_listpack_entries ? CW_ENCODING_LISTPACK : CW_ENCODING_HASHTABLE;
}

void cw_set_expect(struct cw_keyspace *keyspace, struct cw_ref *ref, const struct cw_packed_value *first,
                   uint64_t count)
{
    const struct cw_packing *packing = cw_keyspace_packing(keyspace);
    if (!ref->entry) {
        cw_set_create(keyspace, ref, first_encoding(packing, first, count));
        return;
    }
    enum cw_encoding encoding = cw_entry_encoding(ref->entry);
    uint64_t most = encoding == CW_ENCODING_INTSET ? intset_max(packing) : (uint64_t)packing->set_max_listpack_entries;
    if (encoding != CW_ENCODING_HASHTABLE && count > most)
        reshape(keyspace, ref, CW_ENCODING_HASHTABLE, count, 0);
}

static void add_packed(struct cw_keyspace *keyspace, struct cw_ref *ref, const struct cw_packed_needle *needle)
{
    struct cw_packed_entry packed;
    cw_packed_entry_open(&packed, keyspace, ref);
    if (is_intset(ref->entry))
        cw_intset_add(&packed.packed, needle->integer);
    else if (needle->is_integer)
        cw_listpack_append_integer(&packed.packed, needle->integer);
    else
        cw_listpack_append(&packed.packed, needle->text);
}

static bool add_to_dictionary(struct cw_ref *ref, const struct cw_packed_value *member)
{
    char space[NUMBER_TEXT_MAX];
    bool is_new;
    cw_dictionary_put(cw_entry_object(ref->entry), cw_packed_value_text(member, space), slice_of(NULL, 0), CW_NO_EXPIRY,
                      &is_new);
    return is_new;
}

void cw_set_add_new(struct cw_keyspace *keyspace, struct cw_ref *ref, const struct cw_packed_value *member)
{
    if (!cw_entry_is_object(ref->entry)) {
        char space[NUMBER_TEXT_MAX];
        struct cw_packed_needle needle = needle_of(member, space);
        enum cw_encoding encoding = encoding_with(cw_keyspace_packing(keyspace), ref->entry, &needle);
        if (encoding != cw_entry_encoding(ref->entry) || encoding == CW_ENCODING_HASHTABLE)
            reshape(keyspace, ref, encoding, cw_set_count(ref->entry) + 1, cw_listpack_element_bytes(needle.text));
        if (!cw_entry_is_object(ref->entry)) {
            add_packed(keyspace, ref, &needle);
            return;
        }
    }
    add_to_dictionary(ref, member);
}

bool cw_set_add(struct cw_keyspace *keyspace, struct cw_ref *ref, const struct cw_packed_value *member)
{
    if (cw_entry_is_object(ref->entry))
        return add_to_dictionary(ref, member);
    if (cw_set_contains(ref->entry, member))
        return false;
    cw_set_add_new(keyspace, ref, member);
    return true;
}

static bool remove_packed(struct cw_keyspace *keyspace, struct cw_ref *ref, const struct cw_packed_value *member)
{
    char space[NUMBER_TEXT_MAX];
    struct cw_packed_needle needle = needle_of(member, space);
    struct cw_packed_entry packed;
    if (is_intset(ref->entry)) {
        cw_packed_entry_open(&packed, keyspace, ref);
        return needle.is_integer && cw_intset_remove(&packed.packed, needle.integer);
    }
    size_t place = find_packed(ref->entry, &needle);
    if (place == CW_LISTPACK_END)
        return false;
    cw_packed_entry_open(&packed, keyspace, ref);
    cw_listpack_delete(&packed.packed, place, 1);
    return true;
}

bool cw_set_remove(struct cw_keyspace *keyspace, struct cw_ref *ref, const struct cw_packed_value *member)
{
    char space[NUMBER_TEXT_MAX];
    if (cw_entry_is_object(ref->entry)) {
        if (!cw_dictionary_remove(cw_entry_object(ref->entry), cw_packed_value_text(member, space)))
            return false;
    } else if (!remove_packed(keyspace, ref, member)) {
        return false;
    }
    if (cw_set_count(ref->entry) == 0)
        cw_keyspace_delete(keyspace, ref);
    return true;
}

void cw_set_pack_integers(struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    if (is_intset(ref->entry) || cw_set_count(ref->entry) > intset_max(cw_keyspace_packing(keyspace)))
        return;
    int64_t integer = 0;
    struct buf bytes = {0};
    struct cw_set_walk walk = {0};
    cw_intset_init(buf_reserve(&bytes, CW_INTSET_EMPTY_BYTES));
    buf_commit(&bytes, CW_INTSET_EMPTY_BYTES);
    struct cw_packed intset = cw_packed_of_buf(&bytes);
    while (cw_set_next(ref->entry, &walk) && is_integer(&walk.member, &integer))
        cw_intset_add(&intset, integer);
    if (cw_intset_count(cw_packed_slice(&intset)) == cw_set_count(ref->entry))
        cw_keyspace_put(keyspace, ref, CW_TYPE_SET, CW_ENCODING_INTSET, buf_slice(&bytes));
    buf_free(&bytes);
}

void cw_set_put_intset(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice intset)
{
    cw_keyspace_put(keyspace, ref, CW_TYPE_SET, CW_ENCODING_INTSET, intset);
    uint64_t count = cw_intset_count(intset);
    if (count > intset_max(cw_keyspace_packing(keyspace)))
        reshape(keyspace, ref, CW_ENCODING_HASHTABLE, count, 0);
}
