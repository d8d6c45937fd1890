#include "cacheworker/keyspace/scan.h"

#include "cacheworker/keyspace/lookup.h"
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
