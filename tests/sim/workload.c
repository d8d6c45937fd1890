#include "tests/sim/workload.h"

#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/resp/resp_reader.h"
#include "common/resp/resp_writer.h"
#include "tests/sim/changes.h"
#include "tests/sim/scripts.h"

#include <stdio.h>

enum { UNDER_WAY_MAX = 3, REPLY_MAX = 256 };

struct client_core {
    struct client *client; /* borrowed */
    struct rand rand;
    unsigned proxy;
    uint64_t proxy_life;
    bool connecting, connected;
    int64_t next_ns;
    struct buf out; /* owned */
    struct resp_frame frame;
    struct buf reply;                /* owned */
    size_t under_way[UNDER_WAY_MAX]; /* indexes into the workload's operations */
    unsigned under_way_count;
};

static void violate(struct workload *workload, const char *what, unsigned client, const char *detail)
{
    if (workload->violation[0] == '\0')
        snprintf(workload->violation, sizeof(workload->violation), "client %u: %s: %s", client, what, detail);
}

static size_t add_operation(struct workload *workload, struct operation operation)
{
    if (workload->count == workload->capacity) {
        workload->capacity = workload->capacity ? 2 * workload->capacity : 1024;
        workload->operations = mem_resize(workload->operations, workload->capacity * sizeof(struct operation));
    }
    workload->operations[workload->count] = operation;
    return workload->count++;
}

static void write_words(struct buf *out, const char *const *words, size_t count)
{
    resp_write_array(out, count);
    for (size_t i = 0; i < count; i++)
        resp_write_bulk_text(out, words[i]);
}

static void write_operation(struct buf *out, const struct operation *operation, bool with_scripts)
{
    static const char *const names[] = {"INCR", "SET", "GET", "APPEND", "GET"};
    bool is_log = operation->kind == OPERATION_APPEND || operation->kind == OPERATION_READ_LOG;
    bool is_counter =
        operation->kind == OPERATION_INCR || (operation->kind == OPERATION_GET && operation->key % 2 == 0);
    bool is_write = operation->kind == OPERATION_SET || operation->kind == OPERATION_APPEND;
    char key[32], value[32];
    snprintf(key, sizeof(key), "%s:%u", is_log ? "log" : (is_counter ? "counter" : "register"),
             is_log ? operation->client : operation->key);
    snprintf(value, sizeof(value), operation->kind == OPERATION_APPEND ? "%llu," : "%llu",
             (unsigned long long)operation->value);
    if (with_scripts && (is_write || operation->kind == OPERATION_INCR))
        scripts_command(out, names[operation->kind], key, is_write ? value : NULL);
    else
        write_words(out, (const char *[]){names[operation->kind], key, value}, is_write ? 3 : 2);
}

static void send_change(struct client_core *core)
{
    struct workload *workload = core->client->workload;
    struct operation operation = {
        .kind = OPERATION_CHANGE, .client = core->client->number, .sent_ns = workload->world->now_ns};
    if (workload->with_scripts)
        scripts_draw(&core->rand, &core->out);
    else
        changes_draw(&core->rand, &core->out);
    core->under_way[core->under_way_count++] = add_operation(workload, operation);
}

/* Reads a pair of any client's, or writes one of its own. */
static void send_pair(struct client_core *core, bool is_read)
{
    enum { FRAMES_BEFORE_EXEC = 3 };
    struct workload *workload = core->client->workload;
    struct operation operation = {.kind = is_read ? OPERATION_READ_PAIR : OPERATION_PAIR,
                                  .client = core->client->number,
                                  .key = (unsigned)rand_below(&core->rand, WORKLOAD_KEYS),
                                  .sent_ns = workload->world->now_ns};
    char one[32], other[32], value[32];
    snprintf(one, sizeof(one), "pair:%u:one", operation.key);
    snprintf(other, sizeof(other), "pair:%u:other", operation.key);
    if (is_read) {
        write_words(&core->out, (const char *[]){"MGET", one, other}, 3);
        core->under_way[core->under_way_count++] = add_operation(workload, operation);
        return;
    }
    operation.value = ++workload->next_value;
    snprintf(value, sizeof(value), "%llu", (unsigned long long)operation.value);
    if (workload->with_scripts) {
        scripts_pair(&core->rand, &core->out, one, other, value);
    } else {
        operation.frames = FRAMES_BEFORE_EXEC;
        write_words(&core->out, (const char *[]){"MULTI"}, 1);
        write_words(&core->out, (const char *[]){"SET", one, value}, 3);
        write_words(&core->out, (const char *[]){"SET", other, value}, 3);
        write_words(&core->out, (const char *[]){"EXEC"}, 1);
    }
    core->under_way[core->under_way_count++] = add_operation(workload, operation);
}

