/* Whole workers, with the test as their sentinels: adoption, lease, fence, replication and failover as one sees them
 * from outside. */
#include "cacheworker/ha/ha.h"
#include "common/base/errors.h"
#include "common/resp/resp_reader.h"
#include "tests/unit/cacheworker/memory_storage.h"
#include "tests/unit/cacheworker/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { SENTINELS = 3 };

struct cluster {
    struct net net;
    struct topology topology; /* the highest that was learned by anybody */
    int controls[SENTINELS][NET_WORKERS];
    uint64_t k;
    struct message message; /* the last one received */
};

static struct identity sentinel_id(int number)
{
    return (struct identity){.bytes = {(uint8_t)(200 + number)}};
}

/* --- the sentinels --- */

static void send_message(struct cluster *cluster, int control, const struct message *message)
{
    struct buf bytes = {0};
    message_encode(message, &bytes);
    net_send(&cluster->net, control, buf_slice(&bytes));
    buf_free(&bytes);
    net_pump(&cluster->net);
}

static struct message *new_message(struct cluster *cluster, enum message_kind kind)
{
    memset(&cluster->message, 0, sizeof(cluster->message));
    cluster->message.kind = kind;
    strcpy(cluster->message.group, "main");
    return &cluster->message;
}

/* The last message of that kind which came on the control link; takes all that came. */
static bool received(struct cluster *cluster, int control, enum message_kind kind)
{
    static const struct resp_limits limits = RESP_LIMITS_DEFAULT;
    static struct message found;
    struct resp_request request = {0};
    struct slice bytes = net_received(&cluster->net, control);
    bool any = false;
    int64_t used;
    while (bytes.length > 0 && (used = resp_request_read(&request, bytes, &limits)) > 0) {
        if (message_decode(request.argv, request.argc, &found) == 0 && found.kind == kind) {
            cluster->message = found;
            any = true;
        }
        bytes = slice_skip(bytes, (size_t)used);
    }
    resp_request_free(&request);
    net_forget(&cluster->net, control);
    return any;
}

static int greet(struct cluster *cluster, int worker, int sentinel, const char *secret)
{
    int control = net_connect(&cluster->net, worker, CW_LISTENER_CONTROL);
    if (control < 0)
        return control;
    struct message *hello = new_message(cluster, MESSAGE_HELLO);
    hello->hello.kind = PEER_SENTINEL;
    hello->hello.sender = sentinel_id(sentinel);
    hello->hello.secret = slice_text(secret);
    hello->hello.protocol = CONTROL_PROTOCOL;
    send_message(cluster, control, hello);
    return control;
}

static void connect_sentinels(struct cluster *cluster, int worker)
{
    for (int i = 0; i < SENTINELS; i++)
        cluster->controls[i][worker] = greet(cluster, worker, i, "secret");
}

static const struct status *poll_by(struct cluster *cluster, int sentinel, int worker)
{
    int control = cluster->controls[sentinel][worker];
    struct message *poll = new_message(cluster, MESSAGE_POLL);
    poll->poll.k = ++cluster->k;
    poll->poll.version = cluster->topology.version;
    send_message(cluster, control, poll);
    assert_true(received(cluster, control, MESSAGE_STATUS));
    assert_true(cluster->message.status.k == cluster->k);
    return &cluster->message.status;
}

static struct status status_of(struct cluster *cluster, int worker)
{
    return *poll_by(cluster, 0, worker);
}

static void grant_by(struct cluster *cluster, int sentinel, int worker, uint64_t k, struct life life, uint64_t epoch)
{
    struct message *grant = new_message(cluster, MESSAGE_GRANT);
    grant->grant.k = k;
    grant->grant.life = life;
    grant->grant.epoch = epoch;
    send_message(cluster, cluster->controls[sentinel][worker], grant);
}

static void lease_by(struct cluster *cluster, int sentinel, int worker)
{
    struct status status = *poll_by(cluster, sentinel, worker);
    grant_by(cluster, sentinel, worker, status.k, status.life, status.epoch);
}

static void lease(struct cluster *cluster, int worker)
{
    lease_by(cluster, 0, worker);
    lease_by(cluster, 1, worker);
}

/* Time goes on while two sentinels renew the lease. */
static void live(struct cluster *cluster, int worker, int64_t ns)
{
    for (; ns > 0; ns -= NS_PER_S) {
        lease(cluster, worker);
        net_advance(&cluster->net, ns < NS_PER_S ? ns : NS_PER_S);
    }
}

static void learn(struct cluster *cluster, int worker)
{
    struct message *message = new_message(cluster, MESSAGE_LEARN);
    message->learn.topology = cluster->topology;
    send_message(cluster, cluster->controls[0][worker], message);
}

static void fence_by(struct cluster *cluster, int sentinel, int worker, uint64_t epoch)
{
    struct message *fence = new_message(cluster, MESSAGE_FENCE);
    fence->fence.epoch = epoch;
    fence->fence.ballot = (struct ballot){.counter = 70 + epoch, .sentinel = sentinel_id(sentinel), .run = 1};
    send_message(cluster, cluster->controls[sentinel][worker], fence);
}

static bool fenced_by(struct cluster *cluster, int sentinel, int worker)
{
    return received(cluster, cluster->controls[sentinel][worker], MESSAGE_FENCED);
}

static void create(struct cluster *cluster)
{
    struct topology *topology = &cluster->topology;
    strcpy(topology->group, "main");
    strcpy(topology->author, "test");
    strcpy(topology->reason, "test");
    topology->version = 1;
    topology->member_count = NET_WORKERS;
    topology->acknowledgements = 1;
    for (int i = 0; i < NET_WORKERS; i++)
        topology->members[i] = (struct member){.node = {.bytes = {(uint8_t)(i + 1)}},
                                               .priority = 100,
                                               .data = {.host = "127.0.0.1", .port = (uint16_t)(1000 + i)},
                                               .control = {.host = "127.0.0.1", .port = (uint16_t)(2000 + i)}};
    topology->sentinels.count = SENTINELS;
    for (int i = 0; i < SENTINELS; i++)
        topology->sentinels.entries[i] = (struct sentinel_entry){
            .sentinel = sentinel_id(i), .address = {.host = "127.0.0.1", .port = (uint16_t)(3000 + i)}};
}

static void list_in_sync(struct cluster *cluster, unsigned mask)
{
    struct topology *topology = &cluster->topology;
    memset(topology->in_sync, 0, sizeof(topology->in_sync));
    topology->in_sync_count = 0;
    for (int i = 0; i < NET_WORKERS; i++)
        if (mask & 1u << i)
            topology->in_sync[topology->in_sync_count++] = status_of(cluster, i).life;
}

/* What a proposer does: fences, takes the chosen node's history, and lets the given workers learn. */
static void choose_with(struct cluster *cluster, int master, unsigned learners, unsigned in_sync)
{
    struct topology *topology = &cluster->topology;
    fence_by(cluster, 0, master, topology->epoch + 1);
    assert_true(fenced_by(cluster, 0, master));
    assert_true(cluster->message.fenced.epoch == topology->epoch + 1);
    topology->version++;
    topology->epoch++;
    topology->master = cluster->message.fenced.life;
    topology->branch = cluster->message.fenced.history;
    history_begin_epoch(&topology->branch, topology->epoch);
    list_in_sync(cluster, in_sync);
    for (int i = 0; i < NET_WORKERS; i++)
        if (learners & 1u << i)
            learn(cluster, i);
}

static void choose(struct cluster *cluster, int master, unsigned learners)
{
    choose_with(cluster, master, learners, 0);
}

static void begin_with(struct cluster *cluster, unsigned mutants)
{
    memset(cluster, 0, sizeof(*cluster));
    net_init(&cluster->net);
    cluster->net.mutants = mutants;
    create(cluster);
    for (int i = 0; i < NET_WORKERS; i++) {
        net_start(&cluster->net, i);
        net_pump(&cluster->net);
        connect_sentinels(cluster, i);
        learn(cluster, i);
    }
}

