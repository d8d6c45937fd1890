#include "cacheworker/hash/hash_rdb.h"

#include "cacheworker/hash/hash.h"
#include "cacheworker/packed/ziplist.h"
#include "cacheworker/packed/zipmap.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "common/base/errors.h"

unsigned cw_hash_rdb_type(const struct cw_entry *entry)
{
    return cw_entry_is_object(entry) ? RDB_TYPE_HASH : RDB_TYPE_HASH_LISTPACK;
}

void cw_hash_rdb_add(struct buf *out, const struct cw_entry *entry)
{
    if (!cw_entry_is_object(entry)) {
        cw_rdb_add_string(out, cw_entry_value(entry));
        return;
    }
    cw_rdb_add_length(out, cw_hash_count(entry));
    struct cw_hash_walk walk = {0};
    while (cw_hash_next(entry, &walk)) {
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

static int put_listpack(struct cw_rdb_value *value, struct slice listpack)
{
    uint64_t count = cw_listpack_count(listpack);
    if (count % 2 != 0 || has_field_twice(listpack))
        return ERR_CORRUPT;
    if (count > 0)
        cw_hash_put_listpack(value->keyspace, value->ref, listpack);
    return 1;
}

/* What older versions packed otherwise becomes a listpack first. */
static int put_old(struct cw_rdb_value *value, struct slice bytes)
{
    bool is_zipmap = value->type == RDB_TYPE_HASH_ZIPMAP;
    if (is_zipmap ? !cw_zipmap_is_valid(bytes) : !cw_ziplist_is_valid(bytes))
        return ERR_CORRUPT;
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
    return cw_listpack_is_valid(bytes) ? put_listpack(value, bytes) : ERR_CORRUPT;
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
            return ERR_CORRUPT;
    }
    return 1;
}

int cw_hash_rdb_read(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    switch (value->type) {
    case RDB_TYPE_HASH: return read_fields(value, cursor);
    case RDB_TYPE_HASH_ZIPMAP:
    case RDB_TYPE_HASH_ZIPLIST:
    case RDB_TYPE_HASH_LISTPACK: return read_packed(value, cursor);
    default: return ERR_UNSUPPORTED;
    }
}
