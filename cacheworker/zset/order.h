/* order.h: the members of a big sorted set in their order: by score, then by the member's bytes.
 *
 * A B+ tree (Comer 1979) that counts: an inner node knows for each child its first item and how many items are below
 * it, so that ranks are found on the way down. All nodes have 512 bytes, which the arena packs without overhead: a leaf
 * is 32 scores and 32 pointers and nothing else (how many it has is in its parent), an inner node has 18 children. A
 * full leaf gives to a neighbour before it is split, and a split at either end of the set leaves a full leaf behind: an
 * item costs 17 bytes when the set was filled in order, up or down, 21 when it was filled at random, and about 23 when
 * scores have changed for long. Removals leave every leaf and node at least a third full, but for those at either end
 * of the set, which may have been born nearly empty.
 *
 * Members are entries of somebody else's table, which outlive their items here, except in cw_order_repoint,
 * cw_order_free_step and cw_order_destroy. The tree reads the keys of entries to compare them, only among equal scores.
 *
 * Scores may be infinite; -0.0 equals 0.0; NaN never comes. What is said to be there must be there, and the other way
 * around. Changing functions take the arena of the set, always the same; they and cw_order_rank_of take O(log n). */
#ifndef CACHEWORKER_ZSET_ORDER_H
#define CACHEWORKER_ZSET_ORDER_H

#include "cacheworker/keyspace/arena.h"
#include "cacheworker/keyspace/dictionary.h"
#include "cacheworker/zset/score.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CW_ORDER_COUNT_MAX ((size_t)UINT32_MAX)

struct cw_order;

struct cw_order *cw_order_create(struct cw_arena *arena);

/* Frees everything in one go. NULL is fine. */
void cw_order_destroy(struct cw_order *order, struct cw_arena *arena);

/* Frees up to `*budget` nodes, each with up to 32 items, and takes them from it; false when all is gone, `order` too.
 * After the first step nothing else may be done with it. The members may be gone before. */
bool cw_order_free_step(struct cw_order *order, struct cw_arena *arena, unsigned *budget);

/* Adds an item that is not there; there is room for CW_ORDER_COUNT_MAX. */
void cw_order_insert(struct cw_order *order, struct cw_arena *arena, double score, const struct cw_entry *member);

/* Takes out an item that is there. */
void cw_order_remove(struct cw_order *order, struct cw_arena *arena, double score, struct slice member);

/* Gives an item that is there another score; without moving anything but its neighbours if it can stay in its leaf. */
void cw_order_change_score(struct cw_order *order, struct cw_arena *arena, double score, struct slice member,
                           double new_score);

/* The entry of an item moved: same score, same bytes, another address. `old_member` may be freed already and is not
 * read. */
void cw_order_repoint(struct cw_order *order, double score, const struct cw_entry *old_member,
                      const struct cw_entry *new_member);

/* Moves what the arena wants moved, the order itself too, from the leaf of the item at *rank on, until the budget is
 * used up; true while more is left, at the new rank. Begins at 0. */
bool cw_order_compact_step(struct cw_order **order, struct cw_arena *arena, size_t *rank, unsigned *budget);

/* The same of a dictionary, and then of the order of its entries, or some of them, if there is one: as object.h says.
 */
bool cw_order_compact_with(struct cw_dictionary **dictionary, struct cw_order **order, struct cw_arena *arena,
                           uint64_t *position, unsigned *budget,
                           void (*moved)(void *context, const struct cw_entry *old, struct cw_entry *entry),
                           void *context);

size_t cw_order_count(const struct cw_order *order);
size_t cw_order_used_bytes(const struct cw_order *order);

/* ---- Places ---- */

struct cw_order_leaf;

/* Where an item is, until the next change of the order. The caller may read `rank`. */
struct cw_order_place {
    const struct cw_order_leaf *leaf; /* borrowed */
    uint32_t rank;                    /* of the item: 0 is the lowest */
    uint16_t index;                   /* in the leaf */
    uint16_t count;                   /* of the leaf's items */
};

struct cw_order_item {
    double score;
    const struct cw_entry *member; /* borrowed */
};

enum cw_order_side {
    CW_ORDER_LOW,  /* the first item that is not below the limit */
    CW_ORDER_HIGH, /* the last item that is not above it */
};

/* Each fills *ret_place, or returns false and leaves it alone: there is no such item. */
bool cw_order_at(const struct cw_order *order, size_t rank, struct cw_order_place *ret_place);
bool cw_order_first(const struct cw_order *order, struct cw_order_place *ret_place);
bool cw_order_last(const struct cw_order *order, struct cw_order_place *ret_place);
bool cw_order_seek_score(const struct cw_order *order, const struct cw_score_limit *limit, enum cw_order_side side,
                         struct cw_order_place *ret_place);
/* Of a set whose scores are all equal. */
bool cw_order_seek_lex(const struct cw_order *order, const struct cw_lex_limit *limit, enum cw_order_side side,
                       struct cw_order_place *ret_place);

/* Moves the place by one, in O(1) but every 32nd time or so; false: it was the last one, or the first. */
bool cw_order_next(const struct cw_order *order, struct cw_order_place *place);
bool cw_order_previous(const struct cw_order *order, struct cw_order_place *place);

struct cw_order_item cw_order_item(const struct cw_order_place *place);

/* The rank of an item; of one that is not there, the rank that it would get. */
size_t cw_order_rank_of(const struct cw_order *order, double score, struct slice member);

/* For tests: what is wrong with the tree, or NULL. */
const char *cw_order_check(const struct cw_order *order);

#endif
