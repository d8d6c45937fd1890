#include "cacheworker/list/list.h"

#include "cacheworker/keyspace/packed_entry.h"

/* A list may be shown as a listpack, and yet be too long for one piece of memory: the reference compares lengths of
 * strings with its limit, and empty ones have none. */
enum {
    PACKED_MAX = 64 << 10,
    ELEMENT_HEAD_MAX = 10, /* bytes of an element beside its text */
};

static struct cw_long_list *object_of(const struct cw_entry *entry)
{
    return cw_entry_object(entry);
}

static struct cw_list_limits limits_of(const struct cw_keyspace *keyspace)
{
    return cw_list_limits(cw_keyspace_packing(keyspace));
}

/* ---- Reading ---- */

uint64_t cw_list_count(const struct cw_entry *entry)
{
    return cw_entry_is_object(entry) ? object_of(entry)->nodes.elements : cw_listpack_count(cw_entry_value(entry));
}

/* As an index from the head; false: there is no such element. */
static bool resolve(const struct cw_entry *entry, int64_t index, uint64_t *ret_index)
{
    uint64_t count = cw_list_count(entry);
    uint64_t distance = index < 0 ? ~(uint64_t)index : (uint64_t)index;
    if (distance >= count)
        return false;
    *ret_index = index < 0 ? count - 1 - distance : distance;
    return true;
}

bool cw_list_at(const struct cw_entry *entry, int64_t index, struct cw_list_walk *ret_walk)
{
    uint64_t offset;
    if (!resolve(entry, index, &offset))
        return false;
    ret_walk->node = NULL;
    ret_walk->listpack = cw_entry_value(entry);
    if (cw_entry_is_object(entry)) {
        ret_walk->node = cw_list_nodes_find(&object_of(entry)->nodes, offset, &offset);
        ret_walk->listpack = cw_list_node_listpack(ret_walk->node);
    }
    ret_walk->place = cw_listpack_at(ret_walk->listpack, (int64_t)offset);
    return true;
}

bool cw_list_next_node(struct cw_list_walk *walk, enum cw_list_end from)
{
    if (walk->node)
        walk->node = from == CW_LIST_HEAD ? walk->node->next : walk->node->previous;
    if (!walk->node)
        return false;
    walk->listpack = cw_list_node_listpack(walk->node);
    walk->place = from == CW_LIST_HEAD ? cw_listpack_first(walk->listpack) : cw_listpack_last(walk->listpack);
    return true;
}

/* ---- From one form to the other ---- */

static void create(struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    char empty[CW_LISTPACK_EMPTY_BYTES];
    cw_listpack_init(empty);
    cw_keyspace_put(keyspace, ref, CW_TYPE_LIST, CW_ENCODING_LISTPACK, slice_of(empty, sizeof(empty)));
}

static void unpack(struct cw_keyspace *keyspace, struct cw_ref *ref, enum cw_encoding encoding)
{
    struct cw_long_list *list = cw_long_list_create(cw_keyspace_arena(keyspace));
    if (cw_list_count(ref->entry) > 0)
        cw_long_list_append_node(list, cw_entry_value(ref->entry));
    cw_keyspace_put_object(keyspace, ref, CW_TYPE_LIST, encoding, list);
}

/* Before elements are added, or one gets another text. The reference compares before it looks whether it will. */
static void before_growth(struct cw_keyspace *keyspace, struct cw_ref *ref, const struct slice *texts, size_t count)
{
    if (cw_entry_is_object(ref->entry)) {
        cw_keyspace_set_encoding(ref, CW_ENCODING_QUICKLIST);
        return;
    }
    struct cw_list_limits limits = limits_of(keyspace);
    size_t bytes = cw_entry_value(ref->entry).length;
    for (size_t i = 0; i < count; i++)
        bytes += texts[i].length;
    if (!cw_list_limits_allow(&limits, bytes, cw_list_count(ref->entry) + count))
        unpack(keyspace, ref, CW_ENCODING_QUICKLIST);
    else if (bytes + count * ELEMENT_HEAD_MAX > PACKED_MAX)
        unpack(keyspace, ref, CW_ENCODING_LISTPACK);
}

/* After elements were deleted, or one got another text. */
static void after_shrinking(struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    if (cw_list_count(ref->entry) == 0) {
        cw_keyspace_delete(keyspace, ref);
        return;
    }
    if (!cw_entry_is_object(ref->entry))
        return;
    struct cw_list_limits limits = limits_of(keyspace);
    const struct cw_list_nodes *nodes = &object_of(ref->entry)->nodes;
    if (nodes->nodes > 1 || !cw_list_limits_is_small(&limits, nodes->first->length, nodes->elements, 2))
        return;
    if (nodes->first->length <= PACKED_MAX)
        cw_keyspace_put(keyspace, ref, CW_TYPE_LIST, CW_ENCODING_LISTPACK, cw_list_node_listpack(nodes->first));
    else
        cw_keyspace_set_encoding(ref, CW_ENCODING_LISTPACK);
}

/* ---- Changing ---- */

