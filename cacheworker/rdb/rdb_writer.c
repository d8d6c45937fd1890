#include "cacheworker/rdb/rdb.h"

#include "cacheworker/keyspace/entry.h"
#include "cacheworker/rdb/rdb_format.h"
#include "common/base/crc64.h"
#include "common/base/number.h"

static void add_byte(struct buf *out, unsigned byte)
{
    *buf_reserve(out, 1) = (char)byte;
    buf_commit(out, 1);
}

static void add_little_endian(struct buf *out, uint64_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        add_byte(out, (unsigned)(number >> (8 * i)) & 0xff);
}

static void add_big_endian(struct buf *out, uint64_t number, unsigned bytes)
{
    for (unsigned i = bytes; i-- > 0;)
        add_byte(out, (unsigned)(number >> (8 * i)) & 0xff);
}

static void add_length(struct buf *out, uint64_t length)
{
    if (length < 1 << 6) {
        add_byte(out, (unsigned)length);
    } else if (length < 1 << 14) {
        add_byte(out, RDB_LENGTH_14 << 6 | (unsigned)(length >> 8));
        add_byte(out, (unsigned)length & 0xff);
    } else if (length <= UINT32_MAX) {
        add_byte(out, RDB_LENGTH_32_MARK);
        add_big_endian(out, length, 4);
    } else {
        add_byte(out, RDB_LENGTH_64_MARK);
        add_big_endian(out, length, 8);
    }
}

/* Numbers that 32 bits hold go as numbers: their canonical text comes back, byte for byte. */
static bool add_integer(struct buf *out, struct slice text)
{
    int64_t number;
    if (text.length > 11 || number_parse_i64(text, &number) < 0 || number < INT32_MIN || number > INT32_MAX)
        return false;
    unsigned packing = number >= INT8_MIN && number <= INT8_MAX     ? RDB_PACKED_INT8
                       : number >= INT16_MIN && number <= INT16_MAX ? RDB_PACKED_INT16
                                                                    : RDB_PACKED_INT32;
    add_byte(out, RDB_LENGTH_SPECIAL << 6 | packing);
    add_little_endian(out, (uint64_t)number, 1u << packing);
    return true;
}

static void add_string(struct buf *out, struct slice text)
{
    if (add_integer(out, text))
        return;
    add_length(out, text.length);
    buf_add_slice(out, text);
}

static void add_aux(struct buf *out, const char *name, struct slice value)
{
    add_byte(out, RDB_OPCODE_AUX);
    add_string(out, slice_text(name));
    add_string(out, value);
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
    sum_up(writer, before);
    buf_free(&text);
}

static void add_select(struct cw_rdb_writer *writer, unsigned database)
{
    add_byte(writer->out, RDB_OPCODE_SELECT);
    add_length(writer->out, database);
    writer->database = database;
}

void cw_rdb_write_database(struct cw_rdb_writer *writer, unsigned database, uint64_t keys, uint64_t expires)
{
    size_t before = buf_length(writer->out);
    add_select(writer, database);
    add_byte(writer->out, RDB_OPCODE_RESIZE);
    add_length(writer->out, keys);
    add_length(writer->out, expires);
    sum_up(writer, before);
}

void cw_rdb_write_string(struct cw_rdb_writer *writer, unsigned database, struct slice key, struct slice value,
                         int64_t expire_ms)
{
    size_t before = buf_length(writer->out);
    if (database != writer->database)
        add_select(writer, database);
    if (expire_ms != CW_NO_EXPIRY) {
        add_byte(writer->out, RDB_OPCODE_EXPIRE_MS);
        add_little_endian(writer->out, (uint64_t)expire_ms, 8);
    }
    add_byte(writer->out, RDB_TYPE_STRING);
    add_string(writer->out, key);
    add_string(writer->out, value);
    sum_up(writer, before);
}

void cw_rdb_write_end(struct cw_rdb_writer *writer)
{
    size_t before = buf_length(writer->out);
    add_byte(writer->out, RDB_OPCODE_END);
    sum_up(writer, before);
    add_little_endian(writer->out, writer->checksum, RDB_CHECKSUM_LENGTH);
}
