/* Whole workers, with the test as their sentinels: who may speak to them, lease, fence and role, and what their replies
 * are worth. */
#include "cacheworker/ha/ha.h"
#include "tests/unit/cacheworker/ha/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static void only_who_knows_the_secret_is_heard(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_begin(&cluster);
    int control = cluster_greet(&cluster, 0, 0, "Secret");
    assert_false(net_is_open(&cluster.net, control));
    control = net_connect(&cluster.net, 0, CW_LISTENER_CONTROL);
    struct message *poll = cluster_new_message(&cluster, MESSAGE_POLL);
    poll->poll.k = 1;
    cluster_send(&cluster, control, poll);
    assert_false(cluster_received(&cluster, control, MESSAGE_STATUS));
    assert_false(net_is_open(&cluster.net, control));

    int older = cluster.controls[0][0];
    cluster_status_of(&cluster, 0);
    cluster.controls[0][0] = cluster_greet(&cluster, 0, 0, "secret");
    cluster_status_of(&cluster, 0); /* the newest link on which it polls is the one that counts */
    assert_false(net_is_open(&cluster.net, older));
    assert_true(net_is_open(&cluster.net, cluster.controls[1][0]));

    int other_group = cluster_greet(&cluster, 0, 0, "secret");
    poll = cluster_new_message(&cluster, MESSAGE_POLL);
    poll->poll.k = 1;
    strcpy(poll->group, "other");
    cluster_send(&cluster, other_group, poll);
    assert_true(net_is_open(&cluster.net, cluster.controls[0][0]));
    cluster_status_of(&cluster, 0);
    cluster_end(&cluster);
}

static void strangers_do_not_pile_up(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_begin(&cluster);
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
    cluster_status_of(&cluster, 0); /* sentinels stay */
    int twice = cluster_greet(&cluster, 0, 9, "secret");
    struct message *hello = cluster_new_message(&cluster, MESSAGE_HELLO);
    hello->hello.kind = PEER_SENTINEL;
    hello->hello.sender = cluster_sentinel(1);
    hello->hello.secret = SLICE_LITERAL("secret");
    hello->hello.protocol = CONTROL_PROTOCOL;
    cluster_send(&cluster, twice, hello);
    assert_false(net_is_open(&cluster.net, twice));
    assert_true(net_is_open(&cluster.net, cluster.controls[1][0]));
    cluster_end(&cluster);
}

static void replies_leave_under_a_majority_of_grants_only(void **state)
{
    (void)state;
    /* Every subset of three sentinels. */
    for (unsigned subset = 0; subset < 8; subset++) {
        struct cluster cluster;
        cluster_begin(&cluster);
        cluster_choose(&cluster, 0, 7);
        int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
        for (int i = 0; i < SENTINELS; i++)
            if (subset & 1u << i)
                cluster_lease_by(&cluster, i, 0);
        bool majority = __builtin_popcount(subset) >= 2;
        assert_int_equal(cluster_answers(&cluster, client, "SET a 1", "+OK\r\n"), majority);
        if (!majority) {
            assert_int_equal(net_received(&cluster.net, client).length, 0);
            cluster_lease(&cluster, 0);
            assert_true(slice_equal(net_received(&cluster.net, client), SLICE_LITERAL("+OK\r\n")));
        }
        cluster_end(&cluster);
    }
}

static void the_lease_is_counted_from_the_status(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_begin(&cluster);
    cluster_choose(&cluster, 0, 7);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    struct status status[2];
    for (int i = 0; i < 2; i++)
        status[i] = *cluster_poll_by(&cluster, i, 0);
    net_advance(&cluster.net, 3 * NS_PER_S); /* the grants are under way for so long */
    for (int i = 0; i < 2; i++)
        cluster_grant_by(&cluster, i, 0, status[i].k, status[i].life, status[i].epoch);
    assert_true(cluster_answers(&cluster, client, "SET a 1", "+OK\r\n"));
    net_advance(&cluster.net, 1890 * NS_PER_MS);
    assert_true(cluster_answers(&cluster, client, "GET a", "$1\r\n1\r\n"));
    net_advance(&cluster.net, 10 * NS_PER_MS);
    assert_true(cluster_answers(&cluster, client, "GET a", ""));
    net_advance(&cluster.net, 60 * NS_PER_S);
    assert_int_equal(net_received(&cluster.net, client).length, 0);
    cluster_end(&cluster);
}

