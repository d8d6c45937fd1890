#include "tests/unit/sentinel/cluster.h"

#include "common/base/mem.h"
#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define DELAY_NS   MS(1)
#define DISK_NS    MS(1)
#define CONNECT_NS (3 * NS_PER_S)

enum end_kind { END_SENTINEL, END_NODE, END_CLIENT };

struct end {
    enum end_kind kind;
    unsigned index;
    uint64_t generation; /* of a sentinel */
    link_id link;
    bool is_gone;
    /* A node's side of it. */
    struct buf in;
    struct resp_request request;
    bool has_sender;
    struct identity sender;
    struct {
        uint64_t k;
        int64_t status_ns;
    } polls[16];
};

struct connection {
    struct connection *next;
    struct end ends[2]; /* 0 connected to 1 */
    bool is_broken;     /* nothing arrives any more */
};

enum happening_kind { ARRIVE, OPEN, FAIL, CLOSE, PERSIST };

struct happening {
    struct happening *next;
    int64_t at_ns;
    enum happening_kind kind;
    struct connection *connection;
    unsigned side;
    unsigned sentinel;
    uint64_t generation;
    link_id link;
    struct address address;
    uint64_t token;
    struct buf bytes;
};

struct client {
    struct connection *connection;
    struct buf heard;
    struct buf told;
    bool is_closed;
};

struct cluster {
    struct sn_config config;
    unsigned sentinel_count, node_count, client_count;
    struct cluster_sentinel sentinels[CLUSTER_SENTINELS];
    struct cluster_node nodes[CLUSTER_NODES];
    struct client clients[CLUSTER_CLIENTS];
    bool pair_cut[CLUSTER_SENTINELS][CLUSTER_NODES];
    struct connection *connections;
    struct happening *happenings; /* by time, then by order */
    struct effects effects;
    struct message message, answer;
    int64_t now_ns;
    bool has_kill;
    enum message_kind kill_kind;
    int killed;
    cluster_script *script;
    int64_t disk_ns;
    struct topology values[CLUSTER_VERSIONS]; /* the one value of each version */
};

static struct identity make_id(unsigned kind, unsigned index)
{
    struct identity id = {{0}};
    id.bytes[0] = (uint8_t)kind;
    id.bytes[3] = (uint8_t)(index + 1);
    return id;
}

static struct address make_address(unsigned kind, unsigned index)
{
    struct address address = {.host = "127.0.0.1", .port = (uint16_t)(1000 * kind + index + 1)};
    return address;
}

static void schedule(struct cluster *cluster, int64_t delay_ns, struct happening happening)
{
    struct happening *copy = mem_alloc(sizeof(*copy));
    struct happening **at = &cluster->happenings;
    *copy = happening;
    copy->at_ns = cluster->now_ns + delay_ns;
    while (*at && (*at)->at_ns <= copy->at_ns)
        at = &(*at)->next;
    copy->next = *at;
    *at = copy;
}

/* Oracles. */

static void check_versions(struct cluster *cluster, const struct topology *learned)
{
    if (learned->version == 0)
        return;
    assert_true(learned->version < CLUSTER_VERSIONS);
    struct topology *known = &cluster->values[learned->version];
    if (known->version == 0)
        *known = *learned;
    struct buf a = {0}, b = {0};
    topology_encode(known, &a);
    topology_encode(learned, &b);
    assert_true(slice_equal(buf_slice(&a), buf_slice(&b)));
    buf_free(&a);
    buf_free(&b);
}

static void check(struct cluster *cluster)
{
    int holders = 0;
    for (unsigned i = 0; i < cluster->node_count; i++) {
        const struct cluster_node *node = &cluster->nodes[i];
        holders += node->is_up && !node->is_silent && cluster->now_ns < node->lease_ns;
    }
    assert_true(holders <= 1);
    for (unsigned i = 0; i < cluster->sentinel_count; i++) {
        struct cluster_sentinel *sentinel = &cluster->sentinels[i];
        struct sn_inspection seen;
        if (!sentinel->core || !sn_inspect_is_serving(sentinel->core) ||
            !sn_inspect_group(sentinel->core, "main", &seen))
            continue;
        check_versions(cluster, seen.learned);
        assert_true(ballot_compare(&seen.promised, &sentinel->promised) >= 0 || !sentinel->has_disk);
    }
}

/* Nodes. */

