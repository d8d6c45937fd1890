#include "cacheworker/rdb/dump_commands.h"

#include "cacheworker/hash/field_expiry.h"
#include "cacheworker/hash/hash.h"
#include "cacheworker/hash/hash_rdb.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/rdb/dump_payload.h"
#include "cacheworker/rdb/rdb.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "cacheworker/rdb/rdb_value.h"
#include "common/base/errors.h"

/* As every server takes it. */
static void add_plain(struct buf *payload, const struct cw_entry *entry)
{
    cw_rdb_add_byte(payload, cw_rdb_value_type(entry));
    cw_rdb_add_value(payload, entry);
    cw_dump_end(payload, CW_RDB_VERSION);
}

static bool is_dated(const struct cw_entry *entry)
{
    return cw_entry_type(entry) == CW_TYPE_HASH && cw_hash_has_expiry(entry);
}

void cw_dump_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!entry) {
        resp_write_null(call->reply, call->protocol);
        return;
    }
    struct buf payload = {0};
    if (is_dated(entry)) {
        cw_rdb_add_byte(&payload, RDB_TYPE_HASH_FIELDS);
        cw_hash_rdb_add_dated(&payload, entry, cw_call_parts_from(call));
        cw_dump_end(&payload, CW_RDB_VERSION_DATED);
    } else {
        add_plain(&payload, entry);
    }
    resp_write_bulk(call->reply, buf_slice(&payload));
    buf_free(&payload);
}

/* ---- RESTORE ---- */

struct restore {
    bool replaces;
    bool is_absolute; /* the time to live is a date */
    int64_t expire_ms;
    int64_t idle_s;    /* since the last use elsewhere; -1: not told */
    int64_t frequency; /* of use elsewhere; -1: not told */
};

static bool parse_number(struct cw_call *call, size_t index, int64_t most, const char *error, int64_t *ret_number)
{
    if (!cw_call_integer(call, index, ret_number))
        return false;
    if (*ret_number >= 0 && *ret_number <= most)
        return true;
    cw_reply_error(call, error);
    return false;
}

static bool parse_options(struct cw_call *call, struct restore *restore)
{
    restore->idle_s = restore->frequency = -1;
    for (size_t i = 4; i < call->argc; i++) {
        bool has_value = i + 1 < call->argc;
        if (slice_equal_nocase(call->argv[i], "replace")) {
            restore->replaces = true;
        } else if (slice_equal_nocase(call->argv[i], "absttl")) {
            restore->is_absolute = true;
        } else if (has_value && restore->frequency < 0 && slice_equal_nocase(call->argv[i], "idletime")) {
            if (!parse_number(call, ++i, INT64_MAX, "ERR Invalid IDLETIME value, must be >= 0", &restore->idle_s))
                return false;
        } else if (has_value && restore->idle_s < 0 && slice_equal_nocase(call->argv[i], "freq")) {
            if (!parse_number(call, ++i, UINT8_MAX, "ERR Invalid FREQ value, must be >= 0 and <= 255",
                              &restore->frequency))
                return false;
        } else {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return false;
        }
    }
    return true;
}

static bool parse_expiry(struct cw_call *call, struct restore *restore)
{
    int64_t number;
    if (!cw_call_integer(call, 2, &number))
        return false;
    if (number < 0) {
        cw_reply_error(call, "ERR Invalid TTL value, must be >= 0");
        return false;
    }
    restore->expire_ms = CW_NO_EXPIRY;
    if (number > 0)
        restore->expire_ms = restore->is_absolute                ? number
                             : number > INT64_MAX - call->now_ms ? INT64_MAX
                                                                 : number + call->now_ms;
    return true;
}

/* Type and value, or the error. */
static bool open_payload(struct cw_call *call, struct slice payload, struct slice *ret_value)
{
    if (cw_dump_open(payload, call->settings->trusts_dumps, ret_value) && ret_value->length > 0)
        return true;
    cw_reply_error(call, CW_ERROR_BAD_DUMP);
    return false;
}

static unsigned type_of(struct slice payload, struct slice value)
{
    return cw_rdb_type_of(cw_dump_version(payload), (unsigned char)value.data[0]);
}

/* False: the bytes are no value, and the draft is gone. */
static bool read_value(struct cw_call *call, struct cw_ref *draft, struct slice bytes)
{
    struct cw_rdb_value value = {.keyspace = call->keyspace, .ref = draft, .type = type_of(call->argv[3], bytes)};
    struct cw_rdb_cursor cursor = {.bytes = slice_skip(bytes, 1)};
    bool is_whole = cw_rdb_value_read(&value, &cursor) > 0 && cursor.position == cursor.bytes.length;
    cw_rdb_value_free(&value);
    bool is_told = call->argv[1].length + bytes.length <= CW_FIELD_EXPIRY_NAMES_MAX;
    if (is_whole && draft->entry && (is_told || !is_dated(draft->entry)))
        return true;
    if (draft->entry)
        cw_keyspace_delete(call->keyspace, draft);
    return false;
}

