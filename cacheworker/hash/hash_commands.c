#include "cacheworker/hash/hash_commands.h"

#include "cacheworker/hash/field_expiry.h"
#include "cacheworker/hash/hash.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/keyspace/picks.h"
#include "cacheworker/keyspace/scan.h"
#include "cacheworker/packed/packed_reply.h"
#include "cacheworker/string/long_double.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/base/rand.h"

#include <math.h>

static bool is_hash(struct cw_call *call, const struct cw_entry *entry)
{
    return cw_call_is_type(call, entry, CW_TYPE_HASH);
}

/* ---- Reading ---- */

static void reply_field(struct cw_call *call, const struct cw_entry *entry, struct slice field)
{
    struct cw_packed_value value;
    if (entry && cw_hash_get(entry, cw_call_parts_from(call), field, &value))
        cw_write_packed_value(call->reply, &value);
    else
        resp_write_null(call->reply, call->protocol);
}

void cw_hget_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (is_hash(call, entry))
        reply_field(call, entry, call->argv[2]);
}

void cw_hmget_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_hash(call, entry))
        return;
    resp_write_array(call->reply, call->argc - 2);
    for (size_t i = 2; i < call->argc && !cw_reply_is_full(call); i++)
        reply_field(call, entry, call->argv[i]);
}

void cw_hlen_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (is_hash(call, entry))
        resp_write_integer(call->reply, entry ? (int64_t)cw_hash_count(entry, cw_call_parts_from(call)) : 0);
}

void cw_hexists_command(struct cw_call *call)
{
    struct cw_packed_value value;
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (is_hash(call, entry))
        resp_write_integer(call->reply, entry && cw_hash_get(entry, cw_call_parts_from(call), call->argv[2], &value));
}

void cw_hstrlen_command(struct cw_call *call)
{
    struct cw_packed_value value;
    char space[NUMBER_TEXT_MAX];
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_hash(call, entry))
        return;
    bool exists = entry && cw_hash_get(entry, cw_call_parts_from(call), call->argv[2], &value);
    resp_write_integer(call->reply, exists ? (int64_t)cw_packed_value_text(&value, space).length : 0);
}

enum { FIELDS = 1, VALUES = 2 };

static void reply_all(struct cw_call *call, unsigned what)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_hash(call, entry))
        return;
    uint64_t count = entry ? cw_hash_count(entry, cw_call_parts_from(call)) : 0;
    if (what == (FIELDS | VALUES))
        resp_write_map(call->reply, call->protocol, count);
    else
        resp_write_array(call->reply, count);
    struct cw_hash_walk walk = {.from_ms = cw_call_parts_from(call)};
    while (entry && cw_hash_next(entry, &walk)) {
        if (what & FIELDS)
            cw_write_packed_value(call->reply, &walk.field);
        if (what & VALUES)
            cw_write_packed_value(call->reply, &walk.value);
    }
}

void cw_hgetall_command(struct cw_call *call)
{
    reply_all(call, FIELDS | VALUES);
}

void cw_hkeys_command(struct cw_call *call)
{
    reply_all(call, FIELDS);
}

void cw_hvals_command(struct cw_call *call)
{
    reply_all(call, VALUES);
}

static void add_found(void *context, const struct cw_packed_value *field, const struct cw_packed_value *value)
{
    struct cw_found *found = context;
    if (!cw_found_visit(found, field))
        return;
    cw_write_packed_value(&found->replies, field);
    cw_write_packed_value(&found->replies, value);
    found->count += 2;
}

static uint64_t scan_fields(struct cw_call *call, const struct cw_entry *entry, uint64_t cursor, struct cw_found *found)
{
    return cw_hash_scan(entry, cw_call_parts_from(call), cursor, add_found, found);
}

void cw_hscan_command(struct cw_call *call)
{
    cw_scan_value(call, CW_TYPE_HASH, scan_fields);
}

/* ---- Picks ---- */

static bool walk_fields(struct cw_picks *picks)
{
    struct cw_hash_walk *walk = picks->place;
    bool is_there = cw_hash_next(picks->entry, walk);
    picks->member = walk->field;
    return is_there;
}

static void draw_field(struct cw_picks *picks, struct rand *rand)
{
    struct cw_hash_walk *walk = picks->place;
    cw_hash_random(picks->entry, walk->from_ms, rand, walk);
    picks->member = walk->field;
}

static void reply_value(struct cw_call *call, const struct cw_picks *picks)
{
    const struct cw_hash_walk *walk = picks->place;
    cw_write_packed_value(call->reply, &walk->value);
}

void cw_hrandfield_command(struct cw_call *call)
{
    int64_t count;
    bool with_values;
    if (!cw_picks_parse(call, "withvalues", &count, &with_values))
        return;
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_hash(call, entry))
        return;
    struct cw_hash_walk walk = {.from_ms = cw_call_parts_from(call)};
    struct cw_picks picks = {.entry = entry,
                             .count = entry ? cw_hash_count(entry, walk.from_ms) : 0,
                             .shows_more = with_values,
                             .place = &walk,
                             .walk = walk_fields,
                             .draw = draw_field,
                             .reply_more = reply_value};
    cw_picks_reply(call, &picks, count);
}

/* ---- Changing ---- */

