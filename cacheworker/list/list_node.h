/* list_node.h: consecutive elements of a long list, in one listpack.
 *
 *     memory  [ room | listpack: start, length | room ]
 *
 * There is room at both ends, and an edit moves the shorter side: what is pushed and popped at either end of a list
 * costs the same however big the node is. */
#ifndef CACHEWORKER_LIST_LIST_NODE_H
#define CACHEWORKER_LIST_LIST_NODE_H

#include "cacheworker/list/list_memory.h"
#include "cacheworker/packed/listpack.h"

struct cw_list_branch;

struct cw_list_node {
    struct cw_list_node *previous; /* these three belong to list_nodes.h */
    struct cw_list_node *next;
    struct cw_list_branch *parent;
    char *memory; /* owned */
    uint32_t capacity;
    uint32_t start;
    uint32_t length;
};

static inline struct slice cw_list_node_listpack(const struct cw_list_node *node)
{
    return slice_of(node->memory + node->start, node->length);
}

static inline uint64_t cw_list_node_count(const struct cw_list_node *node)
{
    return cw_listpack_count(cw_list_node_listpack(node));
}

/* A node with a copy of this listpack. */
struct cw_list_node *cw_list_node_create(struct cw_list_memory *memory, struct slice listpack);
void cw_list_node_free(struct cw_list_memory *memory, struct cw_list_node *node);

/* Gives room back, where there is much: nothing will be pushed here any more. */
void cw_list_node_fit(struct cw_list_memory *memory, struct cw_list_node *node);

/* The listpack, as something that listpack.h edits. */
struct cw_list_edit {
    struct cw_packed packed;
    struct cw_list_memory *memory; /* borrowed */
    struct cw_list_node *node;     /* borrowed */
};

/* Must stay where it is as long as its `packed` is used, for that points back to it. */
void cw_list_edit_open(struct cw_list_edit *edit, struct cw_list_memory *memory, struct cw_list_node *node);

#endif