static void count_lease(struct cluster_node *node)
{
    node->lease_ns = INT64_MIN;
    if (node->role == ROLE_MASTER && node->fence <= node->topology.epoch)
        node->lease_ns = lease_deadline(&node->topology, node->grants, CLUSTER_SENTINELS);
}

static void node_learn(struct cluster_node *node, const struct topology *topology)
{
    if (topology->version <= node->topology.version || !topology_member(topology, &node->life.node))
        return;
    bool is_new_epoch = topology->epoch != node->topology.epoch;
    node->is_bound = true;
    node->topology = *topology;
    if (topology->epoch < node->fence)
        return;
    if (is_new_epoch)
        memset(node->grants, 0, sizeof(node->grants));
    for (unsigned i = 0; is_new_epoch && i < CLUSTER_SENTINELS; i++)
        node->grants[i].status_ns = INT64_MIN;
    node->role = ROLE_UNADOPTED;
    const struct member *member = topology_member(topology, &node->life.node);
    bool is_spare = member && member->kind == MEMBER_SPARE;
    if (topology->epoch > 0 && life_equal(&topology->master, &node->life))
        node->role = ROLE_MASTER;
    else if (topology->epoch > 0)
        node->role = is_spare ? ROLE_SPARE : ROLE_REPLICA;
    if (topology->epoch > 0 && !is_spare && history_epoch(&node->history) < topology->epoch)
        node->history = topology->branch; /* a replica's full sync takes no time here */
    count_lease(node);
}

static void node_fill_status(const struct cluster_node *node, uint64_t k, struct status *status)
{
    *status = (struct status){.k = k,
                              .life = node->life,
                              .role = node->role,
                              .fence = node->fence,
                              .flags = node->flags | STATUS_LINK_UP,
                              .discarded_bytes = node->discarded_bytes,
                              .history = node->history};
    if (node->is_bound)
        memcpy(status->group, "main", 5);
    status->version = node->topology.version;
    status->epoch = node->role == ROLE_UNADOPTED ? 0 : node->topology.epoch;
}

static void node_send(struct cluster *cluster, struct connection *connection, unsigned side)
{
    struct happening arrive = {.kind = ARRIVE, .connection = connection, .side = !side};
    message_encode(&cluster->answer, &arrive.bytes);
    schedule(cluster, DELAY_NS, arrive);
}

static void node_take_fence(struct cluster *cluster, struct cluster_node *node, const struct message *message,
                            struct connection *connection)
{
    uint64_t epoch = message->fence.epoch;
    if (!node->is_bound || node->takes_no_fence || epoch <= node->topology.epoch || epoch < node->fence)
        return;
    node->fence = epoch;
    node->fences_taken++;
    node->lease_ns = INT64_MIN;
    struct message *answer = &cluster->answer;
    answer->kind = MESSAGE_FENCED;
    answer->fenced =
        (struct fenced){.epoch = epoch, .ballot = message->fence.ballot, .life = node->life, .history = node->history};
    answer->fenced.is_release = node->role == ROLE_MASTER && node->topology.epoch + 1 == epoch;
    answer->fenced.acknowledged_offset = answer->fenced.is_release ? node->acknowledged_offset : 0;
    node_send(cluster, connection, 1);
}

static void node_take_grant(struct cluster_node *node, const struct end *end, const struct message *message)
{
    if (node->role != ROLE_MASTER || message->grant.epoch != node->topology.epoch ||
        !life_equal(&message->grant.life, &node->life) || node->fence > node->topology.epoch)
        return;
    for (unsigned i = 0; i < 16; i++) {
        if (end->polls[i].k != message->grant.k || message->grant.k == 0)
            continue;
        for (unsigned j = 0; j < CLUSTER_SENTINELS; j++) {
            struct lease_grant *grant = &node->grants[j];
            if (!identity_equal(&grant->sentinel, &end->sender) && !identity_is_nobody(&grant->sentinel))
                continue;
            grant->sentinel = end->sender;
            if (end->polls[i].status_ns > grant->status_ns)
                grant->status_ns = end->polls[i].status_ns;
            break;
        }
    }
    count_lease(node);
}

