#include "cacheworker/engine/wait.h"

#include "cacheworker/block/block.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/repl/repl.h"
#include "common/base/number.h"

#define WITHOUT_DISK "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."

/* What is waited for, and how far that is. */
struct wait {
    bool is_of_disks; /* WAITAOF */
    uint64_t offset;
    int64_t local;
    int64_t replicas;
};

struct holders {
    int64_t local;
    int64_t replicas;
};

static struct holders find_holders(const struct cw_engine *engine, const struct wait *wait)
{
    if (!wait->is_of_disks)
        return (struct holders){.replicas = cw_repl_acknowledged(engine->repl, wait->offset)};
    return (struct holders){.local = cw_aof_is_synced(engine, wait->offset),
                            .replicas = cw_repl_synced(engine->repl, wait->offset)};
}

static bool is_enough(const struct wait *wait, const struct holders *holders)
{
    return holders->local >= wait->local && holders->replicas >= wait->replicas;
}

static void write_holders(const struct wait *wait, const struct holders *holders, struct buf *out)
{
    if (wait->is_of_disks) {
        resp_write_array(out, 2);
        resp_write_integer(out, holders->local);
    }
    resp_write_integer(out, holders->replicas);
}

/* --- those that wait --- */

static struct wait wait_of(const struct cw_session *session)
{
    return (struct wait){.is_of_disks = session->waits_for_disks,
                         .offset = session->wait_offset,
                         .local = session->wait_local,
                         .replicas = session->wait_replicas};
}

static void look_at(struct cw_engine *engine, struct cw_session *session)
{
    struct wait wait = wait_of(session);
    struct holders holders = find_holders(engine, &wait);
    struct buf *out = cw_session_out(engine, session);
    if (cw_repl_stock_master(engine->repl) != NULL)
        resp_write_error(out, SLICE_LITERAL(CW_ERROR_ROLE_CHANGED));
    else if (wait.local > 0 && engine->aof.state == CW_AOF_OFF)
        resp_write_error(out, SLICE_LITERAL(WITHOUT_DISK));
    else if (is_enough(&wait, &holders) || engine->now_ns >= session->wait_deadline_ns)
        write_holders(&wait, &holders, out);
    else
        return;
    cw_session_resume(engine, session);
}

void cw_waits_turn(struct cw_engine *engine)
{
    LIST_FOR_EACH(node, &engine->waiting)
    {
        struct cw_session *session = LIST_ENTRY(node, struct cw_session, waiting);
        if (!session->waits_for_shutdown)
            look_at(engine, session);
    }
}

/* --- commands --- */

static void begin(struct cw_call *call, struct wait wait, int64_t timeout_ms)
{
    struct cw_engine *engine = call->engine;
    struct cw_session *session = call->session;
    bool is_proxys = session->flags & CW_SESSION_ATTACHED; /* its client's writes may have come by another link */
    wait.offset = is_proxys ? cw_repl_offset(engine->repl) : session->stream_offset;
    struct holders holders = find_holders(engine, &wait);
    if (is_enough(&wait, &holders) || (call->flags & CW_CALL_DENY_BLOCKING)) {
        write_holders(&wait, &holders, call->reply);
        return;
    }
    session->flags |= CW_SESSION_WAITING;
    session->waits_for_disks = wait.is_of_disks;
    session->wait_offset = wait.offset;
    session->wait_local = wait.local;
    session->wait_replicas = wait.replicas;
    session->wait_deadline_ns = cw_block_deadline(engine, timeout_ms);
    list_remove(&session->ready);
    list_add_last(&engine->waiting, &session->waiting);
    cw_repl_request_acks(engine->repl);
}

void cw_wait_command(struct cw_call *call)
{
    int64_t replicas, timeout_ms;
    if (call->engine->serving != CW_SERVING_MASTER) {
        cw_reply_error(call, "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if "
                             "a replica is configured to be writable (which is not the default) writes to replicas "
                             "are just local and are not propagated.");
        return;
    }
    if (number_parse_i64(call->argv[1], &replicas) < 0) {
        cw_reply_error(call, CW_ERROR_NOT_INTEGER);
        return;
    }
    if (cw_call_timeout_ms(call, 2, &timeout_ms))
        begin(call, (struct wait){.replicas = replicas}, timeout_ms);
}

void cw_waitaof_command(struct cw_call *call)
{
    struct wait wait = {.is_of_disks = true};
    int64_t timeout_ms;
    if (!cw_call_integer(call, 1, &wait.local))
        return;
    if (wait.local < 0 || wait.local > 1) {
        cw_reply_error(call, "ERR value is out of range, must be between 0 and 1");
        return;
    }
    if (number_parse_i64(call->argv[2], &wait.replicas) < 0 || wait.replicas < 0) {
        cw_reply_error(call, "ERR value is out of range, must be positive");
        return;
    }
    if (!cw_call_timeout_ms(call, 3, &timeout_ms))
        return;
    if (call->engine->serving != CW_SERVING_MASTER)
        cw_reply_error(call, "ERR WAITAOF cannot be used with replica instances. Please also note that writes to "
                             "replicas are just local and are not propagated.");
    else if (wait.local > 0 && call->engine->aof.state == CW_AOF_OFF)
        cw_reply_error(call, WITHOUT_DISK);
    else
        begin(call, wait, timeout_ms);
}
