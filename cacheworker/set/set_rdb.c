#include "cacheworker/set/set_rdb.h"

#include "cacheworker/packed/intset.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "cacheworker/set/set.h"
#include "common/base/errors.h"

/* Version 10 knows no listpack here. */
unsigned cw_set_rdb_type(const struct cw_entry *entry)
{
    return cw_entry_encoding(entry) == CW_ENCODING_INTSET ? RDB_TYPE_SET_INTSET : RDB_TYPE_SET;
}

bool cw_set_rdb_next(struct cw_rdb_parts *parts, struct buf *out)
{
    char space[NUMBER_TEXT_MAX];
    if (cw_entry_encoding(parts->entry) == CW_ENCODING_INTSET)
        return cw_rdb_parts_add_only(parts, out, cw_entry_value(parts->entry));
    if (parts->phase == 0) {
        cw_rdb_add_length(out, cw_set_count(parts->entry));
        parts->phase = 1;
        return true;
    }
    if (!cw_set_next(parts->entry, &parts->set))
        return false;
    cw_rdb_parts_add(parts, out, cw_packed_value_text(&parts->set.member, space));
    return true;
}

static int read_intset(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    struct slice intset;
    int result = cw_rdb_take_whole(cursor, &value->texts[0], &intset);
    if (result <= 0)
        return result;
    if (!cw_intset_is_valid(intset))
        return cw_rdb_value_refuse(value, "the intset is damaged");
    if (cw_intset_count(intset) > 0)
        cw_set_put_intset(value->keyspace, value->ref, intset);
    return 1;
}

static int read_listpack(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    struct slice listpack;
    int result = cw_rdb_take_whole(cursor, &value->texts[0], &listpack);
    if (result <= 0)
        return result;
    if (!cw_listpack_is_valid(listpack))
        return cw_rdb_value_refuse(value, "the listpack is damaged");
    size_t place = cw_listpack_first(listpack);
    if (place != CW_LISTPACK_END)
        cw_set_create(value->keyspace, value->ref, CW_ENCODING_LISTPACK);
    for (; place != CW_LISTPACK_END; place = cw_listpack_next(listpack, place)) {
        struct cw_packed_value member = cw_listpack_value(listpack, place);
        if (!cw_set_add(value->keyspace, value->ref, &member))
            return cw_rdb_value_refuse(value, "a member stands there twice");
    }
    return 1;
}

static int read_members(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    if (value->phase == 0) {
        int result = cw_rdb_take_whole_length(cursor, &value->left);
        if (result <= 0)
            return result;
        value->phase = 1;
        bool is_big = value->left > (uint64_t)cw_keyspace_packing(value->keyspace)->set_max_intset_entries;
        if (value->left > 0)
            cw_set_create(value->keyspace, value->ref, is_big ? CW_ENCODING_HASHTABLE : CW_ENCODING_INTSET);
    }
    for (; value->left > 0; value->left--) {
        struct slice text;
        int result = cw_rdb_take_whole(cursor, &value->texts[0], &text);
        if (result <= 0)
            return result;
        struct cw_packed_value member = cw_set_member(text);
        if (!cw_set_add(value->keyspace, value->ref, &member))
            return cw_rdb_value_refuse(value, "a member stands there twice");
    }
    return 1;
}

int cw_set_rdb_read(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    switch (value->type) {
    case RDB_TYPE_SET: return read_members(value, cursor);
    case RDB_TYPE_SET_INTSET: return read_intset(value, cursor);
    case RDB_TYPE_SET_LISTPACK: return read_listpack(value, cursor);
    default: return ERR_UNSUPPORTED;
    }
}
