/* cw_engine_apply (engine.h): a master's stream, executed as its replica. */
#include "cacheworker/acl/share.h"
#include "cacheworker/engine/aside.h"
#include "cacheworker/engine/bind.h"
#include "cacheworker/engine/owed.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/hash/field_expiry.h"
#include "cacheworker/info/timing.h"
#include "cacheworker/repl/repl.h"
#include "common/base/errors.h"

enum {
    UNIT_MAX = 1 << 30,           /* bytes of a unit, which are kept until all of it is there */
    WAITING_UNIT_MAX = 256 << 10, /* of one that waits for a snapshot: it is read again in every turn */
    WAITING_BYTES_MAX = 16 << 20, /* of all that may wait behind it */
};

static const struct resp_limits limits = RESP_LIMITS_DEFAULT;

/* --- one command --- */

/* What a file brings at the start is no command of anybody. */
static inline bool counts(const struct cw_engine *engine)
{
    return engine->effects != NULL;
}

static void execute(struct cw_engine *engine, struct cw_call *call)
{
    struct cw_command_statistics *statistics = &engine->statistics.commands[call->command->id];
    int64_t began_ns = counts(engine) ? cw_timing_begin(engine) : 0;
    cw_functions[call->command->id](call);
    if (!counts(engine))
        return;
    statistics->calls++;
    statistics->total_ns += (uint64_t)(cw_timing_begin(engine) - began_ns);
    engine->statistics.total_commands++;
}

static void run(struct cw_engine *engine, const struct command *command, const struct slice *argv, size_t argc,
                struct buf *scratch)
{
    bool has_key = command->first_key > 0 && (size_t)command->first_key < argc;
    struct cw_call call = {
        .engine = engine,
        .settings = &engine->settings,
        .keyspace = engine->keyspace,
        .database = engine->stream.database,
        .command = command,
        .argv = argv,
        .argc = argc,
        .first_key_hash = has_key ? cw_keyspace_hash(engine->keyspace, argv[command->first_key]) : 0,
        .reply = scratch,
        .protocol = 2,
        .flags = CW_CALL_DENY_BLOCKING,
        .now_ms = engine->wall_us / 1000,
        .retold = engine->stream.told != NULL ? &engine->stream.retold : NULL,
    };
    execute(engine, &call);
    engine->stream.is_retold = call.propagation_replaced;
    engine->stream.retold_commands = call.retold_commands;
    engine->statistics.changes += call.dirty;
    cw_changes_end_command(&engine->changes, NULL, call.dirty > 0, call.news);
    buf_clear(scratch);
}

static int apply_aside(struct cw_engine *engine, struct slice record)
{
    int result = cw_field_expiry_apply(engine->keyspace, record);
    cw_changes_end_command(&engine->changes, NULL, true, CW_NEWS_TO_ALL);
    return result;
}

static int parse_select(const struct cw_engine *engine, const struct slice *argv, size_t argc, unsigned *ret_database)
{
    uint64_t database;
    if (argc != 2 || number_parse_u64(argv[1], &database) < 0 || database >= engine->config.databases)
        return ERR_PROTOCOL;
    *ret_database = (unsigned)database;
    return 0;
}

/* Whether it can be executed. ret_command is NULL for what a replica reads over: PING, MULTI and EXEC change nothing.
 */
static int judge(const struct slice *argv, size_t argc, const struct command **ret_command)
{
    const struct command *command = command_resolve(argv, argc);
    if (command == NULL || !command_arity_fits(command, argc))
        return ERR_PROTOCOL;
    bool is_write = (command->flags & (COMMAND_WRITE | COMMAND_MAY_REPLICATE)) != 0 ||
                    command->id == COMMAND_ID_SCRIPT_LOAD || command->id == COMMAND_ID_SCRIPT_FLUSH;
    if (is_write && (cw_functions[command->id] == NULL || (command->flags & COMMAND_RUNS_SCRIPTS)))
        return ERR_UNSUPPORTED;
    *ret_command = is_write ? command : NULL;
    return 0;
}

