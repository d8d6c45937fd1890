#include "cacheworker/hash/hash_rdb.h"

#include "cacheworker/hash/field_expiry.h"
#include "cacheworker/hash/hash.h"
#include "cacheworker/keyspace/budget.h"
#include "cacheworker/packed/ziplist.h"
#include "cacheworker/packed/zipmap.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "common/base/errors.h"

#include <limits.h>

enum { FIELD_COST = 2 }; /* in units of about 50 ns */

#define DATE_MAX (((int64_t)1 << 48) - 1) /* the reference's EB_EXPIRE_TIME_MAX */

unsigned cw_hash_rdb_type(const struct cw_entry *entry)
{
    return cw_entry_is_object(entry) ? RDB_TYPE_HASH : RDB_TYPE_HASH_LISTPACK;
}

/* A field, and its value at once unless the field is long. */
bool cw_hash_rdb_next(struct cw_rdb_parts *parts, struct buf *out)
{
    enum { PHASE_COUNT, PHASE_FIELD, PHASE_VALUE };
    if (!cw_entry_is_object(parts->entry))
        return cw_rdb_parts_add_only(parts, out, cw_entry_value(parts->entry));
    const struct cw_big_hash *hash = cw_entry_object(parts->entry);
    if (parts->phase == PHASE_COUNT) {
        cw_rdb_add_length(out, cw_dictionary_count(hash->fields));
        parts->phase = PHASE_FIELD;
        return true;
    }
    if (parts->phase == PHASE_FIELD) {
        parts->hash.member = cw_dictionary_next(hash->fields, &parts->hash.walk);
        if (parts->hash.member == NULL)
            return false;
        cw_rdb_parts_add(parts, out, cw_entry_key(parts->hash.member));
        parts->phase = PHASE_VALUE;
        if (parts->rest.length > 0)
            return true;
    }
    cw_rdb_parts_add(parts, out, cw_entry_value(parts->hash.member));
    parts->phase = PHASE_FIELD;
    return true;
}

bool cw_hash_rdb_tell_part(const struct cw_entry *entry, struct cw_hash_walk *walk, struct cw_field_expiry *writer,
                           unsigned *budget)
{
    for (; *budget > 0; cw_spend(budget, FIELD_COST)) {
        if (!cw_hash_has_expiry(entry) || !cw_hash_next(entry, walk)) {
            cw_field_expiry_end(writer);
            return false;
        }
        if (walk->expire_ms != CW_NO_EXPIRY)
            cw_field_expiry_add(writer, walk->field.text, walk->expire_ms);
    }
    return true;
}

void cw_hash_rdb_tell_expiry(unsigned database, struct slice key, const struct cw_entry *entry,
                             void (*emit)(void *context, struct slice record), void *context)
{
    struct cw_field_expiry writer = {.database = database, .key = key, .emit = emit, .context = context};
    struct cw_hash_walk walk = {.from_ms = CW_HASH_ALL};
    unsigned budget;
    do
        budget = UINT_MAX;
    while (cw_hash_rdb_tell_part(entry, &walk, &writer, &budget));
}

static int64_t earliest_expiry(const struct cw_entry *entry, int64_t from_ms)
{
    int64_t earliest_ms = DATE_MAX;
    struct cw_hash_walk walk = {.from_ms = from_ms};
    while (cw_hash_next(entry, &walk))
        if (walk.expire_ms != CW_NO_EXPIRY && walk.expire_ms < earliest_ms)
            earliest_ms = walk.expire_ms;
    return earliest_ms;
}

void cw_hash_rdb_add_dated(struct buf *out, const struct cw_entry *entry, int64_t from_ms)
{
    int64_t earliest_ms = earliest_expiry(entry, from_ms);
    cw_rdb_add_little_endian(out, (uint64_t)earliest_ms, 8);
    cw_rdb_add_length(out, cw_hash_count(entry, from_ms));
    struct cw_hash_walk walk = {.from_ms = from_ms};
    while (cw_hash_next(entry, &walk)) {
        bool expires = walk.expire_ms != CW_NO_EXPIRY;
        cw_rdb_add_length(out, expires ? (uint64_t)(walk.expire_ms - earliest_ms) + 1 : 0);
        cw_rdb_add_string(out, walk.field.text);
        cw_rdb_add_string(out, walk.value.text);
    }
}

