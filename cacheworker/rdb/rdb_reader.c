#include "cacheworker/rdb/rdb.h"

#include "cacheworker/keyspace/entry.h"
#include "cacheworker/rdb/rdb_format.h"
#include "cacheworker/rdb/rdb_value.h"
#include "common/base/crc64.h"
#include "common/conf/redis_conf.h"

#include <inttypes.h>

/* What is right, as far as one can see, but not for us. */
static int cannot(struct cw_rdb_cursor *cursor, const char *why)
{
    cursor->why = why;
    return ERR_UNSUPPORTED;
}

static int read_header(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor)
{
    const unsigned char *header;
    int result = cw_rdb_take(cursor, RDB_HEADER_LENGTH, &header);
    if (result <= 0)
        return result;
    bool is_valkey = memcmp(header, "VALKEY", 6) == 0;
    if (!is_valkey && memcmp(header, "REDIS", 5) != 0)
        return cw_rdb_refuse(cursor, "this is no RDB file");
    unsigned version = 0;
    for (size_t i = is_valkey ? 6 : 5; i < RDB_HEADER_LENGTH; i++) {
        if (header[i] < '0' || header[i] > '9')
            return cw_rdb_refuse(cursor, "the version is no number");
        version = version * 10 + (header[i] - '0');
    }
    bool is_known =
        is_valkey ? version == CW_RDB_VERSION_VALKEY : version >= CW_RDB_VERSION_MIN && version <= CW_RDB_VERSION_MAX;
    if (!is_known)
        return cannot(cursor, "RDB of this version is not read");
    reader->version = version;
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

static void keep_key(struct cw_rdb_reader *reader, struct slice key, unsigned type)
{
    buf_clear(&reader->key);
    buf_add_slice(&reader->key, key);
    reader->has_key = true;
    reader->type = type;
}

/* A snapshot names each key once. */
static const char came_before[] = "this key came before";

static int read_key(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor)
{
    struct slice key;
    struct slice value;
    int result = cw_rdb_take_string(cursor, &reader->unpacked[0], &key);
    if (result <= 0)
        return result;
    result = cw_rdb_take_string(cursor, &reader->unpacked[1], &value);
    if (result == 0)
        return 0;
    if (result > 0) {
        result = reader->visitor.string(reader->visitor.context, reader->database, key, value, reader->expire_ms);
        cursor->why = came_before;
    }
    if (UNLIKELY(result < 0)) {
        keep_key(reader, key, RDB_TYPE_STRING);
        return result;
    }
    reader->expire_ms = CW_NO_EXPIRY;
    reader->has_expiry = false;
    return 1;
}

/* A key whose value has several parts. */
static int read_begin(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor, unsigned type)
{
    struct slice key;
    int result = cw_rdb_take_string(cursor, &reader->unpacked[0], &key);
    if (result <= 0)
        return result;
    keep_key(reader, key, type);
    if (!reader->visitor.begin)
        return ERR_UNSUPPORTED;
    result = reader->visitor.begin(reader->visitor.context, type, reader->database, buf_slice(&reader->key),
                                   reader->expire_ms);
    cursor->why = came_before;
    reader->expire_ms = CW_NO_EXPIRY;
    reader->has_expiry = false;
    reader->is_in_value = true;
    return result < 0 ? result : 1;
}

static int read_parts(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor)
{
    int result = reader->visitor.parts(reader->visitor.context, cursor);
    reader->is_in_value = result == 0;
    reader->has_key = result <= 0;
    return result;
}

/* Nine characters of six bits each, and ten bits of a version. */
static int take_module(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor)
{
    static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint64_t bits;
    int result = cw_rdb_take_plain_length(cursor, &bits);
    if (result <= 0)
        return result;
    for (size_t i = CW_RDB_MODULE_NAME - 1; i-- > 0;) {
        bits >>= i == CW_RDB_MODULE_NAME - 2 ? 10 : 6;
        reader->module[i] = characters[bits & 63];
    }
    reader->module[CW_RDB_MODULE_NAME - 1] = '\0';
    return 1;
}

static int read_key_of_module(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor)
{
    struct slice key;
    int result = cw_rdb_take_string(cursor, &reader->unpacked[0], &key);
    if (result <= 0 || (result = take_module(reader, cursor)) <= 0)
        return result;
    keep_key(reader, key, RDB_TYPE_MODULE);
    return cannot(cursor, "values of modules are not known here");
}

/* Data of a module beside the keys: when they are to be loaded, then parts that say what they are. */
static int read_module_head(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor)
{
    uint64_t kind;
    uint64_t when;
    int result = take_module(reader, cursor);
    if (result <= 0 || (result = cw_rdb_take_plain_length(cursor, &kind)) <= 0 ||
        (result = cw_rdb_take_plain_length(cursor, &when)) <= 0)
        return result;
    if (kind != RDB_MODULE_UNSIGNED)
        return cw_rdb_refuse(cursor, "data of a module do not say when they are to be loaded");
    reader->is_in_module = true;
    return 1;
}

static int read_module_part(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor)
{
    const unsigned char *bytes;
    struct slice text;
    uint64_t kind;
    uint64_t number;
    int result = cw_rdb_take_plain_length(cursor, &kind);
    if (result <= 0)
        return result;
    switch (kind) {
    case RDB_MODULE_END: reader->is_in_module = false; return 1;
    case RDB_MODULE_SIGNED:
    case RDB_MODULE_UNSIGNED: return cw_rdb_take_plain_length(cursor, &number);
    case RDB_MODULE_FLOAT: return cw_rdb_take(cursor, 4, &bytes);
    case RDB_MODULE_DOUBLE: return cw_rdb_take(cursor, 8, &bytes);
    case RDB_MODULE_STRING: return cw_rdb_take_string(cursor, &reader->unpacked[0], &text);
    default: return cw_rdb_refuse(cursor, "no such part of a module's data");
    }
}

static int read_expiry(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor, bool in_ms)
{
    uint64_t bits;
    int result = cw_rdb_take_little_endian(cursor, in_ms ? 8 : 4, &bits);
    if (result <= 0)
        return result;
    int64_t expire_ms = in_ms ? (int64_t)bits : (int64_t)(int32_t)bits * 1000;
    if (expire_ms == CW_NO_EXPIRY)
        return cw_rdb_refuse(cursor, "no such date");
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
        return cw_rdb_refuse(cursor, "a database with so high a number is not configured");
    reader->database = (unsigned)database;
    return 1;
}

/* Numbers that are nothing but hints. */
static int skip_lengths(struct cw_rdb_cursor *cursor, unsigned count)
{
    uint64_t ignored;
    int result = 1;
    for (unsigned i = 0; i < count && result > 0; i++)
        result = cw_rdb_take_plain_length(cursor, &ignored);
    return result;
}

/* The checksum covers the opcode, not itself; 0 says that the writer made none. */
static int read_checksum(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor)
{
    uint64_t written;
    uint64_t computed = crc64(reader->checksum, slice_of(cursor->bytes.data, cursor->position));
    int result = cw_rdb_take_little_endian(cursor, RDB_CHECKSUM_LENGTH, &written);
    if (result <= 0)
        return result;
    if (written != computed && (written != 0 || reader->require_checksum))
        return cw_rdb_refuse(cursor, "the checksum is wrong");
    return 1;
}

static int read_end(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor)
{
    if (reader->version < CW_RDB_VERSION_SUMMED && reader->require_checksum)
        return cw_rdb_refuse(cursor, "there is no checksum");
    int result = reader->version < CW_RDB_VERSION_SUMMED ? 1 : read_checksum(reader, cursor);
    reader->has_ended = result > 0;
    return result;
}

static int read_item(struct cw_rdb_reader *reader, struct cw_rdb_cursor *cursor)
{
    if (reader->version == 0)
        return read_header(reader, cursor);
    if (reader->is_in_value)
        return read_parts(reader, cursor);
    if (reader->is_in_module)
        return read_module_part(reader, cursor);
    const unsigned char *opcode;
    const unsigned char *ignored;
    uint64_t idle;
    int result = cw_rdb_take(cursor, 1, &opcode);
    if (result <= 0)
        return result;
    switch (*opcode) {
    case RDB_TYPE_STRING: return read_key(reader, cursor);
    case RDB_TYPE_MODULE: return read_key_of_module(reader, cursor);
    case RDB_OPCODE_EXPIRE_MS: return read_expiry(reader, cursor, true);
    case RDB_OPCODE_EXPIRE_S: return read_expiry(reader, cursor, false);
    case RDB_OPCODE_IDLE: return cw_rdb_take_plain_length(cursor, &idle);
    case RDB_OPCODE_FREQUENCY: return cw_rdb_take(cursor, 1, &ignored);
    default: break;
    }
    if (*opcode <= RDB_TYPE_LAST)
        return read_begin(reader, cursor, cw_rdb_type_of(reader->version, *opcode));
    if (reader->has_expiry)
        return cw_rdb_refuse(cursor, "no key follows its expiry");
    switch (*opcode) {
    case RDB_OPCODE_AUX: return read_aux(reader, cursor);
    case RDB_OPCODE_FUNCTION: return read_function(reader, cursor);
    case RDB_OPCODE_SELECT: return read_select(reader, cursor);
    case RDB_OPCODE_RESIZE: return skip_lengths(cursor, 2);
    case RDB_OPCODE_SLOT_INFO: return skip_lengths(cursor, 3);
    case RDB_OPCODE_MODULE_AUX: return read_module_head(reader, cursor);
    case RDB_OPCODE_END: return read_end(reader, cursor);
    case RDB_OPCODE_FUNCTION_PRE_GA: return cannot(cursor, "functions of a release candidate of 7.0 are not read");
    case RDB_OPCODE_SLOT_IMPORT: return cannot(cursor, "a cluster was moving slots: its data are incomplete");
    default: return cannot(cursor, "no such item is known");
    }
}

/* Reads all complete items, and complete parts of the last one; ret_used are their bytes. 1 at the end of the snapshot.
 */
static int read_items(struct cw_rdb_reader *reader, struct slice bytes, size_t *ret_used)
{
    size_t used = 0;
    while (!reader->has_ended) {
        struct cw_rdb_cursor cursor = {.bytes = slice_skip(bytes, used)};
        if (!reader->is_in_value && !reader->is_in_module)
            reader->offset = reader->position;
        int result = read_item(reader, &cursor);
        if (result < 0) {
            reader->why = cursor.why;
            return result;
        }
        size_t taken = result > 0 || reader->is_in_value ? cursor.position : 0;
        reader->checksum = crc64(reader->checksum, slice_of(cursor.bytes.data, taken));
        reader->position += taken;
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

static void tell_key(const struct cw_rdb_reader *reader, struct buf *out)
{
    enum { SHOWN = 128 };
    struct slice key = buf_slice(&reader->key);
    redis_conf_add_quoted(out, slice_of(key.data, key.length < SHOWN ? key.length : SHOWN));
    buf_add_format(out, " of database %u (%s", reader->database, cw_rdb_type_name(reader->type));
    if (reader->type == RDB_TYPE_MODULE)
        buf_add_format(out, " %s", reader->module);
    buf_add_text(out, ")");
}

void cw_rdb_reader_tell(const struct cw_rdb_reader *reader, int error, struct buf *out)
{
    buf_add_format(out, "at byte %" PRIu64, reader->offset);
    if (reader->has_key) {
        buf_add_text(out, ", key ");
        tell_key(reader, out);
    }
    bool is_known = reader->why != NULL && (error == ERR_CORRUPT || error == ERR_UNSUPPORTED);
    buf_add_format(out, ": %s", is_known ? reader->why : error_text(error));
}

void cw_rdb_reader_free(struct cw_rdb_reader *reader)
{
    buf_free(&reader->key);
    buf_free(&reader->pending);
    buf_free(&reader->unpacked[0]);
    buf_free(&reader->unpacked[1]);
}
