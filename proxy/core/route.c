#include "proxy/core/route.h"

#include "common/command/command_id.h"

/* What the flags of a row do not say. Subscribing, transactions and the like are states of a connection, and the
 * table has no flag for that. Zero is PX_ROUTE_FORWARD. */
static const uint8_t named_routes[COMMAND_ID_COUNT] = {
    [COMMAND_ID_HELLO] = PX_ROUTE_OWN,
    [COMMAND_ID_AUTH] = PX_ROUTE_OWN,
    [COMMAND_ID_SELECT] = PX_ROUTE_OWN,
    [COMMAND_ID_CLIENT] = PX_ROUTE_OWN,
    [COMMAND_ID_QUIT] = PX_ROUTE_OWN,
    [COMMAND_ID_RESET] = PX_ROUTE_OWN,
    [COMMAND_ID_RESPITE] = PX_ROUTE_OWN,
    [COMMAND_ID_PING] = PX_ROUTE_PING,
    [COMMAND_ID_MULTI] = PX_ROUTE_MULTI,
    [COMMAND_ID_EXEC] = PX_ROUTE_EXEC,
    [COMMAND_ID_DISCARD] = PX_ROUTE_DISCARD,
    [COMMAND_ID_WATCH] = PX_ROUTE_WATCH,
    [COMMAND_ID_UNWATCH] = PX_ROUTE_UNWATCH,
    [COMMAND_ID_SUBSCRIBE] = PX_ROUTE_SUBSCRIBE,
    [COMMAND_ID_PSUBSCRIBE] = PX_ROUTE_SUBSCRIBE,
    [COMMAND_ID_SSUBSCRIBE] = PX_ROUTE_SUBSCRIBE,
    [COMMAND_ID_UNSUBSCRIBE] = PX_ROUTE_UNSUBSCRIBE,
    [COMMAND_ID_PUNSUBSCRIBE] = PX_ROUTE_UNSUBSCRIBE,
    [COMMAND_ID_SUNSUBSCRIBE] = PX_ROUTE_UNSUBSCRIBE,
    [COMMAND_ID_MONITOR] = PX_ROUTE_MONITOR,
    [COMMAND_ID_WAIT] = PX_ROUTE_WAIT,
    [COMMAND_ID_WAITAOF] = PX_ROUTE_WAIT,
    [COMMAND_ID_XREAD] = PX_ROUTE_BLOCKING_READ,
    [COMMAND_ID_XREADGROUP] = PX_ROUTE_BLOCKING_READ,
    [COMMAND_ID_SCRIPT] = PX_ROUTE_SCRIPT,
    [COMMAND_ID_SYNC] = PX_ROUTE_REFUSED,
    [COMMAND_ID_PSYNC] = PX_ROUTE_REFUSED,
    [COMMAND_ID_REPLCONF] = PX_ROUTE_REFUSED,
};

enum px_route px_route_of(const struct command *row)
{
    enum px_route route = (enum px_route)named_routes[row->id];
    return route == PX_ROUTE_FORWARD && (row->flags & COMMAND_BLOCKING) ? PX_ROUTE_BLOCKING : route;
}

/* They carry no read-only flag, for they touch no key; nor do they change anything. */
static bool is_harmless(const struct command *row)
{
    switch (row->id) {
    case COMMAND_ID_PING:
    case COMMAND_ID_ECHO:
    case COMMAND_ID_TIME:
    case COMMAND_ID_INFO:
    case COMMAND_ID_COMMAND:
    case COMMAND_ID_DBSIZE:
    case COMMAND_ID_LASTSAVE:
    case COMMAND_ID_ROLE: return true;
    default: return false;
    }
}

bool px_route_is_repeatable(const struct command *row, const struct slice *argv, size_t argc)
{
    if (row == NULL || row->flags & COMMAND_WRITE)
        return false;
    if (row->flags & COMMAND_READONLY || is_harmless(row))
        return true;
    if (row->subcommands == NULL || argc < 2)
        return false;
    const struct command *subcommand = command_subcommand(row, argv[1]);
    return subcommand != NULL && (subcommand->flags & COMMAND_READONLY) != 0;
}

size_t px_route_block(const struct slice *argv, size_t argc)
{
    for (size_t i = 1; i < argc; i++) {
        if (slice_equal_nocase(argv[i], "block"))
            return i;
        if (slice_equal_nocase(argv[i], "streams"))
            return 0;
        if (slice_equal_nocase(argv[i], "group"))
            i += 2; /* names that a client chose: they may read like options */
    }
    return 0;
}
