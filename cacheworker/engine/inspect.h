/* inspect.h: what oracles and tests may see of a worker. It changes nothing; pointers are borrowed until the next step.
 */
#ifndef CACHEWORKER_ENGINE_INSPECT_H
#define CACHEWORKER_ENGINE_INSPECT_H

#include "cacheworker/engine/digest.h"
#include "cacheworker/engine/worker.h"
#include "common/ha/messages.h"
#include "common/ha/topology.h"

const struct topology *cw_inspect_topology(const struct cw_worker *worker); /* version 0: none */
const struct history *cw_inspect_history(const struct cw_worker *worker);
const struct life *cw_inspect_life(const struct cw_worker *worker);
enum node_role cw_inspect_role(const struct cw_worker *worker);
uint64_t cw_inspect_epoch(const struct cw_worker *worker); /* of the role */
uint64_t cw_inspect_fence(const struct cw_worker *worker);

/* Whether a master's reply would leave at `now_ns`. */
bool cw_inspect_may_acknowledge(const struct cw_worker *worker, int64_t now_ns);

/* The signature of its data, as far as a reader would find them. False: it has none. */
bool cw_inspect_digest(const struct cw_worker *worker, int64_t wall_ms, struct cw_digest *ret_digest);

/* Whether it still loads its data; whether it found data that it could not read whole, and has taken no others since.
 */
bool cw_inspect_is_loading(const struct cw_worker *worker);
bool cw_inspect_is_damaged(const struct cw_worker *worker);

/* When the newest picture for dump.rdb was begun, on its clock, at the end of that turn's commands; 0: none was. */
int64_t cw_inspect_save_began_ns(const struct cw_worker *worker);

/* Of which stream its data are, and as of where (repl.h). */
bool cw_inspect_position(const struct cw_worker *worker, struct slice *ret_id, uint64_t *ret_offset);

/* The last offset of the stream that replies which leave now may show. */
uint64_t cw_inspect_released_offset(const struct cw_worker *worker);

enum cw_inspected_link {
    CW_INSPECTED_OTHER,   /* replication, or not a link */
    CW_INSPECTED_GATED,   /* a client's or a proxy's, and what leaves on it answers commands on the data set */
    CW_INSPECTED_UNGATED, /* a client's or a proxy's, but what leaves on it says nothing of the data set */
};

enum cw_inspected_link cw_inspect_link(const struct cw_worker *worker, link_id link);

#endif