static void node_message(struct cluster *cluster, struct connection *connection, unsigned index,
                         const struct message *message)
{
    struct cluster_node *node = &cluster->nodes[index];
    struct end *end = &connection->ends[1];
    struct message *answer = &cluster->answer;
    if (cluster->script && cluster->script(cluster, index, connection->ends[0].index, message))
        return;
    memset(answer->group, 0, sizeof(answer->group));
    memcpy(answer->group, "main", 5);
    switch (message->kind) {
    case MESSAGE_HELLO:
        assert_true(slice_equal(message->hello.secret, SLICE_LITERAL("secret")));
        end->has_sender = true;
        end->sender = message->hello.sender;
        break;
    case MESSAGE_POLL:
        assert_true(end->has_sender);
        node->polls_taken++;
        end->polls[message->poll.k % 16].k = message->poll.k;
        end->polls[message->poll.k % 16].status_ns = cluster->now_ns;
        answer->kind = MESSAGE_STATUS;
        node_fill_status(node, message->poll.k, &answer->status);
        node_send(cluster, connection, 1);
        break;
    case MESSAGE_GRANT: node_take_grant(node, end, message); break;
    case MESSAGE_FENCE: node_take_fence(cluster, node, message, connection); break;
    case MESSAGE_LEARN: node_learn(node, &message->learn.topology); break;
    default: fail_msg("a node was told %s", message_name(message->kind));
    }
}

static void node_receive(struct cluster *cluster, struct connection *connection, unsigned index, struct slice bytes)
{
    static const struct resp_limits limits = {
        .arguments_max = 1024, .bulk_length_max = 1 << 20, .inline_length_max = 1 << 16, .request_length_max = 1 << 20};
    struct end *end = &connection->ends[1];
    if (!cluster->nodes[index].is_up || cluster->nodes[index].is_silent)
        return;
    buf_add_slice(&end->in, bytes);
    while (buf_length(&end->in) > 0) {
        int64_t used = resp_request_read(&end->request, buf_slice(&end->in), &limits);
        assert_true(used >= 0);
        if (used == 0)
            return;
        assert_int_equal(message_decode(end->request.argv, end->request.argc, &cluster->message), 0);
        node_message(cluster, connection, index, &cluster->message);
        buf_consume(&end->in, (size_t)used);
    }
}

/* The network. */

static bool is_end_cut(const struct cluster *cluster, const struct end *end)
{
    return (end->kind == END_SENTINEL && cluster->sentinels[end->index].is_cut) ||
           (end->kind == END_NODE && cluster->nodes[end->index].is_cut);
}

static bool is_cut(const struct cluster *cluster, const struct connection *connection)
{
    const struct end *a = &connection->ends[0], *b = &connection->ends[1];
    if (a->kind == END_CLIENT)
        return false;
    if (b->kind == END_NODE && cluster->pair_cut[a->index][b->index])
        return true;
    return is_end_cut(cluster, a) || is_end_cut(cluster, b);
}

static struct connection *connection_of(struct cluster *cluster, unsigned sentinel, link_id link, unsigned *ret_side)
{
    const struct cluster_sentinel *owner = &cluster->sentinels[sentinel];
    for (struct connection *c = cluster->connections; c; c = c->next) {
        for (unsigned side = 0; side < 2; side++) {
            const struct end *end = &c->ends[side];
            if (end->kind == END_SENTINEL && end->index == sentinel && end->generation == owner->generation &&
                end->link == link && !end->is_gone) {
                *ret_side = side;
                return c;
            }
        }
    }
    return NULL;
}

static void step(struct cluster *cluster, unsigned index, struct event event);

static void hang_up(struct cluster *cluster, struct connection *connection, unsigned side)
{
    connection->ends[side].is_gone = true;
    if (!connection->ends[!side].is_gone)
        schedule(cluster, DELAY_NS, (struct happening){.kind = CLOSE, .connection = connection, .side = !side});
}

static bool says(struct slice bytes, enum message_kind kind)
{
    struct buf word = {0};
    buf_add_format(&word, "\r\n%s\r\n", message_name(kind));
    bool found = memmem(bytes.data, bytes.length, word.memory, buf_length(&word)) != NULL;
    buf_free(&word);
    return found;
}

static void send_output(struct cluster *cluster, unsigned index, link_id link)
{
    struct cluster_sentinel *sentinel = &cluster->sentinels[index];
    unsigned side;
    struct connection *connection = connection_of(cluster, index, link, &side);
    struct slice bytes = sn_sentinel_door.output(sentinel->core, link, cluster->now_ns);
    if (bytes.length == 0)
        return;
    if (connection) {
        struct happening arrive = {.kind = ARRIVE, .connection = connection, .side = !side};
        buf_add_slice(&arrive.bytes, bytes);
        schedule(cluster, DELAY_NS, arrive);
    }
    if (cluster->has_kill && says(bytes, cluster->kill_kind)) {
        cluster->has_kill = false;
        cluster->killed = (int)index;
    }
    struct effects ignored = {0};
    sn_sentinel_door.sent(sentinel->core, link, bytes.length, &ignored);
    effects_free(&ignored);
}

