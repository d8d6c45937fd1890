/* id_map.h: stream ids and what belongs to each, in order: a B+ tree.
 *
 * Streams grow at the end and lose what is in front, so a full page at the end is followed by a new one instead of
 * being split, and a page goes only when it is empty (Johnson and Shasha 1993, "B-trees with inserts and deletes: why
 * free-at-empty is better than merge-at-half"). Adding behind the last id costs no search. The only page of a small map
 * is no bigger than it must be: there may be many consumers with little pending, and many short streams. */
#ifndef CACHEWORKER_STREAM_ID_MAP_H
#define CACHEWORKER_STREAM_ID_MAP_H

#include "cacheworker/stream/stream_id.h"
#include "cacheworker/stream/stream_memory.h"

struct cw_id_item {
    struct cw_stream_id id;
    void *value; /* the caller's; above the leaves: the page below, with the ids from `id` on */
};

struct cw_id_page {
    struct cw_id_page *next; /* of the same level */
    struct cw_id_page *previous;
    uint32_t count;
    uint32_t capacity;
    struct cw_id_item items[];
};

/* A zeroed struct is an empty map. */
struct cw_id_map {
    struct cw_id_page *root; /* owned */
    struct cw_id_page *last; /* leaf */
    uint64_t count;
    unsigned height; /* levels above the leaves */
};

/* Where an item is; good until the next change of the map. */
struct cw_id_place {
    struct cw_id_page *leaf; /* NULL: nowhere */
    uint32_t slot;
};

/* The value may be replaced through it. */
static inline struct cw_id_item *cw_id_map_item(struct cw_id_place place)
{
    return &place.leaf->items[place.slot];
}

struct cw_id_place cw_id_map_first(const struct cw_id_map *map);
struct cw_id_place cw_id_map_last(const struct cw_id_map *map);
struct cw_id_place cw_id_map_at_least(const struct cw_id_map *map, struct cw_stream_id id); /* the first from id on */
struct cw_id_place cw_id_map_at_most(const struct cw_id_map *map, struct cw_stream_id id);  /* the last up to id */
struct cw_id_place cw_id_map_next(struct cw_id_place place);
struct cw_id_place cw_id_map_previous(struct cw_id_place place);

/* The value, or NULL. */
void *cw_id_map_find(const struct cw_id_map *map, struct cw_stream_id id);

/* False, and nothing changed: the id was there. `value` must not be NULL. */
bool cw_id_map_insert(const struct cw_stream_memory *memory, struct cw_id_map *map, struct cw_stream_id id,
                      void *value);
/* The value that was there, or NULL. An empty map holds no memory. */
void *cw_id_map_remove(const struct cw_stream_memory *memory, struct cw_id_map *map, struct cw_stream_id id);

/* Moves what the arena wants moved, from the first id on that is not below *from, until the budget is used up: pages,
 * and values by `mover`, which returns where the value is then; NULL: values stay. True while more is left, from *from
 * on. */
typedef void *(*cw_id_value_mover)(void *context, struct cw_stream_id id, void *value, unsigned *budget);
bool cw_id_map_compact(const struct cw_stream_memory *memory, struct cw_id_map *map, struct cw_stream_id *from,
                       unsigned *budget, cw_id_value_mover mover, void *context);

#endif
