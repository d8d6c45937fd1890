/* rdb_file.h: a snapshot as a file, through struct storage. Synchronous: SAVE, and loading at the start. */
#ifndef CACHEWORKER_RDB_RDB_FILE_H
#define CACHEWORKER_RDB_RDB_FILE_H

#include "cacheworker/rdb/rdb_load.h"
#include "common/base/door.h"

struct cw_keyspace;

#define CW_RDB_FILE "dump.rdb"

/* Writes the keyspace aside, fsyncs, renames. ERR_IO, ERR_DISK_FULL; the old file stays then. */
MUST_CHECK int cw_rdb_save(const struct storage *storage, const char *name, struct cw_keyspace *keyspace,
                           const struct cw_rdb_origin *origin, int64_t wall_us);

/* A file that is read slice by slice into an empty keyspace (as below). */
struct cw_rdb_input {              /* a zeroed struct is closed */
    struct cw_rdb_load load;       /* what was found; of its reader, what is wrong */
    const struct storage *storage; /* borrowed */
    void *file;                    /* owned; NULL: none */
    char *piece;                   /* owned */
    uint64_t read;                 /* bytes, so far */
    uint64_t total;                /* 0: not known */
    bool is_complete;
};

/* ERR_NOT_FOUND, ERR_IO: it is closed then. */
MUST_CHECK int cw_rdb_input_open(struct cw_rdb_input *input, const struct storage *storage, const char *name,
                                 struct cw_keyspace *keyspace);
/* About so many bytes more. 1 when the snapshot ended where the file ends, 0 before, or an error as below. */
MUST_CHECK int cw_rdb_input_read(struct cw_rdb_input *input, size_t bytes);
void cw_rdb_input_close(struct cw_rdb_input *input);

/* Fills an empty keyspace, which must be in CW_EXPIRY_IGNORED, ret_origin, and ret_programs (NULL: nobody wants them).
 * ERR_NOT_FOUND, ERR_IO, ERR_CORRUPT, ERR_UNSUPPORTED, ERR_TRUNCATED: then the keyspace may hold a part and is to be
 * thrown away. */
MUST_CHECK int cw_rdb_load_file(const struct storage *storage, const char *name, struct cw_keyspace *keyspace,
                                struct cw_rdb_origin *ret_origin, struct buf *ret_programs);

#endif
