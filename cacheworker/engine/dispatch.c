#include "cacheworker/engine/dispatch.h"

#include "cacheworker/block/block.h"
#include "cacheworker/engine/aside.h"
#include "cacheworker/engine/bind.h"
#include "cacheworker/engine/gates.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/info/monitor.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/repl/repl.h"
#include "cacheworker/tracking/tracking.h"
#include "cacheworker/txn/transaction_commands.h"

enum { PUSHES_KEPT = 64 << 10 }; /* bytes of memory that stay for the next pushes */

/* --- the role --- */

void cw_engine_look_at_role(struct cw_engine *engine)
{
    engine->serving = cw_ha_serving(engine->ha, engine->now_ns);
    engine->lacks_replicas = cw_repl_lacks_replicas(engine->repl);
    bool deletes = engine->serving == CW_SERVING_MASTER && engine->pause_until_ns == 0; /* a DEL is a write, too */
    enum cw_expiry_mode mode = deletes ? CW_EXPIRY_DELETES : CW_EXPIRY_HIDES;
    if (UNLIKELY(engine->long_command.is_left) && engine->serving != CW_SERVING_HOLD)
        engine->serving = engine->long_command.is_slow ? CW_SERVING_BUSY : CW_SERVING_HOLD;
    if (mode != cw_keyspace_expiry_mode(engine->keyspace))
        cw_keyspace_set_expiry_mode(engine->keyspace, mode);
}

void cw_engine_look_at_gates(struct cw_engine *engine)
{
    bool may_hold = cw_ha_may_hold(engine->ha) || cw_aof_may_hold(engine);
    if (LIKELY(may_hold == cw_pending_writes_are_noted(&engine->pending_writes)))
        return;
    if (may_hold)
        cw_pending_writes_begin(&engine->pending_writes, engine->keyspace, cw_repl_offset(engine->repl),
                                engine->long_command.is_left);
    else
        cw_pending_writes_end(&engine->pending_writes);
}

void cw_engine_stop_writing(struct cw_engine *engine)
{
    cw_engine_look_at_role(engine);
    cw_block_end_all(engine, CW_ERROR_ROLE_CHANGED);
}

/* --- execution --- */

void cw_dispatch_count_error(struct cw_engine *engine, struct slice reply)
{
    if (engine->error_is_counted) {
        engine->error_is_counted = false;
        return;
    }
    size_t length = 1;
    while (length < reply.length && reply.data[length] != ' ' && reply.data[length] != '\r')
        length++;
    cw_statistics_count_error(&engine->statistics, slice_of(reply.data + 1, length - 1));
}

/* CLIENT REPLY: takes back what the client does not want to hear. */
static void hush(struct cw_session *session, size_t before)
{
    if ((session->flags & (CW_SESSION_REPLY_OFF | CW_SESSION_REPLY_SKIP)) && !(session->flags & CW_SESSION_PUSHED))
        session->out.end = session->out.start + before;
    session->flags &= ~(uint32_t)(CW_SESSION_REPLY_SKIP | CW_SESSION_PUSHED);
    if (session->flags & CW_SESSION_REPLY_SKIP_NEXT)
        session->flags = (session->flags & ~(uint32_t)CW_SESSION_REPLY_SKIP_NEXT) | CW_SESSION_REPLY_SKIP;
}

/* What the session was to hear of its own command follows the reply. */
static void deliver_pushes(struct cw_engine *engine, struct cw_session *session)
{
    buf_add_slice(cw_session_out(engine, session), buf_slice(&engine->pushes));
    buf_clear(&engine->pushes);
    buf_shrink(&engine->pushes, PUSHES_KEPT);
}

