#include "cacheworker/engine/interests.h"

#include "common/base/mem.h"

void cw_interests_create(struct cw_interests *interests, unsigned databases, size_t size, struct siphash_key seed)
{
    CHECK(size >= sizeof(struct cw_interest));
    *interests = (struct cw_interests){.databases = databases, .size = size};
    interests->maps = mem_zero(databases * sizeof(struct hashmap));
    for (unsigned i = 0; i < databases; i++)
        hashmap_init(&interests->maps[i], seed);
}

void cw_interests_destroy(struct cw_interests *interests)
{
    CHECK(interests->count == 0);
    for (unsigned i = 0; i < interests->databases; i++)
        hashmap_free(&interests->maps[i]);
    mem_free(interests->maps);
    interests->maps = NULL;
}

struct cw_interest *cw_interests_find(const struct cw_interests *interests, unsigned database, struct slice key)
{
    struct hashmap_node *node = interests->count > 0 ? hashmap_find(&interests->maps[database], key) : NULL;
    return node != NULL ? CONTAINER_OF(node, struct cw_interest, node) : NULL;
}

struct cw_interest *cw_interests_obtain(struct cw_interests *interests, unsigned database, struct slice key)
{
    struct cw_interest *interest = cw_interests_find(interests, database, key);
    if (interest != NULL)
        return interest;
    interest = mem_alloc(interests->size + key.length);
    memset(interest, 0, interests->size);
    char *own = (char *)interest + interests->size;
    if (key.length > 0)
        memcpy(own, key.data, key.length);
    interest->database = database;
    list_init(&interest->holders);
    hashmap_add(&interests->maps[database], &interest->node, slice_of(own, key.length));
    interests->count++;
    return interest;
}

void cw_interests_release(struct cw_interests *interests, struct cw_interest *interest)
{
    if (!list_is_empty(&interest->holders))
        return;
    hashmap_remove(&interests->maps[interest->database], &interest->node);
    mem_free(interest);
    interests->count--;
}
