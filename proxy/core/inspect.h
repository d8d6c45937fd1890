/* inspect.h: what the simulator's oracles and tests look at. Nothing in the program depends on it. */
#ifndef PROXY_CORE_INSPECT_H
#define PROXY_CORE_INSPECT_H

#include "common/ha/topology.h"
#include "proxy/core/proxy.h"

struct px_inspection {
    const struct topology *topology; /* borrowed until the next step; version 0: none */
    uint64_t epoch;
    uint64_t version;
    struct life master;
    uint32_t connections; /* clients */
    uint32_t ghosts;      /* closed sessions that slots still refer to */
    uint32_t links;       /* backend links, connected or not */
    uint64_t held_commands;
    uint64_t held_bytes;
    uint64_t uncertain;
    uint64_t repeated;
    uint64_t hold_limit;
    uint64_t idle_closed;
    uint64_t refused;
};

struct px_inspection px_proxy_inspect(const struct px_proxy *proxy);

/* The epoch under which a backend link was attached; 0 when the number is no attached backend link. */
uint64_t px_proxy_link_epoch(const struct px_proxy *proxy, link_id link);

#endif