static int apply_one(struct cw_engine *engine, const struct slice *argv, size_t argc, struct buf *scratch,
                     bool *ret_ack_wanted)
{
    struct slice record;
    const struct command *command;
    if (argc == 0)
        return 0;
    if (slice_equal_nocase(argv[0], "select"))
        return parse_select(engine, argv, argc, &engine->stream.database);
    if (slice_equal_nocase(argv[0], "replconf")) {
        *ret_ack_wanted = true;
        return 0;
    }
    enum cw_aside aside = cw_aside_read(argv, argc, &record);
    if (aside == CW_ASIDE_NOW)
        return apply_aside(engine, record);
    if (aside == CW_ASIDE_USERS) {
        bool is_of_disk = engine->effects == NULL; /* users have a file of their own, which is not older */
        return engine->config.standalone || is_of_disk ? 0 : cw_share_apply(engine, record);
    }
    if (aside == CW_ASIDE_MIGRATION)
        return cw_repl_note_migration(engine->repl, record);
    int result = judge(argv, argc, &command);
    if (result == 0 && command != NULL)
        run(engine, command, argv, argc, scratch);
    return result;
}

/* --- what others are told --- */

/* What was just executed, as it came, or in other words. What it came to is one unit, as it was one. */
static void tell(struct cw_stream *stream, struct slice bytes, bool is_alone)
{
    static const struct slice multi = SLICE_LITERAL("*1\r\n$5\r\nMULTI\r\n");
    static const struct slice exec = SLICE_LITERAL("*1\r\n$4\r\nEXEC\r\n");
    if (LIKELY(stream->told == NULL))
        return;
    bool is_block = stream->is_retold && is_alone && stream->retold_commands > 1;
    if (is_block)
        buf_add_slice(stream->told, multi);
    buf_add_slice(stream->told, stream->is_retold ? buf_slice(&stream->retold) : bytes);
    if (is_block)
        buf_add_slice(stream->told, exec);
    buf_clear(&stream->retold);
    stream->is_retold = false;
}

/* A unit that could not be executed was not told either. */
static void take_back(struct cw_stream *stream, size_t length)
{
    if (stream->told != NULL)
        stream->told->end = stream->told->start + length;
    buf_clear(&stream->retold);
    stream->is_retold = false;
}

/* --- a unit: a command with the asides before it, or all from MULTI to EXEC --- */

/* The asides that stood before a command which was executed. */
static int apply_asides(struct cw_engine *engine, struct slice bytes)
{
    struct resp_request request = {0};
    int result = 0;
    while (result == 0 && bytes.length > 0) {
        struct slice record;
        int64_t used = resp_request_read(&request, bytes, &limits);
        CHECK(used > 0 && cw_aside_read(request.argv, request.argc, &record) == CW_ASIDE_OF_NEXT);
        result = apply_aside(engine, record);
        bytes = slice_skip(bytes, (size_t)used);
    }
    resp_request_free(&request);
    return result;
}

/* Requests that were read before, and are read again. */
static int apply_unit(struct cw_engine *engine, struct slice bytes, struct buf *scratch, bool *ret_ack_wanted)
{
    struct resp_request request = {0};
    size_t position = 0;
    size_t asides = 0; /* where those begin that belong to the next command */
    int result = 0;
    while (result == 0 && position < bytes.length) {
        struct slice record;
        int64_t used = resp_request_read(&request, slice_skip(bytes, position), &limits);
        CHECK(used > 0);
        if (cw_aside_read(request.argv, request.argc, &record) != CW_ASIDE_OF_NEXT) {
            result = apply_one(engine, request.argv, request.argc, scratch, ret_ack_wanted);
            if (result == 0)
                result = apply_asides(engine, slice_of(bytes.data + asides, position - asides));
            asides = position + (size_t)used;
        }
        tell(&engine->stream, slice_of(bytes.data + position, (size_t)used), false);
        position += (size_t)used;
    }
    resp_request_free(&request);
    return result;
}

/* Whether a command, or one of a unit's, would change what is owed to a snapshot. */
static bool owes(struct cw_engine *engine, struct slice bytes)
{
    struct resp_request request = {0};
    unsigned database = engine->stream.database;
    bool any = false;
    while (!any && bytes.length > 0) {
        int64_t used = resp_request_read(&request, bytes, &limits);
        CHECK(used > 0);
        const struct command *command = request.argc > 0 ? command_resolve(request.argv, request.argc) : NULL;
        if (command != NULL && command->id == COMMAND_ID_SELECT)
            (void)parse_select(engine, request.argv, request.argc, &database);
        else if (command != NULL)
            any = cw_owed_any(engine, database, command, request.argv, request.argc);
        bytes = slice_skip(bytes, (size_t)used);
    }
    resp_request_free(&request);
    return any;
}

