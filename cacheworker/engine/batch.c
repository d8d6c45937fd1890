#include "cacheworker/engine/batch.h"

#include "cacheworker/block/block.h"
#include "cacheworker/engine/client_memory.h"
#include "cacheworker/engine/dispatch.h"
#include "cacheworker/engine/owed.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/info/timing.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/repl/repl.h"
#include "cacheworker/script/scripting.h"
#include "cacheworker/txn/transaction_commands.h"
#include "common/base/errors.h"
#include "common/base/mem.h"

enum {
    BATCH_CAPACITY = 128, /* requests; what is prefetched for them must still be cached when its turn comes */
    SESSION_SHARE = 64,   /* of one session in one batch */
    SCRIPT_KEY = 3,       /* word of EVAL and its like where the keys begin: most scripts look at the first */
    TURN_BATCHES = 64,    /* then the loop looks at its links again */
};

struct item {
    struct cw_session *session;
    const struct command *command; /* NULL: unknown, or the request is broken */
    uint64_t hash;                 /* of the first key */
    bool has_key;
    bool broken;                   /* ERR_PROTOCOL; the request says why */
    struct cw_session_place place; /* where the request began */
};

struct cw_batch {
    size_t count;
    struct item items[BATCH_CAPACITY];
    struct resp_request requests[BATCH_CAPACITY]; /* owned; the one of items[i] */
};

struct cw_batch *cw_batch_create(void)
{
    return mem_zero(sizeof(struct cw_batch));
}

void cw_batch_free(struct cw_batch *batch)
{
    if (batch == NULL)
        return;
    for (size_t i = 0; i < BATCH_CAPACITY; i++)
        resp_request_free(&batch->requests[i]);
    mem_free(batch);
}

/* --- gathering --- */

static const struct resp_limits *limits_of(const struct cw_engine *engine, const struct cw_session *session)
{
    static const struct resp_limits unauthenticated = RESP_LIMITS_UNAUTHENTICATED;
    if (LIKELY(session->flags & CW_SESSION_AUTHENTICATED))
        return &engine->settings.limits;
    return &unauthenticated;
}

/* EXEC does what is queued. */
static inline uint32_t flags_of(const struct cw_session *session, const struct command *command)
{
    return UNLIKELY(session->flags & CW_SESSION_IN_MULTI) ? cw_transaction_flags(session, command) : command->flags;
}

static bool may_write(const struct cw_engine *engine, const struct cw_session *session, const struct command *command,
                      const struct resp_request *request)
{
    uint32_t flags = command->flags & COMMAND_RUNS_SCRIPTS
                         ? cw_script_command_flags(engine->scripting, command, request->argv, request->argc)
                         : flags_of(session, command);
    return flags & (COMMAND_WRITE | COMMAND_MAY_REPLICATE);
}

/* Whether this command has to wait until the node may serve again. What concerns the appliance itself never waits. */
static bool must_wait(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                      const struct resp_request *request)
{
    if (LIKELY(engine->serving == CW_SERVING_MASTER && engine->sleep_until_ns == 0 && engine->pause_until_ns == 0 &&
               !engine->is_shown))
        return false;
    if (command != NULL && cw_is_appliance_command(command)) {
        bool begins_sync = command->id == COMMAND_ID_PSYNC || command->id == COMMAND_ID_SYNC;
        return begins_sync && engine->long_command.is_left;
    }
    if (engine->serving == CW_SERVING_HOLD || engine->sleep_until_ns > 0)
        return true;
    if (engine->pause_until_ns > 0 && !engine->pause_writes_only)
        return true;
    if (engine->is_shown && command != NULL && command->id == COMMAND_ID_EXEC && session->batched)
        return true; /* until all that it executes is queued */
    if (command == NULL || (engine->pause_until_ns == 0 && !engine->is_shown) ||
        !may_write(engine, session, command, request))
        return false;
    return engine->pause_until_ns > 0 || cw_owed_must_wait(engine, session, command, request->argv, request->argc);
}

/* Which keys are owed to a snapshot is asked when a command is read: after such a one, others are meant by their names.
 */
static bool changes_keys_meant(const struct command *command)
{
    switch (command->id) {
    case COMMAND_ID_SELECT:
    case COMMAND_ID_SWAPDB:
    case COMMAND_ID_MULTI:
    case COMMAND_ID_EXEC:
    case COMMAND_ID_DISCARD:
    case COMMAND_ID_RESET: return true;
    default: return false;
    }
}

/* Behind such a command nothing may be parsed before it was executed: it changes what may be read, and how. */
static bool is_barrier(const struct cw_engine *engine, const struct cw_session *session, const struct command *command)
{
    if (UNLIKELY(!(session->flags & CW_SESSION_AUTHENTICATED)))
        return true;
    if (command == NULL)
        return false;
    if (UNLIKELY(engine->is_shown) && changes_keys_meant(command))
        return true;
    const uint32_t barriers = COMMAND_ADMIN | COMMAND_BLOCKING;
    return (flags_of(session, command) & barriers) || command->id == COMMAND_ID_WAIT;
}

