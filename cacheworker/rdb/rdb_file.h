/* rdb_file.h: a snapshot as a file, through struct storage. Synchronous: SAVE, and loading at the start. */
#ifndef CACHEWORKER_RDB_RDB_FILE_H
#define CACHEWORKER_RDB_RDB_FILE_H

#include "cacheworker/rdb/rdb.h"
#include "common/base/door.h"

struct cw_keyspace;

#define CW_RDB_FILE "dump.rdb"

/* Writes the keyspace aside, fsyncs, renames. ERR_IO, ERR_DISK_FULL; the old file stays then. */
MUST_CHECK int cw_rdb_save(const struct storage *storage, const char *name, struct cw_keyspace *keyspace,
                           const struct cw_rdb_origin *origin, int64_t wall_us);

/* Fills an empty keyspace, which must be in CW_EXPIRY_IGNORED, ret_origin, and ret_programs (NULL: nobody wants them).
 * ERR_NOT_FOUND, ERR_IO, ERR_CORRUPT, ERR_UNSUPPORTED, ERR_TRUNCATED: then the keyspace may hold a part and is to be
 * thrown away. */
MUST_CHECK int cw_rdb_load_file(const struct storage *storage, const char *name, struct cw_keyspace *keyspace,
                                struct cw_rdb_origin *ret_origin, struct buf *ret_programs);

#endif
