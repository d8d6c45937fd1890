/* rdb_load.h: a snapshot being read into a keyspace. */
#ifndef CACHEWORKER_RDB_RDB_LOAD_H
#define CACHEWORKER_RDB_RDB_LOAD_H

#include "cacheworker/rdb/rdb.h"
#include "cacheworker/rdb/rdb_value.h"

struct cw_rdb_load {
    struct cw_rdb_reader reader;  /* feed it with cw_rdb_read */
    struct cw_keyspace *keyspace; /* borrowed; empty at the start */
    struct cw_rdb_origin origin;  /* as the snapshot says, but for its programs: */
    struct buf programs;          /* owned; as items of RDB */
    struct buf users;             /* owned; of a full sync: the master's; empty: it told none */
    int64_t left_out_before_ms;   /* keys that were due before are left out; set before the first byte; 0: none is */
    uint64_t keys_left_out;
    void (*left_out)(void *context, unsigned database, struct slice key); /* is told of them; NULL: nobody is */
    void *left_out_context;

    /* Private. */
    unsigned stream_fields; /* seen so far, of those that say where in a stream the data stand */
    char stream_id[CW_RDB_STREAM_ID + 1];

    /* Private: the value that comes in parts. */
    struct cw_ref ref;
    struct cw_rdb_value value;
    int64_t expire_ms;
};

/* Keys that are due are loaded too, if nothing else is said: the data must be what their history says. The keyspace
 * must not delete keys that are due of its own accord while it is filled (CW_EXPIRY_IGNORED). */
void cw_rdb_load_init(struct cw_rdb_load *load, struct cw_keyspace *keyspace);
void cw_rdb_load_free(struct cw_rdb_load *load);

#endif