/* Fields must differ: whoever looks one up would find the first, and deleting it would bring the other one out. */
static bool has_field_twice(struct slice listpack)
{
    for (size_t place = cw_listpack_first(listpack); place != CW_LISTPACK_END;) {
        char space[NUMBER_TEXT_MAX];
        struct cw_packed_value field = cw_listpack_value(listpack, place);
        struct cw_packed_needle needle = cw_packed_needle(cw_packed_value_text(&field, space));
        place = cw_listpack_next(listpack, cw_listpack_next(listpack, place));
        if (place != CW_LISTPACK_END && cw_listpack_find(listpack, place, &needle, 2) != CW_LISTPACK_END)
            return true;
    }
    return false;
}

static const char field_twice[] = "a field stands there twice";
static const char bad_date[] = "no such date";

static int put_listpack(struct cw_rdb_value *value, struct slice listpack)
{
    uint64_t count = cw_listpack_count(listpack);
    if (count % 2 != 0)
        return cw_rdb_value_refuse(value, "a field has no value");
    if (has_field_twice(listpack))
        return cw_rdb_value_refuse(value, field_twice);
    if (count > 0)
        cw_hash_put_listpack(value->keyspace, value->ref, listpack);
    return 1;
}

/* What older versions packed otherwise becomes a listpack first. */
static int put_old(struct cw_rdb_value *value, struct slice bytes)
{
    bool is_zipmap = value->type == RDB_TYPE_HASH_ZIPMAP;
    if (is_zipmap ? !cw_zipmap_is_valid(bytes) : !cw_ziplist_is_valid(bytes))
        return cw_rdb_value_refuse(value, is_zipmap ? "the zipmap is damaged" : "the ziplist is damaged");
    struct buf listpack = {0};
    char empty[CW_LISTPACK_EMPTY_BYTES];
    cw_listpack_init(empty);
    buf_add(&listpack, empty, sizeof(empty));
    struct cw_packed packed = cw_packed_of_buf(&listpack);
    if (is_zipmap)
        cw_zipmap_append_to(bytes, &packed);
    else
        cw_ziplist_append_to(bytes, &packed);
    int result = put_listpack(value, cw_packed_slice(&packed));
    buf_free(&listpack);
    return result;
}

static int read_packed(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    struct slice bytes;
    int result = cw_rdb_take_whole(cursor, &value->texts[0], &bytes);
    if (result <= 0)
        return result;
    if (value->type != RDB_TYPE_HASH_LISTPACK)
        return put_old(value, bytes);
    return cw_listpack_is_valid(bytes) ? put_listpack(value, bytes)
                                       : cw_rdb_value_refuse(value, "the listpack is damaged");
}

static int read_fields(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    if (value->phase == 0) {
        int result = cw_rdb_take_whole_length(cursor, &value->left);
        if (result <= 0)
            return result;
        value->phase = 1;
    }
    for (; value->left > 0; value->left--) {
        struct cw_rdb_cursor part = *cursor;
        struct slice field, text;
        int result = cw_rdb_take_string(&part, &value->texts[0], &field);
        if (result > 0)
            result = cw_rdb_take_string(&part, &value->texts[1], &text);
        if (cw_rdb_take_part(cursor, &part, result) <= 0)
            return result;
        if (!cw_hash_set(value->keyspace, value->ref, field, text))
            return cw_rdb_value_refuse(value, field_twice);
    }
    return 1;
}

/* The earliest date, which others are counted from, and how many fields come. */
static int read_head(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    struct cw_rdb_cursor part = *cursor;
    int result = 1;
    if (value->type == RDB_TYPE_HASH_FIELDS)
        result = cw_rdb_take_little_endian(&part, 8, &value->base);
    if (result > 0)
        result = cw_rdb_take_plain_length(&part, &value->left);
    value->phase = result > 0;
    return cw_rdb_take_part(cursor, &part, result);
}

static int64_t date_of(const struct cw_rdb_value *value, uint64_t number)
{
    if (number == 0)
        return CW_NO_EXPIRY;
    return (int64_t)(value->type == RDB_TYPE_HASH_FIELDS ? value->base + number - 1 : number);
}

/* No sum of two such numbers is too big to be looked at. */
static bool is_date(const struct cw_rdb_value *value, uint64_t number)
{
    return number <= DATE_MAX && value->base <= DATE_MAX && date_of(value, number) <= DATE_MAX;
}

static int put_dated(struct cw_rdb_value *value, struct slice field, struct slice text, int64_t date_ms)
{
    if (date_ms != CW_NO_EXPIRY && value->ref->key.length + field.length > CW_FIELD_EXPIRY_NAMES_MAX) {
        value->why = "a field that expires has too long a name";
        return ERR_UNSUPPORTED;
    }
    return cw_hash_set_expiring(value->keyspace, value->ref, field, text, date_ms)
               ? 1
               : cw_rdb_value_refuse(value, field_twice);
}