static void begin(struct cluster *cluster)
{
    begin_with(cluster, 0);
}

/* A node of its own disk from here on. */
static void restart_with_storage(struct cluster *cluster, int worker, struct memory_storage *memory)
{
    cluster->net.storages[worker] = &memory->storage;
    net_kill(&cluster->net, worker);
    net_start(&cluster->net, worker);
    net_pump(&cluster->net);
    connect_sentinels(cluster, worker);
    learn(cluster, worker);
}

static void end(struct cluster *cluster)
{
    net_free(&cluster->net);
}

/* --- what one sees --- */

static bool answers(struct cluster *cluster, int client, const char *line, const char *reply)
{
    return slice_equal(net_command(&cluster->net, client, line), slice_text(reply));
}

static bool logged(struct cluster *cluster, int worker, const char *words)
{
    struct slice log = buf_slice(&cluster->net.workers[worker].log);
    return log.length > 0 && memmem(log.data, log.length, words, strlen(words)) != NULL;
}

static void clear_log(struct cluster *cluster, int worker)
{
    buf_clear(&cluster->net.workers[worker].log);
}

static void write_many(struct cluster *cluster, int client, const char *prefix, int count)
{
    struct buf line = {0};
    for (int i = 0; i < count; i++)
        buf_add_format(&line, "SET %s:%d %s-value-%d\r\n", prefix, i, prefix, i);
    net_send(&cluster->net, client, buf_slice(&line));
    buf_free(&line);
}

static void expect_many(struct cluster *cluster, int worker, const char *prefix, int count)
{
    int client = net_connect(&cluster->net, worker, CW_LISTENER_DATA);
    for (int i = 0; i < count; i += 1 + count / 50) {
        char line[64];
        char value[64];
        char reply[96];
        snprintf(line, sizeof(line), "GET %s:%d", prefix, i);
        snprintf(value, sizeof(value), "%s-value-%d", prefix, i);
        snprintf(reply, sizeof(reply), "$%zu\r\n%s\r\n", strlen(value), value);
        if (!answers(cluster, client, line, reply))
            fail_msg("%s: %.*s", line, (int)net_received(&cluster->net, client).length,
                     net_received(&cluster->net, client).data);
    }
}

static void expect_same_history(struct cluster *cluster, int a, int b)
{
    struct status first = status_of(cluster, a);
    struct status second = status_of(cluster, b);
    struct buf text = {0};
    struct buf other = {0};
    history_format(&first.history, &text);
    history_format(&second.history, &other);
    if (!slice_equal(buf_slice(&text), buf_slice(&other)))
        fail_msg("%.*s and %.*s", (int)buf_length(&text), buf_slice(&text).data, (int)buf_length(&other),
                 buf_slice(&other).data);
    buf_free(&text);
    buf_free(&other);
}

/* --- tests --- */

static void nobody_is_served_before_the_incarnation_is_durable(void **state)
{
    (void)state;
    struct cluster cluster;
    memset(&cluster, 0, sizeof(cluster));
    net_init(&cluster.net);
    struct net_worker *worker = &cluster.net.workers[0];
    worker->hold_persists = true;
    net_start(&cluster.net, 0);
    net_advance(&cluster.net, NS_PER_S);
    assert_false(worker->is_listening);
    worker->hold_persists = false;
    worker->persist_result = ERR_IO;
    net_advance(&cluster.net, 3 * NS_PER_S);
    assert_false(worker->is_listening);
    assert_true(logged(&cluster, 0, "cannot make node.state durable"));
    worker->persist_result = 0;
    net_advance(&cluster.net, 2 * NS_PER_S);
    assert_true(worker->is_listening);
    end(&cluster);
}

static void each_start_is_a_new_life_of_the_same_node(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    struct life first = status_of(&cluster, 0).life;
    net_kill(&cluster.net, 0);
    net_start(&cluster.net, 0);
    net_pump(&cluster.net);
    connect_sentinels(&cluster, 0);
    struct status second = status_of(&cluster, 0);
    assert_true(identity_equal(&first.node, &second.life.node));
    assert_int_equal(second.life.incarnation, first.incarnation + 1);
    assert_true(second.life.bits != first.bits);
    assert_string_equal(second.group, "main");

    net_kill(&cluster.net, 0);
    cluster.net.workers[0].state.memory[cluster.net.workers[0].state.start + 20] ^= 1;
    net_start(&cluster.net, 0);
    net_pump(&cluster.net);
    connect_sentinels(&cluster, 0);
    assert_int_equal(status_of(&cluster, 0).life.incarnation, 1);
    assert_string_equal(status_of(&cluster, 0).group, "");
    assert_true(logged(&cluster, 0, "node.state is damaged"));
    end(&cluster);
}

static void only_who_knows_the_secret_is_heard(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    int control = greet(&cluster, 0, 0, "Secret");
    assert_false(net_is_open(&cluster.net, control));
    control = net_connect(&cluster.net, 0, CW_LISTENER_CONTROL);
    struct message *poll = new_message(&cluster, MESSAGE_POLL);
    poll->poll.k = 1;
    send_message(&cluster, control, poll);
    assert_false(received(&cluster, control, MESSAGE_STATUS));
    assert_false(net_is_open(&cluster.net, control));

    int older = cluster.controls[0][0];
    status_of(&cluster, 0);
    cluster.controls[0][0] = greet(&cluster, 0, 0, "secret");
    status_of(&cluster, 0); /* the newest link on which it polls is the one that counts */
    assert_false(net_is_open(&cluster.net, older));
    assert_true(net_is_open(&cluster.net, cluster.controls[1][0]));

    int other_group = greet(&cluster, 0, 0, "secret");
    poll = new_message(&cluster, MESSAGE_POLL);
    poll->poll.k = 1;
    strcpy(poll->group, "other");
    send_message(&cluster, other_group, poll);
    assert_true(net_is_open(&cluster.net, cluster.controls[0][0]));
    status_of(&cluster, 0);
    end(&cluster);
}

static void strangers_do_not_pile_up(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    int links[70];
    for (int i = 0; i < 70; i++)
        links[i] = net_connect(&cluster.net, 0, CW_LISTENER_CONTROL);
    net_pump(&cluster.net);
    for (int i = 0; i < 70; i++) /* the oldest went */
        assert_int_equal(net_is_open(&cluster.net, links[i]), i >= 6);
    net_advance(&cluster.net, 9 * NS_PER_S);
    assert_true(net_is_open(&cluster.net, links[69]));
    net_advance(&cluster.net, 1010 * NS_PER_MS);
    for (int i = 0; i < 70; i++)
        assert_false(net_is_open(&cluster.net, links[i]));
    status_of(&cluster, 0); /* sentinels stay */
    int twice = greet(&cluster, 0, 9, "secret");
    struct message *hello = new_message(&cluster, MESSAGE_HELLO);
    hello->hello.kind = PEER_SENTINEL;
    hello->hello.sender = sentinel_id(1);
    hello->hello.secret = SLICE_LITERAL("secret");
    hello->hello.protocol = CONTROL_PROTOCOL;
    send_message(&cluster, twice, hello);
    assert_false(net_is_open(&cluster.net, twice));
    assert_true(net_is_open(&cluster.net, cluster.controls[1][0]));
    end(&cluster);
}

static void replies_leave_under_a_majority_of_grants_only(void **state)
{
    (void)state;
    /* Every subset of three sentinels. */
    for (unsigned subset = 0; subset < 8; subset++) {
        struct cluster cluster;
        begin(&cluster);
        choose(&cluster, 0, 7);
        int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
        for (int i = 0; i < SENTINELS; i++)
            if (subset & 1u << i)
                lease_by(&cluster, i, 0);
        bool majority = __builtin_popcount(subset) >= 2;
        assert_int_equal(answers(&cluster, client, "SET a 1", "+OK\r\n"), majority);
        if (!majority) {
            assert_int_equal(net_received(&cluster.net, client).length, 0);
            lease(&cluster, 0);
            assert_true(slice_equal(net_received(&cluster.net, client), SLICE_LITERAL("+OK\r\n")));
        }
        end(&cluster);
    }
}

