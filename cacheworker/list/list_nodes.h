/* list_nodes.h: the nodes of a long list, in their order, found by the index of an element.
 *
 * They are the leaves of a B+ tree whose branches count elements (Knuth, The Art of Computer Programming 3, 6.2.3, has
 * the idea for binary trees). Branches are filled whole where nodes are added at the ends, which is the rule, and are
 * freed when they are empty; they are not merged before, which costs memory only in lists that are deleted from within.
 */
#ifndef CACHEWORKER_LIST_LIST_NODES_H
#define CACHEWORKER_LIST_LIST_NODES_H

#include "cacheworker/list/list_node.h"

struct cw_list_nodes { /* zeroed: none */
    struct cw_list_node *first;
    struct cw_list_node *last;
    struct cw_list_branch *root; /* owned; NULL while there is no node */
    uint64_t nodes;
    uint64_t elements;
};

/* Takes over a node of at least one element and puts it after `neighbour`, or before it. NULL: there is no other. */
void cw_list_nodes_add(struct cw_list_nodes *nodes, struct cw_list_memory *memory, struct cw_list_node *node,
                       struct cw_list_node *neighbour, bool before);

/* Removes a node and frees it. */
void cw_list_nodes_remove(struct cw_list_nodes *nodes, struct cw_list_memory *memory, struct cw_list_node *node);

/* Says that a node has so many elements more, or fewer. A node that has none is to be removed. */
void cw_list_nodes_note(struct cw_list_nodes *nodes, struct cw_list_node *node, int64_t change);

/* The node of an element that exists; ret_offset is its index among those of the node. */
struct cw_list_node *cw_list_nodes_find(const struct cw_list_nodes *nodes, uint64_t index, uint64_t *ret_offset);

/* Moves what the arena wants moved of a node, and of the branches that begin with it; returns the node, which may be
 * elsewhere then. What that costs is taken from the budget. */
struct cw_list_node *cw_list_nodes_compact(struct cw_list_nodes *nodes, const struct cw_list_memory *memory,
                                           struct cw_list_node *node, unsigned *budget);

#endif
