#include "tests/sim/swarm.h"

#include <stdio.h>

const char *fault_name(enum fault_kind kind)
{
    static const char *const names[FAULT_KINDS] = {
        [FAULT_KILL] = "kill",
        [FAULT_KILL_RESTART] = "kill-restart",
        [FAULT_POWER] = "power",
        [FAULT_PAUSE] = "pause",
        [FAULT_PARTITION] = "partition",
        [FAULT_ISOLATE] = "isolate",
        [FAULT_CUT] = "cut",
        [FAULT_ONE_WAY] = "one-way",
        [FAULT_LAG] = "lag",
        [FAULT_SLOW_DISK] = "slow-disk",
        [FAULT_BROKEN_DISK] = "broken-disk",
        [FAULT_CLOCK_STEP] = "clock-step",
        [FAULT_CRASH_WRITE] = "crash-write",
        [FAULT_LOST_DISK] = "lost-disk",
        [FAULT_PLOT] = "plot",
    };
    return names[kind];
}

void swarm_draw(struct swarm *swarm, struct appliance *appliance, struct oracle *oracle,
                const struct omissions *omissions)
{
    *swarm = (struct swarm){
        .appliance = appliance, .oracle = oracle, .rand = rand_fork(&appliance->world.rand), .omissions = *omissions};
    struct rand *rand = &swarm->rand;
    plot_init(&swarm->plot, oracle, rand_fork(rand));
    for (unsigned kind = 0; kind < FAULT_KINDS; kind++)
        swarm->enabled[kind] = rand_chance(rand, kind == FAULT_LOST_DISK ? 100000 : 500000);
    /* A run in which nothing could go wrong would show nothing. */
    swarm->enabled[rand_below(rand, FAULT_LOST_DISK)] = true;
    /* Of a sync group only the operator may give up what a lost disk held. */
    swarm->enabled[FAULT_LOST_DISK] &= appliance->durability == DURABILITY_ASYNC;
    swarm->enabled[FAULT_PLOT] = rand_chance(rand, 800000);
    swarm->plot_per_million = (uint32_t)rand_between(rand, 200000, 800000);
    swarm->gap_min_ns = rand_between(rand, 500, 4000) * NS_PER_MS;
    swarm->gap_max_ns = swarm->gap_min_ns + rand_between(rand, 1000, 9000) * NS_PER_MS;
    swarm->leaves_sentinel = rand_chance(rand, 200000);
    swarm->spares_plots = rand_chance(rand, 600000);
    swarm->master_per_million = (uint32_t)rand_between(rand, 300000, 900000);

    swarm->aside = *rand; /* whether there is a spare changes nothing of what goes wrong, nor do stops */
    appliance->spares = rand_chance(&swarm->aside, 333333);

    struct sim_options *options = &appliance->world.options;
    options->delay_min_ns = rand_between(rand, 50, 500) * NS_PER_US;
    options->delay_max_ns = options->delay_min_ns + rand_between(rand, 100, 20000) * NS_PER_US;
    options->delay_spike_per_million = rand_chance(rand, 300000) ? (uint32_t)rand_between(rand, 0, 3000) : 0;
    options->fsync_min_ns = rand_between(rand, 100, 2000) * NS_PER_US;
    options->fsync_max_ns = options->fsync_min_ns + rand_between(rand, 1, 45) * NS_PER_MS;
    options->work_max_ns = rand_between(rand, 1, 300) * NS_PER_US;
    options->pause_in_turn_per_million = rand_chance(rand, 400000) ? (uint32_t)rand_between(rand, 5, 60) : 0;
}

static struct sim_process *draw_target(struct swarm *swarm, struct rand *rand)
{
    struct appliance *appliance = swarm->appliance;
    struct sim_process *master = running_master(swarm->oracle);
    if (master != NULL && rand_chance(rand, swarm->master_per_million))
        return master;
    uint64_t number = rand_below(rand, SENTINELS + WORKERS + PROXIES);
    if (number < SENTINELS)
        return appliance->sentinels[number];
    number -= SENTINELS;
    return number < WORKERS ? appliance->workers[number] : appliance->proxies[number - WORKERS];
}

static void mend_cuts(struct world *world, void *context)
{
    (void)context;
    memset(world->cut, 0, sizeof(world->cut));
}

/* Clients and the operator stand outside: their hosts are never cut off, so that a lost connection is the proxy's
 * fault. */
static unsigned core_hosts(void)
{
    return SENTINELS + WORKERS + PROXIES;
}

