#include "tests/sim/appliance.h"

#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/ha/messages.h"
#include "common/resp/resp_writer.h"

#include <stdio.h>

enum { SLOW_SAVE_KEY_US = 10000 }; /* a picture takes about half a second */

#define SECRET SLICE_LITERAL(APPLIANCE_SECRET)

static struct address address_of(unsigned host, uint16_t port)
{
    struct address address = {.port = port};
    snprintf(address.host, sizeof(address.host), "10.0.0.%u", host + 1);
    return address;
}

static struct identity draw_identity(struct rand *rand)
{
    struct identity identity;
    uint64_t halves[2] = {rand_u64(rand), rand_u64(rand)};
    memcpy(identity.bytes, halves, sizeof(identity.bytes));
    return identity;
}

static unsigned number_of(struct sim_process *const *processes, const struct sim_process *process)
{
    unsigned number = 0;
    while (processes[number] != process)
        number++;
    return number;
}

static void *sentinel_create(struct world *world, struct sim_process *process)
{
    struct appliance *appliance = process->context;
    unsigned number = number_of(appliance->sentinels, process);
    struct sn_config config = {.secret = SECRET,
                               .address = process->listeners[0],
                               .endpoint = SN_ENDPOINT_PROXY,
                               .proxy = appliance->proxies[0]->listeners[0],
                               .restart_shortcut = true,
                               .cold_start_wait_ns = 10 * NS_PER_S,
                               .cold_start = SN_COLD_START_BEST, /* no operator is there to decide */
                               .spare_wait_ns = 3 * NS_PER_S,
                               .random_seed = rand_u64(&world->rand),
                               .new_identity = appliance->sentinel_ids[number]};
    config.state_found = sim_file_read(process, "sentinel.state", &config.state);
    config.mutants = appliance->mutants.sentinel;
    struct sn_sentinel *sentinel = NULL;
    CHECK(sn_sentinel_create(&config, &sentinel) == 0);
    return sentinel;
}

static void write_parameters(const struct appliance *appliance, struct buf *out)
{
    if (appliance->appendfsync != NULL)
        buf_add_format(
            out, "appendonly yes\nappendfsync %s\nauto-aof-rewrite-min-size 8kb\nauto-aof-rewrite-percentage %u\n",
            appliance->appendfsync, appliance->rewrites ? 100 : 0);
    if (appliance->save_points != NULL)
        buf_add_format(out, "save %s\nrdb-key-save-delay %u\n", appliance->save_points,
                       appliance->saves_slowly ? SLOW_SAVE_KEY_US : 0);
}

static void *worker_create(struct world *world, struct sim_process *process)
{
    struct appliance *appliance = process->context;
    unsigned number = number_of(appliance->workers, process);
    struct cw_config config;
    cw_config_defaults(&config, false);
    config.secret = SECRET;
    config.data = process->listeners[CW_LISTENER_DATA];
    config.control = process->listeners[CW_LISTENER_CONTROL];
    config.backlog_bytes = 64 * 1024;
    config.random_seed = rand_u64(&world->rand);
    config.new_identity = appliance->worker_ids[number];
    config.incarnation_bits = rand_u64(&world->rand);
    config.storage = &process->storage;
    config.loading_slice_bytes = process->life % 2 && !appliance->loads_at_once ? 300 : 0;
    config.state_found = sim_file_read(process, "node.state", &config.state);
    config.mutants = appliance->mutants.worker;
    struct buf parameters = {0};
    write_parameters(appliance, &parameters);
    config.parameters = buf_slice(&parameters);
    struct cw_worker *worker = NULL;
    CHECK(cw_worker_create(&config, &worker) == 0);
    buf_free(&parameters);
    return worker;
}

static void *proxy_create(struct world *world, struct sim_process *process)
{
    struct appliance *appliance = process->context;
    unsigned number = number_of(appliance->proxies, process);
    struct px_config config;
    px_config_defaults(&config);
    strcpy(config.group, "main");
    config.identity = draw_identity(&world->rand);
    config.secret = SECRET;
    config.sentinel_count = SENTINELS;
    for (unsigned i = 0; i < SENTINELS; i++)
        config.sentinels[i] = appliance->sentinels[i]->listeners[0];
    config.databases = 5;
    config.hold_timeout_ns = 60 * NS_PER_S;
    config.random_seed = rand_u64(&world->rand);
    config.mutants = appliance->mutants.proxy;
    appliance->proxy_shared[number] = (struct px_shared){0};
    config.shared = &appliance->proxy_shared[number];
    struct px_proxy *proxy = NULL;
    CHECK(px_proxy_create(&config, &proxy) == 0);
    return proxy;
}