static void send_operation(struct client_core *core, enum operation_kind kind)
{
    struct workload *workload = core->client->workload;
    struct operation operation = {.kind = kind,
                                  .client = core->client->number,
                                  .key = (unsigned)rand_below(&core->rand, WORKLOAD_KEYS),
                                  .sent_ns = workload->world->now_ns};
    if (kind == OPERATION_SET || kind == OPERATION_APPEND)
        operation.value = ++workload->next_value;
    write_operation(&core->out, &operation, workload->with_scripts);
    core->under_way[core->under_way_count++] = add_operation(workload, operation);
}

static void send_read_of_source(struct client_core *core)
{
    struct workload *workload = core->client->workload;
    struct operation operation = {.kind = OPERATION_READ_SOURCE,
                                  .client = core->client->number,
                                  .floor = workload->source_seen,
                                  .sent_ns = workload->world->now_ns};
    write_words(&core->out, (const char *[]){"STRLEN", "source:log"}, 2);
    core->under_way[core->under_way_count++] = add_operation(workload, operation);
}

/* ":17\r\n" and "$2\r\n17\r\n" as a number; null is 0. */
static int reply_number(struct slice reply, uint64_t *ret_number)
{
    if (reply.length < 4)
        return ERR_PROTOCOL;
    if (slice_equal(reply, SLICE_LITERAL("$-1\r\n")) || slice_equal(reply, SLICE_LITERAL("_\r\n"))) {
        *ret_number = 0;
        return 0;
    }
    size_t start = 1;
    if (reply.data[0] == '$')
        while (start < reply.length && reply.data[start - 1] != '\n')
            start++;
    if (start + 2 > reply.length)
        return ERR_PROTOCOL;
    return number_parse_u64(slice_of(reply.data + start, reply.length - start - 2), ret_number);
}

/* "$5\r\n1,22,\r\n", or null. */
static bool keep_log(struct client *client, struct slice reply)
{
    const char *line = reply.data[0] == '$' ? memchr(reply.data, '\n', reply.length) : NULL;
    if (reply.data[0] != '$' && reply.data[0] != '_')
        return false;
    client->has_log = true;
    if (line != NULL && reply.data[1] != '-')
        buf_add(&client->log, line + 1, reply.length - (size_t)(line + 1 - reply.data) - 2);
    return true;
}

static bool starts_with(struct slice bytes, const char *text)
{
    return bytes.length >= strlen(text) && memcmp(bytes.data, text, strlen(text)) == 0;
}

/* Groups of streams are created, and asked for, without looking what is there. */
static bool is_change_done(struct slice reply)
{
    return reply.data[0] != '-' || starts_with(reply, "-BUSYGROUP ") || starts_with(reply, "-NOGROUP ") ||
           scripts_unknown(reply);
}

/* "*2\r\n" and two equal values; or two nulls. */
static bool is_whole_pair(struct slice reply)
{
    struct slice values = reply.length > 4 ? slice_skip(reply, 4) : slice_of(NULL, 0);
    size_t half = values.length / 2;
    return starts_with(reply, "*2\r\n") && values.length % 2 == 0 && memcmp(values.data, values.data + half, half) == 0;
}

/* Whether the reply is one to such a command; then `ret_number` is what it says, if it is a number. */
static bool reply_fits(struct client *client, const struct operation *operation, struct slice reply,
                       uint64_t *ret_number)
{
    uint64_t length;
    switch (operation->kind) {
    case OPERATION_SET: return slice_equal(reply, SLICE_LITERAL("+OK\r\n"));
    case OPERATION_APPEND: return reply.data[0] == ':' && reply_number(reply, &length) == 0;
    case OPERATION_READ_LOG: return keep_log(client, reply);
    case OPERATION_CHANGE: return is_change_done(reply);
    case OPERATION_PAIR: return slice_equal(reply, SLICE_LITERAL("*2\r\n+OK\r\n+OK\r\n"));
    case OPERATION_READ_PAIR: return is_whole_pair(reply);
    case OPERATION_INCR:
    case OPERATION_GET:
    case OPERATION_READ_SOURCE: break;
    }
    return reply.data[0] != '-' && reply_number(reply, ret_number) == 0;
}

