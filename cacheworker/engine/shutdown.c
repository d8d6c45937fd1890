#include "cacheworker/engine/shutdown.h"

#include "cacheworker/engine/state.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/repl/repl.h"
#include "cacheworker/script/scripting.h"

#include <inttypes.h>

#define FAILED_WORDS "ERR Errors trying to SHUTDOWN. Check logs."

enum { ABORT = 16 }; /* among the options of the command */

static bool saves(const struct cw_engine *engine)
{
    return engine->config.storage != NULL && !(engine->shutdown.options & CW_SHUTDOWN_NOSAVE) &&
           !cw_engine_is_loading(engine); /* the file holds the data */
}

/* --- clients --- */

static void wait_for_the_end(struct cw_engine *engine, struct cw_session *session)
{
    session->flags |= CW_SESSION_WAITING;
    session->waits_for_shutdown = true;
    session->wait_deadline_ns = NEVER_NS;
    list_remove(&session->ready);
    list_add_last(&engine->waiting, &session->waiting);
}

static void tell_waiting(struct cw_engine *engine)
{
    LIST_FOR_EACH(node, &engine->waiting)
    {
        struct cw_session *session = LIST_ENTRY(node, struct cw_session, waiting);
        if (!session->waits_for_shutdown)
            continue;
        resp_write_error(cw_session_out(engine, session), SLICE_LITERAL(FAILED_WORDS));
        cw_session_resume(engine, session);
    }
}

/* --- the pause of writes --- */

static void pause_writes(struct cw_engine *engine)
{
    struct cw_shutdown *shutdown = &engine->shutdown;
    shutdown->is_paused = true;
    shutdown->paused_before_ns = engine->pause_until_ns;
    shutdown->paused_writes_only_before = engine->pause_writes_only;
    if (engine->pause_until_ns == 0)
        engine->pause_writes_only = true;
    engine->pause_until_ns = NEVER_NS;
}

static void cancel(struct cw_engine *engine)
{
    struct cw_shutdown *shutdown = &engine->shutdown;
    if (shutdown->is_paused) {
        engine->pause_until_ns = shutdown->paused_before_ns;
        engine->pause_writes_only = shutdown->paused_writes_only_before;
    }
    shutdown->is_paused = false;
    shutdown->state = CW_SHUTDOWN_NONE;
    engine->turn_wanted = true;
    tell_waiting(engine);
}

/* --- the end --- */

static void tell_of_replicas(struct cw_engine *engine)
{
    unsigned replicas;
    unsigned lagging = cw_repl_lagging(engine->repl, &replicas);
    if (lagging > 0)
        effect_log(engine->effects, LOG_LEVEL_WARNING, "this server ends before %u replicas have all of the stream",
                   lagging);
    if (replicas > 0)
        effect_log(engine->effects, LOG_LEVEL_NOTICE, "%u of %u replicas have all of the stream at the end",
                   replicas - lagging, replicas);
}

/* With appendonly set a moment ago there is no file yet that has all of the data. Who ends this server by a signal is
 * not heard again, so there dump.rdb must do. */
static bool is_between_files(const struct cw_engine *engine)
{
    const struct cw_shutdown *shutdown = &engine->shutdown;
    return engine->config.standalone && engine->aof.state == CW_AOF_STARTING && !shutdown->is_by_signal &&
           !(shutdown->options & CW_SHUTDOWN_FORCE);
}

/* Whether all is done that has to be before the process ends, or is not done in spite of it. */
static bool puts_all_away(struct cw_engine *engine)
{
    bool may_fail = engine->shutdown.options & CW_SHUTDOWN_FORCE;
    if (is_between_files(engine)) {
        effect_log(engine->effects, LOG_LEVEL_ERROR, "the first base of the append-only file is being written");
        return false;
    }
    cw_background_save_leave(engine);
    if (!saves(engine))
        return true;
    engine->shutdown.is_saved = cw_repl_save(engine->repl) == 0;
    if (engine->shutdown.is_saved)
        return true;
    effect_log(engine->effects, LOG_LEVEL_ERROR, "the data could not be saved");
    return may_fail;
}

static void end_process(struct cw_engine *engine, int status)
{
    engine->shutdown.state = CW_SHUTDOWN_ENDED;
    cw_aof_end(engine);
    if (engine->shutdown.is_saved)
        cw_aof_give_way(engine);
    cw_ha_stop(engine->ha);
    effect_log(engine->effects, LOG_LEVEL_NOTICE, "this server ends, by %s",
               engine->shutdown.is_by_signal ? "a signal" : "order of a client");
    effect_exit(engine->effects, status);
}

/* False: it failed, and whoever waits for it is to be told. */
static bool finish(struct cw_engine *engine)
{
    struct cw_shutdown *shutdown = &engine->shutdown;
    if (saves(engine) && engine->background_save.state == CW_BACKGROUND_CLOSING) {
        shutdown->state = CW_SHUTDOWN_AWAITS_DISK; /* else that would take the place of what is saved now */
        return true;
    }
    tell_of_replicas(engine);
    bool is_done = puts_all_away(engine);
    if (!is_done && !(shutdown->is_by_signal && !engine->config.standalone)) {
        effect_log(engine->effects, LOG_LEVEL_ERROR, "this server does not end: what is in memory would be lost");
        shutdown->has_failed |= shutdown->is_by_signal;
        return false;
    }
    end_process(engine, is_done ? 0 : 1);
    return true;
}

static void finish_or_cancel(struct cw_engine *engine)
{
    cw_long_end(engine, "ERR the server is stopping");
    if (!finish(engine))
        cancel(engine);
}

