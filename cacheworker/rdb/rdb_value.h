/* rdb_value.h: values of every type as RDB carries them, in a snapshot and in the payload of DUMP.
 *
 * A room that has a type brings a function that appends a value, and one that reads it, part by part, into a key. */
#ifndef CACHEWORKER_RDB_RDB_VALUE_H
#define CACHEWORKER_RDB_RDB_VALUE_H

#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/rdb/rdb_cursor.h"

/* RDB's number for this value, and its bytes. */
unsigned cw_rdb_value_type(const struct cw_entry *entry);
void cw_rdb_add_value(struct buf *out, const struct cw_entry *entry);

/* A value on its way into a key. Zeroed but for keyspace, ref and type it is ready. */
struct cw_rdb_value {
    struct cw_keyspace *keyspace; /* borrowed */
    struct cw_ref *ref;           /* borrowed; of the key, which holds what was read so far and did not exist before */
    unsigned type;                /* RDB's number */

    /* Of the room that reads. */
    unsigned phase;      /* 0 at the beginning */
    uint64_t left;       /* parts to come in this phase */
    struct buf texts[2]; /* owned: strings that were packed */
    uint64_t base;       /* that numbers are counted from */
    void *object;        /* owned by the key, once it is put there */
    struct {
        uint64_t left; /* of these to come, this one not counted */
        void *object;  /* borrowed */
    } around[2];       /* what the parts of this phase belong to, within the object */
};

void cw_rdb_value_free(struct cw_rdb_value *value); /* not the key */

/* Takes the parts that are complete. 1 at the end: the key exists then, unless the value was empty. 0 when more bytes
 * are needed: the cursor's position stands behind the last complete part. ERR_CORRUPT, ERR_UNSUPPORTED: the key may
 * hold a part of the value, and is to be deleted. */
MUST_CHECK int cw_rdb_value_read(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor);

#endif
