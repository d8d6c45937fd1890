#include "cacheworker/rdb/rdb_cursor.h"

#include "cacheworker/rdb/lzf.h"
#include "cacheworker/rdb/rdb.h"
#include "cacheworker/rdb/rdb_format.h"
#include "common/base/number.h"

int cw_rdb_take(struct cw_rdb_cursor *cursor, size_t count, const unsigned char **ret_bytes)
{
    if (count > cursor->bytes.length - cursor->position) {
        cursor->needed = cursor->position + count;
        return 0;
    }
    *ret_bytes = (const unsigned char *)cursor->bytes.data + cursor->position;
    cursor->position += count;
    return 1;
}

int cw_rdb_take_little_endian(struct cw_rdb_cursor *cursor, unsigned count, uint64_t *ret_number)
{
    const unsigned char *bytes;
    int result = cw_rdb_take(cursor, count, &bytes);
    if (result <= 0)
        return result;
    uint64_t number = 0;
    for (unsigned i = count; i-- > 0;)
        number = number << 8 | bytes[i];
    *ret_number = number;
    return 1;
}

int cw_rdb_take_length(struct cw_rdb_cursor *cursor, uint64_t *ret_length, bool *ret_special)
{
    const unsigned char *first;
    int result = cw_rdb_take(cursor, 1, &first);
    if (result <= 0)
        return result;
    unsigned form = first[0] >> 6;
    uint64_t length = first[0] & 0x3f;
    size_t more = 0;
    if (form == RDB_LENGTH_14) {
        more = 1;
    } else if (form == RDB_LENGTH_LONG) {
        if (first[0] != RDB_LENGTH_32_MARK && first[0] != RDB_LENGTH_64_MARK)
            return cw_rdb_refuse(cursor, "no such form of a length");
        more = first[0] == RDB_LENGTH_32_MARK ? 4 : 8;
        length = 0;
    }
    const unsigned char *rest = first;
    if (more > 0 && (result = cw_rdb_take(cursor, more, &rest)) <= 0)
        return result;
    for (size_t i = 0; i < more; i++)
        length = length << 8 | rest[i];
    *ret_length = length;
    *ret_special = form == RDB_LENGTH_SPECIAL;
    return 1;
}

int cw_rdb_take_plain_length(struct cw_rdb_cursor *cursor, uint64_t *ret_length)
{
    bool special;
    int result = cw_rdb_take_length(cursor, ret_length, &special);
    return result > 0 && special ? cw_rdb_refuse(cursor, "a packed number stands where a length belongs") : result;
}

static int take_integer(struct cw_rdb_cursor *cursor, uint64_t packing, struct buf *unpacked, struct slice *ret_text)
{
    uint64_t bits;
    int result = cw_rdb_take_little_endian(cursor, 1u << packing, &bits);
    if (result <= 0)
        return result;
    int64_t number = packing == RDB_PACKED_INT8    ? (int8_t)bits
                     : packing == RDB_PACKED_INT16 ? (int16_t)bits
                                                   : (int32_t)bits;
    buf_clear(unpacked);
    buf_add_i64(unpacked, number);
    *ret_text = buf_slice(unpacked);
    return 1;
}

static int take_lzf(struct cw_rdb_cursor *cursor, struct buf *unpacked, struct slice *ret_text)
{
    uint64_t packed_length;
    uint64_t length;
    int result = cw_rdb_take_plain_length(cursor, &packed_length);
    if (result <= 0 || (result = cw_rdb_take_plain_length(cursor, &length)) <= 0)
        return result;
    if (packed_length > CW_RDB_STRING_MAX || length > CW_RDB_STRING_MAX || length > cw_lzf_length_max(packed_length))
        return cw_rdb_refuse(cursor, "the lengths of a compressed string cannot be true");
    const unsigned char *packed;
    if ((result = cw_rdb_take(cursor, packed_length, &packed)) <= 0)
        return result;
    buf_clear(unpacked);
    if (cw_lzf_unpack(slice_of(packed, packed_length), buf_reserve(unpacked, length + 1), length) < 0)
        return cw_rdb_refuse(cursor, "a compressed string is damaged");
    buf_commit(unpacked, length);
    *ret_text = buf_slice(unpacked);
    return 1;
}

int cw_rdb_take_string(struct cw_rdb_cursor *cursor, struct buf *unpacked, struct slice *ret_text)
{
    uint64_t length;
    bool special;
    int result = cw_rdb_take_length(cursor, &length, &special);
    if (result <= 0)
        return result;
    if (special) {
        if (length <= RDB_PACKED_INT32)
            return take_integer(cursor, length, unpacked, ret_text);
        return length == RDB_PACKED_LZF ? take_lzf(cursor, unpacked, ret_text)
                                        : cw_rdb_refuse(cursor, "no such form of a string");
    }
    if (length > CW_RDB_STRING_MAX)
        return cw_rdb_refuse(cursor, "a string is longer than a string may be");
    const unsigned char *bytes;
    if ((result = cw_rdb_take(cursor, length, &bytes)) <= 0)
        return result;
    *ret_text = slice_of(bytes, length);
    return 1;
}

int cw_rdb_take_double(struct cw_rdb_cursor *cursor, double *ret_number)
{
    uint64_t bits;
    int result = cw_rdb_take_little_endian(cursor, sizeof(bits), &bits);
    if (result > 0)
        memcpy(ret_number, &bits, sizeof(bits));
    return result;
}

int cw_rdb_take_part(struct cw_rdb_cursor *cursor, const struct cw_rdb_cursor *part, int result)
{
    if (result > 0)
        cursor->position = part->position;
    else
        cursor->needed = part->needed;
    cursor->why = part->why;
    return result;
}

int cw_rdb_take_whole(struct cw_rdb_cursor *cursor, struct buf *unpacked, struct slice *ret_text)
{
    struct cw_rdb_cursor part = *cursor;
    int result = cw_rdb_take_string(&part, unpacked, ret_text);
    return cw_rdb_take_part(cursor, &part, result);
}

int cw_rdb_take_whole_length(struct cw_rdb_cursor *cursor, uint64_t *ret_length)
{
    struct cw_rdb_cursor part = *cursor;
    int result = cw_rdb_take_plain_length(&part, ret_length);
    return cw_rdb_take_part(cursor, &part, result);
}
