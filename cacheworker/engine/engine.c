#include "cacheworker/engine/engine.h"

#include "cacheworker/block/block.h"
#include "cacheworker/acl/share.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/repl/repl.h"
#include "cacheworker/script/scripting.h"
#include "cacheworker/txn/transaction_commands.h"

/* --- the step that runs now --- */

const struct cw_config *cw_engine_config(const struct cw_engine *engine)
{
    return &engine->config;
}

struct effects *cw_engine_effects(struct cw_engine *engine)
{
    return engine->effects;
}

int64_t cw_engine_now_ns(const struct cw_engine *engine)
{
    return engine->now_ns;
}

int64_t cw_engine_wall_us(const struct cw_engine *engine)
{
    return engine->wall_us;
}

struct cw_ha *cw_engine_ha(const struct cw_engine *engine)
{
    return engine->ha;
}

struct cw_repl *cw_engine_repl(const struct cw_engine *engine)
{
    return engine->repl;
}

struct cw_desk *cw_engine_desk(const struct cw_engine *engine)
{
    return engine->desk;
}

/* --- links --- */

static struct cw_session *session_of(const struct cw_engine *engine, link_id link)
{
    struct cw_session *session = cw_session_find(engine, link);
    CHECK(session != NULL);
    return session;
}

link_id cw_engine_connect(struct cw_engine *engine, enum cw_link_kind kind, const struct address *address)
{
    CHECK(kind == CW_LINK_MASTER);
    struct cw_session *session = cw_session_open(engine, kind, address);
    effect_connect(engine->effects, session->link, address);
    return session->link;
}

void cw_engine_become_replica(struct cw_engine *engine, link_id link)
{
    struct cw_session *session = session_of(engine, link);
    CHECK(session->kind == CW_LINK_CLIENT);
    cw_transaction_discard(engine, session);
    session->kind = CW_LINK_REPLICA;
    if (session->flags & CW_SESSION_COUNTED)
        engine->clients--;
    session->flags &= ~(uint32_t)(CW_SESSION_COUNTED | CW_SESSION_SURPLUS);
    /* Requests that stand behind the PSYNC go on being read, as a replica's. */
    list_remove(&session->ready);
    if (cw_session_has_input(session)) {
        list_add_last(&engine->replicas_ready, &session->ready);
        engine->turn_wanted = true;
    }
}

void cw_engine_attach(struct cw_engine *engine, link_id link)
{
    struct cw_session *session = session_of(engine, link);
    if (session->flags & CW_SESSION_COUNTED)
        engine->clients--;
    session->flags &= ~(uint32_t)(CW_SESSION_COUNTED | CW_SESSION_SURPLUS);
    session->flags |= CW_SESSION_ATTACHED;
    cw_access_begin(engine, session);
}

bool cw_engine_attach_as(struct cw_engine *engine, link_id link, struct slice user)
{
    struct cw_acl_user *known = cw_acl_find(&engine->access.acl, user);
    if (known == NULL || !known->enabled)
        return false;
    cw_engine_attach(engine, link);
    cw_access_enter(session_of(engine, link), known);
    return true;
}

void cw_engine_take_reads(struct cw_engine *engine, link_id link)
{
    session_of(engine, link)->flags |= CW_SESSION_READS;
}

bool cw_engine_is_attached(const struct cw_engine *engine, link_id link)
{
    return session_of(engine, link)->flags & CW_SESSION_ATTACHED;
}

void cw_engine_answer_login(struct cw_engine *engine, link_id link, const struct slice *words, size_t count)
{
    cw_access_answer_login(engine, session_of(engine, link), words, count);
}

void cw_engine_answer_may(struct cw_engine *engine, link_id link, const struct slice *argv, size_t argc)
{
    struct cw_session *session = session_of(engine, link);
    const struct command *command = command_resolve(argv, argc);
    struct buf *out = cw_session_out(engine, session);
    bool is_restricted = (session->flags & CW_SESSION_RESTRICTED) && command != NULL;
    if (!is_restricted || !cw_access_refuses(engine, session, CW_ACCESS_OWN, command, argv, argc, out))
        resp_write_ok(out);
}

bool cw_engine_is_authenticated(const struct cw_engine *engine, link_id link)
{
    return session_of(engine, link)->flags & CW_SESSION_AUTHENTICATED;
}