void cw_list_push(struct cw_keyspace *keyspace, struct cw_ref *ref, const struct slice *texts, size_t count,
                  enum cw_list_end end)
{
    if (!ref->entry)
        create(keyspace, ref);
    before_growth(keyspace, ref, texts, count);
    if (cw_entry_is_object(ref->entry)) {
        struct cw_list_limits limits = limits_of(keyspace);
        for (size_t i = 0; i < count; i++)
            cw_long_list_push(object_of(ref->entry), &limits, texts[i], end);
        return;
    }
    struct cw_packed_entry packed;
    cw_packed_entry_open(&packed, keyspace, ref);
    for (size_t i = 0; i < count; i++)
        cw_listpack_insert(&packed.packed, end == CW_LIST_HEAD ? CW_LISTPACK_HEADER_BYTES : CW_LISTPACK_END, texts[i]);
}

bool cw_list_insert(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice pivot, struct slice text,
                    bool before)
{
    before_growth(keyspace, ref, &text, 1);
    if (cw_entry_is_object(ref->entry)) {
        struct cw_list_limits limits = limits_of(keyspace);
        return cw_long_list_insert(object_of(ref->entry), &limits, pivot, text, before);
    }
    struct slice listpack = cw_entry_value(ref->entry);
    struct cw_packed_needle needle = cw_packed_needle(pivot);
    size_t place = cw_listpack_find(listpack, cw_listpack_first(listpack), &needle, 1);
    if (place == CW_LISTPACK_END)
        return false;
    struct cw_packed_entry packed;
    cw_packed_entry_open(&packed, keyspace, ref);
    cw_listpack_insert(&packed.packed, before ? place : cw_listpack_next(listpack, place), text);
    return true;
}

bool cw_list_set(struct cw_keyspace *keyspace, struct cw_ref *ref, int64_t index, struct slice text)
{
    uint64_t offset;
    before_growth(keyspace, ref, &text, 1);
    if (!resolve(ref->entry, index, &offset))
        return false;
    if (cw_entry_is_object(ref->entry)) {
        struct cw_list_limits limits = limits_of(keyspace);
        cw_long_list_replace(object_of(ref->entry), &limits, offset, text);
    } else {
        struct cw_packed_entry packed;
        cw_packed_entry_open(&packed, keyspace, ref);
        cw_listpack_replace(&packed.packed, cw_listpack_at(cw_entry_value(ref->entry), (int64_t)offset), text);
    }
    after_shrinking(keyspace, ref);
    return true;
}

void cw_list_delete(struct cw_keyspace *keyspace, struct cw_ref *ref, uint64_t index, uint64_t count)
{
    if (count == cw_list_count(ref->entry)) {
        cw_keyspace_delete(keyspace, ref); /* a long list is freed in steps then */
        return;
    }
    if (cw_entry_is_object(ref->entry)) {
        cw_long_list_delete(object_of(ref->entry), index, count);
    } else {
        struct cw_packed_entry packed;
        cw_packed_entry_open(&packed, keyspace, ref);
        cw_listpack_delete(&packed.packed, cw_listpack_at(cw_entry_value(ref->entry), (int64_t)index), count);
    }
    after_shrinking(keyspace, ref);
}

uint64_t cw_list_delete_equal(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice text,
                              enum cw_list_end from, uint64_t most)
{
    uint64_t deleted;
    if (cw_entry_is_object(ref->entry)) {
        struct cw_list_limits limits = limits_of(keyspace);
        deleted = cw_long_list_delete_equal(object_of(ref->entry), &limits, text, from, most);
    } else {
        struct cw_packed_needle needle = cw_packed_needle(text);
        struct cw_packed_entry packed;
        cw_packed_entry_open(&packed, keyspace, ref);
        deleted = cw_list_delete_equal_in(&packed.packed, &needle, from, most);
    }
    if (deleted > 0)
        after_shrinking(keyspace, ref);
    return deleted;
}

/* ---- Loading ---- */

static void push_each(struct cw_keyspace *keyspace, struct cw_long_list *list, struct slice listpack)
{
    struct cw_list_limits limits = limits_of(keyspace);
    for (size_t place = cw_listpack_first(listpack); place != CW_LISTPACK_END;
         place = cw_listpack_next(listpack, place)) {
        char space[NUMBER_TEXT_MAX];
        struct cw_packed_value value = cw_listpack_value(listpack, place);
        cw_long_list_push(list, &limits, cw_packed_value_text(&value, space), CW_LIST_TAIL);
    }
}

void cw_list_append_listpack(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice listpack)
{
    struct cw_list_limits limits = limits_of(keyspace);
    uint64_t count = cw_listpack_count(listpack);
    if (!ref->entry && listpack.length <= PACKED_MAX && cw_list_limits_is_small(&limits, listpack.length, count, 1)) {
        cw_keyspace_put(keyspace, ref, CW_TYPE_LIST, CW_ENCODING_LISTPACK, listpack);
        return;
    }
    if (!ref->entry)
        create(keyspace, ref);
    if (!cw_entry_is_object(ref->entry))
        unpack(keyspace, ref, CW_ENCODING_QUICKLIST);
    if (cw_list_limits_allow(&limits, listpack.length, count))
        cw_long_list_append_node(object_of(ref->entry), listpack);
    else
        push_each(keyspace, object_of(ref->entry), listpack);
}
