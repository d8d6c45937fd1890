/* route.h: what the proxy does with a command, derived from the command table. */
#ifndef PROXY_CORE_ROUTE_H
#define PROXY_CORE_ROUTE_H

#include "common/command/command.h"

enum px_route {
    PX_ROUTE_FORWARD, /* any link of the session's database and protocol will do */
    PX_ROUTE_OWN,     /* the session answers */
    PX_ROUTE_PING,    /* forwarded, but answered here by a subscriber of protocol 2 */
    PX_ROUTE_MULTI,
    PX_ROUTE_EXEC,
    PX_ROUTE_DISCARD,
    PX_ROUTE_WATCH,
    PX_ROUTE_UNWATCH,
    PX_ROUTE_SUBSCRIBE,
    PX_ROUTE_UNSUBSCRIBE,
    PX_ROUTE_MONITOR,
    PX_ROUTE_BLOCKING,      /* may wait in the worker: needs a link of its own */
    PX_ROUTE_WAIT,          /* the same, and asks about what the client has written */
    PX_ROUTE_BLOCKING_READ, /* does so only with a BLOCK argument */
    PX_ROUTE_SCRIPT,        /* forwarded, except what changes the connection */
    PX_ROUTE_REFUSED,       /* makes no sense through a proxy */
};

enum px_route px_route_of(const struct command *row);

/* Whether a command may be repeated when its answer was lost: it changes nothing. `row` may be NULL (unknown). */
bool px_route_is_repeatable(const struct command *row, const struct slice *argv, size_t argc);

/* Whether it runs a script or function of a client: what it answers may look like anything. `row` may be NULL. */
static inline bool px_route_runs_script(const struct command *row)
{
    return row != NULL && (row->categories & (1u << COMMAND_CATEGORY_SCRIPTING)) != 0;
}

/* Where a command of PX_ROUTE_BLOCKING_READ has its BLOCK option; 0: it has none. */
size_t px_route_block(const struct slice *argv, size_t argc);

#endif
