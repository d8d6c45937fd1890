/* appliance.h: three sentinels, three workers, two proxies, clients and an operator, as processes of a world. */
#ifndef TESTS_SIM_APPLIANCE_H
#define TESTS_SIM_APPLIANCE_H

#include "cacheworker/engine/worker.h"
#include "common/ha/topology.h"
#include "proxy/core/proxy.h"
#include "sentinel/core/sentinel.h"
#include "tests/sim/migration.h"
#include "tests/sim/workload.h"

#define APPLIANCE_SECRET "a secret of the simulated appliance"

enum { SENTINELS = 3, WORKERS = 3, PROXIES = 2 };

/* Guards that are removed for a run; see mutants.c. */
struct mutants {
    unsigned sentinel;
    unsigned worker;
    unsigned proxy;
    bool migrates; /* every seed's group takes over a server's data: else few would show it */
};

struct appliance {
    struct world world;
    struct workload workload;
    struct mutants mutants;
    enum durability durability; /* of the group, and how many acknowledgements it wants */
    uint32_t acknowledgements;
    struct sim_process *sentinels[SENTINELS]; /* borrowed from the world, as the next ones */
    struct sim_process *workers[WORKERS];
    struct sim_process *proxies[PROXIES];
    struct sim_process *operator;
    struct identity sentinel_ids[SENTINELS];
    struct identity worker_ids[WORKERS];
    struct px_shared proxy_shared[PROXIES];
    unsigned spares;           /* of the workers, in the beginning; 0: no node ever changes its kind */
    bool is_stranger[WORKERS]; /* lost its disk, and its name with it */
    const char *appendfsync;   /* of workers that keep an append-only file; NULL: none does */
    bool rewrites;             /* it, again and again */
    const char *save_points;   /* of workers that write dump.rdb; NULL: none does */
    bool saves_slowly;         /* key after key, while the clients write */
    bool loads_at_once;        /* for whoever looks at a disk; else workers load in many turns in every second life */
    bool created;              /* the operator's create was answered OK */
    bool migrates;             /* it takes over the data of a server outside */
    struct migration migration;
};

/* A process that listens at the first ports of a host of its own; starts with the others. */
struct sim_process *appliance_add(struct appliance *appliance, const char *kind, unsigned number,
                                  const struct door *door, sim_create create, unsigned listeners);

/* Adds all processes and starts them. The options of the world are set before. */
void appliance_start(struct appliance *appliance, const struct mutants *mutants);
void appliance_lose_disk(struct appliance *appliance, unsigned worker); /* which is dead */
void appliance_free(struct appliance *appliance);

#endif
