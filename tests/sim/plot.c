#include "tests/sim/plot.h"

#include "sentinel/core/inspect.h"

#include <stdio.h>
#include <string.h>

#define LOOK_NS NS_PER_MS
#define DONE    ((int64_t)-1)

struct sim_process *running_master(const struct oracle *oracle)
{
    const struct appliance *appliance = oracle->appliance;
    for (unsigned i = 0; i < WORKERS; i++)
        if (identity_equal(&appliance->worker_ids[i], &oracle->newest.master.node) && appliance->workers[i]->running)
            return appliance->workers[i];
    return NULL;
}

void start_again(struct world *world, void *context)
{
    struct sim_process *process = context;
    if (!process->running)
        sim_start(world, process);
}

void cut_pair(struct world *world, unsigned a, unsigned b, bool is_cut)
{
    world->cut[a][b] = world->cut[b][a] = is_cut;
}

void kill_for(struct world *world, struct sim_process *process, int64_t restart_after_ns)
{
    sim_kill(world, process);
    world_schedule(world, world->now_ns + restart_after_ns, start_again, process);
}

/* --- what plots do and wait for --- */

static struct world *world_of(struct plot *plot)
{
    return &plot->oracle->appliance->world;
}

static int64_t between_ms(struct plot *plot, int64_t low, int64_t high)
{
    return rand_between(&plot->rand, low, high) * NS_PER_MS;
}

static void cut_from_sentinels(struct plot *plot, bool is_cut)
{
    for (unsigned i = 0; i < SENTINELS; i++)
        cut_pair(world_of(plot), plot->oracle->appliance->sentinels[i]->index, plot->master->index, is_cut);
}

static void slow_sentinel_disks(struct plot *plot, int64_t slow_ns)
{
    for (unsigned i = 0; i < SENTINELS; i++)
        plot->oracle->appliance->sentinels[i]->disk_slow_ns = slow_ns;
}

static bool inspect(const struct sim_process *sentinel, struct sn_inspection *ret_seen)
{
    return sentinel->running && sn_inspect_group(sentinel->core, "main", ret_seen);
}

static bool has_accepted_successor(const struct sim_process *sentinel)
{
    struct sn_inspection seen;
    return inspect(sentinel, &seen) && seen.accepted->epoch > seen.learned->epoch;
}

static bool somebody_has_accepted(const struct plot *plot)
{
    for (unsigned i = 0; i < SENTINELS; i++)
        if (has_accepted_successor(plot->oracle->appliance->sentinels[i]))
            return true;
    return false;
}

static struct sim_process *proposer(const struct plot *plot)
{
    struct sn_inspection seen;
    for (unsigned i = 0; i < SENTINELS; i++)
        if (inspect(plot->oracle->appliance->sentinels[i], &seen) && strcmp(seen.failover_state, "electing") == 0)
            return plot->oracle->appliance->sentinels[i];
    return NULL;
}

static bool has_given_up(const struct plot *plot)
{
    return plot->oracle->appliance->world.now_ns >= plot->give_up_ns;
}

static int64_t restart_delay(struct plot *plot)
{
    return rand_chance(&plot->rand, 500000) ? between_ms(plot, 5, 300) : between_ms(plot, 2000, 12000);
}

/* --- the plots: each returns after how long its next step, or its next look, is due --- */

static int64_t flap(struct plot *plot)
{
    cut_from_sentinels(plot, plot->step % 2 == 0);
    switch (plot->step++) {
    case 0: return between_ms(plot, 2000, 3000);
    case 1: return between_ms(plot, 50, 300);
    case 2: return between_ms(plot, 6000, 10000);
    default: return DONE;
    }
}

/* The last GRANTs are under way for long when the master's answers cease to arrive. */
static int64_t lag(struct plot *plot)
{
    struct world *world = world_of(plot);
    int64_t lag_ns = plot->step == 0 ? between_ms(plot, 800, 2500) : 0;
    for (unsigned i = 0; i < SENTINELS; i++) {
        unsigned sentinel = plot->oracle->appliance->sentinels[i]->index;
        world->lag_ns[sentinel][plot->master->index] = lag_ns;
        world->cut[plot->master->index][sentinel] = plot->step == 1;
    }
    switch (plot->step++) {
    case 0: return between_ms(plot, 1000, 4000);
    case 1: return between_ms(plot, 5500, 8000);
    default: return DONE;
    }
}

