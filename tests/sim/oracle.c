#include "tests/sim/oracle.h"

#include "cacheworker/engine/inspect.h"
#include "proxy/core/inspect.h"
#include "sentinel/core/inspect.h"
#include "tests/sim/history.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void oracle_violate(struct oracle *oracle, const char *format, ...)
{
    if (oracle->violation[0] != '\0')
        return;
    int length = snprintf(oracle->violation, sizeof(oracle->violation),
                          "at %.6f s: ", (double)oracle->appliance->world.now_ns / 1e9);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(oracle->violation + length, sizeof(oracle->violation) - (size_t)length, format, arguments);
    va_end(arguments);
    if (oracle->appliance->world.verbose)
        printf("# VIOLATION %s\n", oracle->violation);
}

static bool is_one_of(struct sim_process *const *processes, unsigned count, const struct sim_process *process)
{
    for (unsigned i = 0; i < count; i++)
        if (processes[i] == process)
            return true;
    return false;
}

static const struct topology *sentinel_topology(const struct sn_sentinel *sentinel)
{
    struct sn_inspection inspection;
    return sn_inspect_group(sentinel, "main", &inspection) ? inspection.learned : NULL;
}

/* The topology that a process acts on; version 0 when it knows none. NULL for clients. */
static const struct topology *known_topology(const struct oracle *oracle, const struct sim_process *process)
{
    const struct appliance *appliance = oracle->appliance;
    if (is_one_of(appliance->sentinels, SENTINELS, process))
        return sentinel_topology(process->core);
    if (is_one_of(appliance->workers, WORKERS, process))
        return cw_inspect_topology(process->core);
    if (is_one_of(appliance->proxies, PROXIES, process))
        return px_proxy_inspect(process->core).topology;
    return NULL;
}

static uint64_t hash_of(const struct topology *topology)
{
    struct buf text = {0};
    topology_encode(topology, &text);
    uint64_t hash = 1;
    struct slice bytes = buf_slice(&text);
    for (size_t i = 0; i < bytes.length; i++)
        hash = rand_mix(hash ^ (unsigned char)bytes.data[i]);
    buf_free(&text);
    return hash != 0 ? hash : 1;
}

static void check_value(struct oracle *oracle, const struct sim_process *process, const struct topology *topology)
{
    CHECK(topology->version < ORACLE_VERSIONS_MAX && topology->epoch < ORACLE_VERSIONS_MAX);
    uint64_t hash = hash_of(topology);
    uint64_t *seen = &oracle->version_hash[topology->version];
    if (*seen != 0 && *seen != hash)
        oracle_violate(oracle, "S1: %s knows another value of version %" PRIu64 " (epoch %" PRIu64 ", %s)",
                       process->name, topology->version, topology->epoch, topology->reason);
    *seen = hash;
    struct life *life = &oracle->epoch_life[topology->epoch];
    if (topology->epoch > 0 && !life_is_nobody(life) && !life_equal(life, &topology->master))
        oracle_violate(oracle, "S2: epoch %" PRIu64 " names two lives", topology->epoch);
    if (topology->epoch > 0)
        *life = topology->master;
}

/* L4: nodes change their kind half a minute apart, unless a master is chosen in the same motion. The proposer counts
 * from when it learned of the last change, by a clock that may be 1 % fast. */
static void check_exchange(struct oracle *oracle, const struct topology *topology)
{
    int64_t now_ns = oracle->appliance->world.now_ns;
    bool is_exchange = false;
    for (uint32_t i = 0; i < topology->member_count; i++) {
        const struct member *was = topology_member(&oracle->newest, &topology->members[i].node);
        is_exchange |= was != NULL && was->kind != topology->members[i].kind;
    }
    if (!is_exchange || topology->epoch != oracle->newest.epoch)
        return;
    if (oracle->exchanges > 0 && now_ns - oracle->exchanged_ns < 29 * NS_PER_S)
        oracle_violate(oracle, "L4: two exchanges of a spare within %.1f s",
                       (double)(now_ns - oracle->exchanged_ns) / 1e9);
    oracle->exchanges++;
    oracle->exchanged_ns = now_ns;
}

