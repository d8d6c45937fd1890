#include "tests/sim/migration.h"

#include "cacheworker/engine/inspect.h"
#include "common/base/mem.h"
#include "common/ha/messages.h"
#include "common/resp/resp_reader.h"
#include "common/resp/resp_writer.h"
#include "tests/sim/changes.h"
#include "tests/sim/oracle.h"
#include "tests/sim/swarm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_VISIT_NS (2 * NS_PER_S)
#define PATIENCE_NS    (2 * NS_PER_S)

/* --- what the writer and the tool share: one link to somebody, and replies one after the other --- */

struct talker {
    struct migration *migration; /* borrowed */
    void (*opened)(struct talker *talker);
    void (*replied)(struct talker *talker, struct slice reply);
    void (*turned)(struct talker *talker, int64_t now_ns, struct effects *effects);
    bool is_linked, is_open;
    int64_t next_ns;
    struct buf out, reply; /* owned */
    struct resp_frame frame;
    unsigned awaited; /* replies */
    uint64_t token;   /* of the last batch; of the tool: what the source had acknowledged when the order was given */
    unsigned whom;    /* the tool visits */
    unsigned order;   /* that it gave there */
    int64_t called_ns;
};

static struct world *world_of(const struct talker *talker)
{
    return &talker->migration->appliance->world;
}

static void forget_link(struct talker *talker)
{
    talker->is_linked = talker->is_open = false;
    talker->awaited = 0;
    talker->frame = (struct resp_frame){0};
    buf_clear(&talker->out);
    buf_clear(&talker->reply);
}

static void hang_up(struct talker *talker, struct effects *effects)
{
    if (talker->is_linked)
        effect_close(effects, 0);
    forget_link(talker);
}

static void call(struct talker *talker, const struct address *address, struct effects *effects)
{
    forget_link(talker);
    talker->is_linked = true;
    effect_connect(effects, 0, address);
}

static void say(struct talker *talker, const char *const *words)
{
    size_t count = 0;
    while (words[count] != NULL)
        count++;
    resp_write_array(&talker->out, count);
    for (size_t i = 0; i < count; i++)
        resp_write_bulk_text(&talker->out, words[i]);
    talker->awaited++;
}

#define SAY(talker, ...) say((talker), (const char *const[]){__VA_ARGS__, NULL})

static void take_bytes(struct talker *talker, struct slice bytes)
{
    struct resp_limits limits = RESP_LIMITS_DEFAULT;
    while (bytes.length > 0 && talker->is_linked) {
        size_t used = 0;
        int complete = resp_frame_scan(&talker->frame, bytes, &limits, &used);
        CHECK(complete >= 0);
        buf_add(&talker->reply, bytes.data, used);
        bytes = slice_skip(bytes, used);
        if (complete == 0)
            return;
        talker->awaited -= talker->awaited > 0;
        talker->replied(talker, buf_slice(&talker->reply));
        buf_clear(&talker->reply);
    }
}

static void talker_step(void *context, const struct event *event, struct effects *effects)
{
    struct talker *talker = context;
    switch (event->kind) {
    case EVENT_OPENED:
        talker->is_open = true;
        talker->opened(talker);
        break;
    case EVENT_RECEIVED: take_bytes(talker, event->bytes); break;
    case EVENT_CLOSED:
        forget_link(talker);
        talker->next_ns = event->now_ns + 200 * NS_PER_MS;
        break;
    case EVENT_TURN:
        if (event->now_ns >= talker->next_ns)
            talker->turned(talker, event->now_ns, effects);
        break;
    default: break;
    }
    if (talker->is_open && buf_length(&talker->out) > 0)
        effect_flush(effects, 0);
}

static struct slice talker_output(void *context, link_id link, int64_t now_ns)
{
    (void)link, (void)now_ns;
    return buf_slice(&((struct talker *)context)->out);
}

static void talker_sent(void *context, link_id link, size_t count, struct effects *effects)
{
    (void)link, (void)effects;
    buf_consume(&((struct talker *)context)->out, count);
}

static int64_t talker_deadline(const void *context)
{
    return ((const struct talker *)context)->next_ns;
}

static link_id talker_accept(void *context, int listener, const struct address *peer, int64_t now_ns,
                             struct effects *effects)
{
    (void)context, (void)listener, (void)peer, (void)now_ns, (void)effects;
    return LINK_NONE;
}

static void talker_destroy(void *context)
{
    struct talker *talker = context;
    buf_free(&talker->out);
    buf_free(&talker->reply);
    mem_free(talker);
}

