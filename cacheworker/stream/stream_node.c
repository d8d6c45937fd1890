#include "cacheworker/stream/stream_node.h"

#include "common/base/errors.h"

enum { /* flags of an entry */
       ENTRY_DELETED = 1 << 0,
       ENTRY_SAME_NAMES = 1 << 1,
};

enum {
    ENTRY_FIXED_ELEMENTS = 3, /* flags, milliseconds, seq */
    GROWTH_MAX = 1 << 20,
};

/* ---- Looking ---- */

static uint64_t number_at(struct slice listpack, size_t place)
{
    return (uint64_t)cw_listpack_value(listpack, place).integer;
}

static size_t skip(struct slice listpack, size_t place, uint64_t elements)
{
    for (uint64_t i = 0; i < elements; i++)
        place = cw_listpack_next(listpack, place);
    return place;
}

struct cw_stream_master cw_stream_node_master(struct slice listpack)
{
    struct cw_stream_master master;
    size_t place = cw_listpack_first(listpack);
    master.live = number_at(listpack, place);
    place = cw_listpack_next(listpack, place);
    master.deleted = number_at(listpack, place);
    place = cw_listpack_next(listpack, place);
    master.names = number_at(listpack, place);
    master.first_name = cw_listpack_next(listpack, place);
    master.first_entry = skip(listpack, master.first_name, master.names + 1);
    return master;
}

struct cw_stream_entry cw_stream_node_entry(struct slice listpack, struct cw_stream_id node_id,
                                            const struct cw_stream_master *master, size_t place)
{
    struct cw_stream_entry entry = {.place = place, .id = node_id, .fields = master->names};
    uint64_t flags = number_at(listpack, place);
    entry.is_deleted = flags & ENTRY_DELETED;
    entry.has_names = !(flags & ENTRY_SAME_NAMES);
    place = cw_listpack_next(listpack, place);
    entry.id.ms += number_at(listpack, place);
    place = cw_listpack_next(listpack, place);
    entry.id.seq += number_at(listpack, place);
    entry.data = cw_listpack_next(listpack, place);
    if (entry.has_names) {
        entry.fields = number_at(listpack, entry.data);
        entry.data = cw_listpack_next(listpack, entry.data);
    }
    return entry;
}

size_t cw_stream_node_after(struct slice listpack, size_t data, uint64_t skipped)
{
    return skip(listpack, data, skipped + 1);
}

size_t cw_stream_node_before(struct slice listpack, size_t place)
{
    size_t back = place == CW_LISTPACK_END ? cw_listpack_last(listpack) : cw_listpack_previous(listpack, place);
    uint64_t elements = number_at(listpack, back);
    if (elements == 0) /* the master's end */
        return CW_LISTPACK_END;
    for (uint64_t i = 0; i < elements; i++)
        back = cw_listpack_previous(listpack, back);
    return back;
}

/* ---- Judging what was loaded ---- */

struct walk {
    struct slice listpack;
    size_t place; /* of the next element */
};

/* The next element, which must be an integer. */
static bool walk_number(struct walk *walk, int64_t *ret_number)
{
    if (walk->place == CW_LISTPACK_END)
        return false;
    struct cw_packed_value value = cw_listpack_value(walk->listpack, walk->place);
    walk->place = cw_listpack_next(walk->listpack, walk->place);
    *ret_number = value.integer;
    return value.text.data == NULL;
}

static bool walk_count(struct walk *walk, int64_t *ret_count)
{
    return walk_number(walk, ret_count) && *ret_count >= 0 && (uint64_t)*ret_count <= walk->listpack.length;
}

static bool walk_over(struct walk *walk, int64_t elements)
{
    for (; elements > 0 && walk->place != CW_LISTPACK_END; elements--)
        walk->place = cw_listpack_next(walk->listpack, walk->place);
    return elements == 0;
}

static bool walk_entry(struct walk *walk, int64_t names, int64_t *ret_flags)
{
    int64_t flags;
    int64_t number;
    int64_t elements = names;
    int64_t back;
    if (!walk_number(walk, &flags) || !walk_number(walk, &number) || !walk_number(walk, &number))
        return false;
    int64_t expected = ENTRY_FIXED_ELEMENTS;
    if (!(flags & ENTRY_SAME_NAMES)) {
        if (!walk_count(walk, &number))
            return false;
        elements = 2 * number;
        expected++;
    }
    *ret_flags = flags;
    return walk_over(walk, elements) && walk_number(walk, &back) && back == expected + elements;
}

