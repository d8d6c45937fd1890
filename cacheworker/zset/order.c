#include "cacheworker/zset/order.h"

#include "cacheworker/keyspace/budget.h"

#include <limits.h>

enum {
    NODE_BYTES = 512,
    LEAF_ITEMS = 32,
    LEAF_MIN = (LEAF_ITEMS + 2) / 3,
    LEAF_MERGED_MAX = LEAF_ITEMS - 2, /* a leaf that was merged can grow a little before it moves items again */
    LEAF_GIVING_MAX = LEAF_ITEMS - 4, /* a neighbour with more is not worth moving items for */
    INNER_CHILDREN = 18,
    INNER_MIN = INNER_CHILDREN / 3,
    INNER_MERGED_MAX = INNER_CHILDREN - 2,
    /* The second child of the root's first child is at neither end of the set, so that it and all below it are a third
     * full: in a tree of this height it would have 11 * 6^12 items, which are more than CW_ORDER_COUNT_MAX. */
    HEIGHT_MAX = 14,
    LOOK_COST = 4, /* at a leaf, of a budget of cw_arena_move */
};

struct cw_order_leaf {
    double scores[LEAF_ITEMS];
    const struct cw_entry *members[LEAF_ITEMS];
};
_Static_assert(sizeof(struct cw_order_leaf) == NODE_BYTES, "leaves fill a block of the arena");

struct inner {
    double scores[INNER_CHILDREN]; /* with the member: the first item below the child */
    uint32_t used;
    uint32_t counts[INNER_CHILDREN]; /* of items below the child */
    const struct cw_entry *members[INNER_CHILDREN];
    void *children[INNER_CHILDREN]; /* owned; leaves on the lowest level, else inner nodes */
};
_Static_assert(sizeof(struct inner) == NODE_BYTES, "inner nodes fill a block of the arena");

struct cw_order {
    void *root;      /* owned; never NULL before cw_order_free_step */
    unsigned height; /* levels of inner nodes */
    size_t count;
    size_t nodes;
};

/* The way down to a leaf. Levels are counted from below: steps[0] is the leaf's parent. */
struct step {
    struct inner *node;
    unsigned index; /* of the child */
};

struct path {
    struct cw_order_leaf *leaf;
    unsigned position;
    struct step steps[HEIGHT_MAX];
};

/* A point in the order: before or after all items that compare equal. */
struct target {
    double score;
    struct slice member;
    bool any_member; /* every member compares equal */
    bool after;
    const struct cw_entry *same; /* compares equal and is not read; may be NULL */
};

static void *node_create(struct cw_order *order, struct cw_arena *arena)
{
    order->nodes++;
    return cw_arena_alloc(arena, NODE_BYTES);
}

static void node_free(struct cw_order *order, struct cw_arena *arena, void *node)
{
    order->nodes--;
    cw_arena_free(arena, node, NODE_BYTES);
}

struct cw_order *cw_order_create(struct cw_arena *arena)
{
    struct cw_order *order = cw_arena_alloc(arena, sizeof(*order));
    *order = (struct cw_order){0};
    order->root = node_create(order, arena);
    return order;
}

size_t cw_order_count(const struct cw_order *order)
{
    return order->count;
}

size_t cw_order_used_bytes(const struct cw_order *order)
{
    return cw_arena_rounded(sizeof(*order)) + order->nodes * NODE_BYTES;
}

/* The last node of the lowest level that is left. */
static void free_last_node(struct cw_order *order, struct cw_arena *arena)
{
    struct inner *parent = NULL;
    void *node = order->root;
    for (unsigned level = order->height; level > 0 && ((struct inner *)node)->used > 0; level--) {
        parent = node;
        node = parent->children[parent->used - 1];
    }
    node_free(order, arena, node);
    if (parent)
        parent->used--;
    else
        order->root = NULL;
}

bool cw_order_free_step(struct cw_order *order, struct cw_arena *arena, unsigned *budget)
{
    for (; order->root && *budget > 0; (*budget)--)
        free_last_node(order, arena);
    if (order->root)
        return true;
    cw_arena_free(arena, order, sizeof(*order));
    return false;
}

