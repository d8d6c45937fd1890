/* big_hash.h: a hash that is an object: its fields in a dictionary, and those that expire in the order in which they
 * do. So it is known at any time how many fields are due, however many there are, without a look at each. */
#ifndef CACHEWORKER_HASH_BIG_HASH_H
#define CACHEWORKER_HASH_BIG_HASH_H

#include "cacheworker/keyspace/dictionary.h"
#include "cacheworker/keyspace/object.h"
#include "cacheworker/zset/order.h"

struct cw_big_hash {              /* for others to look at */
    struct cw_arena *arena;       /* borrowed */
    struct cw_dictionary *fields; /* owned */
    struct cw_order *expiries;    /* owned; of the entries in `fields` that have one, by date; NULL: none has */
};

extern const struct cw_object_operations cw_hash_operations;

struct cw_big_hash *cw_big_hash_create(struct cw_arena *arena, const struct cw_hash_key *hash_key);

/* When the first field is due, in ms; INT64_MAX: none expires. */
int64_t cw_big_hash_earliest_due(const struct cw_big_hash *hash);

uint64_t cw_big_hash_count_expiries(const struct cw_big_hash *hash);
uint64_t cw_big_hash_count_due(const struct cw_big_hash *hash, int64_t now_ms); /* before now_ms */

/* One of the fields with an expiry, by its rank. */
const struct cw_entry *cw_big_hash_by_expiry(const struct cw_big_hash *hash, uint64_t rank);

/* As the dictionary's; expire_ms is a date, or CW_NO_EXPIRY. */
bool cw_big_hash_put(struct cw_big_hash *hash, struct slice field, struct slice value, int64_t expire_ms); /* is new */
bool cw_big_hash_expire(struct cw_big_hash *hash, struct slice field, int64_t expire_ms); /* false: no such field */
bool cw_big_hash_remove(struct cw_big_hash *hash, struct slice field);                    /* the same */

#endif