static void a_grant_must_be_for_this_poll_life_and_epoch(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 6; wrong++) {
        struct cluster cluster;
        cluster_begin(&cluster);
        cluster_choose(&cluster, 0, 7);
        int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
        cluster_lease_by(&cluster, 0, 0);
        struct status status = *cluster_poll_by(&cluster, 1, 0);
        switch (wrong) {
        case 0: cluster_grant_by(&cluster, 1, 0, status.k + 1, status.life, status.epoch); break;
        case 1:
            status.life.incarnation--;
            cluster_grant_by(&cluster, 1, 0, status.k, status.life, status.epoch);
            break;
        case 2:
            status.life.bits++;
            cluster_grant_by(&cluster, 1, 0, status.k, status.life, status.epoch);
            break;
        case 3: cluster_grant_by(&cluster, 1, 0, status.k, status.life, status.epoch + 1); break;
        case 4: cluster_grant_by(&cluster, 0, 0, status.k, status.life, status.epoch); break; /* another link's poll */
        case 5: /* a sentinel that the list does not name */
            cluster.controls[2][0] = cluster_greet(&cluster, 0, 77, "secret");
            cluster_lease_by(&cluster, 2, 0);
            break;
        }
        assert_true(cluster_answers(&cluster, client, "SET a 1", ""));
        cluster_end(&cluster);
    }
}

/* Everything that a sentinel said on a link, heard again on another one. */
static void what_is_played_again_grants_nothing(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_begin(&cluster);
    cluster_choose(&cluster, 0, 7);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    struct status statuses[2];
    for (int i = 0; i < 2; i++) {
        cluster_lease_by(&cluster, i, 0);
        statuses[i] = *cluster_poll_by(&cluster, i, 0);
    }
    assert_true(cluster_answers(&cluster, client, "SET a 1", "+OK\r\n"));
    net_advance(&cluster.net, 6 * NS_PER_S);
    assert_true(cluster_answers(&cluster, client, "SET a 2", ""));
    for (int i = 0; i < 2; i++) {
        cluster.controls[i][0] = cluster_greet(&cluster, 0, i, "secret");
        struct message *poll = cluster_new_message(&cluster, MESSAGE_POLL);
        poll->poll.k = statuses[i].k;
        cluster_send(&cluster, cluster.controls[i][0], poll);
        assert_false(cluster_received(&cluster, cluster.controls[i][0], MESSAGE_STATUS));
        cluster_grant_by(&cluster, i, 0, statuses[i].k, statuses[i].life, statuses[i].epoch);
        assert_false(net_is_open(&cluster.net, cluster.controls[i][0]));
    }
    net_advance(&cluster.net, 100 * NS_PER_MS);
    assert_int_equal(net_received(&cluster.net, client).length, 0);
    cluster_end(&cluster);
}

/* One of each kind, and nothing of it is taken. */
static void what_is_refused_is_counted(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_begin(&cluster);
    cluster_choose(&cluster, 0, 7);
    cluster_lease(&cluster, 0);
    struct buf before = {0};
    buf_add_slice(&before, buf_slice(&cluster.net.workers[0].state));

    cluster_greet(&cluster, 0, 4, "wrong");
    int control = net_connect(&cluster.net, 0, CW_LISTENER_CONTROL);
    struct message *message = cluster_new_message(&cluster, MESSAGE_HELLO);
    message->hello.sender = cluster_sentinel(4);
    message->hello.secret = SLICE_LITERAL("secret");
    message->hello.protocol = CONTROL_PROTOCOL + 1;
    cluster_send(&cluster, control, message);
    assert_false(net_is_open(&cluster.net, control));
    control = net_connect(&cluster.net, 0, CW_LISTENER_CONTROL);
    cluster_send(&cluster, control, cluster_new_message(&cluster, MESSAGE_POLL));
    control = cluster_greet(&cluster, 0, 4, "secret");
    cluster_send(&cluster, control, cluster_new_message(&cluster, MESSAGE_ACCEPTED));
    control = cluster_greet(&cluster, 0, 4, "secret");
    message = cluster_new_message(&cluster, MESSAGE_LEARN);
    message->learn.topology = cluster.topology;
    message->learn.topology.version++;
    message->learn.topology.epoch++;
    strcpy(message->group, "other");
    strcpy(message->learn.topology.group, "other");
    cluster_send(&cluster, control, message);
    message = cluster_new_message(&cluster, MESSAGE_FENCE);
    message->fence.epoch = 99;
    strcpy(message->group, "other");
    cluster_send(&cluster, control, message);
    message = cluster_new_message(&cluster, MESSAGE_FENCE);
    message->fence.epoch = cluster.topology.epoch;
    cluster_send(&cluster, control, message);
    cluster_grant_by(&cluster, 0, 0, 999, cluster.topology.master, cluster.topology.epoch);

    net_advance(&cluster.net, 100 * NS_PER_MS);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    struct slice info = net_command(&cluster.net, client, "INFO respite");
    static const char counts[] =
        "respite_refused:secret=1,protocol=1,no_hello=1,permission=0,malformed=1,group=2,old=2\r\n";
    assert_non_null(memmem(info.data, info.length, counts, strlen(counts)));
    assert_true(slice_equal(buf_slice(&cluster.net.workers[0].state), buf_slice(&before)));
    assert_int_equal(cluster_status_of(&cluster, 0).epoch, cluster.topology.epoch);
    buf_free(&before);
    cluster_end(&cluster);
}