/* A master that cannot write its append-only file takes no writes, nor one that follows a server outside. */
static bool is_refused(const struct workload *workload, struct slice reply)
{
    return (workload->disk_refuses && starts_with(reply, "-MISCONF ")) ||
           (workload->migrates && starts_with(reply, "-READONLY migrating"));
}

static void note_source(struct workload *workload, const struct operation *read)
{
    if (read->value < read->floor && workload->source_went_back_ns == 0)
        workload->source_went_back_ns = read->answered_ns;
    if (read->value > workload->source_seen)
        workload->source_seen = read->value;
}

static void take_reply(struct client_core *core, struct slice reply)
{
    struct workload *workload = core->client->workload;
    char text[96];
    snprintf(text, sizeof(text), "%.*s", (int)(reply.length < 90 ? reply.length : 90), reply.data);
    if (core->under_way_count == 0) {
        violate(workload, "a reply that nobody asked for", core->client->number, text);
        return;
    }
    struct operation *operation = &workload->operations[core->under_way[0]];
    if (operation->frames > 0) {
        operation->frames--;
        if (!starts_with(reply, "+OK") && !starts_with(reply, "+QUEUED") && !starts_with(reply, "-TRYAGAIN ") &&
            !is_refused(workload, reply))
            violate(workload, "a transaction was answered", core->client->number, text);
        return;
    }
    core->under_way_count--;
    memmove(core->under_way, core->under_way + 1, core->under_way_count * sizeof(core->under_way[0]));
    operation->answered_ns = workload->world->now_ns;

    uint64_t number = operation->value;
    if (reply_fits(core->client, operation, reply, &number)) {
        operation->fate = FATE_ACKNOWLEDGED;
        operation->value = number;
        workload->acknowledged++;
        if (operation->kind == OPERATION_READ_SOURCE)
            note_source(workload, operation);
    } else if (starts_with(reply, "-UNCERTAIN ")) {
        operation->fate = FATE_UNCERTAIN;
        workload->uncertain++;
        if (!operation_is_write(operation->kind))
            violate(workload, "a read was answered", core->client->number, text);
    } else if (operation->kind == OPERATION_PAIR && starts_with(reply, "-EXECABORT ")) {
        operation->fate = FATE_REFUSED; /* nothing of it was executed */
    } else if (is_refused(workload, reply)) {
        operation->fate = FATE_REFUSED;
    } else if (starts_with(reply, "-TRYAGAIN ")) {
        /* The hold's bound was hit: not executed. It may only be hit by those who waited long. */
        operation->fate = FATE_REFUSED;
        workload->refused++;
        if (operation->answered_ns - operation->sent_ns < 10 * NS_PER_S)
            violate(workload, "refused early", core->client->number, text);
    } else {
        violate(workload, "an answer that no client may see", core->client->number, text);
    }
}

static void take_bytes(struct client_core *core, struct slice bytes)
{
    struct resp_limits limits = RESP_LIMITS_DEFAULT;
    while (bytes.length > 0) {
        size_t used = 0;
        int complete = resp_frame_scan(&core->frame, bytes, &limits, &used);
        if (complete < 0) {
            violate(core->client->workload, "replies are not RESP", core->client->number, "");
            return;
        }
        buf_add(&core->reply, bytes.data, used);
        bytes = slice_skip(bytes, used);
        if (complete == 0)
            return;
        take_reply(core, buf_slice(&core->reply));
        buf_clear(&core->reply);
    }
}

static void lose_connection(struct client_core *core, int64_t now_ns)
{
    struct workload *workload = core->client->workload;
    for (unsigned i = 0; i < core->under_way_count; i++) {
        workload->operations[core->under_way[i]].fate = FATE_UNCERTAIN;
        workload->uncertain++;
    }
    struct sim_process *proxy = workload->proxy_of[core->proxy];
    if (core->connected) {
        workload->connections_closed++;
        if (proxy->running && proxy->life == core->proxy_life)
            violate(workload, "its connection was closed by a living proxy", core->client->number, proxy->name);
    }
    core->connecting = core->connected = false;
    core->under_way_count = 0;
    buf_clear(&core->out);
    buf_clear(&core->reply);
    core->frame = (struct resp_frame){0};
    core->next_ns = now_ns + 200 * NS_PER_MS;
    core->proxy = (core->proxy + 1) % workload->proxy_count;
}

/* A proxy whose host lost its power closes nothing: its client finds out by keep-alive. */
static bool is_half_open(const struct client_core *core)
{
    const struct workload *workload = core->client->workload;
    return workload->proxy_of[core->proxy]->life != core->proxy_life && core->under_way_count > 0 &&
           workload->world->now_ns - workload->operations[core->under_way[0]].sent_ns > 10 * NS_PER_S;
}

