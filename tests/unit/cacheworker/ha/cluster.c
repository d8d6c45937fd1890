#include "tests/unit/cacheworker/ha/cluster.h"

#include "common/resp/resp_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

struct identity cluster_sentinel(int number)
{
    return (struct identity){.bytes = {(uint8_t)(200 + number)}};
}

/* --- the sentinels --- */

void cluster_send(struct cluster *cluster, int control, const struct message *message)
{
    struct buf bytes = {0};
    message_encode(message, &bytes);
    net_send(&cluster->net, control, buf_slice(&bytes));
    buf_free(&bytes);
    net_pump(&cluster->net);
}

struct message *cluster_new_message(struct cluster *cluster, enum message_kind kind)
{
    memset(&cluster->message, 0, sizeof(cluster->message));
    cluster->message.kind = kind;
    strcpy(cluster->message.group, "main");
    return &cluster->message;
}

bool cluster_received(struct cluster *cluster, int control, enum message_kind kind)
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

int cluster_greet(struct cluster *cluster, int worker, int sentinel, const char *secret)
{
    int control = net_connect(&cluster->net, worker, CW_LISTENER_CONTROL);
    if (control < 0)
        return control;
    struct message *hello = cluster_new_message(cluster, MESSAGE_HELLO);
    hello->hello.kind = PEER_SENTINEL;
    hello->hello.sender = cluster_sentinel(sentinel);
    hello->hello.secret = slice_text(secret);
    hello->hello.protocol = CONTROL_PROTOCOL;
    cluster_send(cluster, control, hello);
    return control;
}

void cluster_connect_sentinels(struct cluster *cluster, int worker)
{
    for (int i = 0; i < SENTINELS; i++)
        cluster->controls[i][worker] = cluster_greet(cluster, worker, i, "secret");
}

const struct status *cluster_poll_by(struct cluster *cluster, int sentinel, int worker)
{
    int control = cluster->controls[sentinel][worker];
    struct message *poll = cluster_new_message(cluster, MESSAGE_POLL);
    poll->poll.k = ++cluster->k;
    poll->poll.version = cluster->topology.version;
    cluster_send(cluster, control, poll);
    assert_true(cluster_received(cluster, control, MESSAGE_STATUS));
    assert_true(cluster->message.status.k == cluster->k);
    return &cluster->message.status;
}

struct status cluster_status_of(struct cluster *cluster, int worker)
{
    return *cluster_poll_by(cluster, 0, worker);
}

void cluster_grant_by(struct cluster *cluster, int sentinel, int worker, uint64_t k, struct life life, uint64_t epoch)
{
    struct message *grant = cluster_new_message(cluster, MESSAGE_GRANT);
    grant->grant.k = k;
    grant->grant.life = life;
    grant->grant.epoch = epoch;
    cluster_send(cluster, cluster->controls[sentinel][worker], grant);
}

void cluster_lease_by(struct cluster *cluster, int sentinel, int worker)
{
    struct status status = *cluster_poll_by(cluster, sentinel, worker);
    cluster_grant_by(cluster, sentinel, worker, status.k, status.life, status.epoch);
}

void cluster_lease(struct cluster *cluster, int worker)
{
    cluster_lease_by(cluster, 0, worker);
    cluster_lease_by(cluster, 1, worker);
}

void cluster_live(struct cluster *cluster, int worker, int64_t ns)
{
    for (; ns > 0; ns -= NS_PER_S) {
        cluster_lease(cluster, worker);
        net_advance(&cluster->net, ns < NS_PER_S ? ns : NS_PER_S);
    }
}

void cluster_learn(struct cluster *cluster, int worker)
{
    struct message *message = cluster_new_message(cluster, MESSAGE_LEARN);
    message->learn.topology = cluster->topology;
    cluster_send(cluster, cluster->controls[0][worker], message);
}

void cluster_fence_by(struct cluster *cluster, int sentinel, int worker, uint64_t epoch)
{
    struct message *fence = cluster_new_message(cluster, MESSAGE_FENCE);
    fence->fence.epoch = epoch;
    fence->fence.ballot = (struct ballot){.counter = 70 + epoch, .sentinel = cluster_sentinel(sentinel), .run = 1};
    cluster_send(cluster, cluster->controls[sentinel][worker], fence);
}

