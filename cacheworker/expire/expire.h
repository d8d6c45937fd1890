/* expire.h: active expiry. Keys that nobody asks for any more are deleted in small steps, a few each turn of the loop.
 *
 * The keyspace tells which buckets hold something due (keyspace.h), so a cycle over a database where nothing is due
 * only reads one number per segment. Who is told of each deletion is the keyspace's `expired` callback. */
#ifndef CACHEWORKER_EXPIRE_EXPIRE_H
#define CACHEWORKER_EXPIRE_EXPIRE_H

#include "cacheworker/keyspace/keyspace.h"

/* Where the cycle stands; zeroed to begin. */
struct cw_expire {
    unsigned database;
    uint64_t position;
    bool more; /* the last call ran out of budget: call again soon */
};

/* Goes on for at most `budget` segments (64 buckets, about 250 keys each; at most 20 us where many are due), over all
 * databases in turn, at most one round. Returns how many keys were deleted. Does nothing unless the keyspace's mode is
 * CW_EXPIRY_DELETES. Call it ten times a second, and each turn while `more` is set. */
uint64_t cw_expire_cycle(struct cw_expire *expire, struct cw_keyspace *keyspace, int64_t now_ms, unsigned budget);

#endif
