/* swarm.h: what goes wrong in a run, drawn from the seed.
 *
 * Every seed has its own mixture: which kinds of fault happen at all, how often, how long, and how slow the network and
 * the disks are. Faults prefer the master of the moment. Some are plots (plot.h): several steps, aimed at a moment of
 * the protocol. At SWARM_HEAL_NS all is repaired, but in some runs for one sentinel, which stays dead; and the
 * appliance has to come back by itself. */
#ifndef TESTS_SIM_SWARM_H
#define TESTS_SIM_SWARM_H

#include "tests/sim/oracle.h"
#include "tests/sim/plot.h"

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
    FAULT_ONE_WAY,      /* one host is not heard by some, or does not hear them */
    FAULT_LAG,          /* half of what goes to or from one host is late by up to 2.5 s, and what stands behind it */
    FAULT_SLOW_DISK,    /* fsyncs of one host take hundreds of milliseconds */
    FAULT_BROKEN_DISK,  /* whatever one host writes fails */
    FAULT_CLOCK_STEP,   /* the date of one host jumps by up to an hour, forward or back */
    FAULT_CRASH_WRITE,  /* killed while one of its next writes is under way */
    FAULT_LOST_DISK,    /* once: a worker comes back with an empty disk, so as a stranger */
    FAULT_PLOT,
    FAULT_KINDS
};

/* Which strikes of a run do not happen, by their number; all others are what they would have been. */
enum { STRIKES_MAX = 128 };
struct omissions {
    bool is_left_out[STRIKES_MAX];
};

struct swarm {
    struct appliance *appliance; /* borrowed */
    struct oracle *oracle;       /* borrowed; knows who is master */
    struct rand rand, aside;
    bool enabled[FAULT_KINDS];
    int64_t gap_min_ns, gap_max_ns;
    uint32_t master_per_million; /* chance that a fault takes the master as its target */
    bool stops_workers;          /* now and then one is told to end, in order: it saves, and comes back */
    uint64_t stopped;
    bool leaves_sentinel;      /* one stays dead at the end */
    bool spares_plots;         /* nothing else happens while a plot runs */
    uint32_t plot_per_million; /* chance that a fault is a plot, where plots are enabled */
    struct plot plot;
    struct omissions omissions;
    unsigned strikes;
    uint64_t drawn[FAULT_KINDS];
};

/* Draws the mixture and the options of the world; appliance_start comes after it, swarm_arm then. */
void swarm_draw(struct swarm *swarm, struct appliance *appliance, struct oracle *oracle,
                const struct omissions *omissions);
void swarm_arm(struct swarm *swarm);
const char *fault_name(enum fault_kind kind);

#endif