static const struct door talker_door = {.accept = talker_accept,
                                        .step = talker_step,
                                        .output = talker_output,
                                        .sent = talker_sent,
                                        .deadline = talker_deadline,
                                        .destroy = talker_destroy};

/* --- the writer --- */

static bool is_reading(const struct talker *writer)
{
    return world_of(writer)->now_ns >= writer->migration->appliance->workload.stop_ns;
}

static void write_batch(struct talker *writer)
{
    struct migration *migration = writer->migration;
    char token[24];
    writer->token = ++migration->written;
    CHECK(writer->token < MIGRATION_TOKENS_MAX);
    snprintf(token, sizeof(token), "%" PRIu64 ",", writer->token);
    if (rand_chance(&migration->rand, 300000)) {
        changes_draw(&migration->rand, &writer->out);
        writer->awaited++;
    }
    if (rand_chance(&migration->rand, 300000)) {
        SAY(writer, "MULTI");
        SAY(writer, "SET", "source:one", token);
        SAY(writer, "SET", "source:other", token);
        SAY(writer, "EXEC");
    }
    SAY(writer, "APPEND", "source:log", token);
}

static void writer_opened(struct talker *writer)
{
    if (!is_reading(writer))
        return;
    SAY(writer, "MGET", "source:one", "source:other");
    SAY(writer, "GET", "source:log");
}

/* "*2\r\n" and two equal values; or two nulls. */
static bool is_pair(struct slice reply)
{
    size_t half = reply.length > 4 ? (reply.length - 4) / 2 : 0;
    return half > 0 && reply.length == 4 + 2 * half && memcmp(reply.data + 4, reply.data + 4 + half, half) == 0;
}

static void keep_what_the_group_has(struct talker *writer, struct slice reply)
{
    struct migration *migration = writer->migration;
    const char *line = memchr(reply.data, '\n', reply.length);
    if (reply.data[0] == '*') {
        migration->is_pair_whole = is_pair(reply);
    } else if (reply.data[0] == '$' || reply.data[0] == '_') {
        migration->has_read = true;
        buf_clear(&migration->log);
        if (reply.data[0] == '$' && reply.data[1] != '-')
            buf_add(&migration->log, line + 1, reply.length - (size_t)(line + 1 - reply.data) - 2);
    }
}

static void writer_replied(struct talker *writer, struct slice reply)
{
    struct migration *migration = writer->migration;
    if (is_reading(writer) && writer->token == 0) {
        keep_what_the_group_has(writer, reply);
        return;
    }
    if (writer->awaited == 0 && reply.data[0] == ':') {
        migration->acknowledged[writer->token] = true;
        migration->newest_acknowledged = writer->token;
    }
}

/* The last batch is answered, or lost, before it reads. */
static void writer_turned(struct talker *writer, int64_t now_ns, struct effects *effects)
{
    struct migration *migration = writer->migration;
    writer->next_ns = now_ns + rand_between(&migration->rand, 10, 40) * NS_PER_MS;
    if (migration->has_read)
        writer->next_ns = NEVER_NS;
    else if (is_reading(writer) && writer->token > 0) {
        hang_up(writer, effects);
        writer->token = 0;
    } else if (!writer->is_linked) {
        call(writer,
             is_reading(writer) ? &migration->appliance->proxies[0]->listeners[0] : &migration->source->listeners[0],
             effects);
    } else if (writer->is_open && writer->awaited == 0 && !is_reading(writer)) {
        write_batch(writer);
    }
}

static void delay_source(struct migration *migration, int64_t lag_ns)
{
    for (unsigned i = 0; i < WORKERS; i++)
        migration->appliance->world.lag_ns[migration->source->index][migration->appliance->workers[i]->index] = lag_ns;
}

static void end_delay(struct world *world, void *context)
{
    (void)world;
    delay_source(context, 0);
}

/* From here on the source is ahead of what the group has. */
static void begin_delay(struct migration *migration)
{
    struct world *world = &migration->appliance->world;
    delay_source(migration, rand_between(&migration->rand, 300, 2500) * NS_PER_MS);
    world_schedule(world, world->now_ns + rand_between(&migration->rand, 2, 5) * NS_PER_S, end_delay, migration);
}

/* --- the tool: visits one worker after the other, asks how it stands, and gives the order that is due --- */

enum { ORDER_NONE, ORDER_START, ORDER_CUT_OVER, ORDER_ABORT };

struct source_words {
    const char *host;
    char port[8];
};