bool cw_stream_node_is_valid(struct slice listpack)
{
    if (!cw_listpack_is_valid(listpack))
        return false;
    struct walk walk = {listpack, cw_listpack_first(listpack)};
    int64_t live;
    int64_t deleted;
    int64_t names;
    int64_t end;
    if (!walk_count(&walk, &live) || !walk_count(&walk, &deleted) || !walk_count(&walk, &names) ||
        !walk_over(&walk, names) || !walk_number(&walk, &end) || end != 0)
        return false;
    int64_t marked = 0;
    int64_t entries = 0;
    for (; walk.place != CW_LISTPACK_END; entries++) {
        int64_t flags;
        if (!walk_entry(&walk, names, &flags))
            return false;
        marked += flags & ENTRY_DELETED ? 1 : 0;
    }
    return entries > 0 && marked == deleted && entries - marked == live;
}

/* ---- Memory ---- */

static size_t node_bytes(size_t capacity)
{
    return sizeof(struct cw_stream_node) + capacity;
}

/* The most that the block for `capacity` bytes can hold. */
static uint32_t whole_capacity(size_t capacity)
{
    return (uint32_t)(cw_arena_rounded(node_bytes(capacity)) - sizeof(struct cw_stream_node));
}

size_t cw_stream_node_bytes(const struct cw_stream_node *node)
{
    return node_bytes(node->capacity);
}

static struct cw_stream_node *node_alloc(const struct cw_stream_memory *memory, size_t least)
{
    uint32_t capacity = whole_capacity(least);
    struct cw_stream_node *node = cw_stream_memory_try_alloc(memory, node_bytes(capacity));
    if (node) {
        node->length = 0;
        node->capacity = capacity;
    }
    return node;
}

void cw_stream_node_free(const struct cw_stream_memory *memory, struct cw_stream_node *node)
{
    cw_stream_memory_free(memory, node, node_bytes(node->capacity));
}

/* Moves the node to a block with that capacity. */
static int node_move(const struct cw_stream_memory *memory, struct cw_stream_node **node, size_t capacity)
{
    struct cw_stream_node *moved = node_alloc(memory, capacity);
    if (!moved)
        return ERR_NO_MEMORY;
    moved->length = (*node)->length;
    memcpy(moved->bytes, (*node)->bytes, moved->length);
    cw_stream_node_free(memory, *node);
    *node = moved;
    return 0;
}

/* Room for `extra` more bytes, and then some, because more will come. */
static int node_reserve(const struct cw_stream_memory *memory, struct cw_stream_node **node, size_t extra)
{
    size_t needed = (*node)->length + extra;
    if (needed <= (*node)->capacity)
        return 0;
    return node_move(memory, node, needed + (needed / 2 < GROWTH_MAX ? needed / 2 : GROWTH_MAX));
}

void cw_stream_node_shrink(const struct cw_stream_memory *memory, struct cw_stream_node **node)
{
    /* When there is no memory for the smaller block, the bigger one stays. */
    if (whole_capacity((*node)->length) < (*node)->capacity)
        (void)!node_move(memory, node, (*node)->length);
}

/* A node being edited as a listpack. */
struct editor {
    struct cw_packed packed;
    const struct cw_stream_memory *memory;
    struct cw_stream_node **node;
};

static char *splice(struct cw_packed *packed, size_t offset, size_t removed, size_t inserted)
{
    struct editor *editor = packed->owner;
    if (inserted > removed)
        CHECK(node_reserve(editor->memory, editor->node, inserted - removed) == 0);
    struct cw_stream_node *node = *editor->node;
    size_t behind = node->length - offset - removed;
    memmove(node->bytes + offset + inserted, node->bytes + offset + removed, behind);
    node->length = (uint32_t)(offset + inserted + behind);
    packed->bytes = node->bytes;
    packed->length = node->length;
    return node->bytes + offset;
}

