/* picture.h: the data at one moment, on their way into a file while commands go on: what a background save and the
 * rewriting of the append-only file have in common.
 *
 * The keyspace shows itself in steps, big values in slices, and what is about to change before it does (keyspace.h:
 * snapshots). A turn takes about a millisecond of it. What was shown is handed to the disk in pieces; while too much of
 * it is under way, no more is asked for. What changes meanwhile is shown all the same, and held here: once that is
 * CW_PICTURE_HELD_MAX, commands that write wait (engine/owed.h). */
#ifndef CACHEWORKER_RDB_PICTURE_H
#define CACHEWORKER_RDB_PICTURE_H

#include "cacheworker/rdb/rdb.h"
#include "cacheworker/rdb/rdb_pack.h"
#include "common/base/door.h"

struct cw_engine;

enum { CW_PICTURE_HELD_MAX = 64 << 20 };

enum cw_picture_form {
    CW_PICTURE_RDB,
    CW_PICTURE_COMMANDS, /* of a server by itself: where the data stand in a group's stream is not told */
};

struct cw_picture {           /* a zeroed struct is none */
    struct cw_engine *engine; /* borrowed */
    enum cw_picture_form form;
    uint32_t file;                                                    /* that is open (door.h: EFFECT_FILE) */
    uint64_t (*token)(const struct cw_engine *engine, size_t length); /* of the answer for so many bytes */
    struct cw_rdb_writer writer;
    struct buf piece;             /* owned; not asked to be written yet */
    struct buf strings;           /* owned; in the piece */
    struct cw_rdb_packer *packer; /* owned; used beside the core; NULL before the first one */
    size_t under_way;             /* bytes that were asked to be written, and are not yet */
    uint64_t pieces;              /* asked to be written so far */
    uint64_t bytes;               /* the same, as they stand in `piece` */
    uint64_t keys;                /* shown so far */
    uint64_t keys_total;          /* when it began */
    size_t held_peak;             /* the most that was held */
    int64_t next_key_ns;          /* rdb-key-save-delay: none is asked for before */
    bool is_being_shown;          /* the keyspace has not shown all */
};

/* Begins, between two commands, while there is no other snapshot of the keyspace. */
void cw_picture_begin(struct cw_picture *picture, struct cw_engine *engine, enum cw_picture_form form, uint32_t file,
                      uint64_t (*token)(const struct cw_engine *engine, size_t length));

/* Goes on for a turn; false when all of it, its end too, was asked to be written. */
MUST_CHECK bool cw_picture_go_on(struct cw_picture *picture);

/* When it goes on. */
int64_t cw_picture_deadline(const struct cw_picture *picture);

/* So many bytes were written. */
void cw_picture_written(struct cw_picture *picture, size_t length);

/* How long the file is, once all of it was written. */
uint64_t cw_picture_bytes(const struct cw_picture *picture);

/* Bytes that are held for it. */
size_t cw_picture_held(const struct cw_picture *picture);

/* Gives it up, or forgets one that was written; how many keys it has, and what was held, can still be asked. */
void cw_picture_end(struct cw_picture *picture);
/* Of an engine that ends: the keyspace is not touched, and nothing is being packed. */
void cw_picture_free(struct cw_picture *picture);

#endif