/* What a request means for the unit that it stands in. 1: it ends it; 0: it does not; or an error. */
static int take_into_unit(const struct cw_engine *engine, struct cw_stream *stream, const struct slice *argv,
                          size_t argc)
{
    struct slice record;
    const struct command *command;
    unsigned database;
    enum cw_aside aside = cw_aside_read(argv, argc, &record);
    if (aside == CW_ASIDE_OF_NEXT)
        return 0;
    /* A server outside of the group has no say in what is the group's own. */
    if ((aside == CW_ASIDE_USERS || aside == CW_ASIDE_MIGRATION) && cw_repl_follows_outside(engine->repl))
        return ERR_PROTOCOL;
    bool begins = argc == 1 && slice_equal_nocase(argv[0], "multi");
    bool ends = argc == 1 && slice_equal_nocase(argv[0], "exec");
    if (UNLIKELY(engine->config.mutants & CW_MUTANT_APPLY_HALVES))
        return 1;
    if (begins ? stream->in_block : ends && !stream->in_block)
        return ERR_PROTOCOL;
    if (begins || ends) {
        stream->in_block = begins;
        return ends;
    }
    if (!stream->in_block)
        return 1;
    /* None of a block is executed when a part of it cannot be. */
    if (argc > 0 && slice_equal_nocase(argv[0], "select"))
        return parse_select(engine, argv, argc, &database);
    return argc > 0 ? judge(argv, argc, &command) : 0;
}

/* The next unit at the front. Returns 1, 0 when not all of it is there yet, or an error. No byte of what waits is
 * looked at again before it is complete. */
static int apply_next(struct cw_engine *engine, struct slice bytes, bool may_wait, struct buf *scratch,
                      size_t *ret_used, bool *ret_ack_wanted)
{
    struct cw_stream *stream = &engine->stream;
    struct resp_request *request = &stream->request;
    while (bytes.length > stream->scanned) {
        if (UNLIKELY(bytes.data[stream->scanned] != '*'))
            return ERR_PROTOCOL; /* a line: no master says that, and an append-only file cannot hold it */
        int64_t used = resp_request_read(request, slice_skip(bytes, stream->scanned), &limits);
        if (used <= 0)
            return (int)used;
        bool is_alone = stream->scanned == 0;
        int result = take_into_unit(engine, stream, request->argv, request->argc);
        stream->scanned += (size_t)used;
        if (result == 0 && stream->scanned > UNIT_MAX)
            return ERR_TOO_BIG;
        if (result == 0)
            continue;
        if (result > 0 && UNLIKELY(may_wait) && stream->scanned <= WAITING_UNIT_MAX &&
            owes(engine, slice_of(bytes.data, stream->scanned))) {
            stream->scanned = 0;
            stream->is_waiting = true;
            return 0;
        }
        size_t told = stream->told != NULL ? buf_length(stream->told) : 0;
        if (result > 0 && is_alone) {
            result = apply_one(engine, request->argv, request->argc, scratch, ret_ack_wanted);
            tell(stream, slice_of(bytes.data, stream->scanned), true);
        } else if (result > 0) {
            result = apply_unit(engine, slice_of(bytes.data, stream->scanned), scratch, ret_ack_wanted);
        }
        if (result < 0)
            take_back(stream, told);
        *ret_used = stream->scanned;
        stream->scanned = 0;
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
    bool may_wait = cw_keyspace_snapshot_is_active(engine->keyspace) && bytes.length <= WAITING_BYTES_MAX;
    engine->stream.is_waiting = false;
    int result;
    size_t used = 0;
    while ((result = apply_next(engine, bytes, may_wait, &scratch, &used, ret_ack_wanted)) > 0) {
        *ret_consumed += used;
        bytes = slice_skip(bytes, used);
    }
    buf_free(&scratch);
    cw_keyspace_set_expiry_mode(engine->keyspace, mode);
    return result;
}

int cw_engine_apply_telling(struct cw_engine *engine, struct slice bytes, struct buf *told, size_t *ret_consumed,
                            bool *ret_ack_wanted)
{
    engine->stream.told = told;
    engine->stream.is_retold = false;
    buf_clear(&engine->stream.retold);
    int result = cw_engine_apply(engine, bytes, ret_consumed, ret_ack_wanted);
    engine->stream.told = NULL;
    buf_shrink(&engine->stream.retold, 64 << 10);
    return result;
}

void cw_engine_set_stream_database(struct cw_engine *engine, unsigned database)
{
    CHECK(database < engine->config.databases);
    engine->stream.database = database;
    engine->stream.scanned = 0;
    engine->stream.in_block = false;
    resp_request_reset(&engine->stream.request);
}

bool cw_engine_is_stream_waiting(const struct cw_engine *engine)
{
    return engine->stream.is_waiting;
}

unsigned cw_engine_stream_database(const struct cw_engine *engine)
{
    return engine->stream.database;
}
