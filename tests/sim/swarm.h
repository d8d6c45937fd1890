/* swarm.h: what goes wrong in a run, drawn from the seed.
 *
 * Every seed has its own mixture: which kinds of fault happen at all, how often, how long, and how slow the network and
 * the disks are. Faults prefer the master of the moment. At SWARM_HEAL_NS all is repaired, and the appliance has to
 * come back by itself. */
#ifndef TESTS_SIM_SWARM_H
#define TESTS_SIM_SWARM_H

#include "tests/sim/oracle.h"

#define SWARM_BEGIN_NS (8 * NS_PER_S)
#define SWARM_HEAL_NS  (48 * NS_PER_S)
#define SWARM_END_NS   (74 * NS_PER_S)

enum fault_kind {
    FAULT_KILL,         /* kill -9, started again after a while */
    FAULT_KILL_RESTART, /* kill -9, started again at once, as a service manager does */
    FAULT_POWER,        /* the host is gone: nobody closes its streams */
    FAULT_PAUSE,        /* SIGSTOP, SIGCONT */
    FAULT_PARTITION,    /* the hosts fall into two halves */
    FAULT_ISOLATE,      /* one host hears nobody */
    FAULT_CUT,          /* one pair of hosts */
    FAULT_KINDS
};

struct swarm {
    struct appliance *appliance; /* borrowed */
    struct oracle *oracle;       /* borrowed; knows who is master */
    struct rand rand;
    bool enabled[FAULT_KINDS];
    int64_t gap_min_ns, gap_max_ns;
    uint32_t master_per_million; /* chance that a fault takes the master as its target */
    uint64_t drawn[FAULT_KINDS];
    bool healed;
};

/* Draws the mixture and the options of the world; appliance_start comes after it, swarm_arm then. */
void swarm_draw(struct swarm *swarm, struct appliance *appliance, struct oracle *oracle);
void swarm_arm(struct swarm *swarm);
const char *fault_name(enum fault_kind kind);

#endif