static void edit(struct editor *editor, const struct cw_stream_memory *memory, struct cw_stream_node **node)
{
    *editor = (struct editor){{(*node)->bytes, (*node)->length, splice, editor}, memory, node};
}

/* ---- Changing ---- */

static size_t texts_bytes(const struct cw_stream_fields *fields, size_t first)
{
    size_t bytes = 0;
    for (size_t i = first; i < 2 * fields->count; i += 2)
        bytes += cw_listpack_element_bytes(fields->texts[i]);
    return bytes;
}

static bool has_same_names(struct slice listpack, const struct cw_stream_master *master,
                           const struct cw_stream_fields *fields)
{
    if (fields->count != master->names)
        return false;
    size_t place = master->first_name;
    for (size_t i = 0; i < fields->count; i++) {
        struct cw_packed_needle needle = cw_packed_needle(fields->texts[2 * i]);
        struct cw_packed_value name = cw_listpack_value(listpack, place);
        if (!cw_packed_value_equals(&name, &needle))
            return false;
        place = cw_listpack_next(listpack, place);
    }
    return true;
}

/* The numbers of an entry to be written. */
struct entry_numbers {
    int64_t flags;
    int64_t ms;
    int64_t seq;
    int64_t elements;
};

static struct entry_numbers numbers_of(struct cw_stream_id node_id, struct cw_stream_id id, bool same_names,
                                       size_t fields)
{
    return (struct entry_numbers){
        .flags = same_names ? ENTRY_SAME_NAMES : 0,
        .ms = (int64_t)(id.ms - node_id.ms),
        .seq = (int64_t)(id.seq - node_id.seq),
        .elements = ENTRY_FIXED_ELEMENTS + (int64_t)(same_names ? fields : 2 * fields + 1),
    };
}

static size_t entry_bytes(const struct entry_numbers *numbers, const struct cw_stream_fields *fields)
{
    size_t bytes = texts_bytes(fields, 1) + cw_listpack_integer_bytes(numbers->flags) +
                   cw_listpack_integer_bytes(numbers->ms) + cw_listpack_integer_bytes(numbers->seq) +
                   cw_listpack_integer_bytes(numbers->elements);
    if (!(numbers->flags & ENTRY_SAME_NAMES))
        bytes += texts_bytes(fields, 0) + cw_listpack_integer_bytes((int64_t)fields->count);
    return bytes;
}

int cw_stream_node_create(const struct cw_stream_memory *memory, const struct cw_stream_fields *fields,
                          struct cw_stream_node **ret_node)
{
    struct entry_numbers first = numbers_of(CW_STREAM_ID_MIN, CW_STREAM_ID_MIN, true, fields->count);
    size_t bytes = CW_LISTPACK_EMPTY_BYTES + 3 * cw_listpack_integer_bytes(0) +
                   cw_listpack_integer_bytes((int64_t)fields->count) + texts_bytes(fields, 0) +
                   entry_bytes(&first, fields);
    if (bytes > CW_LISTPACK_BYTES_MAX)
        return ERR_TOO_BIG;
    struct cw_stream_node *node = node_alloc(memory, bytes);
    if (!node)
        return ERR_NO_MEMORY;
    cw_listpack_init(node->bytes);
    node->length = CW_LISTPACK_EMPTY_BYTES;

    struct editor editor;
    edit(&editor, memory, &node);
    cw_listpack_append_integer(&editor.packed, 0); /* live */
    cw_listpack_append_integer(&editor.packed, 0); /* deleted */
    cw_listpack_append_integer(&editor.packed, (int64_t)fields->count);
    for (size_t i = 0; i < fields->count; i++)
        cw_listpack_append(&editor.packed, fields->texts[2 * i]);
    cw_listpack_append_integer(&editor.packed, 0);
    *ret_node = node;
    return 0;
}

struct cw_stream_node *cw_stream_node_load(const struct cw_stream_memory *memory, struct slice listpack)
{
    struct cw_stream_node *node = node_alloc(memory, listpack.length);
    if (!node)
        return NULL;
    memcpy(node->bytes, listpack.data, listpack.length);
    node->length = (uint32_t)listpack.length;
    return node;
}

