/* zset_store.h: a sorted set that a command made out of other keys becomes the value of one. */
#ifndef CACHEWORKER_ZSET_ZSET_STORE_H
#define CACHEWORKER_ZSET_ZSET_STORE_H

#include "cacheworker/engine/call.h"
#include "cacheworker/keyspace/keyspace.h"

/* The draft, which cw_zset_begin has made, goes to the key argv[index]; without an entry the key goes, if there is one.
 * Replies how many members it has, and counts one change where there is one. */
void cw_zset_store(struct cw_call *call, struct cw_ref *draft, size_t index, const char *event);

#endif