void cw_order_destroy(struct cw_order *order, struct cw_arena *arena)
{
    unsigned budget = UINT_MAX; /* more than there are nodes */
    if (order)
        CHECK(!cw_order_free_step(order, arena, &budget));
}

/* ---- Looking for items ---- */

static int compare_member(const struct target *target, const struct cw_entry *member)
{
    return member == target->same ? 0 : cw_member_compare(cw_entry_key(member), target->member);
}

/* How many of these items, which are in order, are before the target. All scores are looked at: they are few lines of
 * the cache that arrive together, while halving would wait for one after the other. */
static unsigned items_before(const struct target *target, const double *scores, const struct cw_entry *const *members,
                             unsigned count)
{
    unsigned low = 0, high = 0;
    for (unsigned i = 0; i < count; i++) {
        low += scores[i] < target->score ? 1 : 0;
        high += scores[i] <= target->score ? 1 : 0;
    }
    if (target->any_member)
        return target->after ? high : low;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        int difference = compare_member(target, members[middle]);
        if (difference < 0 || (difference == 0 && target->after))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static unsigned leaf_count(const struct cw_order *order, const struct path *path)
{
    return order->height > 0 ? path->steps[0].node->counts[path->steps[0].index] : (unsigned)order->count;
}

/* To the last leaf that begins before the target, or to the first one; the position there is the target's, and may be
 * behind the last item. */
static void descend(const struct cw_order *order, const struct target *target, struct path *path)
{
    void *node = order->root;
    for (unsigned level = order->height; level-- > 0;) {
        struct inner *inner = node;
        unsigned before = items_before(target, inner->scores, inner->members, inner->used);
        unsigned index = before > 0 ? before - 1 : 0;
        path->steps[level] = (struct step){inner, index};
        node = inner->children[index];
    }
    path->leaf = node;
    path->position = items_before(target, path->leaf->scores, path->leaf->members, leaf_count(order, path));
}

/* To an item that is there. */
static void find(const struct cw_order *order, double score, struct slice member, const struct cw_entry *same,
                 struct path *path)
{
    struct target target = {.score = score, .member = member, .same = same, .after = true};
    descend(order, &target, path);
    CHECK(path->position > 0);
    path->position--;
    CHECK(path->leaf->scores[path->position] == score);
    CHECK(compare_member(&target, path->leaf->members[path->position]) == 0);
}

static size_t path_rank(const struct cw_order *order, const struct path *path)
{
    size_t rank = path->position;
    for (unsigned level = 0; level < order->height; level++)
        for (unsigned i = 0; i < path->steps[level].index; i++)
            rank += path->steps[level].node->counts[i];
    return rank;
}

static size_t rank_before(const struct cw_order *order, const struct target *target)
{
    struct path path;
    descend(order, target, &path);
    return path_rank(order, &path);
}

size_t cw_order_rank_of(const struct cw_order *order, double score, struct slice member)
{
    struct target target = {.score = score, .member = member};
    return rank_before(order, &target);
}

/* ---- Places ---- */

bool cw_order_at(const struct cw_order *order, size_t rank, struct cw_order_place *ret_place)
{
    if (rank >= order->count)
        return false;
    const void *node = order->root;
    size_t left = rank, count = order->count;
    for (unsigned level = order->height; level > 0; level--) {
        const struct inner *inner = node;
        unsigned index = 0;
        for (; left >= inner->counts[index]; index++)
            left -= inner->counts[index];
        count = inner->counts[index];
        node = inner->children[index];
    }
    *ret_place = (struct cw_order_place){
        .leaf = node, .rank = (uint32_t)rank, .index = (uint16_t)left, .count = (uint16_t)count};
    return true;
}

bool cw_order_first(const struct cw_order *order, struct cw_order_place *ret_place)
{
    return cw_order_at(order, 0, ret_place);
}

bool cw_order_last(const struct cw_order *order, struct cw_order_place *ret_place)
{
    return order->count > 0 && cw_order_at(order, order->count - 1, ret_place);
}

bool cw_order_next(const struct cw_order *order, struct cw_order_place *place)
{
    if (place->index + 1 == place->count)
        return cw_order_at(order, (size_t)place->rank + 1, place);
    place->index++;
    place->rank++;
    return true;
}

bool cw_order_previous(const struct cw_order *order, struct cw_order_place *place)
{
    if (place->index == 0)
        return place->rank > 0 && cw_order_at(order, (size_t)place->rank - 1, place);
    place->index--;
    place->rank--;
    return true;
}

/* The item on that side of the target. */
static bool seek(const struct cw_order *order, const struct target *target, enum cw_order_side side,
                 struct cw_order_place *ret_place)
{
    size_t rank = rank_before(order, target);
    if (side == CW_ORDER_LOW)
        return cw_order_at(order, rank, ret_place);
    return rank > 0 && cw_order_at(order, rank - 1, ret_place);
}

bool cw_order_seek_score(const struct cw_order *order, const struct cw_score_limit *limit, enum cw_order_side side,
                         struct cw_order_place *ret_place)
{
    bool after = (side == CW_ORDER_LOW) == limit->exclusive;
    struct target target = {.score = limit->score, .any_member = true, .after = after};
    return seek(order, &target, side, ret_place);
}

bool cw_order_seek_lex(const struct cw_order *order, const struct cw_lex_limit *limit, enum cw_order_side side,
                       struct cw_order_place *ret_place)
{
    if (limit->kind != CW_LEX_MEMBER) {
        if ((limit->kind == CW_LEX_BEFORE_ALL) != (side == CW_ORDER_LOW))
            return false;
        return side == CW_ORDER_LOW ? cw_order_first(order, ret_place) : cw_order_last(order, ret_place);
    }
    struct cw_order_place first;
    if (!cw_order_first(order, &first))
        return false;
    bool after = (side == CW_ORDER_LOW) == limit->exclusive;
    struct target target = {.score = cw_order_item(&first).score, .member = limit->member, .after = after};
    return seek(order, &target, side, ret_place);
}

struct cw_order_item cw_order_item(const struct cw_order_place *place)
{
    return (struct cw_order_item){place->leaf->scores[place->index], place->leaf->members[place->index]};
}

/* ---- Moving items and children ---- */

static void move_items(struct cw_order_leaf *to, unsigned at, const struct cw_order_leaf *from, unsigned first,
                       unsigned count)
{
    memmove(to->scores + at, from->scores + first, count * sizeof(*to->scores));
    memmove(to->members + at, from->members + first, count * sizeof(*to->members));
}

static void move_children(struct inner *to, unsigned at, const struct inner *from, unsigned first, unsigned count)
{
    memmove(to->scores + at, from->scores + first, count * sizeof(*to->scores));
    memmove(to->counts + at, from->counts + first, count * sizeof(*to->counts));
    memmove(to->members + at, from->members + first, count * sizeof(*to->members));
    memmove(to->children + at, from->children + first, count * sizeof(*to->children));
}

static void set_first_item(struct inner *node, unsigned index, double score, const struct cw_entry *member)
{
    node->scores[index] = score;
    node->members[index] = member;
}

static void renew_first_of_leaf(struct inner *parent, unsigned index)
{
    const struct cw_order_leaf *leaf = parent->children[index];
    if (parent->counts[index] > 0)
        set_first_item(parent, index, leaf->scores[0], leaf->members[0]);
}

static void renew_first_of_inner(struct inner *parent, unsigned index)
{
    const struct inner *node = parent->children[index];
    if (node->used > 0)
        set_first_item(parent, index, node->scores[0], node->members[0]);
}

/* The node at this level of the path may begin with another item than before: tells the nodes above. */
static void renew_first_above(const struct cw_order *order, const struct path *path, unsigned level)
{
    while (level + 1 < order->height && path->steps[level].index == 0) {
        level++;
        renew_first_of_inner(path->steps[level].node, path->steps[level].index);
    }
}

/* The leaf of the path may begin with another item than before. */
static void renew_first(const struct cw_order *order, const struct path *path)
{
    if (order->height == 0)
        return;
    renew_first_of_leaf(path->steps[0].node, path->steps[0].index);
    renew_first_above(order, path, 0);
}

static void add_to_counts(struct cw_order *order, const struct path *path, int difference)
{
    order->count += (size_t)difference;
    for (unsigned level = 0; level < order->height; level++)
        path->steps[level].node->counts[path->steps[level].index] += (uint32_t)difference;
}

/* Divides the items of two neighbours anew, so that the left one has `left_count`. */
static void share_items(struct inner *parent, unsigned left_index, unsigned left_count)
{
    struct cw_order_leaf *left = parent->children[left_index];
    struct cw_order_leaf *right = parent->children[left_index + 1];
    unsigned had_left = parent->counts[left_index];
    unsigned had_right = parent->counts[left_index + 1];
    if (left_count < had_left) {
        unsigned moved = had_left - left_count;
        move_items(right, moved, right, 0, had_right);
        move_items(right, 0, left, left_count, moved);
    } else {
        unsigned moved = left_count - had_left;
        move_items(left, had_left, right, 0, moved);
        move_items(right, 0, right, moved, had_right - moved);
    }
    parent->counts[left_index] = left_count;
    parent->counts[left_index + 1] = had_left + had_right - left_count;
    renew_first_of_leaf(parent, left_index);
    renew_first_of_leaf(parent, left_index + 1);
}

/* Divides the children of two neighbours anew, so that the left one has `left_used`. */
static void share_children(struct inner *parent, unsigned left_index, unsigned left_used)
{
    struct inner *left = parent->children[left_index];
    struct inner *right = parent->children[left_index + 1];
    if (left_used < left->used) {
        unsigned moved = left->used - left_used;
        move_children(right, moved, right, 0, right->used);
        move_children(right, 0, left, left_used, moved);
    } else {
        unsigned moved = left_used - left->used;
        move_children(left, left->used, right, 0, moved);
        move_children(right, 0, right, moved, right->used - moved);
    }
    right->used = left->used + right->used - left_used;
    left->used = left_used;

    uint32_t count = parent->counts[left_index] + parent->counts[left_index + 1];
    parent->counts[left_index] = 0;
    for (unsigned i = 0; i < left_used; i++)
        parent->counts[left_index] += left->counts[i];
    parent->counts[left_index + 1] = count - parent->counts[left_index];
    renew_first_of_inner(parent, left_index);
    renew_first_of_inner(parent, left_index + 1);
}

/* ---- Making room ---- */

/* How many of `full` stay in the left half of a split: the ends of the set grow on, everything else grows anywhere. */
static unsigned split_at(const struct cw_order *order, size_t rank, unsigned full, unsigned at_start, unsigned at_end)
{
    if (rank == order->count)
        return at_end;
    return rank == 0 ? at_start : full / 2;
}

/* An empty child behind the one at `index`; there is room for it. */
static void add_child(struct inner *parent, unsigned index, void *child)
{
    move_children(parent, index + 2, parent, index + 1, parent->used - index - 1);
    parent->children[index + 1] = child;
    parent->counts[index + 1] = 0;
    parent->used++;
}

/* A root above the root, which is full. */
static void raise_root(struct cw_order *order, struct cw_arena *arena, struct path *path)
{
    CHECK(order->height < HEIGHT_MAX);
    struct inner *root = node_create(order, arena);
    root->used = 1;
    root->counts[0] = (uint32_t)order->count;
    root->children[0] = order->root;
    if (order->height == 0)
        renew_first_of_leaf(root, 0);
    else
        renew_first_of_inner(root, 0);
    path->steps[order->height++] = (struct step){root, 0};
    order->root = root;
}

/* Sees to it that the node at this level of the path can take one more child; `rank` is that of the item for whose sake
 * all this is done. */
static void make_room_for_child(struct cw_order *order, struct cw_arena *arena, struct path *path, unsigned level,
                                size_t rank)
{
    if (level == order->height)
        raise_root(order, arena, path);
    struct step *step = &path->steps[level];
    if (step->node->used < INNER_CHILDREN)
        return;
    make_room_for_child(order, arena, path, level + 1, rank);
    struct step *above = &path->steps[level + 1];
    struct inner *right = node_create(order, arena);
    right->used = 0;
    add_child(above->node, above->index, right);
    unsigned left_used = split_at(order, rank, INNER_CHILDREN, 1, INNER_CHILDREN - 1);
    share_children(above->node, above->index, left_used);
    if (step->index >= left_used) {
        *step = (struct step){right, step->index - left_used};
        above->index++;
    }
}

/* Moves the path to one of two leaves that were divided anew; `position` is counted from the beginning of the left one.
 * Between the two, the left one is better: nobody's first item changes. */
static void choose_leaf(struct path *path, unsigned left_index, unsigned position)
{
    struct step *step = &path->steps[0];
    unsigned left_count = step->node->counts[left_index];
    bool left = position <= left_count && left_count < LEAF_ITEMS;
    step->index = left ? left_index : left_index + 1;
    path->position = left ? position : position - left_count;
    path->leaf = step->node->children[step->index];
}

/* The left one of two children: the one at `index`, and the one beside it that has fewer items. */
static unsigned left_of_pair(const struct inner *parent, unsigned index)
{
    bool right = index == 0 || (index + 1 < parent->used && parent->counts[index + 1] < parent->counts[index - 1]);
    return right ? index : index - 1;
}

/* Divides the items of the full leaf of the path with a neighbour that has room. */
static bool share_with_neighbour(const struct cw_order *order, struct path *path)
{
    if (order->height == 0)
        return false;
    struct step step = path->steps[0];
    unsigned left_index = left_of_pair(step.node, step.index);
    unsigned left_count = step.node->counts[left_index];
    unsigned count = left_count + step.node->counts[left_index + 1];
    if (count > LEAF_ITEMS + LEAF_GIVING_MAX)
        return false;
    share_items(step.node, left_index, count / 2);
    choose_leaf(path, left_index, path->position + (left_index < step.index ? left_count : 0));
    return true;
}

static void split_leaf(struct cw_order *order, struct cw_arena *arena, struct path *path)
{
    size_t rank = path_rank(order, path);
    make_room_for_child(order, arena, path, 0, rank);
    struct step *step = &path->steps[0];
    add_child(step->node, step->index, node_create(order, arena));
    share_items(step->node, step->index, split_at(order, rank, LEAF_ITEMS, 0, LEAF_ITEMS));
    choose_leaf(path, step->index, path->position);
}

void cw_order_insert(struct cw_order *order, struct cw_arena *arena, double score, const struct cw_entry *member)
{
    CHECK(order->count < CW_ORDER_COUNT_MAX);
    struct target target = {.score = score, .member = cw_entry_key(member)};
    struct path path;
    descend(order, &target, &path);
    if (leaf_count(order, &path) == LEAF_ITEMS && !share_with_neighbour(order, &path))
        split_leaf(order, arena, &path);

    move_items(path.leaf, path.position + 1, path.leaf, path.position, leaf_count(order, &path) - path.position);
    path.leaf->scores[path.position] = score;
    path.leaf->members[path.position] = member;
    add_to_counts(order, &path, 1);
    if (path.position == 0)
        renew_first(order, &path);
}

/* ---- Closing gaps ---- */

/* Frees a child that has become empty. */
static void drop_child(struct cw_order *order, struct cw_arena *arena, struct inner *parent, unsigned index)
{
    node_free(order, arena, parent->children[index]);
    move_children(parent, index, parent, index + 1, parent->used - index - 1);
    parent->used--;
}

/* Merges the leaf of the path with a neighbour if both fit into one, else takes from the neighbour if it needs to. */
static void refill_leaf(struct cw_order *order, struct cw_arena *arena, const struct path *path)
{
    struct inner *parent = path->steps[0].node;
    unsigned left_index = left_of_pair(parent, path->steps[0].index);
    unsigned count = parent->counts[left_index] + parent->counts[left_index + 1];
    if (count <= LEAF_MERGED_MAX) {
        share_items(parent, left_index, count);
        drop_child(order, arena, parent, left_index + 1);
    } else if (parent->counts[path->steps[0].index] < LEAF_MIN) {
        share_items(parent, left_index, count / 2);
    }
    renew_first_above(order, path, 0);
}

/* The same for the node at this level of the path, which has too few children. */
static void refill_inner(struct cw_order *order, struct cw_arena *arena, const struct path *path, unsigned level)
{
    struct inner *parent = path->steps[level + 1].node;
    unsigned left_index = left_of_pair(parent, path->steps[level + 1].index);
    const struct inner *left = parent->children[left_index], *right = parent->children[left_index + 1];
    unsigned used = left->used + right->used;
    if (used <= INNER_MERGED_MAX) {
        share_children(parent, left_index, used);
        drop_child(order, arena, parent, left_index + 1);
    } else {
        share_children(parent, left_index, used / 2);
    }
}

static void lower_root(struct cw_order *order, struct cw_arena *arena)
{
    struct inner *root = order->root;
    order->root = root->children[0];
    order->height--;
    node_free(order, arena, root);
}

/* The leaf of the path, which has a parent, is less than half full. */
static void refill(struct cw_order *order, struct cw_arena *arena, const struct path *path)
{
    refill_leaf(order, arena, path);
    for (unsigned level = 0; level + 1 < order->height && path->steps[level].node->used < INNER_MIN; level++)
        refill_inner(order, arena, path, level);
    if (((struct inner *)order->root)->used == 1)
        lower_root(order, arena);
}

static void remove_at(struct cw_order *order, struct cw_arena *arena, const struct path *path)
{
    unsigned behind = leaf_count(order, path) - path->position - 1;
    move_items(path->leaf, path->position, path->leaf, path->position + 1, behind);
    add_to_counts(order, path, -1);
    if (path->position == 0)
        renew_first(order, path);
    if (order->height > 0 && leaf_count(order, path) < LEAF_ITEMS / 2)
        refill(order, arena, path);
}

void cw_order_remove(struct cw_order *order, struct cw_arena *arena, double score, struct slice member)
{
    struct path path;
    find(order, score, member, NULL, &path);
    remove_at(order, arena, &path);
}

/* ---- Items that change ---- */

/* Whether the target is before what follows the leaf of the path. */
static bool is_before_next_leaf(const struct cw_order *order, const struct path *path, const struct target *target)
{
    for (unsigned level = 0; level < order->height; level++) {
        const struct inner *node = path->steps[level].node;
        unsigned next = path->steps[level].index + 1;
        if (next < node->used)
            return items_before(target, &node->scores[next], &node->members[next], 1) == 0;
    }
    return true;
}

/* Moves the item at the path's position to where it belongs with its new score, if that is for sure in the same leaf.
 */
static bool move_within_leaf(const struct cw_order *order, struct path *path, double new_score)
{
    struct cw_order_leaf *leaf = path->leaf;
    unsigned from = path->position;
    double score = leaf->scores[from];
    const struct cw_entry *member = leaf->members[from];
    struct target target = {.score = new_score, .member = cw_entry_key(member)};
    unsigned count = leaf_count(order, path);
    unsigned to = items_before(&target, leaf->scores, leaf->members, count);
    if (new_score > score) {
        if (to == count && !is_before_next_leaf(order, path, &target))
            return false;
        to--; /* the item itself was before */
        move_items(leaf, from, leaf, from + 1, to - from);
    } else if (new_score < score) {
        if (to == 0 && path_rank(order, path) > from)
            return false;
        move_items(leaf, to + 1, leaf, to, from - to);
    }
    leaf->scores[to] = new_score;
    leaf->members[to] = member;
    if (from == 0 || to == 0)
        renew_first(order, path);
    return true;
}

void cw_order_change_score(struct cw_order *order, struct cw_arena *arena, double score, struct slice member,
                           double new_score)
{
    struct path path;
    find(order, score, member, NULL, &path);
    if (move_within_leaf(order, &path, new_score))
        return;
    const struct cw_entry *entry = path.leaf->members[path.position];
    remove_at(order, arena, &path);
    cw_order_insert(order, arena, new_score, entry);
}

void cw_order_repoint(struct cw_order *order, double score, const struct cw_entry *old_member,
                      const struct cw_entry *new_member)
{
    struct path path;
    find(order, score, cw_entry_key(new_member), old_member, &path);
    path.leaf->members[path.position] = new_member;
    if (path.position == 0)
        renew_first(order, &path);
}

/* ---- Compaction ---- */

/* The way down to the leaf of the item at *rank, which moves with it; returns how many items the leaf has from there.
 */
static size_t compact_path(struct cw_order *order, struct cw_arena *arena, size_t rank, unsigned *budget)
{
    void **place = &order->root;
    size_t count = order->count;
    cw_spend(budget, LOOK_COST);
    for (unsigned level = order->height;; level--) {
        *place = cw_arena_move(arena, *place, NODE_BYTES, budget);
        if (level == 0)
            return count - rank;
        struct inner *inner = *place;
        unsigned index = 0;
        for (; rank >= inner->counts[index]; index++)
            rank -= inner->counts[index];
        count = inner->counts[index];
        place = &inner->children[index];
    }
}

bool cw_order_compact_step(struct cw_order **order, struct cw_arena *arena, size_t *rank, unsigned *budget)
{
    if (*rank == 0)
        *order = cw_arena_move(arena, *order, sizeof(**order), budget);
    while (*rank < (*order)->count) {
        if (*budget == 0)
            return true;
        *rank += compact_path(*order, arena, *rank, budget);
    }
    return false;
}

bool cw_order_compact_with(struct cw_dictionary **dictionary, struct cw_order **order, struct cw_arena *arena,
                           uint64_t *position, unsigned *budget,
                           void (*moved)(void *context, const struct cw_entry *old, struct cw_entry *entry),
                           void *context)
{
    if (!(*position & CW_DICTIONARY_POSITION_SPARE)) {
        if (cw_dictionary_compact_step(dictionary, position, budget, moved, context))
            return true;
        *position = CW_DICTIONARY_POSITION_SPARE; /* from here on it is a rank above this bit */
    }
    size_t rank = *position >> 1;
    bool more = *order && cw_order_compact_step(order, arena, &rank, budget);
    *position = (uint64_t)rank << 1 | CW_DICTIONARY_POSITION_SPARE;
    return more;
}

/* ---- For tests ---- */

struct inspection {
    const struct cw_order *order;
    struct cw_order_item last; /* member NULL: none yet */
    size_t nodes;
    const char *wrong;
};

static void expect(struct inspection *inspection, bool condition, const char *wrong)
{
    if (!condition && !inspection->wrong)
        inspection->wrong = wrong;
}

static void inspect_leaf(struct inspection *inspection, const struct cw_order_leaf *leaf, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct cw_order_item item = {leaf->scores[i], leaf->members[i]}, last = inspection->last;
        bool above =
            !last.member || item.score > last.score ||
            (item.score == last.score && cw_member_compare(cw_entry_key(item.member), cw_entry_key(last.member)) > 0);
        expect(inspection, above, "items are not in order");
        inspection->last = item;
    }
}

