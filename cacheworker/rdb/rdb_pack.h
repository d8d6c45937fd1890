/* rdb_pack.h: pieces of a snapshot, made ready for a file beside the core (door.h: file_pack): strings are compressed,
 * and the checksum, which is of what the file holds, is made on the way.
 *
 * The core writes a piece as it is, notes the strings in it that may be worth it, and seals it; what it sealed is to be
 * packed once, in order. A string that does not become shorter stays. Source: rdb.c of redis 7.2 about which strings.
 */
#ifndef CACHEWORKER_RDB_RDB_PACK_H
#define CACHEWORKER_RDB_RDB_PACK_H

#include "common/base/buf.h"

struct cw_rdb_packer; /* what goes from one piece to the next */

struct cw_rdb_packer *cw_rdb_packer_create(void);
void cw_rdb_packer_free(struct cw_rdb_packer *packer); /* NULL is fine */

/* Bytes since the last first piece, as they are in the file. */
uint64_t cw_rdb_packer_bytes(const struct cw_rdb_packer *packer);

/* Notes a string that is about to be appended to `piece`, not as an integer. */
void cw_rdb_pack_note(struct buf *strings, const struct buf *piece, struct slice text);

enum {
    CW_RDB_PACK_FIRST = 1 << 0,    /* of a snapshot */
    CW_RDB_PACK_LAST = 1 << 1,     /* the checksum follows */
    CW_RDB_PACK_COMPRESS = 1 << 2, /* rdbcompression */
};

/* Appends to the piece what cw_rdb_pack needs to know, and empties `strings`. */
void cw_rdb_pack_seal(struct buf *piece, struct buf *strings, unsigned flags);

/* A file_pack: `packer` is a struct cw_rdb_packer, `piece` a sealed piece, and then what goes into the file. */
void cw_rdb_pack(void *packer, struct buf *piece);

#endif
