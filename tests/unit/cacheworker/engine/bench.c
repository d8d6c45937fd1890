#include "tests/unit/cacheworker/engine/bench.h"

#include "common/base/check.h"
#include "common/resp/resp_reader.h"

#include <stdio.h>

enum { TURNS_MAX = 100000 };

static void carry_out(struct bench *bench);

static void step(struct bench *bench, struct event event)
{
    event.now_ns = bench->now_ns;
    event.wall_us = BENCH_WALL_US + bench->now_ns / NS_PER_US;
    cw_worker_door.step(bench->worker, &event, &bench->effects);
    carry_out(bench);
}

/* Takes all that the link gives, in odd pieces, so that partial writes are tested everywhere. */
static void flush(struct bench *bench, link_id link)
{
    static struct effects ignored;
    if (bench->links[link].reads_nothing)
        return;
    for (size_t piece = 1;; piece = 2 * piece + 1) {
        struct slice bytes = cw_worker_door.output(bench->worker, link, bench->now_ns);
        if (bytes.length == 0)
            break;
        size_t count = bytes.length < piece ? bytes.length : piece;
        buf_add(&bench->links[link].output, bytes.data, count);
        cw_worker_door.sent(bench->worker, link, count, &ignored);
    }
    effects_free(&ignored);
}

static void carry_out(struct bench *bench)
{
    struct effects effects = bench->effects;
    bench->effects = (struct effects){0};
    for (size_t i = 0; i < effects.count; i++) {
        link_id link = effects.items[i].link;
        switch (effects.items[i].kind) {
        case EFFECT_LISTEN: bench->listening = true; break;
        case EFFECT_FLUSH:
            bench->flushes++;
            flush(bench, link);
            break;
        case EFFECT_CLOSE: bench->links[link].is_open = false; break;
        case EFFECT_DRAIN: bench->links[link].is_draining = true; break;
        case EFFECT_PAUSE: bench->links[link].is_paused = true; break;
        case EFFECT_RESUME: bench->links[link].is_paused = false; break;
        case EFFECT_LOG_LEVEL: bench->log_level = effects.items[i].level; break;
        case EFFECT_WAKE: break;
        case EFFECT_EXIT:
            bench->exited = true;
            bench->exit_status = effects.items[i].level;
            break;
        case EFFECT_PERSIST: bench->persisted = effects.items[i].token; break;
        case EFFECT_CONNECT: bench->connecting = link; break;
        case EFFECT_FILE:
            if (effects.items[i].file.operation != FILE_RENAME)
                break;
            bench->renames++;
            bench->renamed = effects.items[i].token;
            break;
        case EFFECT_LOG:
            buf_add_slice(&bench->log, effects_text(&effects, &effects.items[i]));
            buf_add_text(&bench->log, "\n");
            break;
        }
    }
    effects_free(&effects);
    if (bench->persisted != 0) {
        uint64_t token = bench->persisted;
        bench->persisted = 0;
        step(bench, (struct event){.kind = EVENT_PERSISTED, .token = token});
    }
    if (bench->renamed != 0) {
        uint64_t token = bench->renamed;
        bench->renamed = 0;
        step(bench, (struct event){.kind = EVENT_FILE, .token = token, .result = bench->rename_result});
    }
    for (link_id link = 0; link < BENCH_LINKS; link++) {
        if (!bench->links[link].is_draining)
            continue;
        flush(bench, link);
        bench->links[link].is_draining = false;
        bench->links[link].is_open = false;
        step(bench, (struct event){.kind = EVENT_CLOSED, .link = link});
    }
}

void bench_start(struct bench *bench, const struct cw_config *config)
{
    *bench = (struct bench){.now_ns = NS_PER_S, .connecting = LINK_NONE};
    CHECK(cw_worker_create(config, &bench->worker) == 0);
    step(bench, (struct event){.kind = EVENT_START});
}

void bench_config(struct cw_config *config, bool standalone)
{
    cw_config_defaults(config, standalone);
    config->random_seed = 1;
    config->enable_debug_command = true;
    memset(&config->new_identity, 7, sizeof(config->new_identity));
    config->incarnation_bits = 99;
    config->secret = SLICE_LITERAL("secret");
    config->parameters = SLICE_LITERAL("repl-diskless-sync-delay 0\n"); /* nobody else comes */
}

void bench_start_standalone(struct bench *bench)
{
    struct cw_config config;
    bench_config(&config, true);
    bench_start(bench, &config);
}