static void begin_epoch(struct oracle *oracle, const struct topology *topology)
{
    oracle->failovers += oracle->newest.epoch > 0;
    oracle->epoch_began_ns[topology->epoch] = oracle->appliance->world.now_ns;
    oracle->epoch_lost_from_ns[topology->epoch] = NEVER_NS;
    oracle->epoch_is_cold[topology->epoch] =
        oracle->newest.in_sync_count == 0 || strstr(topology->reason, "cold start") != NULL;
    words_check_deposed(oracle, &oracle->newest, topology);
    sync_check_branch(oracle, topology);
}

static void check_knowledge(struct oracle *oracle, const struct sim_process *process)
{
    const struct topology *topology = known_topology(oracle, process);
    if (topology == NULL || topology->version == 0)
        return;
    unsigned index = process->index;
    bool same_life = oracle->seen_life[index] == process->life;
    if (same_life && oracle->seen_version[index] == topology->version)
        return;
    if (same_life && oracle->seen_version[index] > topology->version)
        oracle_violate(oracle, "%s went back from version %" PRIu64 " to %" PRIu64, process->name,
                       oracle->seen_version[index], topology->version);
    oracle->seen_life[index] = process->life;
    oracle->seen_version[index] = topology->version;
    check_value(oracle, process, topology);
    if (topology->version > oracle->newest.version) {
        if (topology->epoch > oracle->newest.epoch)
            begin_epoch(oracle, topology);
        check_exchange(oracle, topology);
        oracle->newest = *topology;
        oracle->newest_since_ns = oracle->appliance->world.now_ns;
    }
}

/* The worker's reply check succeeds: nobody else's may, and a majority stands by it. */
static void check_lease(struct oracle *oracle, unsigned number)
{
    struct appliance *appliance = oracle->appliance;
    const struct sim_process *worker = appliance->workers[number];
    uint64_t epoch = cw_inspect_epoch(worker->core);
    for (unsigned i = 0; i < WORKERS; i++) {
        const struct sim_process *other = appliance->workers[i];
        if (i != number && other->running &&
            cw_inspect_may_acknowledge(other->core, sim_clock_ns(&appliance->world, other)))
            oracle_violate(oracle, "S3: %s and %s could both answer", worker->name, other->name);
    }
    if (epoch < oracle->newest.epoch)
        oracle_violate(oracle, "S4: %s could answer under epoch %" PRIu64 " while %" PRIu64 " is learned", worker->name,
                       epoch, oracle->newest.epoch);
    words_check_lease(oracle, number);
}

static void check_leases(struct oracle *oracle)
{
    struct appliance *appliance = oracle->appliance;
    for (unsigned i = 0; i < WORKERS; i++) {
        const struct sim_process *worker = appliance->workers[i];
        if (worker->running && cw_inspect_may_acknowledge(worker->core, sim_clock_ns(&appliance->world, worker)))
            check_lease(oracle, i);
    }
}

static void master_replied(struct oracle *oracle, unsigned number)
{
    check_lease(oracle, number);
    sync_replied(oracle, oracle->appliance->workers[number]);
}

/* Bytes go to the kernel, this moment. What a master says about its data set it must be entitled to say now; what a
 * worker that is none says there is an error. */
static void observe_output(void *context, struct sim_process *process, link_id link, struct slice bytes)
{
    struct oracle *oracle = context;
    const struct appliance *appliance = oracle->appliance;
    for (unsigned i = 0; i < WORKERS; i++) {
        if (appliance->workers[i] != process || cw_inspect_link(process->core, link) != CW_INSPECTED_GATED)
            continue;
        oracle->outputs++;
        if (cw_inspect_role(process->core) == ROLE_MASTER)
            master_replied(oracle, i);
        else if (bytes.data[0] != '-')
            oracle_violate(oracle, "S4: %s answers though it is %s", process->name,
                           node_role_name(cw_inspect_role(process->core)));
    }
    words_sent(oracle, process, bytes);
}

