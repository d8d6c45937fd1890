#include "cacheworker/info/statistics.h"

#include "common/base/door.h"
#include "common/base/mem.h"
#include "common/command/command.h"

#include <string.h>

enum { SAMPLE_INTERVAL_MS = 100, RATE_FORGOTTEN_AFTER_MS = SAMPLE_INTERVAL_MS * CW_RATE_SAMPLES };

void cw_statistics_create(struct cw_statistics *statistics)
{
    *statistics = (struct cw_statistics){0};
    statistics->commands = mem_zero(COMMAND_ID_COUNT * sizeof(struct cw_command_statistics));
}

static void free_histograms(struct cw_command_statistics *commands)
{
    for (unsigned id = 0; id < COMMAND_ID_COUNT; id++) {
        mem_free(commands[id].histogram);
        commands[id].histogram = NULL;
    }
}

void cw_statistics_destroy(struct cw_statistics *statistics)
{
    if (statistics->commands != NULL)
        free_histograms(statistics->commands);
    mem_free(statistics->commands);
    statistics->commands = NULL;
}

void cw_statistics_reset(struct cw_statistics *statistics)
{
    struct cw_command_statistics *commands = statistics->commands;
    uint64_t changes = statistics->changes;
    free_histograms(commands);
    memset(commands, 0, COMMAND_ID_COUNT * sizeof(*commands));
    *statistics = (struct cw_statistics){.commands = commands, .changes = changes};
}

void cw_statistics_count_error(struct cw_statistics *statistics, struct slice code)
{
    statistics->total_errors++;
    if (code.length >= CW_ERROR_CODE_MAX)
        code.length = CW_ERROR_CODE_MAX - 1;
    for (unsigned i = 0; i < statistics->error_kinds; i++) {
        if (slice_equal(slice_text(statistics->errors[i].code), code)) {
            statistics->errors[i].count++;
            return;
        }
    }
    if (statistics->error_kinds == CW_ERROR_KINDS_MAX)
        return; /* scripts can invent codes; the total has it */
    struct cw_error_statistics *error = &statistics->errors[statistics->error_kinds++];
    memcpy(error->code, code.data, code.length);
    error->code[code.length] = '\0';
    error->count = 1;
}

static void sample(struct cw_rate *rate, uint64_t value, int64_t now_ns)
{
    int64_t passed_ms = (now_ns - rate->last_ns) / NS_PER_MS;
    if (rate->last_ns > 0 && value >= rate->last_value) {
        rate->per_second[rate->next] = (value - rate->last_value) * 1000 / (uint64_t)passed_ms;
        rate->next = (rate->next + 1) % CW_RATE_SAMPLES;
    }
    rate->last_value = value;
    rate->last_ns = now_ns;
}

void cw_statistics_sample(struct cw_statistics *statistics, int64_t now_ns)
{
    if (now_ns - statistics->commands_rate.last_ns < SAMPLE_INTERVAL_MS * NS_PER_MS)
        return;
    sample(&statistics->commands_rate, statistics->total_commands, now_ns);
    sample(&statistics->input_rate, statistics->input_bytes, now_ns);
    sample(&statistics->output_rate, statistics->output_bytes, now_ns);
    sample(&statistics->replication_input_rate, statistics->replication_input_bytes, now_ns);
    sample(&statistics->replication_output_rate, statistics->replication_output_bytes, now_ns);
    sample(&statistics->turns_rate, statistics->turns, now_ns);
    sample(&statistics->turns_ns_rate, statistics->turns_ns, now_ns);
}

uint64_t cw_rate_per_second(const struct cw_rate *rate, int64_t now_ns)
{
    if (now_ns - rate->last_ns > RATE_FORGOTTEN_AFTER_MS * NS_PER_MS)
        return 0; /* there was no traffic, so there were no samples */
    uint64_t sum = 0;
    for (unsigned i = 0; i < CW_RATE_SAMPLES; i++)
        sum += rate->per_second[i];
    return sum / CW_RATE_SAMPLES;
}
