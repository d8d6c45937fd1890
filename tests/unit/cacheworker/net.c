#include "tests/unit/cacheworker/net.h"

#include "common/base/errors.h"

#include <stdlib.h>

void net_init(struct net *net)
{
    memset(net, 0, sizeof(*net));
    net->now_ns = 1000 * NS_PER_S;
    net->backlog_bytes = 1 << 20;
}

static struct net_end *other_end(struct net_connection *connection, const struct net_end *end)
{
    return &connection->ends[end == &connection->ends[0]];
}

static struct net_end *find_end(struct net *net, int worker, link_id link, struct net_connection **ret_connection)
{
    for (size_t i = 0; i < NET_CONNECTIONS; i++)
        for (int side = 0; side < 2; side++)
            if (net->connections[i].is_open && net->connections[i].ends[side].worker == worker &&
                net->connections[i].ends[side].link == link) {
                *ret_connection = &net->connections[i];
                return &net->connections[i].ends[side];
            }
    return NULL;
}

static struct net_connection *new_connection(struct net *net)
{
    for (size_t i = 0; i < NET_CONNECTIONS; i++) {
        if (net->connections[i].is_open || net->connections[i].ends[0].hears_close ||
            net->connections[i].ends[1].hears_close)
            continue;
        buf_free(&net->connections[i].ends[0].inbox);
        buf_free(&net->connections[i].ends[1].inbox);
        net->connections[i] = (struct net_connection){.is_open = true};
        return &net->connections[i];
    }
    check_failed(__FILE__, __LINE__, "a free connection");
}

/* The other side hears of it in the next round. */
static void close_connection(struct net *net, struct net_connection *connection, const struct net_end *closer)
{
    struct net_end *other = other_end(connection, closer);
    if (!connection->is_open)
        return;
    connection->is_open = false;
    other->hears_close =
        other->worker != NET_OUTSIDE && other->link != LINK_NONE && net->workers[other->worker].core != NULL;
}

static void persist_effect(struct net_worker *worker, const struct effect *effect)
{
    CHECK(!worker->persist_due);
    worker->persist_due = true;
    worker->persist_token = effect->token;
    buf_clear(&worker->persisting);
    buf_add_slice(&worker->persisting, effects_text(&worker->effects, effect));
}

static void connect_effect(struct net *net, int worker, const struct effect *effect)
{
    struct net_connection *connection = new_connection(net);
    int target = effect->address.port == NET_SOURCE_PORT ? NET_OUTSIDE : effect->address.port - 1000;
    connection->ends[0] = (struct net_end){.worker = worker, .link = effect->link, .is_opening = true};
    connection->ends[1] = (struct net_end){.worker = target, .link = LINK_NONE};
}

static void carry_out(struct net *net, int index, const struct effect *effect)
{
    struct net_worker *worker = &net->workers[index];
    struct net_connection *connection = NULL;
    struct net_end *end = find_end(net, index, effect->link, &connection);
    switch (effect->kind) {
    case EFFECT_LISTEN: worker->is_listening = true; break;
    case EFFECT_CONNECT: connect_effect(net, index, effect); break;
    case EFFECT_FLUSH:
        if (end != NULL)
            end->is_dirty = true;
        break;
    case EFFECT_CLOSE:
        if (end != NULL)
            close_connection(net, connection, end);
        break;
    case EFFECT_DRAIN:
        if (end != NULL)
            end->is_dirty = end->is_draining = true;
        break;
    case EFFECT_PERSIST: persist_effect(worker, effect); break;
    case EFFECT_LOG:
        buf_add_slice(&worker->log, effects_text(&worker->effects, effect));
        buf_add_text(&worker->log, "\n");
        break;
    case EFFECT_FILE:
        if (effect->file.operation == FILE_RENAME)
            worker->renamed = effect->token;
        break;
    case EFFECT_PAUSE:
    case EFFECT_RESUME:
    case EFFECT_LOG_LEVEL:
    case EFFECT_WAKE:
    case EFFECT_EXIT: break;
    }
}

static void carry_out_all(struct net *net, int index)
{
    const struct effects *effects = &net->workers[index].effects;
    for (size_t i = 0; i < effects->count; i++)
        carry_out(net, index, &effects->items[i]);
}

static void step(struct net *net, int index, struct event event)
{
    struct net_worker *worker = &net->workers[index];
    event.now_ns = net->now_ns;
    event.wall_us = net->now_ns / NS_PER_US;
    effects_clear(&worker->effects);
    cw_worker_door.step(worker->core, &event, &worker->effects);
    carry_out_all(net, index);
    if (worker->renamed == 0)
        return;
    uint64_t token = worker->renamed;
    worker->renamed = 0;
    step(net, index, (struct event){.kind = EVENT_FILE, .token = token});
}