static void turn(struct client_core *core, int64_t now_ns, struct effects *effects)
{
    struct workload *workload = core->client->workload;
    if (now_ns < core->next_ns)
        return;
    if (!core->connecting && !core->connected) {
        core->connecting = true;
        core->next_ns = NEVER_NS;
        effect_connect(effects, 0, &workload->proxies[core->proxy]);
        return;
    }
    core->next_ns = now_ns + rand_between(&core->rand, 10 * NS_PER_MS, 60 * NS_PER_MS);
    if (core->connected && is_half_open(core)) {
        effect_close(effects, 0);
        lose_connection(core, now_ns);
        return;
    }
    if (!core->connected || workload->is_waiting)
        return;
    bool is_over = workload->world->now_ns >= workload->stop_ns;
    while (!is_over && core->under_way_count < UNDER_WAY_MAX && rand_chance(&core->rand, 600000)) {
        if ((workload->with_changes || workload->with_scripts) && rand_chance(&core->rand, 400000))
            send_change(core);
        else if (workload->migrates && rand_chance(&core->rand, 200000))
            send_read_of_source(core);
        else if (rand_chance(&core->rand, 200000))
            send_pair(core, rand_chance(&core->rand, 500000));
        else
            send_operation(core, (enum operation_kind)rand_below(&core->rand, OPERATION_READ_LOG));
    }
    if (is_over && core->under_way_count == 0 && !core->client->has_log)
        send_operation(core, OPERATION_READ_LOG);
    if (buf_length(&core->out) > 0)
        effect_flush(effects, 0);
}

static void client_step(void *context, const struct event *event, struct effects *effects)
{
    struct client_core *core = context;
    switch (event->kind) {
    case EVENT_OPENED:
        core->connecting = false;
        core->connected = true;
        core->proxy_life = core->client->workload->proxy_of[core->proxy]->life;
        core->next_ns = event->now_ns;
        break;
    case EVENT_RECEIVED: take_bytes(core, event->bytes); break;
    case EVENT_CLOSED: lose_connection(core, event->now_ns); break;
    case EVENT_TURN: turn(core, event->now_ns, effects); break;
    default: break;
    }
}

static struct slice client_output(void *context, link_id link, int64_t now_ns)
{
    (void)link;
    (void)now_ns;
    return buf_slice(&((struct client_core *)context)->out);
}

static void client_sent(void *context, link_id link, size_t count, struct effects *effects)
{
    (void)link;
    (void)effects;
    buf_consume(&((struct client_core *)context)->out, count);
}

static int64_t client_deadline(const void *context)
{
    return ((const struct client_core *)context)->next_ns;
}

static link_id client_accept(void *context, int listener, const struct address *peer, int64_t now_ns,
                             struct effects *effects)
{
    (void)context, (void)listener, (void)peer, (void)now_ns, (void)effects;
    return LINK_NONE;
}

static void client_destroy(void *context)
{
    struct client_core *core = context;
    buf_free(&core->out);
    buf_free(&core->reply);
    mem_free(core);
}

static const struct door client_door = {.accept = client_accept,
                                        .step = client_step,
                                        .output = client_output,
                                        .sent = client_sent,
                                        .deadline = client_deadline,
                                        .destroy = client_destroy};

static void *client_create(struct world *world, struct sim_process *process)
{
    struct client_core *core = mem_zero(sizeof(*core));
    core->client = process->context;
    core->rand = rand_fork(&world->rand);
    core->proxy = core->client->number % core->client->workload->proxy_count;
    core->next_ns = 0;
    return core;
}

void workload_init(struct workload *workload, struct world *world)
{
    *workload = (struct workload){.world = world, .stop_ns = NEVER_NS};
}

void workload_free(struct workload *workload)
{
    for (unsigned i = 0; i < WORKLOAD_CLIENTS; i++)
        buf_free(&workload->clients[i].log);
    mem_free(workload->operations);
    workload->operations = NULL;
}

struct sim_process *workload_add_client(struct workload *workload, unsigned number)
{
    char name[SIM_NAME_MAX];
    snprintf(name, sizeof(name), "client-%u", number + 1);
    workload->clients[number] = (struct client){.workload = workload, .number = number};
    struct sim_process *process =
        world_add(workload->world, name, &client_door, client_create, &workload->clients[number]);
    return process;
}
