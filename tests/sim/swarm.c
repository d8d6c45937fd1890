#include "tests/sim/swarm.h"

#include <stdio.h>

const char *fault_name(enum fault_kind kind)
{
    static const char *const names[FAULT_KINDS] = {"kill",      "kill-restart", "power", "pause",
                                                   "partition", "isolate",      "cut"};
    return names[kind];
}

void swarm_draw(struct swarm *swarm, struct appliance *appliance, struct oracle *oracle)
{
    *swarm = (struct swarm){.appliance = appliance, .oracle = oracle, .rand = rand_fork(&appliance->world.rand)};
    struct rand *rand = &swarm->rand;
    for (unsigned kind = 0; kind < FAULT_KINDS; kind++)
        swarm->enabled[kind] = rand_chance(rand, 600000);
    /* A run in which nothing could go wrong would show nothing. */
    swarm->enabled[rand_below(rand, FAULT_KINDS)] = true;
    swarm->gap_min_ns = rand_between(rand, 500, 4000) * NS_PER_MS;
    swarm->gap_max_ns = swarm->gap_min_ns + rand_between(rand, 1000, 9000) * NS_PER_MS;
    swarm->master_per_million = (uint32_t)rand_between(rand, 300000, 900000);

    struct sim_options *options = &appliance->world.options;
    options->delay_min_ns = rand_between(rand, 50, 500) * NS_PER_US;
    options->delay_max_ns = options->delay_min_ns + rand_between(rand, 100, 20000) * NS_PER_US;
    options->delay_spike_per_million = rand_chance(rand, 300000) ? (uint32_t)rand_between(rand, 0, 3000) : 0;
    options->fsync_min_ns = rand_between(rand, 100, 2000) * NS_PER_US;
    options->fsync_max_ns = options->fsync_min_ns + rand_between(rand, 1, 45) * NS_PER_MS;
    options->work_max_ns = rand_between(rand, 1, 300) * NS_PER_US;
    options->pause_in_turn_per_million = rand_chance(rand, 400000) ? (uint32_t)rand_between(rand, 5, 60) : 0;
}

/* The worker that the newest learned topology calls master, if it is alive. */
static struct sim_process *running_master(const struct swarm *swarm)
{
    const struct appliance *appliance = swarm->appliance;
    for (unsigned i = 0; i < WORKERS; i++)
        if (identity_equal(&appliance->worker_ids[i], &swarm->oracle->newest.master.node) &&
            appliance->workers[i]->running)
            return appliance->workers[i];
    return NULL;
}

static void start_again(struct world *world, void *context)
{
    struct sim_process *process = context;
    if (!process->running)
        sim_start(world, process);
}

static struct sim_process *draw_target(struct swarm *swarm)
{
    struct appliance *appliance = swarm->appliance;
    struct sim_process *master = running_master(swarm);
    if (master != NULL && rand_chance(&swarm->rand, swarm->master_per_million))
        return master;
    uint64_t number = rand_below(&swarm->rand, SENTINELS + WORKERS + PROXIES);
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

static void cut_pair(struct world *world, unsigned a, unsigned b)
{
    world->cut[a][b] = world->cut[b][a] = true;
}

/* Clients and the operator stand outside: their hosts are never cut off, so that a lost connection is the proxy's
 * fault. */
static unsigned core_hosts(void)
{
    return SENTINELS + WORKERS + PROXIES;
}

static void partition(struct swarm *swarm)
{
    uint64_t halves = rand_u64(&swarm->rand);
    for (unsigned a = 0; a < core_hosts(); a++)
        for (unsigned b = a + 1; b < core_hosts(); b++)
            if ((halves >> a & 1) != (halves >> b & 1))
                cut_pair(&swarm->appliance->world, a, b);
}

static void isolate(struct swarm *swarm, const struct sim_process *process)
{
    for (unsigned host = 0; host < core_hosts(); host++)
        if (host != process->index)
            cut_pair(&swarm->appliance->world, host, process->index);
}

static void strike(struct swarm *swarm, enum fault_kind kind)
{
    struct world *world = &swarm->appliance->world;
    struct rand *rand = &swarm->rand;
    struct sim_process *target = draw_target(swarm);
    int64_t until_ns = world->now_ns + rand_between(rand, 500, 14000) * NS_PER_MS;
    if (world->verbose)
        printf("# %10.6f FAULT %s %s until %.3f\n", (double)world->now_ns / 1e9, fault_name(kind), target->name,
               (double)until_ns / 1e9);
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
        partition(swarm);
        world_schedule(world, until_ns, mend_cuts, NULL);
        break;
    case FAULT_ISOLATE:
        isolate(swarm, target);
        world_schedule(world, until_ns, mend_cuts, NULL);
        break;
    case FAULT_CUT:
        cut_pair(world, target->index, (unsigned)rand_below(rand, core_hosts()));
        world->cut[target->index][target->index] = false;
        world_schedule(world, until_ns, mend_cuts, NULL);
        break;
    case FAULT_KINDS: break;
    }
}

static void next_fault(struct world *world, void *context)
{
    struct swarm *swarm = context;
    if (world->now_ns >= SWARM_HEAL_NS)
        return;
    enum fault_kind kind;
    do
        kind = (enum fault_kind)rand_below(&swarm->rand, FAULT_KINDS);
    while (!swarm->enabled[kind]);
    strike(swarm, kind);
    world_schedule(world, world->now_ns + rand_between(&swarm->rand, swarm->gap_min_ns, swarm->gap_max_ns), next_fault,
                   swarm);
}

static void heal(struct world *world, void *context)
{
    struct swarm *swarm = context;
    swarm->healed = true;
    world->options.pause_in_turn_per_million = 0;
    world->options.delay_spike_per_million = 0;
    memset(world->cut, 0, sizeof(world->cut));
    for (unsigned i = 0; i < world->process_count; i++) {
        sim_resume(world, &world->processes[i]);
        start_again(world, &world->processes[i]);
    }
    if (world->verbose)
        printf("# %10.6f HEAL\n", (double)world->now_ns / 1e9);
}

void swarm_arm(struct swarm *swarm)
{
    world_schedule(&swarm->appliance->world, SWARM_BEGIN_NS, next_fault, swarm);
    world_schedule(&swarm->appliance->world, SWARM_HEAL_NS, heal, swarm);
}