static void carry_out(struct cluster *cluster, unsigned index, const struct effects *effects)
{
    struct cluster_sentinel *sentinel = &cluster->sentinels[index];
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->items[i];
        unsigned side;
        struct connection *connection;
        struct happening happening = {.sentinel = index, .generation = sentinel->generation, .link = effect->link};
        switch (effect->kind) {
        case EFFECT_CONNECT:
            happening.kind = OPEN;
            happening.address = effect->address;
            schedule(cluster, DELAY_NS, happening);
            break;
        case EFFECT_FLUSH: send_output(cluster, index, effect->link); break;
        case EFFECT_DRAIN:
            send_output(cluster, index, effect->link);
            connection = connection_of(cluster, index, effect->link, &side);
            if (connection) {
                hang_up(cluster, connection, side);
                connection->ends[side].is_gone = false;
                schedule(cluster, DELAY_NS, (struct happening){.kind = CLOSE, .connection = connection, .side = side});
            }
            break;
        case EFFECT_CLOSE:
            connection = connection_of(cluster, index, effect->link, &side);
            if (connection)
                hang_up(cluster, connection, side);
            break;
        case EFFECT_PERSIST:
            assert_string_equal(effects_name(effects, effect), "sentinel.state");
            happening.kind = PERSIST;
            happening.token = effect->token;
            buf_add_slice(&happening.bytes, effects_text(effects, effect));
            schedule(cluster, cluster->disk_ns, happening);
            break;
        case EFFECT_LOG:
            buf_add_slice(&sentinel->said, effects_text(effects, effect));
            if (getenv("SHOW")) {
                struct slice text = effects_text(effects, effect);
                printf("# %8.3f sentinel %u: %.*s\n", (double)(cluster->now_ns - NS_PER_S) / 1e9, index,
                       (int)text.length, text.data);
            }
            break;
        case EFFECT_EXIT: sentinel->exit_status = effect->level; break;
        default: break;
        }
    }
}

static void step(struct cluster *cluster, unsigned index, struct event event)
{
    struct cluster_sentinel *sentinel = &cluster->sentinels[index];
    struct effects effects = {0};
    if (!sentinel->core)
        return;
    event.now_ns = cluster->now_ns;
    event.wall_us = 1700000000000000 + cluster->now_ns / NS_PER_US;
    sn_sentinel_door.step(sentinel->core, &event, &effects);
    carry_out(cluster, index, &effects);
    effects_clear(&effects);
    if (event.kind == EVENT_RECEIVED || event.kind == EVENT_OPENED || event.kind == EVENT_PERSISTED) {
        event.kind = EVENT_TURN;
        sn_sentinel_door.step(sentinel->core, &event, &effects);
        carry_out(cluster, index, &effects);
    }
    effects_free(&effects);
    check(cluster);
    if (cluster->killed == (int)index || sentinel->exit_status >= 0)
        cluster_kill_sentinel(cluster, index);
}

static void open_connection(struct cluster *cluster, const struct happening *happening)
{
    struct connection *connection = mem_zero(sizeof(*connection));
    struct end *to = &connection->ends[1];
    connection->ends[0] = (struct end){.kind = END_SENTINEL,
                                       .index = happening->sentinel,
                                       .generation = happening->generation,
                                       .link = happening->link};
    connection->next = cluster->connections;
    cluster->connections = connection;
    to->kind = happening->address.port / 1000 == 1 ? END_SENTINEL : END_NODE;
    to->index = happening->address.port % 1000 - 1u;
    unsigned known = to->kind == END_SENTINEL ? cluster->sentinel_count : cluster->node_count;
    bool is_known = to->index < known;
    if (!is_known)
        to->index = 0; /* an address that nobody has */
    bool is_there = is_known && (to->kind == END_SENTINEL ? cluster->sentinels[to->index].core != NULL
                                                          : cluster->nodes[to->index].is_up);
    if (is_there && !is_cut(cluster, connection) && to->kind == END_SENTINEL) {
        struct effects effects = {0};
        struct address peer = make_address(9, 0);
        to->generation = cluster->sentinels[to->index].generation;
        to->link = sn_sentinel_door.accept(cluster->sentinels[to->index].core, 0, &peer, cluster->now_ns, &effects);
        carry_out(cluster, to->index, &effects);
        effects_free(&effects);
        is_there = to->link != LINK_NONE;
    }
    if (is_there && !is_cut(cluster, connection)) {
        step(cluster, happening->sentinel, (struct event){.kind = EVENT_OPENED, .link = happening->link});
        return;
    }
    to->is_gone = true;
    schedule(cluster, is_there ? CONNECT_NS : DELAY_NS,
             (struct happening){.kind = CLOSE, .connection = connection, .side = 0});
}