static bool must_wait(const struct cw_engine *engine)
{
    unsigned replicas;
    return engine->config.standalone && !(engine->shutdown.options & CW_SHUTDOWN_NOW) &&
           engine->settings.shutdown_timeout_s > 0 && !cw_engine_is_loading(engine) && !engine->long_command.is_left &&
           cw_repl_lagging(engine->repl, &replicas) > 0;
}

/* As finish(). */
static bool begin(struct cw_engine *engine, unsigned options, bool is_by_signal)
{
    struct cw_shutdown *shutdown = &engine->shutdown;
    shutdown->options = options;
    shutdown->is_by_signal = is_by_signal;
    if (!must_wait(engine))
        return finish(engine);
    shutdown->state = CW_SHUTDOWN_AWAITS_REPLICAS;
    shutdown->end_ns = engine->now_ns + engine->settings.shutdown_timeout_s * NS_PER_S;
    cw_repl_request_acks(engine->repl);
    pause_writes(engine);
    effect_log(engine->effects, LOG_LEVEL_NOTICE, "waiting for replicas before the end, for %" PRId64 " s at most",
               engine->settings.shutdown_timeout_s);
    return true;
}

/* --- the engine's calls --- */

void cw_shutdown_by_signal(struct cw_engine *engine, bool is_interrupt)
{
    struct cw_shutdown *shutdown = &engine->shutdown;
    const struct cw_settings *settings = &engine->settings;
    unsigned options = (unsigned)(is_interrupt ? settings->shutdown_on_sigint : settings->shutdown_on_sigterm);
    switch (shutdown->state) {
    case CW_SHUTDOWN_NONE:
        cw_long_end(engine, "ERR the server is stopping");
        if (!begin(engine, shutdown->has_failed ? options | CW_SHUTDOWN_FORCE : options, true))
            cancel(engine);
        break;
    case CW_SHUTDOWN_AWAITS_REPLICAS: /* again: now, and in any case */
        shutdown->options |= CW_SHUTDOWN_FORCE;
        shutdown->is_by_signal = true;
        finish_or_cancel(engine);
        break;
    case CW_SHUTDOWN_AWAITS_DISK: shutdown->options |= CW_SHUTDOWN_FORCE; break;
    case CW_SHUTDOWN_ENDED: break;
    }
}

void cw_shutdown_turn(struct cw_engine *engine)
{
    unsigned replicas;
    bool is_late = engine->now_ns >= engine->shutdown.end_ns;
    if (is_late || (!engine->long_command.is_left && cw_repl_lagging(engine->repl, &replicas) == 0))
        finish_or_cancel(engine);
}

void cw_shutdown_answered(struct cw_engine *engine)
{
    if (engine->background_save.state != CW_BACKGROUND_CLOSING)
        finish_or_cancel(engine);
}

int64_t cw_shutdown_deadline(const struct cw_engine *engine)
{
    return engine->shutdown.state == CW_SHUTDOWN_AWAITS_REPLICAS ? engine->shutdown.end_ns : NEVER_NS;
}

/* --- the command --- */

static bool parse(const struct cw_call *call, unsigned *ret_options)
{
    static const char *const words[] = {"save", "nosave", "now", "force", "abort"};
    *ret_options = 0;
    for (size_t i = 1; i < call->argc; i++) {
        size_t word = 0;
        while (word < ARRAY_LENGTH(words) && !slice_equal_nocase(call->argv[i], words[word]))
            word++;
        if (word == ARRAY_LENGTH(words))
            return false;
        *ret_options |= 1U << word;
    }
    bool contradicts = (*ret_options & CW_SHUTDOWN_SAVE) && (*ret_options & CW_SHUTDOWN_NOSAVE);
    return !contradicts && (!(*ret_options & ABORT) || *ret_options == ABORT);
}

static void abort_shutdown(struct cw_call *call)
{
    struct cw_engine *engine = call->engine;
    if (engine->shutdown.state != CW_SHUTDOWN_AWAITS_REPLICAS && engine->shutdown.state != CW_SHUTDOWN_AWAITS_DISK) {
        cw_reply_error(call, "ERR No shutdown in progress.");
        return;
    }
    effect_log(engine->effects, LOG_LEVEL_NOTICE, "this server does not end, by order of a client");
    cancel(engine);
    resp_write_ok(call->reply);
}

void cw_shutdown_command(struct cw_call *call)
{
    struct cw_engine *engine = call->engine;
    unsigned options;
    if (!parse(call, &options)) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return;
    }
    if (options & ABORT) {
        abort_shutdown(call);
        return;
    }
    if ((call->flags & CW_CALL_DENY_BLOCKING) && !(options & CW_SHUTDOWN_NOW)) {
        cw_reply_error(call, "ERR SHUTDOWN without NOW or ABORT isn't allowed for DENY BLOCKING client");
        return;
    }
    bool is_unsaved = (options & CW_SHUTDOWN_NOSAVE) || cw_engine_is_loading(engine);
    if (engine->long_command.is_left && !is_unsaved) {
        cw_reply_error(call, cw_scripting_busy_words(engine->scripting));
        return;
    }
    bool is_under_way = engine->shutdown.state != CW_SHUTDOWN_NONE; /* this one waits, too, whatever it says */
    if (!is_under_way && !begin(engine, options, false))
        cw_reply_error(call, FAILED_WORDS);
    else if (engine->shutdown.state != CW_SHUTDOWN_ENDED)
        wait_for_the_end(engine, call->session);
}