void net_start(struct net *net, int index)
{
    struct net_worker *worker = &net->workers[index];
    struct cw_config config;
    cw_config_defaults(&config, false);
    worker->starts++;
    config.secret = SLICE_LITERAL("secret");
    config.data = (struct address){.host = "127.0.0.1", .port = (uint16_t)(1000 + index)};
    config.control = (struct address){.host = "127.0.0.1", .port = (uint16_t)(2000 + index)};
    config.backlog_bytes = net->backlog_bytes;
    config.random_seed = (uint64_t)index * 100 + worker->starts;
    config.new_identity = (struct identity){.bytes = {(uint8_t)(index + 1)}};
    config.incarnation_bits = (uint64_t)index * 1000 + worker->starts;
    config.state = buf_slice(&worker->state);
    config.state_found = worker->state_found;
    config.mutants = net->mutants;
    config.storage = net->storages[index];
    if (cw_worker_create(&config, &worker->core) < 0 && worker->core == NULL)
        abort();
    worker->is_listening = false;
    step(net, index, (struct event){.kind = EVENT_START});
}

void net_kill(struct net *net, int index)
{
    struct net_worker *worker = &net->workers[index];
    if (worker->core == NULL)
        return;
    cw_worker_door.destroy(worker->core);
    worker->core = NULL;
    worker->is_listening = false;
    worker->persist_due = false;
    for (size_t i = 0; i < NET_CONNECTIONS; i++) {
        for (int side = 0; side < 2; side++) {
            struct net_end *end = &net->connections[i].ends[side];
            if (end->worker != index)
                continue;
            end->hears_close = false;
            close_connection(net, &net->connections[i], end);
        }
    }
}

void net_free(struct net *net)
{
    for (int i = 0; i < NET_WORKERS; i++) {
        net_kill(net, i);
        effects_free(&net->workers[i].effects);
        buf_free(&net->workers[i].persisting);
        buf_free(&net->workers[i].state);
        buf_free(&net->workers[i].log);
    }
    for (size_t i = 0; i < NET_CONNECTIONS; i++) {
        buf_free(&net->connections[i].ends[0].inbox);
        buf_free(&net->connections[i].ends[1].inbox);
    }
}

static link_id accept_at(struct net *net, int index, int listener)
{
    struct net_worker *worker = &net->workers[index];
    static const struct address peer = {.host = "127.0.0.1", .port = 5};
    if (worker->core == NULL || !worker->is_listening || (listener == CW_LISTENER_DATA && net->refuses[index]))
        return LINK_NONE;
    effects_clear(&worker->effects);
    link_id link = cw_worker_door.accept(worker->core, listener, &peer, net->now_ns, &worker->effects);
    carry_out_all(net, index);
    return link;
}

static bool open_pending(struct net *net, struct net_connection *connection)
{
    struct net_end *asker = &connection->ends[0];
    struct net_end *target = &connection->ends[1];
    if (!asker->is_opening)
        return false;
    asker->is_opening = false;
    connection->is_offered = target->worker == NET_OUTSIDE;
    if (!connection->is_offered)
        target->link = accept_at(net, target->worker, CW_LISTENER_DATA);
    bool accepted = connection->is_offered || target->link != LINK_NONE;
    if (!accepted)
        connection->is_open = false;
    step(net, asker->worker, (struct event){.kind = accepted ? EVENT_OPENED : EVENT_CLOSED, .link = asker->link});
    return true;
}

/* Moves what `from` may send; in pieces, so that nothing arrives whole by chance. */
static bool move_bytes(struct net *net, struct net_connection *connection, struct net_end *from)
{
    struct net_worker *worker = &net->workers[from->worker];
    bool moved = false;
    while (connection->is_open && from->is_dirty) {
        struct slice bytes = cw_worker_door.output(worker->core, from->link, net->now_ns);
        if (bytes.length == 0) {
            from->is_dirty = false;
            break;
        }
        size_t count = bytes.length < 60001 ? bytes.length : 60001;
        buf_add(&other_end(connection, from)->inbox, bytes.data, count);
        effects_clear(&worker->effects);
        cw_worker_door.sent(worker->core, from->link, count, &worker->effects);
        carry_out_all(net, from->worker);
        moved = true;
    }
    return moved;
}

static bool finish_drain(struct net *net, struct net_connection *connection, struct net_end *end)
{
    if (!connection->is_open || !end->is_draining || end->is_dirty)
        return false;
    close_connection(net, connection, end);
    end->hears_close = true;
    return true;
}

static bool deliver_persists(struct net *net, int index)
{
    struct net_worker *worker = &net->workers[index];
    if (worker->core == NULL || !worker->persist_due || worker->hold_persists)
        return false;
    worker->persist_due = false;
    if (worker->persist_result == 0) {
        buf_clear(&worker->state);
        buf_add_slice(&worker->state, buf_slice(&worker->persisting));
        worker->state_found = true;
    }
    step(net, index,
         (struct event){.kind = EVENT_PERSISTED, .token = worker->persist_token, .result = worker->persist_result});
    return true;
}

