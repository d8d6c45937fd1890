#include "cacheworker/txn/transaction_commands.h"

#include "cacheworker/engine/gates.h"
#include "cacheworker/engine/nested.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/script/scripting.h"
#include "cacheworker/txn/watch.h"
#include "common/base/mem.h"

enum { SPARES = 64, SPARE_BYTES = 16 << 10 };

struct cw_transactions {
    struct cw_watches watches;
    struct cw_transaction *spares[SPARES]; /* owned; clear, with memory */
    unsigned spare_count;
};

static bool is_visible(void *context, unsigned database, struct slice key)
{
    struct cw_engine *engine = context;
    uint64_t hash = cw_keyspace_hash(engine->keyspace, key);
    return cw_keyspace_peek(engine->keyspace, database, key, hash, engine->wall_us / 1000) != NULL;
}

struct cw_transactions *cw_transactions_create(struct cw_engine *engine)
{
    struct cw_transactions *transactions = mem_zero(sizeof(*transactions));
    struct siphash_key seed = {{rand_u64(&engine->rand), rand_u64(&engine->rand)}};
    cw_watches_create(&transactions->watches, &engine->changes, engine->config.databases, seed);
    transactions->watches.is_visible = is_visible;
    transactions->watches.context = engine;
    return transactions;
}

void cw_transactions_destroy(struct cw_transactions *transactions)
{
    if (transactions == NULL)
        return;
    while (transactions->spare_count > 0)
        cw_transaction_destroy(transactions->spares[--transactions->spare_count]);
    cw_watches_destroy(&transactions->watches);
    mem_free(transactions);
}

/* --- a session's transaction --- */

static struct cw_transaction *obtain(struct cw_engine *engine, struct cw_session *session)
{
    struct cw_transactions *transactions = engine->transactions;
    if (session->transaction == NULL)
        session->transaction =
            transactions->spare_count > 0 ? transactions->spares[--transactions->spare_count] : cw_transaction_create();
    return session->transaction;
}

static void give_back(struct cw_engine *engine, struct cw_transaction *transaction)
{
    struct cw_transactions *transactions = engine->transactions;
    if (transactions->spare_count == SPARES || cw_transaction_memory(transaction) > SPARE_BYTES) {
        cw_transaction_destroy(transaction);
        return;
    }
    cw_transaction_clear(transaction);
    transactions->spares[transactions->spare_count++] = transaction;
}

/* Takes it from the session, which is in no transaction any more and watches nothing. */
static struct cw_transaction *detach(struct cw_engine *engine, struct cw_session *session)
{
    struct cw_transaction *transaction = session->transaction;
    session->flags &= ~(uint32_t)CW_SESSION_IN_MULTI;
    session->transaction = NULL;
    cw_unwatch_all(&engine->transactions->watches, transaction);
    return transaction;
}

void cw_transaction_discard(struct cw_engine *engine, struct cw_session *session)
{
    if (session->transaction != NULL)
        give_back(engine, detach(engine, session));
}

/* --- queueing --- */

static bool is_executed_at_once(const struct command *command)
{
    switch (command->id) {
    case COMMAND_ID_EXEC:
    case COMMAND_ID_DISCARD:
    case COMMAND_ID_MULTI:
    case COMMAND_ID_WATCH:
    case COMMAND_ID_QUIT:
    case COMMAND_ID_RESET: return true;
    default: return false;
    }
}

bool cw_transaction_queue(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                          const struct slice *argv, size_t argc, uint64_t first_key_hash)
{
    struct cw_transaction *transaction = session->transaction;
    if (is_executed_at_once(command))
        return false;
    if (!transaction->is_spoiled && !transaction->is_refused)
        cw_transaction_add(transaction, command, cw_script_command_flags(engine->scripting, command, argv, argc), argv,
                           argc, first_key_hash);
    session->commands++;
    session->last_command = command;
    resp_write_simple(cw_session_out(engine, session), SLICE_LITERAL("QUEUED"));
    return true;
}

void cw_transaction_refuse(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                           struct buf *reply, size_t before)
{
    if (command == NULL || command->id != COMMAND_ID_EXEC) {
        session->transaction->is_refused = true;
        return;
    }
    struct buf words = {0};
    struct slice reason = slice_skip(buf_slice(reply), before + 1);
    buf_add_text(&words, "EXECABORT Transaction discarded because of: ");
    buf_add(&words, reason.data, reason.length - 2);
    reply->end = reply->start + before;
    resp_write_error(reply, buf_slice(&words));
    buf_free(&words);
    cw_transaction_discard(engine, session);
}

