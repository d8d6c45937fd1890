/* parked.h: a command that waits in a worker, and what another worker is asked when this one is lost (ADR 9).
 *
 * A worker that finds nothing for BLPOP or its like says so to a proxy, and that is all that it has done until it
 * answers (cacheworker/block/block.h):
 *
 *     >3 respite-parked id [command, argument ...]
 *
 * The id is the worker's, for CLIENT UNBLOCK. The command is what goes on from there, with "$" of XREAD resolved. Asked
 * of another worker it has what is left of its time, counted from when it was first parked. */
#ifndef PROXY_CORE_PARKED_H
#define PROXY_CORE_PARKED_H

#include "common/base/buf.h"
#include "common/resp/resp_reader.h"

/* A zeroed one is of no command. */
struct px_parked {
    struct buf command; /* owned; an array of bulk strings; empty: none was parked */
    int64_t until_ns;   /* when its time is over; NEVER_NS: never */
    uint64_t worker_id; /* of the session there, while is_here */
    bool is_here;       /* on the present connection: nothing but its answer can follow */
};

static inline bool px_parked_is_any(const struct px_parked *parked)
{
    return buf_length(&parked->command) > 0;
}

/* Whether this frame is what a worker says when it parks a command. */
bool px_parked_is_said(struct slice frame);

/* It is said at now_ns, of the command at hand. What is not as above is ignored. */
void px_parked_take(struct px_parked *parked, struct slice frame, const struct resp_limits *limits, int64_t now_ns);

/* The command for another worker, with what is left of its time, and 1 ms at least. */
void px_parked_write(const struct px_parked *parked, const struct resp_limits *limits, int64_t now_ns, struct buf *out);

void px_parked_forget(struct px_parked *parked); /* the command at hand has its answer */
void px_parked_free(struct px_parked *parked);

#endif