static void the_lease_is_counted_from_the_status(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    choose(&cluster, 0, 7);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    struct status status[2];
    for (int i = 0; i < 2; i++)
        status[i] = *poll_by(&cluster, i, 0);
    net_advance(&cluster.net, 3 * NS_PER_S); /* the grants are under way for so long */
    for (int i = 0; i < 2; i++)
        grant_by(&cluster, i, 0, status[i].k, status[i].life, status[i].epoch);
    assert_true(answers(&cluster, client, "SET a 1", "+OK\r\n"));
    net_advance(&cluster.net, 1890 * NS_PER_MS);
    assert_true(answers(&cluster, client, "GET a", "$1\r\n1\r\n"));
    net_advance(&cluster.net, 10 * NS_PER_MS);
    assert_true(answers(&cluster, client, "GET a", ""));
    net_advance(&cluster.net, 60 * NS_PER_S);
    assert_int_equal(net_received(&cluster.net, client).length, 0);
    end(&cluster);
}

static void a_grant_must_be_for_this_poll_life_and_epoch(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 6; wrong++) {
        struct cluster cluster;
        begin(&cluster);
        choose(&cluster, 0, 7);
        int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
        lease_by(&cluster, 0, 0);
        struct status status = *poll_by(&cluster, 1, 0);
        switch (wrong) {
        case 0: grant_by(&cluster, 1, 0, status.k + 1, status.life, status.epoch); break;
        case 1:
            status.life.incarnation--;
            grant_by(&cluster, 1, 0, status.k, status.life, status.epoch);
            break;
        case 2:
            status.life.bits++;
            grant_by(&cluster, 1, 0, status.k, status.life, status.epoch);
            break;
        case 3: grant_by(&cluster, 1, 0, status.k, status.life, status.epoch + 1); break;
        case 4: grant_by(&cluster, 0, 0, status.k, status.life, status.epoch); break; /* another link's poll */
        case 5: /* a sentinel that the list does not name */
            cluster.controls[2][0] = greet(&cluster, 0, 77, "secret");
            lease_by(&cluster, 2, 0);
            break;
        }
        assert_true(answers(&cluster, client, "SET a 1", ""));
        end(&cluster);
    }
}

/* Everything that a sentinel said on a link, heard again on another one. */
static void what_is_played_again_grants_nothing(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    choose(&cluster, 0, 7);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    struct status statuses[2];
    for (int i = 0; i < 2; i++) {
        lease_by(&cluster, i, 0);
        statuses[i] = *poll_by(&cluster, i, 0);
    }
    assert_true(answers(&cluster, client, "SET a 1", "+OK\r\n"));
    net_advance(&cluster.net, 6 * NS_PER_S);
    assert_true(answers(&cluster, client, "SET a 2", ""));
    for (int i = 0; i < 2; i++) {
        cluster.controls[i][0] = greet(&cluster, 0, i, "secret");
        struct message *poll = new_message(&cluster, MESSAGE_POLL);
        poll->poll.k = statuses[i].k;
        send_message(&cluster, cluster.controls[i][0], poll);
        assert_false(received(&cluster, cluster.controls[i][0], MESSAGE_STATUS));
        grant_by(&cluster, i, 0, statuses[i].k, statuses[i].life, statuses[i].epoch);
        assert_false(net_is_open(&cluster.net, cluster.controls[i][0]));
    }
    net_advance(&cluster.net, 100 * NS_PER_MS);
    assert_int_equal(net_received(&cluster.net, client).length, 0);
    end(&cluster);
}

/* One of each kind, and nothing of it is taken. */
static void what_is_refused_is_counted(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    choose(&cluster, 0, 7);
    lease(&cluster, 0);
    struct buf before = {0};
    buf_add_slice(&before, buf_slice(&cluster.net.workers[0].state));

    greet(&cluster, 0, 4, "wrong");
    int control = net_connect(&cluster.net, 0, CW_LISTENER_CONTROL);
    struct message *message = new_message(&cluster, MESSAGE_HELLO);
    message->hello.sender = sentinel_id(4);
    message->hello.secret = SLICE_LITERAL("secret");
    message->hello.protocol = CONTROL_PROTOCOL + 1;
    send_message(&cluster, control, message);
    assert_false(net_is_open(&cluster.net, control));
    control = net_connect(&cluster.net, 0, CW_LISTENER_CONTROL);
    send_message(&cluster, control, new_message(&cluster, MESSAGE_POLL));
    control = greet(&cluster, 0, 4, "secret");
    send_message(&cluster, control, new_message(&cluster, MESSAGE_ACCEPTED));
    control = greet(&cluster, 0, 4, "secret");
    message = new_message(&cluster, MESSAGE_LEARN);
    message->learn.topology = cluster.topology;
    message->learn.topology.version++;
    message->learn.topology.epoch++;
    strcpy(message->group, "other");
    strcpy(message->learn.topology.group, "other");
    send_message(&cluster, control, message);
    message = new_message(&cluster, MESSAGE_FENCE);
    message->fence.epoch = 99;
    strcpy(message->group, "other");
    send_message(&cluster, control, message);
    message = new_message(&cluster, MESSAGE_FENCE);
    message->fence.epoch = cluster.topology.epoch;
    send_message(&cluster, control, message);
    grant_by(&cluster, 0, 0, 999, cluster.topology.master, cluster.topology.epoch);

    net_advance(&cluster.net, 100 * NS_PER_MS);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    struct slice info = net_command(&cluster.net, client, "INFO respite");
    static const char counts[] =
        "respite_refused:secret=1,protocol=1,no_hello=1,permission=0,malformed=1,group=2,old=2\r\n";
    assert_non_null(memmem(info.data, info.length, counts, strlen(counts)));
    assert_true(slice_equal(buf_slice(&cluster.net.workers[0].state), buf_slice(&before)));
    assert_int_equal(status_of(&cluster, 0).epoch, cluster.topology.epoch);
    buf_free(&before);
    end(&cluster);
}

static void a_fence_stops_the_master_at_once_and_answers_when_durable(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    choose(&cluster, 0, 7);
    live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(answers(&cluster, client, "SET a 1", "+OK\r\n"));
    uint64_t offset = status_of(&cluster, 0).history.last_offset;

    cluster.net.workers[0].hold_persists = true;
    fence_by(&cluster, 1, 0, 2);
    lease(&cluster, 0);
    assert_true(answers(&cluster, client, "SET a 2", ""));
    assert_false(fenced_by(&cluster, 1, 0));
    assert_int_equal(status_of(&cluster, 0).fence, 1);
    cluster.net.workers[0].hold_persists = false;
    net_pump(&cluster.net);
    assert_true(fenced_by(&cluster, 1, 0));
    assert_true(cluster.message.fenced.is_release);
    assert_int_equal(cluster.message.fenced.history.last_offset, offset);
    assert_true(cluster.message.fenced.acknowledged_offset == offset);
    assert_int_equal(status_of(&cluster, 0).fence, 2);

    /* A lower one is not answered, the same one at once, a higher one again. */
    fence_by(&cluster, 0, 0, 1);
    assert_false(fenced_by(&cluster, 0, 0));
    fence_by(&cluster, 0, 0, 2);
    assert_true(fenced_by(&cluster, 0, 0));
    fence_by(&cluster, 0, 0, 5);
    assert_true(fenced_by(&cluster, 0, 0));
    assert_false(cluster.message.fenced.is_release); /* not of the epoch just before */

    /* Nothing was added meanwhile: no write, no keep-alive, no expiry. */
    for (int i = 0; i < 30; i++) {
        lease(&cluster, 0);
        net_advance(&cluster.net, NS_PER_S);
    }
    assert_int_equal(status_of(&cluster, 0).history.last_offset, offset);
    assert_int_equal(net_received(&cluster.net, client).length, 0);
    end(&cluster);
}

