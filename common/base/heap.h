/* heap.h: an intrusive binary heap: what is due first, for many deadlines that come and go.
 *
 * A zeroed heap is empty, a zeroed node is in none. The node lives in the caller's struct and knows its own place, so
 * that moving and removing cost no search. The heap owns its array only. */
#ifndef COMMON_BASE_HEAP_H
#define COMMON_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key;
    size_t place; /* in the array, from 1; 0: in no heap */
};

struct heap {
    struct heap_node **nodes; /* owned */
    size_t count;
    size_t capacity;
};

void heap_free(struct heap *heap); /* the array; its nodes are taken out */

/* The node with the least key, NULL when empty. */
struct heap_node *heap_first(const struct heap *heap);

/* Puts the node in, or moves it if it is in already. */
void heap_set(struct heap *heap, struct heap_node *node, int64_t key);

/* Does nothing when it is not in. */
void heap_remove(struct heap *heap, struct heap_node *node);

static inline bool heap_contains(const struct heap_node *node)
{
    return node->place != 0;
}

#endif
