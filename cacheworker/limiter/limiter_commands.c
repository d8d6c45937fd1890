#include "cacheworker/limiter/limiter_commands.h"

#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/limiter/gcra.h"
#include "cacheworker/limiter/window.h"
#include "common/base/errors.h"
#include "common/base/number.h"

enum { WINDOW_NUMBERS = 4, WINDOW_TEXT_MAX = WINDOW_NUMBERS * (NUMBER_TEXT_MAX + 1) };

#define NS_PER_MILLISECOND INT64_C(1000000)

static bool has_arguments(struct cw_call *call, size_t most)
{
    if (call->argc <= most)
        return true;
    resp_write_error_format(call->reply, "ERR wrong number of arguments for '%s' command", call->command->full_name);
    return false;
}

/* The new state, which nobody needs from that date on. */
static void keep(struct cw_call *call, struct cw_ref *ref, struct slice state, int64_t expire_ms)
{
    char text[NUMBER_TEXT_MAX];
    cw_keyspace_put_expiring(call->keyspace, ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, state, expire_ms);
    cw_call_notify(call, CW_NOTIFY_STRING, "set", ref->key);
    cw_call_notify(call, CW_NOTIFY_GENERIC, "expire", ref->key);
    call->dirty++;
    const struct slice argv[] = {SLICE_LITERAL("SET"), ref->key, state, SLICE_LITERAL("PXAT"),
                                 slice_of(text, number_format_i64(text, expire_ms))};
    cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
}

static int64_t rounded_up(int64_t number, int64_t unit)
{
    return number / unit + (number % unit > 0);
}

/* ---- CL.THROTTLE: the key holds the theoretical arrival time in ns ---- */

static void reply_too_big(struct cw_call *call)
{
    cw_reply_error(call, "ERR the limit is too large");
}

static bool parse_gcra(struct cw_call *call, struct cw_gcra *gcra, int64_t *ret_quantity)
{
    int64_t burst, count, period_s;
    *ret_quantity = 1;
    if (!has_arguments(call, 6) || !cw_call_integer(call, 2, &burst) || !cw_call_integer(call, 3, &count) ||
        !cw_call_integer(call, 4, &period_s) || (call->argc == 6 && !cw_call_integer(call, 5, ret_quantity)))
        return false;
    int result = *ret_quantity < 0 ? ERR_INVALID : cw_gcra_create(burst, count, period_s, gcra);
    if (result == ERR_TOO_BIG)
        reply_too_big(call);
    else if (result < 0)
        cw_reply_error(call, count == 0 || period_s == 0 ? "ERR Zero rates are not supported"
                                                         : "ERR value is out of range, must be positive");
    return result == 0;
}

static void reply_gcra(struct cw_call *call, const struct cw_gcra *gcra, const struct cw_gcra_verdict *verdict)
{
    const int64_t second_ns = 1000 * NS_PER_MILLISECOND;
    resp_write_array(call->reply, 5);
    resp_write_integer(call->reply, verdict->is_limited);
    resp_write_integer(call->reply, gcra->tolerance_ns / gcra->interval_ns);
    resp_write_integer(call->reply, verdict->remaining);
    resp_write_integer(call->reply, verdict->retry_after_ns < 0 ? -1 : rounded_up(verdict->retry_after_ns, second_ns));
    resp_write_integer(call->reply, rounded_up(verdict->reset_after_ns, second_ns));
}

void cw_cl_throttle_command(struct cw_call *call)
{
    struct cw_gcra gcra;
    struct cw_gcra_verdict verdict;
    struct cw_ref ref;
    int64_t quantity;
    if (!parse_gcra(call, &gcra, &quantity) || !cw_call_is_type(call, cw_call_open(call, 1, &ref), CW_TYPE_STRING))
        return;
    int64_t now_ns = cw_call_now_us(call) * 1000;
    int64_t arrival_ns = now_ns;
    if (ref.entry && number_parse_i64(cw_entry_value(ref.entry), &arrival_ns) < 0) {
        cw_reply_error(call, CW_ERROR_NOT_INTEGER);
        return;
    }
    if (cw_gcra_judge(&gcra, arrival_ns, now_ns, quantity, &verdict) < 0) {
        reply_too_big(call);
        return;
    }
    reply_gcra(call, &gcra, &verdict);
    if (verdict.is_limited || quantity == 0)
        return;
    char text[NUMBER_TEXT_MAX];
    struct slice state = slice_of(text, number_format_i64(text, verdict.arrival_ns));
    keep(call, &ref, state, rounded_up(verdict.arrival_ns, NS_PER_MILLISECOND));
}