/* Else it would go on as the master that everybody grants and that acknowledges nothing. */
static void a_master_that_cannot_keep_its_word_gives_up_its_role(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    choose(&cluster, 0, 7);
    live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(answers(&cluster, client, "SET a 1", "+OK\r\n"));
    uint64_t offset = status_of(&cluster, 0).history.last_offset;
    net_forget(&cluster.net, client);

    cluster.net.workers[0].hold_persists = true;
    cluster.net.workers[0].persist_result = ERR_DISK_FULL;
    fence_by(&cluster, 1, 0, 2);
    assert_true(answers(&cluster, client, "SET a 2", ""));
    cluster.net.workers[0].hold_persists = false;
    net_pump(&cluster.net);
    struct status status = status_of(&cluster, 0);
    assert_true(status.flags & STATUS_DISK_ERROR);
    assert_int_equal(status.role, ROLE_UNADOPTED);
    assert_int_equal(status.fence, 1);
    assert_false(fenced_by(&cluster, 1, 0));
    struct slice reply = net_received(&cluster.net, client);
    assert_true(reply.length > 10 && memcmp(reply.data, "-NOTMASTER", 10) == 0); /* not executed: it may be repeated */
    assert_false(net_is_open(&cluster.net, client));

    /* A version of the same epoch does not bring the role back. */
    cluster.topology.version++;
    learn(&cluster, 0);
    assert_int_equal(status_of(&cluster, 0).role, ROLE_UNADOPTED);

    /* With the disk the word comes back; who gave up has nothing to release. */
    cluster.net.workers[0].persist_result = 0;
    net_advance(&cluster.net, 2 * NS_PER_S);
    assert_true(fenced_by(&cluster, 1, 0));
    assert_false(cluster.message.fenced.is_release);
    assert_int_equal(cluster.message.fenced.history.last_offset, offset);
    assert_false(status_of(&cluster, 0).flags & STATUS_DISK_ERROR);
    end(&cluster);
}

static void a_master_chosen_again_keeps_its_connections(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    choose(&cluster, 0, 7);
    live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    fence_by(&cluster, 0, 0, 2);
    assert_true(answers(&cluster, client, "SET a 1", ""));
    choose(&cluster, 0, 7);
    assert_int_equal(net_received(&cluster.net, client).length, 0); /* grants of the old epoch count no more */
    lease(&cluster, 0);
    assert_true(slice_equal(net_received(&cluster.net, client), SLICE_LITERAL("+OK\r\n")));
    assert_true(net_is_open(&cluster.net, client));
    live(&cluster, 0, 2 * NS_PER_S);
    expect_same_history(&cluster, 0, 1);
    end(&cluster);
}

static void a_deposed_master_refuses_what_it_held(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    choose(&cluster, 0, 7);
    live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    fence_by(&cluster, 0, 0, 2);
    assert_true(answers(&cluster, client, "SET a 1", ""));
    choose(&cluster, 1, 7);
    struct slice reply = net_received(&cluster.net, client);
    assert_true(reply.length > 10 && memcmp(reply.data, "-NOTMASTER", 10) == 0);
    assert_false(net_is_open(&cluster.net, client));
    end(&cluster);
}

static void a_role_of_an_epoch_below_the_fence_is_not_taken(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    choose(&cluster, 0, 7);
    live(&cluster, 0, NS_PER_S);
    assert_true(status_of(&cluster, 1).flags & STATUS_LINK_UP);
    fence_by(&cluster, 0, 1, 4);
    assert_true(fenced_by(&cluster, 0, 1));
    assert_false(status_of(&cluster, 1).flags & STATUS_LINK_UP); /* it refuses the stream */
    choose(&cluster, 0, 7);                                      /* epoch 2 */
    live(&cluster, 0, NS_PER_S);
    assert_false(status_of(&cluster, 1).flags & STATUS_LINK_UP);
    assert_true(status_of(&cluster, 2).flags & STATUS_LINK_UP);
    assert_int_equal(status_of(&cluster, 1).version, cluster.topology.version);
    choose(&cluster, 0, 7);
    choose(&cluster, 0, 7); /* epoch 4 */
    live(&cluster, 0, NS_PER_S);
    assert_true(status_of(&cluster, 1).flags & STATUS_LINK_UP);
    end(&cluster);
}

static void full_sync_under_writes(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    choose(&cluster, 0, 1); /* the others do not know yet */
    live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    write_many(&cluster, client, "before", 20000);
    net_pump(&cluster.net);
    answers(&cluster, client, "SELECT 3", "+OK\r\n");
    answers(&cluster, client, "SET in-three 3 PX 100000000", "+OK\r\n");
    write_many(&cluster, client, "during", 20000);
    learn(&cluster, 1);
    write_many(&cluster, client, "after", 5000);
    net_pump(&cluster.net);
    live(&cluster, 0, NS_PER_S);
    assert_true(logged(&cluster, 1, "full sync complete"));
    expect_same_history(&cluster, 0, 1);
    expect_many(&cluster, 1, "before", 20000);
    int reader = net_connect(&cluster.net, 1, CW_LISTENER_DATA);
    assert_true(answers(&cluster, reader, "DBSIZE", ":20000\r\n"));
    assert_true(answers(&cluster, reader, "SELECT 3", "+OK\r\n"));
    assert_true(answers(&cluster, reader, "DBSIZE", ":25001\r\n"));
    assert_true(answers(&cluster, reader, "GET after:4999", "$16\r\nafter-value-4999\r\n"));
    assert_true(answers(&cluster, reader, "GET in-three", "$1\r\n3\r\n"));
    assert_true(net_command(&cluster.net, reader, "SET x 1").length > 9);
    assert_true(memcmp(net_received(&cluster.net, reader).data, "-READONLY", 9) == 0);
    end(&cluster);
}

static void a_lost_link_is_taken_up_where_it_was(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    choose(&cluster, 0, 7);
    live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    answers(&cluster, client, "SELECT 2", "+OK\r\n");
    for (int round = 0; round < 5; round++) {
        char prefix[32];
        snprintf(prefix, sizeof(prefix), "round%d", round);
        clear_log(&cluster, 1);
        net_cut_between(&cluster.net, 0, 1);
        write_many(&cluster, client, prefix, 1000);
        net_pump(&cluster.net);
        live(&cluster, 0, NS_PER_S);
        assert_true(logged(&cluster, 1, "partial resync"));
        assert_false(logged(&cluster, 1, "full sync"));
        expect_same_history(&cluster, 0, 1);
    }
    int reader = net_connect(&cluster.net, 1, CW_LISTENER_DATA);
    answers(&cluster, reader, "SELECT 2", "+OK\r\n");
    assert_true(answers(&cluster, reader, "DBSIZE", ":5000\r\n"));
    end(&cluster);
}

static void what_left_the_backlog_is_synced_in_full(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    choose(&cluster, 0, 7);
    live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    clear_log(&cluster, 1);
    cluster.net.refuses[0] = true;
    net_cut_between(&cluster.net, 0, 1);
    for (int round = 0; round < 6; round++) {
        write_many(&cluster, client, "key", 10000);
        net_pump(&cluster.net);
    }
    cluster.net.refuses[0] = false;
    live(&cluster, 0, NS_PER_S);
    assert_true(logged(&cluster, 1, "full sync complete"));
    expect_same_history(&cluster, 0, 1);
    expect_many(&cluster, 1, "key", 10000);
    end(&cluster);
}

