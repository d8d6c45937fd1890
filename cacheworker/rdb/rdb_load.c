#include "cacheworker/rdb/rdb_load.h"

#include "cacheworker/hash/field_expiry.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "common/base/errors.h"
#include "common/base/number.h"

#include <ctype.h>

/* All three are needed, and believed only where each of them can be true: some versions of the reference wrote -1. */
enum { STREAM_ID_SEEN = 1, STREAM_OFFSET_SEEN = 2, STREAM_DATABASE_SEEN = 4, STREAM_ALL_SEEN = 7 };

static void load_stream_id(struct cw_rdb_load *load, struct slice value)
{
    if (value.length != CW_RDB_STREAM_ID)
        return;
    for (size_t i = 0; i < value.length; i++)
        if (!isalnum((unsigned char)value.data[i]))
            return;
    memcpy(load->stream_id, value.data, value.length);
    load->stream_fields |= STREAM_ID_SEEN;
}

/* Where the data of a server by itself stand. */
static void load_place(struct cw_rdb_load *load, struct slice name, struct slice value)
{
    uint64_t number;
    if (slice_equal(name, slice_text(RDB_AUX_STREAM_ID))) {
        load_stream_id(load, value);
    } else if (slice_equal(name, slice_text(RDB_AUX_STREAM_OFFSET))) {
        if (number_parse_u64(value, &number) == 0 && number <= INT64_MAX) {
            load->origin.stream_offset = number;
            load->stream_fields |= STREAM_OFFSET_SEEN;
        }
    } else if (slice_equal(name, slice_text(RDB_AUX_STREAM_DATABASE))) {
        if (number_parse_u64(value, &number) == 0 && number < load->reader.databases) {
            load->origin.stream_database = (unsigned)number;
            load->stream_fields |= STREAM_DATABASE_SEEN;
        }
    }
    if (load->stream_fields == STREAM_ALL_SEEN)
        memcpy(load->origin.stream_id, load->stream_id, sizeof(load->origin.stream_id));
}

static int load_aux(void *context, struct slice name, struct slice value)
{
    struct cw_rdb_load *load = context;
    if (slice_equal(name, slice_text(RDB_AUX_HISTORY)))
        return history_parse(value, &load->origin.history) < 0 ? ERR_CORRUPT : 0;
    if (slice_equal(name, slice_text(RDB_AUX_FIELD_EXPIRY)))
        return cw_field_expiry_apply(load->keyspace, value);
    if (slice_equal(name, slice_text(RDB_AUX_MIGRATION))) {
        if (value.length >= sizeof(load->origin.migration))
            return ERR_CORRUPT;
        memcpy(load->origin.migration, value.data, value.length);
        load->origin.migration[value.length] = '\0';
        return 0;
    }
    if (slice_equal(name, slice_text(RDB_AUX_USERS))) {
        buf_clear(&load->users);
        buf_add_slice(&load->users, value);
        return 0;
    }
    if (slice_equal(name, slice_text(RDB_AUX_SCRIPT))) {
        cw_rdb_add_script(&load->programs, value);
        return 0;
    }
    load_place(load, name, value);
    return 0;
}

static int load_function(void *context, struct slice code)
{
    struct cw_rdb_load *load = context;
    cw_rdb_add_function(&load->programs, code);
    return 0;
}

/* CW_NO_EXPIRY is negative. */
static bool is_left_out(const struct cw_rdb_load *load, int64_t expire_ms)
{
    return expire_ms != CW_NO_EXPIRY && expire_ms < load->left_out_before_ms;
}

static void leave_out(struct cw_rdb_load *load, unsigned database, struct slice key)
{
    load->keys_left_out++;
    if (load->left_out != NULL)
        load->left_out(load->left_out_context, database, key);
}

static int load_string(void *context, unsigned database, struct slice key, struct slice value, int64_t expire_ms)
{
    struct cw_rdb_load *load = context;
    struct cw_ref ref;
    if (cw_keyspace_open(load->keyspace, database, key, cw_keyspace_hash(load->keyspace, key), 0, &ref) != NULL)
        return ERR_CORRUPT; /* it came before */
    if (is_left_out(load, expire_ms)) {
        leave_out(load, database, key);
        return 0;
    }
    cw_keyspace_put_expiring(load->keyspace, &ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, value, expire_ms);
    return 0;
}

static int load_begin(void *context, unsigned type, unsigned database, struct slice key, int64_t expire_ms)
{
    struct cw_rdb_load *load = context;
    uint64_t hash = cw_keyspace_hash(load->keyspace, key);
    if (cw_keyspace_open(load->keyspace, database, key, hash, 0, &load->ref) != NULL)
        return ERR_CORRUPT; /* it came before */
    cw_rdb_value_free(&load->value);
    load->value = (struct cw_rdb_value){.keyspace = load->keyspace, .ref = &load->ref, .type = type};
    load->expire_ms = expire_ms;
    return 0;
}

/* A value that came in parts is complete. */
static void end_value(struct cw_rdb_load *load)
{
    if (is_left_out(load, load->expire_ms)) {
        leave_out(load, load->ref.database, load->ref.key);
        if (load->ref.entry)
            cw_keyspace_delete(load->keyspace, &load->ref);
        return;
    }
    if (load->ref.entry && load->expire_ms != CW_NO_EXPIRY)
        cw_keyspace_expire(load->keyspace, &load->ref, load->expire_ms);
}

static int load_parts(void *context, struct cw_rdb_cursor *cursor)
{
    struct cw_rdb_load *load = context;
    int result = cw_rdb_value_read(&load->value, cursor);
    if (result > 0)
        end_value(load);
    return result;
}

void cw_rdb_load_init(struct cw_rdb_load *load, struct cw_keyspace *keyspace)
{
    *load = (struct cw_rdb_load){
        .reader = {.visitor = {.context = load,
                               .aux = load_aux,
                               .string = load_string,
                               .function = load_function,
                               .begin = load_begin,
                               .parts = load_parts},
                   .databases = cw_keyspace_databases(keyspace)},
        .keyspace = keyspace,
    };
}

void cw_rdb_load_free(struct cw_rdb_load *load)
{
    cw_rdb_reader_free(&load->reader);
    cw_rdb_value_free(&load->value);
    buf_free(&load->users);
    buf_free(&load->programs);
}