/* ---- RATELIMIT.WINDOW: the key holds "length index count previous" ---- */

/* False: it is no such thing. */
static bool parse_window(struct slice text, struct cw_window *window)
{
    int64_t *const fields[WINDOW_NUMBERS] = {&window->length_ms, &window->index, &window->count, &window->previous};
    for (size_t i = 0; i < WINDOW_NUMBERS; i++) {
        const char *end = text.length > 0 ? memchr(text.data, ' ', text.length) : NULL;
        size_t length = end ? (size_t)(end - text.data) : text.length;
        if (number_parse_i64(slice_of(text.data, length), fields[i]) < 0 || *fields[i] < 0 ||
            (end != NULL) != (i + 1 < WINDOW_NUMBERS))
            return false;
        text = slice_skip(text, end ? length + 1 : length);
    }
    return window->length_ms > 0 && window->length_ms <= CW_WINDOW_MAX && window->count <= CW_WINDOW_MAX &&
           window->previous <= CW_WINDOW_MAX && window->index <= INT64_MAX / window->length_ms - 2;
}

static struct slice format_window(const struct cw_window *window, char text[WINDOW_TEXT_MAX])
{
    const int64_t fields[WINDOW_NUMBERS] = {window->length_ms, window->index, window->count, window->previous};
    size_t length = 0;
    for (size_t i = 0; i < WINDOW_NUMBERS; i++) {
        length += number_format_i64(text + length, fields[i]);
        text[length++] = ' ';
    }
    return slice_of(text, length - 1);
}

static bool parse_bounded(struct cw_call *call, size_t index, int64_t least, int64_t *ret_number)
{
    if (!cw_call_integer(call, index, ret_number))
        return false;
    if (*ret_number >= least && *ret_number <= CW_WINDOW_MAX)
        return true;
    cw_reply_error(call, "ERR value is out of range");
    return false;
}

void cw_ratelimit_window_command(struct cw_call *call)
{
    int64_t limit, length_ms, cost = 1;
    struct cw_ref ref;
    if (!has_arguments(call, 5) || !parse_bounded(call, 2, 0, &limit) || !parse_bounded(call, 3, 1, &length_ms) ||
        (call->argc == 5 && !parse_bounded(call, 4, 0, &cost)))
        return;
    if (!cw_call_is_type(call, cw_call_open(call, 1, &ref), CW_TYPE_STRING))
        return;
    struct cw_window window = {.length_ms = length_ms};
    if (ref.entry && !parse_window(cw_entry_value(ref.entry), &window)) {
        cw_reply_error(call, "ERR value is not a window");
        return;
    }
    if (window.length_ms != length_ms)
        window = (struct cw_window){.length_ms = length_ms}; /* of another length nothing can be said */
    cw_window_move(&window, call->now_ms);
    struct cw_window_verdict verdict = cw_window_take(&window, limit, cost, call->now_ms);
    resp_write_array(call->reply, 5);
    resp_write_integer(call->reply, verdict.is_limited);
    resp_write_integer(call->reply, limit);
    resp_write_integer(call->reply, verdict.remaining);
    resp_write_integer(call->reply, verdict.retry_after_ms);
    resp_write_integer(call->reply, verdict.reset_after_ms);
    if (verdict.is_limited || cost == 0)
        return;
    char text[WINDOW_TEXT_MAX];
    keep(call, &ref, format_window(&window, text), (window.index + 2) * length_ms);
}
