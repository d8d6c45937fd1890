#include "cacheworker/info/latency.h"

#include "common/base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { GRAPH_COLUMNS = 80, GRAPH_ROWS = 4, LABEL_MAX = 16 };

static const char *const event_names[CW_LATENCY_EVENTS] = {
    [CW_LATENCY_COMMAND] = "command",
    [CW_LATENCY_FAST_COMMAND] = "fast-command",
    [CW_LATENCY_EXPIRE_CYCLE] = "expire-cycle",
    [CW_LATENCY_EVICTION_CYCLE] = "eviction-cycle",
};

static const char *const advice[CW_LATENCY_EVENTS] = {
    [CW_LATENCY_COMMAND] = "SLOWLOG GET tells which commands these were; such as look at many elements take long.",
    [CW_LATENCY_FAST_COMMAND] = "These look at little data. So the machine has other work, or swaps, or a value is "
                                "very long.",
    [CW_LATENCY_EXPIRE_CYCLE] = "Many keys, or very big ones, end at the same time. Spread their ends.",
    [CW_LATENCY_EVICTION_CYCLE] = "Much has to go at once to stay below maxmemory. Leave it more room, or lower "
                                  "maxmemory-eviction-tenacity.",
};

const char *cw_latency_event_name(enum cw_latency_event event)
{
    return event_names[event];
}

bool cw_latency_find(const struct cw_latency *latency, struct slice name, enum cw_latency_event *ret_event)
{
    for (unsigned event = 0; event < CW_LATENCY_EVENTS; event++) {
        if (slice_equal_nocase(name, event_names[event]) && latency->of[event].count > 0) {
            *ret_event = (enum cw_latency_event)event;
            return true;
        }
    }
    return false;
}

const struct cw_latency_sample *cw_latency_at(const struct cw_latency_series *series, unsigned index)
{
    unsigned oldest = series->next + CW_LATENCY_SAMPLES - series->count;
    return &series->samples[(oldest + index) % CW_LATENCY_SAMPLES];
}

void cw_latency_add(struct cw_latency *latency, enum cw_latency_event event, int64_t wall_s, int64_t ms)
{
    struct cw_latency_series *series = &latency->of[event];
    struct cw_latency_sample *last = &series->samples[(series->next + CW_LATENCY_SAMPLES - 1) % CW_LATENCY_SAMPLES];
    if (ms > series->longest_ms)
        series->longest_ms = ms;
    if (series->count > 0 && last->wall_s == wall_s) {
        if (ms > last->ms)
            last->ms = ms;
        return;
    }
    series->samples[series->next] = (struct cw_latency_sample){wall_s, ms};
    series->next = (series->next + 1) % CW_LATENCY_SAMPLES;
    if (series->count < CW_LATENCY_SAMPLES)
        series->count++;
}

bool cw_latency_reset(struct cw_latency *latency, enum cw_latency_event event)
{
    bool was = latency->of[event].count > 0;
    latency->of[event] = (struct cw_latency_series){0};
    return was;
}

/* --- the graph --- */

struct column {
    unsigned height; /* in thirds of a line of text, from 0 */
    char label[LABEL_MAX];
};

static void write_age(int64_t age_s, char label[LABEL_MAX])
{
    if (age_s < 0)
        age_s = 0; /* the date was set back */
    if (age_s < 60)
        snprintf(label, LABEL_MAX, "%" PRId64 "s", age_s);
    else if (age_s < 3600)
        snprintf(label, LABEL_MAX, "%" PRId64 "m", age_s / 60);
    else if (age_s < 86400)
        snprintf(label, LABEL_MAX, "%" PRId64 "h", age_s / 3600);
    else
        snprintf(label, LABEL_MAX, "%" PRId64 "d", age_s / 86400 % 100000000);
}

static char cell(unsigned height, unsigned row_from_below)
{
    unsigned below = 3 * row_from_below;
    if (height < below)
        return ' ';
    static const char levels[] = "_o#";
    return levels[height - below < 2 ? height - below : 2];
}

static void write_line(struct buf *out, const char *line, size_t length)
{
    while (length > 0 && line[length - 1] == ' ')
        length--;
    buf_add(out, line, length);
    buf_add_text(out, "\n");
}

