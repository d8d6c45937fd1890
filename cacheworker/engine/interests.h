/* interests.h: keys by name that somebody has an interest in, whether they exist or not. Pure.
 *
 * What is kept of such a key is a struct of the room that keeps it (txn/, block/), which begins with a cw_interest and
 * is there as long as it has holders: nodes of a list that the room fills. */
#ifndef CACHEWORKER_ENGINE_INTERESTS_H
#define CACHEWORKER_ENGINE_INTERESTS_H

#include "common/base/hashmap.h"
#include "common/base/list.h"

struct cw_interest {
    struct hashmap_node node; /* its key is owned */
    unsigned database;
    struct list holders; /* in the order in which they came */
};

struct cw_interests {
    struct hashmap *maps; /* owned; by database */
    unsigned databases;
    size_t count;
    size_t size; /* of the room's struct */
};

void cw_interests_create(struct cw_interests *interests, unsigned databases, size_t size, struct siphash_key seed);
void cw_interests_destroy(struct cw_interests *interests); /* whose keys have all been released */

/* NULL when nobody is interested. */
struct cw_interest *cw_interests_find(const struct cw_interests *interests, unsigned database, struct slice key);

/* The same, made when it is not there: zeroed but for the head, without holders. The key is copied. */
struct cw_interest *cw_interests_obtain(struct cw_interests *interests, unsigned database, struct slice key);

/* Frees it when it has no holders. */
void cw_interests_release(struct cw_interests *interests, struct cw_interest *interest);

static inline struct slice cw_interest_key(const struct cw_interest *interest)
{
    return interest->node.key;
}

/* All of a database; the body may release `interest`. */
#define CW_INTERESTS_FOR_EACH(node, interests, database) HASHMAP_FOR_EACH(node, &(interests)->maps[database])

#endif
