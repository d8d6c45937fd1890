#include "cacheworker/engine/nested.h"

#include "cacheworker/engine/dispatch.h"
#include "cacheworker/engine/gates.h"
#include "cacheworker/info/timing.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/repl/repl.h"

/* --- units --- */

void cw_unit_begin(struct cw_engine *engine, struct cw_session *session)
{
    struct cw_unit *unit = &engine->unit;
    if (unit->depth++ > 0)
        return;
    unit->is_out_of_memory = cw_memory_refuses(engine, COMMAND_DENYOOM);
    unit->session = session;
    cw_repl_begin_unit(engine->repl);
}

void cw_unit_end(struct cw_engine *engine)
{
    struct cw_unit *unit = &engine->unit;
    CHECK(unit->depth > 0);
    if (--unit->depth > 0)
        return;
    if (cw_repl_end_unit(engine->repl))
        unit->session->stream_offset = cw_repl_offset(engine->repl);
    unit->session = NULL;
}

/* --- commands --- */

/* The end of a transaction's command is the beginning of the next one's; a script computes in between. */
static void measure(struct cw_nested *nested, const struct cw_call *call, int64_t began_ns)
{
    int64_t ended_ns = nested->engine->config.stopwatch_ns();
    cw_timing_note(nested->engine, call->session, call->command, call->argv, call->argc, ended_ns - began_ns);
    nested->ended_ns = nested->flags & CW_CALL_FROM_SCRIPT ? 0 : ended_ns;
}

bool cw_nested_run(struct cw_nested *nested, const struct command *command, const struct slice *argv, size_t argc,
                   uint64_t first_key_hash)
{
    struct cw_engine *engine = nested->engine;
    struct cw_session *session = nested->session;
    uint32_t database = session->database;
    int protocol = session->protocol;
    session->database = nested->database;
    session->protocol = nested->protocol;
    struct cw_call call = {
        .engine = engine,
        .session = session,
        .settings = &engine->settings,
        .keyspace = engine->keyspace,
        .database = nested->database,
        .command = command,
        .argv = argv,
        .argc = argc,
        .first_key_hash = first_key_hash,
        .reply = nested->reply,
        .protocol = nested->protocol,
        .flags = nested->flags,
        .now_ms = engine->wall_us / 1000,
    };
    int64_t (*stopwatch_ns)(void) = engine->config.stopwatch_ns;
    int64_t began_ns = stopwatch_ns != NULL && nested->ended_ns == 0 ? stopwatch_ns() : nested->ended_ns;
    bool failed = cw_dispatch_call(&call);
    if (stopwatch_ns != NULL)
        measure(nested, &call, began_ns);
    nested->database = session->database;
    nested->protocol = session->protocol;
    session->database = database;
    session->protocol = protocol;
    return failed;
}

bool cw_nested_execute(struct cw_nested *nested, const struct slice *argv, size_t argc)
{
    const struct command *command = command_resolve(argv, argc);
    if (!cw_gates_let_script_pass(nested, command, argv, argc))
        return true;
    nested->has_written |= (command->flags & COMMAND_WRITE) != 0;
    bool has_key = command->first_key > 0 && (size_t)command->first_key < argc;
    uint64_t hash = has_key ? cw_keyspace_hash(nested->engine->keyspace, argv[command->first_key]) : 0;
    return cw_nested_run(nested, command, argv, argc, hash);
}