/* --- the operator: sends `create` to one sentinel after the other until one says OK --- */

struct operator_core {
    struct appliance *appliance; /* borrowed */
    struct buf out;              /* owned */
    struct buf in;               /* owned */
    int64_t next_ns;
    unsigned sentinel;
    bool linked;
};

static void write_create(struct appliance *appliance, struct buf *out)
{
    struct message *hello = mem_zero(sizeof(*hello));
    hello->kind = MESSAGE_HELLO;
    hello->hello.kind = PEER_TOOL;
    hello->hello.sender.bytes[0] = 1;
    hello->hello.secret = SECRET;
    hello->hello.protocol = CONTROL_PROTOCOL;
    message_encode(hello, out);
    mem_free(hello);

    struct topology *topology = mem_zero(sizeof(*topology));
    strcpy(topology->group, "main");
    topology->version = 1;
    topology->member_count = WORKERS;
    topology->wanted_replicas = appliance->spares > 0 ? WORKERS - 1 - appliance->spares : 0;
    for (unsigned i = 0; i < WORKERS; i++)
        topology->members[i] = (struct member){.node = appliance->worker_ids[i],
                                               .kind = i < WORKERS - appliance->spares ? MEMBER_REPLICA : MEMBER_SPARE,
                                               .priority = 100,
                                               .data = appliance->workers[i]->listeners[CW_LISTENER_DATA],
                                               .control = appliance->workers[i]->listeners[CW_LISTENER_CONTROL]};
    topology->durability = appliance->durability;
    topology->acknowledgements = appliance->acknowledgements;
    topology->sentinels.count = SENTINELS;
    for (unsigned i = 0; i < SENTINELS; i++)
        topology->sentinels.entries[i] = (struct sentinel_entry){.sentinel = appliance->sentinel_ids[i],
                                                                 .address = appliance->sentinels[i]->listeners[0]};
    strcpy(topology->author, "operator");
    strcpy(topology->reason, "create");
    struct buf text = {0};
    topology_encode(topology, &text);
    resp_write_array(out, 3);
    resp_write_bulk_text(out, "RESPITE");
    resp_write_bulk_text(out, "CREATE");
    resp_write_bulk(out, buf_slice(&text));
    buf_free(&text);
    mem_free(topology);
}

static void operator_step(void *context, const struct event *event, struct effects *effects)
{
    struct operator_core *core = context;
    switch (event->kind) {
    case EVENT_OPENED:
        write_create(core->appliance, &core->out);
        effect_flush(effects, 0);
        break;
    case EVENT_RECEIVED:
        buf_add_slice(&core->in, event->bytes);
        /* HELLO has no answer. A create whose OK was lost is answered with the error that says so. */
        if (memmem(core->in.memory + core->in.start, buf_length(&core->in), "+OK", 3) != NULL ||
            memmem(core->in.memory + core->in.start, buf_length(&core->in), "exists already", 14) != NULL)
            core->appliance->created = true;
        break;
    case EVENT_CLOSED:
        core->linked = false;
        core->next_ns = event->now_ns + 500 * NS_PER_MS;
        break;
    case EVENT_TURN:
        if (core->appliance->created)
            core->next_ns = NEVER_NS;
        if (event->now_ns < core->next_ns)
            break;
        if (core->linked)
            effect_close(effects, 0);
        buf_clear(&core->out);
        buf_clear(&core->in);
        core->linked = true;
        effect_connect(effects, 0, &core->appliance->sentinels[core->sentinel]->listeners[0]);
        core->sentinel = (core->sentinel + 1) % SENTINELS;
        core->next_ns = event->now_ns + 2 * NS_PER_S;
        break;
    default: break;
    }
}

static struct slice operator_output(void *context, link_id link, int64_t now_ns)
{
    (void)link, (void)now_ns;
    return buf_slice(&((struct operator_core *)context)->out);
}

static void operator_sent(void *context, link_id link, size_t count, struct effects *effects)
{
    (void)link, (void)effects;
    buf_consume(&((struct operator_core *)context)->out, count);
}

