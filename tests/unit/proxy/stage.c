#include "tests/unit/proxy/stage.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/resp/resp_reader.h"
#include "common/resp/resp_writer.h"

#define SECRET "secret"

static void pull(struct stage *stage, link_id link);

static void step(struct stage *stage, struct event event);

static void carry_out(struct stage *stage)
{
    for (size_t i = 0; i < stage->effects.count; i++) {
        struct effect effect = stage->effects.items[i];
        CHECK(effect.link == LINK_NONE || effect.link < STAGE_LINKS_MAX);
        struct stage_link *link = effect.link == LINK_NONE ? NULL : &stage->links[effect.link];
        switch (effect.kind) {
        case EFFECT_CONNECT:
            CHECK(!link->open && !link->connecting);
            buf_clear(&link->heard);
            *link = (struct stage_link){.connecting = true, .port = effect.address.port, .heard = link->heard};
            break;
        case EFFECT_FLUSH: CHECK(link->open); break;
        case EFFECT_CLOSE:
            CHECK(link->open || link->connecting);
            link->open = link->connecting = false;
            link->closed = true;
            break;
        case EFFECT_PAUSE: link->paused = true; break;
        case EFFECT_RESUME: link->paused = false; break;
        case EFFECT_EXIT: stage->exited = true; break;
        case EFFECT_WAKE: stage->woke = true; break;
        case EFFECT_LOG_LEVEL: CHECK(false); break;
        case EFFECT_DRAIN:
        case EFFECT_LISTEN:
        case EFFECT_PERSIST:
        case EFFECT_FILE:
        case EFFECT_LOG: break;
        }
    }
    struct effects done = stage->effects;
    stage->effects = (struct effects){0};
    for (size_t i = 0; i < done.count; i++) {
        if (done.items[i].kind == EFFECT_FLUSH)
            pull(stage, done.items[i].link);
        if (done.items[i].kind == EFFECT_DRAIN) {
            pull(stage, done.items[i].link);
            stage->links[done.items[i].link].open = false;
            stage->links[done.items[i].link].closed = true;
            step(stage, (struct event){.kind = EVENT_CLOSED, .link = done.items[i].link});
        }
    }
    effects_free(&done);
}

static void pull(struct stage *stage, link_id link)
{
    struct stage_link *peer = &stage->links[link];
    while (peer->open && !peer->stuck) {
        struct slice bytes = px_proxy_door.output(stage->proxy, link, stage->now_ns);
        if (bytes.length == 0)
            return;
        buf_add_slice(&peer->heard, bytes);
        px_proxy_door.sent(stage->proxy, link, bytes.length, &stage->effects);
        carry_out(stage);
    }
}

static void step(struct stage *stage, struct event event)
{
    event.now_ns = stage->now_ns;
    event.wall_us = stage->now_ns / NS_PER_US;
    px_proxy_door.step(stage->proxy, &event, &stage->effects);
    carry_out(stage);
}

/* Connections are made between turns: a worker that refuses, and a sentinel, at once. */
static bool settle_connections(struct stage *stage)
{
    bool any = false;
    for (link_id i = 0; i < STAGE_LINKS_MAX; i++) {
        struct stage_link *link = &stage->links[i];
        if (!link->connecting)
            continue;
        any = true;
        link->connecting = false;
        bool is_worker = link->port < STAGE_SENTINEL_PORT;
        if (is_worker && stage->workers_refuse) {
            step(stage, (struct event){.kind = EVENT_CLOSED, .link = i});
        } else {
            link->open = true;
            step(stage, (struct event){.kind = EVENT_OPENED, .link = i});
        }
    }
    return any;
}

void stage_turn(struct stage *stage)
{
    for (int i = 0;; i++) {
        CHECK(i < 100); /* else the core asks for turns without end */
        step(stage, (struct event){.kind = EVENT_TURN});
        bool connected = settle_connections(stage);
        if (!connected && px_proxy_door.deadline(stage->proxy) > stage->now_ns)
            return;
    }
}

void stage_config(struct stage *stage, struct px_config *config)
{
    px_config_defaults(config);
    config->secret = SLICE_LITERAL(SECRET);
    config->sentinel_count = 3;
    for (unsigned i = 0; i < 3; i++) {
        strcpy(config->sentinels[i].host, "127.0.0.1");
        config->sentinels[i].port = (uint16_t)(STAGE_SENTINEL_PORT + i);
    }
    config->shared = &stage->shared;
}

