#include "cacheworker/rdb/rdb.h"

#include "cacheworker/hash/hash_rdb.h"
#include "cacheworker/keyspace/entry.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "cacheworker/rdb/rdb_value.h"
#include "common/base/crc64.h"
#include "common/base/number.h"

static void add_aux(struct buf *out, const char *name, struct slice value)
{
    cw_rdb_add_byte(out, RDB_OPCODE_AUX);
    cw_rdb_add_string(out, slice_text(name));
    cw_rdb_add_string(out, value);
}

static void add_aux_number(struct buf *out, const char *name, int64_t number)
{
    char text[NUMBER_TEXT_MAX];
    add_aux(out, name, slice_of(text, number_format_i64(text, number)));
}

/* Adds to the checksum what was appended since `before`. The length counts, not the place: `out` may have moved. */
static void sum_up(struct cw_rdb_writer *writer, size_t before)
{
    writer->checksum = crc64(writer->checksum, slice_skip(buf_slice(writer->out), before));
}

void cw_rdb_write_preamble(struct cw_rdb_writer *writer, const struct cw_rdb_origin *origin, int64_t wall_us,
                           uint64_t memory_used)
{
    size_t before = buf_length(writer->out);
    struct buf text = {0};
    history_format(&origin->history, &text);
    buf_add_format(writer->out, "REDIS%04d", CW_RDB_VERSION);
    add_aux(writer->out, "redis-ver", SLICE_LITERAL("7.2.4"));
    add_aux_number(writer->out, "redis-bits", 64);
    add_aux_number(writer->out, "ctime", wall_us / 1000000);
    add_aux_number(writer->out, "used-mem", (int64_t)memory_used);
    add_aux_number(writer->out, RDB_AUX_STREAM_DATABASE, origin->stream_database);
    add_aux(writer->out, RDB_AUX_HISTORY, buf_slice(&text));
    buf_add_slice(writer->out, origin->programs);
    sum_up(writer, before);
    buf_free(&text);
}

void cw_rdb_write_users(struct cw_rdb_writer *writer, struct slice record)
{
    size_t before = buf_length(writer->out);
    add_aux(writer->out, RDB_AUX_USERS, record);
    sum_up(writer, before);
}

static void add_select(struct cw_rdb_writer *writer, unsigned database)
{
    cw_rdb_add_byte(writer->out, RDB_OPCODE_SELECT);
    cw_rdb_add_length(writer->out, database);
    writer->database = database;
}

void cw_rdb_write_database(struct cw_rdb_writer *writer, unsigned database, uint64_t keys, uint64_t expires)
{
    size_t before = buf_length(writer->out);
    add_select(writer, database);
    cw_rdb_add_byte(writer->out, RDB_OPCODE_RESIZE);
    cw_rdb_add_length(writer->out, keys);
    cw_rdb_add_length(writer->out, expires);
    sum_up(writer, before);
}

void cw_rdb_write_databases(struct cw_rdb_writer *writer, const struct cw_keyspace *keyspace)
{
    for (unsigned i = 0; i < cw_keyspace_databases(keyspace); i++)
        if (cw_keyspace_count(keyspace, i) > 0)
            cw_rdb_write_database(writer, i, cw_keyspace_count(keyspace, i), cw_keyspace_count_expires(keyspace, i));
}

/* Database and expiry of the key that comes. */
static void add_before_key(struct cw_rdb_writer *writer, unsigned database, int64_t expire_ms)
{
    if (database != writer->database)
        add_select(writer, database);
    if (expire_ms != CW_NO_EXPIRY) {
        cw_rdb_add_byte(writer->out, RDB_OPCODE_EXPIRE_MS);
        cw_rdb_add_little_endian(writer->out, (uint64_t)expire_ms, 8);
    }
}

void cw_rdb_write_string(struct cw_rdb_writer *writer, unsigned database, struct slice key, struct slice value,
                         int64_t expire_ms)
{
    size_t before = buf_length(writer->out);
    add_before_key(writer, database, expire_ms);
    cw_rdb_add_byte(writer->out, RDB_TYPE_STRING);
    cw_rdb_add_string(writer->out, key);
    cw_rdb_add_string(writer->out, value);
    sum_up(writer, before);
}

static void add_field_expiry(void *context, struct slice record)
{
    add_aux(context, RDB_AUX_FIELD_EXPIRY, record);
}

void cw_rdb_write_entry(struct cw_rdb_writer *writer, unsigned database, const struct cw_entry *entry)
{
    size_t before = buf_length(writer->out);
    add_before_key(writer, database, cw_entry_expire_ms(entry));
    cw_rdb_add_byte(writer->out, cw_rdb_value_type(entry));
    cw_rdb_add_string(writer->out, cw_entry_key(entry));
    cw_rdb_add_value(writer->out, entry);
    if (cw_entry_has(entry, CW_ENTRY_PARTS))
        cw_hash_rdb_tell_expiry(database, cw_entry_key(entry), entry, add_field_expiry, writer->out);
    sum_up(writer, before);
}

void cw_rdb_write_end(struct cw_rdb_writer *writer)
{
    size_t before = buf_length(writer->out);
    cw_rdb_add_byte(writer->out, RDB_OPCODE_END);
    sum_up(writer, before);
    cw_rdb_add_little_endian(writer->out, writer->checksum, RDB_CHECKSUM_LENGTH);
}
