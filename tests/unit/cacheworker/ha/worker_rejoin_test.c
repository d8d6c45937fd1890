/* Whole workers, with the test as their sentinels: how one follows, goes on after a cut or a failover, and comes
 * back. */
#include "tests/unit/cacheworker/ha/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void full_sync_under_writes(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_begin(&cluster);
    cluster_choose(&cluster, 0, 1); /* the others do not know yet */
    cluster_live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    cluster_write_many(&cluster, client, "before", 20000);
    net_pump(&cluster.net);
    cluster_answers(&cluster, client, "SELECT 3", "+OK\r\n");
    cluster_answers(&cluster, client, "SET in-three 3 PX 100000000", "+OK\r\n");
    cluster_write_many(&cluster, client, "during", 20000);
    cluster_learn(&cluster, 1);
    cluster_write_many(&cluster, client, "after", 5000);
    net_pump(&cluster.net);
    cluster_live(&cluster, 0, NS_PER_S);
    assert_true(cluster_logged(&cluster, 1, "full sync complete"));
    cluster_expect_same_history(&cluster, 0, 1);
    cluster_expect_many(&cluster, 1, "before", 20000);
    int reader = net_connect(&cluster.net, 1, CW_LISTENER_DATA);
    assert_true(cluster_answers(&cluster, reader, "DBSIZE", ":20000\r\n"));
    assert_true(cluster_answers(&cluster, reader, "SELECT 3", "+OK\r\n"));
    assert_true(cluster_answers(&cluster, reader, "DBSIZE", ":25001\r\n"));
    assert_true(cluster_answers(&cluster, reader, "GET after:4999", "$16\r\nafter-value-4999\r\n"));
    assert_true(cluster_answers(&cluster, reader, "GET in-three", "$1\r\n3\r\n"));
    assert_true(net_command(&cluster.net, reader, "SET x 1").length > 9);
    assert_true(memcmp(net_received(&cluster.net, reader).data, "-READONLY", 9) == 0);
    cluster_end(&cluster);
}

static void a_lost_link_is_taken_up_where_it_was(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_begin(&cluster);
    cluster_choose(&cluster, 0, 7);
    cluster_live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    cluster_answers(&cluster, client, "SELECT 2", "+OK\r\n");
    for (int round = 0; round < 5; round++) {
        char prefix[32];
        snprintf(prefix, sizeof(prefix), "round%d", round);
        cluster_clear_log(&cluster, 1);
        net_cut_between(&cluster.net, 0, 1);
        cluster_write_many(&cluster, client, prefix, 1000);
        net_pump(&cluster.net);
        cluster_live(&cluster, 0, NS_PER_S);
        assert_true(cluster_logged(&cluster, 1, "partial resync"));
        assert_false(cluster_logged(&cluster, 1, "full sync"));
        cluster_expect_same_history(&cluster, 0, 1);
    }
    int reader = net_connect(&cluster.net, 1, CW_LISTENER_DATA);
    cluster_answers(&cluster, reader, "SELECT 2", "+OK\r\n");
    assert_true(cluster_answers(&cluster, reader, "DBSIZE", ":5000\r\n"));
    cluster_end(&cluster);
}

static void what_left_the_backlog_is_synced_in_full(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_begin(&cluster);
    cluster_choose(&cluster, 0, 7);
    cluster_live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    cluster_clear_log(&cluster, 1);
    cluster.net.refuses[0] = true;
    net_cut_between(&cluster.net, 0, 1);
    for (int round = 0; round < 6; round++) {
        cluster_write_many(&cluster, client, "key", 10000);
        net_pump(&cluster.net);
    }
    cluster.net.refuses[0] = false;
    cluster_live(&cluster, 0, NS_PER_S);
    assert_true(cluster_logged(&cluster, 1, "full sync complete"));
    cluster_expect_same_history(&cluster, 0, 1);
    cluster_expect_many(&cluster, 1, "key", 10000);
    cluster_end(&cluster);
}

static void a_promoted_replica_goes_on_and_the_old_master_follows(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_begin(&cluster);
    cluster_choose(&cluster, 0, 7);
    cluster_live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    cluster_answers(&cluster, client, "SELECT 1", "+OK\r\n");
    cluster_write_many(&cluster, client, "one", 1000);
    net_pump(&cluster.net);
    cluster_live(&cluster, 0, NS_PER_S);
    for (int i = 0; i < NET_WORKERS; i++)
        cluster_clear_log(&cluster, i);
    cluster_fence_by(&cluster, 0, 0, 2);
    cluster_choose(&cluster, 1, 7);
    cluster_live(&cluster, 1, NS_PER_S);
    client = net_connect(&cluster.net, 1, CW_LISTENER_DATA);
    cluster_answers(&cluster, client, "SELECT 4", "+OK\r\n");
    cluster_write_many(&cluster, client, "two", 1000);
    net_pump(&cluster.net);
    cluster_live(&cluster, 1, NS_PER_S);
    for (int i = 0; i < NET_WORKERS; i += 2) {
        assert_true(cluster_logged(&cluster, i, "partial resync"));
        assert_false(cluster_logged(&cluster, i, "full sync"));
        cluster_expect_same_history(&cluster, 1, i);
        int reader = net_connect(&cluster.net, i, CW_LISTENER_DATA);
        cluster_answers(&cluster, reader, "SELECT 1", "+OK\r\n");
        assert_true(cluster_answers(&cluster, reader, "DBSIZE", ":1000\r\n"));
        cluster_answers(&cluster, reader, "SELECT 4", "+OK\r\n");
        assert_true(cluster_answers(&cluster, reader, "DBSIZE", ":1000\r\n"));
    }
    cluster_end(&cluster);
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
    cluster_begin(&cluster);
    cluster_choose(&cluster, 0, 7);
    cluster_live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 1, CW_LISTENER_DATA);
    assert_true(cluster_answers(&cluster, client, "CONFIG SET maxmemory 1 maxmemory-policy allkeys-lru", "+OK\r\n"));
    client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    cluster_write_many(&cluster, client, "one", 1000);
    cluster_live(&cluster, 0, NS_PER_S);
    for (int i = 0; i < NET_WORKERS; i++)
        assert_int_equal(count_keys(&cluster, i), 1000);

    assert_true(
        cluster_answers(&cluster, client, "CONFIG SET maxmemory 40kb maxmemory-policy allkeys-random", "+OK\r\n"));
    cluster_write_many(&cluster, client, "two", 1000);
    cluster_live(&cluster, 0, NS_PER_S);
    int64_t count = count_keys(&cluster, 0);
    assert_in_range(count, 100, 900);
    for (int i = 1; i < NET_WORKERS; i++)
        assert_int_equal(count_keys(&cluster, i), count);

    cluster_fence_by(&cluster, 0, 0, 2);
    cluster_choose(&cluster, 1, 7);
    cluster_live(&cluster, 1, NS_PER_S);
    for (int i = 0; i < NET_WORKERS; i++)
        assert_int_equal(count_keys(&cluster, i), 0);
    cluster_end(&cluster);
}