static void partition(struct swarm *swarm, struct rand *rand)
{
    uint64_t halves = rand_u64(rand);
    for (unsigned a = 0; a < core_hosts(); a++)
        for (unsigned b = a + 1; b < core_hosts(); b++)
            if ((halves >> a & 1) != (halves >> b & 1))
                cut_pair(&swarm->appliance->world, a, b, true);
}

static void isolate(struct swarm *swarm, const struct sim_process *process)
{
    for (unsigned host = 0; host < core_hosts(); host++)
        if (host != process->index)
            cut_pair(&swarm->appliance->world, host, process->index, true);
}

/* In one direction: some hosts hear nothing from it, or it hears nothing from them. */
static void deafen(struct swarm *swarm, struct rand *rand, const struct sim_process *process)
{
    struct world *world = &swarm->appliance->world;
    bool is_mute = rand_chance(rand, 500000);
    for (unsigned host = 0; host < core_hosts(); host++)
        if (host != process->index && rand_chance(rand, 600000))
            *(is_mute ? &world->cut[process->index][host] : &world->cut[host][process->index]) = true;
}

static void set_lag(struct world *world, const struct sim_process *process, bool is_sender, int64_t lag_ns)
{
    for (unsigned host = 0; host < core_hosts(); host++)
        *(is_sender ? &world->lag_ns[process->index][host] : &world->lag_ns[host][process->index]) = lag_ns;
}

static void end_lag(struct world *world, void *context)
{
    set_lag(world, context, true, 0);
    set_lag(world, context, false, 0);
}

static void mend_disk(struct world *world, void *context)
{
    (void)world;
    ((struct sim_process *)context)->disk_slow_ns = 0;
    ((struct sim_process *)context)->disk_fails = false;
}

static void restart_crashed(void *context, struct sim_process *process)
{
    struct swarm *swarm = context;
    struct world *world = &swarm->appliance->world;
    int64_t after_ns = rand_chance(&swarm->rand, 600000) ? rand_between(&swarm->rand, 5, 300) * NS_PER_MS
                                                         : rand_between(&swarm->rand, 2000, 8000) * NS_PER_MS;
    if (world->verbose)
        printf("# %10.6f CRASH %s\n", (double)world->now_ns / 1e9, process->name);
    world_schedule(world, world->now_ns + after_ns, start_again, process);
}

/* Nobody lists who it is now; so there must be two others. */
static void lose_disk(struct swarm *swarm, struct rand *rand)
{
    struct appliance *appliance = swarm->appliance;
    unsigned number = (unsigned)rand_below(rand, WORKERS);
    for (unsigned i = 0; i < WORKERS; i++)
        if (appliance->is_stranger[i])
            return;
    sim_kill(&appliance->world, appliance->workers[number]);
    appliance_lose_disk(appliance, number);
    oracle_disk_lost(swarm->oracle, number);
    world_schedule(&appliance->world, appliance->world.now_ns + rand_between(rand, 5, 3000) * NS_PER_MS, start_again,
                   appliance->workers[number]);
}

/* Each has chances of its own: one that is left out changes nothing of what is drawn for the others. */
static void strike(struct swarm *swarm, enum fault_kind kind)
{
    struct world *world = &swarm->appliance->world;
    struct rand own = rand_fork(&swarm->rand);
    struct rand *rand = &own;
    unsigned number = swarm->strikes++;
    if (number < STRIKES_MAX && swarm->omissions.is_left_out[number])
        return;
    struct sim_process *target = draw_target(swarm, rand);
    int64_t until_ns = world->now_ns + rand_between(rand, 500, 14000) * NS_PER_MS;
    if (world->verbose)
        printf("# %10.6f FAULT %u %s %s until %.3f\n", (double)world->now_ns / 1e9, number, fault_name(kind),
               target->name, (double)until_ns / 1e9);
    swarm->drawn[kind]++;
    switch (kind) {
    case FAULT_KILL:
        sim_kill(world, target);
        world_schedule(world, until_ns, start_again, target);
        break;
    case FAULT_KILL_RESTART:
        sim_kill(world, target);
        world_schedule(world, world->now_ns + rand_between(rand, 5, 300) * NS_PER_MS, start_again, target);
        break;
    case FAULT_POWER:
        sim_power_off(world, target);
        world_schedule(world, until_ns, start_again, target);
        break;
    case FAULT_PAUSE: sim_pause(world, target, rand_between(rand, 100, 9000) * NS_PER_MS); break;
    case FAULT_PARTITION:
        partition(swarm, rand);
        world_schedule(world, until_ns, mend_cuts, NULL);
        break;
    case FAULT_ISOLATE:
        isolate(swarm, target);
        world_schedule(world, until_ns, mend_cuts, NULL);
        break;
    case FAULT_CUT:
        cut_pair(world, target->index, (unsigned)rand_below(rand, core_hosts()), true);
        world->cut[target->index][target->index] = false;
        world_schedule(world, until_ns, mend_cuts, NULL);
        break;
    case FAULT_ONE_WAY:
        deafen(swarm, rand, target);
        world_schedule(world, until_ns, mend_cuts, NULL);
        break;
    case FAULT_LAG:
        set_lag(world, target, rand_chance(rand, 500000), rand_between(rand, 50, 2500) * NS_PER_MS);
        world_schedule(world, until_ns, end_lag, target);
        break;
    case FAULT_SLOW_DISK:
        target->disk_slow_ns = rand_between(rand, 100, 900) * NS_PER_MS;
        world_schedule(world, until_ns, mend_disk, target);
        break;
    case FAULT_BROKEN_DISK:
        target->disk_fails = true;
        world_schedule(world, until_ns, mend_disk, target);
        break;
    case FAULT_CLOCK_STEP: target->wall_offset_us += rand_between(rand, -3600, 3600) * 1000000; break;
    case FAULT_CRASH_WRITE: target->writes_until_crash = (unsigned)rand_between(rand, 1, 3); break;
    case FAULT_LOST_DISK: lose_disk(swarm, rand); break;
    case FAULT_PLOT: plot_begin(&swarm->plot); break;
    case FAULT_KINDS: break;
    }
}