static void check_proxy(struct oracle *oracle, const struct sim_process *process)
{
    if (!is_one_of(oracle->appliance->proxies, PROXIES, process))
        return;
    uint64_t epoch = px_proxy_inspect(process->core).epoch;
    /* seen_life was brought up to date by check_knowledge; a new life begins with nothing. */
    if (epoch != 0 && epoch < oracle->proxy_epoch[process->index] && oracle->seen_version[process->index] != 0 &&
        oracle->seen_life[process->index] == process->life && process->life == oracle->proxy_epoch_life[process->index])
        oracle_violate(oracle, "S6: the epoch of %s went back to %" PRIu64, process->name, epoch);
    oracle->proxy_epoch[process->index] = epoch;
    oracle->proxy_epoch_life[process->index] = process->life;
}

/* Of this node, in this life or an earlier one. */
static bool was_held(const struct oracle *oracle, unsigned number, const struct history *history)
{
    bool was = history_is_prefix(history, &oracle->histories[number]);
    for (unsigned i = 0; i < ORACLE_EARLIER; i++)
        was |= history_is_prefix(history, &oracle->earlier[number][i]);
    return was;
}

static const struct pictured *find_picture(const struct oracle *oracle, unsigned number, const struct pictured *wanted)
{
    for (unsigned i = 0; i < ORACLE_PICTURES && i < oracle->picture_count[number]; i++)
        if (memcmp(&oracle->pictures[number][i], wanted, sizeof(*wanted)) == 0)
            return &oracle->pictures[number][i];
    return NULL;
}

static bool take_picture(const struct sim_process *worker, struct pictured *ret_picture)
{
    *ret_picture = (struct pictured){.offset = cw_inspect_history(worker->core)->last_offset};
    return cw_inspect_digest(worker->core, 0, &ret_picture->digest);
}

static void remember_picture(struct oracle *oracle, unsigned number)
{
    struct pictured *picture = &oracle->pictures[number][oracle->picture_count[number]++ % ORACLE_PICTURES];
    CHECK(take_picture(oracle->appliance->workers[number], picture));
}

/* After every turn: a picture is begun behind what the turn executed. */
static void note_picture(struct oracle *oracle, unsigned number)
{
    const struct sim_process *worker = oracle->appliance->workers[number];
    int64_t began_ns = cw_inspect_save_began_ns(worker->core);
    if (began_ns == oracle->picture_began_ns[number])
        return;
    oracle->picture_began_ns[number] = began_ns;
    if (began_ns != 0)
        remember_picture(oracle, number);
}

/* At its end, a worker saves at once. */
static void observe_saved(void *context, struct sim_process *process, const char *name)
{
    struct oracle *oracle = context;
    for (unsigned i = 0; i < WORKERS; i++)
        if (oracle->appliance->workers[i] == process && strcmp(name, "dump.rdb") == 0)
            remember_picture(oracle, i);
}

/* What the disk of this worker gave to a core. */
static void check_loaded(struct oracle *oracle, unsigned number, const struct sim_process *loaded)
{
    const struct appliance *appliance = oracle->appliance;
    const char *name = appliance->workers[number]->name;
    const struct history *history = cw_inspect_history(loaded->core);
    struct pictured picture;
    if (cw_inspect_is_damaged(loaded->core))
        oracle_violate(oracle, "S8: %s finds its data damaged", name);
    if (!was_held(oracle, number, history))
        oracle_violate(oracle, "S8: the disk of %s has a history that it never had", name);
    if (appliance->appendfsync != NULL || history->count == 0)
        return;
    oracle->loaded++;
    if (!take_picture(loaded, &picture) || find_picture(oracle, number, &picture) == NULL)
        oracle_violate(oracle, "S8: the dump.rdb of %s is not what it had at offset %" PRIu64, name, picture.offset);
}

/* Within a life a history grows, or a full sync takes the place of what was held. */
static void check_data_set(struct oracle *oracle, unsigned number)
{
    const struct sim_process *process = oracle->appliance->workers[number];
    const struct history *history = cw_inspect_history(process->core);
    struct history *before = &oracle->histories[number];
    bool is_same_life = oracle->history_life[number] == process->life;
    if (cw_inspect_is_loading(process->core) ||
        (is_same_life && before->last_offset == history->last_offset && before->count == history->count))
        return;
    if (is_same_life && !history_is_prefix(before, history) &&
        (history->count == 0 || history_epoch(history) < history_epoch(before)))
        oracle_violate(oracle, "S9: %s gave up its data of epoch %" PRIu64 " for those of epoch %" PRIu64,
                       process->name, history_epoch(before), history_epoch(history));
    if (!is_same_life)
        check_loaded(oracle, number, process);
    if (!history_is_prefix(before, history))
        oracle->earlier[number][oracle->earlier_count[number]++ % ORACLE_EARLIER] = *before;
    *before = *history;
    oracle->history_life[number] = process->life;
}