static int64_t return_at_accept(struct plot *plot)
{
    switch (plot->step) {
    case 0:
        cut_from_sentinels(plot, true);
        slow_sentinel_disks(plot, between_ms(plot, 200, 700));
        plot->step++;
        return LOOK_NS;
    case 1:
        if (!has_given_up(plot) && !somebody_has_accepted(plot))
            return LOOK_NS;
        cut_from_sentinels(plot, false);
        plot->step++;
        return between_ms(plot, 1000, 3000);
    default: slow_sentinel_disks(plot, 0); return DONE;
    }
}

/* When the two others choose, the one that hears the master may restart; or the one that has not accepted yet dies. */
static void strike_minority(struct plot *plot)
{
    struct world *world = world_of(plot);
    switch (rand_below(&plot->rand, 4)) {
    case 0: kill_for(world, plot->first, between_ms(plot, 1, 50)); break;
    case 1:
        for (unsigned i = 0; i < SENTINELS; i++) {
            struct sim_process *sentinel = plot->oracle->appliance->sentinels[i];
            if (sentinel != plot->first && sentinel->running && !has_accepted_successor(sentinel))
                kill_for(world, sentinel, between_ms(plot, 8000, 20000));
        }
        break;
    case 2: cut_from_sentinels(plot, false); break;
    default: break;
    }
}

static int64_t minority(struct plot *plot)
{
    switch (plot->step) {
    case 0:
        cut_from_sentinels(plot, true);
        cut_pair(world_of(plot), plot->first->index, plot->master->index, false);
        plot->step++;
        return LOOK_NS;
    case 1:
        if (!has_given_up(plot) && !somebody_has_accepted(plot))
            return LOOK_NS;
        strike_minority(plot);
        plot->step++;
        return between_ms(plot, 2000, 8000);
    default: cut_from_sentinels(plot, false); return DONE;
    }
}

static int64_t kill_proposers(struct plot *plot)
{
    struct sim_process *sentinel;
    switch (plot->step) {
    case 0:
        kill_for(world_of(plot), plot->master, restart_delay(plot));
        plot->left = (unsigned)rand_between(&plot->rand, 1, 3);
        plot->step++;
        return LOOK_NS;
    case 1:
        if (has_given_up(plot))
            return DONE;
        if (proposer(plot) == NULL)
            return LOOK_NS;
        plot->step++;
        return rand_between(&plot->rand, 0, 100 * NS_PER_MS);
    default:
        sentinel = proposer(plot);
        if (sentinel != NULL && rand_chance(&plot->rand, 700000))
            kill_for(world_of(plot), sentinel, restart_delay(plot));
        else if (sentinel != NULL)
            sim_pause(world_of(plot), sentinel, between_ms(plot, 300, 6000));
        plot->step = 1;
        plot->left -= sentinel != NULL;
        return plot->left > 0 ? LOOK_NS : DONE;
    }
}

/* first - bridge - second, until the bridge dies over a write; then first | bridge - second. */
static int64_t shift_majority(struct plot *plot)
{
    struct world *world = world_of(plot);
    struct sim_process *const *sentinels = plot->oracle->appliance->sentinels;
    struct sim_process *bridge = NULL;
    for (unsigned i = 0; i < SENTINELS; i++)
        if (sentinels[i] != plot->first && sentinels[i] != plot->second)
            bridge = sentinels[i];
    switch (plot->step) {
    case 0:
        cut_pair(world, plot->first->index, plot->second->index, true);
        bridge->disk_slow_ns = between_ms(plot, 50, 400);
        bridge->writes_until_crash = (unsigned)rand_between(&plot->rand, 1, 4);
        kill_for(world, plot->master, restart_delay(plot));
        plot->step++;
        return LOOK_NS;
    case 1:
        if (!has_given_up(plot) && bridge->running)
            return LOOK_NS;
        cut_pair(world, plot->first->index, bridge->index, true);
        plot->step++;
        return between_ms(plot, 4000, 10000);
    default:
        bridge->disk_slow_ns = 0;
        cut_pair(world, plot->first->index, plot->second->index, false);
        cut_pair(world, plot->first->index, bridge->index, false);
        return DONE;
    }
}

