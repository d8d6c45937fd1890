#include "cacheworker/keyspace/scan.h"

#include "cacheworker/keyspace/lookup.h"
#include "common/base/glob.h"
#include "common/base/number.h"

enum { COUNT_DEFAULT = 10 };

static bool parse_count(struct cw_call *call, size_t index, uint64_t *ret_count)
{
    int64_t count;
    if (!cw_call_integer(call, index, &count))
        return false;
    if (count < 1) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return false;
    }
    *ret_count = (uint64_t)count;
    return true;
}

bool cw_scan_parse_cursor(struct cw_call *call, size_t index, struct cw_scan *ret_scan)
{
    *ret_scan = (struct cw_scan){.count = COUNT_DEFAULT};
    if (number_parse_u64(call->argv[index], &ret_scan->cursor) == 0)
        return true;
    cw_reply_error(call, "ERR invalid cursor");
    return false;
}

bool cw_scan_parse_options(struct cw_call *call, size_t index, bool takes_type, struct cw_scan *scan)
{
    for (size_t i = index; i < call->argc; i += 2) {
        bool has_value = i + 1 < call->argc;
        if (has_value && slice_equal_nocase(call->argv[i], "count")) {
            if (!parse_count(call, i + 1, &scan->count))
                return false;
        } else if (has_value && slice_equal_nocase(call->argv[i], "match")) {
            scan->pattern = call->argv[i + 1];
        } else if (has_value && takes_type && slice_equal_nocase(call->argv[i], "type")) {
            scan->type = call->argv[i + 1];
        } else {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return false;
        }
    }
    return true;
}

bool cw_found_visit(struct cw_found *found, const struct cw_packed_value *member)
{
    char space[NUMBER_TEXT_MAX];
    found->visited++;
    return found->pattern.data == NULL || glob_match(found->pattern, cw_packed_value_text(member, space), false);
}

static uint64_t scan_entry(struct cw_call *call, const struct cw_entry *entry, const struct cw_scan *scan,
                           cw_scan_step step, struct cw_found *found)
{
    uint64_t cursor = scan->cursor, places = 0;
    do {
        cursor = step(call, entry, cursor, found);
        places++;
    } while (cursor != 0 && found->visited < scan->count && places / CW_SCAN_PLACES_PER_COUNT < scan->count);
    return cursor;
}

void cw_scan_value(struct cw_call *call, enum cw_type type, cw_scan_step step)
{
    struct cw_scan scan;
    if (!cw_scan_parse_cursor(call, 2, &scan))
        return;
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!cw_call_is_type(call, entry, type) || (entry && !cw_scan_parse_options(call, 3, false, &scan)))
        return;
    struct cw_found found = {.pattern = scan.pattern};
    uint64_t cursor = entry ? scan_entry(call, entry, &scan, step, &found) : 0;
    resp_write_array(call->reply, 2);
    resp_write_bulk_u64(call->reply, cursor);
    resp_write_array(call->reply, found.count);
    buf_add_slice(call->reply, buf_slice(&found.replies));
    buf_free(&found.replies);
}
