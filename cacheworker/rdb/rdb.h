/* rdb.h: the snapshot format of the reference, as bytes.
 *
 * Written: version 10, which redis-server 7.0 loads. Read: versions 1 to 12, and Valkey's 80. Which values:
 * rdb_value.h. Data of modules beside the keys are passed over; keys of modules, functions of release candidates
 * of 7.0, and what tells that a cluster was moving slots make a snapshot ERR_UNSUPPORTED. What is ours rides in
 * auxiliary fields, which others pass over: "respite-history" (text of a struct history), and behind a hash
 * "respite-field-expiry" (cacheworker/hash/field_expiry.h).
 *
 * Source: rdb.fnordig.de/file_format.html, and what redis-server 7.0 writes and loads. */
#ifndef CACHEWORKER_RDB_RDB_H
#define CACHEWORKER_RDB_RDB_H

#include "cacheworker/rdb/rdb_cursor.h"
#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/slice.h"
#include "common/ha/topology.h"

struct cw_entry;
struct cw_keyspace;

enum { CW_RDB_VERSION = 10, CW_RDB_VERSION_MIN = 1, CW_RDB_VERSION_MAX = 12, CW_RDB_VERSION_VALKEY = 80 };
enum { CW_RDB_VERSION_SUMMED = 5 }; /* the first one that ends with a checksum */
enum { CW_RDB_MODULE_NAME = 10 };   /* with the 0 that ends it */
enum { CW_RDB_VERSION_DATED = 12 }; /* the first one that knows fields that expire */

/* Of payloads too, where older versions are as good as any. */
static inline bool cw_rdb_version_is_known(unsigned version)
{
    return version <= CW_RDB_VERSION_MAX || version == CW_RDB_VERSION_VALKEY;
}

/* A value that is a string has half of it at the most (proto-max-bulk-len); a listpack, which is one string here, all.
 */
#define CW_RDB_STRING_MAX ((uint64_t)1 << 30)

struct cw_rdb_open_value;

/* Appends to `out`, and adds what it appended to the checksum; the caller empties `out` between calls as it likes. A
 * zeroed struct with `out` set is ready. Expiry is CW_NO_EXPIRY or a date in milliseconds. */
struct cw_rdb_writer {
    struct buf *out; /* borrowed */
    uint64_t checksum;
    unsigned database;   /* that the next key goes to */
    struct buf *strings; /* borrowed: `out` is packed later, and summed up then; where strings in it are (rdb_pack.h) */
    struct cw_rdb_open_value *open; /* owned; a value of which a part was written; NULL: none */
    bool says_commands;
};

enum { CW_RDB_MIGRATION_MAX = 256 }; /* bytes of its record, with the NUL */
enum { CW_RDB_STREAM_ID = 40 };      /* characters */

/* Where in the stream the data of a snapshot stand. */
struct cw_rdb_origin {
    struct history history;   /* empty: nowhere */
    unsigned stream_database; /* that the stream has selected there */
    /* The same of a server by itself, as the reference has it: the stream's id, empty: nowhere, and the offset. */
    char stream_id[CW_RDB_STREAM_ID + 1];
    uint64_t stream_offset;
    /* The record of a migration that is on (repl/migration.h); empty: there is none. */
    char migration[CW_RDB_MIGRATION_MAX];
    struct slice programs; /* borrowed; RDB's items of functions and scripts. Only what is written: see rdb_load.h */
};

/* Header, auxiliary fields, the origin among them, and programs. The first key goes to database 0 unless another is
 * selected. */
void cw_rdb_write_preamble(struct cw_rdb_writer *writer, const struct cw_rdb_origin *origin, int64_t wall_us,
                           uint64_t memory_used);
/* Of a full sync, behind the preamble: the master's users (cacheworker/acl/share.h). No file holds them. */
void cw_rdb_write_users(struct cw_rdb_writer *writer, struct slice record);
/* Selects the database and says how many keys it has; a hint, any number is right. */
void cw_rdb_write_database(struct cw_rdb_writer *writer, unsigned database, uint64_t keys, uint64_t expires);
/* The same of every database that has keys. */
void cw_rdb_write_databases(struct cw_rdb_writer *writer, const struct cw_keyspace *keyspace);
void cw_rdb_write_string(struct cw_rdb_writer *writer, unsigned database, struct slice key, struct slice value,
                         int64_t expire_ms);
