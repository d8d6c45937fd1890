/* How waiting ends: served, too late, or told to. */
#include "cacheworker/block/block.h"
#include "cacheworker/engine/dispatch.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/info/timing.h"
#include "cacheworker/keyspace/keyspace.h"

void cw_block_end(struct cw_engine *engine, struct cw_session *session, const char *error)
{
    const struct command *command = session->blocked->command;
    struct buf *out = cw_session_out(engine, session);
    size_t before = buf_length(out);
    if (error != NULL)
        resp_write_error(out, slice_text(error));
    else
        resp_write_null_array(out, session->protocol);
    cw_block_forget(engine, session);
    engine->statistics.commands[command->id].calls++;
    engine->statistics.total_commands++;
    cw_dispatch_answered(engine, session, command, before);
    cw_session_resume(engine, session);
}

void cw_block_end_all(struct cw_engine *engine, const char *error)
{
    LIST_FOR_EACH(node, &engine->sessions)
    {
        struct cw_session *session = LIST_ENTRY(node, struct cw_session, all);
        if (session->kind == CW_LINK_CLIENT && session->blocked != NULL)
            cw_block_end(engine, session, error);
    }
}

void cw_block_turn(struct cw_engine *engine)
{
    struct cw_waiter *waiter;
    while ((waiter = cw_waiters_due(&engine->waiters, engine->now_ns)) != NULL)
        cw_block_end(engine, CONTAINER_OF(waiter, struct cw_blocked, waiter)->session, NULL);
}

/* --- serving --- */

/* What the command took is noted when it was executed at last. A session that is closed meanwhile waits no more. */
static void execute_again(struct cw_engine *engine, struct cw_session *session)
{
    const struct cw_blocked *blocked = session->blocked;
    int64_t (*stopwatch_ns)(void) = engine->config.stopwatch_ns;
    int64_t began_ns = stopwatch_ns != NULL ? stopwatch_ns() : 0;
    if (!cw_dispatch_again(engine, session, blocked->command, blocked->argv, blocked->argc) || session->blocked == NULL)
        return;
    if (stopwatch_ns != NULL)
        cw_timing_note(engine, session, blocked->command, blocked->argv, blocked->argc, stopwatch_ns() - began_ns);
    cw_block_forget(engine, session);
    cw_session_resume(engine, session);
}

/* What the waiters of a key find there. A key that is due is gone for them; it is not for them to delete it. */
static const struct cw_entry *entry_of(const struct cw_engine *engine, const struct cw_interest *interest)
{
    struct slice name = cw_interest_key(interest);
    uint64_t hash = cw_keyspace_hash(engine->keyspace, name);
    const struct cw_entry *entry = cw_keyspace_standing(engine->keyspace, interest->database, name, hash);
    return entry != NULL && !cw_keyspace_is_due(engine->keyspace, entry, engine->wall_us / 1000) ? entry : NULL;
}

static void serve_key(struct cw_engine *engine)
{
    struct cw_turns turns;
    struct cw_waiter *waiter;
    cw_turns_begin(&engine->waiters, &turns);
    while ((waiter = cw_turns_next(&turns)) != NULL) {
        const struct cw_entry *entry = entry_of(engine, &turns.key->interest);
        struct cw_session *session = CONTAINER_OF(waiter, struct cw_blocked, waiter)->session;
        if (entry == NULL && turns.key->ending == 0)
            break; /* nothing is left for all the others */
        bool has_type = entry != NULL && cw_entry_type(entry) == waiter->type;
        if ((has_type || waiter->ends_without_key) && !(session->flags & CW_SESSION_CLOSING))
            execute_again(engine, session);
    }
    cw_turns_end(&engine->waiters, &turns);
}

void cw_block_serve(struct cw_engine *engine)
{
    while (engine->unit.depth == 0 && engine->sleep_until_ns == 0 && cw_waiters_have_ready(&engine->waiters))
        serve_key(engine);
}
