/* Whole workers, with the test as their sentinels: what is on their disks, and what they do without it. */
#include "common/base/errors.h"
#include "tests/unit/cacheworker/ha/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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
    assert_true(cluster_logged(&cluster, 0, "cannot make node.state durable"));
    worker->persist_result = 0;
    net_advance(&cluster.net, 2 * NS_PER_S);
    assert_true(worker->is_listening);
    cluster_end(&cluster);
}

static void each_start_is_a_new_life_of_the_same_node(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_begin(&cluster);
    struct life first = cluster_status_of(&cluster, 0).life;
    net_kill(&cluster.net, 0);
    net_start(&cluster.net, 0);
    net_pump(&cluster.net);
    cluster_connect_sentinels(&cluster, 0);
    struct status second = cluster_status_of(&cluster, 0);
    assert_true(identity_equal(&first.node, &second.life.node));
    assert_int_equal(second.life.incarnation, first.incarnation + 1);
    assert_true(second.life.bits != first.bits);
    assert_string_equal(second.group, "main");

    net_kill(&cluster.net, 0);
    cluster.net.workers[0].state.memory[cluster.net.workers[0].state.start + 20] ^= 1;
    net_start(&cluster.net, 0);
    net_pump(&cluster.net);
    cluster_connect_sentinels(&cluster, 0);
    assert_int_equal(cluster_status_of(&cluster, 0).life.incarnation, 1);
    assert_string_equal(cluster_status_of(&cluster, 0).group, "");
    assert_true(cluster_logged(&cluster, 0, "node.state is damaged"));
    cluster_end(&cluster);
}

/* Else it would go on as the master that everybody grants and that acknowledges nothing. */
static void a_master_that_cannot_keep_its_word_gives_up_its_role(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_begin(&cluster);
    cluster_choose(&cluster, 0, 7);
    cluster_live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
    assert_true(cluster_answers(&cluster, client, "SET a 1", "+OK\r\n"));
    uint64_t offset = cluster_status_of(&cluster, 0).history.last_offset;
    net_forget(&cluster.net, client);

    cluster.net.workers[0].hold_persists = true;
    cluster.net.workers[0].persist_result = ERR_DISK_FULL;
    cluster_fence_by(&cluster, 1, 0, 2);
    assert_true(cluster_answers(&cluster, client, "SET a 2", ""));
    cluster.net.workers[0].hold_persists = false;
    net_pump(&cluster.net);
    struct status status = cluster_status_of(&cluster, 0);
    assert_true(status.flags & STATUS_DISK_ERROR);
    assert_int_equal(status.role, ROLE_UNADOPTED);
    assert_int_equal(status.fence, 1);
    assert_false(cluster_fenced_by(&cluster, 1, 0));
    struct slice reply = net_received(&cluster.net, client);
    assert_true(reply.length > 10 && memcmp(reply.data, "-NOTMASTER", 10) == 0); /* not executed: it may be repeated */
    assert_false(net_is_open(&cluster.net, client));

    /* A version of the same epoch does not bring the role back. */
    cluster.topology.version++;
    cluster_learn(&cluster, 0);
    assert_int_equal(cluster_status_of(&cluster, 0).role, ROLE_UNADOPTED);

    /* With the disk the word comes back; who gave up has nothing to release. */
    cluster.net.workers[0].persist_result = 0;
    net_advance(&cluster.net, 2 * NS_PER_S);
    assert_true(cluster_fenced_by(&cluster, 1, 0));
    assert_false(cluster.message.fenced.is_release);
    assert_int_equal(cluster.message.fenced.history.last_offset, offset);
    assert_false(cluster_status_of(&cluster, 0).flags & STATUS_DISK_ERROR);
    cluster_end(&cluster);
}

