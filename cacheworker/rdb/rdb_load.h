/* rdb_load.h: a snapshot being read into a keyspace. */
#ifndef CACHEWORKER_RDB_RDB_LOAD_H
#define CACHEWORKER_RDB_RDB_LOAD_H

#include "cacheworker/rdb/rdb.h"

struct cw_keyspace;

struct cw_rdb_load {
    struct cw_rdb_reader reader;  /* feed it with cw_rdb_read */
    struct cw_keyspace *keyspace; /* borrowed; empty at the start */
    struct cw_rdb_origin origin;  /* as the snapshot says */
};

/* Keys that are due are loaded too: the data must be what their history says. The keyspace must not delete keys that
 * are due of its own accord while it is filled (CW_EXPIRY_IGNORED). */
void cw_rdb_load_init(struct cw_rdb_load *load, struct cw_keyspace *keyspace);
void cw_rdb_load_free(struct cw_rdb_load *load);

#endif