void bench_end(struct bench *bench)
{
    cw_worker_door.destroy(bench->worker);
    effects_free(&bench->effects);
    buf_free(&bench->log);
    for (link_id link = 0; link < BENCH_LINKS; link++)
        buf_free(&bench->links[link].output);
}

link_id bench_accept(struct bench *bench)
{
    link_id link = bench->connecting;
    bench->connecting = LINK_NONE;
    if (link == LINK_NONE)
        return LINK_NONE;
    bench->links[link].is_open = true;
    step(bench, (struct event){.kind = EVENT_OPENED, .link = link});
    return link;
}

void bench_stop(struct bench *bench)
{
    step(bench, (struct event){.kind = EVENT_STOP});
}

link_id bench_connect(struct bench *bench)
{
    return bench_connect_to(bench, CW_LISTENER_DATA);
}

link_id bench_connect_to(struct bench *bench, int listener)
{
    struct address peer = {.host = "127.0.0.1", .port = 40000};
    link_id link = cw_worker_door.accept(bench->worker, listener, &peer, bench->now_ns, &bench->effects);
    carry_out(bench);
    if (link == LINK_NONE)
        return link;
    CHECK(link < BENCH_LINKS && !bench->links[link].is_open);
    bench->links[link].is_open = true;
    buf_clear(&bench->links[link].output);
    return link;
}

void bench_receive(struct bench *bench, link_id link, struct slice bytes)
{
    step(bench, (struct event){.kind = EVENT_RECEIVED, .link = link, .bytes = bytes});
}

bool bench_turn_once(struct bench *bench)
{
    step(bench, (struct event){.kind = EVENT_TURN});
    return cw_worker_door.deadline(bench->worker) <= bench->now_ns;
}

void bench_turn(struct bench *bench)
{
    for (unsigned turns = 0; turns < TURNS_MAX; turns++) {
        if (!bench_turn_once(bench))
            return;
    }
    check_failed(__FILE__, __LINE__, "the worker never comes to rest");
}

void bench_advance(struct bench *bench, int64_t ns)
{
    int64_t end_ns = bench->now_ns + ns;
    while (bench->now_ns < end_ns) {
        int64_t next_ns = cw_worker_door.deadline(bench->worker);
        bench->now_ns = next_ns < end_ns ? (next_ns > bench->now_ns ? next_ns : bench->now_ns + 1) : end_ns;
        step(bench, (struct event){.kind = EVENT_TURN});
    }
    bench_turn(bench);
}

void bench_close(struct bench *bench, link_id link)
{
    bench->links[link].is_open = false;
    step(bench, (struct event){.kind = EVENT_CLOSED, .link = link});
}

struct slice bench_take(struct bench *bench, link_id link)
{
    struct slice bytes = buf_slice(&bench->links[link].output);
    buf_clear(&bench->links[link].output); /* keeps the memory until more is added */
    return bytes;
}

struct slice bench_ask(struct bench *bench, link_id link, const char *request)
{
    bench_receive(bench, link, slice_text(request));
    bench_turn(bench);
    return bench_take(bench, link);
}

link_id bench_attach_replica(struct bench *bench)
{
    link_id replica = bench_connect(bench);
    bench_receive(bench, replica, SLICE_LITERAL("PSYNC ? -1\r\n"));
    bench_turn(bench);
    struct slice reply = bench_take(bench, replica);
    unsigned long long offset;
    char head[128] = "", line[64];
    memcpy(head, reply.data, reply.length < 127 ? reply.length : 127);
    CHECK(sscanf(head, "+FULLRESYNC %*40s %llu", &offset) == 1);
    snprintf(line, sizeof(line), "REPLCONF ACK %llu\r\n", offset);
    bench_receive(bench, replica, slice_text(line));
    bench_turn(bench);
    CHECK(bench_take(bench, replica).length == 0);
    return replica;
}

static void add_words(const struct resp_request *command, struct buf *out)
{
    if (buf_length(out) > 0)
        buf_add_text(out, "; ");
    for (size_t i = 0; i < command->argc; i++) {
        buf_add_text(out, i > 0 ? " " : "");
        for (size_t j = 0; j < command->argv[i].length; j++)
            buf_add(out, command->argv[i].data[j] ? command->argv[i].data + j : "0", 1);
    }
}

void bench_read_stream(struct slice bytes, struct buf *out)
{
    static const struct resp_limits limits = RESP_LIMITS_DEFAULT;
    struct resp_request command = {0};
    while (bytes.length > 0) {
        int64_t used = resp_request_read(&command, bytes, &limits);
        CHECK(used > 0);
        add_words(&command, out);
        bytes = slice_skip(bytes, (size_t)used);
    }
    resp_request_free(&command);
}
