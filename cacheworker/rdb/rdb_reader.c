#include "cacheworker/rdb/rdb.h"

#include "cacheworker/keyspace/entry.h"
#include "cacheworker/rdb/rdb_format.h"
#include "common/base/crc64.h"
#include "common/base/errors.h"

static int read_header(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor)
{
    const unsigned char *header;
    int result = cw_rdb_take(cursor, RDB_HEADER_LENGTH, &header);
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

static int read_aux(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor)
{
    struct slice name;
    struct slice value;
    int result = cw_rdb_take_string(cursor, &reader->unpacked[0], &name);
    if (result <= 0 || (result = cw_rdb_take_string(cursor, &reader->unpacked[1], &value)) <= 0)
        return result;
    result = reader->visitor.aux(reader->visitor.context, name, value);
    return result < 0 ? result : 1;
}

static int read_function(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor)
{
    struct slice code;
    int result = cw_rdb_take_string(cursor, &reader->unpacked[0], &code);
    if (result <= 0 || reader->visitor.function == NULL)
        return result;
    result = reader->visitor.function(reader->visitor.context, code);
    return result < 0 ? result : 1;
}

static int read_key(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor)
{
    struct slice key;
    struct slice value;
    int result = cw_rdb_take_string(cursor, &reader->unpacked[0], &key);
    if (result <= 0 || (result = cw_rdb_take_string(cursor, &reader->unpacked[1], &value)) <= 0)
        return result;
    result = reader->visitor.string(reader->visitor.context, reader->database, key, value, reader->expire_ms);
    reader->expire_ms = CW_NO_EXPIRY;
    reader->has_expiry = false;
    return result < 0 ? result : 1;
}

/* A key whose value has several parts. */
static int read_begin(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor, unsigned type)
{
    struct slice key;
    int result = cw_rdb_take_string(cursor, &reader->unpacked[0], &key);
    if (result <= 0)
        return result;
    if (!reader->visitor.begin)
        return ERR_UNSUPPORTED;
    result = reader->visitor.begin(reader->visitor.context, type, reader->database, key, reader->expire_ms);
    reader->expire_ms = CW_NO_EXPIRY;
    reader->has_expiry = false;
    reader->is_in_value = true;
    return result < 0 ? result : 1;
}

static int read_parts(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor)
{
    int result = reader->visitor.parts(reader->visitor.context, cursor);
    reader->is_in_value = result == 0;
    return result;
}

static int read_expiry(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor, bool in_ms)
{
    uint64_t bits;
    int result = cw_rdb_take_little_endian(cursor, in_ms ? 8 : 4, &bits);
    if (result <= 0)
        return result;
    int64_t expire_ms = in_ms ? (int64_t)bits : (int64_t)(int32_t)bits * 1000;
    if (expire_ms == CW_NO_EXPIRY)
        return ERR_CORRUPT;
    reader->expire_ms = expire_ms;
    reader->has_expiry = true;
    return 1;
}

static int read_select(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor)
{
    uint64_t database;
    int result = cw_rdb_take_plain_length(cursor, &database);
    if (result <= 0)
        return result;
    if (database >= reader->databases)
        return ERR_CORRUPT;
    reader->database = (unsigned)database;
    return 1;
}

static int read_resize(struct cw_rdb_cursor *cursor)
{
    uint64_t ignored;
    int result = cw_rdb_take_plain_length(cursor, &ignored);
    return result <= 0 ? result : cw_rdb_take_plain_length(cursor, &ignored);
}

/* The checksum covers the opcode, not itself; 0 says that the writer made none. */
static int read_end(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor)
{
    uint64_t written;
    uint64_t computed = crc64(reader->checksum, slice_of(cursor->bytes.data, cursor->position));
    int result = cw_rdb_take_little_endian(cursor, RDB_CHECKSUM_LENGTH, &written);
    if (result <= 0)
        return result;
    if (written != computed && (written != 0 || reader->require_checksum))
        return ERR_CORRUPT;
    reader->has_ended = true;
    return 1;
}

static int read_item(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor)
{
    if (!reader->has_header)
        return read_header(reader, cursor);
    if (reader->is_in_value)
        return read_parts(reader, cursor);
    const unsigned char *opcode;
    const unsigned char *ignored;
    uint64_t idle;
    int result = cw_rdb_take(cursor, 1, &opcode);
    if (result <= 0)
        return result;
    switch (*opcode) {
    case RDB_TYPE_STRING: return read_key(reader, cursor);
    case RDB_OPCODE_EXPIRE_MS: return read_expiry(reader, cursor, true);
    case RDB_OPCODE_EXPIRE_S: return read_expiry(reader, cursor, false);
    case RDB_OPCODE_IDLE: return cw_rdb_take_plain_length(cursor, &idle);
    case RDB_OPCODE_FREQUENCY: return cw_rdb_take(cursor, 1, &ignored);
    default: break;
    }
    if (*opcode <= RDB_TYPE_LAST)
        return read_begin(reader, cursor, *opcode);
    if (reader->has_expiry) /* an expiry belongs to the key behind it */
        return ERR_CORRUPT;
    switch (*opcode) {
    case RDB_OPCODE_AUX: return read_aux(reader, cursor);
    case RDB_OPCODE_FUNCTION: return read_function(reader, cursor);
    case RDB_OPCODE_SELECT: return read_select(reader, cursor);
    case RDB_OPCODE_RESIZE: return read_resize(cursor);
    case RDB_OPCODE_END: return read_end(reader, cursor);
    default: return ERR_UNSUPPORTED; /* a module */
    }
}

/* Reads all complete items, and complete parts of the last one; ret_used are their bytes. 1 at the end of the snapshot.
 */
static int read_items(struct cw_rdb_reader *reader, struct slice bytes, size_t *ret_used)
{
    size_t used = 0;
    while (!reader->has_ended) {
        struct cw_rdb_cursor cursor = {.bytes = slice_skip(bytes, used)};
        int result = read_item(reader, &cursor);
        if (result < 0)
            return result;
        size_t taken = result > 0 || reader->is_in_value ? cursor.position : 0;
        reader->checksum = crc64(reader->checksum, slice_of(cursor.bytes.data, taken));
        used += taken;
        if (result == 0) {
            reader->needed = cursor.needed - taken;
            break;
        }
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
