#include "cacheworker/list/list_node.h"

enum {
    ROOM_MIN = 32,
    ROOM_MAX = 4096,   /* a node that grows gets half of its length as room, but not more */
    WASTE_SHIFT = 4,   /* a sixteenth of the memory that it needs may be unused in a node that is full */
    SLIDE_PART = 8,    /* room of that part of the length is worth a move within the block */
    SPARSE_FACTOR = 4, /* a node that shrinks to this part of its memory moves to a smaller block */
};

struct cw_list_node *cw_list_node_create(struct cw_list_memory *memory, struct slice listpack)
{
    struct cw_list_node *node = cw_list_alloc(memory, sizeof(*node));
    uint32_t length = (uint32_t)listpack.length;
    *node = (struct cw_list_node){
        .memory = cw_list_alloc(memory, listpack.length),
        .capacity = length,
        .length = length,
    };
    memcpy(node->memory, listpack.data, listpack.length);
    return node;
}

void cw_list_node_free(struct cw_list_memory *memory, struct cw_list_node *node)
{
    cw_list_free(memory, node->memory, node->capacity);
    cw_list_free(memory, node, sizeof(*node));
}

/* Moves the listpack to another block, with that much room before or behind it, and what the block has beyond that. */
static void relocate(struct cw_list_memory *memory, struct cw_list_node *node, size_t before, size_t behind)
{
    size_t capacity = cw_arena_rounded(before + node->length + behind);
    char *bytes = cw_list_alloc(memory, capacity);
    if (before > 0)
        before = capacity - node->length;
    memcpy(bytes + before, node->memory + node->start, node->length);
    cw_list_free(memory, node->memory, node->capacity);
    node->memory = bytes;
    node->capacity = (uint32_t)capacity;
    node->start = (uint32_t)before;
}

void cw_list_node_fit(struct cw_list_memory *memory, struct cw_list_node *node)
{
    size_t least = cw_arena_rounded(node->length);
    if (cw_arena_rounded(node->capacity) - least > least >> WASTE_SHIFT)
        relocate(memory, node, 0, 0);
}

static size_t room_for(size_t length)
{
    size_t room = length / 2;
    return room < ROOM_MIN ? ROOM_MIN : room > ROOM_MAX ? ROOM_MAX : room;
}

/* Makes room for so many more bytes at one end: where the other end has much of it, half of that. */
static void make_room(struct cw_list_memory *memory, struct cw_list_node *node, bool before, size_t growth)
{
    size_t all = node->capacity - node->length;
    if ((before ? node->start : all - node->start) >= growth)
        return;
    if (all / 2 >= growth && all >= node->length / SLIDE_PART) {
        size_t start = before ? all - all / 2 : all / 2;
        memmove(node->memory + start, node->memory + node->start, node->length);
        node->start = (uint32_t)start;
    } else {
        size_t room = growth + room_for(node->length + growth);
        relocate(memory, node, before ? room : 0, before ? 0 : room);
    }
}

static char *splice(struct cw_packed *packed, size_t offset, size_t removed, size_t inserted)
{
    struct cw_list_edit *edit = packed->owner;
    struct cw_list_node *node = edit->node;
    size_t behind = node->length - offset - removed;
    bool moves_front = offset < behind;
    if (inserted > removed)
        make_room(edit->memory, node, moves_front, inserted - removed);

    char *bytes = node->memory + node->start;
    if (moves_front) {
        memmove(bytes + removed - inserted, bytes, offset);
        node->start = (uint32_t)(node->start + removed - inserted);
    } else {
        memmove(bytes + offset + inserted, bytes + offset + removed, behind);
    }
    node->length = (uint32_t)(offset + inserted + behind);
    if (inserted < removed && node->length < node->capacity / SPARSE_FACTOR)
        relocate(edit->memory, node, 0, 0);
    packed->bytes = node->memory + node->start;
    packed->length = node->length;
    return packed->bytes + offset;
}

void cw_list_edit_open(struct cw_list_edit *edit, struct cw_list_memory *memory, struct cw_list_node *node)
{
    struct slice listpack = cw_list_node_listpack(node);
    *edit = (struct cw_list_edit){
        .packed = {.bytes = node->memory + node->start, .length = listpack.length, .splice = splice, .owner = edit},
        .memory = memory,
        .node = node,
    };
}
