#include "cacheworker/list/long_list.h"

#include "cacheworker/keyspace/budget.h"

enum {
    LOOK_COST = 4,           /* at a node, of a budget of cw_arena_move */
    ELEMENT_HEAD = 8,        /* what an element may take beside its bytes: the reference's guess, from above */
    REPLACED_MAX = 64 << 10, /* replacing elements does not split a node, although it may pass its limits: up to here */
};

/* ---- Life ---- */

struct cw_long_list *cw_long_list_create(struct cw_arena *arena)
{
    struct cw_list_memory memory = {.arena = arena};
    struct cw_long_list *list = cw_list_alloc(&memory, sizeof(*list));
    *list = (struct cw_long_list){.memory = memory};
    return list;
}

void cw_long_list_append_node(struct cw_long_list *list, struct slice listpack)
{
    struct cw_list_node *node = cw_list_node_create(&list->memory, listpack);
    cw_list_nodes_add(&list->nodes, &list->memory, node, list->nodes.last, false);
}

static void *copy_object(struct cw_arena *arena, const void *object)
{
    const struct cw_long_list *list = object;
    struct cw_long_list *copy = cw_long_list_create(arena);
    for (const struct cw_list_node *node = list->nodes.first; node; node = node->next)
        cw_long_list_append_node(copy, cw_list_node_listpack(node));
    return copy;
}

static bool free_object(struct cw_arena *arena, void *object, unsigned *budget)
{
    struct cw_long_list *list = object;
    while (list->nodes.last) {
        if (*budget == 0)
            return true;
        cw_spend(budget, cw_free_cost(list->nodes.last->capacity));
        cw_list_nodes_remove(&list->nodes, &list->memory, list->nodes.last);
    }
    cw_arena_free(arena, list, sizeof(*list));
    return false;
}

static size_t object_bytes(const void *object)
{
    return ((const struct cw_long_list *)object)->memory.used_bytes;
}

static uint64_t object_parts(const void *object)
{
    return ((const struct cw_long_list *)object)->nodes.nodes;
}

/* The position is the index of an element. */
static bool compact_object(struct cw_arena *arena, void **object, uint64_t *position, unsigned *budget)
{
    if (*position == 0)
        *object = cw_arena_move(arena, *object, sizeof(struct cw_long_list), budget);
    struct cw_long_list *list = *object;
    if (*position >= list->nodes.elements)
        return false;
    uint64_t offset;
    struct cw_list_node *node = cw_list_nodes_find(&list->nodes, *position, &offset);
    *position -= offset;
    for (; node && *budget > 0; node = node->next) {
        cw_spend(budget, LOOK_COST);
        node = cw_list_nodes_compact(&list->nodes, &list->memory, node, budget);
        *position += cw_list_node_count(node);
    }
    return node != NULL;
}

const struct cw_object_operations cw_list_operations = {.copy = copy_object,
                                                        .free_step = free_object,
                                                        .used_bytes = object_bytes,
                                                        .count = object_parts,
                                                        .compact_step = compact_object};

/* ---- One node ---- */

static bool has_room(const struct cw_list_limits *limits, const struct cw_list_node *node, struct slice text)
{
    return node &&
           cw_list_limits_allow(limits, node->length + text.length + ELEMENT_HEAD, cw_list_node_count(node) + 1);
}

static size_t place_at(const struct cw_list_node *node, uint64_t offset)
{
    return cw_listpack_at(cw_list_node_listpack(node), (int64_t)offset);
}

/* Before the element at `place`, or behind all (CW_LISTPACK_END). */
static void insert_in(struct cw_long_list *list, struct cw_list_node *node, size_t place, struct slice text)
{
    struct cw_list_edit edit;
    cw_list_edit_open(&edit, &list->memory, node);
    cw_listpack_insert(&edit.packed, place, text);
    cw_list_nodes_note(&list->nodes, node, 1);
}

/* Not all of them. */
static void delete_in(struct cw_long_list *list, struct cw_list_node *node, uint64_t offset, uint64_t count)
{
    struct cw_list_edit edit;
    cw_list_edit_open(&edit, &list->memory, node);
    cw_listpack_delete(&edit.packed, place_at(node, offset), count);
    cw_list_nodes_note(&list->nodes, node, -(int64_t)count);
}

/* A node of one element. */
static void add_node(struct cw_long_list *list, struct cw_list_node *neighbour, bool before, struct slice text)
{
    char empty[CW_LISTPACK_EMPTY_BYTES];
    cw_listpack_init(empty);
    struct cw_list_node *node = cw_list_node_create(&list->memory, slice_of(empty, sizeof(empty)));
    struct cw_list_edit edit;
    cw_list_edit_open(&edit, &list->memory, node);
    cw_listpack_append(&edit.packed, text);
    cw_list_nodes_add(&list->nodes, &list->memory, node, neighbour, before);
}

