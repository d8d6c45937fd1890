/* field_expiry.h: which fields of a hash expire, and when, as bytes: for those who understand them, in a snapshot and
 * in the stream, beside the hash itself, which every server understands (docs/adr/0005-field-expiry.md).
 *
 *   database, as an RDB length | key, an RDB string | for each field: its name, an RDB string | date 8, little endian
 *
 * The date is in ms; CW_NO_EXPIRY says that the field does not expire any more. */
#ifndef CACHEWORKER_HASH_FIELD_EXPIRY_H
#define CACHEWORKER_HASH_FIELD_EXPIRY_H

#include "cacheworker/engine/aside.h"
#include "cacheworker/keyspace/keyspace.h"
#include "common/base/buf.h"

/* Key and field of one that expires together: a record must remain a string that every reader takes. */
#define CW_FIELD_EXPIRY_NAMES_MAX ((size_t)256 << 20)

/* Gathers fields of one key, and emits a record whenever there are enough for one. */
struct cw_field_expiry {
    unsigned database;
    struct slice key; /* borrowed */
    void (*emit)(void *context, struct slice record);
    void *context; /* borrowed */

    /* Of the stream. */
    struct cw_call *call; /* borrowed */
    enum cw_aside when;

    struct buf record; /* owned; private */
};

/* A writer whose records go into the stream, in the database of the call. */
void cw_field_expiry_to_stream(struct cw_field_expiry *writer, struct cw_call *call, struct slice key,
                               enum cw_aside when);

void cw_field_expiry_add(struct cw_field_expiry *writer, struct slice field, int64_t expire_ms);
void cw_field_expiry_end(struct cw_field_expiry *writer);  /* emits what is left, and frees */
void cw_field_expiry_drop(struct cw_field_expiry *writer); /* frees, and emits nothing */

/* Does what a record says; keys and fields that are not there are passed over. ERR_CORRUPT. */
MUST_CHECK int cw_field_expiry_apply(struct cw_keyspace *keyspace, struct slice record);
/* The form alone: whether databases, keys and fields are there shows nowhere. ERR_CORRUPT. */
MUST_CHECK int cw_field_expiry_judge(struct slice record);

#endif