static inline const struct command *find_command(const struct resp_request *request)
{
    const struct command *command = command_lookup(request->argv[0]);
    if (command != NULL && command->subcommands != NULL)
        return command_resolve(request->argv, request->argc);
    return command;
}

static inline void hash_first_key(struct cw_engine *engine, struct item *item, const struct resp_request *request)
{
    if (item->command == NULL)
        return;
    int first_key = item->command->first_key;
    if (UNLIKELY(item->command->flags & COMMAND_RUNS_SCRIPTS))
        first_key = SCRIPT_KEY;
    if (first_key <= 0 || (size_t)first_key >= request->argc)
        return;
    item->hash = cw_keyspace_hash(engine->keyspace, request->argv[first_key]);
    item->has_key = true;
    cw_keyspace_prefetch_bucket(engine->keyspace, item->session->database, item->hash);
}

enum gathered {
    GATHERED_ALL,     /* no whole request is left */
    GATHERED_SHARE,   /* there is more for the next batch */
    GATHERED_BARRIER, /* the batch has to be executed first */
    GATHERED_PARKED,  /* the next request must wait */
};

/* Parses up to its share of one session's requests into the batch. */
static enum gathered gather_session(struct cw_engine *engine, struct cw_session *session)
{
    struct cw_batch *batch = engine->batch;
    unsigned taken = 0;
    while (taken < SESSION_SHARE && batch->count < BATCH_CAPACITY) {
        struct resp_request *request = &batch->requests[batch->count];
        int result = cw_session_next_request(session, limits_of(engine, session), request);
        if (result == 0)
            return buf_length(&session->kept) > 0 && session->received.length > 0 ? GATHERED_SHARE : GATHERED_ALL;
        if (result > 0 && request->argc == 0)
            continue; /* an empty line */
        const struct command *command = result > 0 ? find_command(request) : NULL;
        if (UNLIKELY(must_wait(engine, session, command, request))) {
            cw_session_unread(session);
            return session->batched ? GATHERED_BARRIER : GATHERED_PARKED; /* SCRIPT LOAD, EVALSHA: then it need not */
        }
        struct item *item = &batch->items[batch->count++];
        item->session = session;
        item->command = command;
        item->has_key = false;
        item->broken = result < 0;
        item->place = cw_session_last_place(session);
        session->batched = true;
        taken++;
        if (UNLIKELY(result < 0))
            return GATHERED_ALL;
        hash_first_key(engine, item, request);
        if (is_barrier(engine, session, command))
            return GATHERED_BARRIER;
    }
    return GATHERED_SHARE;
}

/* Fills the batch from the ready sessions, in turn. Those that have no whole request left leave the list. */
static void gather(struct cw_engine *engine)
{
    struct cw_batch *batch = engine->batch;
    batch->count = 0;
    struct list again;
    list_init(&again);
    bool full = false;
    while (!full && batch->count < BATCH_CAPACITY && !list_is_empty(&engine->ready)) {
        struct cw_session *session = LIST_ENTRY(engine->ready.next, struct cw_session, ready);
        list_remove(&session->ready);
        switch (gather_session(engine, session)) {
        case GATHERED_ALL: cw_session_touch(engine, session); break;
        case GATHERED_SHARE: list_add_last(&again, &session->ready); break;
        case GATHERED_PARKED:
            list_add_last(&engine->parked, &session->ready);
            if (engine->serving == CW_SERVING_MASTER) /* else nothing may leave */
                cw_session_tell_held(engine, session);
            break;
        case GATHERED_BARRIER:
            list_add_last(&again, &session->ready);
            full = true;
            break;
        }
    }
    LIST_FOR_EACH(node, &again)
    {
        list_remove(node);
        list_add_last(&engine->ready, node);
    }
}

/* --- execution --- */

static void prefetch_entries(const struct cw_engine *engine)
{
    const struct cw_batch *batch = engine->batch;
    for (size_t i = 0; i < batch->count; i++) {
        const struct item *item = &batch->items[i];
        if (item->has_key)
            cw_keyspace_prefetch_entry(engine->keyspace, item->session->database, item->hash);
    }
}

static void refuse_broken(struct cw_engine *engine, struct cw_session *session, const struct resp_request *request)
{
    resp_write_error_format(cw_session_out(engine, session), "ERR Protocol error: %s", request->error);
    cw_statistics_count_error(&engine->statistics, SLICE_LITERAL("ERR"));
    cw_session_flush(engine, session);
    cw_session_drain(engine, session);
}

static inline bool execute_item(struct cw_engine *engine, const struct item *item, const struct resp_request *request)
{
    struct cw_session *session = item->session;
    session->batched = false;
    if (UNLIKELY(session->flags & CW_SESSION_CLOSING))
        return false;
    if (UNLIKELY(item->broken)) {
        refuse_broken(engine, session, request);
        return false;
    }
    return cw_dispatch(engine, session, item->command, request->argv, request->argc, item->has_key ? item->hash : 0);
}