enum cw_link_kind cw_engine_link_kind(const struct cw_engine *engine, link_id link)
{
    const struct cw_session *session = cw_session_find(engine, link);
    return session != NULL ? session->kind : CW_LINK_FREE;
}

const struct address *cw_engine_link_peer(const struct cw_engine *engine, link_id link)
{
    return &session_of(engine, link)->peer;
}

void cw_engine_set_link_context(struct cw_engine *engine, link_id link, void *context)
{
    session_of(engine, link)->context = context;
}

void *cw_engine_link_context(const struct cw_engine *engine, link_id link)
{
    return session_of(engine, link)->context;
}

struct buf *cw_engine_output(struct cw_engine *engine, link_id link)
{
    return cw_session_out(engine, session_of(engine, link));
}

void cw_engine_flush(struct cw_engine *engine, link_id link)
{
    cw_session_flush(engine, session_of(engine, link));
}

void cw_engine_close(struct cw_engine *engine, link_id link)
{
    cw_session_close(engine, session_of(engine, link));
}

void cw_engine_drain(struct cw_engine *engine, link_id link)
{
    cw_session_drain(engine, session_of(engine, link));
}

/* --- roles --- */

void cw_engine_gate_opened(struct cw_engine *engine)
{
    engine->turn_wanted = true;
    LIST_FOR_EACH(node, &engine->sessions)
    {
        struct cw_session *session = LIST_ENTRY(node, struct cw_session, all);
        if (session->kind == CW_LINK_CLIENT && buf_length(&session->out) > 0)
            cw_session_flush(engine, session);
    }
}

void cw_engine_release(struct cw_engine *engine, uint64_t released)
{
    LIST_FOR_EACH(node, &engine->held)
    cw_session_release(engine, LIST_ENTRY(node, struct cw_session, held), released);
}

uint64_t cw_engine_released(const struct cw_engine *engine)
{
    uint64_t by_replicas = cw_ha_released(engine->ha);
    uint64_t by_disk = cw_aof_released(engine);
    return by_replicas < by_disk ? by_replicas : by_disk;
}

struct cw_pending_writes *cw_engine_pending_writes(struct cw_engine *engine)
{
    return &engine->pending_writes;
}

void cw_engine_master_login(const struct cw_engine *engine, struct slice *ret_user, struct slice *ret_password)
{
    *ret_user = engine->settings.masteruser;
    *ret_password = engine->settings.masterauth;
}

uint64_t cw_engine_full_sync_room(const struct cw_engine *engine)
{
    enum { USUAL = 256 << 20 };
    const struct cw_settings *settings = &engine->settings;
    size_t hard = settings->output.of[CW_OUTPUT_REPLICA].hard;
    if (settings->replication.full_sync_bytes > 0)
        return (uint64_t)settings->replication.full_sync_bytes;
    return hard > 0 ? hard : USUAL;
}

const struct cw_repl_settings *cw_engine_repl_settings(const struct cw_engine *engine)
{
    return &engine->settings.replication;
}

bool cw_engine_is_paused(const struct cw_engine *engine)
{
    return engine->pause_until_ns > 0;
}

bool cw_engine_has_aof(const struct cw_engine *engine)
{
    return engine->aof.state == CW_AOF_ON;
}

bool cw_engine_is_ending(const struct cw_engine *engine)
{
    return engine->shutdown.state != CW_SHUTDOWN_NONE;
}

void cw_engine_pause_for_failover(struct cw_engine *engine, bool pauses)
{
    if (engine->pause_until_ns == 0)
        engine->pause_writes_only = true;
    engine->pause_until_ns = pauses ? NEVER_NS : 0;
    engine->turn_wanted = true;
}

bool cw_engine_aof_failed(const struct cw_engine *engine)
{
    return engine->aof.error < 0;
}

bool cw_engine_serves_stale(const struct cw_engine *engine)
{
    return engine->settings.serves_stale;
}

#define TERM_IS_OVER "NOTMASTER this node's term as master is over; the command was not executed"

/* A command that waits for keys has done nothing yet. */
static void refuse_blocked(struct cw_engine *engine, struct cw_session *session)
{
    if (session->blocked == NULL)
        return;
    cw_block_forget(engine, session);
    resp_write_error(cw_session_out(engine, session), SLICE_LITERAL(TERM_IS_OVER));
}

