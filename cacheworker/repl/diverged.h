/* diverged.h: what a node holds and the branch that it must follow does not.
 *
 * A master that was cut off has written on; when it comes back to another one's branch, a full sync replaces its data.
 * What is lost with them is kept in a file before, and counted: as the commands themselves ("diverged-<epoch>.aof",
 * which redis-server --appendonly reads), where the backlog still has them. Otherwise the caller keeps the whole data
 * set ("diverged-<epoch>.rdb"). The epoch is the one in which the discarded writes were made. QUORUM section 6. */
#ifndef CACHEWORKER_REPL_DIVERGED_H
#define CACHEWORKER_REPL_DIVERGED_H

#include "cacheworker/repl/backlog.h"
#include "common/base/check.h"
#include "common/base/door.h"
#include "common/ha/topology.h"

enum { CW_TAIL_NAME_MAX = 48 };

struct cw_tail {
    uint64_t epoch;
    uint64_t first; /* offset up to which both histories are one */
    uint64_t end;   /* our last offset */
};

/* Since the start. */
struct cw_diverged {
    uint64_t tails;
    uint64_t writes; /* commands; of tails that were no longer in the backlog not known, and not counted */
    uint64_t bytes;
};

/* False: `ours` is a prefix of `theirs`, and nothing is lost. Pure. */
bool cw_tail_find(const struct history *ours, const struct history *theirs, struct cw_tail *ret_tail);

bool cw_tail_is_held(const struct cw_tail *tail, const struct cw_backlog *backlog);

void cw_tail_name(const struct cw_tail *tail, const char *suffix, char name[CW_TAIL_NAME_MAX]);

/* How many writes there are in a tail that is held. */
uint64_t cw_tail_writes(const struct cw_tail *tail, const struct cw_backlog *backlog);

/* Writes the commands of a tail that is held, behind a SELECT of the database that they begin in. ERR_IO,
 * ERR_DISK_FULL. */
MUST_CHECK int cw_tail_write(const struct cw_tail *tail, const struct cw_backlog *backlog,
                             const struct storage *storage);

#endif
