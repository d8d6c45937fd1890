#include "cacheworker/hash/field_expiry.h"

#include "cacheworker/hash/hash.h"
#include "cacheworker/rdb/rdb_cursor.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "common/base/errors.h"

enum { RECORD_ENOUGH = 64 << 10 }; /* bytes */

/* ---- Writing ---- */

static void emit_to_stream(void *context, struct slice record)
{
    struct cw_field_expiry *writer = context;
    cw_aside_propagate(writer->call, writer->when, record);
}

void cw_field_expiry_to_stream(struct cw_field_expiry *writer, struct cw_call *call, struct slice key,
                               enum cw_aside when)
{
    *writer = (struct cw_field_expiry){
        .database = call->database, .key = key, .emit = emit_to_stream, .context = writer, .call = call, .when = when};
}

static void emit(struct cw_field_expiry *writer)
{
    if (buf_length(&writer->record) > 0)
        writer->emit(writer->context, buf_slice(&writer->record));
    buf_clear(&writer->record);
}

void cw_field_expiry_add(struct cw_field_expiry *writer, struct slice field, int64_t expire_ms)
{
    if (buf_length(&writer->record) == 0) {
        cw_rdb_add_length(&writer->record, writer->database);
        cw_rdb_add_string(&writer->record, writer->key);
    }
    cw_rdb_add_string(&writer->record, field);
    cw_rdb_add_little_endian(&writer->record, (uint64_t)expire_ms, 8);
    if (buf_length(&writer->record) >= RECORD_ENOUGH)
        emit(writer);
}

void cw_field_expiry_end(struct cw_field_expiry *writer)
{
    emit(writer);
    buf_free(&writer->record);
}

void cw_field_expiry_drop(struct cw_field_expiry *writer)
{
    buf_free(&writer->record);
}

/* ---- Reading ---- */

struct texts { /* strings that were packed; owned */
    struct buf key;
    struct buf field;
};

static int take_key(struct cw_rdb_cursor *cursor, struct texts *texts, uint64_t *ret_database, struct slice *ret_key)
{
    bool is_whole =
        cw_rdb_take_plain_length(cursor, ret_database) > 0 && cw_rdb_take_string(cursor, &texts->key, ret_key) > 0;
    return is_whole ? 0 : ERR_CORRUPT;
}

static int take_field(struct cw_rdb_cursor *cursor, struct texts *texts, struct slice *ret_field,
                      int64_t *ret_expire_ms)
{
    uint64_t bits;
    if (cw_rdb_take_string(cursor, &texts->field, ret_field) <= 0 || cw_rdb_take_little_endian(cursor, 8, &bits) <= 0)
        return ERR_CORRUPT;
    *ret_expire_ms = (int64_t)bits;
    return *ret_expire_ms < 0 && *ret_expire_ms != CW_NO_EXPIRY ? ERR_CORRUPT : 0;
}

/* The hash of that name, or no entry. */
static int open_key(struct cw_keyspace *keyspace, struct cw_rdb_cursor *cursor, struct texts *texts, struct cw_ref *ref)
{
    uint64_t database;
    struct slice key;
    if (take_key(cursor, texts, &database, &key) < 0 || database >= cw_keyspace_databases(keyspace))
        return ERR_CORRUPT;
    cw_keyspace_open(keyspace, (unsigned)database, key, cw_keyspace_hash(keyspace, key), 0, ref);
    if (ref->entry && cw_entry_type(ref->entry) != CW_TYPE_HASH)
        ref->entry = NULL;
    return 0;
}

static int apply(struct cw_keyspace *keyspace, struct slice record, struct texts *texts)
{
    struct cw_rdb_cursor cursor = {.bytes = record};
    struct cw_ref ref;
    int error = open_key(keyspace, &cursor, texts, &ref);
    while (error == 0 && cursor.position < record.length) {
        struct slice field;
        int64_t expire_ms;
        error = take_field(&cursor, texts, &field, &expire_ms);
        if (error == 0 && ref.entry)
            (void)cw_hash_expire(keyspace, &ref, field, expire_ms);
    }
    return error;
}

int cw_field_expiry_apply(struct cw_keyspace *keyspace, struct slice record)
{
    struct texts texts = {{0}, {0}};
    int error = apply(keyspace, record, &texts);
    buf_free(&texts.key);
    buf_free(&texts.field);
    return error;
}

int cw_field_expiry_judge(struct slice record)
{
    struct texts texts = {{0}, {0}};
    struct cw_rdb_cursor cursor = {.bytes = record};
    struct slice name;
    uint64_t database;
    int64_t expire_ms;
    int error = take_key(&cursor, &texts, &database, &name);
    while (error == 0 && cursor.position < record.length)
        error = take_field(&cursor, &texts, &name, &expire_ms);
    buf_free(&texts.key);
    buf_free(&texts.field);
    return error;
}
