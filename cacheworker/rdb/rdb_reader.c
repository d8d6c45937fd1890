#include "cacheworker/rdb/rdb.h"

#include "cacheworker/keyspace/entry.h"
#include "cacheworker/rdb/lzf.h"
#include "cacheworker/rdb/rdb_format.h"
#include "common/base/crc64.h"
#include "common/base/errors.h"
#include "common/base/number.h"

/* The item being looked at. `needed` is how many bytes must be there before it is worth starting over. The functions
 * that read from it return 1, 0 when it is incomplete, or an error. */
struct cursor {
    struct slice bytes;
    size_t position;
    size_t needed;
};

static int take(struct cursor *cursor, size_t count, const unsigned char **ret_bytes)
{
    if (count > cursor->bytes.length - cursor->position) {
        cursor->needed = cursor->position + count;
        return 0;
    }
    *ret_bytes = (const unsigned char *)cursor->bytes.data + cursor->position;
    cursor->position += count;
    return 1;
}

static int take_little_endian(struct cursor *cursor, unsigned count, uint64_t *ret_number)
{
    const unsigned char *bytes;
    int result = take(cursor, count, &bytes);
    if (result <= 0)
        return result;
    uint64_t number = 0;
    for (unsigned i = count; i-- > 0;)
        number = number << 8 | bytes[i];
    *ret_number = number;
    return 1;
}

/* A length, or with *ret_special the way in which a string is packed. */
static int take_length(struct cursor *cursor, uint64_t *ret_length, bool *ret_special)
{
    const unsigned char *first;
    int result = take(cursor, 1, &first);
    if (result <= 0)
        return result;
    unsigned form = first[0] >> 6;
    uint64_t length = first[0] & 0x3f;
    size_t more = 0;
    if (form == RDB_LENGTH_14) {
        more = 1;
    } else if (form == RDB_LENGTH_LONG) {
        if (first[0] != RDB_LENGTH_32_MARK && first[0] != RDB_LENGTH_64_MARK)
            return ERR_CORRUPT;
        more = first[0] == RDB_LENGTH_32_MARK ? 4 : 8;
        length = 0;
    }
    const unsigned char *rest = first;
    if (more > 0 && (result = take(cursor, more, &rest)) <= 0)
        return result;
    for (size_t i = 0; i < more; i++)
        length = length << 8 | rest[i];
    *ret_length = length;
    *ret_special = form == RDB_LENGTH_SPECIAL;
    return 1;
}

static int take_plain_length(struct cursor *cursor, uint64_t *ret_length)
{
    bool special;
    int result = take_length(cursor, ret_length, &special);
    return result > 0 && special ? ERR_CORRUPT : result;
}

