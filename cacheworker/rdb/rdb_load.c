#include "cacheworker/rdb/rdb_load.h"

#include "cacheworker/hash/field_expiry.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "common/base/errors.h"
#include "common/base/number.h"

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
    uint64_t database;
    if (slice_equal(name, slice_text(RDB_AUX_STREAM_DATABASE)) && number_parse_u64(value, &database) == 0 &&
        database < load->reader.databases)
        load->origin.stream_database = (unsigned)database;
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

static int load_string(void *context, unsigned database, struct slice key, struct slice value, int64_t expire_ms)
{
    struct cw_rdb_load *load = context;
    struct cw_ref ref;
    if (cw_keyspace_open(load->keyspace, database, key, cw_keyspace_hash(load->keyspace, key), 0, &ref) != NULL)
        return ERR_CORRUPT; /* it came before */
    if (is_left_out(load, expire_ms)) {
        load->keys_left_out++;
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
        load->keys_left_out++;
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
