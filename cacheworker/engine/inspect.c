#include "cacheworker/engine/inspect.h"

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
    return cw_ha_role(worker->engine.ha) == ROLE_MASTER && cw_ha_may_reply(worker->engine.ha, now_ns);
}
