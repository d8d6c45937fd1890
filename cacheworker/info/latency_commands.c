#include "cacheworker/info/latency_commands.h"

#include "cacheworker/engine/state.h"
#include "common/base/number.h"

/* --- LATENCY: events --- */

void cw_latency_latest_command(struct cw_call *call)
{
    const struct cw_latency *latency = &call->engine->latency;
    size_t count = 0;
    for (unsigned event = 0; event < CW_LATENCY_EVENTS; event++)
        count += latency->of[event].count > 0;
    resp_write_array(call->reply, count);
    for (unsigned event = 0; event < CW_LATENCY_EVENTS; event++) {
        const struct cw_latency_series *series = &latency->of[event];
        if (series->count == 0)
            continue;
        const struct cw_latency_sample *last = cw_latency_at(series, series->count - 1);
        resp_write_array(call->reply, 4);
        resp_write_bulk_text(call->reply, cw_latency_event_name((enum cw_latency_event)event));
        resp_write_integer(call->reply, last->wall_s);
        resp_write_integer(call->reply, last->ms);
        resp_write_integer(call->reply, series->longest_ms);
    }
}

void cw_latency_history_command(struct cw_call *call)
{
    enum cw_latency_event event;
    if (!cw_latency_find(&call->engine->latency, call->argv[2], &event)) {
        resp_write_array(call->reply, 0);
        return;
    }
    const struct cw_latency_series *series = &call->engine->latency.of[event];
    resp_write_array(call->reply, series->count);
    for (unsigned i = 0; i < series->count; i++) {
        resp_write_array(call->reply, 2);
        resp_write_integer(call->reply, cw_latency_at(series, i)->wall_s);
        resp_write_integer(call->reply, cw_latency_at(series, i)->ms);
    }
}

void cw_latency_reset_command(struct cw_call *call)
{
    struct cw_latency *latency = &call->engine->latency;
    int64_t count = 0;
    enum cw_latency_event event;
    if (call->argc == 2) {
        for (unsigned i = 0; i < CW_LATENCY_EVENTS; i++)
            count += cw_latency_reset(latency, (enum cw_latency_event)i);
    }
    for (size_t i = 2; i < call->argc; i++)
        count += cw_latency_find(latency, call->argv[i], &event) && cw_latency_reset(latency, event);
    resp_write_integer(call->reply, count);
}

void cw_latency_graph_command(struct cw_call *call)
{
    enum cw_latency_event event;
    if (!cw_latency_find(&call->engine->latency, call->argv[2], &event)) {
        resp_write_error_format(call->reply, "ERR No samples available for event '%.*s'", (int)call->argv[2].length,
                                call->argv[2].data);
        return;
    }
    struct buf text = {0};
    cw_latency_draw(&call->engine->latency, event, call->engine->wall_us / 1000000, &text);
    resp_write_verbatim(call->reply, call->protocol, "txt", buf_slice(&text));
    buf_free(&text);
}

void cw_latency_doctor_command(struct cw_call *call)
{
    struct buf text = {0};
    cw_latency_explain(&call->engine->latency, call->settings->latency_threshold_ms, &text);
    resp_write_verbatim(call->reply, call->protocol, "txt", buf_slice(&text));
    buf_free(&text);
}

/* --- LATENCY HISTOGRAM --- */

/* {calls: n, histogram_usec: {bound: how many took no longer}}, of bounds where that grows. */
static void write_distribution(struct cw_call *call, const struct command *command,
                               const struct cw_histogram *histogram)
{
    resp_write_bulk_text(call->reply, command->full_name);
    resp_write_map(call->reply, call->protocol, 2);
    resp_write_bulk_text(call->reply, "calls");
    resp_write_integer(call->reply, (int64_t)histogram->total);
    resp_write_bulk_text(call->reply, "histogram_usec");
    struct buf pairs = {0};
    size_t count = 0;
    uint64_t before = 0;
    for (unsigned rank = 0; before < histogram->total; rank++) {
        int64_t upper_ns;
        uint64_t seen = cw_histogram_cumulative(histogram, rank, &upper_ns);
        if (seen > before) {
            resp_write_integer(&pairs, upper_ns / NS_PER_US);
            resp_write_integer(&pairs, (int64_t)seen);
            count++;
        }
        before = seen;
    }
    resp_write_map(call->reply, call->protocol, count);
    buf_add_slice(call->reply, buf_slice(&pairs));
    buf_free(&pairs);
}

/* The command, and what it is a container of, as far as they were ever called. How many there are of them. */
static size_t write_distributions(struct cw_call *call, const struct command *command, bool only_count)
{
    const struct cw_command_statistics *statistics = call->engine->statistics.commands;
    size_t count = 0;
    if (statistics[command->id].histogram != NULL) {
        count++;
        if (!only_count)
            write_distribution(call, command, statistics[command->id].histogram);
    }
    for (unsigned i = 0; i < command->subcommand_count; i++)
        count += write_distributions(call, &command->subcommands[i], only_count);
    return count;
}

static size_t write_wanted(struct cw_call *call, bool only_count)
{
    size_t count = 0;
    if (call->argc == 2) {
        for (unsigned i = 0; i < command_rows(); i++)
            count += write_distributions(call, command_at(i), only_count);
    }
    for (size_t i = 2; i < call->argc; i++) {
        const struct command *command = command_by_full_name(call->argv[i]);
        if (command != NULL)
            count += write_distributions(call, command, only_count);
    }
    return count;
}

void cw_latency_histogram_command(struct cw_call *call)
{
    resp_write_map(call->reply, call->protocol, write_wanted(call, true));
    write_wanted(call, false);
}

void cw_latency_help_command(struct cw_call *call)
{
    static const char *const lines[] = {
        "LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DOCTOR",
        "    What took long, and what can be done.",
        "GRAPH <event>",
        "    A picture of an event's history.",
        "HELP",
        "    These lines.",
        "HISTOGRAM [<command> ...]",
        "    How many calls of the commands, or of all, took at most how many microseconds.",
        "HISTORY <event>",
        "    When the event was, and how many milliseconds it took.",
        "LATEST",
        "    Each event: its last date, how long it took then, and at the longest.",
        "RESET [<event> ...]",
        "    Forget these events, or all.",
    };
    cw_reply_lines(call, lines, ARRAY_LENGTH(lines));
}

/* --- SLOWLOG --- */

void cw_slowlog_get_command(struct cw_call *call)
{
    int64_t limit = 10;
    if (call->argc > 3) {
        cw_reply_subcommand_syntax_error(call);
        return;
    }
    if (call->argc == 3 && (number_parse_i64(call->argv[2], &limit) < 0 || limit < -1)) {
        cw_reply_error(call, "ERR count should be greater than or equal to -1");
        return;
    }
    cw_slowlog_write(&call->engine->slowlog, limit < 0 ? SIZE_MAX : (size_t)limit, call->reply);
}

void cw_slowlog_len_command(struct cw_call *call)
{
    resp_write_integer(call->reply, (int64_t)call->engine->slowlog.count);
}

void cw_slowlog_reset_command(struct cw_call *call)
{
    cw_slowlog_reset(&call->engine->slowlog);
    resp_write_ok(call->reply);
}

void cw_slowlog_help_command(struct cw_call *call)
{
    static const char *const lines[] = {
        "SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET [<count>] -- the newest entries, 10 unless told, -1 for all: number, date, microseconds, arguments,",
        "    address and name of the client.",
        "LEN -- how many entries there are.",
        "RESET -- forget them.",
    };
    cw_reply_lines(call, lines, ARRAY_LENGTH(lines));
}