static void a_promoted_replica_goes_on_and_the_old_master_follows(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    choose(&cluster, 0, 7);
    live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    answers(&cluster, client, "SELECT 1", "+OK\r\n");
    write_many(&cluster, client, "one", 1000);
    net_pump(&cluster.net);
    live(&cluster, 0, NS_PER_S);
    for (int i = 0; i < NET_WORKERS; i++)
        clear_log(&cluster, i);
    fence_by(&cluster, 0, 0, 2);
    choose(&cluster, 1, 7);
    live(&cluster, 1, NS_PER_S);
    client = net_connect(&cluster.net, 1, CW_LISTENER_DATA);
    answers(&cluster, client, "SELECT 4", "+OK\r\n");
    write_many(&cluster, client, "two", 1000);
    net_pump(&cluster.net);
    live(&cluster, 1, NS_PER_S);
    for (int i = 0; i < NET_WORKERS; i += 2) {
        assert_true(logged(&cluster, i, "partial resync"));
        assert_false(logged(&cluster, i, "full sync"));
        expect_same_history(&cluster, 1, i);
        int reader = net_connect(&cluster.net, i, CW_LISTENER_DATA);
        answers(&cluster, reader, "SELECT 1", "+OK\r\n");
        assert_true(answers(&cluster, reader, "DBSIZE", ":1000\r\n"));
        answers(&cluster, reader, "SELECT 4", "+OK\r\n");
        assert_true(answers(&cluster, reader, "DBSIZE", ":1000\r\n"));
    }
    end(&cluster);
}

/* How many keys a node has in database 0. */
static int64_t count_keys(struct cluster *cluster, int worker)
{
    int reader = net_connect(&cluster->net, worker, CW_LISTENER_DATA);
    struct slice reply = net_command(&cluster->net, reader, "DBSIZE");
    assert_true(reply.length > 3 && reply.data[0] == ':');
    return strtoll(reply.data + 1, NULL, 10);
}

/* A replica has what its master has, however little memory it may take itself; as a master it then keeps its own limit.
 */
static void only_a_master_evicts_and_replicas_follow(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    choose(&cluster, 0, 7);
    live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 1, CW_LISTENER_DATA);
    assert_true(answers(&cluster, client, "CONFIG SET maxmemory 1 maxmemory-policy allkeys-lru", "+OK\r\n"));
    client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    write_many(&cluster, client, "one", 1000);
    live(&cluster, 0, NS_PER_S);
    for (int i = 0; i < NET_WORKERS; i++)
        assert_int_equal(count_keys(&cluster, i), 1000);

    assert_true(answers(&cluster, client, "CONFIG SET maxmemory 40kb maxmemory-policy allkeys-random", "+OK\r\n"));
    write_many(&cluster, client, "two", 1000);
    live(&cluster, 0, NS_PER_S);
    int64_t count = count_keys(&cluster, 0);
    assert_in_range(count, 100, 900);
    for (int i = 1; i < NET_WORKERS; i++)
        assert_int_equal(count_keys(&cluster, i), count);

    fence_by(&cluster, 0, 0, 2);
    choose(&cluster, 1, 7);
    live(&cluster, 1, NS_PER_S);
    for (int i = 0; i < NET_WORKERS; i++)
        assert_int_equal(count_keys(&cluster, i), 0);
    end(&cluster);
}

static void a_diverged_tail_is_kept_and_replaced_by_a_full_sync(void **state)
{
    (void)state;
    struct cluster cluster;
    struct memory_storage memory;
    memory_storage_init(&memory);
    begin(&cluster);
    restart_with_storage(&cluster, 0, &memory);
    choose(&cluster, 0, 7);
    live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(answers(&cluster, client, "SET shared 1", "+OK\r\n"));
    live(&cluster, 0, NS_PER_S);
    cluster.net.refuses[0] = true;
    net_cut_between(&cluster.net, 0, 1);
    net_cut_between(&cluster.net, 0, 2);
    lease(&cluster, 0);
    assert_true(answers(&cluster, client, "SET lost 1", "+OK\r\n"));
    assert_true(answers(&cluster, client, "SET shared 2", "+OK\r\n"));
    choose(&cluster, 1, 6); /* the old master does not hear of it */
    live(&cluster, 1, NS_PER_S);
    int other = net_connect(&cluster.net, 1, CW_LISTENER_DATA);
    assert_true(answers(&cluster, other, "SET new 1", "+OK\r\n"));
    clear_log(&cluster, 0);
    cluster.net.refuses[0] = false;
    learn(&cluster, 0);
    assert_false(net_is_open(&cluster.net, client));
    live(&cluster, 1, NS_PER_S);
    assert_true(logged(&cluster, 0, "full sync complete"));
    expect_same_history(&cluster, 1, 0);
    int reader = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(answers(&cluster, reader, "GET lost", "$-1\r\n"));
    assert_true(answers(&cluster, reader, "GET shared", "$1\r\n1\r\n"));
    assert_true(answers(&cluster, reader, "GET new", "$1\r\n1\r\n"));
    assert_string_equal(memory.diverged_name, "diverged-1.aof");
    assert_true(
        slice_equal(buf_slice(&memory.diverged), SLICE_LITERAL("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
                                                               "*3\r\n$3\r\nSET\r\n$4\r\nlost\r\n$1\r\n1\r\n"
                                                               "*3\r\n$3\r\nSET\r\n$6\r\nshared\r\n$1\r\n2\r\n")));
    assert_true(logged(&cluster, 0, "discarding 2 writes"));
    end(&cluster);
    memory_storage_free(&memory);
}

/* What it loaded from its file stands in no backlog: then the whole data set is kept. */
static void a_diverged_file_is_kept_whole(void **state)
{
    (void)state;
    struct cluster cluster;
    struct memory_storage memory;
    memory_storage_init(&memory);
    begin(&cluster);
    restart_with_storage(&cluster, 0, &memory);
    choose(&cluster, 0, 7);
    live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    cluster.net.refuses[0] = true;
    net_cut_between(&cluster.net, 0, 1);
    net_cut_between(&cluster.net, 0, 2);
    lease(&cluster, 0);
    assert_true(answers(&cluster, client, "SET lost 1", "+OK\r\n"));
    assert_true(answers(&cluster, client, "SAVE", "+OK\r\n"));
    choose(&cluster, 1, 6);
    clear_log(&cluster, 0);
    cluster.net.refuses[0] = false;
    net_kill(&cluster.net, 0);
    net_start(&cluster.net, 0);
    net_pump(&cluster.net);
    connect_sentinels(&cluster, 0);
    learn(&cluster, 0);
    live(&cluster, 1, NS_PER_S);
    assert_true(logged(&cluster, 0, "full sync complete"));
    expect_same_history(&cluster, 1, 0);
    assert_string_equal(memory.diverged_name, "diverged-1.rdb");
    assert_true(slice_equal(slice_of(buf_slice(&memory.diverged).data, 9), SLICE_LITERAL("REDIS0010")));
    assert_non_null(memmem(buf_slice(&memory.diverged).data, buf_length(&memory.diverged), "lost", 4));
    end(&cluster);
    memory_storage_free(&memory);
}

static void old_data_stay_until_the_replacement_is_complete(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    choose(&cluster, 0, 7);
    live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    write_many(&cluster, client, "key", 1000);
    net_pump(&cluster.net);
    live(&cluster, 0, NS_PER_S);
    struct history held = status_of(&cluster, 1).history;

    net_kill(&cluster.net, 0); /* and with it all that it held */
    net_start(&cluster.net, 0);
    net_pump(&cluster.net);
    connect_sentinels(&cluster, 0);
    learn(&cluster, 0);
    assert_int_equal(status_of(&cluster, 0).role, ROLE_UNADOPTED); /* another life than the master's */
    int other = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(memcmp(net_command(&cluster.net, other, "GET key:1").data, "-MASTERDOWN", 11) == 0);
    net_advance(&cluster.net, 2 * NS_PER_S);
    struct history after = status_of(&cluster, 1).history;
    assert_true(history_compare(&held, &after) == 0);
    choose(&cluster, 1, 7);
    live(&cluster, 1, 2 * NS_PER_S);
    expect_same_history(&cluster, 1, 0);
    expect_many(&cluster, 0, "key", 1000);
    end(&cluster);
}

/* A node that saved, and starts again, goes on where its file ends; one whose file is damaged has no data, says so, and
 * takes a full sync. */
