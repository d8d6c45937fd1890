/* oracle.h: the properties of QUORUM section 10, watched with global knowledge after every event.
 *
 *   S1  at most one value is committed per version       what is learned anywhere under one version is one text
 *   S2  each epoch names exactly one life
 *   S3  never two nodes whose reply check would succeed  asked of every node, also of stopped ones, at its own clock
 *   S4  no reply check succeeds under an epoch after a topology of a later one was learned by anybody
 *   S5  in sync mode, what was acknowledged is in every later branch (oracle_sync.h)
 *   S6  a proxy's epoch never goes back
 *   S9  within one life a data set gives way only to one of the same or a later epoch, and never to nothing
 *   S8  at the end: every node's history is a prefix of the master's; what a node comes back with, it had before, and a
 *       dump.rdb is what the node had when it began to save; nothing that it wrote is ever found half-written
 *   S11 a sentinel whose state is intact keeps its name  (words.h: it keeps what it said)
 *   L1  at the end: a master with a lease, known to all, replicas in sync, writes answered
 *   L5  at the end: no fence above the learned epoch, no sentinel unsettled
 *   L4  nodes change their kind at most every half minute
 *   clients: no connection closed by a living proxy, no answer but the right ones; history.h at the end
 *   words.h: the promises and durable words on which these rest
 */
#ifndef TESTS_SIM_ORACLE_H
#define TESTS_SIM_ORACLE_H

#include "cacheworker/engine/digest.h"
#include "tests/sim/appliance.h"
#include "tests/sim/oracle_sync.h"
#include "tests/sim/words.h"

enum { ORACLE_VERSIONS_MAX = 4096, ORACLE_EARLIER = 8, ORACLE_PICTURES = 64 };

/* What a worker had when it began to write a dump.rdb. */
struct pictured {
    uint64_t offset;
    struct cw_digest digest;
};

struct oracle {
    struct appliance *appliance;                 /* borrowed */
    uint64_t version_hash[ORACLE_VERSIONS_MAX];  /* by version; 0: not seen */
    struct life epoch_life[ORACLE_VERSIONS_MAX]; /* by epoch */
    int64_t epoch_began_ns[ORACLE_VERSIONS_MAX]; /* by epoch: when somebody learned it first; 0: nobody did */
    int64_t
        epoch_lost_from_ns[ORACLE_VERSIONS_MAX]; /* async, by epoch: when an earlier one showed first what it lacks */
    bool epoch_is_cold[ORACLE_VERSIONS_MAX];     /* by epoch: nobody in sync was there to begin it */
    uint64_t lost;                               /* acknowledged tokens that no log holds at the end */
    struct topology newest;                      /* learned by anybody; version 0: none yet */
    int64_t newest_since_ns;
    uint64_t seen_version[SIM_PROCESSES_MAX]; /* of the process' present life */
    uint64_t seen_life[SIM_PROCESSES_MAX];
    uint64_t proxy_epoch[SIM_PROCESSES_MAX];
    uint64_t proxy_epoch_life[SIM_PROCESSES_MAX];
    uint64_t failovers; /* epochs after the first */
    uint64_t exchanges; /* of a replica and a spare */
    int64_t exchanged_ns;
    uint64_t outputs;                                /* times that bytes left a worker which answer commands */
    struct history histories[WORKERS];               /* as each was seen last */
    struct history earlier[WORKERS][ORACLE_EARLIER]; /* that gave way to others: a disk may still have them */
    unsigned earlier_count[WORKERS];
    uint64_t history_life[WORKERS];
    struct pictured pictures[WORKERS][ORACLE_PICTURES]; /* rings */
    uint64_t picture_count[WORKERS];
    int64_t picture_began_ns[WORKERS]; /* the newest, on the worker's clock; 0: none in this life */
    uint64_t loaded;                   /* times that a worker came back with a dump.rdb */
    struct words words;
    struct sync_words sync;
    char violation[512]; /* the first one; "" while all is well */
};

void oracle_violate(struct oracle *oracle, const char *format, ...) PRINTF(2, 3); /* the first one is kept */

void oracle_init(struct oracle *oracle, struct appliance *appliance);
void oracle_free(struct oracle *oracle);
void oracle_observe(void *context, struct world *world, struct sim_process *process);

/* What a worker promised is gone with its disk. */
void oracle_disk_lost(struct oracle *oracle, unsigned worker);

/* Looks at what must hold when everything was well for long enough. */
void oracle_finish(struct oracle *oracle);

#endif