/* A node with `count` items below it; returns its first item. `at_end`: on the way to the first or the last leaf. */
static struct cw_order_item inspect(struct inspection *inspection, const void *node, unsigned level, size_t count,
                                    bool at_start, bool at_end)
{
    inspection->nodes++;
    bool is_root = level == inspection->order->height;
    bool may_be_small = is_root || at_start || at_end;
    if (level == 0) {
        const struct cw_order_leaf *leaf = node;
        expect(inspection, count <= LEAF_ITEMS, "a leaf has too many items");
        expect(inspection, count >= LEAF_MIN || (may_be_small && (count > 0 || is_root)), "a leaf has too few items");
        if (!inspection->wrong)
            inspect_leaf(inspection, leaf, (unsigned)count);
        return (struct cw_order_item){leaf->scores[0], leaf->members[0]};
    }
    const struct inner *inner = node;
    expect(inspection, inner->used <= INNER_CHILDREN, "a node has too many children");
    expect(inspection, inner->used >= INNER_MIN || (may_be_small && inner->used >= 2), "a node has too few children");
    size_t sum = 0;
    for (unsigned i = 0; i < inner->used && !inspection->wrong; i++) {
        struct cw_order_item first = inspect(inspection, inner->children[i], level - 1, inner->counts[i],
                                             at_start && i == 0, at_end && i + 1 == inner->used);
        expect(inspection, first.score == inner->scores[i] && first.member == inner->members[i],
               "a child begins with another item than its parent says");
        sum += inner->counts[i];
    }
    expect(inspection, sum == count, "a node has another number of items than its parent says");
    return (struct cw_order_item){inner->scores[0], inner->members[0]};
}

const char *cw_order_check(const struct cw_order *order)
{
    struct inspection inspection = {.order = order};
    inspect(&inspection, order->root, order->height, order->count, true, true);
    expect(&inspection, inspection.nodes == order->nodes, "the number of nodes is wrong");
    return inspection.wrong;
}