static void a_fence_stops_the_master_at_once_and_answers_when_durable(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_begin(&cluster);
    cluster_choose(&cluster, 0, 7);
    cluster_live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(cluster_answers(&cluster, client, "SET a 1", "+OK\r\n"));
    uint64_t offset = cluster_status_of(&cluster, 0).history.last_offset;

    cluster.net.workers[0].hold_persists = true;
    cluster_fence_by(&cluster, 1, 0, 2);
    cluster_lease(&cluster, 0);
    assert_true(cluster_answers(&cluster, client, "SET a 2", ""));
    assert_false(cluster_fenced_by(&cluster, 1, 0));
    assert_int_equal(cluster_status_of(&cluster, 0).fence, 1);
    cluster.net.workers[0].hold_persists = false;
    net_pump(&cluster.net);
    assert_true(cluster_fenced_by(&cluster, 1, 0));
    assert_true(cluster.message.fenced.is_release);
    assert_int_equal(cluster.message.fenced.history.last_offset, offset);
    assert_true(cluster.message.fenced.acknowledged_offset == offset);
    assert_int_equal(cluster_status_of(&cluster, 0).fence, 2);

    /* A lower one is not answered, the same one at once, a higher one again. */
    cluster_fence_by(&cluster, 0, 0, 1);
    assert_false(cluster_fenced_by(&cluster, 0, 0));
    cluster_fence_by(&cluster, 0, 0, 2);
    assert_true(cluster_fenced_by(&cluster, 0, 0));
    cluster_fence_by(&cluster, 0, 0, 5);
    assert_true(cluster_fenced_by(&cluster, 0, 0));
    assert_false(cluster.message.fenced.is_release); /* not of the epoch just before */

    /* Nothing was added meanwhile: no write, no keep-alive, no expiry. */
    for (int i = 0; i < 30; i++) {
        cluster_lease(&cluster, 0);
        net_advance(&cluster.net, NS_PER_S);
    }
    assert_int_equal(cluster_status_of(&cluster, 0).history.last_offset, offset);
    assert_int_equal(net_received(&cluster.net, client).length, 0);
    cluster_end(&cluster);
}

static void a_master_chosen_again_keeps_its_connections(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_begin(&cluster);
    cluster_choose(&cluster, 0, 7);
    cluster_live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    cluster_fence_by(&cluster, 0, 0, 2);
    assert_true(cluster_answers(&cluster, client, "SET a 1", ""));
    cluster_choose(&cluster, 0, 7);
    assert_int_equal(net_received(&cluster.net, client).length, 0); /* grants of the old epoch count no more */
    cluster_lease(&cluster, 0);
    assert_true(slice_equal(net_received(&cluster.net, client), SLICE_LITERAL("+OK\r\n")));
    assert_true(net_is_open(&cluster.net, client));
    cluster_live(&cluster, 0, 2 * NS_PER_S);
    cluster_expect_same_history(&cluster, 0, 1);
    cluster_end(&cluster);
}