static struct source_words words_of(const struct migration *migration)
{
    struct source_words words = {.host = migration->source->listeners[0].host};
    snprintf(words.port, sizeof(words.port), "%u", migration->source->listeners[0].port);
    return words;
}

static void tool_opened(struct talker *tool)
{
    struct migration *migration = tool->migration;
    struct source_words source = words_of(migration);
    struct message *hello = mem_zero(sizeof(*hello));
    hello->kind = MESSAGE_HELLO;
    hello->hello.kind = PEER_TOOL;
    hello->hello.sender.bytes[0] = 2;
    hello->hello.secret = slice_text(APPLIANCE_SECRET);
    hello->hello.protocol = CONTROL_PROTOCOL;
    message_encode(hello, &tool->out);
    mem_free(hello);
    if (migration->started_ns == 0 || rand_chance(&migration->rand, 500000))
        SAY(tool, "RESPITE", "MIGRATE", "CREDENTIALS", source.host, source.port, "", "");
    SAY(tool, "RESPITE", "MIGRATE", "STATUS");
}

static bool is_in(struct slice status, const char *state)
{
    char line[40];
    snprintf(line, sizeof(line), "state:%s\r", state);
    return memmem(status.data, status.length, line, strlen(line)) != NULL;
}

/* This master knows of the migration. */
static void note_start(struct migration *migration, const struct sim_process *worker)
{
    bool is_known = migration->ordered == worker && migration->ordered_life == worker->life;
    if (migration->started_ns > 0 || !worker->running || is_known)
        return;
    migration->ordered = worker;
    migration->ordered_life = worker->life;
    migration->ordered_offset = cw_inspect_history(worker->core)->last_offset;
}

static unsigned order_for(struct talker *tool, struct slice status)
{
    struct migration *migration = tool->migration;
    bool is_to_end = world_of(tool)->now_ns >= migration->end_ns;
    bool is_following = is_in(status, "connecting") || is_in(status, "copying") || is_in(status, "following");
    bool is_interrupted = is_in(status, "interrupted");
    migration->interrupted += is_interrupted;
    if (is_following)
        note_start(migration, migration->appliance->workers[tool->whom]);
    if (is_interrupted && is_to_end && migration->aborts)
        return ORDER_ABORT;
    if ((migration->started_ns == 0 && is_in(status, "none")) || is_interrupted)
        return ORDER_START;
    if (!is_following || !is_to_end || migration->started_ns == 0)
        return ORDER_NONE;
    if (migration->is_delayed)
        return migration->aborts ? ORDER_ABORT : ORDER_CUT_OVER;
    migration->is_delayed = true;
    if (rand_chance(&migration->rand, 850000))
        begin_delay(migration);
    return ORDER_NONE;
}

static void give_order(struct talker *tool)
{
    struct migration *migration = tool->migration;
    struct source_words source = words_of(migration);
    if (tool->order == ORDER_START)
        SAY(tool, "RESPITE", "MIGRATE", "START", source.host, source.port, "", "empty");
    else if (tool->order == ORDER_CUT_OVER)
        SAY(tool, "RESPITE", "MIGRATE", "CUT-OVER", "5000", "ordinary");
    else if (tool->order == ORDER_ABORT)
        SAY(tool, "RESPITE", "MIGRATE", "ABORT");
    if ((tool->order == ORDER_CUT_OVER || tool->order == ORDER_ABORT) && migration->end_ordered_ns == 0)
        migration->end_ordered_ns = world_of(tool)->now_ns;
    tool->token = migration->newest_acknowledged;
}

static void note_ok(struct talker *tool)
{
    struct migration *migration = tool->migration;
    migration->starts += tool->order == ORDER_START;
    migration->ends += tool->order != ORDER_START;
    if (tool->order == ORDER_CUT_OVER) {
        migration->carried = tool->token;
        migration->carried_ns = world_of(tool)->now_ns;
    }
    if (tool->order == ORDER_START)
        note_start(migration, migration->appliance->workers[tool->whom]);
}

static void tool_replied(struct talker *tool, struct slice reply)
{
    if (reply.data[0] == '$' && tool->order == ORDER_NONE) {
        tool->order = order_for(tool, reply);
        give_order(tool);
        return;
    }
    if (tool->order != ORDER_NONE && tool->awaited == 0 && reply.data[0] == '+')
        note_ok(tool);
}