static void a_restarted_replica_goes_on_from_its_file(void **state)
{
    (void)state;
    for (int damaged = 0; damaged < 2; damaged++) {
        struct memory_storage memory;
        struct cluster cluster;
        begin(&cluster);
        memory_storage_init(&memory);
        restart_with_storage(&cluster, 1, &memory);
        choose(&cluster, 0, 7);
        live(&cluster, 0, NS_PER_S);
        int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
        answers(&cluster, client, "SELECT 4", "+OK\r\n");
        write_many(&cluster, client, "one", 1000);
        net_pump(&cluster.net);
        live(&cluster, 0, NS_PER_S);
        int admin = net_connect(&cluster.net, 1, CW_LISTENER_DATA);
        assert_true(answers(&cluster, admin, "SAVE", "+OK\r\n"));
        net_kill(&cluster.net, 1);
        write_many(&cluster, client, "two", 1000);
        if (damaged)
            memory.content.memory[memory.content.start + 500] ^= 1;
        clear_log(&cluster, 1);
        net_start(&cluster.net, 1);
        net_pump(&cluster.net);
        connect_sentinels(&cluster, 1);
        assert_int_equal(status_of(&cluster, 1).history.count, damaged ? 0 : 1);
        assert_int_equal(logged(&cluster, 1, "begins without data"), damaged);
        learn(&cluster, 1);
        live(&cluster, 0, NS_PER_S);
        assert_int_equal(logged(&cluster, 1, "partial resync"), !damaged);
        assert_int_equal(logged(&cluster, 1, "full sync complete"), damaged);
        expect_same_history(&cluster, 0, 1);
        int reader = net_connect(&cluster.net, 1, CW_LISTENER_DATA);
        answers(&cluster, reader, "SELECT 4", "+OK\r\n");
        assert_true(answers(&cluster, reader, "DBSIZE", ":2000\r\n"));
        end(&cluster);
        memory_storage_free(&memory);
    }
}

/* Each removed guard must show: here in the plainest schedule, in tests/sim among all others. */
static void every_mutant_breaks_what_its_guard_protects(void **state)
{
    (void)state;
    struct cluster cluster;

    begin_with(&cluster, CW_MUTANT_LEASE_FROM_GRANT);
    choose(&cluster, 0, 7);
    struct status old[2] = {*poll_by(&cluster, 0, 0), *poll_by(&cluster, 1, 0)};
    net_advance(&cluster.net, 5 * NS_PER_S);
    for (int i = 0; i < 2; i++)
        grant_by(&cluster, i, 0, old[i].k, old[i].life, old[i].epoch);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(answers(&cluster, client, "SET a 1", "+OK\r\n"));
    end(&cluster);

    begin_with(&cluster, CW_MUTANT_FENCE_NOT_DURABLE);
    cluster.net.workers[0].hold_persists = true;
    fence_by(&cluster, 0, 0, 1);
    assert_true(fenced_by(&cluster, 0, 0));
    end(&cluster);

    begin_with(&cluster, CW_MUTANT_IGNORE_INCARNATION);
    struct life life = status_of(&cluster, 0).life;
    net_kill(&cluster.net, 0);
    net_start(&cluster.net, 0);
    connect_sentinels(&cluster, 0);
    struct life again = status_of(&cluster, 0).life;
    assert_true(life_equal(&life, &again));
    end(&cluster);

    begin_with(&cluster, CW_MUTANT_FENCE_TAKEN_BACK);
    choose(&cluster, 0, 7);
    fence_by(&cluster, 0, 0, 2);
    lease(&cluster, 0);
    client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(answers(&cluster, client, "SET a 1", "+OK\r\n"));
    end(&cluster);

    begin_with(&cluster, CW_MUTANT_GRANT_OF_ANY_EPOCH);
    choose(&cluster, 0, 7);
    for (int i = 0; i < 2; i++) {
        struct status status = *poll_by(&cluster, i, 0);
        grant_by(&cluster, i, 0, status.k, status.life, status.epoch + 5);
    }
    client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(answers(&cluster, client, "SET a 1", "+OK\r\n"));
    end(&cluster);
}

static void the_master_asks_for_a_replica_that_is_in_step(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    choose(&cluster, 0, 3);
    bool asked = false;
    for (int i = 0; i < 5 && !asked; i++) {
        live(&cluster, 0, NS_PER_S);
        for (int s = 0; s < 2 && !asked; s++)
            asked = received(&cluster, cluster.controls[s][0], MESSAGE_INSYNC);
    }
    /* poll_by takes what came before the STATUS, so a request may have been read over; it is asked again. */
    for (int i = 0; i < 20 && !asked; i++) {
        net_advance(&cluster.net, 100 * NS_PER_MS);
        for (int s = 0; s < 2 && !asked; s++)
            asked = received(&cluster, cluster.controls[s][0], MESSAGE_INSYNC);
    }
    assert_true(asked);
    assert_int_equal(cluster.message.insync.count, 1);
    struct life replica = cluster.message.insync.in_sync[0];
    assert_int_equal(cluster.message.insync.expected_version, cluster.topology.version);
    struct life second = status_of(&cluster, 1).life;
    assert_true(life_equal(&replica, &second));
    end(&cluster);
}

/* --- what an acknowledgement is worth --- */

/* The register has another in-sync set: the workers of the mask. */
static void commit_in_sync(struct cluster *cluster, unsigned mask)
{
    list_in_sync(cluster, mask);
    cluster->topology.version++;
    for (int i = 0; i < NET_WORKERS; i++)
        learn(cluster, i);
}

/* Worker 0 is master, worker 1 in sync. */
static void begin_in_sync(struct cluster *cluster, enum durability durability, unsigned mutants)
{
    begin_with(cluster, mutants);
    cluster->topology.durability = durability;
    choose(cluster, 0, 3);
    live(cluster, 0, NS_PER_S);
    commit_in_sync(cluster, 1u << 1);
    lease(cluster, 0);
    net_advance(&cluster->net, 200 * NS_PER_MS);
}

static void cut_off_replicas(struct cluster *cluster, int master)
{
    cluster->net.refuses[master] = true;
    for (int i = 0; i < NET_WORKERS; i++)
        if (i != master)
            net_cut_between(&cluster->net, master, i);
    net_pump(&cluster->net);
}

/* Whether worker 0 asks for another set within that time; the request is in cluster->message then. */
static bool asks_within(struct cluster *cluster, int64_t ns)
{
    for (; ns > 0; ns -= 50 * NS_PER_MS) {
        if (ns % NS_PER_S == 0)
            lease(cluster, 0);
        net_advance(&cluster->net, 50 * NS_PER_MS);
        for (int s = 0; s < 2; s++)
            if (received(cluster, cluster->controls[s][0], MESSAGE_INSYNC))
                return true;
    }
    return false;
}

static bool has_received(struct cluster *cluster, int client, const char *words)
{
    return slice_equal(net_received(&cluster->net, client), slice_text(words));
}

static void a_reply_waits_for_the_acknowledgement_of_what_it_shows(void **state)
{
    (void)state;
    struct cluster cluster;
    begin_in_sync(&cluster, DURABILITY_SYNC, 0);
    int writer = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    int reader = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    int listener = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    int tool = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(answers(&cluster, writer, "SET a 1", "+OK\r\n"));
    net_command(&cluster.net, listener, "SUBSCRIBE news");
    net_forget(&cluster.net, listener);
    cut_off_replicas(&cluster, 0);
    assert_true(answers(&cluster, reader, "GET a", "$1\r\n1\r\n")); /* shows nothing new */
    assert_true(answers(&cluster, writer, "SET a 2\r\nGET a\r\nINCR n", ""));
    assert_true(answers(&cluster, reader, "GET a", ""));  /* somebody else's write */
    assert_true(answers(&cluster, reader, "GET zz", "")); /* in order: it stands behind the other */
    assert_true(answers(&cluster, writer, "PUBLISH news now", ""));
    assert_true(has_received(&cluster, listener, ""));
    assert_true(net_command(&cluster.net, tool, "RESPITE TOPOLOGY").length > 100); /* no word about data */

    cluster.net.refuses[0] = false;
    net_advance(&cluster.net, 500 * NS_PER_MS);
    assert_true(has_received(&cluster, writer, "+OK\r\n$1\r\n2\r\n:1\r\n:1\r\n"));
    assert_true(has_received(&cluster, reader, "$1\r\n2\r\n$-1\r\n"));
    assert_true(has_received(&cluster, listener, "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$3\r\nnow\r\n"));
    expect_same_history(&cluster, 0, 1);
    end(&cluster);
}