/* While there is an open value the bytes wait aside for its end. */
void cw_rdb_write_entry(struct cw_rdb_writer *writer, unsigned database, const struct cw_entry *entry);
/* Begins an entry, or goes on with the open one, until the budget is used up; true while there may be more of it. Then
 * it must not change, and nobody moves it. */
MUST_CHECK bool cw_rdb_write_slice(struct cw_rdb_writer *writer, unsigned database, const struct cw_entry *entry,
                                   unsigned *budget);
/* From here on entries are written as commands (aof/entry_commands.h), with the database selected before the first one.
 * Such a writer has `strings`, which stay empty, and writes nothing else. */
void cw_rdb_writer_say_commands(struct cw_rdb_writer *writer);
size_t cw_rdb_bytes_aside(const struct cw_rdb_writer *writer);
void cw_rdb_write_end(struct cw_rdb_writer *writer);
void cw_rdb_writer_free(struct cw_rdb_writer *writer); /* of one that does not come to the end */

/* What a reader finds. Slices are borrowed for the call. A negative result ends the reading with that error. */
struct cw_rdb_visitor {
    void *context; /* borrowed */
    int (*aux)(void *context, struct slice name, struct slice value);
    int (*string)(void *context, unsigned database, struct slice key, struct slice value, int64_t expire_ms);
    /* The code of a library of functions. NULL: they are passed over. */
    int (*function)(void *context, struct slice code);

    /* A key whose value has several parts, of this type (rdb_value.h); its parts follow. NULL: ERR_UNSUPPORTED. The key
     * is the reader's until the value has ended. */
    int (*begin)(void *context, unsigned type, unsigned database, struct slice key, int64_t expire_ms);
    /* Takes the parts that are complete: 1 at the end of the value; 0 when more bytes are needed, and the cursor's
     * position then stands behind the last complete part. */
    int (*parts)(void *context, struct cw_rdb_cursor *cursor);
};

/* Incremental; memory grows with bytes that have arrived, never from a declared length. A zeroed struct with the public
 * fields set is ready. */
struct cw_rdb_reader {
    struct cw_rdb_visitor visitor;
    unsigned databases;    /* a higher number is ERR_CORRUPT */
    bool require_checksum; /* refuse a snapshot that was written without one */

    /* To be read, also after an error. */
    unsigned version;                /* 0: not yet known */
    uint64_t offset;                 /* of the item that comes next, or is wrong */
    const char *why;                 /* what is wrong, as of a cursor */
    unsigned database;               /* that was selected */
    bool has_key;                    /* the item is a key of this name and type */
    struct buf key;                  /* owned */
    unsigned type;                   /* of rdb_value.h */
    char module[CW_RDB_MODULE_NAME]; /* whose data came last, or that has the type of the key; "" */

    /* Private. */
    struct buf pending;     /* owned: bytes of the item that is not yet complete */
    size_t needed;          /* length of `pending` at which another look is worth it */
    struct buf unpacked[2]; /* owned: decoded strings of the item: name or key, value */
    uint64_t checksum;      /* of the items read */
    uint64_t position;      /* of what is read next */
    int64_t expire_ms;
    bool has_expiry; /* the next item must be a key */
    bool has_ended;
    bool is_in_value;  /* between begin and the end of the parts */
    bool is_in_module; /* between the head of a module's data and their end */
};

void cw_rdb_reader_free(struct cw_rdb_reader *reader);

/* Appends what is wrong, and where: 'at byte 52, key "a" of database 0 (hash as listpack): a field without a value'. */
void cw_rdb_reader_tell(const struct cw_rdb_reader *reader, int error, struct buf *out);

/* Takes bytes from the front of `bytes`; ret_used says how many. Returns 1 when the snapshot ended there, complete and
 * with the right checksum; 0 when all was taken and more is to come; ERR_CORRUPT, ERR_UNSUPPORTED, or the visitor's
 * error, after which the reader is only good for being freed. */
MUST_CHECK int cw_rdb_read(struct cw_rdb_reader *reader, struct slice bytes, size_t *ret_used);

#endif
