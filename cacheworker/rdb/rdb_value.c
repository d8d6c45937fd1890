#include "cacheworker/rdb/rdb_value.h"

#include "cacheworker/hash/hash_rdb.h"
#include "cacheworker/keyspace/budget.h"
#include "cacheworker/list/list_rdb.h"
#include "cacheworker/rdb/rdb.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "cacheworker/rdb/rdb_pack.h"
#include "cacheworker/set/set_rdb.h"
#include "cacheworker/stream/stream_rdb.h"
#include "cacheworker/zset/zset_rdb.h"

#include <limits.h>

enum {
    STRING_PART = 64 << 10, /* bytes; a longer string is written in several parts */
    PART_COST = 2,
    BYTES_FOR_ONE = 32, /* as rdb_writer.c has it */
};

struct kind {
    unsigned (*type)(const struct cw_entry *entry);
    bool (*next)(struct cw_rdb_parts *parts, struct buf *out);
};

static unsigned string_type(const struct cw_entry *entry)
{
    (void)entry;
    return RDB_TYPE_STRING;
}

static bool next_of_string(struct cw_rdb_parts *parts, struct buf *out)
{
    return cw_rdb_parts_add_only(parts, out, cw_entry_value(parts->entry));
}

static const struct kind kinds[CW_TYPES] = {
    [CW_TYPE_STRING] = {string_type, next_of_string},      [CW_TYPE_LIST] = {cw_list_rdb_type, cw_list_rdb_next},
    [CW_TYPE_SET] = {cw_set_rdb_type, cw_set_rdb_next},    [CW_TYPE_ZSET] = {cw_zset_rdb_type, cw_zset_rdb_next},
    [CW_TYPE_HASH] = {cw_hash_rdb_type, cw_hash_rdb_next}, [CW_TYPE_STREAM] = {cw_stream_rdb_type, cw_stream_rdb_next},
};

unsigned cw_rdb_value_type(const struct cw_entry *entry)
{
    return kinds[cw_entry_type(entry)].type(entry);
}

void cw_rdb_add_value(struct buf *out, const struct cw_entry *entry)
{
    struct cw_rdb_parts parts = {.entry = entry};
    unsigned budget;
    do
        budget = UINT_MAX;
    while (cw_rdb_parts_write(&parts, out, &budget));
}

/* ---- Part by part ---- */

void cw_rdb_parts_add(struct cw_rdb_parts *parts, struct buf *out, struct slice text)
{
    if (text.length <= STRING_PART) {
        if (parts->strings != NULL)
            cw_rdb_pack_note(parts->strings, out, text);
        cw_rdb_add_string(out, text);
        return;
    }
    cw_rdb_add_length(out, text.length);
    parts->rest = text;
}

bool cw_rdb_parts_add_only(struct cw_rdb_parts *parts, struct buf *out, struct slice text)
{
    if (parts->phase++ > 0)
        return false;
    cw_rdb_parts_add(parts, out, text);
    return true;
}

static bool write_part(struct cw_rdb_parts *parts, struct buf *out)
{
    struct slice rest = parts->rest;
    if (rest.length == 0)
        return kinds[cw_entry_type(parts->entry)].next(parts, out);
    size_t length = rest.length < STRING_PART ? rest.length : STRING_PART;
    buf_add(out, rest.data, length);
    parts->rest = slice_skip(rest, length);
    return true;
}

bool cw_rdb_parts_write(struct cw_rdb_parts *parts, struct buf *out, unsigned *budget)
{
    while (*budget > 0) {
        size_t before = buf_length(out);
        if (!write_part(parts, out))
            return false;
        cw_spend(budget, PART_COST + (unsigned)((buf_length(out) - before) / BYTES_FOR_ONE));
    }
    return true;
}

/* ---- Reading ---- */

static int read_string(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    struct slice text;
    int result = cw_rdb_take_whole(cursor, &value->texts[0], &text);
    if (result > 0)
        cw_keyspace_put(value->keyspace, value->ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, text);
    return result;
}

typedef int (*read_function)(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor);