static void arrive(struct cluster *cluster, const struct happening *happening)
{
    struct connection *connection = happening->connection;
    struct end *end = &connection->ends[happening->side];
    if (is_cut(cluster, connection))
        connection->is_broken = true;
    if (connection->is_broken || end->is_gone)
        return;
    switch (end->kind) {
    case END_NODE: node_receive(cluster, connection, end->index, buf_slice(&happening->bytes)); break;
    case END_CLIENT: buf_add_slice(&cluster->clients[end->index].heard, buf_slice(&happening->bytes)); break;
    case END_SENTINEL:
        if (cluster->sentinels[end->index].generation == end->generation)
            step(cluster, end->index,
                 (struct event){.kind = EVENT_RECEIVED, .link = end->link, .bytes = buf_slice(&happening->bytes)});
        break;
    }
}

static void close_end(struct cluster *cluster, struct connection *connection, unsigned side)
{
    struct end *end = &connection->ends[side];
    if (end->is_gone || (connection->is_broken && end->kind != END_SENTINEL))
        return;
    end->is_gone = true;
    if (end->kind == END_CLIENT)
        cluster->clients[end->index].is_closed = true;
    if (end->kind == END_SENTINEL && cluster->sentinels[end->index].generation == end->generation)
        step(cluster, end->index, (struct event){.kind = EVENT_CLOSED, .link = end->link});
}

static void persist(struct cluster *cluster, struct happening *happening)
{
    struct cluster_sentinel *sentinel = &cluster->sentinels[happening->sentinel];
    struct event event = {.kind = EVENT_PERSISTED, .token = happening->token};
    if (sentinel->generation != happening->generation)
        return;
    if (sentinel->disk_fails) {
        event.result = -8;
    } else {
        sentinel->has_disk = true;
        sentinel->persists++;
        buf_clear(&sentinel->disk);
        buf_add_slice(&sentinel->disk, buf_slice(&happening->bytes));
    }
    step(cluster, happening->sentinel, event);
    struct sn_inspection seen;
    if (sentinel->core && sn_inspect_group(sentinel->core, "main", &seen))
        sentinel->promised = seen.promised;
}

static void happen(struct cluster *cluster, struct happening *happening)
{
    const struct cluster_sentinel *sentinel = &cluster->sentinels[happening->sentinel];
    switch (happening->kind) {
    case ARRIVE: arrive(cluster, happening); break;
    case OPEN:
        if (sentinel->generation == happening->generation && sentinel->core)
            open_connection(cluster, happening);
        break;
    case CLOSE: close_end(cluster, happening->connection, happening->side); break;
    case PERSIST: persist(cluster, happening); break;
    case FAIL: break;
    }
}

/* Time. */

static int64_t next_deadline(const struct cluster *cluster, unsigned *ret_index)
{
    int64_t next = NEVER_NS;
    for (unsigned i = 0; i < cluster->sentinel_count; i++) {
        const struct cluster_sentinel *sentinel = &cluster->sentinels[i];
        if (!sentinel->core)
            continue;
        int64_t at = sn_sentinel_door.deadline(sentinel->core);
        if (at != NEVER_NS && at < sentinel->paused_until_ns)
            at = sentinel->paused_until_ns;
        if (at < next) {
            next = at;
            *ret_index = i;
        }
    }
    return next;
}

/* The end of the pause delays what arrives for a paused sentinel. */
static bool put_off(struct cluster *cluster, struct happening *happening)
{
    unsigned index = happening->sentinel;
    if (happening->kind == ARRIVE || happening->kind == CLOSE) {
        const struct end *end = &happening->connection->ends[happening->side];
        if (end->kind != END_SENTINEL)
            return false;
        index = end->index;
    }
    int64_t until_ns = cluster->sentinels[index].paused_until_ns;
    if (cluster->now_ns >= until_ns)
        return false;
    struct happening later = *happening;
    schedule(cluster, until_ns - cluster->now_ns, later);
    return true;
}