/* ---- Two nodes ---- */

/* The elements from `offset` on, which is not the first, move into a node of their own. */
static void split(struct cw_long_list *list, struct cw_list_node *node, uint64_t offset)
{
    struct cw_list_node *right = cw_list_node_create(&list->memory, cw_list_node_listpack(node));
    struct cw_list_edit edit;
    cw_list_edit_open(&edit, &list->memory, right);
    cw_listpack_delete(&edit.packed, CW_LISTPACK_HEADER_BYTES, offset);
    delete_in(list, node, offset, cw_list_node_count(right));
    cw_list_node_fit(&list->memory, node);
    cw_list_node_fit(&list->memory, right);
    cw_list_nodes_add(&list->nodes, &list->memory, right, node, false);
}

static bool fit_together(const struct cw_list_limits *limits, const struct cw_list_node *left,
                         const struct cw_list_node *right)
{
    return left && right &&
           cw_list_limits_allow(limits, left->length + right->length - CW_LISTPACK_EMPTY_BYTES,
                                cw_list_node_count(left) + cw_list_node_count(right));
}

/* The left one takes the elements of the right one, which goes. */
static struct cw_list_node *join(struct cw_long_list *list, struct cw_list_node *left, struct cw_list_node *right)
{
    struct cw_list_edit edit;
    cw_list_edit_open(&edit, &list->memory, left);
    cw_listpack_append_all(&edit.packed, cw_list_node_listpack(right));
    cw_list_nodes_note(&list->nodes, left, (int64_t)cw_list_node_count(right));
    cw_list_nodes_remove(&list->nodes, &list->memory, right);
    return left;
}

/* After a split: two nodes on either side, and then the middle. */
static void join_around(struct cw_long_list *list, const struct cw_list_limits *limits, struct cw_list_node *node)
{
    if (node->previous && fit_together(limits, node->previous->previous, node->previous))
        join(list, node->previous->previous, node->previous);
    if (node->next && fit_together(limits, node->next, node->next->next))
        join(list, node->next, node->next->next);
    if (fit_together(limits, node->previous, node))
        node = join(list, node->previous, node);
    if (fit_together(limits, node, node->next))
        join(list, node, node->next);
}

/* ---- Adding ---- */

void cw_long_list_push(struct cw_long_list *list, const struct cw_list_limits *limits, struct slice text,
                       enum cw_list_end end)
{
    struct cw_list_node *node = end == CW_LIST_HEAD ? list->nodes.first : list->nodes.last;
    if (has_room(limits, node, text)) {
        insert_in(list, node, end == CW_LIST_HEAD ? CW_LISTPACK_HEADER_BYTES : CW_LISTPACK_END, text);
        return;
    }
    if (node)
        cw_list_node_fit(&list->memory, node);
    add_node(list, node, end == CW_LIST_HEAD, text);
}

/* Before the element that is there in the node, or behind all. */
static void insert_at(struct cw_long_list *list, const struct cw_list_limits *limits, struct cw_list_node *node,
                      uint64_t offset, struct slice text)
{
    if (has_room(limits, node, text)) {
        insert_in(list, node, place_at(node, offset), text);
        return;
    }
    bool splits = offset > 0 && offset < cw_list_node_count(node);
    if (splits)
        split(list, node, offset);
    struct cw_list_node *left = offset > 0 ? node : node->previous;
    struct cw_list_node *right = offset > 0 ? node->next : node;
    if (has_room(limits, left, text))
        insert_in(list, left, CW_LISTPACK_END, text);
    else if (has_room(limits, right, text))
        insert_in(list, right, CW_LISTPACK_HEADER_BYTES, text);
    else
        add_node(list, node, offset == 0, text);
    if (splits)
        join_around(list, limits, node);
}

static uint64_t elements_before(struct slice listpack, size_t place)
{
    uint64_t count = 0;
    for (size_t at = cw_listpack_first(listpack); at != place; at = cw_listpack_next(listpack, at))
        count++;
    return count;
}

bool cw_long_list_insert(struct cw_long_list *list, const struct cw_list_limits *limits, struct slice pivot,
                         struct slice text, bool before)
{
    struct cw_packed_needle needle = cw_packed_needle(pivot);
    for (struct cw_list_node *node = list->nodes.first; node; node = node->next) {
        struct slice listpack = cw_list_node_listpack(node);
        size_t place = cw_listpack_find(listpack, cw_listpack_first(listpack), &needle, 1);
        if (place == CW_LISTPACK_END)
            continue;
        insert_at(list, limits, node, elements_before(listpack, place) + !before, text);
        return true;
    }
    return false;
}