static const struct {
    read_function read;
    const char *name;
} readers[RDB_TYPES] = {
    [RDB_TYPE_STRING] = {read_string, "string"},
    [RDB_TYPE_LIST] = {cw_list_rdb_read, "list"},
    [RDB_TYPE_LIST_ZIPLIST] = {cw_list_rdb_read, "list as ziplist"},
    [RDB_TYPE_LIST_QUICKLIST] = {cw_list_rdb_read, "list of ziplists"},
    [RDB_TYPE_LIST_QUICKLIST_2] = {cw_list_rdb_read, "list of listpacks"},
    [RDB_TYPE_SET] = {cw_set_rdb_read, "set"},
    [RDB_TYPE_SET_INTSET] = {cw_set_rdb_read, "set as intset"},
    [RDB_TYPE_SET_LISTPACK] = {cw_set_rdb_read, "set as listpack"},
    [RDB_TYPE_ZSET] = {cw_zset_rdb_read, "sorted set, scores as text"},
    [RDB_TYPE_ZSET_2] = {cw_zset_rdb_read, "sorted set"},
    [RDB_TYPE_ZSET_ZIPLIST] = {cw_zset_rdb_read, "sorted set as ziplist"},
    [RDB_TYPE_ZSET_LISTPACK] = {cw_zset_rdb_read, "sorted set as listpack"},
    [RDB_TYPE_HASH] = {cw_hash_rdb_read, "hash"},
    [RDB_TYPE_HASH_ZIPMAP] = {cw_hash_rdb_read, "hash as zipmap"},
    [RDB_TYPE_HASH_ZIPLIST] = {cw_hash_rdb_read, "hash as ziplist"},
    [RDB_TYPE_HASH_LISTPACK] = {cw_hash_rdb_read, "hash as listpack"},
    [RDB_TYPE_STREAM_LISTPACKS] = {cw_stream_rdb_read, "stream, version 1"},
    [RDB_TYPE_STREAM_LISTPACKS_2] = {cw_stream_rdb_read, "stream, version 2"},
    [RDB_TYPE_STREAM_LISTPACKS_3] = {cw_stream_rdb_read, "stream, version 3"},
    [RDB_TYPE_HASH_FIELDS_PRE_GA] = {cw_hash_rdb_read, "hash with dates, of a release candidate"},
    [RDB_TYPE_HASH_TRIPLES_PRE_GA] = {cw_hash_rdb_read, "hash with dates as listpack, of a release candidate"},
    [RDB_TYPE_HASH_FIELDS] = {cw_hash_rdb_read, "hash with dates"},
    [RDB_TYPE_HASH_TRIPLES] = {cw_hash_rdb_read, "hash with dates as listpack"},
    [RDB_TYPE_HASH_VALKEY] = {cw_hash_rdb_read, "hash with dates, of Valkey"},
    [RDB_TYPE_MODULE_PRE_GA] = {NULL, "of a module"},
    [RDB_TYPE_MODULE] = {NULL, "of a module"},
};

unsigned cw_rdb_type_of(unsigned version, unsigned byte)
{
    if (version != CW_RDB_VERSION_VALKEY || byte < RDB_TYPE_HASH_FIELDS_PRE_GA)
        return byte;
    return byte == RDB_TYPE_HASH_FIELDS_PRE_GA ? RDB_TYPE_HASH_VALKEY : RDB_TYPE_LAST;
}

const char *cw_rdb_type_name(unsigned type)
{
    return type < RDB_TYPES && readers[type].name != NULL ? readers[type].name : "of a type that is not known";
}

int cw_rdb_value_read(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    if (value->type >= RDB_TYPES || readers[value->type].read == NULL)
        return ERR_UNSUPPORTED;
    int result = readers[value->type].read(value, cursor);
    if (result < 0 && value->why != NULL)
        cursor->why = value->why;
    return result;
}

void cw_rdb_value_free(struct cw_rdb_value *value)
{
    for (size_t i = 0; i < ARRAY_LENGTH(value->texts); i++)
        buf_free(&value->texts[i]);
}