static bool run_once(struct cluster *cluster, int64_t until_ns)
{
    unsigned index = 0;
    int64_t timer = next_deadline(cluster, &index);
    int64_t event = cluster->happenings ? cluster->happenings->at_ns : NEVER_NS;
    int64_t next = timer < event ? timer : event;
    if (next > until_ns) {
        cluster->now_ns = until_ns;
        return false;
    }
    if (next > cluster->now_ns)
        cluster->now_ns = next;
    if (event <= timer) {
        struct happening *happening = cluster->happenings;
        cluster->happenings = happening->next;
        if (!put_off(cluster, happening)) {
            happen(cluster, happening);
            buf_free(&happening->bytes);
        }
        mem_free(happening);
    } else {
        step(cluster, index, (struct event){.kind = EVENT_TURN});
    }
    return true;
}

void cluster_run(struct cluster *cluster, int64_t duration_ns)
{
    int64_t until_ns = cluster->now_ns + duration_ns;
    while (run_once(cluster, until_ns))
        ;
}

int64_t cluster_until(struct cluster *cluster, bool (*holds)(struct cluster *cluster), int64_t most_ns)
{
    int64_t begin_ns = cluster->now_ns;
    while (!holds(cluster)) {
        if (!run_once(cluster, begin_ns + most_ns))
            return holds(cluster) ? cluster->now_ns - begin_ns : -1;
    }
    return cluster->now_ns - begin_ns;
}

int64_t cluster_now(const struct cluster *cluster)
{
    return cluster->now_ns;
}

/* Everybody's life. */

struct cluster *cluster_new(unsigned sentinels, unsigned nodes, const struct sn_config *config)
{
    struct cluster *cluster = mem_zero(sizeof(*cluster));
    cluster->now_ns = NS_PER_S;
    cluster->killed = -1;
    cluster->disk_ns = DISK_NS;
    cluster->sentinel_count = sentinels;
    cluster->node_count = nodes;
    cluster->config = (struct sn_config){.secret = SLICE_LITERAL("secret"),
                                         .proxy = make_address(7, 0),
                                         .restart_shortcut = true,
                                         .cold_start_wait_ns = 30 * NS_PER_S,
                                         .spare_wait_ns = 10 * NS_PER_S,
                                         .random_seed = 1};
    if (config)
        cluster->config = *config;
    const char *mutants = getenv("MUTANTS"); /* which tests notice that a guard is gone? */
    if (mutants)
        cluster->config.mutants = (unsigned)strtoul(mutants, NULL, 0);
    for (unsigned i = 0; i < nodes; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        node->life = (struct life){make_id(2, i), 0, 0};
        cluster_start_node(cluster, i);
    }
    for (unsigned i = 0; i < sentinels; i++) {
        cluster->sentinels[i].id = make_id(1, i);
        cluster_start_sentinel(cluster, i);
    }
    return cluster;
}

static void free_connection(struct connection *connection)
{
    for (unsigned side = 0; side < 2; side++) {
        buf_free(&connection->ends[side].in);
        resp_request_free(&connection->ends[side].request);
    }
    mem_free(connection);
}

void cluster_free(struct cluster *cluster)
{
    for (unsigned i = 0; i < cluster->sentinel_count; i++) {
        sn_sentinel_door.destroy(cluster->sentinels[i].core);
        buf_free(&cluster->sentinels[i].disk);
        buf_free(&cluster->sentinels[i].said);
    }
    for (unsigned i = 0; i < CLUSTER_CLIENTS; i++) {
        buf_free(&cluster->clients[i].heard);
        buf_free(&cluster->clients[i].told);
    }
    while (cluster->happenings) {
        struct happening *next = cluster->happenings->next;
        buf_free(&cluster->happenings->bytes);
        mem_free(cluster->happenings);
        cluster->happenings = next;
    }
    while (cluster->connections) {
        struct connection *next = cluster->connections->next;
        free_connection(cluster->connections);
        cluster->connections = next;
    }
    mem_free(cluster);
}

struct cluster_sentinel *cluster_sentinel(struct cluster *cluster, unsigned index)
{
    return &cluster->sentinels[index];
}

struct cluster_node *cluster_node(struct cluster *cluster, unsigned index)
{
    return &cluster->nodes[index];
}

bool cluster_has_said(struct cluster *cluster, unsigned index, const char *words)
{
    struct slice said = buf_slice(&cluster->sentinels[index].said);
    return memmem(said.data, said.length, words, strlen(words)) != NULL;
}