static void check_worker(struct oracle *oracle, unsigned number)
{
    words_check_worker(oracle, number);
    check_data_set(oracle, number);
    note_picture(oracle, number);
}

void oracle_observe(void *context, struct world *world, struct sim_process *process)
{
    struct oracle *oracle = context;
    (void)world;
    check_knowledge(oracle, process);
    for (unsigned i = 0; i < SENTINELS; i++)
        if (oracle->appliance->sentinels[i] == process)
            words_check_sentinel(oracle, i);
    for (unsigned i = 0; i < WORKERS; i++)
        if (oracle->appliance->workers[i] == process)
            check_worker(oracle, i);
    check_leases(oracle);
    check_proxy(oracle, process);
    if (oracle->appliance->workload.violation[0] != '\0')
        oracle_violate(oracle, "%s", oracle->appliance->workload.violation);
}

void oracle_init(struct oracle *oracle, struct appliance *appliance)
{
    oracle->appliance = appliance;
    appliance->world.observe = oracle_observe;
    appliance->world.observe_output = observe_output;
    appliance->world.observe_saved = observe_saved;
    appliance->world.observe_context = oracle;
}

void oracle_disk_lost(struct oracle *oracle, unsigned worker)
{
    oracle->words.sent_fence[worker] = 0;
}

void oracle_free(struct oracle *oracle)
{
    words_free(&oracle->words);
}

/* --- at the end --- */

static bool is_stranger(const struct oracle *oracle, const struct sim_process *process)
{
    for (unsigned i = 0; i < WORKERS; i++)
        if (oracle->appliance->workers[i] == process)
            return oracle->appliance->is_stranger[i];
    return false;
}

static void finish_knowledge(struct oracle *oracle)
{
    const struct world *world = &oracle->appliance->world;
    for (unsigned i = 0; i < world->process_count; i++) {
        if (!world->processes[i].running || is_stranger(oracle, &world->processes[i]))
            continue;
        const struct topology *topology = known_topology(oracle, &world->processes[i]);
        if (topology != NULL && topology->version != oracle->newest.version)
            oracle_violate(oracle, "L1: %s knows version %" PRIu64 " at the end, not %" PRIu64,
                           world->processes[i].name, topology->version, oracle->newest.version);
    }
}

#define JOIN_NS (6 * NS_PER_S) /* so long a former spare may need to be in sync */

/* Whether both have the same data, where both have executed the same stream. */
static bool has_same_data(const struct sim_process *replica, const struct sim_process *master)
{
    struct cw_digest digests[2];
    if (cw_inspect_history(replica->core)->last_offset != cw_inspect_history(master->core)->last_offset)
        return true;
    return cw_inspect_digest(replica->core, 0, &digests[0]) && cw_inspect_digest(master->core, 0, &digests[1]) &&
           memcmp(&digests[0], &digests[1], sizeof(digests[0])) == 0;
}

