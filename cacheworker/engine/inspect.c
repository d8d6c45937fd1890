#include "cacheworker/engine/inspect.h"

#include "cacheworker/engine/session.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/repl/repl.h"

const struct topology *cw_inspect_topology(const struct cw_worker *worker)
{
    return cw_ha_topology(worker->engine.ha);
}

const struct history *cw_inspect_history(const struct cw_worker *worker)
{
    return cw_repl_history(worker->engine.repl);
}

const struct life *cw_inspect_life(const struct cw_worker *worker)
{
    return cw_ha_life(worker->engine.ha);
}

enum node_role cw_inspect_role(const struct cw_worker *worker)
{
    return cw_ha_role(worker->engine.ha);
}

uint64_t cw_inspect_epoch(const struct cw_worker *worker)
{
    return cw_ha_epoch(worker->engine.ha);
}

uint64_t cw_inspect_fence(const struct cw_worker *worker)
{
    return cw_ha_fence(worker->engine.ha);
}

bool cw_inspect_may_acknowledge(const struct cw_worker *worker, int64_t now_ns)
{
    return cw_ha_has_lease(worker->engine.ha, now_ns);
}

bool cw_inspect_is_loading(const struct cw_worker *worker)
{
    return cw_engine_is_loading(&worker->engine);
}

bool cw_inspect_is_damaged(const struct cw_worker *worker)
{
    return cw_repl_is_damaged(worker->engine.repl);
}

int64_t cw_inspect_save_began_ns(const struct cw_worker *worker)
{
    return worker->engine.background_save.began_ns;
}

bool cw_inspect_position(const struct cw_worker *worker, struct slice *ret_id, uint64_t *ret_offset)
{
    return cw_repl_position(worker->engine.repl, ret_id, ret_offset);
}

uint64_t cw_inspect_released_offset(const struct cw_worker *worker)
{
    uint64_t end = cw_repl_offset(worker->engine.repl);
    uint64_t released = cw_ha_released(worker->engine.ha);
    return released < end ? released : end;
}

enum cw_inspected_link cw_inspect_link(const struct cw_worker *worker, link_id link)
{
    const struct cw_session *session = cw_session_find(&worker->engine, link);
    if (session == NULL || session->kind != CW_LINK_CLIENT)
        return CW_INSPECTED_OTHER;
    return session->flags & CW_SESSION_UNGATED ? CW_INSPECTED_UNGATED : CW_INSPECTED_GATED;
}

bool cw_inspect_digest(const struct cw_worker *worker, int64_t wall_ms, struct cw_digest *ret_digest)
{
    return cw_digest_keyspace(worker->engine.keyspace, wall_ms, ret_digest);
}
