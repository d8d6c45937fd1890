#include "cacheworker/engine/dispatch.h"

#include "cacheworker/engine/aside.h"
#include "cacheworker/engine/bind.h"
#include "cacheworker/engine/gates.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/hash/field_expiry.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/repl/repl.h"
#include "common/base/errors.h"

enum { PUSHES_KEPT = 64 << 10 }; /* bytes of memory that stay for the next pushes */

/* --- the role --- */

void cw_engine_look_at_role(struct cw_engine *engine)
{
    engine->serving = cw_ha_serving(engine->ha, engine->now_ns);
    enum cw_expiry_mode mode = engine->serving == CW_SERVING_MASTER ? CW_EXPIRY_DELETES : CW_EXPIRY_HIDES;
    if (mode != cw_keyspace_expiry_mode(engine->keyspace))
        cw_keyspace_set_expiry_mode(engine->keyspace, mode);
}

/* --- execution --- */

void cw_dispatch_count_error(struct cw_engine *engine, struct slice reply)
{
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
static bool after_reply(struct cw_engine *engine, struct cw_session *session, size_t before)
{
    const struct buf *out = &session->out;
    const char *reply = out->memory + out->start + before;
    bool is_error = buf_length(out) > before && *reply == '-';
    if (UNLIKELY(is_error))
        cw_dispatch_count_error(engine, slice_of(reply, buf_length(out) - before));
    const uint32_t hushed = CW_SESSION_REPLY_OFF | CW_SESSION_REPLY_SKIP | CW_SESSION_REPLY_SKIP_NEXT;
    if (UNLIKELY(session->flags & hushed))
        hush(session, before);
    if (UNLIKELY(buf_length(&engine->pushes) > 0))
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
    engine->statistics.total_commands++;
    engine->statistics.commands[call->command->id].calls++;
    execute(call->session, call);
    if (call->dirty > 0)
        propagate(engine, call);
    cw_changes_end_command(&engine->changes, call->session, call->dirty > 0);
}

static void run(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                const struct slice *argv, size_t argc, uint64_t first_key_hash)
{
    struct buf *out = cw_session_out(engine, session);
    size_t before = buf_length(out);
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
        .reply = out,
        .protocol = session->protocol,
        .now_ms = engine->wall_us / 1000,
    };
    session->commands++;
    session->last_command = command;
    engine->executing = session;
    carry_out(engine, &call);
    engine->executing = NULL;
    if (UNLIKELY(after_reply(engine, session, before)))
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

/* RESPITE, REPLCONF, PSYNC: their rooms see the link, write their own answers and check who asks. */
static void run_appliance(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                          const struct slice *argv, size_t argc)
{
    if (buf_length(&session->out) == 0)
        session->flags |= CW_SESSION_UNGATED;
    engine->statistics.total_commands++;
    engine->statistics.commands[command->id].calls++;
    session->last_command = command;
    if (command->flags & COMMAND_IS_RESPITE)
        cw_ha_request(engine->ha, session->link, argv, argc);
    else
        cw_repl_request(engine->repl, session->link, argv, argc);
    if (!(session->flags & CW_SESSION_CLOSING) && buf_length(&session->out) > 0)
        cw_session_flush(engine, session);
}

void cw_dispatch(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                 const struct slice *argv, size_t argc, uint64_t first_key_hash)
{
    if (UNLIKELY(command != NULL && cw_is_appliance_command(command))) {
        run_appliance(engine, session, command, argv, argc);
        return;
    }
    size_t before = buf_length(&session->out);
    if (UNLIKELY(!cw_gates_are_open(engine, session, command, argc)) &&
        !cw_gates_let_pass(engine, session, command, argv, argc, cw_session_out(engine, session))) {
        after_reply(engine, session, before);
        return;
    }
    session->flags &= ~(uint32_t)(CW_SESSION_UNGATED | CW_SESSION_PUSHED);
    run(engine, session, command, argv, argc, first_key_hash);
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
    call->propagation_replaced = true;
    if (call->session != NULL && cw_repl_is_feeding(call->engine->repl))
        cw_repl_append(call->engine->repl, call->database, argv, argc);
}

void cw_call_propagate_nothing(struct cw_call *call)
{
    call->propagation_replaced = true;
}

bool cw_reply_is_full(const struct cw_call *call)
{
    size_t most = call->session != NULL ? cw_session_output_limit(call->engine, call->session)->hard : 0;
    return most > 0 && buf_length(call->reply) >= most;
}

/* --- the stream of a master --- */

static void run_streamed(struct cw_engine *engine, const struct command *command, const struct slice *argv, size_t argc,
                         struct buf *scratch)
{
    bool has_key = command->first_key > 0 && (size_t)command->first_key < argc;
    struct cw_call call = {
        .engine = engine,
        .settings = &engine->settings,
        .keyspace = engine->keyspace,
        .database = engine->stream_database,
        .command = command,
        .argv = argv,
        .argc = argc,
        .first_key_hash = has_key ? cw_keyspace_hash(engine->keyspace, argv[command->first_key]) : 0,
        .reply = scratch,
        .protocol = 2,
        .now_ms = engine->wall_us / 1000,
    };
    cw_functions[command->id](&call);
    engine->statistics.changes += call.dirty;
    cw_changes_end_command(&engine->changes, NULL, call.dirty > 0);
    buf_clear(scratch);
}

static const struct resp_limits stream_limits = RESP_LIMITS_DEFAULT;

static int apply_one(struct cw_engine *engine, const struct slice *argv, size_t argc, struct buf *scratch,
                     bool *ret_ack_wanted)
{
    if (slice_equal_nocase(argv[0], "select")) {
        uint64_t database;
        if (argc != 2 || number_parse_u64(argv[1], &database) < 0 || database >= engine->config.databases)
            return ERR_PROTOCOL;
        engine->stream_database = (unsigned)database;
        return 0;
    }
    if (slice_equal_nocase(argv[0], "replconf")) {
        *ret_ack_wanted = true;
        return 0;
    }
    struct slice record;
    if (cw_aside_read(argv, argc, &record) == CW_ASIDE_NOW)
        return cw_field_expiry_apply(engine->keyspace, record);
    const struct command *command = command_resolve(argv, argc);
    if (command == NULL || !command_arity_fits(command, argc))
        return ERR_PROTOCOL;
    if (!(command->flags & (COMMAND_WRITE | COMMAND_MAY_REPLICATE)))
        return 0; /* PING, MULTI and EXEC change nothing: the stream is already in order */
    if (cw_functions[command->id] == NULL)
        return ERR_UNSUPPORTED;
    run_streamed(engine, command, argv, argc, scratch);
    return 0;
}

/* Those that stand before a command, when it was executed. They were read before, and are read again. */
static int apply_asides(struct cw_engine *engine, struct slice bytes)
{
    struct resp_request request = {0};
    int result = 0;
    while (result == 0 && bytes.length > 0) {
        struct slice record;
        int64_t used = resp_request_read(&request, bytes, &stream_limits);
        if (used <= 0 || cw_aside_read(request.argv, request.argc, &record) != CW_ASIDE_OF_NEXT) {
            result = ERR_PROTOCOL;
            break;
        }
        result = cw_field_expiry_apply(engine->keyspace, record);
        bytes = slice_skip(bytes, (size_t)used);
    }
    resp_request_free(&request);
    return result;
}

/* One command from the front, with the asides before it, which are not counted without it. Returns 1, 0 when there is
 * none yet, or an error. */
static int apply_next(struct cw_engine *engine, struct slice bytes, struct buf *scratch, size_t *ret_used,
                      bool *ret_ack_wanted)
{
    struct resp_request *request = &engine->stream_request;
    while (bytes.length > engine->stream_asides) {
        struct slice record;
        int64_t used = resp_request_read(request, slice_skip(bytes, engine->stream_asides), &stream_limits);
        if (used <= 0)
            return (int)used;
        if (cw_aside_read(request->argv, request->argc, &record) == CW_ASIDE_OF_NEXT) {
            engine->stream_asides += (size_t)used;
            continue;
        }
        int result = request->argc > 0 ? apply_one(engine, request->argv, request->argc, scratch, ret_ack_wanted) : 0;
        if (result == 0)
            result = apply_asides(engine, slice_of(bytes.data, engine->stream_asides));
        *ret_used = engine->stream_asides + (size_t)used;
        engine->stream_asides = 0;
        return result < 0 ? result : 1;
    }
    return 0;
}

int cw_engine_apply(struct cw_engine *engine, struct slice bytes, size_t *ret_consumed, bool *ret_ack_wanted)
{
    *ret_consumed = 0;
    *ret_ack_wanted = false;
    enum cw_expiry_mode mode = cw_keyspace_expiry_mode(engine->keyspace);
    cw_keyspace_set_expiry_mode(engine->keyspace, CW_EXPIRY_IGNORED);
    struct buf scratch = {0};
    int result;
    size_t used = 0;
    while ((result = apply_next(engine, bytes, &scratch, &used, ret_ack_wanted)) > 0) {
        *ret_consumed += used;
        bytes = slice_skip(bytes, used);
    }
    buf_free(&scratch);
    cw_keyspace_set_expiry_mode(engine->keyspace, mode);
    return result;
}

void cw_engine_set_stream_database(struct cw_engine *engine, unsigned database)
{
    CHECK(database < engine->config.databases);
    engine->stream_database = database;
    engine->stream_asides = 0;
    resp_request_reset(&engine->stream_request);
}

unsigned cw_engine_stream_database(const struct cw_engine *engine)
{
    return engine->stream_database;
}
