#include "ctl/verbs.h"

#include "common/base/mem.h"
#include "ctl/control.h"

#include <stdio.h>

struct row {
    const char *role; /* static */
    bool has_offset;
    uint64_t offset;
    struct life life;
    uint64_t epoch;
    bool has_epoch;
};

/* The newest topology that an answer holds replaces `newest`. */
static void take_topology(const redisReply *reply, struct topology *newest)
{
    if (reply->type != REDIS_REPLY_STRING)
        return;
    struct topology *topology = mem_alloc(sizeof(*topology));
    if (topology_decode(slice_of(reply->str, (size_t)reply->len), topology) == 0 && topology->version > newest->version)
        *newest = *topology;
    mem_free(topology);
}

static void read_worker(const struct ask *ask, struct row *row)
{
    struct message *message = mem_alloc(sizeof(*message));
    if (ask->count > 0 && control_message(ask->replies[0], message) == 0 && message->kind == MESSAGE_STATUS) {
        const struct status *status = &message->status;
        row->role = node_role_name(status->role);
        row->has_offset = true;
        row->offset = status->history.last_offset;
        row->life = status->life;
        row->epoch = status->epoch;
        row->has_epoch = true;
    }
    mem_free(message);
}

static void ask_processes(struct ctl_options *options, struct row *rows, struct topology *newest)
{
    struct ask *asks = mem_zero(CTL_NODES_MAX * sizeof(*asks));
    unsigned index[CTL_NODES_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < options->count; i++) {
        const struct ctl_process *process = &options->processes[i];
        rows[i].role = process->pid == 0 ? "down" : "unresponsive";
        if (process->pid == 0)
            continue;
        struct ask *ask = &asks[count];
        index[count++] = i;
        ask->wanted = 1;
        ask->address = process->kind == CTL_WORKER ? process->control : process->data;
        if (process->kind == CTL_WORKER) {
            control_hello(ask, buf_slice(&options->secret));
            control_poll(ask, options->group);
        } else {
            ask_add(ask, "RESPITE TOPOLOGY");
        }
    }
    ask_all(asks, count, options->timeout_ms);
    for (unsigned k = 0; k < count; k++) {
        struct row *row = &rows[index[k]];
        if (options->processes[index[k]].kind == CTL_WORKER) {
            read_worker(&asks[k], row);
        } else if (asks[k].count > 0) {
            row->role = "up";
            take_topology(asks[k].replies[0], newest);
        }
        ask_free(&asks[k]);
    }
    mem_free(asks);
}

/* The process whose life, or at least whose node, the topology calls master; -1 when none does. */
static int find_master(const struct ctl_options *options, const struct row *rows, const struct topology *topology)
{
    for (unsigned i = 0; i < options->count; i++)
        if (!identity_is_nobody(&rows[i].life.node) && identity_equal(&rows[i].life.node, &topology->master.node))
            return (int)i;
    /* A master that does not answer is still found by its address. */
    const struct member *member = topology_member(topology, &topology->master.node);
    for (unsigned i = 0; member != NULL && i < options->count; i++)
        if (options->processes[i].kind == CTL_WORKER && address_equal(&options->processes[i].data, &member->data))
            return (int)i;
    return -1;
}

static const char *kind_name(enum ctl_kind kind)
{
    return kind == CTL_SENTINEL ? "sentinel" : kind == CTL_WORKER ? "worker" : "proxy";
}

static void print_json(const struct ctl_options *options, const struct row *rows, const struct topology *topology,
                       int master)
{
    printf("{\"endpoint\":{\"host\":\"%s\",\"port\":%u},\"epoch\":%llu,\"master\":", options->endpoint.host,
           options->endpoint.port, (unsigned long long)topology->epoch);
    if (master >= 0)
        printf("\"%s\"", options->processes[master].name);
    else
        printf("null");
    printf(",\"processes\":[");
    for (unsigned i = 0; i < options->count; i++) {
        const struct ctl_process *process = &options->processes[i];
        printf("%s{\"name\":\"%s\",\"kind\":\"%s\",\"role\":\"%s\",\"host\":\"%s\",\"port\":%u,\"pid\":", i ? "," : "",
               process->name, kind_name(process->kind), rows[i].role, process->data.host, process->data.port);
        if (process->pid > 0)
            printf("%ld", process->pid);
        else
            printf("null");
        if (rows[i].has_offset)
            printf(",\"offset\":%llu}", (unsigned long long)rows[i].offset);
        else
            printf(",\"offset\":null}");
    }
    printf("]}\n");
}

static void print_table(const struct ctl_options *options, const struct row *rows, const struct topology *topology,
                        int master)
{
    printf("endpoint %s:%u   epoch %llu   master %s\n\n", options->endpoint.host, options->endpoint.port,
           (unsigned long long)topology->epoch, master >= 0 ? options->processes[master].name : "none");
    printf("%-12s %-13s %-24s %8s %6s %12s\n", "name", "role", "address", "pid", "epoch", "offset");
    for (unsigned i = 0; i < options->count; i++) {
        const struct ctl_process *process = &options->processes[i];
        char address[128], pid[24] = "-", epoch[24] = "-", offset[24] = "-";
        snprintf(address, sizeof(address), "%s:%u", process->data.host, process->data.port);
        if (process->pid > 0)
            snprintf(pid, sizeof(pid), "%ld", process->pid);
        if (rows[i].has_epoch)
            snprintf(epoch, sizeof(epoch), "%llu", (unsigned long long)rows[i].epoch);
        if (rows[i].has_offset)
            snprintf(offset, sizeof(offset), "%llu", (unsigned long long)rows[i].offset);
        printf("%-12s %-13s %-24s %8s %6s %12s\n", process->name, rows[i].role, address, pid, epoch, offset);
    }
}

int ctl_status(struct ctl_options *options)
{
    struct row rows[CTL_NODES_MAX] = {0};
    struct topology *newest = mem_zero(sizeof(*newest));
    ask_processes(options, rows, newest);
    int master = find_master(options, rows, newest);
    if (options->json)
        print_json(options, rows, newest, master);
    else
        print_table(options, rows, newest, master);
    mem_free(newest);
    return 0;
}
