#include "cacheworker/engine/client_memory.h"

#include "cacheworker/block/block.h"
#include "cacheworker/pubsub/pubsub.h"
#include "cacheworker/txn/transaction.h"

#include <inttypes.h>

/* With less nobody could give an order any more: the reference's figure. */
enum { LIMIT_LEAST = CW_OUTPUT_JUDGED_FROM };

static size_t text_memory(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

size_t cw_session_memory(const struct cw_session *session)
{
    size_t bytes = sizeof(*session) + session->kept.capacity + session->out.capacity;
    bytes += text_memory(session->name) + text_memory(session->library_name) + text_memory(session->library_version);
    if (session->transaction != NULL)
        bytes += cw_transaction_memory(session->transaction);
    bytes += cw_block_memory(session->blocked);
    if (session->partial != NULL)
        bytes += resp_request_memory(session->partial);
    return bytes + cw_pubsub_memory_of(session);
}

/* In bytes; 0: none. */
static size_t asked_limit(const struct cw_settings *settings)
{
    int64_t limit = settings->maxmemory_clients;
    if (limit < 0)
        limit = (int64_t)((double)settings->eviction.limit_bytes * (double)-limit / 100);
    if (limit <= 0)
        return 0;
    return limit < LIMIT_LEAST ? LIMIT_LEAST : (size_t)limit;
}

size_t cw_client_memory_most(const struct cw_engine *engine)
{
    size_t most = engine->config.client_memory_max;
    if (most == 0)
        return SIZE_MAX;
    return most < LIMIT_LEAST ? LIMIT_LEAST : most;
}

static size_t limit_of(const struct cw_engine *engine)
{
    size_t most = cw_client_memory_most(engine);
    size_t asked = asked_limit(&engine->settings);
    return asked > 0 && asked < most ? asked : most;
}

bool cw_client_memory_exceeded(const struct cw_engine *engine)
{
    return engine->client_memory_bytes > limit_of(engine);
}

void cw_client_memory_note(struct cw_engine *engine, struct cw_session *session)
{
    if (session->kind != CW_LINK_CLIENT || engine->links[session->link] != session) { /* closed in this step */
        cw_client_memory_forget(engine, session);
        return;
    }
    size_t bytes = cw_session_memory(session);
    engine->client_memory_bytes += bytes - session->counted_bytes;
    session->counted_bytes = bytes;
    if (UNLIKELY(cw_client_memory_exceeded(engine)))
        engine->turn_wanted = true;
}

void cw_client_memory_forget(struct cw_engine *engine, struct cw_session *session)
{
    engine->client_memory_bytes -= session->counted_bytes;
    session->counted_bytes = 0;
}

static bool may_go(const struct cw_session *session)
{
    return session->counted_bytes > 0 && !(session->flags & (CW_SESSION_NO_EVICT | CW_SESSION_ATTACHED));
}

static size_t find_largest(const struct cw_engine *engine)
{
    size_t largest = 0;
    LIST_FOR_EACH(node, &engine->sessions)
    {
        const struct cw_session *session = LIST_ENTRY(node, struct cw_session, all);
        if (may_go(session) && session->counted_bytes > largest)
            largest = session->counted_bytes;
    }
    return largest;
}

static void evict(struct cw_engine *engine, struct cw_session *session)
{
    effect_log(engine->effects, LOG_LEVEL_NOTICE,
               "client id=%" PRIu64 " closed: it took %zu of the %zu bytes that all clients take", session->id,
               session->counted_bytes, engine->client_memory_bytes);
    engine->statistics.evicted_clients++;
    cw_session_abort(engine, session);
}

/* Closes those that take at least three quarters of what the largest takes, the oldest first, until there is room. A
 * round costs two looks at all sessions, and what the largest takes shrinks by a quarter with each. */
static bool evict_largest(struct cw_engine *engine, size_t limit)
{
    size_t least = find_largest(engine) / 4 * 3;
    if (least == 0)
        return false;
    LIST_FOR_EACH(node, &engine->sessions)
    {
        struct cw_session *session = LIST_ENTRY(node, struct cw_session, all);
        if (engine->client_memory_bytes <= limit)
            return false;
        if (may_go(session) && session->counted_bytes >= least)
            evict(engine, session);
    }
    return engine->client_memory_bytes > limit;
}

void cw_client_memory_turn(struct cw_engine *engine)
{
    if (LIKELY(!cw_client_memory_exceeded(engine)))
        return;
    size_t limit = limit_of(engine);
    while (evict_largest(engine, limit))
        continue;
}