static int take_integer(struct cursor *cursor, uint64_t packing, struct buf *unpacked, struct slice *ret_text)
{
    uint64_t bits;
    int result = take_little_endian(cursor, 1u << packing, &bits);
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

static int take_lzf(struct cursor *cursor, struct buf *unpacked, struct slice *ret_text)
{
    uint64_t packed_length;
    uint64_t length;
    int result = take_plain_length(cursor, &packed_length);
    if (result <= 0 || (result = take_plain_length(cursor, &length)) <= 0)
        return result;
    if (packed_length > CW_RDB_STRING_MAX || length > CW_RDB_STRING_MAX || length > cw_lzf_length_max(packed_length))
        return ERR_CORRUPT;
    const unsigned char *packed;
    if ((result = take(cursor, packed_length, &packed)) <= 0)
        return result;
    buf_clear(unpacked);
    result = cw_lzf_unpack(slice_of(packed, packed_length), buf_reserve(unpacked, length + 1), length);
    if (result < 0)
        return result;
    buf_commit(unpacked, length);
    *ret_text = buf_slice(unpacked);
    return 1;
}

/* The text lies in the cursor's bytes or in `unpacked`. */
static int take_string(struct cursor *cursor, struct buf *unpacked, struct slice *ret_text)
{
    uint64_t length;
    bool special;
    int result = take_length(cursor, &length, &special);
    if (result <= 0)
        return result;
    if (special) {
        if (length <= RDB_PACKED_INT32)
            return take_integer(cursor, length, unpacked, ret_text);
        return length == RDB_PACKED_LZF ? take_lzf(cursor, unpacked, ret_text) : ERR_CORRUPT;
    }
    if (length > CW_RDB_STRING_MAX)
        return ERR_CORRUPT;
    const unsigned char *bytes;
    if ((result = take(cursor, length, &bytes)) <= 0)
        return result;
    *ret_text = slice_of(bytes, length);
    return 1;
}

static int read_header(struct cw_rdb_reader *reader, struct cursor *cursor)
{
    const unsigned char *header;
    int result = take(cursor, RDB_HEADER_LENGTH, &header);
    if (result <= 0)
        return result;
    unsigned version = 0;
    for (size_t i = 5; i < RDB_HEADER_LENGTH; i++) {
        if (header[i] < '0' || header[i] > '9')
            return ERR_CORRUPT;
        version = version * 10 + (header[i] - '0');
    }
    if (memcmp(header, "REDIS", 5) != 0)
        return ERR_CORRUPT;
    if (version < CW_RDB_VERSION_MIN || version > CW_RDB_VERSION_MAX)
        return ERR_UNSUPPORTED;
    reader->has_header = true;
    reader->expire_ms = CW_NO_EXPIRY;
    return 1;
}

static int read_aux(struct cw_rdb_reader *reader, struct cursor *cursor)
{
    struct slice name;
    struct slice value;
    int result = take_string(cursor, &reader->unpacked[0], &name);
    if (result <= 0 || (result = take_string(cursor, &reader->unpacked[1], &value)) <= 0)
        return result;
    result = reader->visitor.aux(reader->visitor.context, name, value);
    return result < 0 ? result : 1;
}

static int read_key(struct cw_rdb_reader *reader, struct cursor *cursor)
{
    struct slice key;
    struct slice value;
    int result = take_string(cursor, &reader->unpacked[0], &key);
    if (result <= 0 || (result = take_string(cursor, &reader->unpacked[1], &value)) <= 0)
        return result;
    result = reader->visitor.string(reader->visitor.context, reader->database, key, value, reader->expire_ms);
    reader->expire_ms = CW_NO_EXPIRY;
    reader->has_expiry = false;
    return result < 0 ? result : 1;
}

static int read_expiry(struct cw_rdb_reader *reader, struct cursor *cursor, bool in_ms)
{
    uint64_t bits;
    int result = take_little_endian(cursor, in_ms ? 8 : 4, &bits);
    if (result <= 0)
        return result;
    int64_t expire_ms = in_ms ? (int64_t)bits : (int64_t)(int32_t)bits * 1000;
    if (expire_ms == CW_NO_EXPIRY)
        return ERR_CORRUPT;
    reader->expire_ms = expire_ms;
    reader->has_expiry = true;
    return 1;
}

static int read_select(struct cw_rdb_reader *reader, struct cursor *cursor)
{
    uint64_t database;
    int result = take_plain_length(cursor, &database);
    if (result <= 0)
        return result;
    if (database >= reader->databases)
        return ERR_CORRUPT;
    reader->database = (unsigned)database;
    return 1;
}

static int read_resize(struct cursor *cursor)
{
    uint64_t ignored;
    int result = take_plain_length(cursor, &ignored);
    return result <= 0 ? result : take_plain_length(cursor, &ignored);
}

/* The checksum covers the opcode, not itself; 0 says that the writer made none. */
static int read_end(struct cw_rdb_reader *reader, struct cursor *cursor)
{
    uint64_t written;
    uint64_t computed = crc64(reader->checksum, slice_of(cursor->bytes.data, cursor->position));
    int result = take_little_endian(cursor, RDB_CHECKSUM_LENGTH, &written);
    if (result <= 0)
        return result;
    if (written != computed && (written != 0 || reader->require_checksum))
        return ERR_CORRUPT;
    reader->has_ended = true;
    return 1;
}

static int read_item(struct cw_rdb_reader *reader, struct cursor *cursor)
{
    if (!reader->has_header)
        return read_header(reader, cursor);
    const unsigned char *opcode;
    const unsigned char *ignored;
    uint64_t idle;
    int result = take(cursor, 1, &opcode);
    if (result <= 0)
        return result;
    switch (*opcode) {
    case RDB_TYPE_STRING: return read_key(reader, cursor);
    case RDB_OPCODE_EXPIRE_MS: return read_expiry(reader, cursor, true);
    case RDB_OPCODE_EXPIRE_S: return read_expiry(reader, cursor, false);
    case RDB_OPCODE_IDLE: return take_plain_length(cursor, &idle);
    case RDB_OPCODE_FREQUENCY: return take(cursor, 1, &ignored);
    default: break;
    }
    if (reader->has_expiry) /* an expiry belongs to the key behind it */
        return ERR_CORRUPT;
    switch (*opcode) {
    case RDB_OPCODE_AUX: return read_aux(reader, cursor);
    case RDB_OPCODE_SELECT: return read_select(reader, cursor);
    case RDB_OPCODE_RESIZE: return read_resize(cursor);
    case RDB_OPCODE_END: return read_end(reader, cursor);
    default: return ERR_UNSUPPORTED; /* another kind of data, a module, a function library */
    }
}

/* Reads all complete items; ret_used are their bytes. 1 at the end of the snapshot. */
static int read_items(struct cw_rdb_reader *reader, struct slice bytes, size_t *ret_used)
{
    size_t used = 0;
    while (!reader->has_ended) {
        struct cursor cursor = {.bytes = slice_skip(bytes, used)};
        int result = read_item(reader, &cursor);
        if (result < 0)
            return result;
        if (result == 0) {
            reader->needed = cursor.needed;
            break;
        }
        reader->checksum = crc64(reader->checksum, slice_of(cursor.bytes.data, cursor.position));
        used += cursor.position;
    }
    *ret_used = used;
    return reader->has_ended ? 1 : 0;
}

/* Goes on with an item whose beginning is pending: completes it, and no more than that, by copying. */
static int read_pending(struct cw_rdb_reader *reader, struct slice bytes, size_t *ret_taken)
{
    size_t held = buf_length(&reader->pending);
    size_t missing = reader->needed - held;
    size_t taken = missing < bytes.length ? missing : bytes.length;
    buf_add(&reader->pending, bytes.data, taken);
    *ret_taken = taken;
    if (taken < missing)
        return 0;
    size_t used;
    int result = read_items(reader, buf_slice(&reader->pending), &used);
    if (result >= 0)
        buf_consume(&reader->pending, used);
    return result;
}

int cw_rdb_read(struct cw_rdb_reader *reader, struct slice bytes, size_t *ret_used)
{
    CHECK(!reader->has_ended);
    size_t used = 0;
    while (buf_length(&reader->pending) > 0 && used < bytes.length) {
        size_t taken;
        int result = read_pending(reader, slice_skip(bytes, used), &taken);
        used += taken;
        if (result != 0) {
            *ret_used = used;
            return result;
        }
    }
    if (buf_length(&reader->pending) == 0 && used < bytes.length) {
        size_t items;
        int result = read_items(reader, slice_skip(bytes, used), &items);
        if (result < 0)
            return result;
        used += items;
        if (result > 0) {
            *ret_used = used;
            return 1;
        }
        buf_add_slice(&reader->pending, slice_skip(bytes, used));
    }
    *ret_used = bytes.length;
    return 0;
}

void cw_rdb_reader_free(struct cw_rdb_reader *reader)
{
    buf_free(&reader->pending);
    buf_free(&reader->unpacked[0]);
    buf_free(&reader->unpacked[1]);
}
