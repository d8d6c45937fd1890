#include "cacheworker/list/list_nodes.h"

enum { CHILDREN_MAX = 30 }; /* the arena's biggest small block holds so many */

struct cw_list_branch {
    struct cw_list_branch *parent; /* NULL: the root */
    uint32_t used;
    bool is_lowest;                /* its children are nodes */
    uint64_t counts[CHILDREN_MAX]; /* of elements */
    union {
        struct cw_list_branch *branches[CHILDREN_MAX];
        struct cw_list_node *nodes[CHILDREN_MAX];
        void *children[CHILDREN_MAX];
    };
};
_Static_assert(sizeof(struct cw_list_branch) <= CW_ARENA_SMALL_MAX, "branches are small blocks");

static struct cw_list_branch *create_branch(struct cw_list_memory *memory, bool is_lowest)
{
    struct cw_list_branch *branch = cw_list_alloc(memory, sizeof(*branch));
    branch->parent = NULL;
    branch->used = 0;
    branch->is_lowest = is_lowest;
    return branch;
}

/* The ends come first: that is where lists grow and shrink. */
static uint32_t slot_of(const struct cw_list_branch *branch, const void *child)
{
    if (branch->children[branch->used - 1] == child)
        return branch->used - 1;
    uint32_t slot = 0;
    while (branch->children[slot] != child)
        slot++;
    return slot;
}

static void set_parent(struct cw_list_branch *parent, uint32_t slot)
{
    if (parent->is_lowest)
        parent->nodes[slot]->parent = parent;
    else
        parent->branches[slot]->parent = parent;
}

/* A child has so many elements more, or fewer: so have all branches above it. */
static void change_counts(struct cw_list_branch *branch, uint32_t slot, uint64_t change)
{
    branch->counts[slot] += change;
    for (; branch->parent; branch = branch->parent)
        branch->parent->counts[slot_of(branch->parent, branch)] += change;
}

static uint64_t sum_counts(const struct cw_list_branch *branch, uint32_t from)
{
    uint64_t sum = 0;
    for (uint32_t slot = from; slot < branch->used; slot++)
        sum += branch->counts[slot];
    return sum;
}

/* ---- Adding ---- */

static void grow_root(struct cw_list_nodes *nodes, struct cw_list_memory *memory)
{
    struct cw_list_branch *root = create_branch(memory, false);
    root->used = 1;
    root->branches[0] = nodes->root;
    root->counts[0] = sum_counts(nodes->root, 0);
    nodes->root->parent = root;
    nodes->root = root;
}

static void insert_child(struct cw_list_nodes *nodes, struct cw_list_memory *memory, struct cw_list_branch *branch,
                         uint32_t slot, void *child, uint64_t count);

/* Moves the children from `kept` on into a branch of their own, behind this one. */
static struct cw_list_branch *split(struct cw_list_nodes *nodes, struct cw_list_memory *memory,
                                    struct cw_list_branch *branch, uint32_t kept)
{
    if (!branch->parent)
        grow_root(nodes, memory);
    struct cw_list_branch *right = create_branch(memory, branch->is_lowest);
    uint64_t moved = sum_counts(branch, kept);
    right->used = branch->used - kept;
    memcpy(right->counts, branch->counts + kept, right->used * sizeof(branch->counts[0]));
    memcpy(right->children, branch->children + kept, right->used * sizeof(branch->children[0]));
    for (uint32_t slot = 0; slot < right->used; slot++)
        set_parent(right, slot);
    branch->used = kept;

    uint32_t slot = slot_of(branch->parent, branch);
    change_counts(branch->parent, slot, -moved);
    insert_child(nodes, memory, branch->parent, slot + 1, right, moved);
    return right;
}

static void insert_child(struct cw_list_nodes *nodes, struct cw_list_memory *memory, struct cw_list_branch *branch,
                         uint32_t slot, void *child, uint64_t count)
{
    if (branch->used == CHILDREN_MAX) {
        /* At an end the new child gets a branch for itself, and the full one stays full. */
        uint32_t kept = slot == 0 ? 0 : slot == CHILDREN_MAX ? CHILDREN_MAX : CHILDREN_MAX / 2;
        struct cw_list_branch *right = split(nodes, memory, branch, kept);
        if (slot > kept || kept == CHILDREN_MAX) {
            branch = right;
            slot -= kept;
        }
    }
    memmove(branch->counts + slot + 1, branch->counts + slot, (branch->used - slot) * sizeof(branch->counts[0]));
    memmove(branch->children + slot + 1, branch->children + slot, (branch->used - slot) * sizeof(branch->children[0]));
    branch->used++;
    branch->counts[slot] = 0;
    branch->children[slot] = child;
    set_parent(branch, slot);
    change_counts(branch, slot, count);
}

