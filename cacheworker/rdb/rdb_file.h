/* rdb_file.h: a snapshot as a file, through struct storage. Synchronous: SAVE, and loading at the start. */
#ifndef CACHEWORKER_RDB_RDB_FILE_H
#define CACHEWORKER_RDB_RDB_FILE_H

#include "common/base/door.h"
#include "common/ha/topology.h"

struct cw_keyspace;

#define CW_RDB_FILE "dump.rdb"

/* Writes the keyspace aside, fsyncs, renames. ERR_IO, ERR_DISK_FULL; the old file stays then. */
MUST_CHECK int cw_rdb_save(const struct storage *storage, const char *name, struct cw_keyspace *keyspace,
                           const struct history *history, int64_t wall_us);

/* Fills an empty keyspace; ret_history is empty when the file names none. Keys whose time is over are left out when
 * now_ms is not negative. ERR_NOT_FOUND, ERR_IO, ERR_CORRUPT, ERR_UNSUPPORTED, ERR_TRUNCATED: then the keyspace holds a
 * part and is to be discarded. */
MUST_CHECK int cw_rdb_load(const struct storage *storage, const char *name, struct cw_keyspace *keyspace,
                           unsigned databases, int64_t now_ms, struct history *ret_history);

#endif
