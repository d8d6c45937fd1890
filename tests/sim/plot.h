/* plot.h: faults of several steps, each aimed at one moment of the protocol, which chance alone would seldom meet.
 *
 * One plot runs at a time. It looks at the appliance every millisecond while it waits for its moment, gives up after a
 * while, and mends what it cut. Other faults of the swarm fall into it. */
#ifndef TESTS_SIM_PLOT_H
#define TESTS_SIM_PLOT_H

#include "tests/sim/oracle.h"

enum plot_kind {
    PLOT_FLAP,      /* the master is cut from the sentinels for 2 to 3 s, heard for a moment, cut for 6 to 10 s */
    PLOT_LAG,       /* what sentinels send to the master is late; then it is cut from them */
    PLOT_RETURN,    /* the master is cut off until a sentinel has accepted its successor; then it is heard again */
    PLOT_MINORITY,  /* one sentinel alone hears the master; it may restart, or another die, when they choose another */
    PLOT_PROPOSER,  /* the master dies, and each sentinel that proposes another dies too, or stops */
    PLOT_BRIDGE,    /* one sentinel alone hears the two others; it forgets a write, and the majority shifts */
    PLOT_TWICE,     /* the master dies, and the next one soon after it */
    PLOT_SUCCESSOR, /* the master dies, and the next one as soon as it is named, with the proposer or not */
    PLOT_KINDS
};

struct plot {
    struct oracle *oracle; /* borrowed; knows the appliance, and who is master */
    struct rand rand;
    enum plot_kind kind;
    bool is_running;
    unsigned step;
    struct sim_process *master; /* borrowed, as the next ones */
    struct sim_process *first;  /* a sentinel */
    struct sim_process *second; /* another */
    unsigned left;              /* how often it may strike again */
    uint64_t epoch;             /* the newest learned one, when the step began */
    int64_t give_up_ns;
    uint64_t drawn[PLOT_KINDS];
};

void plot_init(struct plot *plot, struct oracle *oracle, struct rand rand);

/* False: another plot is still running, or there is no master for a victim. */
bool plot_begin(struct plot *plot);
void plot_end(struct plot *plot); /* everything is mended by the caller */

const char *plot_name(enum plot_kind kind);

/* What plots and the swarm share. */
struct sim_process *running_master(const struct oracle *oracle); /* the one of the newest learned topology, or NULL */
void cut_pair(struct world *world, unsigned a, unsigned b, bool is_cut); /* both directions */
void kill_for(struct world *world, struct sim_process *process, int64_t restart_after_ns);
void start_again(struct world *world, void *context); /* the process, unless it runs */

#endif