static void a_deposed_master_refuses_what_it_held(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_begin(&cluster);
    cluster_choose(&cluster, 0, 7);
    cluster_live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    cluster_fence_by(&cluster, 0, 0, 2);
    assert_true(cluster_answers(&cluster, client, "SET a 1", ""));
    cluster_choose(&cluster, 1, 7);
    struct slice reply = net_received(&cluster.net, client);
    assert_true(reply.length > 10 && memcmp(reply.data, "-NOTMASTER", 10) == 0);
    assert_false(net_is_open(&cluster.net, client));
    cluster_end(&cluster);
}

static void a_role_of_an_epoch_below_the_fence_is_not_taken(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_begin(&cluster);
    cluster_choose(&cluster, 0, 7);
    cluster_live(&cluster, 0, NS_PER_S);
    assert_true(cluster_status_of(&cluster, 1).flags & STATUS_LINK_UP);
    cluster_fence_by(&cluster, 0, 1, 4);
    assert_true(cluster_fenced_by(&cluster, 0, 1));
    assert_false(cluster_status_of(&cluster, 1).flags & STATUS_LINK_UP); /* it refuses the stream */
    cluster_choose(&cluster, 0, 7);                                      /* epoch 2 */
    cluster_live(&cluster, 0, NS_PER_S);
    assert_false(cluster_status_of(&cluster, 1).flags & STATUS_LINK_UP);
    assert_true(cluster_status_of(&cluster, 2).flags & STATUS_LINK_UP);
    assert_int_equal(cluster_status_of(&cluster, 1).version, cluster.topology.version);
    cluster_choose(&cluster, 0, 7);
    cluster_choose(&cluster, 0, 7); /* epoch 4 */
    cluster_live(&cluster, 0, NS_PER_S);
    assert_true(cluster_status_of(&cluster, 1).flags & STATUS_LINK_UP);
    cluster_end(&cluster);
}

/* Each removed guard must show: here in the plainest schedule, in tests/sim among all others. */
static void every_mutant_breaks_what_its_guard_protects(void **state)
{
    (void)state;
    struct cluster cluster;

    cluster_begin_with(&cluster, CW_MUTANT_LEASE_FROM_GRANT);
    cluster_choose(&cluster, 0, 7);
    struct status old[2] = {*cluster_poll_by(&cluster, 0, 0), *cluster_poll_by(&cluster, 1, 0)};
    net_advance(&cluster.net, 5 * NS_PER_S);
    for (int i = 0; i < 2; i++)
        cluster_grant_by(&cluster, i, 0, old[i].k, old[i].life, old[i].epoch);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(cluster_answers(&cluster, client, "SET a 1", "+OK\r\n"));
    cluster_end(&cluster);

    cluster_begin_with(&cluster, CW_MUTANT_HEAR_POLLS_AGAIN);
    cluster_choose(&cluster, 0, 7);
    for (int i = 0; i < 2; i++)
        old[i] = *cluster_poll_by(&cluster, i, 0);
    net_advance(&cluster.net, 6 * NS_PER_S);
    for (int i = 0; i < 2; i++) {
        cluster.controls[i][0] = cluster_greet(&cluster, 0, i, "secret");
        struct message *poll = cluster_new_message(&cluster, MESSAGE_POLL);
        poll->poll.k = old[i].k;
        cluster_send(&cluster, cluster.controls[i][0], poll);
        cluster_grant_by(&cluster, i, 0, old[i].k, old[i].life, old[i].epoch);
    }
    client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(cluster_answers(&cluster, client, "SET a 1", "+OK\r\n"));
    cluster_end(&cluster);

    cluster_begin_with(&cluster, CW_MUTANT_FENCE_NOT_DURABLE);
    cluster.net.workers[0].hold_persists = true;
    cluster_fence_by(&cluster, 0, 0, 1);
    assert_true(cluster_fenced_by(&cluster, 0, 0));
    cluster_end(&cluster);

    cluster_begin_with(&cluster, CW_MUTANT_IGNORE_INCARNATION);
    struct life life = cluster_status_of(&cluster, 0).life;
    net_kill(&cluster.net, 0);
    net_start(&cluster.net, 0);
    cluster_connect_sentinels(&cluster, 0);
    struct life again = cluster_status_of(&cluster, 0).life;
    assert_true(life_equal(&life, &again));
    cluster_end(&cluster);

    cluster_begin_with(&cluster, CW_MUTANT_FENCE_TAKEN_BACK);
    cluster_choose(&cluster, 0, 7);
    cluster_fence_by(&cluster, 0, 0, 2);
    cluster_lease(&cluster, 0);
    client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(cluster_answers(&cluster, client, "SET a 1", "+OK\r\n"));
    cluster_end(&cluster);

    cluster_begin_with(&cluster, CW_MUTANT_GRANT_OF_ANY_EPOCH);
    cluster_choose(&cluster, 0, 7);
    for (int i = 0; i < 2; i++) {
        struct status status = *cluster_poll_by(&cluster, i, 0);
        cluster_grant_by(&cluster, i, 0, status.k, status.life, status.epoch + 5);
    }
    client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(cluster_answers(&cluster, client, "SET a 1", "+OK\r\n"));
    cluster_end(&cluster);
}