struct sn_inspection cluster_inspect(struct cluster *cluster, unsigned index)
{
    static const struct topology nothing;
    struct sn_inspection seen = {.learned = &nothing, .accepted = &nothing};
    const struct sn_sentinel *core = cluster->sentinels[index].core;
    if (!core || !sn_inspect_group(core, "main", &seen))
        seen = (struct sn_inspection){.learned = &nothing, .accepted = &nothing};
    return seen;
}

void cluster_start_sentinel(struct cluster *cluster, unsigned index)
{
    struct cluster_sentinel *sentinel = &cluster->sentinels[index];
    struct sn_config config = cluster->config;
    assert_null(sentinel->core);
    config.address = make_address(1, index);
    config.random_seed += index;
    config.new_identity = sentinel->id;
    config.state = buf_slice(&sentinel->disk);
    config.state_found = sentinel->has_disk;
    sentinel->exit_status = -1;
    sentinel->generation++;
    assert_int_equal(sn_sentinel_create(&config, &sentinel->core), 0);
    if (cluster->killed == (int)index)
        cluster->killed = -1;
    step(cluster, index, (struct event){.kind = EVENT_START});
}

static void drop_all(struct cluster *cluster, enum end_kind kind, unsigned index)
{
    for (struct connection *c = cluster->connections; c; c = c->next) {
        for (unsigned side = 0; side < 2; side++) {
            if (c->ends[side].kind == kind && c->ends[side].index == index && !c->ends[side].is_gone)
                hang_up(cluster, c, side);
        }
    }
}

void cluster_kill_sentinel(struct cluster *cluster, unsigned index)
{
    struct cluster_sentinel *sentinel = &cluster->sentinels[index];
    drop_all(cluster, END_SENTINEL, index);
    sn_sentinel_door.destroy(sentinel->core);
    sentinel->core = NULL;
    sentinel->generation++;
}

void cluster_cut_sentinel(struct cluster *cluster, unsigned index, bool is)
{
    cluster->sentinels[index].is_cut = is;
}

void cluster_kill_node(struct cluster *cluster, unsigned index)
{
    struct cluster_node *node = &cluster->nodes[index];
    drop_all(cluster, END_NODE, index);
    node->is_up = false;
    node->lease_ns = INT64_MIN;
}

void cluster_start_node(struct cluster *cluster, unsigned index)
{
    struct cluster_node *node = &cluster->nodes[index];
    assert_false(node->is_up);
    node->life.incarnation++;
    node->life.bits = rand_mix(node->life.incarnation * 100 + index);
    node->is_up = true;
    node->is_silent = false;
    node->role = ROLE_UNADOPTED;
    node->topology = (struct topology){.version = 0};
    node->lease_ns = INT64_MIN;
    node->flags = 0;
    node->discarded_bytes = 0;
    for (unsigned i = 0; i < CLUSTER_SENTINELS; i++)
        node->grants[i] = (struct lease_grant){.status_ns = INT64_MIN};
}

void cluster_cut_node(struct cluster *cluster, unsigned index, bool is)
{
    cluster->nodes[index].is_cut = is;
}

void cluster_cut_pair(struct cluster *cluster, unsigned sentinel, unsigned node, bool is)
{
    cluster->pair_cut[sentinel][node] = is;
}

void cluster_kill_after(struct cluster *cluster, enum message_kind kind)
{
    cluster->has_kill = true;
    cluster->kill_kind = kind;
    cluster->killed = -1;
}

int cluster_killed(const struct cluster *cluster)
{
    return cluster->killed;
}

struct topology cluster_first_topology(const struct cluster *cluster, enum durability durability)
{
    struct topology topology = {.group = "main", .version = 1, .author = "operator", .reason = "create"};
    topology.durability = durability;
    topology.acknowledgements = 1;
    for (unsigned i = 0; i < cluster->node_count; i++) {
        struct member *member = &topology.members[topology.member_count++];
        member->node = make_id(2, i);
        member->priority = 100;
        member->data = make_address(3, i);
        member->control = make_address(2, i);
    }
    for (unsigned i = 0; i < cluster->sentinel_count; i++)
        topology.sentinels.entries[topology.sentinels.count++] =
            (struct sentinel_entry){make_id(1, i), make_address(1, i)};
    return topology;
}

void cluster_create_group(struct cluster *cluster, enum durability durability)
{
    struct topology topology = cluster_first_topology(cluster, durability);
    cluster_create_topology(cluster, &topology);
}

