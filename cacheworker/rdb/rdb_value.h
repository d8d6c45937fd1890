/* rdb_value.h: values of every type as RDB carries them, in a snapshot and in the payload of DUMP.
 *
 * A room that has a type brings a function that appends the next part of a value, false when there is none, and one
 * that reads a value, part by part, into a key. */
#ifndef CACHEWORKER_RDB_RDB_VALUE_H
#define CACHEWORKER_RDB_RDB_VALUE_H

#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/list/list_node.h"
#include "cacheworker/rdb/rdb_cursor.h"
#include "cacheworker/set/set.h"
#include "cacheworker/stream/id_map.h"
#include "cacheworker/zset/zset.h"
#include "common/base/buf.h"

/* RDB's number for this value, and its bytes. */
unsigned cw_rdb_value_type(const struct cw_entry *entry);
void cw_rdb_add_value(struct buf *out, const struct cw_entry *entry);

/* The number by which values of this type are known here: that of the byte, but in what Valkey wrote (version
 * CW_RDB_VERSION_VALKEY), where numbers mean something else from 22 on. */
unsigned cw_rdb_type_of(unsigned version, unsigned byte);
const char *cw_rdb_type_name(unsigned type); /* "hash as listpack"; constant */

/* A value on its way out, part by part. Zeroed but for the entry it is ready; it holds nothing that is to be freed. The
 * value must not change, nor be moved, before the end; the entry may be moved: then it is set anew. */
struct cw_rdb_parts {
    const struct cw_entry *entry; /* borrowed */
    struct slice rest;            /* of the string that is being appended */
    struct buf *strings;          /* borrowed; where those are that may be packed (rdb_pack.h); NULL: nobody asks */

    /* Of the room that writes. */
    unsigned phase; /* 0 at the beginning */
    union {
        struct {
            struct cw_dictionary_walk walk;
            const struct cw_entry *member; /* whose value follows */
        } hash;
        struct cw_set_walk set;
        struct {
            struct cw_zset_place place;
            bool is_there;
        } zset;
        const struct cw_list_node *node; /* of a list: the next one */
        struct {
            struct cw_id_place place;
            uint32_t group, consumer;
        } stream;
    };
};

/* Appends parts until the budget is used up; true while there may be more. A unit is about 50 ns. */
MUST_CHECK bool cw_rdb_parts_write(struct cw_rdb_parts *parts, struct buf *out, unsigned *budget);

/* For the rooms: appends a string, the last thing of a part. A long one goes on in parts of its own: whoever has more
 * to append at once looks whether `rest` is empty. */
void cw_rdb_parts_add(struct cw_rdb_parts *parts, struct buf *out, struct slice text);
/* The next part of a value that is one string. */
bool cw_rdb_parts_add_only(struct cw_rdb_parts *parts, struct buf *out, struct slice text);

/* A value on its way into a key. Zeroed but for keyspace, ref and type it is ready. */
struct cw_rdb_value {
    struct cw_keyspace *keyspace; /* borrowed */
    struct cw_ref *ref;           /* borrowed; of the key, which holds what was read so far and did not exist before */
    unsigned type;                /* cw_rdb_type_of */
    const char *why;              /* what is wrong, as of a cursor */

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
 * hold a part of the value, and is to be deleted; the cursor knows why. */
MUST_CHECK int cw_rdb_value_read(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor);

/* For the rooms: ERR_CORRUPT, for this reason. */
static inline int cw_rdb_value_refuse(struct cw_rdb_value *value, const char *why)
{
    value->why = why;
    return ERR_CORRUPT;
}

#endif