/* What it loaded from its file stands in no backlog: then the whole data set is kept. */
static void a_diverged_file_is_kept_whole(void **state)
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
    cluster.net.refuses[0] = true;
    net_cut_between(&cluster.net, 0, 1);
    net_cut_between(&cluster.net, 0, 2);
    cluster_lease(&cluster, 0);
    assert_true(cluster_answers(&cluster, client, "SET lost 1", "+OK\r\n"));
    assert_true(cluster_answers(&cluster, client, "SAVE", "+OK\r\n"));
    cluster_choose(&cluster, 1, 6);
    cluster_clear_log(&cluster, 0);
    cluster.net.refuses[0] = false;
    net_kill(&cluster.net, 0);
    net_start(&cluster.net, 0);
    net_pump(&cluster.net);
    cluster_connect_sentinels(&cluster, 0);
    cluster_learn(&cluster, 0);
    cluster_live(&cluster, 1, NS_PER_S);
    assert_true(cluster_logged(&cluster, 0, "full sync complete"));
    cluster_expect_same_history(&cluster, 1, 0);
    assert_string_equal(memory.diverged_name, "diverged-1.rdb");
    assert_true(slice_equal(slice_of(buf_slice(&memory.diverged).data, 9), SLICE_LITERAL("REDIS0010")));
    assert_non_null(memmem(buf_slice(&memory.diverged).data, buf_length(&memory.diverged), "lost", 4));
    cluster_end(&cluster);
    memory_storage_free(&memory);
}

/* A node that saved, and starts again, goes on where its file ends; one whose file is damaged has no data, says so, and
 * takes a full sync. */
static void a_restarted_replica_goes_on_from_its_file(void **state)
{
    (void)state;
    for (int damaged = 0; damaged < 2; damaged++) {
        struct memory_storage memory;
        struct cluster cluster;
        cluster_begin(&cluster);
        memory_storage_init(&memory);
        cluster_restart_with_storage(&cluster, 1, &memory);
        cluster_choose(&cluster, 0, 7);
        cluster_live(&cluster, 0, NS_PER_S);
        int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);
        cluster_answers(&cluster, client, "SELECT 4", "+OK\r\n");
        cluster_write_many(&cluster, client, "one", 1000);
        net_pump(&cluster.net);
        cluster_live(&cluster, 0, NS_PER_S);
        int admin = net_connect(&cluster.net, 1, CW_LISTENER_DATA);
        assert_true(cluster_answers(&cluster, admin, "SAVE", "+OK\r\n"));
        net_kill(&cluster.net, 1);
        cluster_write_many(&cluster, client, "two", 1000);
        if (damaged)
            memory.content.memory[memory.content.start + 500] ^= 1;
        cluster_clear_log(&cluster, 1);
        net_start(&cluster.net, 1);
        net_pump(&cluster.net);
        cluster_connect_sentinels(&cluster, 1);
        assert_int_equal(cluster_status_of(&cluster, 1).history.count, damaged ? 0 : 1);
        assert_int_equal(cluster_logged(&cluster, 1, "begins without data"), damaged);
        cluster_learn(&cluster, 1);
        cluster_live(&cluster, 0, NS_PER_S);
        assert_int_equal(cluster_logged(&cluster, 1, "partial resync"), !damaged);
        assert_int_equal(cluster_logged(&cluster, 1, "full sync complete"), damaged);
        cluster_expect_same_history(&cluster, 0, 1);
        int reader = net_connect(&cluster.net, 1, CW_LISTENER_DATA);
        cluster_answers(&cluster, reader, "SELECT 4", "+OK\r\n");
        assert_true(cluster_answers(&cluster, reader, "DBSIZE", ":2000\r\n"));
        cluster_end(&cluster);
        memory_storage_free(&memory);
    }
}