static void the_master_asks_for_a_replica_that_is_in_step(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_begin(&cluster);
    cluster_choose(&cluster, 0, 3);
    bool asked = false;
    for (int i = 0; i < 5 && !asked; i++) {
        cluster_live(&cluster, 0, NS_PER_S);
        for (int s = 0; s < 2 && !asked; s++)
            asked = cluster_received(&cluster, cluster.controls[s][0], MESSAGE_INSYNC);
    }
    /* poll_by takes what came before the STATUS, so a request may have been read over; it is asked again. */
    for (int i = 0; i < 20 && !asked; i++) {
        net_advance(&cluster.net, 100 * NS_PER_MS);
        for (int s = 0; s < 2 && !asked; s++)
            asked = cluster_received(&cluster, cluster.controls[s][0], MESSAGE_INSYNC);
    }
    assert_true(asked);
    assert_int_equal(cluster.message.insync.count, 1);
    struct life replica = cluster.message.insync.in_sync[0];
    assert_int_equal(cluster.message.insync.expected_version, cluster.topology.version);
    struct life second = cluster_status_of(&cluster, 1).life;
    assert_true(life_equal(&replica, &second));
    cluster_end(&cluster);
}

/* --- what an acknowledgement is worth --- */

/* The register has another in-sync set: the workers of the mask. */
static void commit_in_sync(struct cluster *cluster, unsigned mask)
{
    cluster_list_in_sync(cluster, mask);
    cluster->topology.version++;
    for (int i = 0; i < NET_WORKERS; i++)
        cluster_learn(cluster, i);
}

/* Worker 0 is master, worker 1 in sync. */
static void begin_in_sync(struct cluster *cluster, enum durability durability, unsigned mutants)
{
    cluster_begin_with(cluster, mutants);
    cluster->topology.durability = durability;
    cluster_choose(cluster, 0, 3);
    cluster_live(cluster, 0, NS_PER_S);
    commit_in_sync(cluster, 1u << 1);
    cluster_lease(cluster, 0);
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
            cluster_lease(cluster, 0);
        net_advance(&cluster->net, 50 * NS_PER_MS);
        for (int s = 0; s < 2; s++)
            if (cluster_received(cluster, cluster->controls[s][0], MESSAGE_INSYNC))
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
    assert_true(cluster_answers(&cluster, writer, "SET a 1", "+OK\r\n"));
    net_command(&cluster.net, listener, "SUBSCRIBE news");
    net_forget(&cluster.net, listener);
    cut_off_replicas(&cluster, 0);
    assert_true(cluster_answers(&cluster, reader, "GET a", "$1\r\n1\r\n")); /* shows nothing new */
    assert_true(cluster_answers(&cluster, writer, "SET a 2\r\nGET a\r\nINCR n", ""));
    assert_true(cluster_answers(&cluster, reader, "GET a", ""));  /* somebody else's write */
    assert_true(cluster_answers(&cluster, reader, "GET zz", "")); /* in order: it stands behind the other */
    assert_true(cluster_answers(&cluster, writer, "PUBLISH news now", ""));
    assert_true(has_received(&cluster, listener, ""));
    assert_true(net_command(&cluster.net, tool, "RESPITE TOPOLOGY").length > 100); /* no word about data */

    cluster.net.refuses[0] = false;
    net_advance(&cluster.net, 500 * NS_PER_MS);
    assert_true(has_received(&cluster, writer, "+OK\r\n$1\r\n2\r\n:1\r\n:1\r\n"));
    assert_true(has_received(&cluster, reader, "$1\r\n2\r\n$-1\r\n"));
    assert_true(has_received(&cluster, listener, "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$3\r\nnow\r\n"));
    cluster_expect_same_history(&cluster, 0, 1);
    cluster_end(&cluster);
}