static struct stage *open_as(struct stage *first, unsigned thread, const struct px_config *config)
{
    struct stage *stage = mem_zero(sizeof(*stage));
    struct px_config mine;
    stage_config(stage, &mine);
    if (config != NULL)
        mine = *config;
    mine.shared = first != NULL ? &first->shared : &stage->shared;
    mine.thread = thread;
    stage->now_ns = 1000 * NS_PER_S;
    CHECK(px_proxy_create(&mine, &stage->proxy) == 0);
    step(stage, (struct event){.kind = EVENT_START});
    stage_turn(stage);
    return stage;
}

struct stage *stage_open(const struct px_config *config)
{
    return open_as(NULL, 0, config);
}

struct stage *stage_open_beside(struct stage *first, unsigned thread)
{
    first->shared.thread_count = thread + 1;
    return open_as(first, thread, NULL);
}

void stage_close(struct stage *stage)
{
    px_proxy_door.destroy(stage->proxy);
    px_shared_free(&stage->shared);
    for (link_id i = 0; i < STAGE_LINKS_MAX; i++)
        buf_free(&stage->links[i].heard);
    effects_free(&stage->effects);
    buf_free(&stage->text);
    mem_free(stage);
}

void stage_stop(struct stage *stage)
{
    step(stage, (struct event){.kind = EVENT_STOP});
    stage_turn(stage);
}

static link_id nth_open(const struct stage *stage, uint16_t port, unsigned nth)
{
    for (link_id i = 0; i < STAGE_LINKS_MAX; i++)
        if (stage->links[i].open && stage->links[i].port == port && nth-- == 0)
            return i;
    return LINK_NONE;
}

static struct identity node_of(unsigned worker)
{
    struct identity node = {{0}};
    node.bytes[0] = (uint8_t)(worker + 1);
    return node;
}

void stage_publish(struct stage *stage, uint64_t version, uint64_t epoch, unsigned worker, uint64_t incarnation)
{
    struct message *message = mem_zero(sizeof(*message));
    struct topology *topology = &message->learn.topology;
    message->kind = MESSAGE_TOPOLOGY;
    strcpy(message->group, "main");
    strcpy(topology->group, "main");
    strcpy(topology->author, "test");
    strcpy(topology->reason, "test");
    topology->version = version;
    topology->epoch = epoch;
    topology->member_count = 3;
    for (unsigned i = 0; i < 3; i++) {
        struct member *member = &topology->members[i];
        member->node = node_of(i);
        member->priority = 100;
        strcpy(member->data.host, "127.0.0.1");
        member->data.port = (uint16_t)(STAGE_WORKER_PORT + i);
        strcpy(member->control.host, "127.0.0.1");
        member->control.port = (uint16_t)(STAGE_WORKER_PORT + 100 + i);
    }
    if (epoch > 0) {
        topology->master = (struct life){.node = node_of(worker), .incarnation = incarnation, .bits = 77};
        history_begin_epoch(&topology->branch, epoch);
    }
    topology->acknowledgements = 1;
    topology->sentinels.count = 1;
    topology->sentinels.entries[0].sentinel.bytes[0] = 9;
    strcpy(topology->sentinels.entries[0].address.host, "127.0.0.1");
    topology->sentinels.entries[0].address.port = STAGE_SENTINEL_PORT;
    stage->topology = *topology;

    struct buf bytes = {0};
    message_encode(message, &bytes);
    while (nth_open(stage, STAGE_SENTINEL_PORT, 0) == LINK_NONE)
        stage_wait(stage, NS_PER_S / 10); /* it is being called anew */
    stage_say_bytes(stage, nth_open(stage, STAGE_SENTINEL_PORT, 0), buf_slice(&bytes));
    buf_free(&bytes);
    mem_free(message);
}

link_id stage_client(struct stage *stage)
{
    struct address peer = {.host = "127.0.0.1", .port = 40000};
    link_id link = px_proxy_door.accept(stage->proxy, 0, &peer, stage->now_ns, &stage->effects);
    if (link != LINK_NONE) {
        struct buf heard = stage->links[link].heard;
        buf_clear(&heard);
        stage->links[link] = (struct stage_link){.open = true, .heard = heard};
    }
    carry_out(stage);
    return link;
}

static void deliver(struct stage *stage, link_id link, struct slice bytes)
{
    CHECK(stage->links[link].open);
    /* A block of its own, so that a sanitizer sees who keeps a pointer into it. */
    char *copy = mem_copy_text(bytes.data, bytes.length);
    step(stage, (struct event){.kind = EVENT_RECEIVED, .link = link, .bytes = slice_of(copy, bytes.length)});
    mem_free(copy);
}

