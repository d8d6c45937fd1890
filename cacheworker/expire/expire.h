/* expire.h: active expiry. Keys and fields that nobody asks for any more are deleted in small steps, a few each turn of
 * the loop.
 *
 * The keyspace tells which buckets hold something due (keyspace.h), so a cycle over a database where nothing is due
 * only reads one number per segment. Who is told of each deletion are the keyspace's callbacks. */
#ifndef CACHEWORKER_EXPIRE_EXPIRE_H
#define CACHEWORKER_EXPIRE_EXPIRE_H

#include "cacheworker/keyspace/keyspace.h"

/* Where the cycle stands; zeroed to begin. */
struct cw_expire {
    unsigned database;
    bool more; /* the last call ran out of budget: call again soon */
};

/* Goes on over all databases in turn, at most one round, until the budget is used up: units of about 20 ns, see
 * cw_keyspace_expire_step. Returns how many keys and parts of keys were deleted. Does nothing unless the keyspace's
 * mode is CW_EXPIRY_DELETES. Call it ten times a second, and each turn while `more` is set. */
uint64_t cw_expire_cycle(struct cw_expire *expire, struct cw_keyspace *keyspace, int64_t now_ms, unsigned budget);

#endif