/* A client that says goodbye gets what it is owed first. */
static void a_session_is_drained_when_its_replies_may_leave(void **state)
{
    (void)state;
    struct cluster cluster;
    begin_in_sync(&cluster, DURABILITY_SYNC, 0);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(cluster_answers(&cluster, client, "SET a 1\r\nQUIT", "+OK\r\n+OK\r\n"));
    assert_false(net_is_open(&cluster.net, client));
    client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    cut_off_replicas(&cluster, 0);
    assert_true(cluster_answers(&cluster, client, "SET a 2\r\nQUIT", ""));
    assert_true(net_is_open(&cluster.net, client));
    cluster.net.refuses[0] = false;
    net_advance(&cluster.net, 500 * NS_PER_MS);
    assert_true(has_received(&cluster, client, "+OK\r\n+OK\r\n"));
    assert_false(net_is_open(&cluster.net, client));
    cluster_end(&cluster);
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
        assert_true(cluster_answers(&cluster, client, "SET a 1", ""));
        assert_true(asks_within(&cluster, 2 * NS_PER_S));
        assert_int_equal(cluster.message.insync.count, 0);
        net_advance(&cluster.net, 200 * NS_PER_MS);
        assert_int_equal(has_received(&cluster, client, "+OK\r\n"), mutant);
        commit_in_sync(&cluster, 0);
        cluster_lease(&cluster, 0);
        assert_true(has_received(&cluster, client, "+OK\r\n"));
        assert_true(cluster_answers(&cluster, client, "SET a 2", "+OK\r\n")); /* alone */
        cluster_end(&cluster);
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
    cluster_lease(&cluster, 0);
    assert_true(cluster_answers(&cluster, client, "SET a 1", "+OK\r\n"));
    cut_off_replicas(&cluster, 0);
    assert_true(cluster_answers(&cluster, client, "SET a 2", ""));
    cluster_end(&cluster);
}

static void a_release_names_what_was_acknowledged(void **state)
{
    (void)state;
    struct cluster cluster;
    begin_in_sync(&cluster, DURABILITY_SYNC, 0);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(cluster_answers(&cluster, client, "SET a 1", "+OK\r\n"));
    uint64_t offset = cluster_status_of(&cluster, 0).history.last_offset;
    cut_off_replicas(&cluster, 0);
    assert_true(cluster_answers(&cluster, client, "SET a 2", ""));
    cluster_fence_by(&cluster, 0, 0, 2);
    assert_true(cluster_fenced_by(&cluster, 0, 0));
    assert_true(cluster.message.fenced.is_release);
    assert_true(cluster.message.fenced.acknowledged_offset == offset);
    assert_true(cluster.message.fenced.history.last_offset > offset);

    /* Chosen again it keeps its count, and its reply waits on. */
    cluster_choose_with(&cluster, 0, 3, 1u << 1);
    cluster_lease(&cluster, 0);
    assert_true(has_received(&cluster, client, ""));
    cluster_fence_by(&cluster, 0, 0, 3);
    assert_true(cluster_fenced_by(&cluster, 0, 0));
    assert_true(cluster.message.fenced.acknowledged_offset == offset);
    cluster_choose(&cluster, 0, 3);
    cluster_lease(&cluster, 0); /* nobody is in sync: it acknowledges alone */
    assert_true(has_received(&cluster, client, "+OK\r\n"));
    cluster_end(&cluster);
}

