/* evict.h: which keys go when memory is full (redis.io/docs/latest/develop/reference/eviction).
 *
 * As in the reference the best victim is not known but looked for: before each eviction some keys are looked at, the
 * best ones so far are kept in a pool, and the best of the pool goes. What is looked at are whole buckets, one after
 * the other in the order of the table, which has nothing to do with the use of keys: so each key is looked at once in a
 * round, where random picks would come upon some twice and upon others never. Databases take turns by chance, in
 * proportion to their keys.
 *
 * What counts against the limit is cw_keyspace_data_bytes: blocks in use. Memory that is held for free blocks does not
 * count, for evicting keys would not give it back, but be used by the keys that come; and neither do the buffers of
 * clients and replicas. */
#ifndef CACHEWORKER_EVICT_EVICT_H
#define CACHEWORKER_EVICT_EVICT_H

#include "cacheworker/evict/policy.h"
#include "cacheworker/keyspace/keyspace.h"

struct cw_evict_rules {
    size_t limit_bytes; /* maxmemory; 0: none */
    enum cw_policy policy;
    int64_t samples;                      /* keys looked at before each eviction, at least */
    const struct cw_access_rules *access; /* borrowed; counts_uses with an LFU policy */
};

enum cw_evict_result {
    CW_EVICT_DONE,  /* below the limit */
    CW_EVICT_MORE,  /* above; the budget was used up before */
    CW_EVICT_STUCK, /* above; there is no key that may go */
};

/* Told before each eviction: the place to propagate DEL. `key` is borrowed for the call; the keyspace must not be
 * touched from it. */
typedef void (*cw_evicted)(void *context, unsigned database, struct slice key);

struct cw_evict;

struct cw_evict *cw_evict_create(unsigned databases, uint64_t seed);
void cw_evict_destroy(struct cw_evict *evict); /* NULL is fine */

/* Evicts keys of the keyspace, a master's, until it is below the limit, and frees what waits for it first. What that
 * cost is taken from *budget: units of about 20 ns, as in cw_keyspace_expire_step; one eviction may overdraw it, which
 * then is 0. The keyspace may be another one than the last time, and may have changed in any way. */
enum cw_evict_result cw_evict_step(struct cw_evict *evict, struct cw_keyspace *keyspace,
                                   const struct cw_evict_rules *rules, int64_t now_ms, unsigned *budget,
                                   cw_evicted evicted, void *context);

#endif
