#include "ctl/verbs.h"

#include "common/base/errors.h"
#include "common/base/mem.h"
#include "ctl/control.h"

#include <stdio.h>

static int complain(const struct ctl_process *process, const char *what)
{
    fprintf(stderr, "respitectl: %s:%u: %s\n", process->kind == CTL_WORKER ? process->control.host : process->data.host,
            process->kind == CTL_WORKER ? process->control.port : process->data.port, what);
    return 1;
}

static int name_sentinel(const struct ctl_process *process, const redisReply *reply, struct sentinel_list *list)
{
    struct sentinel_entry entry = {.address = process->data};
    if (reply->type != REDIS_REPLY_STRING ||
        identity_parse(slice_of(reply->str, (size_t)reply->len), &entry.sentinel) < 0)
        return complain(process, "this is not a sentinel's port");
    if (list->count == TOPOLOGY_SENTINELS_MAX)
        return complain(process, "too many sentinels");
    list->entries[list->count++] = entry;
    return 0;
}

/* Fills the list from what each daemon says is its name. */
static int name_all(struct ctl_options *options, const struct ask *asks, struct topology *topology)
{
    struct message *message = mem_alloc(sizeof(*message));
    int status = 0;
    for (unsigned i = 0; i < options->count && status == 0; i++) {
        const struct ctl_process *process = &options->processes[i];
        const redisReply *reply = asks[i].count > 0 ? asks[i].replies[0] : NULL;
        if (reply == NULL) {
            status = complain(process, error_text(asks[i].result));
        } else if (reply->type == REDIS_REPLY_ERROR) {
            status = complain(process, reply->str);
        } else if (process->kind == CTL_SENTINEL) {
            status = name_sentinel(process, reply, &topology->sentinels);
        } else if (control_message(reply, message) < 0 || message->kind != MESSAGE_STATUS) {
            status = complain(process, "this is not a worker's control port");
        } else {
            topology->members[topology->member_count++] =
                (struct member){.node = message->status.life.node,
                                .kind = process->is_spare ? MEMBER_SPARE : MEMBER_REPLICA,
                                .priority = 100,
                                .data = process->data,
                                .control = process->control};
        }
    }
    mem_free(message);
    return status;
}

/* One of those that are no spares becomes master. */
static uint32_t wanted_replicas(const struct ctl_options *options)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < options->count; i++)
        count += options->processes[i].kind == CTL_WORKER && !options->processes[i].is_spare;
    return count > 0 ? count - 1 : 0;
}

static int propose(struct ctl_options *options, const struct topology *topology)
{
    struct ask ask = {.wanted = 2}; /* HELLO, and the answer to CREATE */
    for (unsigned i = 0; i < options->count; i++)
        if (options->processes[i].kind == CTL_SENTINEL)
            ask.address = options->processes[i].data;
    struct buf text = {0};
    topology_encode(topology, &text);
    control_hello(&ask, buf_slice(&options->secret));
    ask_add(&ask, "RESPITE CREATE %b", buf_slice(&text).data, buf_length(&text));
    ask_all(&ask, 1, options->timeout_ms);
    int status = 0;
    if (ask.result < 0) {
        fprintf(stderr, "respitectl: create: %s\n", error_text(ask.result));
        status = 1;
    } else if (ask.replies[1]->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "respitectl: create: %s\n", ask.replies[1]->str);
        status = 1;
    }
    buf_free(&text);
    ask_free(&ask);
    return status;
}

int ctl_create(struct ctl_options *options)
{
    struct topology *topology = mem_zero(sizeof(*topology));
    strcpy(topology->group, options->group);
    topology->version = 1;
    topology->wanted_replicas = wanted_replicas(options);
    topology->durability = options->durability;
    topology->acknowledgements = options->acknowledgements;
    strcpy(topology->author, "operator");
    strcpy(topology->reason, "create");

    struct ask *asks = mem_zero(CTL_NODES_MAX * sizeof(*asks));
    for (unsigned i = 0; i < options->count; i++) {
        const struct ctl_process *process = &options->processes[i];
        asks[i].address = process->kind == CTL_WORKER ? process->control : process->data;
        asks[i].wanted = 1;
        if (process->kind == CTL_WORKER) {
            control_hello(&asks[i], buf_slice(&options->secret));
            control_poll(&asks[i], options->group);
        } else {
            ask_add(&asks[i], "SENTINEL MYID");
        }
    }
    ask_all(asks, options->count, options->timeout_ms);
    int status = name_all(options, asks, topology);
    if (status == 0)
        status = propose(options, topology);
    for (unsigned i = 0; i < options->count; i++)
        ask_free(&asks[i]);
    mem_free(asks);
    mem_free(topology);
    return status;
}