/* A command was left in the middle: what was read behind it is read again when it is over. */
static void put_back(struct cw_engine *engine, size_t first)
{
    struct cw_batch *batch = engine->batch;
    for (size_t i = batch->count; i-- > first;) {
        struct cw_session *session = batch->items[i].session;
        session->batched = false;
        if (session->flags & CW_SESSION_CLOSING)
            continue;
        cw_session_rewind(session, batch->items[i].place);
        if (list_is_empty(&session->ready) && !(session->flags & CW_SESSION_WAITING))
            list_add_last(&engine->ready, &session->ready);
    }
    batch->count = first;
}

static void execute(struct cw_engine *engine)
{
    struct cw_batch *batch = engine->batch;
    int64_t (*stopwatch_ns)(void) = engine->config.stopwatch_ns;
    int64_t began_ns = stopwatch_ns != NULL ? stopwatch_ns() : 0;
    bool was_left = engine->long_command.is_left;
    for (size_t i = 0; i < batch->count; i++) {
        const struct item *item = &batch->items[i];
        const struct resp_request *request = &batch->requests[i];
        bool executed = execute_item(engine, item, request);
        if (stopwatch_ns != NULL) {
            int64_t ended_ns = stopwatch_ns();
            if (LIKELY(executed)) /* a session that ended by it lives on, with its bytes, until the step ends */
                cw_timing_note(engine, item->session, item->command, request->argv, request->argc, ended_ns - began_ns);
            began_ns = ended_ns;
        }
        if (UNLIKELY(cw_waiters_have_ready(&engine->waiters)))
            cw_block_serve(engine);
        if (UNLIKELY(engine->long_command.is_left != was_left)) {
            put_back(engine, i + 1);
            return;
        }
    }
}

/* Time-bound reasons to wait end here. */
static void end_waits(struct cw_engine *engine)
{
    if (engine->sleep_until_ns > 0 && engine->now_ns >= engine->sleep_until_ns) {
        engine->sleep_until_ns = 0;
        cw_engine_gate_opened(engine);
        cw_block_serve(engine); /* what became ready before it */
    }
    if (engine->pause_until_ns > 0 && engine->now_ns >= engine->pause_until_ns) {
        engine->pause_until_ns = 0;
        cw_engine_look_at_role(engine);
    }
    /* While only writes are paused, whoever else was parked is looked at again once, not in every turn. */
    bool all_wait = engine->serving == CW_SERVING_HOLD || engine->sleep_until_ns > 0 ||
                    (engine->pause_until_ns > 0 && !engine->pause_writes_only);
    bool look_again = !all_wait && (engine->all_waited || engine->pause_until_ns == 0);
    engine->all_waited = all_wait;
    if (!look_again)
        return;
    LIST_FOR_EACH(node, &engine->parked)
    {
        list_remove(node);
        list_add_last(&engine->ready, node);
    }
}

void cw_batch_run(struct cw_engine *engine)
{
    cw_engine_look_at_role(engine);
    cw_engine_look_at_gates(engine);
    engine->is_shown = cw_keyspace_snapshot_is_active(engine->keyspace);
    cw_long_go_on(engine);
    end_waits(engine);
    bool was_left = engine->long_command.is_left;
    for (unsigned batches = 0; batches < TURN_BATCHES && !list_is_empty(&engine->ready) && engine->evict_budget > 0;
         batches++) {
        gather(engine);
        prefetch_entries(engine);
        execute(engine);
        if (UNLIKELY(cw_client_memory_exceeded(engine)))
            return; /* no more is written before this has left */
        if (UNLIKELY(engine->long_command.is_left != was_left))
            break; /* a command was left in the middle: the others are to wait */
    }
}

/* --- replica links --- */

static const struct resp_limits replica_limits = {
    .arguments_max = 1024,
    .bulk_length_max = 256 << 10,
    .inline_length_max = 64 << 10,
    .request_length_max = 1 << 20,
};

static void run_replica_session(struct cw_engine *engine, struct cw_session *session)
{
    struct resp_request *request = &engine->batch->requests[0];
    while (!(session->flags & CW_SESSION_CLOSING)) {
        int result = cw_session_next_request(session, &replica_limits, request);
        if (result == 0)
            return;
        if (result < 0) {
            refuse_broken(engine, session, request);
            return;
        }
        if (request->argc == 0)
            continue;
        if (!cw_dispatch_refuses_sync(engine, session, request->argv, request->argc))
            cw_repl_request(engine->repl, session->link, request->argv, request->argc);
    }
}

void cw_batch_run_replicas(struct cw_engine *engine)
{
    while (!list_is_empty(&engine->replicas_ready)) {
        struct cw_session *session = LIST_ENTRY(engine->replicas_ready.next, struct cw_session, ready);
        list_remove(&session->ready);
        run_replica_session(engine, session);
    }
}
