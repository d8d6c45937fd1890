/* rdb.h: the snapshot format of the reference, as bytes.
 *
 * Written: version 10, strings, expiry in milliseconds, databases, auxiliary fields, CRC64; redis-server 7.0 loads it.
 * Read: versions 6 to 12, strings in every encoding (plain, integers, LZF); other kinds of data are ERR_UNSUPPORTED.
 * Ours ride in the auxiliary field "respite-history" (text of a struct history).
 *
 * Source: the format's descriptions at redis.io and rdb.fnordig.de/file_format.html. */
#ifndef CACHEWORKER_RDB_RDB_H
#define CACHEWORKER_RDB_RDB_H

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/slice.h"
#include "common/ha/topology.h"

enum { CW_RDB_VERSION = 10, CW_RDB_VERSION_MIN = 6, CW_RDB_VERSION_MAX = 12 };

#define CW_RDB_NO_EXPIRY   INT64_C(-1)
#define CW_RDB_AUX_HISTORY "respite-history"
#define CW_RDB_STRING_MAX  ((uint64_t)512 << 20)

/* Writer. Every call appends to `out` and adds what it appended to the checksum; the caller empties `out` between calls
 * as it likes. A zeroed struct with `out` set is ready. */
struct cw_rdb_writer {
    struct buf *out; /* borrowed */
    uint64_t checksum;
};

void cw_rdb_write_header(struct cw_rdb_writer *writer);
void cw_rdb_write_aux(struct cw_rdb_writer *writer, const char *name, struct slice value);
void cw_rdb_write_aux_i64(struct cw_rdb_writer *writer, const char *name, int64_t number);
void cw_rdb_write_database(struct cw_rdb_writer *writer, unsigned database, uint64_t keys, uint64_t expiries);
void cw_rdb_write_string(struct cw_rdb_writer *writer, struct slice key, struct slice value, int64_t expires_ms);
void cw_rdb_write_end(struct cw_rdb_writer *writer);

/* The common head of every snapshot: header and auxiliary fields. */
void cw_rdb_write_preamble(struct cw_rdb_writer *writer, const struct history *history, int64_t wall_us,
                           uint64_t memory_used);

/* What a reader finds. Slices are borrowed for the call. A negative result ends the reading with that error. */
struct cw_rdb_visitor {
    void *context;
    int (*aux)(void *context, struct slice name, struct slice value);                  /* may be NULL */
    int (*resize)(void *context, unsigned database, uint64_t keys, uint64_t expiries); /* a hint; may be NULL */
    int (*string)(void *context, unsigned database, struct slice key, struct slice value, int64_t expires_ms);
};

/* Reader: incremental; memory grows with bytes that have arrived, never from a declared length. */
struct cw_rdb_reader {
    struct cw_rdb_visitor visitor;
    unsigned databases;    /* a higher database number is ERR_CORRUPT */
    bool require_checksum; /* refuse a snapshot that was written without one */

    /* Private. */
    struct buf pending;     /* owned: bytes of the item that is not yet complete */
    size_t needed;          /* bytes of `pending` before another look is worth it */
    struct buf unpacked[2]; /* owned: LZF strings of the item, key and value */
    uint64_t checksum;
    int64_t expires_ms;
    unsigned database;
    unsigned version;
    bool has_header;
    bool at_end; /* EOF opcode seen, the checksum is next */
};

void cw_rdb_reader_init(struct cw_rdb_reader *reader, const struct cw_rdb_visitor *visitor, unsigned databases);
void cw_rdb_reader_free(struct cw_rdb_reader *reader);

/* Takes bytes from the front of `bytes`; ret_used says how many. Returns 1 when the snapshot ended there (complete, its
 * checksum right), 0 when all was taken and more is to come, ERR_CORRUPT, ERR_UNSUPPORTED, or the visitor's error. */
MUST_CHECK int cw_rdb_read(struct cw_rdb_reader *reader, struct slice bytes, size_t *ret_used);

/* A history's text as AUX carries it. */
MUST_CHECK int cw_rdb_parse_history(struct slice value, struct history *ret_history);

#endif