/* Answers what was read and not executed, where that can still be answered in order. */
static void refuse_unexecuted(struct cw_engine *engine, struct cw_session *session)
{
    struct resp_request request = {0};
    while (cw_session_next_request(session, &engine->settings.limits, &request) > 0) {
        if (request.argc == 0)
            continue;
        resp_write_error(cw_session_out(engine, session), SLICE_LITERAL(TERM_IS_OVER));
    }
    resp_request_free(&request);
}

void cw_engine_end_term(struct cw_engine *engine)
{
    engine->turn_wanted = true;
    LIST_FOR_EACH(node, &engine->sessions)
    {
        struct cw_session *session = LIST_ENTRY(node, struct cw_session, all);
        if (session->kind != CW_LINK_CLIENT)
            continue;
        bool owes = buf_length(&session->out) > 0 && !(session->flags & CW_SESSION_UNGATED);
        bool is_in_wait = (session->flags & CW_SESSION_WAITING) && session->blocked == NULL;
        if (owes || is_in_wait || (session->flags & CW_SESSION_CLOSING)) {
            cw_session_close(engine, session);
            continue;
        }
        refuse_blocked(engine, session);
        refuse_unexecuted(engine, session);
        session->flags |= CW_SESSION_UNGATED;
        if (buf_length(&session->out) > 0)
            cw_session_flush(engine, session);
        cw_session_drain(engine, session);
    }
}

int64_t cw_engine_waiting_since_ns(const struct cw_engine *engine)
{
    int64_t oldest_ns = 0;
    LIST_FOR_EACH(node, &engine->sessions)
    {
        const struct cw_session *session = LIST_ENTRY(node, struct cw_session, all);
        if (session->kind != CW_LINK_CLIENT || session->waiting_since_ns == 0 ||
            (session->flags & (CW_SESSION_CLOSING | CW_SESSION_WAITING)))
            continue;
        if (oldest_ns == 0 || session->waiting_since_ns < oldest_ns)
            oldest_ns = session->waiting_since_ns;
    }
    return oldest_ns;
}

bool cw_engine_is_busy(const struct cw_engine *engine)
{
    return (engine->sleep_until_ns > 0 && engine->now_ns - engine->sleep_since_ns > NS_PER_S) ||
           (engine->long_command.is_left && engine->now_ns - engine->long_command.began_ns > NS_PER_S);
}

bool cw_engine_is_in_command(const struct cw_engine *engine)
{
    return engine->long_command.is_left;
}

void cw_engine_end_command(struct cw_engine *engine, const char *words)
{
    cw_long_end(engine, words);
}

/* --- data --- */

struct cw_keyspace *cw_engine_keyspace(struct cw_engine *engine)
{
    return engine->keyspace;
}

void cw_engine_note_loaded(struct cw_engine *engine, uint64_t left_out)
{
    engine->loaded_keys = 0;
    engine->due_keys = left_out;
    for (unsigned i = 0; i < engine->config.databases; i++)
        engine->loaded_keys += cw_keyspace_count(engine->keyspace, i);
}

bool cw_engine_is_loading(const struct cw_engine *engine)
{
    return engine->loading.is_running || engine->loading.has_failed;
}

void cw_engine_discard_keyspace(struct cw_engine *engine, struct cw_keyspace *keyspace)
{
    cw_leaving_add(&engine->leaving, keyspace);
    engine->freeing = true;
}

void cw_engine_install_keyspace(struct cw_engine *engine, struct cw_keyspace *keyspace)
{
    cw_background_save_leave(engine);
    cw_keyspace_swap(engine->keyspace, keyspace);
    cw_engine_discard_keyspace(engine, keyspace);
    engine->expire = (struct cw_expire){0};
    engine->keyspace_generation++;
    cw_changes_tell_replaced(&engine->changes);
    if (cw_pending_writes_are_noted(&engine->pending_writes))
        cw_pending_writes_settle_all(&engine->pending_writes, cw_repl_offset(engine->repl));
    cw_aof_data_replaced(engine);
}

void cw_engine_write_users(const struct cw_engine *engine, struct buf *out)
{
    cw_share_write(engine, out);
}

int cw_engine_take_users(struct cw_engine *engine, struct slice record)
{
    return cw_share_apply(engine, record);
}

struct slice cw_engine_programs(struct cw_engine *engine)
{
    return cw_scripting_dump(engine->scripting);
}

void cw_engine_install_programs(struct cw_engine *engine, struct slice items)
{
    cw_scripting_restore(engine->scripting, items);
}