/* A client that says goodbye gets what it is owed first. */
static void a_session_is_drained_when_its_replies_may_leave(void **state)
{
    (void)state;
    struct cluster cluster;
    begin_in_sync(&cluster, DURABILITY_SYNC, 0);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(answers(&cluster, client, "SET a 1\r\nQUIT", "+OK\r\n+OK\r\n"));
    assert_false(net_is_open(&cluster.net, client));
    client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    cut_off_replicas(&cluster, 0);
    assert_true(answers(&cluster, client, "SET a 2\r\nQUIT", ""));
    assert_true(net_is_open(&cluster.net, client));
    cluster.net.refuses[0] = false;
    net_advance(&cluster.net, 500 * NS_PER_MS);
    assert_true(has_received(&cluster, client, "+OK\r\n+OK\r\n"));
    assert_false(net_is_open(&cluster.net, client));
    end(&cluster);
}

/* The set shrinks by commit only: asking for it is not enough. */
static void a_lost_replica_holds_writes_until_the_set_is_shrunk(void **state)
{
    (void)state;
    for (int mutant = 0; mutant < 2; mutant++) {
        struct cluster cluster;
        begin_in_sync(&cluster, DURABILITY_SYNC, mutant ? CW_MUTANT_DROP_OLD_RULE : 0);
        int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
        cut_off_replicas(&cluster, 0);
        assert_true(answers(&cluster, client, "SET a 1", ""));
        assert_true(asks_within(&cluster, 2 * NS_PER_S));
        assert_int_equal(cluster.message.insync.count, 0);
        net_advance(&cluster.net, 200 * NS_PER_MS);
        assert_int_equal(has_received(&cluster, client, "+OK\r\n"), mutant);
        commit_in_sync(&cluster, 0);
        lease(&cluster, 0);
        assert_true(has_received(&cluster, client, "+OK\r\n"));
        assert_true(answers(&cluster, client, "SET a 2", "+OK\r\n")); /* alone */
        end(&cluster);
    }
}

/* From the asking on, the new replica's acknowledgement is needed too. */
static void a_replica_that_is_asked_for_counts_before_it_is_learned(void **state)
{
    (void)state;
    struct cluster cluster;
    begin_in_sync(&cluster, DURABILITY_SYNC, 0);
    commit_in_sync(&cluster, 0);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(asks_within(&cluster, 5 * NS_PER_S));
    assert_int_equal(cluster.message.insync.count, 1);
    lease(&cluster, 0);
    assert_true(answers(&cluster, client, "SET a 1", "+OK\r\n"));
    cut_off_replicas(&cluster, 0);
    assert_true(answers(&cluster, client, "SET a 2", ""));
    end(&cluster);
}

static void a_release_names_what_was_acknowledged(void **state)
{
    (void)state;
    struct cluster cluster;
    begin_in_sync(&cluster, DURABILITY_SYNC, 0);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(answers(&cluster, client, "SET a 1", "+OK\r\n"));
    uint64_t offset = status_of(&cluster, 0).history.last_offset;
    cut_off_replicas(&cluster, 0);
    assert_true(answers(&cluster, client, "SET a 2", ""));
    fence_by(&cluster, 0, 0, 2);
    assert_true(fenced_by(&cluster, 0, 0));
    assert_true(cluster.message.fenced.is_release);
    assert_true(cluster.message.fenced.acknowledged_offset == offset);
    assert_true(cluster.message.fenced.history.last_offset > offset);

    /* Chosen again it keeps its count, and its reply waits on. */
    choose_with(&cluster, 0, 3, 1u << 1);
    lease(&cluster, 0);
    assert_true(has_received(&cluster, client, ""));
    fence_by(&cluster, 0, 0, 3);
    assert_true(fenced_by(&cluster, 0, 0));
    assert_true(cluster.message.fenced.acknowledged_offset == offset);
    choose(&cluster, 0, 3);
    lease(&cluster, 0); /* nobody is in sync: it acknowledges alone */
    assert_true(has_received(&cluster, client, "+OK\r\n"));
    end(&cluster);
}

static void a_new_master_counts_its_branch_as_acknowledged(void **state)
{
    (void)state;
    for (int mutant = 0; mutant < 2; mutant++) {
        struct cluster cluster;
        begin_in_sync(&cluster, DURABILITY_SYNC, mutant ? CW_MUTANT_FORGET_BRANCH : 0);
        int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
        assert_true(answers(&cluster, client, "SET a 1", "+OK\r\n"));
        net_kill(&cluster.net, 0);
        cut_off_replicas(&cluster, 1);
        choose_with(&cluster, 1, 2, 1u << 2); /* who has not come yet */
        fence_by(&cluster, 0, 1, 3);
        assert_true(fenced_by(&cluster, 0, 1));
        assert_true(cluster.message.fenced.is_release);
        uint64_t counted = mutant ? 0 : cluster.topology.branch.last_offset;
        assert_true(cluster.topology.branch.last_offset > 0);
        assert_true(cluster.message.fenced.acknowledged_offset == counted);
        end(&cluster);
    }
}

/* async: at most max_lag of writes may be lost while somebody is in sync. */
static void an_async_master_stops_acknowledging_when_a_replica_lags(void **state)
{
    (void)state;
    struct cluster cluster;
    begin_in_sync(&cluster, DURABILITY_ASYNC, 0);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    cut_off_replicas(&cluster, 0);
    assert_true(answers(&cluster, client, "SET a 1", "+OK\r\n"));
    net_advance(&cluster.net, 900 * NS_PER_MS);
    lease(&cluster, 0);
    assert_true(answers(&cluster, client, "SET a 2", "+OK\r\n"));
    net_advance(&cluster.net, 200 * NS_PER_MS);
    assert_true(answers(&cluster, client, "SET a 3", ""));
    commit_in_sync(&cluster, 0);
    lease(&cluster, 0);
    net_advance(&cluster.net, 150 * NS_PER_MS);
    assert_true(has_received(&cluster, client, "+OK\r\n"));
    net_forget(&cluster.net, client);
    assert_true(answers(&cluster, client, "SET a 4", "+OK\r\n"));
    end(&cluster);
}

/* The request may be the committed set already, and nobody has told. Until that is known the replica counts. */
static void an_async_master_waits_for_a_replica_that_it_asked_for(void **state)
{
    (void)state;
    struct cluster cluster;
    begin_in_sync(&cluster, DURABILITY_ASYNC, 0);
    commit_in_sync(&cluster, 0);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(asks_within(&cluster, 5 * NS_PER_S));
    assert_int_equal(cluster.message.insync.count, 1);
    cut_off_replicas(&cluster, 0);
    lease(&cluster, 0);
    assert_true(answers(&cluster, client, "SET a 1", "+OK\r\n"));
    net_advance(&cluster.net, 1100 * NS_PER_MS);
    lease(&cluster, 0);
    assert_true(answers(&cluster, client, "SET a 2", ""));
    assert_true(asks_within(&cluster, 3 * NS_PER_S)); /* what was sent stands until a version is learned */
    assert_int_equal(cluster.message.insync.count, 1);
    commit_in_sync(&cluster, 1u << 1);
    lease(&cluster, 0);
    assert_true(answers(&cluster, client, "SET a 3", ""));
    assert_true(asks_within(&cluster, 3 * NS_PER_S));
    assert_int_equal(cluster.message.insync.count, 0);
    commit_in_sync(&cluster, 0);
    lease(&cluster, 0);
    net_advance(&cluster.net, 150 * NS_PER_MS);
    assert_true(has_received(&cluster, client, "+OK\r\n+OK\r\n"));
    end(&cluster);
}