/* Who is there, at one worker, to whoever asks it. */
static bool has_users(struct cluster *cluster, int worker, const char *reply)
{
    int client = net_connect(&cluster->net, worker, CW_LISTENER_DATA);
    bool has = cluster_answers(cluster, client, "ACL USERS", reply);
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
    cluster_begin(&cluster);
    cluster_restart_with_storage(&cluster, 2, &memory);
    cluster_choose(&cluster, 0, 7);
    cluster_live(&cluster, 0, NS_PER_S);
    int client = net_connect(&cluster.net, 0, CW_LISTENER_DATA);

    /* Over the stream, and to the disk. */
    assert_int_equal(buf_length(&memory.users), 0);
    assert_true(cluster_answers(&cluster, client, "ACL SETUSER ann on >pass +@all ~a*", "+OK\r\n"));
    net_pump(&cluster.net);
    for (int i = 0; i < NET_WORKERS; i++)
        assert_true(has_users(&cluster, i, with_ann));
    assert_non_null(memmem(buf_slice(&memory.users).data, buf_length(&memory.users), "user ann on ", 12));
    cluster_expect_same_history(&cluster, 0, 1);
    int reader = net_connect(&cluster.net, 1, CW_LISTENER_DATA);
    assert_true(cluster_answers(&cluster, reader, "ACL SETUSER eve on",
                                "-READONLY You can't write against a read only replica.\r\n"));
    assert_true(cluster_answers(&cluster, reader, "AUTH ann pass", "+OK\r\n"));
    assert_true(cluster_answers(&cluster, reader, "GET b", "-NOPERM No permissions to access a key\r\n"));

    /* With a full sync, to one that was not there and has them from its disk no more. */
    net_kill(&cluster.net, 1);
    assert_true(cluster_answers(&cluster, client, "ACL SETUSER bob nopass", "+OK\r\n"));
    assert_true(cluster_answers(&cluster, client, "ACL DELUSER ann nosuch", ":1\r\n"));
    cluster_live(&cluster, 0, NS_PER_S);
    net_start(&cluster.net, 1);
    net_pump(&cluster.net);
    cluster_connect_sentinels(&cluster, 1);
    cluster_learn(&cluster, 1);
    cluster_live(&cluster, 0, NS_PER_S);
    assert_true(cluster_logged(&cluster, 1, "full sync complete"));
    assert_true(has_users(&cluster, 1, with_bob));

    /* From the disk alone. */
    net_kill(&cluster.net, 2);
    net_start(&cluster.net, 2);
    net_pump(&cluster.net);
    assert_true(has_users(&cluster, 2, with_bob));
    cluster_connect_sentinels(&cluster, 2);
    cluster_learn(&cluster, 2);

    /* Over a failover. */
    cluster_fence_by(&cluster, 0, 0, 2);
    cluster_choose(&cluster, 1, 7);
    cluster_live(&cluster, 1, NS_PER_S);
    for (int i = 0; i < NET_WORKERS; i++)
        assert_true(has_users(&cluster, i, with_bob));
    cluster_end(&cluster);
    memory_storage_free(&memory);
}

static void a_group_without_users_goes_by_configurations(void **state)
{
    (void)state;
    struct cluster cluster;
    struct memory_storage memory;
    memory_storage_init(&memory);
    cluster_begin(&cluster);
    buf_add_text(&memory.users, "user default on nopass ~* &* +@all\nuser stale on nopass +@all\n");
    cluster_restart_with_storage(&cluster, 2, &memory);
    assert_true(has_users(&cluster, 2, "*2\r\n$7\r\ndefault\r\n$5\r\nstale\r\n"));
    cluster_choose(&cluster, 0, 7);
    cluster_live(&cluster, 0, NS_PER_S);
    assert_true(cluster_logged(&cluster, 2, "full sync complete"));
    assert_true(has_users(&cluster, 2, "*1\r\n$7\r\ndefault\r\n"));
    assert_int_equal(buf_length(&memory.users), 0);
    cluster_end(&cluster);
    memory_storage_free(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_served_before_the_incarnation_is_durable),
        cmocka_unit_test(each_start_is_a_new_life_of_the_same_node),
        cmocka_unit_test(a_master_that_cannot_keep_its_word_gives_up_its_role),
        cmocka_unit_test(a_diverged_file_is_kept_whole),
        cmocka_unit_test(a_restarted_replica_goes_on_from_its_file),
        cmocka_unit_test(users_are_the_groups),
        cmocka_unit_test(a_group_without_users_goes_by_configurations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