/* By the rule that counts here; the other means nothing then. */
static void set_access(struct cw_call *call, const struct restore *restore, struct cw_entry *entry)
{
    bool counts_uses = cw_keyspace_access_rules(call->keyspace)->counts_uses;
    if (counts_uses && restore->frequency >= 0)
        entry->access = cw_access_of_frequency((uint32_t)restore->frequency, call->now_ms) & CW_ACCESS_MAX;
    else if (!counts_uses && restore->idle_s >= 0)
        entry->access = cw_access_of_idle(restore->idle_s, call->now_ms) & CW_ACCESS_MAX;
}

static void propagate_payload(struct cw_call *call, const struct restore *restore, struct slice payload)
{
    char date[NUMBER_TEXT_MAX];
    char use[NUMBER_TEXT_MAX];
    int64_t expire_ms = restore->expire_ms != CW_NO_EXPIRY ? restore->expire_ms : 0;
    struct slice argv[8] = {
        SLICE_LITERAL("RESTORE"), call->argv[1],          slice_of(date, number_format_i64(date, expire_ms)), payload,
        SLICE_LITERAL("REPLACE"), SLICE_LITERAL("ABSTTL")};
    size_t argc = 6;
    if (restore->idle_s >= 0 || restore->frequency >= 0) {
        bool is_idle_time = restore->idle_s >= 0;
        argv[argc++] = is_idle_time ? SLICE_LITERAL("IDLETIME") : SLICE_LITERAL("FREQ");
        argv[argc++] = slice_of(use, number_format_i64(use, is_idle_time ? restore->idle_s : restore->frequency));
    }
    cw_call_propagate(call, argv, argc);
}

static void tell_expiry(void *context, struct slice record)
{
    cw_aside_propagate(context, CW_ASIDE_OF_NEXT, record);
}

/* Whether servers of the version that we write take it. */
static bool is_plain(struct slice payload)
{
    return cw_dump_version(payload) <= CW_RDB_VERSION && (unsigned char)payload.data[0] <= RDB_TYPE_STREAM_LISTPACKS_2;
}

/* In a form that older servers take, whatever came. */
static void propagate_restore(struct cw_call *call, const struct restore *restore, const struct cw_entry *entry)
{
    struct buf plain = {0};
    struct slice payload = call->argv[3];
    if (!is_plain(payload)) {
        add_plain(&plain, entry);
        payload = buf_slice(&plain);
    }
    if (is_dated(entry))
        cw_hash_rdb_tell_expiry(call->database, call->argv[1], entry, tell_expiry, call);
    propagate_payload(call, restore, payload);
    buf_free(&plain);
}

static void delete_key(struct cw_call *call, struct cw_ref *ref)
{
    if (!ref->entry)
        return;
    cw_keyspace_delete(call->keyspace, ref);
    cw_call_notify(call, CW_NOTIFY_GENERIC, "del", call->argv[1]);
    cw_call_propagate_del(call, call->argv[1]);
    call->dirty++;
}

/* What was there stays until the new value was read whole. */
static void replace(struct cw_call *call, struct cw_ref *ref, const struct restore *restore, struct slice value)
{
    struct cw_ref draft;
    struct cw_key key = cw_call_key(call, 1);
    cw_keyspace_open_draft(call->keyspace, call->now_ms, &draft);
    if (!read_value(call, &draft, value)) {
        cw_reply_error(call, "ERR Bad data format");
        return;
    }
    resp_write_ok(call->reply);
    if (restore->expire_ms != CW_NO_EXPIRY && cw_call_deletes_at(call, restore->expire_ms)) {
        cw_keyspace_delete(call->keyspace, &draft);
        delete_key(call, ref);
        return;
    }
    call->dirty++;
    if (restore->expire_ms != CW_NO_EXPIRY)
        cw_keyspace_expire(call->keyspace, &draft, restore->expire_ms);
    set_access(call, restore, draft.entry);
    propagate_restore(call, restore, draft.entry);
    if (ref->entry)
        cw_keyspace_delete(call->keyspace, ref);
    cw_keyspace_store_draft(call->keyspace, &draft, &key);
    cw_call_notify(call, CW_NOTIFY_GENERIC, "restore", call->argv[1]);
}

void cw_restore_command(struct cw_call *call)
{
    struct restore restore = {.replaces = false};
    struct cw_ref ref;
    struct slice value;
    if (!parse_options(call, &restore))
        return;
    cw_call_open(call, 1, &ref);
    if (ref.entry && !restore.replaces) {
        cw_reply_error(call, "BUSYKEY Target key name already exists.");
        return;
    }
    if (parse_expiry(call, &restore) && open_payload(call, call->argv[3], &value))
        replace(call, &ref, &restore, value);
}
