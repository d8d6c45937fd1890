/* hashmap.h: an intrusive hash table of named things: clients by id, channels by name.
 *
 * The node lives in the caller's struct, and so do the bytes of its key, which must stay as they are while the node is
 * in the map; the map owns its buckets only. A number is a key by its own bytes (hashmap_number). It grows by doubling,
 * all at once, and does not shrink: it is for what a core keeps track of, not for the keyspace.
 *
 *     struct channel { struct hashmap_node node; ... char name[]; };
 *     hashmap_add(&channels, &channel->node, slice_text(channel->name));
 *     struct hashmap_node *node = hashmap_find(&channels, name);
 *     struct channel *channel = node ? CONTAINER_OF(node, struct channel, node) : NULL; */
#ifndef COMMON_BASE_HASHMAP_H
#define COMMON_BASE_HASHMAP_H

#include "common/base/check.h"
#include "common/base/siphash.h"
#include "common/base/slice.h"

#include <stddef.h>
#include <stdint.h>

struct hashmap_node {
    struct hashmap_node *next; /* in the bucket */
    uint64_t hash;
    struct slice key; /* borrowed from the struct that holds the node */
};

struct hashmap {
    struct hashmap_node **buckets; /* owned; NULL until the first addition */
    size_t capacity;               /* a power of two */
    size_t count;
    struct siphash_key seed;
};

void hashmap_init(struct hashmap *map, struct siphash_key seed);
void hashmap_free(struct hashmap *map); /* the buckets; what was in them is the caller's */

/* NULL when it is not there. */
struct hashmap_node *hashmap_find(const struct hashmap *map, struct slice key);

/* The key must not be in the map yet. */
void hashmap_add(struct hashmap *map, struct hashmap_node *node, struct slice key);

/* The node must be in the map. */
void hashmap_remove(struct hashmap *map, struct hashmap_node *node);

/* In no useful order, but the same for the same seed and history. NULL at the end. */
struct hashmap_node *hashmap_first(const struct hashmap *map);
struct hashmap_node *hashmap_next(const struct hashmap *map, const struct hashmap_node *node);

/* The loop body may remove `node` itself, and add nothing. */
#define HASHMAP_FOR_EACH(node, map)                                                                                    \
    for (struct hashmap_node *node = hashmap_first(map), *node##_next = node ? hashmap_next(map, node) : NULL;         \
         node != NULL; node = node##_next, node##_next = node ? hashmap_next(map, node) : NULL)

/* The key of a number that lives at `number` as long as the node is in the map. */
static inline struct slice hashmap_number(const uint64_t *number)
{
    return slice_of(number, sizeof(*number));
}

#endif
