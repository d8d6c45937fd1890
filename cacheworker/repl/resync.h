/* resync.h: whether a replica may continue, and what its history becomes. Pure. */
#ifndef CACHEWORKER_REPL_RESYNC_H
#define CACHEWORKER_REPL_RESYNC_H

#include "common/ha/topology.h"

/* A replica continues when its history is a prefix of the master's, is not empty, and the stream behind its last offset
 * is still held: first <= last offset <= the master's. */
bool cw_may_continue(const struct history *replica, const struct history *master, uint64_t backlog_first);

/* What a replica that holds `own` bytes of the master's stream may call its history: the master's entries that begin
 * at its last offset or before. A later epoch's entry is added only when its first byte is next: else it would claim an
 * epoch that it has not reached, and win an election with it. */
void cw_history_advance(struct history *own, const struct history *master);

#endif