void cluster_create_topology(struct cluster *cluster, const struct topology *topology)
{
    struct buf text = {0}, line = {0};
    unsigned client = cluster_connect(cluster, 0);
    struct message *hello = &cluster->message;
    hello->kind = MESSAGE_HELLO;
    hello->hello.kind = PEER_TOOL;
    hello->hello.sender = make_id(5, 0);
    hello->hello.secret = SLICE_LITERAL("secret");
    hello->hello.protocol = CONTROL_PROTOCOL;
    message_encode(hello, &line);
    topology_encode(topology, &text);
    buf_add_format(&line, "*3\r\n$7\r\nRESPITE\r\n$6\r\nCREATE\r\n$%zu\r\n", buf_length(&text));
    buf_add_slice(&line, buf_slice(&text));
    buf_add_text(&line, "\r\n");
    cluster_say(cluster, client, buf_slice(&line));
    buf_free(&text);
    buf_free(&line);
}

unsigned cluster_connect(struct cluster *cluster, unsigned sentinel)
{
    unsigned index = cluster->client_count++;
    assert_true(index < CLUSTER_CLIENTS);
    struct connection *connection = mem_zero(sizeof(*connection));
    struct effects effects = {0};
    struct address peer = make_address(8, index);
    connection->next = cluster->connections;
    cluster->connections = connection;
    connection->ends[0] = (struct end){.kind = END_CLIENT, .index = index};
    connection->ends[1] =
        (struct end){.kind = END_SENTINEL, .index = sentinel, .generation = cluster->sentinels[sentinel].generation};
    if (!sn_inspect_is_serving(cluster->sentinels[sentinel].core))
        cluster_run(cluster, MS(5));
    connection->ends[1].link =
        sn_sentinel_door.accept(cluster->sentinels[sentinel].core, 0, &peer, cluster->now_ns, &effects);
    assert_true(connection->ends[1].link != LINK_NONE);
    carry_out(cluster, sentinel, &effects);
    effects_free(&effects);
    cluster->clients[index].connection = connection;
    return index;
}

void cluster_say(struct cluster *cluster, unsigned client, struct slice text)
{
    struct happening arrives = {.kind = ARRIVE, .connection = cluster->clients[client].connection, .side = 1};
    buf_add_slice(&arrives.bytes, text);
    schedule(cluster, DELAY_NS, arrives);
}

struct slice cluster_heard(struct cluster *cluster, unsigned client)
{
    struct client *c = &cluster->clients[client];
    buf_clear(&c->told);
    buf_add_slice(&c->told, buf_slice(&c->heard));
    buf_clear(&c->heard);
    return buf_slice(&c->told);
}

bool cluster_is_closed(struct cluster *cluster, unsigned client)
{
    return cluster->clients[client].is_closed;
}

int cluster_master(struct cluster *cluster)
{
    for (unsigned i = 0; i < cluster->node_count; i++) {
        const struct cluster_node *node = &cluster->nodes[i];
        if (node->is_up && !node->is_silent && cluster->now_ns < node->lease_ns)
            return (int)i;
    }
    return -1;
}

uint64_t cluster_epoch(struct cluster *cluster)
{
    uint64_t epoch = 0;
    for (unsigned i = 0; i < cluster->sentinel_count; i++) {
        struct sn_inspection seen = cluster_inspect(cluster, i);
        if (seen.learned->epoch > epoch)
            epoch = seen.learned->epoch;
    }
    return epoch;
}

void cluster_set_disk_delay(struct cluster *cluster, int64_t delay_ns)
{
    cluster->disk_ns = delay_ns;
}

void cluster_set_script(struct cluster *cluster, cluster_script *script)
{
    cluster->script = script;
}

void cluster_node_says(struct cluster *cluster, unsigned node, unsigned sentinel, const struct message *message)
{
    for (struct connection *c = cluster->connections; c; c = c->next) {
        if (c->ends[1].kind != END_NODE || c->ends[1].index != node || c->ends[1].is_gone ||
            c->ends[0].index != sentinel || c->ends[0].generation != cluster->sentinels[sentinel].generation)
            continue;
        struct happening says_it = {.kind = ARRIVE, .connection = c, .side = 0};
        message_encode(message, &says_it.bytes);
        schedule(cluster, DELAY_NS, says_it);
        return;
    }
    fail_msg("node %u is not connected to sentinel %u", node, sentinel);
}