static enum fault_kind draw_kind(struct swarm *swarm)
{
    if (swarm->enabled[FAULT_PLOT] && rand_chance(&swarm->rand, swarm->plot_per_million))
        return FAULT_PLOT;
    enum fault_kind kind;
    do
        kind = (enum fault_kind)rand_below(&swarm->rand, FAULT_KINDS);
    while (!swarm->enabled[kind]);
    return kind;
}

static void next_fault(struct world *world, void *context)
{
    struct swarm *swarm = context;
    if (world->now_ns >= SWARM_HEAL_NS)
        return;
    if (!swarm->plot.is_running || !swarm->spares_plots)
        strike(swarm, draw_kind(swarm));
    world_schedule(world, world->now_ns + rand_between(&swarm->rand, swarm->gap_min_ns, swarm->gap_max_ns), next_fault,
                   swarm);
}

static void next_stop(struct world *world, void *context)
{
    struct swarm *swarm = context;
    if (world->now_ns >= SWARM_HEAL_NS)
        return;
    struct sim_process *master = running_master(swarm->oracle);
    struct sim_process *worker = swarm->appliance->workers[rand_below(&swarm->aside, WORKERS)];
    if (master != NULL && rand_chance(&swarm->aside, 400000))
        worker = master;
    swarm->stopped += worker->running && !worker->paused;
    if (world->verbose)
        printf("# %10.6f STOP %s\n", (double)world->now_ns / 1e9, worker->name);
    sim_stop(world, worker);
    world_schedule(world, world->now_ns + rand_between(&swarm->aside, 1000, 15000) * NS_PER_MS, next_stop, swarm);
}

static void heal(struct world *world, void *context)
{
    struct swarm *swarm = context;
    plot_end(&swarm->plot);
    world->options.pause_in_turn_per_million = 0;
    world->options.repeat_per_million = 0;
    world->options.delay_spike_per_million = 0;
    memset(world->cut, 0, sizeof(world->cut));
    memset(world->lag_ns, 0, sizeof(world->lag_ns));
    const struct sim_process *left = swarm->appliance->sentinels[rand_below(&swarm->rand, SENTINELS)];
    for (unsigned i = 0; i < world->process_count; i++) {
        struct sim_process *process = &world->processes[i];
        process->disk_slow_ns = 0;
        process->disk_fails = false;
        process->writes_until_crash = 0;
        sim_resume(world, process);
        if (process == left && swarm->leaves_sentinel)
            sim_kill(world, process);
        else
            start_again(world, process);
    }
    if (world->verbose)
        printf("# %10.6f HEAL\n", (double)world->now_ns / 1e9);
}

void swarm_arm(struct swarm *swarm)
{
    swarm->appliance->world.crashed = restart_crashed;
    swarm->appliance->world.crashed_context = swarm;
    world_schedule(&swarm->appliance->world, SWARM_BEGIN_NS, next_fault, swarm);
    if (swarm->stops_workers)
        world_schedule(&swarm->appliance->world, SWARM_BEGIN_NS + NS_PER_S, next_stop, swarm);
    world_schedule(&swarm->appliance->world, SWARM_HEAL_NS, heal, swarm);
}