static void draw_columns(const struct column *columns, size_t count, struct buf *out)
{
    char line[GRAPH_COLUMNS];
    size_t longest = 0;
    for (unsigned row = GRAPH_ROWS; row-- > 0;) {
        for (size_t i = 0; i < count; i++)
            line[i] = cell(columns[i].height, row);
        write_line(out, line, count);
    }
    buf_add_text(out, "\n");
    for (size_t i = 0; i < count; i++) {
        if (strlen(columns[i].label) > longest)
            longest = strlen(columns[i].label);
    }
    for (size_t row = 0; row < longest; row++) { /* labels are read downwards */
        for (size_t i = 0; i < count; i++)
            line[i] = row < strlen(columns[i].label) ? columns[i].label[row] : ' ';
        write_line(out, line, count);
    }
}

static void find_range(const struct cw_latency_series *series, int64_t *ret_low, int64_t *ret_high)
{
    *ret_low = *ret_high = cw_latency_at(series, 0)->ms;
    for (unsigned i = 1; i < series->count; i++) {
        int64_t ms = cw_latency_at(series, i)->ms;
        if (ms < *ret_low)
            *ret_low = ms;
        if (ms > *ret_high)
            *ret_high = ms;
    }
}

void cw_latency_draw(const struct cw_latency *latency, enum cw_latency_event event, int64_t wall_s, struct buf *out)
{
    const struct cw_latency_series *series = &latency->of[event];
    int64_t low, high;
    find_range(series, &low, &high);
    buf_add_format(out, "%s - high %" PRId64 " ms, low %" PRId64 " ms (all time high %" PRId64 " ms)\n",
                   event_names[event], high, low, series->longest_ms);
    for (unsigned i = 0; i < GRAPH_COLUMNS; i++)
        buf_add_text(out, "-");
    buf_add_text(out, "\n");
    struct column columns[GRAPH_COLUMNS];
    const unsigned steps = 3 * GRAPH_ROWS - 1;
    for (unsigned drawn = 0; drawn < series->count; drawn += GRAPH_COLUMNS) {
        unsigned count = series->count - drawn < GRAPH_COLUMNS ? series->count - drawn : GRAPH_COLUMNS;
        for (unsigned i = 0; i < count; i++) {
            const struct cw_latency_sample *sample = cw_latency_at(series, drawn + i);
            columns[i].height = high > low ? (unsigned)((sample->ms - low) * steps / (high - low)) : steps;
            write_age(wall_s - sample->wall_s, columns[i].label);
        }
        draw_columns(columns, count, out);
    }
}

/* --- the doctor --- */

static void explain(const struct cw_latency_series *series, enum cw_latency_event event, unsigned number,
                    struct buf *out)
{
    int64_t sum_ms = 0, deviation_ms = 0;
    for (unsigned i = 0; i < series->count; i++)
        sum_ms += cw_latency_at(series, i)->ms;
    int64_t mean_ms = sum_ms / series->count;
    for (unsigned i = 0; i < series->count; i++) {
        int64_t ms = cw_latency_at(series, i)->ms;
        deviation_ms += ms > mean_ms ? ms - mean_ms : mean_ms - ms;
    }
    buf_add_format(out,
                   "%u. %s: in %u seconds (mean %" PRId64 " ms, mean deviation %" PRId64 " ms); the longest ever took "
                   "%" PRId64 " ms. %s\n",
                   number, event_names[event], series->count, mean_ms, deviation_ms / series->count, series->longest_ms,
                   advice[event]);
}

void cw_latency_explain(const struct cw_latency *latency, int64_t threshold_ms, struct buf *out)
{
    unsigned found = 0;
    for (unsigned event = 0; event < CW_LATENCY_EVENTS; event++) {
        if (latency->of[event].count > 0)
            explain(&latency->of[event], (enum cw_latency_event)event, ++found, out);
    }
    if (found > 0)
        return;
    if (threshold_ms == 0)
        buf_add_text(out, "Nobody watches: CONFIG SET latency-monitor-threshold <milliseconds> has it done.\n");
    else
        buf_add_format(out, "Nothing took %" PRId64 " ms or more.\n", threshold_ms);
}
