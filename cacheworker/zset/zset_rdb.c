#include "cacheworker/zset/zset_rdb.h"

#include "cacheworker/packed/ziplist.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "cacheworker/zset/zset.h"
#include "common/base/errors.h"
#include "common/base/number.h"

#include <math.h>

enum { /* lengths of a score's text that stand for what has none */
       SCORE_NAN = 253,
       SCORE_INFINITE = 254,
       SCORE_MINUS_INFINITE = 255,
};

unsigned cw_zset_rdb_type(const struct cw_entry *entry)
{
    return cw_entry_is_object(entry) ? RDB_TYPE_ZSET_2 : RDB_TYPE_ZSET_LISTPACK;
}

/* From the highest down, as the reference writes them: it reads them faster so. */
bool cw_zset_rdb_next(struct cw_rdb_parts *parts, struct buf *out)
{
    enum { PHASE_COUNT, PHASE_MEMBER, PHASE_SCORE };
    const struct cw_entry *entry = parts->entry;
    struct cw_zset_place *place = &parts->zset.place;
    if (!cw_entry_is_object(entry))
        return cw_rdb_parts_add_only(parts, out, cw_entry_value(entry));
    if (parts->phase == PHASE_COUNT) {
        uint64_t count = cw_zset_count(entry);
        cw_rdb_add_length(out, count);
        parts->zset.is_there = cw_zset_at(entry, count - 1, place);
        parts->phase = PHASE_MEMBER;
        return true;
    }
    if (parts->phase == PHASE_MEMBER) {
        if (!parts->zset.is_there)
            return false;
        cw_rdb_parts_add(parts, out, place->member.text);
        parts->phase = PHASE_SCORE;
        if (parts->rest.length > 0)
            return true;
    }
    cw_rdb_add_double(out, place->score);
    parts->zset.is_there = cw_zset_previous(entry, place);
    parts->phase = PHASE_MEMBER;
    return true;
}

static int put_listpack(struct cw_rdb_value *value, struct slice listpack)
{
    if (!cw_zset_is_listpack(listpack))
        return cw_rdb_value_refuse(value, "members or scores of the sorted set are damaged");
    if (cw_listpack_count(listpack) > 0)
        cw_zset_put_listpack(value->keyspace, value->ref, listpack);
    return 1;
}

static int read_listpack(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    struct slice listpack;
    int result = cw_rdb_take_whole(cursor, &value->texts[0], &listpack);
    if (result <= 0)
        return result;
    return cw_listpack_is_valid(listpack) ? put_listpack(value, listpack)
                                          : cw_rdb_value_refuse(value, "the listpack is damaged");
}

static int read_ziplist(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    struct slice ziplist;
    int result = cw_rdb_take_whole(cursor, &value->texts[0], &ziplist);
    if (result <= 0)
        return result;
    if (!cw_ziplist_is_valid(ziplist))
        return cw_rdb_value_refuse(value, "the ziplist is damaged");
    struct buf bytes = {0};
    char empty[CW_LISTPACK_EMPTY_BYTES];
    cw_listpack_init(empty);
    buf_add(&bytes, empty, sizeof(empty));
    struct cw_packed packed = cw_packed_of_buf(&bytes);
    cw_ziplist_append_to(ziplist, &packed);
    result = put_listpack(value, cw_packed_slice(&packed));
    buf_free(&bytes);
    return result;
}

static const char not_a_number[] = "a score is no number";

/* A length and the text of that length, or a length that stands for an infinity. */
static int take_text_score(struct cw_rdb_cursor *cursor, double *ret_score)
{
    const unsigned char *bytes;
    int result = cw_rdb_take(cursor, 1, &bytes);
    if (result <= 0)
        return result;
    unsigned length = bytes[0];
    if (length >= SCORE_NAN) {
        *ret_score = length == SCORE_INFINITE ? (double)INFINITY : -(double)INFINITY;
        return length == SCORE_NAN ? cw_rdb_refuse(cursor, not_a_number) : 1;
    }
    result = cw_rdb_take(cursor, length, &bytes);
    if (result <= 0)
        return result;
    return number_parse_double(slice_of((const char *)bytes, length), ret_score) < 0
               ? cw_rdb_refuse(cursor, not_a_number)
               : 1;
}

static int take_score(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor, double *ret_score)
{
    if (value->type == RDB_TYPE_ZSET)
        return take_text_score(cursor, ret_score);
    int result = cw_rdb_take_double(cursor, ret_score);
    return result > 0 && isnan(*ret_score) ? cw_rdb_refuse(cursor, not_a_number) : result;
}

static int read_members(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    if (value->phase == 0) {
        int result = cw_rdb_take_whole_length(cursor, &value->left);
        if (result <= 0)
            return result;
        value->phase = 1;
    }
    for (; value->left > 0; value->left--) {
        struct cw_rdb_cursor part = *cursor;
        struct slice member;
        double score;
        int result = cw_rdb_take_string(&part, &value->texts[0], &member);
        if (result > 0)
            result = take_score(value, &part, &score);
        if (cw_rdb_take_part(cursor, &part, result) <= 0)
            return result;
        if (!cw_zset_set(value->keyspace, value->ref, member, score))
            return cw_rdb_value_refuse(value, "a member stands there twice");
    }
    return 1;
}

int cw_zset_rdb_read(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor)
{
    switch (value->type) {
    case RDB_TYPE_ZSET:
    case RDB_TYPE_ZSET_2: return read_members(value, cursor);
    case RDB_TYPE_ZSET_ZIPLIST: return read_ziplist(value, cursor);
    case RDB_TYPE_ZSET_LISTPACK: return read_listpack(value, cursor);
    default: return ERR_UNSUPPORTED;
    }
}