static void append_entry(struct cw_packed *packed, const struct entry_numbers *numbers,
                         const struct cw_stream_fields *fields)
{
    bool same_names = numbers->flags & ENTRY_SAME_NAMES;
    cw_listpack_append_integer(packed, numbers->flags);
    cw_listpack_append_integer(packed, numbers->ms);
    cw_listpack_append_integer(packed, numbers->seq);
    if (!same_names)
        cw_listpack_append_integer(packed, (int64_t)fields->count);
    for (size_t i = same_names ? 1 : 0; i < 2 * fields->count; i += same_names ? 2 : 1)
        cw_listpack_append(packed, fields->texts[i]);
    cw_listpack_append_integer(packed, numbers->elements);
}

int cw_stream_node_append(const struct cw_stream_memory *memory, struct cw_stream_node **node,
                          struct cw_stream_id node_id, struct cw_stream_id id, const struct cw_stream_fields *fields)
{
    struct slice listpack = cw_stream_node_listpack(*node);
    struct cw_stream_master master = cw_stream_node_master(listpack);
    bool same_names = has_same_names(listpack, &master, fields);
    struct entry_numbers numbers = numbers_of(node_id, id, same_names, fields->count);
    int64_t live = (int64_t)master.live + 1;
    size_t extra = entry_bytes(&numbers, fields) + cw_listpack_integer_bytes(live) -
                   cw_listpack_integer_bytes((int64_t)master.live);
    if (listpack.length + extra > CW_LISTPACK_BYTES_MAX)
        return ERR_TOO_BIG;
    if (node_reserve(memory, node, extra) < 0)
        return ERR_NO_MEMORY;

    struct editor editor;
    edit(&editor, memory, node);
    cw_listpack_replace_integer(&editor.packed, cw_listpack_first(listpack), live);
    append_entry(&editor.packed, &numbers, fields);
    return 0;
}

/* Marks an entry; places stay, for flags of any kind are as long. */
static void mark(struct editor *editor, const struct cw_stream_entry *entry)
{
    cw_listpack_replace_integer(&editor->packed, entry->place,
                                ENTRY_DELETED | (entry->has_names ? 0 : ENTRY_SAME_NAMES));
}

static void count_deleted(struct editor *editor, const struct cw_stream_master *master, uint64_t deleted)
{
    size_t place = cw_listpack_first(cw_packed_slice(&editor->packed));
    cw_listpack_replace_integer(&editor->packed, place, (int64_t)(master->live - deleted));
    place = cw_listpack_next(cw_packed_slice(&editor->packed), place);
    cw_listpack_replace_integer(&editor->packed, place, (int64_t)(master->deleted + deleted));
}

void cw_stream_node_delete(const struct cw_stream_memory *memory, struct cw_stream_node **node, size_t place)
{
    struct slice listpack = cw_stream_node_listpack(*node);
    struct cw_stream_master master = cw_stream_node_master(listpack);
    struct cw_stream_entry entry = cw_stream_node_entry(listpack, CW_STREAM_ID_MIN, &master, place);
    struct editor editor;
    edit(&editor, memory, node);
    mark(&editor, &entry);
    count_deleted(&editor, &master, 1);
}

uint64_t cw_stream_node_trim(const struct cw_stream_memory *memory, struct cw_stream_node **node,
                             struct cw_stream_id node_id, uint64_t most, const struct cw_stream_id *before)
{
    struct slice listpack = cw_stream_node_listpack(*node);
    struct cw_stream_master master = cw_stream_node_master(listpack);
    struct editor editor;
    edit(&editor, memory, node);
    uint64_t deleted = 0;
    size_t place = master.first_entry;
    while (place != CW_LISTPACK_END && deleted < most) {
        struct cw_stream_entry entry = cw_stream_node_entry(listpack, node_id, &master, place);
        if (before && cw_stream_id_compare(entry.id, *before) >= 0)
            break;
        if (!entry.is_deleted) {
            mark(&editor, &entry);
            deleted++;
        }
        place = cw_stream_node_after(listpack, entry.data, cw_stream_entry_elements(&entry));
    }
    count_deleted(&editor, &master, deleted);
    return deleted;
}