static void finish_workers(struct oracle *oracle)
{
    struct appliance *appliance = oracle->appliance;
    const struct sim_process *master = NULL;
    for (unsigned i = 0; i < WORKERS; i++)
        if (appliance->workers[i]->running &&
            cw_inspect_may_acknowledge(appliance->workers[i]->core,
                                       sim_clock_ns(&appliance->world, appliance->workers[i])))
            master = appliance->workers[i];
    if (master == NULL) {
        oracle_violate(oracle, "L1: nobody has a lease at the end (epoch %" PRIu64 ", version %" PRIu64 ", %s)",
                       oracle->newest.epoch, oracle->newest.version, oracle->newest.reason);
        return;
    }
    unsigned replicas = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        const struct sim_process *worker = appliance->workers[i];
        if (worker == master || is_stranger(oracle, worker))
            continue;
        if (!worker->running) {
            oracle_violate(oracle, "L3: %s does not run at the end", worker->name);
            continue;
        }
        const struct member *member = topology_member(&oracle->newest, &appliance->worker_ids[i]);
        enum node_role role = member->kind == MEMBER_SPARE ? ROLE_SPARE : ROLE_REPLICA;
        replicas += role == ROLE_REPLICA;
        if (cw_inspect_role(worker->core) != role)
            oracle_violate(oracle, "L3: %s is %s at the end", worker->name,
                           node_role_name(cw_inspect_role(worker->core)));
        else if (role == ROLE_REPLICA &&
                 !history_is_prefix(cw_inspect_history(worker->core), cw_inspect_history(master->core)))
            oracle_violate(oracle, "S8: the history of %s is no prefix of the master's", worker->name);
        else if (role == ROLE_REPLICA && !has_same_data(worker, master))
            oracle_violate(oracle, "S8: the data of %s are not the master's, though their streams are", worker->name);
    }
    bool was_just_changed = oracle->exchanges > 0 && appliance->world.now_ns - oracle->exchanged_ns < JOIN_NS;
    if (oracle->newest.in_sync_count != replicas && !was_just_changed)
        oracle_violate(oracle, "L3: %u replicas are in sync at the end", oracle->newest.in_sync_count);
}

/* What each worker would come back with, if it came back now. */
static void finish_disks(struct oracle *oracle)
{
    struct appliance *appliance = oracle->appliance;
    appliance->loads_at_once = true;
    for (unsigned i = 0; i < WORKERS; i++) {
        struct sim_process *worker = appliance->workers[i];
        if (!worker->running)
            continue;
        struct sim_process next = {.core = worker->create(&appliance->world, worker)};
        check_loaded(oracle, i, &next);
        if (!has_same_data(&next, worker))
            oracle_violate(oracle, "S8: the disk of %s has other data than it has itself", worker->name);
        worker->door->destroy(next.core);
    }
}

static void finish_quorum(struct oracle *oracle)
{
    struct appliance *appliance = oracle->appliance;
    for (unsigned i = 0; i < WORKERS; i++)
        if (appliance->workers[i]->running && !is_stranger(oracle, appliance->workers[i]) &&
            cw_inspect_fence(appliance->workers[i]->core) > oracle->newest.epoch)
            oracle_violate(oracle, "L5: a fence of epoch %" PRIu64 " stands at %s at the end",
                           cw_inspect_fence(appliance->workers[i]->core), appliance->workers[i]->name);
    for (unsigned i = 0; i < SENTINELS; i++) {
        struct sn_inspection seen;
        if (appliance->sentinels[i]->running && sn_inspect_group(appliance->sentinels[i]->core, "main", &seen) &&
            seen.is_unsettled)
            oracle_violate(oracle, "L5: %s is unsettled at the end", appliance->sentinels[i]->name);
    }
}

static void finish_liveness(struct oracle *oracle)
{
    const struct workload *workload = &oracle->appliance->workload;
    uint64_t late = 0;
    for (size_t i = 0; i < workload->count; i++) {
        const struct operation *operation = &workload->operations[i];
        if (operation->fate == FATE_ACKNOWLEDGED && operation_is_write(operation->kind) &&
            operation->sent_ns > oracle->appliance->world.now_ns - 4 * NS_PER_S)
            late++;
        if (operation->fate == FATE_PENDING && operation->sent_ns < oracle->appliance->world.now_ns - 3 * NS_PER_S)
            oracle_violate(oracle, "L1: a command of client %u, sent at %.3f s, was never answered", operation->client,
                           (double)operation->sent_ns / 1e9);
    }
    if (late == 0)
        oracle_violate(oracle, "L1: no write was acknowledged in the last seconds");
}

void oracle_finish(struct oracle *oracle)
{
    finish_knowledge(oracle);
    finish_workers(oracle);
    finish_disks(oracle);
    finish_quorum(oracle);
    history_check(oracle);
    migration_finish(oracle);
    finish_liveness(oracle);
    sync_finish(oracle);
}
