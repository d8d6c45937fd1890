/* Adding positions and asking for them. Searches are in geo_search.c. */
#include "cacheworker/geo/geo_commands.h"

#include "cacheworker/geo/geo_arguments.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/zset/zset.h"
#include "cacheworker/zset/zset_commands.h"
#include "common/base/mem.h"

/* ---- GEOADD ---- */

/* The words of the ZADD that does it: positions have become scores. Their texts are in `texts`. */
struct addition {
    size_t options; /* words in front of the first position, "GEOADD" and key too */
    size_t elements;
    struct slice *argv;             /* owned */
    char (*texts)[NUMBER_TEXT_MAX]; /* owned */
};

static bool parse_addition(struct cw_call *call, struct addition *addition)
{
    bool is_new = false;
    bool exists = false;
    size_t i = 2;
    for (; i < call->argc; i++) {
        if (slice_equal_nocase(call->argv[i], "nx"))
            is_new = true;
        else if (slice_equal_nocase(call->argv[i], "xx"))
            exists = true;
        else if (!slice_equal_nocase(call->argv[i], "ch"))
            break;
    }
    if ((call->argc - i) % 3 != 0 || i == call->argc || (is_new && exists)) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return false;
    }
    addition->options = i;
    addition->elements = (call->argc - i) / 3;
    return true;
}

static bool write_addition(struct cw_call *call, struct addition *addition)
{
    struct slice *out = addition->argv;
    *out++ = SLICE_LITERAL("ZADD");
    for (size_t i = 1; i < addition->options; i++)
        *out++ = call->argv[i];
    for (size_t i = 0; i < addition->elements; i++) {
        size_t index = addition->options + 3 * i;
        struct cw_geo_point point;
        if (!cw_geo_parse_point(call, index, &point))
            return false;
        *out++ = slice_of(addition->texts[i], number_format_u64(addition->texts[i], cw_geo_encode(point)));
        *out++ = call->argv[index + 2];
    }
    return true;
}

void cw_geoadd_command(struct cw_call *call)
{
    struct addition addition;
    if (!parse_addition(call, &addition))
        return;
    struct cw_call added = *call;
    added.argc = addition.options + 2 * addition.elements;
    added.argv = addition.argv = mem_alloc(added.argc * sizeof(struct slice));
    addition.texts = mem_alloc(addition.elements * sizeof(*addition.texts));
    if (write_addition(call, &addition)) {
        cw_zadd_command(&added);
        call->dirty = added.dirty;
        if (call->dirty > 0)
            cw_call_propagate(call, added.argv, added.argc);
    }
    mem_free(addition.argv);
    mem_free(addition.texts);
}

/* ---- Asking ---- */

static bool find_point(const struct cw_entry *entry, struct slice member, struct cw_geo_point *ret_point)
{
    double score;
    if (!entry || !cw_zset_score(entry, member, &score))
        return false;
    *ret_point = cw_geo_decode(score);
    return true;
}

void cw_geopos_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!cw_call_is_type(call, entry, CW_TYPE_ZSET))
        return;
    resp_write_array(call->reply, call->argc - 2);
    for (size_t i = 2; i < call->argc; i++) {
        struct cw_geo_point point;
        if (find_point(entry, call->argv[i], &point))
            cw_geo_reply_point(call, point);
        else
            resp_write_null_array(call->reply, call->protocol);
    }
}

void cw_geohash_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!cw_call_is_type(call, entry, CW_TYPE_ZSET))
        return;
    resp_write_array(call->reply, call->argc - 2);
    for (size_t i = 2; i < call->argc; i++) {
        struct cw_geo_point point;
        if (!find_point(entry, call->argv[i], &point)) {
            resp_write_null(call->reply, call->protocol);
            continue;
        }
        char text[CW_GEO_HASH_LENGTH];
        cw_geo_hash(point, text);
        resp_write_bulk(call->reply, slice_of(text, sizeof(text)));
    }
}

void cw_geodist_command(struct cw_call *call)
{
    double unit_m = 1;
    if (call->argc > 5) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return;
    }
    if (call->argc == 5 && !cw_geo_parse_unit(call, 4, &unit_m))
        return;
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!cw_call_is_type(call, entry, CW_TYPE_ZSET))
        return;
    struct cw_geo_point a, b;
    if (find_point(entry, call->argv[2], &a) && find_point(entry, call->argv[3], &b))
        cw_geo_reply_distance(call, cw_geo_distance_m(a, b) / unit_m);
    else
        resp_write_null(call->reply, call->protocol);
}