/* A start counts when a reply that shows it could leave. */
static void look_at_start(struct migration *migration)
{
    struct appliance *appliance = migration->appliance;
    const struct sim_process *worker = migration->ordered;
    if (migration->started_ns > 0 || worker == NULL || !worker->running || worker->life != migration->ordered_life ||
        !cw_inspect_may_acknowledge(worker->core, sim_clock_ns(&appliance->world, worker)) ||
        cw_inspect_released_offset(worker->core) < migration->ordered_offset)
        return;
    migration->started_ns = appliance->world.now_ns;
    appliance->workload.is_waiting = false;
}

static void compare(struct migration *migration, const struct sim_process *worker)
{
    struct slice ids[2];
    uint64_t offsets[2];
    struct cw_digest digests[2];
    if (!worker->running || !migration->source->running || cw_inspect_is_loading(migration->source->core) ||
        !cw_inspect_position(worker->core, &ids[0], &offsets[0]) ||
        !cw_inspect_position(migration->source->core, &ids[1], &offsets[1]) || offsets[0] != offsets[1] ||
        !slice_equal(ids[0], ids[1]))
        return;
    migration->compared++;
    CHECK(cw_inspect_digest(worker->core, 0, &digests[0]));
    CHECK(cw_inspect_digest(migration->source->core, 0, &digests[1]));
    migration->differs |= memcmp(&digests[0], &digests[1], sizeof(digests[0])) != 0;
}

static void tool_turned(struct talker *tool, int64_t now_ns, struct effects *effects)
{
    struct migration *migration = tool->migration;
    look_at_start(migration);
    for (unsigned i = 0; i < WORKERS; i++)
        compare(migration, migration->appliance->workers[i]);
    tool->next_ns = now_ns + rand_between(&migration->rand, 100, 300) * NS_PER_MS;
    bool is_busy = tool->is_linked && (!tool->is_open || tool->awaited > 0);
    if (is_busy && now_ns - tool->called_ns < PATIENCE_NS)
        return;
    hang_up(tool, effects);
    tool->whom = (tool->whom + 1) % WORKERS;
    tool->order = ORDER_NONE;
    tool->called_ns = now_ns;
    call(tool, &migration->appliance->workers[tool->whom]->listeners[CW_LISTENER_CONTROL], effects);
}

/* --- processes --- */

static struct talker *create_talker(struct sim_process *process)
{
    struct appliance *appliance = process->context;
    struct talker *talker = mem_zero(sizeof(*talker));
    talker->migration = &appliance->migration;
    talker->next_ns = sim_clock_ns(&appliance->world, process) + FIRST_VISIT_NS;
    return talker;
}

static void *writer_create(struct world *world, struct sim_process *process)
{
    (void)world;
    struct talker *writer = create_talker(process);
    writer->opened = writer_opened;
    writer->replied = writer_replied;
    writer->turned = writer_turned;
    return writer;
}

static void *tool_create(struct world *world, struct sim_process *process)
{
    (void)world;
    struct talker *tool = create_talker(process);
    tool->opened = tool_opened;
    tool->replied = tool_replied;
    tool->turned = tool_turned;
    return tool;
}

static void *source_create(struct world *world, struct sim_process *process)
{
    struct cw_config config;
    cw_config_defaults(&config, true);
    config.data = process->listeners[CW_LISTENER_DATA];
    config.backlog_bytes = 64 * 1024;
    config.random_seed = rand_u64(&world->rand);
    config.storage = &process->storage;
    config.parameters = SLICE_LITERAL("appendonly yes\nappendfsync always\n");
    struct cw_worker *worker = NULL;
    CHECK(cw_worker_create(&config, &worker) == 0);
    return worker;
}

void migration_add(struct migration *migration, struct appliance *appliance)
{
    *migration = (struct migration){.appliance = appliance, .rand = rand_fork(&appliance->world.rand)};
    migration->source = appliance_add(appliance, "source", 0, &cw_worker_door, source_create, 1);
    migration->writer = appliance_add(appliance, "writer", 0, &talker_door, writer_create, 0);
    migration->tool = appliance_add(appliance, "tool", 0, &talker_door, tool_create, 0);
    migration->aborts = rand_chance(&migration->rand, 150000);
    migration->end_ns = rand_between(&migration->rand, 10, 55) * NS_PER_S;
    appliance->workload.is_waiting = true;
    appliance->workload.migrates = true;
}

/* --- what happens to the source --- */

static void cut_source(struct migration *migration, bool is_cut)
{
    for (unsigned i = 0; i < WORKERS; i++)
        cut_pair(&migration->appliance->world, migration->source->index, migration->appliance->workers[i]->index,
                 is_cut);
}

static void mend_source(struct world *world, void *context)
{
    (void)world;
    cut_source(context, false);
}