static void a_diverged_tail_is_kept_and_replaced_by_a_full_sync(void **state)
{
    (void)state;
    struct cluster cluster;
    struct memory_storage memory;
    memory_storage_init(&memory);
    cluster_begin(&cluster);
    cluster_restart_with_storage(&cluster, 0, &memory);
    cluster_choose(&cluster, 0, 7);
    cluster_live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(cluster_answers(&cluster, client, "SET shared 1", "+OK\r\n"));
    cluster_live(&cluster, 0, NS_PER_S);
    cluster.net.refuses[0] = true;
    net_cut_between(&cluster.net, 0, 1);
    net_cut_between(&cluster.net, 0, 2);
    cluster_lease(&cluster, 0);
    assert_true(cluster_answers(&cluster, client, "SET lost 1", "+OK\r\n"));
    assert_true(cluster_answers(&cluster, client, "SET shared 2", "+OK\r\n"));
    cluster_choose(&cluster, 1, 6); /* the old master does not hear of it */
    cluster_live(&cluster, 1, NS_PER_S);
    int other = net_connect(&cluster.net, 1, CW_LISTENER_DATA);
    assert_true(cluster_answers(&cluster, other, "SET new 1", "+OK\r\n"));
    cluster_clear_log(&cluster, 0);
    cluster.net.refuses[0] = false;
    cluster_learn(&cluster, 0);
    assert_false(net_is_open(&cluster.net, client));
    cluster_live(&cluster, 1, NS_PER_S);
    assert_true(cluster_logged(&cluster, 0, "full sync complete"));
    cluster_expect_same_history(&cluster, 1, 0);
    int reader = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(cluster_answers(&cluster, reader, "GET lost", "$-1\r\n"));
    assert_true(cluster_answers(&cluster, reader, "GET shared", "$1\r\n1\r\n"));
    assert_true(cluster_answers(&cluster, reader, "GET new", "$1\r\n1\r\n"));
    assert_string_equal(memory.diverged_name, "diverged-1.aof");
    assert_true(
        slice_equal(buf_slice(&memory.diverged), SLICE_LITERAL("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
                                                               "*3\r\n$3\r\nSET\r\n$4\r\nlost\r\n$1\r\n1\r\n"
                                                               "*3\r\n$3\r\nSET\r\n$6\r\nshared\r\n$1\r\n2\r\n")));
    assert_true(cluster_logged(&cluster, 0, "discarding 2 writes"));
    cluster_end(&cluster);
    memory_storage_free(&memory);
}

static void old_data_stay_until_the_replacement_is_complete(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_begin(&cluster);
    cluster_choose(&cluster, 0, 7);
    cluster_live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    cluster_write_many(&cluster, client, "key", 1000);
    net_pump(&cluster.net);
    cluster_live(&cluster, 0, NS_PER_S);
    struct history held = cluster_status_of(&cluster, 1).history;

    net_kill(&cluster.net, 0); /* and with it all that it held */
    net_start(&cluster.net, 0);
    net_pump(&cluster.net);
    cluster_connect_sentinels(&cluster, 0);
    cluster_learn(&cluster, 0);
    assert_int_equal(cluster_status_of(&cluster, 0).role, ROLE_UNADOPTED); /* another life than the master's */
    int other = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(memcmp(net_command(&cluster.net, other, "GET key:1").data, "-MASTERDOWN", 11) == 0);
    net_advance(&cluster.net, 2 * NS_PER_S);
    struct history after = cluster_status_of(&cluster, 1).history;
    assert_true(history_compare(&held, &after) == 0);
    cluster_choose(&cluster, 1, 7);
    cluster_live(&cluster, 1, 2 * NS_PER_S);
    cluster_expect_same_history(&cluster, 1, 0);
    cluster_expect_many(&cluster, 0, "key", 1000);
    cluster_end(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_sync_under_writes),
        cmocka_unit_test(a_lost_link_is_taken_up_where_it_was),
        cmocka_unit_test(what_left_the_backlog_is_synced_in_full),
        cmocka_unit_test(a_promoted_replica_goes_on_and_the_old_master_follows),
        cmocka_unit_test(only_a_master_evicts_and_replicas_follow),
        cmocka_unit_test(a_diverged_tail_is_kept_and_replaced_by_a_full_sync),
        cmocka_unit_test(old_data_stay_until_the_replacement_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
