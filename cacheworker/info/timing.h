/* timing.h: what becomes of the time that a command took: sums, histograms (latency-tracking), the slow log, the
 * latency monitor. The clock is read once per command, whatever of these are on: the end of one is the beginning of the
 * next. */
#ifndef CACHEWORKER_INFO_TIMING_H
#define CACHEWORKER_INFO_TIMING_H

#include "cacheworker/engine/state.h"

/* Of what took engine->settings.slow_ns or more. */
void cw_timing_note_slow(struct cw_engine *engine, const struct cw_session *session, const struct command *command,
                         const struct slice *argv, size_t argc, int64_t took_ns);

/* Makes a command's histogram: it has one from its first call on. */
void cw_timing_begin_histogram(struct cw_command_statistics *statistics);

/* A command that was executed, not refused. */
static inline void cw_timing_note(struct cw_engine *engine, const struct cw_session *session,
                                  const struct command *command, const struct slice *argv, size_t argc, int64_t took_ns)
{
    struct cw_command_statistics *statistics = &engine->statistics.commands[command->id];
    statistics->total_ns += (uint64_t)took_ns;
    if (LIKELY(engine->settings.latency_tracking)) {
        if (UNLIKELY(statistics->histogram == NULL))
            cw_timing_begin_histogram(statistics);
        cw_histogram_add(statistics->histogram, took_ns);
    }
    if (UNLIKELY(took_ns >= engine->settings.slow_ns))
        cw_timing_note_slow(engine, session, command, argv, argc, took_ns);
}

/* Around what the worker does of itself; says how long that took, 0 where there is no stopwatch. */
int64_t cw_timing_begin(const struct cw_engine *engine);
int64_t cw_timing_end(struct cw_engine *engine, enum cw_latency_event event, int64_t began_ns);

#endif