static void set_fields(struct cw_call *call, bool replies_count)
{
    if (call->argc % 2 == 1) {
        struct buf text = {0};
        buf_add_format(&text, "ERR wrong number of arguments for '%s' command", call->command->name);
        resp_write_error(call->reply, buf_slice(&text));
        buf_free(&text);
        return;
    }
    struct cw_ref ref;
    if (!is_hash(call, cw_call_open(call, 1, &ref)))
        return;
    size_t count = (call->argc - 2) / 2;
    uint64_t created = cw_hash_set_pairs(call->keyspace, &ref, &call->argv[2], count);
    cw_call_notify(call, CW_NOTIFY_HASH, "hset", ref.key);
    call->dirty += count;
    if (replies_count)
        resp_write_integer(call->reply, (int64_t)created);
    else
        resp_write_ok(call->reply);
}

void cw_hset_command(struct cw_call *call)
{
    set_fields(call, true);
}

void cw_hmset_command(struct cw_call *call)
{
    set_fields(call, false);
}

void cw_hsetnx_command(struct cw_call *call)
{
    struct cw_packed_value value;
    struct cw_ref ref;
    if (!is_hash(call, cw_call_open(call, 1, &ref)))
        return;
    bool exists = ref.entry && cw_hash_get(ref.entry, cw_call_parts_from(call), call->argv[2], &value);
    if (!exists) {
        cw_hash_set(call->keyspace, &ref, call->argv[2], call->argv[3]);
        cw_call_notify(call, CW_NOTIFY_HASH, "hset", ref.key);
        call->dirty++;
    }
    resp_write_integer(call->reply, !exists);
}

void cw_hdel_command(struct cw_call *call)
{
    struct cw_ref ref;
    if (!is_hash(call, cw_call_open(call, 1, &ref)))
        return;
    int64_t deleted = 0;
    for (size_t i = 2; i < call->argc && ref.entry; i++)
        deleted += cw_hash_delete(call->keyspace, &ref, call->argv[i]);
    if (deleted > 0)
        cw_call_notify_removal(call, CW_NOTIFY_HASH, "hdel", ref.key, !ref.entry);
    call->dirty += (uint64_t)deleted;
    resp_write_integer(call->reply, deleted);
}

void cw_hincrby_command(struct cw_call *call)
{
    int64_t increment;
    int64_t number = 0;
    struct cw_packed_value value;
    struct cw_ref ref;
    char space[NUMBER_TEXT_MAX];
    if (!cw_call_integer(call, 3, &increment) || !is_hash(call, cw_call_open(call, 1, &ref)))
        return;
    if (ref.entry && cw_hash_get(ref.entry, cw_call_parts_from(call), call->argv[2], &value) &&
        number_parse_i64(cw_packed_value_text(&value, space), &number) < 0) {
        cw_reply_error(call, "ERR hash value is not an integer");
        return;
    }
    if (__builtin_add_overflow(number, increment, &number)) {
        cw_reply_error(call, "ERR increment or decrement would overflow");
        return;
    }
    size_t length = number_format_i64(space, number);
    cw_hash_set_expiring(call->keyspace, &ref, call->argv[2], slice_of(space, length), CW_HASH_KEEPS_EXPIRY);
    cw_call_notify(call, CW_NOTIFY_HASH, "hincrby", ref.key);
    call->dirty++;
    resp_write_integer(call->reply, number);
}

/* HSET takes an expiry away, which the field is to keep. */
static void tell_expiry(struct cw_call *call, const struct cw_ref *ref)
{
    int64_t expire_ms;
    if (!cw_hash_expiry(ref->entry, CW_HASH_ALL, call->argv[2], &expire_ms) || expire_ms == CW_NO_EXPIRY)
        return;
    struct cw_field_expiry writer;
    cw_field_expiry_to_stream(&writer, call, call->argv[1], CW_ASIDE_OF_NEXT);
    cw_field_expiry_add(&writer, call->argv[2], expire_ms);
    cw_field_expiry_end(&writer);
}

/* The result goes into the stream: replicas must not add up on their own. */
static void set_float(struct cw_call *call, struct cw_ref *ref, long double number)
{
    char *text = mem_alloc(CW_LONG_DOUBLE_TEXT_MAX);
    struct slice result = slice_of(text, cw_long_double_format(text, number));
    cw_hash_set_expiring(call->keyspace, ref, call->argv[2], result, CW_HASH_KEEPS_EXPIRY);
    cw_call_notify(call, CW_NOTIFY_HASH, "hincrbyfloat", ref->key);
    call->dirty++;
    tell_expiry(call, ref);
    const struct slice argv[] = {SLICE_LITERAL("HSET"), call->argv[1], call->argv[2], result};
    cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
    resp_write_bulk(call->reply, result);
    mem_free(text);
}

void cw_hincrbyfloat_command(struct cw_call *call)
{
    long double increment;
    long double number = 0;
    struct cw_packed_value value;
    struct cw_ref ref;
    char space[NUMBER_TEXT_MAX];
    if (cw_long_double_parse(call->argv[3], &increment) < 0) {
        cw_reply_error(call, CW_ERROR_NOT_FLOAT);
        return;
    }
    if (isinf(increment)) {
        cw_reply_error(call, "ERR value is NaN or Infinity");
        return;
    }
    if (!is_hash(call, cw_call_open(call, 1, &ref)))
        return;
    if (ref.entry && cw_hash_get(ref.entry, cw_call_parts_from(call), call->argv[2], &value) &&
        cw_long_double_parse(cw_packed_value_text(&value, space), &number) < 0) {
        cw_reply_error(call, "ERR hash value is not a float");
        return;
    }
    number += increment;
    if (isnan(number) || isinf(number))
        cw_reply_error(call, "ERR increment would produce NaN or Infinity");
    else
        set_float(call, &ref, number);
}