static int64_t kill_twice(struct plot *plot)
{
    struct sim_process *master = running_master(plot->oracle);
    if (master != NULL)
        kill_for(world_of(plot), master, restart_delay(plot));
    return plot->step++ == 0 ? between_ms(plot, 500, 9500) : DONE;
}

static int64_t kill_successor(struct plot *plot)
{
    struct sim_process *successor, *sentinel;
    if (plot->step == 0) {
        kill_for(world_of(plot), plot->master, between_ms(plot, 4000, 12000));
        plot->step++;
        return LOOK_NS;
    }
    if (has_given_up(plot))
        return DONE;
    successor = running_master(plot->oracle);
    if (successor == NULL || plot->oracle->newest.epoch == plot->epoch)
        return LOOK_NS;
    sentinel = proposer(plot);
    kill_for(world_of(plot), successor, restart_delay(plot));
    if (sentinel != NULL && rand_chance(&plot->rand, 500000))
        kill_for(world_of(plot), sentinel, restart_delay(plot));
    return DONE;
}

static const struct {
    const char *name;
    int64_t (*step)(struct plot *plot);
} plots[PLOT_KINDS] = {
    [PLOT_FLAP] = {"flap", flap},
    [PLOT_LAG] = {"late-grants", lag},
    [PLOT_RETURN] = {"return-at-accept", return_at_accept},
    [PLOT_MINORITY] = {"minority-hears", minority},
    [PLOT_PROPOSER] = {"proposer-dies", kill_proposers},
    [PLOT_BRIDGE] = {"bridge-forgets", shift_majority},
    [PLOT_TWICE] = {"twice", kill_twice},
    [PLOT_SUCCESSOR] = {"successor-dies", kill_successor},
};

const char *plot_name(enum plot_kind kind)
{
    return plots[kind].name;
}

static void step(struct world *world, void *context)
{
    struct plot *plot = context;
    if (!plot->is_running)
        return;
    int64_t wait_ns = plots[plot->kind].step(plot);
    if (wait_ns == DONE)
        plot->is_running = false;
    else
        world_schedule(world, world->now_ns + wait_ns, step, plot);
}

void plot_init(struct plot *plot, struct oracle *oracle, struct rand rand)
{
    *plot = (struct plot){.oracle = oracle, .rand = rand};
}

bool plot_begin(struct plot *plot)
{
    struct world *world = world_of(plot);
    struct sim_process *master = running_master(plot->oracle);
    if (plot->is_running || master == NULL)
        return false;
    unsigned first = (unsigned)rand_below(&plot->rand, SENTINELS);
    unsigned second = (first + 1 + (unsigned)rand_below(&plot->rand, SENTINELS - 1)) % SENTINELS;
    plot->kind = (enum plot_kind)rand_below(&plot->rand, PLOT_KINDS);
    plot->is_running = true;
    plot->step = 0;
    plot->master = master;
    plot->first = plot->oracle->appliance->sentinels[first];
    plot->second = plot->oracle->appliance->sentinels[second];
    plot->epoch = plot->oracle->newest.epoch;
    plot->give_up_ns = world->now_ns + 12 * NS_PER_S;
    plot->drawn[plot->kind]++;
    if (world->verbose)
        printf("# %10.6f PLOT %s: %s, %s, %s\n", (double)world->now_ns / 1e9, plots[plot->kind].name, master->name,
               plot->first->name, plot->second->name);
    step(world, plot);
    return true;
}

void plot_end(struct plot *plot)
{
    plot->is_running = false;
}
