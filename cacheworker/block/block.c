#include "cacheworker/block/block.h"

#include "cacheworker/engine/state.h"
#include "cacheworker/string/long_double.h"
#include "common/base/mem.h"

/* --- waiting --- */

bool cw_call_timeout(struct cw_call *call, size_t index, int64_t *ret_timeout_ms)
{
    const char *error = NULL;
    long double seconds;
    if (cw_long_double_parse(call->argv[index], &seconds) < 0)
        error = "ERR timeout is not a float or out of range";
    else if (seconds * 1000 > (long double)(INT64_MAX - call->now_ms))
        error = "ERR timeout is out of range";
    else if (seconds * 1000 <= -1)
        error = "ERR timeout is negative";
    if (error != NULL) {
        cw_reply_error(call, error);
        return false;
    }
    int64_t whole_ms = (int64_t)(seconds * 1000);
    *ret_timeout_ms = whole_ms + (seconds * 1000 > (long double)whole_ms); /* not a moment too early */
    return true;
}

bool cw_call_timeout_ms(struct cw_call *call, size_t index, int64_t *ret_timeout_ms)
{
    const char *error = NULL;
    int64_t timeout_ms;
    if (number_parse_i64(call->argv[index], &timeout_ms) < 0)
        error = "ERR timeout is not an integer or out of range";
    else if (timeout_ms < 0)
        error = "ERR timeout is negative";
    else if (timeout_ms > INT64_MAX - call->now_ms)
        error = "ERR timeout is out of range";
    if (error != NULL)
        cw_reply_error(call, error);
    else
        *ret_timeout_ms = timeout_ms;
    return error == NULL;
}

static struct cw_blocked *create(const struct cw_call *call, const struct slice *argv)
{
    size_t bytes = sizeof(struct cw_blocked) + call->argc * sizeof(struct slice);
    for (size_t i = 0; i < call->argc; i++)
        bytes += argv[i].length;
    struct cw_blocked *blocked = mem_alloc(bytes);
    *blocked =
        (struct cw_blocked){.session = call->session, .command = call->command, .argc = call->argc, .bytes = bytes};
    char *at = (char *)&blocked->argv[call->argc];
    for (size_t i = 0; i < call->argc; i++) {
        if (argv[i].length > 0)
            memcpy(at, argv[i].data, argv[i].length);
        blocked->argv[i] = slice_of(at, argv[i].length);
        at += argv[i].length;
    }
    return blocked;
}

int64_t cw_block_deadline(const struct cw_engine *engine, int64_t timeout_ms)
{
    int64_t deadline_ns;
    if (timeout_ms == 0 || __builtin_mul_overflow(timeout_ms, NS_PER_MS, &deadline_ns) ||
        __builtin_add_overflow(deadline_ns, engine->now_ns, &deadline_ns))
        return NEVER_NS;
    return deadline_ns;
}

void cw_block(struct cw_call *call, const struct cw_blocking *blocking)
{
    struct cw_engine *engine = call->engine;
    struct cw_session *session = call->session;
    call->is_blocked = true;
    if (call->flags & CW_CALL_AGAIN)
        return; /* it waits already, and goes on */
    struct cw_blocked *blocked = create(call, blocking->argv != NULL ? blocking->argv : call->argv);
    blocked->waiter.type = blocking->type;
    blocked->waiter.ends_without_key = blocking->ends_without_key;
    cw_waiters_add(&engine->waiters, &blocked->waiter, call->database, blocking->keys, blocking->key_count,
                   cw_block_deadline(engine, blocking->timeout_ms));
    session->blocked = blocked;
    session->flags |= CW_SESSION_WAITING;
    list_remove(&session->ready);
}

/* --- the end of it --- */

void cw_block_forget(struct cw_engine *engine, struct cw_session *session)
{
    if (session->blocked == NULL)
        return;
    cw_waiters_remove(&engine->waiters, &session->blocked->waiter);
    mem_free(session->blocked);
    session->blocked = NULL;
}

void cw_block_describe(const struct cw_blocked *blocked, struct buf *out)
{
    resp_write_push(out, 3, 3); /* also to RESP2: nobody but a proxy reads it */
    resp_write_bulk_text(out, "respite-parked");
    resp_write_bulk_u64(out, blocked->session->id);
    resp_write_array(out, blocked->argc);
    for (size_t i = 0; i < blocked->argc; i++)
        resp_write_bulk(out, blocked->argv[i]);
}

size_t cw_block_memory(const struct cw_blocked *blocked)
{
    return blocked != NULL ? blocked->bytes : 0;
}