/* Whatever stands behind `before` is the reply to one command. Returns whether that is an error. */
static bool after_reply(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                        size_t before)
{
    const struct buf *out = &session->out;
    const char *reply = out->memory + out->start + before;
    bool is_error = buf_length(out) > before && *reply == '-';
    if (UNLIKELY(is_error))
        cw_dispatch_count_error(engine, slice_of(reply, buf_length(out) - before));
    const uint32_t hushed = CW_SESSION_REPLY_OFF | CW_SESSION_REPLY_SKIP | CW_SESSION_REPLY_SKIP_NEXT;
    if (UNLIKELY(session->flags & hushed))
        hush(session, before);
    if (UNLIKELY(session->flags & CW_SESSION_TRACKING))
        cw_tracking_end_request(session, command);
    if (UNLIKELY(buf_length(&engine->pushes) > 0) && engine->executing == NULL)
        deliver_pushes(engine, session);
    cw_session_check_output(engine, session);
    if (buf_length(out) > 0)
        cw_session_flush(engine, session);
    return is_error;
}

static inline void propagate(struct cw_engine *engine, const struct cw_call *call)
{
    if (!call->propagation_replaced && cw_repl_is_feeding(engine->repl))
        cw_repl_append(engine->repl, call->database, call->argv, call->argc);
    engine->statistics.changes += call->dirty;
    if (call->session != NULL)
        call->session->stream_offset = cw_repl_offset(engine->repl);
}

/* CLIENT NO-TOUCH: what a client does so counts as no use of a key, unless that is all it wants (TOUCH). */
static inline void execute(const struct cw_session *session, struct cw_call *call)
{
    bool overlooks = (session->flags & CW_SESSION_NO_TOUCH) && call->command->id != COMMAND_ID_TOUCH;
    if (UNLIKELY(overlooks))
        cw_keyspace_overlook_uses(call->keyspace, true);
    cw_functions[call->command->id](call);
    if (UNLIKELY(overlooks))
        cw_keyspace_overlook_uses(call->keyspace, false);
}

/* Counts, executes and propagates. */
static inline void carry_out(struct cw_engine *engine, struct cw_call *call)
{
    cw_monitor_before(engine, call);
    execute(call->session, call);
    cw_monitor_after(engine, call);
    if (call->dirty > 0)
        propagate(engine, call);
    cw_changes_end_command(&engine->changes, call->session, call->dirty > 0, call->news);
    if (UNLIKELY(call->is_blocked))
        return;                          /* it is counted when it ends */
    engine->statistics.total_commands++; /* CONFIG RESETSTAT counts itself */
    engine->statistics.commands[call->command->id].calls++;
    if (UNLIKELY(call->session->flags & CW_SESSION_TRACKING))
        cw_tracking_remember(engine->tracking, call);
}

bool cw_dispatch_execute(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                         const struct slice *argv, size_t argc, uint64_t first_key_hash, struct buf *reply)
{
    struct cw_call call = {
        .engine = engine,
        .session = session,
        .settings = &engine->settings,
        .keyspace = engine->keyspace,
        .database = session->database,
        .command = command,
        .argv = argv,
        .argc = argc,
        .first_key_hash = first_key_hash,
        .reply = reply,
        .protocol = session->protocol,
        .flags = session->blocked != NULL ? CW_CALL_AGAIN : 0,
        .now_ms = engine->wall_us / 1000,
    };
    session->commands++;
    session->last_command = command;
    engine->executing = session;
    carry_out(engine, &call);
    engine->executing = NULL;
    return LIKELY(!call.is_blocked);
}

void cw_dispatch_answered(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                          size_t before)
{
    if (UNLIKELY(after_reply(engine, session, command, before)))
        engine->statistics.commands[command->id].failed++;
}

bool cw_dispatch_call(struct cw_call *call)
{
    struct cw_engine *engine = call->engine;
    size_t before = buf_length(call->reply);
    carry_out(engine, call);
    struct slice reply = slice_skip(buf_slice(call->reply), before);
    if (reply.length == 0 || reply.data[0] != '-')
        return false;
    cw_dispatch_count_error(engine, reply);
    engine->statistics.commands[call->command->id].failed++;
    return true;
}

/* Who may not do everything may follow a server by itself only if its rules say so. In a group, a secret does. */
static bool following_is_refused(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                                 const struct slice *argv, size_t argc)
{
    const uint32_t restricted = CW_SESSION_AUTHENTICATED | CW_SESSION_RESTRICTED;
    return engine->config.standalone && (session->flags & restricted) == restricted &&
           !(command->flags & COMMAND_IS_RESPITE) &&
           cw_access_refuses(engine, session, CW_ACCESS_OWN, command, argv, argc, cw_session_out(engine, session));
}