static void trouble_source(struct world *world, void *context)
{
    struct migration *migration = context;
    int64_t duration_ns = rand_between(&migration->rand, 50, 5000) * NS_PER_MS;
    if (world->now_ns + duration_ns >= SWARM_HEAL_NS)
        return;
    switch (rand_below(&migration->rand, 3)) {
    case 0:
        cut_source(migration, true);
        world_schedule(world, world->now_ns + duration_ns, mend_source, migration);
        break;
    case 1: sim_pause(world, migration->source, duration_ns); break;
    default: kill_for(world, migration->source, duration_ns); break;
    }
    world_schedule(world, world->now_ns + duration_ns + rand_between(&migration->rand, 2, 15) * NS_PER_S,
                   trouble_source, migration);
}

void migration_arm(struct migration *migration)
{
    struct world *world = &migration->appliance->world;
    if (rand_chance(&migration->rand, 700000))
        world_schedule(world, rand_between(&migration->rand, 3, 20) * NS_PER_S, trouble_source, migration);
}

void migration_free(struct migration *migration)
{
    buf_free(&migration->log);
}

/* --- what must hold --- */

/* What nobody in sync survived may have been lost, the order to start, too. */
static bool was_cold_since(const struct oracle *oracle, int64_t since_ns)
{
    for (uint64_t epoch = 2; epoch <= oracle->newest.epoch; epoch++)
        if (oracle->epoch_is_cold[epoch] && oracle->epoch_began_ns[epoch] >= since_ns)
            return true;
    return false;
}

static void check_refused(struct oracle *oracle, const struct migration *migration)
{
    const struct workload *workload = &migration->appliance->workload;
    for (size_t i = 0; i < workload->count; i++) {
        const struct operation *write = &workload->operations[i];
        if (operation_is_write(write->kind) && write->fate == FATE_ACKNOWLEDGED &&
            (migration->end_ordered_ns == 0 || write->answered_ns < migration->end_ordered_ns))
            oracle_violate(oracle, "migration: a write was acknowledged at %.3f s, before the end was ordered",
                           (double)write->answered_ns / 1e9);
    }
}

/* Marks what the log holds; the last token. */
static uint64_t read_log(struct oracle *oracle, const struct migration *migration, bool *kept)
{
    struct buf text = {0};
    uint64_t last = 0;
    buf_add_slice(&text, buf_slice(&migration->log));
    buf_add(&text, "", 1);
    for (char *at = text.memory + text.start; *at != '\0';) {
        char *end;
        uint64_t token = strtoull(at, &end, 10);
        if (*end != ',' || token <= last || token > migration->written) {
            oracle_violate(oracle, "migration: token %" PRIu64 " stands behind %" PRIu64, token, last);
            break;
        }
        kept[token] = true;
        last = token;
        at = end + 1;
    }
    buf_free(&text);
    return last;
}

static void check_log(struct oracle *oracle, const struct migration *migration)
{
    bool is_cold = was_cold_since(oracle, migration->carried_ns);
    bool *kept = mem_zero(MIGRATION_TOKENS_MAX);
    uint64_t last = read_log(oracle, migration, kept);
    for (uint64_t token = 1; token <= last; token++)
        if (migration->acknowledged[token] && !kept[token])
            oracle_violate(oracle, "migration: token %" PRIu64 " is missing, and %" PRIu64 " is there", token, last);
    for (uint64_t token = last + 1; !is_cold && token <= migration->carried; token++)
        if (migration->acknowledged[token])
            oracle_violate(oracle, "migration: token %" PRIu64 " was there when the cut-over was ordered, and is lost",
                           token);
    mem_free(kept);
}

void migration_finish(struct oracle *oracle)
{
    const struct migration *migration = &oracle->appliance->migration;
    if (migration->appliance == NULL)
        return;
    bool is_cold = was_cold_since(oracle, migration->started_ns);
    if (migration->differs)
        oracle_violate(oracle, "migration: a follower had other data than the source, at the same place");
    if (!migration->has_read || !migration->is_pair_whole)
        oracle_violate(oracle, "migration: %s at the end",
                       migration->has_read ? "half of a pair" : "the writer could not read");
    if (!is_cold)
        check_refused(oracle, migration);
    if (!is_cold && migration->appliance->workload.source_went_back_ns > 0)
        oracle_violate(oracle, "migration: the source's log was shorter at %.3f s than somebody had read before",
                       (double)migration->appliance->workload.source_went_back_ns / 1e9);
    check_log(oracle, migration);
}
