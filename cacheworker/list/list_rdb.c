#include "cacheworker/list/list_rdb.h"

#include "cacheworker/list/list.h"
#include "cacheworker/packed/ziplist.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "common/base/errors.h"

enum { /* what a node is */
       NODE_PLAIN = 1,
       NODE_PACKED = 2,
};

/* An element with more bytes goes as it is, if it has a node for itself: in a listpack it might be longer than a string
 * may be. */
enum { PACKED_ALONE_MAX = 8192 };

/* ---- Writing ---- */

unsigned cw_list_rdb_type(const struct cw_entry *entry)
{
    (void)entry;
    return RDB_TYPE_LIST_QUICKLIST_2;
}

static void add_node(struct cw_rdb_parts *parts, struct buf *out, struct slice listpack)
{
    bool is_plain = listpack.length > PACKED_ALONE_MAX && cw_listpack_count(listpack) == 1;
    cw_rdb_add_length(out, is_plain ? NODE_PLAIN : NODE_PACKED);
    cw_rdb_parts_add(parts, out, is_plain ? cw_listpack_value(listpack, CW_LISTPACK_HEADER_BYTES).text : listpack);
}

bool cw_list_rdb_next(struct cw_rdb_parts *parts, struct buf *out)
{
    bool is_long = cw_entry_is_object(parts->entry);
    if (parts->phase++ == 0) {
        const struct cw_long_list *list = is_long ? cw_entry_object(parts->entry) : NULL;
        cw_rdb_add_length(out, is_long ? list->nodes.nodes : 1);
        parts->node = is_long ? list->nodes.first : NULL;
        if (!is_long)
            add_node(parts, out, cw_entry_value(parts->entry));
        return true;
    }
    if (parts->node == NULL)
        return false;
    add_node(parts, out, cw_list_node_listpack(parts->node));
    parts->node = parts->node->next;
    return true;
}

/* ---- Reading ---- */

static void push(struct cw_rdb_value *value, struct slice text)
{
    cw_list_push(value->keyspace, value->ref, &text, 1, CW_LIST_TAIL);
}

static int append_ziplist(struct cw_rdb_value *value, struct slice ziplist)
{
    if (!cw_ziplist_is_valid(ziplist))
        return cw_rdb_value_refuse(value, "the ziplist is damaged");
    for (size_t place = cw_ziplist_first(ziplist); place != CW_ZIPLIST_END; place = cw_ziplist_next(ziplist, place)) {
        char space[NUMBER_TEXT_MAX];
        struct cw_packed_value element = cw_ziplist_value(ziplist, place);
        push(value, cw_packed_value_text(&element, space));
    }
    return 1;
}

static int append_node(struct cw_rdb_value *value, uint64_t kind, struct slice bytes)
{
    if (bytes.length == 0)
        return cw_rdb_value_refuse(value, "a node of the list is empty");
    if (kind == NODE_PLAIN) {
        push(value, bytes);
        return 1;
    }
    if (kind != NODE_PACKED || !cw_listpack_is_valid(bytes))
        return cw_rdb_value_refuse(value, "a node of the list is damaged");
    if (cw_listpack_count(bytes) > 0)
        cw_list_append_listpack(value->keyspace, value->ref, bytes);
    return 1;
}

/* One element or node, taken on a copy of the cursor. */
static int take_part(struct cw_rdb_value *value, struct cw_rdb_cursor *part)
{
    uint64_t kind = 0;
    struct slice text;
    int result;
    if (value->type == RDB_TYPE_LIST_QUICKLIST_2 && (result = cw_rdb_take_plain_length(part, &kind)) <= 0)
        return result;
    result = cw_rdb_take_string(part, &value->texts[0], &text);
    if (result <= 0)
        return result;
    switch (value->type) {
    case RDB_TYPE_LIST_QUICKLIST_2: return append_node(value, kind, text);
    case RDB_TYPE_LIST_QUICKLIST: return append_ziplist(value, text);
    default: push(value, text); return 1;
    }
}

static int read_ziplist(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    struct slice text;
    int result = cw_rdb_take_whole(cursor, &value->texts[0], &text);
    return result > 0 ? append_ziplist(value, text) : result;
}

int cw_list_rdb_read(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    if (value->type == RDB_TYPE_LIST_ZIPLIST)
        return read_ziplist(value, cursor);
    if (value->phase == 0) {
        int result = cw_rdb_take_whole_length(cursor, &value->left);
        if (result <= 0)
            return result;
        value->phase = 1;
    }
    for (; value->left > 0; value->left--) {
        struct cw_rdb_cursor part = *cursor;
        int result = cw_rdb_take_part(cursor, &part, take_part(value, &part));
        if (result <= 0)
            return result;
    }
    return 1;
}