bool cw_dispatch_refuses_sync(struct cw_engine *engine, struct cw_session *session, const struct slice *argv,
                              size_t argc)
{
    const struct command *command = command_resolve(argv, argc);
    bool begins_sync = command != NULL && (command->id == COMMAND_ID_PSYNC || command->id == COMMAND_ID_SYNC);
    if (!begins_sync || !following_is_refused(engine, session, command, argv, argc))
        return false;
    engine->statistics.commands[command->id].rejected++;
    cw_session_flush(engine, session);
    return true;
}

/* A session in MULTI becomes nobody's replica. */
static bool transaction_refuses(struct cw_engine *engine, struct cw_session *session, const struct command *command)
{
    if (!(session->flags & CW_SESSION_IN_MULTI) || !(command->flags & COMMAND_NO_MULTI))
        return false;
    size_t before = buf_length(&session->out);
    resp_write_error(cw_session_out(engine, session), SLICE_LITERAL(CW_ERROR_NO_MULTI));
    cw_transaction_refuse(engine, session, command, &session->out, before);
    return true;
}

/* RESPITE, REPLCONF, PSYNC: their rooms see the link, write their own answers and check who asks. */
static void run_appliance(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                          const struct slice *argv, size_t argc)
{
    if (buf_length(&session->out) == 0)
        session->flags |= CW_SESSION_UNGATED;
    engine->statistics.total_commands++;
    engine->statistics.commands[command->id].calls++;
    session->last_command = command;
    if (transaction_refuses(engine, session, command) || following_is_refused(engine, session, command, argv, argc))
        engine->statistics.commands[command->id].rejected++;
    else if (command->flags & COMMAND_IS_RESPITE)
        cw_ha_request(engine->ha, session->link, argv, argc);
    else
        cw_repl_request(engine->repl, session->link, argv, argc);
    if (!(session->flags & CW_SESSION_CLOSING) && buf_length(&session->out) > 0)
        cw_session_flush(engine, session);
}

/* The proxy behind the link hears that the command did nothing, and how it goes on from here (block.h). */
static void tell_parked(struct cw_engine *engine, struct cw_session *session)
{
    cw_block_describe(session->blocked, cw_session_out(engine, session));
    cw_session_check_output(engine, session);
    cw_session_flush(engine, session);
}

static uint64_t shown_offset(const struct cw_engine *engine, const struct command *command, const struct slice *argv,
                             size_t argc)
{
    if (engine->config.mutants & CW_MUTANT_READ_AHEAD)
        return 0;
    return cw_pending_writes_shown(&engine->pending_writes, command, argv, argc);
}

/* The reply behind `before` shows nothing but the command's keys. */
static void note_shown(struct cw_engine *engine, struct cw_session *session, size_t before, bool is_first,
                       uint64_t offset)
{
    if ((session->flags & CW_SESSION_READS) && offset > cw_engine_released(engine)) {
        session->out.end = session->out.start + before;
        resp_write_error(&session->out, SLICE_LITERAL("HELD it shows a write that nobody may see yet"));
        offset = 0;
    }
    cw_session_shows(session, before, is_first, offset);
}

/* False: the session waits for keys. */
static inline bool run(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                       const struct slice *argv, size_t argc, uint64_t first_key_hash)
{
    struct buf *out = cw_session_out(engine, session);
    size_t before = buf_length(out);
    bool waited = session->blocked != NULL;
    bool is_first = !(session->flags & CW_SESSION_FLUSHED);
    if (UNLIKELY(!cw_dispatch_execute(engine, session, command, argv, argc, first_key_hash, out))) {
        if ((session->flags & CW_SESSION_ATTACHED) && !waited)
            tell_parked(engine, session);
        cw_session_give_back_output(engine, session);
        return false;
    }
    cw_dispatch_answered(engine, session, command, before);
    if (UNLIKELY(cw_pending_writes_are_noted(&engine->pending_writes)) && command_shows_its_keys(command))
        note_shown(engine, session, before, is_first, shown_offset(engine, command, argv, argc));
    return true;
}

