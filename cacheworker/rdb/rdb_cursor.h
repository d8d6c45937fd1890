/* rdb_cursor.h: taking the parts of an RDB item from bytes that may not all have come yet.
 *
 * The functions return 1; 0 when there are too few bytes, and `needed` then says how many there must be before it is
 * worth starting over; or ERR_CORRUPT, and `why` may say what is wrong. */
#ifndef CACHEWORKER_RDB_RDB_CURSOR_H
#define CACHEWORKER_RDB_RDB_CURSOR_H

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/errors.h"
#include "common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct cw_rdb_cursor {
    struct slice bytes;
    size_t position; /* of the next part; behind a failure it means nothing */
    size_t needed;
    const char *why; /* constant; NULL: nothing more than the error is known */
};

/* ERR_CORRUPT, for this reason. */
static inline int cw_rdb_refuse(struct cw_rdb_cursor *cursor, const char *why)
{
    cursor->why = why;
    return ERR_CORRUPT;
}

MUST_CHECK int cw_rdb_take(struct cw_rdb_cursor *cursor, size_t count, const unsigned char **ret_bytes);
MUST_CHECK int cw_rdb_take_little_endian(struct cw_rdb_cursor *cursor, unsigned count, uint64_t *ret_number);
MUST_CHECK int cw_rdb_take_double(struct cw_rdb_cursor *cursor, double *ret_number); /* eight bytes, little endian */

/* A length, or with *ret_special the way in which a string is packed. */
MUST_CHECK int cw_rdb_take_length(struct cw_rdb_cursor *cursor, uint64_t *ret_length, bool *ret_special);
MUST_CHECK int cw_rdb_take_plain_length(struct cw_rdb_cursor *cursor, uint64_t *ret_length);

/* A string in any packing. The text lies in the cursor's bytes or in `unpacked`, which is emptied first. */
MUST_CHECK int cw_rdb_take_string(struct cw_rdb_cursor *cursor, struct buf *unpacked, struct slice *ret_text);

/* What was taken on a copy of the cursor, `part`, counts when it is complete (result 1). Else the cursor stays before
 * it and learns how many bytes are needed. Returns result. */
int cw_rdb_take_part(struct cw_rdb_cursor *cursor, const struct cw_rdb_cursor *part, int result);

/* A string that is a part of its own. */
MUST_CHECK int cw_rdb_take_whole(struct cw_rdb_cursor *cursor, struct buf *unpacked, struct slice *ret_text);
MUST_CHECK int cw_rdb_take_whole_length(struct cw_rdb_cursor *cursor, uint64_t *ret_length);

#endif
