#include "cacheworker/rdb/rdb_emit.h"

#include "cacheworker/rdb/rdb_format.h"
#include "common/base/number.h"

void cw_rdb_add_byte(struct buf *out, unsigned byte)
{
    *buf_reserve(out, 1) = (char)byte;
    buf_commit(out, 1);
}

void cw_rdb_add_little_endian(struct buf *out, uint64_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        cw_rdb_add_byte(out, (unsigned)(number >> (8 * i)) & 0xff);
}

static void add_big_endian(struct buf *out, uint64_t number, unsigned bytes)
{
    for (unsigned i = bytes; i-- > 0;)
        cw_rdb_add_byte(out, (unsigned)(number >> (8 * i)) & 0xff);
}

void cw_rdb_add_length(struct buf *out, uint64_t length)
{
    if (length < 1 << 6) {
        cw_rdb_add_byte(out, (unsigned)length);
    } else if (length < 1 << 14) {
        cw_rdb_add_byte(out, RDB_LENGTH_14 << 6 | (unsigned)(length >> 8));
        cw_rdb_add_byte(out, (unsigned)length & 0xff);
    } else if (length <= UINT32_MAX) {
        cw_rdb_add_byte(out, RDB_LENGTH_32_MARK);
        add_big_endian(out, length, 4);
    } else {
        cw_rdb_add_byte(out, RDB_LENGTH_64_MARK);
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
    cw_rdb_add_byte(out, RDB_LENGTH_SPECIAL << 6 | packing);
    cw_rdb_add_little_endian(out, (uint64_t)number, 1u << packing);
    return true;
}

void cw_rdb_add_string(struct buf *out, struct slice text)
{
    if (add_integer(out, text))
        return;
    cw_rdb_add_length(out, text.length);
    buf_add_slice(out, text);
}

void cw_rdb_add_integer(struct buf *out, int64_t number)
{
    char text[NUMBER_TEXT_MAX];
    cw_rdb_add_string(out, slice_of(text, number_format_i64(text, number)));
}

void cw_rdb_add_double(struct buf *out, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof(bits));
    cw_rdb_add_little_endian(out, bits, sizeof(bits));
}

void cw_rdb_add_function(struct buf *out, struct slice code)
{
    cw_rdb_add_byte(out, RDB_OPCODE_FUNCTION);
    cw_rdb_add_string(out, code);
}

void cw_rdb_add_script(struct buf *out, struct slice source)
{
    cw_rdb_add_byte(out, RDB_OPCODE_AUX);
    cw_rdb_add_string(out, SLICE_LITERAL(RDB_AUX_SCRIPT));
    cw_rdb_add_string(out, source);
}