bool cw_dispatch(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                 const struct slice *argv, size_t argc, uint64_t first_key_hash)
{
    if (UNLIKELY(command != NULL && cw_is_appliance_command(command))) {
        run_appliance(engine, session, command, argv, argc);
        return true;
    }
    size_t before = buf_length(&session->out);
    if (UNLIKELY(!cw_gates_are_open(engine, session, command, argv, argc)) &&
        !cw_gates_let_pass(engine, session, command, argv, argc, cw_session_out(engine, session))) {
        if (session->flags & CW_SESSION_IN_MULTI)
            cw_transaction_refuse(engine, session, command, &session->out, before);
        after_reply(engine, session, command, before);
        return false;
    }
    session->flags &= ~(uint32_t)(CW_SESSION_UNGATED | CW_SESSION_PUSHED);
    uint32_t flags = command->flags;
    if (UNLIKELY(session->flags & CW_SESSION_IN_MULTI)) {
        if (cw_transaction_queue(engine, session, command, argv, argc, first_key_hash)) {
            after_reply(engine, session, command, before);
            return false;
        }
        flags = cw_transaction_flags(session, command); /* EXEC does what is queued */
    }
    if (UNLIKELY(flags & COMMAND_RUNS_SCRIPTS)) {
        cw_long_run(engine, session, command, argv, argc, first_key_hash);
        return true;
    }
    return run(engine, session, command, argv, argc, first_key_hash);
}

bool cw_dispatch_again(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                       const struct slice *argv, size_t argc)
{
    size_t before = buf_length(&session->out);
    session->flags &= ~(uint32_t)(CW_SESSION_UNGATED | CW_SESSION_PUSHED);
    if (!cw_gates_are_open(engine, session, command, argv, argc) &&
        !cw_gates_let_pass(engine, session, command, argv, argc, cw_session_out(engine, session))) {
        after_reply(engine, session, command, before);
        return true;
    }
    bool has_key = command->first_key > 0 && (size_t)command->first_key < argc;
    return run(engine, session, command, argv, argc,
               has_key ? cw_keyspace_hash(engine->keyspace, argv[command->first_key]) : 0);
}

void cw_engine_answer_question(struct cw_engine *engine, const struct slice *argv, size_t argc, struct buf *out)
{
    const struct command *command = command_resolve(argv, argc);
    bool is_question = command != NULL && (slice_equal_nocase(argv[0], "ping") || slice_equal_nocase(argv[0], "info"));
    if (!is_question || !command_arity_fits(command, argc)) {
        resp_write_error(out, SLICE_LITERAL("ERR this port speaks RESPITE only; PING and INFO are answered too"));
        return;
    }
    struct cw_call call = {
        .engine = engine,
        .settings = &engine->settings,
        .keyspace = engine->keyspace,
        .command = command,
        .argv = argv,
        .argc = argc,
        .reply = out,
        .protocol = 2,
        .now_ms = engine->wall_us / 1000,
    };
    cw_functions[command->id](&call);
}

void cw_call_propagate(struct cw_call *call, const struct slice *argv, size_t argc)
{
    struct slice record;
    call->propagation_replaced = true;
    if (call->session != NULL && cw_repl_is_feeding(call->engine->repl))
        cw_repl_append(call->engine->repl, call->database, argv, argc);
    if (LIKELY(call->retold == NULL))
        return;
    resp_write_array(call->retold, argc);
    for (size_t i = 0; i < argc; i++)
        resp_write_bulk(call->retold, argv[i]);
    call->retold_commands += cw_aside_read(argv, argc, &record) != CW_ASIDE_OF_NEXT;
}

void cw_call_propagate_nothing(struct cw_call *call)
{
    call->propagation_replaced = true;
}

int64_t cw_call_now_us(const struct cw_call *call)
{
    return call->engine->wall_us;
}

bool cw_reply_is_full(const struct cw_call *call)
{
    return call->session != NULL && buf_length(call->reply) >= cw_session_output_most(call->engine, call->session);
}