uint32_t cw_transaction_flags(const struct cw_session *session, const struct command *command)
{
    const uint32_t of_any =
        COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_MAY_REPLICATE | COMMAND_ADMIN | COMMAND_RUNS_SCRIPTS;
    const uint32_t of_all = COMMAND_STALE | COMMAND_LOADING;
    if (!(session->flags & CW_SESSION_IN_MULTI))
        return command->flags;
    switch (command->id) {
    case COMMAND_ID_EXEC:
        return (command->flags & ~(of_all & session->transaction->lacking)) |
               (session->transaction->any_flags & of_any);
    case COMMAND_ID_DISCARD:
    case COMMAND_ID_QUIT:
    case COMMAND_ID_RESET: return command->flags;
    default: return command->flags | COMMAND_DENYOOM; /* the queue takes memory */
    }
}

/* --- the commands --- */

void cw_multi_command(struct cw_call *call)
{
    if (call->session->flags & CW_SESSION_IN_MULTI) {
        cw_reply_error(call, "ERR MULTI calls can not be nested");
        return;
    }
    obtain(call->engine, call->session)->generation = call->engine->keyspace_generation;
    call->session->flags |= CW_SESSION_IN_MULTI;
    resp_write_ok(call->reply);
}

void cw_discard_command(struct cw_call *call)
{
    if (!(call->session->flags & CW_SESSION_IN_MULTI)) {
        cw_reply_error(call, "ERR DISCARD without MULTI");
        return;
    }
    cw_transaction_discard(call->engine, call->session);
    resp_write_ok(call->reply);
}

void cw_watch_command(struct cw_call *call)
{
    struct cw_engine *engine = call->engine;
    if (call->session->flags & CW_SESSION_IN_MULTI) {
        cw_reply_error(call, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    struct cw_transaction *transaction = obtain(engine, call->session);
    for (size_t i = 1; i < call->argc && !transaction->is_spoiled; i++)
        cw_watch(&engine->transactions->watches, transaction, call->database, call->argv[i]);
    resp_write_ok(call->reply);
}

void cw_unwatch_command(struct cw_call *call)
{
    cw_transaction_discard(call->engine, call->session); /* it is not in MULTI, or EXEC has taken that away before */
    resp_write_ok(call->reply);
}

/* The entries of all commands arrive while the first ones are executed. */
static void prefetch(const struct cw_call *call, const struct cw_transaction *transaction)
{
    for (size_t i = 0; i < transaction->count; i++)
        cw_keyspace_prefetch_bucket(call->keyspace, call->database, transaction->commands[i].first_key_hash);
    for (size_t i = 0; i < transaction->count; i++)
        cw_keyspace_prefetch_entry(call->keyspace, call->database, transaction->commands[i].first_key_hash);
}

static uint64_t hash_of(const struct cw_call *call, const struct cw_queued *queued, const struct slice *argv)
{
    int first_key = queued->command->first_key;
    bool has_key = first_key > 0 && (size_t)first_key < queued->argc;
    return has_key ? cw_keyspace_hash(call->keyspace, argv[first_key]) : 0;
}

static void execute(struct cw_call *call, struct cw_transaction *transaction)
{
    struct cw_engine *engine = call->engine;
    struct cw_session *session = call->session;
    struct cw_nested nested = {.engine = engine,
                               .session = session,
                               .flags = CW_CALL_DENY_BLOCKING | CW_CALL_IN_TRANSACTION,
                               .database = session->database,
                               .protocol = session->protocol,
                               .reply = call->reply};
    prefetch(call, transaction);
    resp_write_array(call->reply, transaction->count);
    cw_unit_begin(engine, session);
    for (size_t i = 0; i < transaction->count; i++) {
        const struct cw_queued *queued = &transaction->commands[i];
        const struct slice *argv = cw_transaction_words(transaction, queued);
        /* Another data set, which came in since, has other hashes. */
        uint64_t hash = transaction->generation == engine->keyspace_generation ? queued->first_key_hash
                                                                               : hash_of(call, queued, argv);
        if (cw_gates_let_queued_pass(&nested, queued->command, argv, queued->argc))
            cw_nested_run(&nested, queued->command, argv, queued->argc, hash);
    }
    cw_unit_end(engine);
    session->database = nested.database;
    session->protocol = nested.protocol;
}

void cw_exec_command(struct cw_call *call)
{
    struct cw_engine *engine = call->engine;
    if (!(call->session->flags & CW_SESSION_IN_MULTI)) {
        cw_reply_error(call, "ERR EXEC without MULTI");
        return;
    }
    cw_watches_look_for_expired(&engine->transactions->watches, call->session->transaction);
    struct cw_transaction *transaction = detach(engine, call->session);
    if (transaction->is_refused)
        cw_reply_error(call, "EXECABORT Transaction discarded because of previous errors.");
    else if (transaction->is_spoiled)
        resp_write_null_array(call->reply, call->protocol);
    else
        execute(call, transaction);
    give_back(engine, transaction);
}
