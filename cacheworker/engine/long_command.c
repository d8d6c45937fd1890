#include "cacheworker/engine/long_command.h"

#include "cacheworker/engine/dispatch.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/info/slowlog.h"
#include "cacheworker/keyspace/lookup.h"
#include "common/base/mem.h"

enum {
    STACK_BYTES = 8 << 20,  /* touched only as far as it is used */
    STACK_KEPT = 512 << 10, /* one that was used deeper is given back */
    BYTES_KEPT = 64 << 10,  /* of words and reply */
};

void cw_long_destroy(struct cw_long_command *running)
{
    fiber_free(running->fiber);
    mem_free(running->argv);
    buf_free(&running->words);
    buf_free(&running->reply);
}

struct fiber *cw_long_fiber(struct cw_engine *engine)
{
    struct cw_long_command *running = &engine->long_command;
    if (running->fiber == NULL)
        running->fiber = fiber_create(STACK_BYTES);
    return running->fiber;
}

/* The request's bytes are the session's, and will be gone when the turn ends. */
static void keep_words(struct cw_long_command *running, const struct slice *argv, size_t argc)
{
    if (argc > running->argv_capacity) {
        running->argv = mem_resize(running->argv, argc * sizeof(*argv));
        running->argv_capacity = argc;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < argc; i++)
        bytes += argv[i].length;
    buf_clear(&running->words);
    char *place = buf_reserve(&running->words, bytes);
    for (size_t i = 0; i < argc; i++) {
        running->argv[i] = slice_of(place, argv[i].length);
        if (argv[i].length > 0)
            memcpy(place, argv[i].data, argv[i].length);
        place += argv[i].length;
    }
    running->argc = argc;
}

static void execute(void *context)
{
    struct cw_engine *engine = context;
    struct cw_long_command *running = &engine->long_command;
    cw_dispatch_execute(engine, running->session, running->command, running->argv, running->argc,
                        running->first_key_hash, &running->reply);
}

static void forget(struct cw_long_command *running)
{
    running->is_left = running->is_slow = false;
    running->session = NULL;
    running->end_words = NULL;
    buf_clear(&running->words);
    buf_shrink(&running->words, BYTES_KEPT);
    buf_clear(&running->reply);
    buf_shrink(&running->reply, BYTES_KEPT);
    fiber_trim(running->fiber, STACK_KEPT);
}

/* The reply goes out, if there still is anybody to get it. */
static void answer(struct cw_engine *engine)
{
    struct cw_long_command *running = &engine->long_command;
    struct cw_session *session = running->session;
    if (cw_session_find(engine, session->link) != session)
        return;
    size_t before = buf_length(cw_session_out(engine, session));
    buf_add_slice(&session->out, buf_slice(&running->reply));
    cw_dispatch_answered(engine, session, running->command, before);
}

/* Of a command that was left: what batch.c did not measure. */
static void measure(struct cw_engine *engine)
{
    const struct cw_long_command *running = &engine->long_command;
    engine->statistics.commands[running->command->id].total_ns += (uint64_t)running->took_ns;
    int64_t took_us = running->took_ns / NS_PER_US;
    if (took_us >= engine->settings.slowlog_slower_than_us)
        cw_slowlog_offer(engine, running->session, running->command, running->argv, running->argc, took_us);
}

/* One stretch, from a turn's time to the command's own and back. Returns whether the command is over. */
static bool stretch(struct cw_engine *engine, bool (*run)(struct cw_engine *engine))
{
    int64_t wall_us = engine->wall_us;
    engine->wall_us = engine->long_command.wall_us;
    bool is_over = run(engine);
    engine->wall_us = wall_us;
    engine->executing = NULL;
    return is_over;
}

static bool enter(struct cw_engine *engine)
{
    return fiber_enter(engine->long_command.fiber, execute, engine);
}

static bool resume(struct cw_engine *engine)
{
    struct cw_long_command *running = &engine->long_command;
    int64_t (*stopwatch_ns)(void) = engine->config.stopwatch_ns;
    int64_t began_ns = stopwatch_ns != NULL ? stopwatch_ns() : 0;
    engine->executing = running->session;
    bool is_over = fiber_resume(running->fiber);
    if (stopwatch_ns != NULL)
        running->took_ns += stopwatch_ns() - began_ns;
    return is_over;
}

void cw_long_run(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                 const struct slice *argv, size_t argc, uint64_t first_key_hash)
{
    struct cw_long_command *running = &engine->long_command;
    CHECK(!running->is_left);
    if (cw_long_fiber(engine) == NULL) {
        resp_write_error(cw_session_out(engine, session), slice_text(CW_ERROR_NO_MEMORY));
        cw_session_flush(engine, session);
        return;
    }
    keep_words(running, argv, argc);
    running->session = session;
    running->command = command;
    running->first_key_hash = first_key_hash;
    running->began_ns = engine->now_ns;
    running->wall_us = engine->wall_us;
    running->took_ns = 0;
    if (stretch(engine, enter)) {
        answer(engine);
        forget(running);
        return;
    }
    running->is_left = true;
    session->flags |= CW_SESSION_WAITING;
    list_remove(&session->ready);
    engine->turn_wanted = true;
}

/* It is over, in a later turn than the one in which it began. */
static void finish(struct cw_engine *engine)
{
    struct cw_long_command *running = &engine->long_command;
    struct cw_session *session = running->session;
    measure(engine);
    session->flags &= ~(uint32_t)CW_SESSION_WAITING;
    answer(engine);
    bool is_there = cw_session_find(engine, session->link) == session;
    if (is_there && list_is_empty(&session->ready) && cw_session_has_input(session))
        list_add_last(&engine->ready, &session->ready);
    forget(running);
    engine->turn_wanted = true;
}

void cw_long_go_on(struct cw_engine *engine)
{
    struct cw_long_command *running = &engine->long_command;
    if (LIKELY(!running->is_left))
        return;
    engine->serving = cw_ha_serving(engine->ha, engine->now_ns);
    if (stretch(engine, resume)) {
        finish(engine);
    } else {
        int64_t threshold_ns = engine->settings.busy_reply_threshold_ms * NS_PER_MS;
        bool is_slow = threshold_ns > 0 && engine->now_ns - running->began_ns >= threshold_ns;
        if (is_slow && !running->is_slow)
            effect_log(engine->effects, LOG_LEVEL_WARNING, "slow script: still in execution after %lld ms",
                       (long long)((engine->now_ns - running->began_ns) / NS_PER_MS));
        running->is_slow = is_slow;
        engine->turn_wanted = true;
    }
    cw_engine_look_at_role(engine);
}

void cw_long_ask_to_end(struct cw_engine *engine, const char *words)
{
    engine->long_command.end_words = words;
}

void cw_long_end(struct cw_engine *engine, const char *words)
{
    struct cw_long_command *running = &engine->long_command;
    if (LIKELY(!running->is_left))
        return;
    effect_log(engine->effects, LOG_LEVEL_WARNING, "a script is ended: %s", words);
    cw_long_ask_to_end(engine, words);
    while (!stretch(engine, resume))
        continue;
    finish(engine);
}

const char *cw_long_pause(struct cw_engine *engine)
{
    struct cw_long_command *running = &engine->long_command;
    if (running->end_words != NULL)
        return running->end_words;
    fiber_leave(running->fiber);
    return running->end_words;
}