static void a_proxys_link_names_epoch_and_life(void **state)
{
    (void)state;
    struct cluster cluster;
    begin(&cluster);
    choose(&cluster, 0, 7);
    struct life life = status_of(&cluster, 0).life;
    char node[IDENTITY_TEXT_LENGTH + 1];
    identity_format(&life.node, node);
    for (int wrong = 0; wrong < 5; wrong++) {
        char line[256];
        snprintf(line, sizeof(line), "RESPITE ATTACH %s %d %s %llu %llu", wrong == 1 ? "guess" : "secret",
                 wrong == 2 ? 2 : 1, node, (unsigned long long)life.incarnation + (wrong == 3),
                 (unsigned long long)life.bits + (wrong == 4));
        int link = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
        bool ok = answers(&cluster, link, line, "+OK\r\n");
        assert_int_equal(ok, wrong == 0);
        assert_int_equal(net_is_open(&cluster.net, link), wrong == 0);
    }
    end(&cluster);
}

/* Who is there, at one worker, to whoever asks it. */
static bool has_users(struct cluster *cluster, int worker, const char *reply)
{
    int client = net_connect(&cluster->net, worker, CW_LISTENER_DATA);
    bool has = answers(cluster, client, "ACL USERS", reply);
    return has;
}

static void users_are_the_groups(void **state)
{
    (void)state;
    static const char with_ann[] = "*2\r\n$3\r\nann\r\n$7\r\ndefault\r\n";
    static const char with_bob[] = "*2\r\n$3\r\nbob\r\n$7\r\ndefault\r\n";
    struct cluster cluster;
    struct memory_storage memory;
    memory_storage_init(&memory);
    begin(&cluster);
    restart_with_storage(&cluster, 2, &memory);
    choose(&cluster, 0, 7);
    live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);

    /* Over the stream, and to the disk. */
    assert_int_equal(buf_length(&memory.users), 0);
    assert_true(answers(&cluster, client, "ACL SETUSER ann on >pass +@all ~a*", "+OK\r\n"));
    net_pump(&cluster.net);
    for (int i = 0; i < NET_WORKERS; i++)
        assert_true(has_users(&cluster, i, with_ann));
    assert_non_null(memmem(buf_slice(&memory.users).data, buf_length(&memory.users), "user ann on ", 12));
    expect_same_history(&cluster, 0, 1);
    int reader = net_connect(&cluster.net, 1, CW_LISTENER_DATA);
    assert_true(
        answers(&cluster, reader, "ACL SETUSER eve on", "-READONLY You can't write against a read only replica.\r\n"));
    assert_true(answers(&cluster, reader, "AUTH ann pass", "+OK\r\n"));
    assert_true(answers(&cluster, reader, "GET b", "-NOPERM No permissions to access a key\r\n"));

    /* With a full sync, to one that was not there and has them from its disk no more. */
    net_kill(&cluster.net, 1);
    assert_true(answers(&cluster, client, "ACL SETUSER bob nopass", "+OK\r\n"));
    assert_true(answers(&cluster, client, "ACL DELUSER ann nosuch", ":1\r\n"));
    live(&cluster, 0, NS_PER_S);
    net_start(&cluster.net, 1);
    net_pump(&cluster.net);
    connect_sentinels(&cluster, 1);
    learn(&cluster, 1);
    live(&cluster, 0, NS_PER_S);
    assert_true(logged(&cluster, 1, "full sync complete"));
    assert_true(has_users(&cluster, 1, with_bob));

    /* From the disk alone. */
    net_kill(&cluster.net, 2);
    net_start(&cluster.net, 2);
    net_pump(&cluster.net);
    assert_true(has_users(&cluster, 2, with_bob));
    connect_sentinels(&cluster, 2);
    learn(&cluster, 2);

    /* Over a failover. */
    fence_by(&cluster, 0, 0, 2);
    choose(&cluster, 1, 7);
    live(&cluster, 1, NS_PER_S);
    for (int i = 0; i < NET_WORKERS; i++)
        assert_true(has_users(&cluster, i, with_bob));
    end(&cluster);
    memory_storage_free(&memory);
}

static void a_group_without_users_goes_by_configurations(void **state)
{
    (void)state;
    struct cluster cluster;
    struct memory_storage memory;
    memory_storage_init(&memory);
    begin(&cluster);
    buf_add_text(&memory.users, "user default on nopass ~* &* +@all\nuser stale on nopass +@all\n");
    restart_with_storage(&cluster, 2, &memory);
    assert_true(has_users(&cluster, 2, "*2\r\n$7\r\ndefault\r\n$5\r\nstale\r\n"));
    choose(&cluster, 0, 7);
    live(&cluster, 0, NS_PER_S);
    assert_true(logged(&cluster, 2, "full sync complete"));
    assert_true(has_users(&cluster, 2, "*1\r\n$7\r\ndefault\r\n"));
    assert_int_equal(buf_length(&memory.users), 0);
    end(&cluster);
    memory_storage_free(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_served_before_the_incarnation_is_durable),
        cmocka_unit_test(each_start_is_a_new_life_of_the_same_node),
        cmocka_unit_test(only_who_knows_the_secret_is_heard),
        cmocka_unit_test(strangers_do_not_pile_up),
        cmocka_unit_test(replies_leave_under_a_majority_of_grants_only),
        cmocka_unit_test(the_lease_is_counted_from_the_status),
        cmocka_unit_test(a_grant_must_be_for_this_poll_life_and_epoch),
        cmocka_unit_test(what_is_played_again_grants_nothing),
        cmocka_unit_test(what_is_refused_is_counted),
        cmocka_unit_test(a_fence_stops_the_master_at_once_and_answers_when_durable),
        cmocka_unit_test(a_master_that_cannot_keep_its_word_gives_up_its_role),
        cmocka_unit_test(a_master_chosen_again_keeps_its_connections),
        cmocka_unit_test(a_deposed_master_refuses_what_it_held),
        cmocka_unit_test(a_role_of_an_epoch_below_the_fence_is_not_taken),
        cmocka_unit_test(full_sync_under_writes),
        cmocka_unit_test(a_lost_link_is_taken_up_where_it_was),
        cmocka_unit_test(what_left_the_backlog_is_synced_in_full),
        cmocka_unit_test(a_promoted_replica_goes_on_and_the_old_master_follows),
        cmocka_unit_test(only_a_master_evicts_and_replicas_follow),
        cmocka_unit_test(a_diverged_tail_is_kept_and_replaced_by_a_full_sync),
        cmocka_unit_test(a_diverged_file_is_kept_whole),
        cmocka_unit_test(old_data_stay_until_the_replacement_is_complete),
        cmocka_unit_test(a_restarted_replica_goes_on_from_its_file),
        cmocka_unit_test(every_mutant_breaks_what_its_guard_protects),
        cmocka_unit_test(the_master_asks_for_a_replica_that_is_in_step),
        cmocka_unit_test(a_reply_waits_for_the_acknowledgement_of_what_it_shows),
        cmocka_unit_test(a_session_is_drained_when_its_replies_may_leave),
        cmocka_unit_test(a_lost_replica_holds_writes_until_the_set_is_shrunk),
        cmocka_unit_test(a_replica_that_is_asked_for_counts_before_it_is_learned),
        cmocka_unit_test(a_release_names_what_was_acknowledged),
        cmocka_unit_test(a_new_master_counts_its_branch_as_acknowledged),
        cmocka_unit_test(an_async_master_stops_acknowledging_when_a_replica_lags),
        cmocka_unit_test(an_async_master_waits_for_a_replica_that_it_asked_for),
        cmocka_unit_test(a_proxys_link_names_epoch_and_life),
        cmocka_unit_test(users_are_the_groups),
        cmocka_unit_test(a_group_without_users_goes_by_configurations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