bool cluster_fenced_by(struct cluster *cluster, int sentinel, int worker)
{
    return cluster_received(cluster, cluster->controls[sentinel][worker], MESSAGE_FENCED);
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
            .sentinel = cluster_sentinel(i), .address = {.host = "127.0.0.1", .port = (uint16_t)(3000 + i)}};
}

void cluster_list_in_sync(struct cluster *cluster, unsigned mask)
{
    struct topology *topology = &cluster->topology;
    memset(topology->in_sync, 0, sizeof(topology->in_sync));
    topology->in_sync_count = 0;
    for (int i = 0; i < NET_WORKERS; i++)
        if (mask & 1u << i)
            topology->in_sync[topology->in_sync_count++] = cluster_status_of(cluster, i).life;
}

void cluster_choose_with(struct cluster *cluster, int master, unsigned learners, unsigned in_sync)
{
    struct topology *topology = &cluster->topology;
    cluster_fence_by(cluster, 0, master, topology->epoch + 1);
    assert_true(cluster_fenced_by(cluster, 0, master));
    assert_true(cluster->message.fenced.epoch == topology->epoch + 1);
    topology->version++;
    topology->epoch++;
    topology->master = cluster->message.fenced.life;
    topology->branch = cluster->message.fenced.history;
    history_begin_epoch(&topology->branch, topology->epoch);
    cluster_list_in_sync(cluster, in_sync);
    for (int i = 0; i < NET_WORKERS; i++)
        if (learners & 1u << i)
            cluster_learn(cluster, i);
}

void cluster_choose(struct cluster *cluster, int master, unsigned learners)
{
    cluster_choose_with(cluster, master, learners, 0);
}

void cluster_begin_with(struct cluster *cluster, unsigned mutants)
{
    memset(cluster, 0, sizeof(*cluster));
    net_init(&cluster->net);
    cluster->net.mutants = mutants;
    create(cluster);
    for (int i = 0; i < NET_WORKERS; i++) {
        net_start(&cluster->net, i);
        net_pump(&cluster->net);
        cluster_connect_sentinels(cluster, i);
        cluster_learn(cluster, i);
    }
}

void cluster_begin(struct cluster *cluster)
{
    cluster_begin_with(cluster, 0);
}

void cluster_restart_with_storage(struct cluster *cluster, int worker, struct memory_storage *memory)
{
    cluster->net.storages[worker] = &memory->storage;
    net_kill(&cluster->net, worker);
    net_start(&cluster->net, worker);
    net_pump(&cluster->net);
    cluster_connect_sentinels(cluster, worker);
    cluster_learn(cluster, worker);
}

void cluster_end(struct cluster *cluster)
{
    net_free(&cluster->net);
}

/* --- what one sees --- */

bool cluster_answers(struct cluster *cluster, int client, const char *line, const char *reply)
{
    return slice_equal(net_command(&cluster->net, client, line), slice_text(reply));
}

bool cluster_logged(struct cluster *cluster, int worker, const char *words)
{
    struct slice log = buf_slice(&cluster->net.workers[worker].log);
    return log.length > 0 && memmem(log.data, log.length, words, strlen(words)) != NULL;
}

void cluster_clear_log(struct cluster *cluster, int worker)
{
    buf_clear(&cluster->net.workers[worker].log);
}

void cluster_write_many(struct cluster *cluster, int client, const char *prefix, int count)
{
    struct buf line = {0};
    for (int i = 0; i < count; i++)
        buf_add_format(&line, "SET %s:%d %s-value-%d\r\n", prefix, i, prefix, i);
    net_send(&cluster->net, client, buf_slice(&line));
    buf_free(&line);
}

void cluster_expect_many(struct cluster *cluster, int worker, const char *prefix, int count)
{
    int client = net_connect(&cluster->net, worker, CW_LISTENER_DATA);
    for (int i = 0; i < count; i += 1 + count / 50) {
        char line[64];
        char value[64];
        char reply[96];
        snprintf(line, sizeof(line), "GET %s:%d", prefix, i);
        snprintf(value, sizeof(value), "%s-value-%d", prefix, i);
        snprintf(reply, sizeof(reply), "$%zu\r\n%s\r\n", strlen(value), value);
        if (!cluster_answers(cluster, client, line, reply))
            fail_msg("%s: %.*s", line, (int)net_received(&cluster->net, client).length,
                     net_received(&cluster->net, client).data);
    }
}

void cluster_expect_same_history(struct cluster *cluster, int a, int b)
{
    struct status first = cluster_status_of(cluster, a);
    struct status second = cluster_status_of(cluster, b);
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
