/* long_list.h: a list that is an object: listpacks in a row (list_nodes.h).
 *
 * Nodes are filled, split and merged as the reference does it, so that a list that was shown as a quicklist is shown as
 * a listpack again at the same moment: when one node is left, and that is small. An element bigger than a node has one
 * for itself. */
#ifndef CACHEWORKER_LIST_LONG_LIST_H
#define CACHEWORKER_LIST_LONG_LIST_H

#include "cacheworker/keyspace/object.h"
#include "cacheworker/list/list_limits.h"
#include "cacheworker/list/list_nodes.h"

enum cw_list_end { CW_LIST_HEAD, CW_LIST_TAIL };

struct cw_long_list {
    struct cw_list_memory memory;
    struct cw_list_nodes nodes;
};

extern const struct cw_object_operations cw_list_operations;

/* Empty; whoever creates it puts something there before others see it. */
struct cw_long_list *cw_long_list_create(struct cw_arena *arena);

/* None of the texts lies in the list. An index is that of an element that exists. */
void cw_long_list_push(struct cw_long_list *list, const struct cw_list_limits *limits, struct slice text,
                       enum cw_list_end end);
/* A node of its own, at the tail; the listpack is valid and has elements. */
void cw_long_list_append_node(struct cw_long_list *list, struct slice listpack);
void cw_long_list_replace(struct cw_long_list *list, const struct cw_list_limits *limits, uint64_t index,
                          struct slice text);
/* Beside the first element that is equal to the pivot; false: there is none. */
bool cw_long_list_insert(struct cw_long_list *list, const struct cw_list_limits *limits, struct slice pivot,
                         struct slice text, bool before);
/* Deletes as many elements, all of which exist. */
void cw_long_list_delete(struct cw_long_list *list, uint64_t index, uint64_t count);
/* Deletes elements that are equal to the text, from one end on, `most` at most; how many. */
uint64_t cw_long_list_delete_equal(struct cw_long_list *list, const struct cw_list_limits *limits, struct slice text,
                                   enum cw_list_end from, uint64_t most);

/* The same in one listpack; a long list's, or a packed one. */
uint64_t cw_list_delete_equal_in(struct cw_packed *packed, const struct cw_packed_needle *needle, enum cw_list_end from,
                                 uint64_t most);

#endif