/* All that has arrived for a worker, then one turn. */
static bool deliver_bytes(struct net *net, int index, bool always_turn)
{
    struct buf arrived[2 * NET_CONNECTIONS];
    size_t count = 0;
    bool closed = false;
    for (size_t i = 0; i < NET_CONNECTIONS; i++) {
        for (int side = 0; side < 2; side++) {
            struct net_end *end = &net->connections[i].ends[side];
            if ((!net->connections[i].is_open && !end->hears_close) || end->worker != index || end->link == LINK_NONE)
                continue;
            if (buf_length(&end->inbox) > 0) {
                arrived[count] = end->inbox;
                end->inbox = (struct buf){0};
                struct slice bytes = buf_slice(&arrived[count++]);
                step(net, index, (struct event){.kind = EVENT_RECEIVED, .link = end->link, .bytes = bytes});
            }
            if (end->hears_close) {
                end->hears_close = false;
                step(net, index, (struct event){.kind = EVENT_CLOSED, .link = end->link});
                closed = true;
            }
        }
    }
    const struct cw_worker *core = net->workers[index].core;
    bool is_due = core != NULL && cw_worker_door.deadline(core) <= net->now_ns;
    if (core != NULL && (count > 0 || always_turn || is_due)) {
        step(net, index, (struct event){.kind = EVENT_TURN});
        net->turns++;
    }
    for (size_t i = 0; i < count; i++)
        buf_free(&arrived[i]);
    return count > 0 || is_due || closed;
}

static bool pump_once(struct net *net, bool always_turn)
{
    bool busy = false;
    for (int i = 0; i < NET_WORKERS; i++)
        busy |= deliver_persists(net, i);
    for (size_t i = 0; i < NET_CONNECTIONS; i++) {
        struct net_connection *connection = &net->connections[i];
        if (!connection->is_open)
            continue;
        busy |= open_pending(net, connection);
        for (int side = 0; side < 2 && connection->is_open; side++) {
            struct net_end *end = &connection->ends[side];
            if (end->worker == NET_OUTSIDE || end->link == LINK_NONE || net->workers[end->worker].core == NULL)
                continue;
            busy |= move_bytes(net, connection, end);
            busy |= finish_drain(net, connection, end);
        }
    }
    for (int i = 0; i < NET_WORKERS; i++)
        if (net->workers[i].core != NULL)
            busy |= deliver_bytes(net, i, always_turn);
    return busy;
}

void net_pump(struct net *net)
{
    bool first = true;
    for (int i = 0; i < 100000; i++) {
        if (!pump_once(net, first) && !first)
            return;
        first = false;
    }
    check_failed(__FILE__, __LINE__, "they talk for ever");
}

void net_advance(struct net *net, int64_t ns)
{
    int64_t until_ns = net->now_ns + ns;
    while (net->now_ns < until_ns) {
        net->now_ns += 10 * NS_PER_MS;
        net_pump(net);
    }
}

int net_connect(struct net *net, int worker, int listener)
{
    link_id link = accept_at(net, worker, listener);
    if (link == LINK_NONE)
        return -1;
    struct net_connection *connection = new_connection(net);
    connection->ends[0] = (struct net_end){.worker = NET_OUTSIDE, .link = LINK_NONE};
    connection->ends[1] = (struct net_end){.worker = worker, .link = link};
    return (int)(connection - net->connections);
}

int net_accept(struct net *net)
{
    for (int i = 0; i < NET_CONNECTIONS; i++) {
        if (!net->connections[i].is_open || !net->connections[i].is_offered)
            continue;
        net->connections[i].is_offered = false;
        return i;
    }
    return -1;
}

static struct net_end *test_end(struct net_connection *connection)
{
    return &connection->ends[connection->ends[0].worker != NET_OUTSIDE];
}

void net_close(struct net *net, int connection)
{
    struct net_connection *closed = &net->connections[connection];
    buf_clear(&other_end(closed, test_end(closed))->inbox);
    close_connection(net, closed, test_end(closed));
}

void net_send(struct net *net, int connection, struct slice bytes)
{
    struct net_connection *used = &net->connections[connection];
    if (used->is_open)
        buf_add_slice(&other_end(used, test_end(used))->inbox, bytes);
}

void net_cut_between(struct net *net, int a, int b)
{
    for (size_t i = 0; i < NET_CONNECTIONS; i++) {
        struct net_connection *connection = &net->connections[i];
        int first = connection->ends[0].worker;
        int second = connection->ends[1].worker;
        if (!connection->is_open || !((first == a && second == b) || (first == b && second == a)))
            continue;
        connection->is_open = false;
        for (int side = 0; side < 2; side++) {
            struct net_end *end = &connection->ends[side];
            buf_clear(&end->inbox); /* what was under way is lost */
            end->hears_close = end->link != LINK_NONE;
        }
    }
}

bool net_is_open(const struct net *net, int connection)
{
    return net->connections[connection].is_open;
}

struct slice net_received(const struct net *net, int connection)
{
    const struct net_connection *used = &net->connections[connection];
    return buf_slice(&used->ends[used->ends[0].worker != NET_OUTSIDE].inbox);
}

void net_forget(struct net *net, int connection)
{
    buf_clear(&test_end(&net->connections[connection])->inbox);
}

struct slice net_command(struct net *net, int connection, const char *line)
{
    net_forget(net, connection);
    net_send(net, connection, slice_text(line));
    net_send(net, connection, SLICE_LITERAL("\r\n"));
    net_pump(net);
    return net_received(net, connection);
}
