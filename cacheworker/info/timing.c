#include "cacheworker/info/timing.h"

#include "common/base/mem.h"

static void watch(struct cw_engine *engine, enum cw_latency_event event, int64_t took_ns)
{
    int64_t threshold_ms = engine->settings.latency_threshold_ms;
    if (threshold_ms > 0 && took_ns / NS_PER_MS >= threshold_ms)
        cw_latency_add(&engine->latency, event, engine->wall_us / 1000000, took_ns / NS_PER_MS);
}

void cw_timing_note_slow(struct cw_engine *engine, const struct cw_session *session, const struct command *command,
                         const struct slice *argv, size_t argc, int64_t took_ns)
{
    cw_slowlog_offer(engine, session, command, argv, argc, took_ns / NS_PER_US);
    watch(engine, command->flags & COMMAND_FAST ? CW_LATENCY_FAST_COMMAND : CW_LATENCY_COMMAND, took_ns);
}

void cw_timing_begin_histogram(struct cw_command_statistics *statistics)
{
    statistics->histogram = mem_zero(sizeof(*statistics->histogram));
}

int64_t cw_timing_begin(const struct cw_engine *engine)
{
    return engine->config.stopwatch_ns != NULL ? engine->config.stopwatch_ns() : 0;
}

int64_t cw_timing_end(struct cw_engine *engine, enum cw_latency_event event, int64_t began_ns)
{
    if (engine->config.stopwatch_ns == NULL)
        return 0;
    int64_t took_ns = engine->config.stopwatch_ns() - began_ns;
    watch(engine, event, took_ns);
    return took_ns;
}