static void a_new_master_counts_its_branch_as_acknowledged(void **state)
{
    (void)state;
    for (int mutant = 0; mutant < 2; mutant++) {
        struct cluster cluster;
        begin_in_sync(&cluster, DURABILITY_SYNC, mutant ? CW_MUTANT_FORGET_BRANCH : 0);
        int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
        assert_true(cluster_answers(&cluster, client, "SET a 1", "+OK\r\n"));
        net_kill(&cluster.net, 0);
        cut_off_replicas(&cluster, 1);
        cluster_choose_with(&cluster, 1, 2, 1u << 2); /* who has not come yet */
        cluster_fence_by(&cluster, 0, 1, 3);
        assert_true(cluster_fenced_by(&cluster, 0, 1));
        assert_true(cluster.message.fenced.is_release);
        uint64_t counted = mutant ? 0 : cluster.topology.branch.last_offset;
        assert_true(cluster.topology.branch.last_offset > 0);
        assert_true(cluster.message.fenced.acknowledged_offset == counted);
        cluster_end(&cluster);
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
    assert_true(cluster_answers(&cluster, client, "SET a 1", "+OK\r\n"));
    net_advance(&cluster.net, 900 * NS_PER_MS);
    cluster_lease(&cluster, 0);
    assert_true(cluster_answers(&cluster, client, "SET a 2", "+OK\r\n"));
    net_advance(&cluster.net, 200 * NS_PER_MS);
    assert_true(cluster_answers(&cluster, client, "SET a 3", ""));
    commit_in_sync(&cluster, 0);
    cluster_lease(&cluster, 0);
    net_advance(&cluster.net, 150 * NS_PER_MS);
    assert_true(has_received(&cluster, client, "+OK\r\n"));
    net_forget(&cluster.net, client);
    assert_true(cluster_answers(&cluster, client, "SET a 4", "+OK\r\n"));
    cluster_end(&cluster);
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
    cluster_lease(&cluster, 0);
    assert_true(cluster_answers(&cluster, client, "SET a 1", "+OK\r\n"));
    net_advance(&cluster.net, 1100 * NS_PER_MS);
    cluster_lease(&cluster, 0);
    assert_true(cluster_answers(&cluster, client, "SET a 2", ""));
    assert_true(asks_within(&cluster, 3 * NS_PER_S)); /* what was sent stands until a version is learned */
    assert_int_equal(cluster.message.insync.count, 1);
    commit_in_sync(&cluster, 1u << 1);
    cluster_lease(&cluster, 0);
    assert_true(cluster_answers(&cluster, client, "SET a 3", ""));
    assert_true(asks_within(&cluster, 3 * NS_PER_S));
    assert_int_equal(cluster.message.insync.count, 0);
    commit_in_sync(&cluster, 0);
    cluster_lease(&cluster, 0);
    net_advance(&cluster.net, 150 * NS_PER_MS);
    assert_true(has_received(&cluster, client, "+OK\r\n+OK\r\n"));
    cluster_end(&cluster);
}

static void a_proxys_link_names_epoch_and_life(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_begin(&cluster);
    cluster_choose(&cluster, 0, 7);
    struct life life = cluster_status_of(&cluster, 0).life;
    char node[IDENTITY_TEXT_LENGTH + 1];
    identity_format(&life.node, node);
    for (int wrong = 0; wrong < 5; wrong++) {
        char line[256];
        snprintf(line, sizeof(line), "RESPITE ATTACH %s %d %s %llu %llu", wrong == 1 ? "guess" : "secret",
                 wrong == 2 ? 2 : 1, node, (unsigned long long)life.incarnation + (wrong == 3),
                 (unsigned long long)life.bits + (wrong == 4));
        int link = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
        bool ok = cluster_answers(&cluster, link, line, "+OK\r\n");
        assert_int_equal(ok, wrong == 0);
        assert_int_equal(net_is_open(&cluster.net, link), wrong == 0);
    }
    cluster_end(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_who_knows_the_secret_is_heard),
        cmocka_unit_test(strangers_do_not_pile_up),
        cmocka_unit_test(replies_leave_under_a_majority_of_grants_only),
        cmocka_unit_test(the_lease_is_counted_from_the_status),
        cmocka_unit_test(a_grant_must_be_for_this_poll_life_and_epoch),
        cmocka_unit_test(what_is_played_again_grants_nothing),
        cmocka_unit_test(what_is_refused_is_counted),
        cmocka_unit_test(a_fence_stops_the_master_at_once_and_answers_when_durable),
        cmocka_unit_test(a_master_chosen_again_keeps_its_connections),
        cmocka_unit_test(a_deposed_master_refuses_what_it_held),
        cmocka_unit_test(a_role_of_an_epoch_below_the_fence_is_not_taken),
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