static int64_t operator_deadline(const void *context)
{
    return ((const struct operator_core *)context)->next_ns;
}

static link_id operator_accept(void *context, int listener, const struct address *peer, int64_t now_ns,
                               struct effects *effects)
{
    (void)context, (void)listener, (void)peer, (void)now_ns, (void)effects;
    return LINK_NONE;
}

static void operator_destroy(void *context)
{
    struct operator_core *core = context;
    buf_free(&core->out);
    buf_free(&core->in);
    mem_free(core);
}

static const struct door operator_door = {.accept = operator_accept,
                                          .step = operator_step,
                                          .output = operator_output,
                                          .sent = operator_sent,
                                          .deadline = operator_deadline,
                                          .destroy = operator_destroy};

static void *operator_create(struct world *world, struct sim_process *process)
{
    (void)world;
    struct operator_core *core = mem_zero(sizeof(*core));
    core->appliance = process->context;
    core->next_ns = 300 * NS_PER_MS;
    return core;
}

/* --- all of it --- */

struct sim_process *appliance_add(struct appliance *appliance, const char *kind, unsigned number,
                                  const struct door *door, sim_create create, unsigned listeners)
{
    char name[SIM_NAME_MAX];
    snprintf(name, sizeof(name), "%s-%u", kind, number + 1);
    struct sim_process *process = world_add(&appliance->world, name, door, create, appliance);
    for (unsigned i = 0; i < listeners; i++)
        process->listeners[i] = address_of(process->index, (uint16_t)(7000 + i));
    process->listener_count = listeners;
    process->clock_offset_ns = rand_between(&appliance->world.rand, 0, 1000) * NS_PER_S;
    process->clock_rate_ppm = rand_between(&appliance->world.rand, -4900, 4900);
    return process;
}

void appliance_start(struct appliance *appliance, const struct mutants *mutants)
{
    struct world *world = &appliance->world;
    appliance->mutants = *mutants;
    for (unsigned i = 0; i < SENTINELS; i++)
        appliance->sentinel_ids[i] = draw_identity(&world->rand);
    for (unsigned i = 0; i < WORKERS; i++)
        appliance->worker_ids[i] = draw_identity(&world->rand);
    for (unsigned i = 0; i < SENTINELS; i++)
        appliance->sentinels[i] = appliance_add(appliance, "sentinel", i, &sn_sentinel_door, sentinel_create, 1);
    for (unsigned i = 0; i < WORKERS; i++)
        appliance->workers[i] = appliance_add(appliance, "worker", i, &cw_worker_door, worker_create, 2);
    for (unsigned i = 0; i < PROXIES; i++)
        appliance->proxies[i] = appliance_add(appliance, "proxy", i, &px_proxy_door, proxy_create, 1);
    for (unsigned i = 0; i < world->process_count; i++)
        world->processes[i].is_daemon = true;
    for (unsigned i = 0; i < SENTINELS; i++)
        appliance->sentinels[i]->control_port = appliance->sentinels[i]->listeners[0].port;
    for (unsigned i = 0; i < WORKERS; i++)
        appliance->workers[i]->control_port = appliance->workers[i]->listeners[CW_LISTENER_CONTROL].port;
    appliance->operator= world_add(world, "operator", &operator_door, operator_create, appliance);

    workload_init(&appliance->workload, world);
    for (unsigned i = 0; i < PROXIES; i++) {
        appliance->workload.proxies[i] = appliance->proxies[i]->listeners[0];
        appliance->workload.proxy_of[i] = appliance->proxies[i];
    }
    appliance->workload.proxy_count = PROXIES;
    for (unsigned i = 0; i < WORKLOAD_CLIENTS; i++)
        workload_add_client(&appliance->workload, i);
    if (appliance->migrates)
        migration_add(&appliance->migration, appliance);
    for (unsigned i = 0; i < world->process_count; i++)
        sim_start(world, &world->processes[i]);
}

void appliance_lose_disk(struct appliance *appliance, unsigned worker)
{
    sim_lose_disk(appliance->workers[worker]);
    appliance->worker_ids[worker] = draw_identity(&appliance->world.rand);
    appliance->is_stranger[worker] = true;
}

void appliance_free(struct appliance *appliance)
{
    world_free(&appliance->world);
    workload_free(&appliance->workload);
    migration_free(&appliance->migration);
}