static void link_node(struct cw_list_nodes *nodes, struct cw_list_node *node, struct cw_list_node *neighbour,
                      bool before)
{
    node->next = before ? neighbour : neighbour ? neighbour->next : NULL;
    node->previous = !before ? neighbour : neighbour ? neighbour->previous : NULL;
    *(node->previous ? &node->previous->next : &nodes->first) = node;
    *(node->next ? &node->next->previous : &nodes->last) = node;
}

void cw_list_nodes_add(struct cw_list_nodes *nodes, struct cw_list_memory *memory, struct cw_list_node *node,
                       struct cw_list_node *neighbour, bool before)
{
    uint64_t count = cw_list_node_count(node);
    if (!nodes->root)
        nodes->root = create_branch(memory, true);
    struct cw_list_branch *branch = neighbour ? neighbour->parent : nodes->root;
    uint32_t slot = neighbour ? slot_of(branch, neighbour) + !before : 0;
    insert_child(nodes, memory, branch, slot, node, count);
    link_node(nodes, node, neighbour, before);
    nodes->nodes++;
    nodes->elements += count;
}

/* ---- Removing ---- */

static void remove_child(struct cw_list_nodes *nodes, struct cw_list_memory *memory, struct cw_list_branch *branch,
                         uint32_t slot)
{
    while (branch->used == 1) { /* it would be empty: it goes itself */
        struct cw_list_branch *parent = branch->parent;
        if (parent)
            slot = slot_of(parent, branch);
        cw_list_free(memory, branch, sizeof(*branch));
        if (!parent) {
            nodes->root = NULL;
            return;
        }
        branch = parent;
    }
    branch->used--;
    memmove(branch->counts + slot, branch->counts + slot + 1, (branch->used - slot) * sizeof(branch->counts[0]));
    memmove(branch->children + slot, branch->children + slot + 1, (branch->used - slot) * sizeof(branch->children[0]));
}

static void lower_root(struct cw_list_nodes *nodes, struct cw_list_memory *memory)
{
    while (nodes->root && nodes->root->used == 1 && !nodes->root->is_lowest) {
        struct cw_list_branch *root = nodes->root;
        nodes->root = root->branches[0];
        nodes->root->parent = NULL;
        cw_list_free(memory, root, sizeof(*root));
    }
}

void cw_list_nodes_remove(struct cw_list_nodes *nodes, struct cw_list_memory *memory, struct cw_list_node *node)
{
    uint32_t slot = slot_of(node->parent, node);
    uint64_t count = node->parent->counts[slot];
    change_counts(node->parent, slot, -count);
    remove_child(nodes, memory, node->parent, slot);
    lower_root(nodes, memory);
    *(node->previous ? &node->previous->next : &nodes->first) = node->next;
    *(node->next ? &node->next->previous : &nodes->last) = node->previous;
    nodes->nodes--;
    nodes->elements -= count;
    cw_list_node_free(memory, node);
}

void cw_list_nodes_note(struct cw_list_nodes *nodes, struct cw_list_node *node, int64_t change)
{
    change_counts(node->parent, slot_of(node->parent, node), (uint64_t)change);
    nodes->elements += (uint64_t)change;
}

struct cw_list_node *cw_list_nodes_find(const struct cw_list_nodes *nodes, uint64_t index, uint64_t *ret_offset)
{
    for (const struct cw_list_branch *branch = nodes->root;;) {
        uint32_t slot = 0;
        while (index >= branch->counts[slot])
            index -= branch->counts[slot++];
        if (branch->is_lowest) {
            *ret_offset = index;
            return branch->nodes[slot];
        }
        branch = branch->branches[slot];
    }
}

/* ---- Compaction ---- */

/* A branch, and those above it that begin with it. */
static void compact_branches(struct cw_list_nodes *nodes, struct cw_arena *arena, struct cw_list_branch *branch,
                             unsigned *budget)
{
    uint32_t slot = 0;
    for (; branch && slot == 0; branch = branch->parent) {
        struct cw_list_branch *old = branch;
        if (old->parent)
            slot = slot_of(old->parent, old);
        branch = cw_arena_move(arena, old, sizeof(*old), budget);
        if (branch == old)
            continue;
        *(branch->parent ? &branch->parent->branches[slot] : &nodes->root) = branch;
        for (uint32_t i = 0; i < branch->used; i++)
            set_parent(branch, i);
    }
}

struct cw_list_node *cw_list_nodes_compact(struct cw_list_nodes *nodes, const struct cw_list_memory *memory,
                                           struct cw_list_node *node, unsigned *budget)
{
    uint32_t slot = slot_of(node->parent, node);
    node->memory = cw_arena_move(memory->arena, node->memory, node->capacity, budget);
    node = cw_arena_move(memory->arena, node, sizeof(*node), budget);
    node->parent->nodes[slot] = node;
    *(node->previous ? &node->previous->next : &nodes->first) = node;
    *(node->next ? &node->next->previous : &nodes->last) = node;
    if (slot == 0)
        compact_branches(nodes, memory->arena, node->parent, budget);
    return node;
}
