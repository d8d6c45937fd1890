/* rdb_check.h: a snapshot that is looked at and kept nowhere: everything is read as a start would read it, so each
 * value is validated and each library of functions is loaded; memory holds one value at a time. That a key comes twice
 * is not seen. */
#ifndef CACHEWORKER_RDB_RDB_CHECK_H
#define CACHEWORKER_RDB_RDB_CHECK_H

#include "cacheworker/rdb/rdb_format.h"
#include "cacheworker/rdb/rdb_load.h"

struct cw_functions;
struct cw_interpreter;
struct fiber;

struct cw_rdb_check {
    uint64_t keys;
    uint64_t expiring; /* of these */
    uint64_t of_type[RDB_TYPES];
    uint64_t libraries;
    bool is_complete;

    /* Private. */
    struct cw_rdb_load load;
    struct cw_rdb_visitor loader;       /* what `load` does with what is found */
    struct cw_keyspace *keyspace;       /* owned */
    struct fiber *fiber;                /* owned; NULL before the first library */
    struct cw_interpreter *interpreter; /* owned */
    struct cw_functions *functions;     /* owned */
    uint64_t random;
    struct buf words; /* owned; of a library that cannot be loaded */
};

void cw_rdb_check_init(struct cw_rdb_check *check); /* where it stands it stays */
void cw_rdb_check_free(struct cw_rdb_check *check);

/* As cw_rdb_read. */
MUST_CHECK int cw_rdb_check_read(struct cw_rdb_check *check, struct slice bytes, size_t *ret_used);

/* Appends what is wrong, and where; and what was read: "RDB version 10, 12 keys (2 expire): 10 string, 2 hash". */
void cw_rdb_check_tell(const struct cw_rdb_check *check, int error, struct buf *out);
void cw_rdb_check_sum_up(const struct cw_rdb_check *check, struct buf *out);

#endif