void cw_long_list_replace(struct cw_long_list *list, const struct cw_list_limits *limits, uint64_t index,
                          struct slice text)
{
    uint64_t offset;
    struct cw_list_node *node = cw_list_nodes_find(&list->nodes, index, &offset);
    bool is_alone = cw_list_node_count(node) == 1;
    if (is_alone || node->length + text.length + ELEMENT_HEAD <= REPLACED_MAX) {
        struct cw_list_edit edit;
        cw_list_edit_open(&edit, &list->memory, node);
        cw_listpack_replace(&edit.packed, place_at(node, offset), text);
    } else {
        delete_in(list, node, offset, 1);
        insert_at(list, limits, node, offset, text);
    }
}

/* ---- Deleting ---- */

void cw_long_list_delete(struct cw_long_list *list, uint64_t index, uint64_t count)
{
    uint64_t offset;
    struct cw_list_node *node = cw_list_nodes_find(&list->nodes, index, &offset);
    while (count > 0) {
        struct cw_list_node *next = node->next;
        uint64_t all = cw_list_node_count(node);
        uint64_t deleted = count < all - offset ? count : all - offset;
        if (deleted == all)
            cw_list_nodes_remove(&list->nodes, &list->memory, node);
        else
            delete_in(list, node, offset, deleted);
        count -= deleted;
        offset = 0;
        node = next;
    }
}

static uint64_t delete_equal_forwards(struct cw_packed *packed, const struct cw_packed_needle *needle, uint64_t most)
{
    uint64_t deleted = 0;
    size_t place = cw_listpack_first(cw_packed_slice(packed));
    while (deleted < most) {
        place = cw_listpack_find(cw_packed_slice(packed), place, needle, 1);
        if (place == CW_LISTPACK_END)
            break;
        place = cw_listpack_delete(packed, place, 1);
        deleted++;
    }
    return deleted;
}

static uint64_t delete_equal_backwards(struct cw_packed *packed, const struct cw_packed_needle *needle, uint64_t most)
{
    uint64_t deleted = 0;
    size_t place = cw_listpack_last(cw_packed_slice(packed));
    while (deleted < most && place != CW_LISTPACK_END) {
        struct slice listpack = cw_packed_slice(packed);
        struct cw_packed_value value = cw_listpack_value(listpack, place);
        size_t previous = cw_listpack_previous(listpack, place);
        if (cw_packed_value_equals(&value, needle)) {
            cw_listpack_delete(packed, place, 1);
            deleted++;
        }
        place = previous;
    }
    return deleted;
}

uint64_t cw_list_delete_equal_in(struct cw_packed *packed, const struct cw_packed_needle *needle, enum cw_list_end from,
                                 uint64_t most)
{
    return from == CW_LIST_HEAD ? delete_equal_forwards(packed, needle, most)
                                : delete_equal_backwards(packed, needle, most);
}

/* A node that has lost elements goes if it has none, or becomes one with its neighbour if both are small. The last two
 * stay two, as in the reference, where nodes that lose elements are never joined. */
static void tidy(struct cw_long_list *list, const struct cw_list_limits *limits, struct cw_list_node *node,
                 struct cw_list_node *neighbour)
{
    const struct cw_list_limits half = {.bytes = limits->bytes / 2, .count = limits->count / 2};
    struct cw_list_node *left = node->previous == neighbour ? neighbour : node;
    struct cw_list_node *right = left == node ? neighbour : node;
    if (cw_list_node_count(node) == 0)
        cw_list_nodes_remove(&list->nodes, &list->memory, node);
    else if (list->nodes.nodes > 2 && fit_together(&half, left, right))
        join(list, left, right);
}

uint64_t cw_long_list_delete_equal(struct cw_long_list *list, const struct cw_list_limits *limits, struct slice text,
                                   enum cw_list_end from, uint64_t most)
{
    struct cw_packed_needle needle = cw_packed_needle(text);
    uint64_t deleted = 0;
    struct cw_list_node *node = from == CW_LIST_HEAD ? list->nodes.first : list->nodes.last;
    while (node && deleted < most) {
        struct cw_list_node *passed = from == CW_LIST_HEAD ? node->previous : node->next;
        struct cw_list_node *following = from == CW_LIST_HEAD ? node->next : node->previous;
        struct cw_list_edit edit;
        cw_list_edit_open(&edit, &list->memory, node);
        uint64_t here = cw_list_delete_equal_in(&edit.packed, &needle, from, most - deleted);
        if (here > 0) {
            cw_list_nodes_note(&list->nodes, node, -(int64_t)here);
            tidy(list, limits, node, passed);
        }
        deleted += here;
        node = following;
    }
    return deleted;
}