void stage_say_bytes(struct stage *stage, link_id link, struct slice bytes)
{
    deliver(stage, link, bytes);
    stage_turn(stage);
}

void stage_say(struct stage *stage, link_id link, const char *text)
{
    stage_say_bytes(stage, link, slice_text(text));
}

void stage_tell(struct stage *stage, link_id link, const char *text)
{
    deliver(stage, link, slice_text(text));
}

void stage_hang_up(struct stage *stage, link_id link)
{
    CHECK(stage->links[link].open);
    stage->links[link].open = false;
    step(stage, (struct event){.kind = EVENT_CLOSED, .link = link});
    stage_turn(stage);
}

void stage_end(struct stage *stage, link_id link)
{
    CHECK(stage->links[link].open);
    step(stage, (struct event){.kind = EVENT_ENDED, .link = link});
    stage_turn(stage);
}

void stage_wait(struct stage *stage, int64_t ns)
{
    int64_t end = stage->now_ns + ns;
    while (stage->now_ns < end) {
        int64_t deadline = px_proxy_door.deadline(stage->proxy);
        stage->now_ns = deadline < end ? (deadline > stage->now_ns ? deadline : stage->now_ns) : end;
        stage_turn(stage);
    }
}

void stage_release(struct stage *stage, link_id link)
{
    stage->links[link].stuck = false;
    pull(stage, link);
    stage_turn(stage);
}

void stage_take_only(struct stage *stage, link_id link, size_t count)
{
    struct stage_link *peer = &stage->links[link];
    struct slice bytes = px_proxy_door.output(stage->proxy, link, stage->now_ns);
    if (count > bytes.length)
        count = bytes.length;
    buf_add(&peer->heard, bytes.data, count);
    px_proxy_door.sent(stage->proxy, link, count, &stage->effects);
    carry_out(stage);
    peer->stuck = true;
}

const char *stage_heard(struct stage *stage, link_id link)
{
    struct buf *heard = &stage->links[link].heard;
    buf_clear(&stage->text);
    buf_add_slice(&stage->text, buf_slice(heard));
    buf_add(&stage->text, "", 1);
    buf_clear(heard);
    return stage->text.memory + stage->text.start;
}

link_id stage_worker_link(const struct stage *stage, unsigned worker, unsigned nth)
{
    return nth_open(stage, (uint16_t)(STAGE_WORKER_PORT + worker), nth);
}

unsigned stage_worker_links(const struct stage *stage, unsigned worker)
{
    unsigned count = 0;
    while (stage_worker_link(stage, worker, count) != LINK_NONE)
        count++;
    return count;
}

void stage_attach(struct stage *stage, unsigned worker)
{
    for (unsigned nth = 0; stage_worker_link(stage, worker, nth) != LINK_NONE; nth++) {
        link_id link = stage_worker_link(stage, worker, nth);
        struct buf *heard = &stage->links[link].heard;
        static const char attach[] = "\r\n$7\r\nRESPITE\r\n$6\r\nATTACH\r\n$6\r\n" SECRET "\r\n";
        struct slice greeting = buf_slice(heard);
        if (greeting.length < sizeof(attach) + 2 || memcmp(greeting.data + 2, attach, sizeof(attach) - 1) != 0)
            continue;
        struct resp_limits limits = RESP_LIMITS_DEFAULT;
        struct resp_request request = {0};
        struct buf replies = {0};
        while (greeting.length > 0) {
            int64_t used = resp_request_read(&request, greeting, &limits);
            CHECK(used > 0);
            if (slice_equal(request.argv[0], SLICE_LITERAL("HELLO")))
                buf_add_text(&replies, "%1\r\n+proto\r\n:3\r\n");
            else if (!slice_equal_nocase(request.argv[0], "subscribe"))
                resp_write_ok(&replies);
            greeting = slice_skip(greeting, (size_t)used);
        }
        buf_clear(heard);
        resp_request_free(&request);
        stage_say_bytes(stage, link, buf_slice(&replies));
        buf_free(&replies);
    }
}

const char *stage_array(const char *words)
{
    static struct buf out;
    buf_clear(&out);
    size_t count = 1;
    for (const char *c = words; *c; c++)
        count += *c == ' ';
    resp_write_array(&out, count);
    for (const char *word = words; word != NULL;) {
        const char *end = strchr(word, ' ');
        resp_write_bulk(&out, slice_of(word, end ? (size_t)(end - word) : strlen(word)));
        word = end ? end + 1 : NULL;
    }
    buf_add(&out, "", 1);
    return out.memory + out.start;
}