static int read_dated_fields(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    int result = value->phase == 0 ? read_head(value, cursor) : 1;
    for (; result > 0 && value->left > 0; value->left--) {
        struct cw_rdb_cursor part = *cursor;
        struct slice field, text;
        uint64_t number;
        result = cw_rdb_take_plain_length(&part, &number);
        if (result > 0)
            result = cw_rdb_take_string(&part, &value->texts[0], &field);
        if (result > 0)
            result = cw_rdb_take_string(&part, &value->texts[1], &text);
        if (cw_rdb_take_part(cursor, &part, result) <= 0)
            return result;
        if (!is_date(value, number))
            return cw_rdb_value_refuse(value, bad_date);
        if ((result = put_dated(value, field, text, date_of(value, number))) < 0)
            return result;
    }
    return result;
}

/* Valkey's: the date comes last, and -1 says that there is none. */
static int read_valkey_fields(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    int result = value->phase == 0 ? read_head(value, cursor) : 1;
    for (; result > 0 && value->left > 0; value->left--) {
        struct cw_rdb_cursor part = *cursor;
        struct slice field, text;
        uint64_t bits;
        result = cw_rdb_take_string(&part, &value->texts[0], &field);
        if (result > 0)
            result = cw_rdb_take_string(&part, &value->texts[1], &text);
        if (result > 0)
            result = cw_rdb_take_little_endian(&part, 8, &bits);
        if (cw_rdb_take_part(cursor, &part, result) <= 0)
            return result;
        bool has_date = bits != UINT64_MAX;
        if (has_date && bits > DATE_MAX)
            return cw_rdb_value_refuse(value, bad_date);
        if ((result = put_dated(value, field, text, has_date ? (int64_t)bits : CW_NO_EXPIRY)) < 0)
            return result;
    }
    return result;
}

static int put_triples(struct cw_rdb_value *value, struct slice listpack)
{
    if (!cw_listpack_is_valid(listpack) || cw_listpack_count(listpack) % 3 != 0)
        return cw_rdb_value_refuse(value, "the listpack is damaged");
    for (size_t place = cw_listpack_first(listpack); place != CW_LISTPACK_END;) {
        char spaces[2][NUMBER_TEXT_MAX];
        struct cw_packed_value parts[3];
        for (unsigned i = 0; i < 3; i++) {
            parts[i] = cw_listpack_value(listpack, place);
            place = cw_listpack_next(listpack, place);
        }
        int64_t date_ms = parts[2].text.data ? -1 : parts[2].integer;
        if (date_ms < 0 || date_ms > DATE_MAX)
            return cw_rdb_value_refuse(value, bad_date);
        if (!cw_hash_set_expiring(value->keyspace, value->ref, cw_packed_value_text(&parts[0], spaces[0]),
                                  cw_packed_value_text(&parts[1], spaces[1]), date_ms > 0 ? date_ms : CW_NO_EXPIRY))
            return cw_rdb_value_refuse(value, field_twice);
    }
    return 1;
}

/* The earliest date stands before the listpack too, and says nothing new. */
static int read_triples(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    struct cw_rdb_cursor part = *cursor;
    const unsigned char *ignored;
    struct slice listpack;
    int result = value->type == RDB_TYPE_HASH_TRIPLES ? cw_rdb_take(&part, 8, &ignored) : 1;
    if (result > 0)
        result = cw_rdb_take_string(&part, &value->texts[0], &listpack);
    if (cw_rdb_take_part(cursor, &part, result) <= 0)
        return result;
    return put_triples(value, listpack);
}

int cw_hash_rdb_read(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    switch (value->type) {
    case RDB_TYPE_HASH_FIELDS:
    case RDB_TYPE_HASH_FIELDS_PRE_GA: return read_dated_fields(value, cursor);
    case RDB_TYPE_HASH_VALKEY: return read_valkey_fields(value, cursor);
    case RDB_TYPE_HASH_TRIPLES:
    case RDB_TYPE_HASH_TRIPLES_PRE_GA: return read_triples(value, cursor);
    case RDB_TYPE_HASH: return read_fields(value, cursor);
    case RDB_TYPE_HASH_ZIPMAP:
    case RDB_TYPE_HASH_ZIPLIST:
    case RDB_TYPE_HASH_LISTPACK: return read_packed(value, cursor);
    default: return ERR_UNSUPPORTED;
    }
}
