#include "common/base/hashmap.h"

#include "common/base/mem.h"

enum { CAPACITY_FIRST = 16 };

void hashmap_init(struct hashmap *map, struct siphash_key seed)
{
    *map = (struct hashmap){.seed = seed};
}

void hashmap_free(struct hashmap *map)
{
    mem_free(map->buckets);
    *map = (struct hashmap){.seed = map->seed};
}

static struct hashmap_node **bucket_of(const struct hashmap *map, uint64_t hash)
{
    return &map->buckets[hash & (map->capacity - 1)];
}

static void push(struct hashmap *map, struct hashmap_node *node)
{
    struct hashmap_node **bucket = bucket_of(map, node->hash);
    node->next = *bucket;
    *bucket = node;
}

static void grow(struct hashmap *map)
{
    struct hashmap grown = {.capacity = map->capacity ? 2 * map->capacity : CAPACITY_FIRST};
    grown.buckets = mem_zero(grown.capacity * sizeof(struct hashmap_node *));
    for (size_t i = 0; i < map->capacity; i++) {
        for (struct hashmap_node *node = map->buckets[i], *next; node != NULL; node = next) {
            next = node->next;
            push(&grown, node);
        }
    }
    mem_free(map->buckets);
    map->buckets = grown.buckets;
    map->capacity = grown.capacity;
}

static struct hashmap_node *find_hashed(const struct hashmap *map, struct slice key, uint64_t hash)
{
    if (map->count == 0)
        return NULL;
    struct hashmap_node *node = *bucket_of(map, hash);
    while (node != NULL && !(node->hash == hash && slice_equal(node->key, key)))
        node = node->next;
    return node;
}

struct hashmap_node *hashmap_find(const struct hashmap *map, struct slice key)
{
    return find_hashed(map, key, siphash(&map->seed, key));
}

void hashmap_add(struct hashmap *map, struct hashmap_node *node, struct slice key)
{
    uint64_t hash = siphash(&map->seed, key);
    CHECK(find_hashed(map, key, hash) == NULL);
    if (map->count == map->capacity)
        grow(map);
    node->hash = hash;
    node->key = key;
    push(map, node);
    map->count++;
}

void hashmap_remove(struct hashmap *map, struct hashmap_node *node)
{
    CHECK(map->count > 0);
    struct hashmap_node **place = bucket_of(map, node->hash);
    while (*place != node) {
        CHECK(*place != NULL);
        place = &(*place)->next;
    }
    *place = node->next;
    node->next = NULL;
    map->count--;
}

static struct hashmap_node *first_from(const struct hashmap *map, size_t bucket)
{
    for (; bucket < map->capacity; bucket++)
        if (map->buckets[bucket] != NULL)
            return map->buckets[bucket];
    return NULL;
}

struct hashmap_node *hashmap_first(const struct hashmap *map)
{
    return first_from(map, 0);
}

struct hashmap_node *hashmap_next(const struct hashmap *map, const struct hashmap_node *node)
{
    if (node->next != NULL)
        return node->next;
    return first_from(map, (node->hash & (map->capacity - 1)) + 1);
}
