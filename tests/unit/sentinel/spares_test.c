/* Who changes places with whom (QUORUM section 7): a truth table, and what a whole cluster makes of it. */
#include "sentinel/core/spares.h"
#include "common/base/mem.h"
#include "tests/unit/sentinel/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* In the tables, a letter per member: M the master; R a replica, r one that is missing, I and i the same of the in-sync
 * set; S a spare that may be taken, s one that may not. */
static struct topology members(const char *letters, uint32_t wanted, struct sn_presence presences[TOPOLOGY_MEMBERS_MAX])
{
    struct topology topology = {.group = "main", .version = 3, .epoch = 1, .wanted_replicas = wanted};
    for (uint32_t i = 0; letters[i] != '\0'; i++) {
        struct member *member = &topology.members[topology.member_count++];
        member->node.bytes[0] = (uint8_t)(i + 1);
        member->priority = 100;
        member->kind = letters[i] == 'S' || letters[i] == 's' ? MEMBER_SPARE : MEMBER_REPLICA;
        if (letters[i] == 'M')
            topology.master = (struct life){.node = member->node, .incarnation = 1};
        if (letters[i] == 'I' || letters[i] == 'i')
            topology.in_sync[topology.in_sync_count++] = (struct life){.node = member->node, .incarnation = 1};
        presences[i] = (struct sn_presence){.is_missing = letters[i] >= 'a', .is_steady = letters[i] < 'a'};
    }
    return topology;
}

/* The letters afterwards: R and S only; the same text as before when nothing is to be done. */
static void assert_exchange(const char *letters, uint32_t wanted, const char *after)
{
    struct sn_presence presences[TOPOLOGY_MEMBERS_MAX];
    struct topology topology = members(letters, wanted, presences);
    struct sn_exchange exchange;
    if (after == NULL) {
        assert_false(sn_spares_choose(&topology, presences, &exchange));
        return;
    }
    assert_true(sn_spares_choose(&topology, presences, &exchange));
    sn_spares_apply(&topology, &exchange);
    for (uint32_t i = 0; i < topology.member_count; i++)
        assert_int_equal(topology.members[i].kind, after[i] == 'S' ? MEMBER_SPARE : MEMBER_REPLICA);
}

static void a_missing_replica_and_a_spare_change_places(void **state)
{
    (void)state;
    assert_exchange("MrS", 1, "RSR");
    assert_exchange("SMr", 1, "RRS");
    assert_exchange("MrIS", 2, "RSRR");
    assert_exchange("MrrSS", 2, "RRSRS"); /* one at a time */
}

static void nothing_is_changed_while_all_are_there(void **state)
{
    (void)state;
    assert_exchange("MRS", 1, NULL);
    assert_exchange("MIS", 1, NULL);
    assert_exchange("MRs", 1, NULL);
}

static void only_a_steady_spare_is_taken(void **state)
{
    (void)state;
    assert_exchange("Mrs", 1, NULL);
    assert_exchange("Mr", 1, NULL);
    assert_exchange("MrsS", 1, "RSSR");
}

static void a_node_of_the_in_sync_set_is_never_moved(void **state)
{
    (void)state;
    assert_exchange("MiS", 1, NULL);
    assert_exchange("MiIR", 2, "RRRS");
}

static void a_gap_is_filled_without_a_leaver(void **state)
{
    (void)state;
    assert_exchange("MS", 1, "RR");
    assert_exchange("MRS", 2, "RRR");
}

static void surplus_replicas_become_spares(void **state)
{
    (void)state;
    assert_exchange("MIr", 1, "RRS");
    assert_exchange("MIR", 1, "RRS");
    assert_exchange("MRI", 1, "RSR");
    assert_exchange("MRR", 1, NULL); /* none is in sync yet: whoever is first stays */
    assert_exchange("MrrS", 1, "RRSR");
}

static void nobody_wants_replicas_or_there_is_no_master(void **state)
{
    (void)state;
    struct sn_presence presences[TOPOLOGY_MEMBERS_MAX];
    struct sn_exchange exchange;
    assert_exchange("MrS", 0, NULL);
    struct topology topology = members("rrS", 1, presences);
    topology.epoch = 0;
    assert_false(sn_spares_choose(&topology, presences, &exchange));
}

static void the_spare_that_was_lost_least_is_taken(void **state)
{
    (void)state;
    struct sn_presence presences[TOPOLOGY_MEMBERS_MAX];
    struct sn_exchange exchange;
    struct topology topology = members("MrSSS", 1, presences);
    presences[2].losses = 1;
    topology.members[3].priority = 200;
    assert_true(sn_spares_choose(&topology, presences, &exchange));
    assert_int_equal(exchange.joiner, 4);
    presences[4].losses = 2;
    assert_true(sn_spares_choose(&topology, presences, &exchange));
    assert_int_equal(exchange.joiner, 3);
}

/* A cluster of three sentinels and three nodes, the last one a spare. */

static struct cluster *settled(void)
{
    struct cluster *cluster = cluster_new(3, 3, NULL);
    struct topology first = cluster_first_topology(cluster, DURABILITY_ASYNC);
    first.members[2].kind = MEMBER_SPARE;
    first.wanted_replicas = 1;
    cluster_create_topology(cluster, &first);
    for (int i = 0; cluster_master(cluster) < 0 && i < 100; i++)
        cluster_run(cluster, MS(100));
    assert_true(cluster_master(cluster) >= 0);
    return cluster;
}

static unsigned spare_of(struct cluster *cluster)
{
    const struct topology *learned = cluster_inspect(cluster, 0).learned;
    for (unsigned i = 0; i < learned->member_count; i++)
        if (learned->members[i].kind == MEMBER_SPARE)
            return i;
    fail_msg("there is no spare");
    return 0;
}

static unsigned replica_of(struct cluster *cluster)
{
    return 3 - spare_of(cluster) - (unsigned)cluster_master(cluster);
}

/* Kills the replica; the master finds it silent, and asks for an in-sync set without it. */
static void lose_replica(struct cluster *cluster, unsigned replica)
{
    cluster_kill_node(cluster, replica);
    cluster_run(cluster, MS(1500));
    struct message *message = mem_zero(sizeof(*message));
    const struct topology *learned = cluster_inspect(cluster, 0).learned;
    unsigned master = (unsigned)cluster_master(cluster);
    message->kind = MESSAGE_INSYNC;
    memcpy(message->group, learned->group, sizeof(message->group));
    message->insync = (struct insync){.epoch = learned->epoch,
                                      .life = learned->master,
                                      .expected_version = learned->version,
                                      .durability = learned->durability,
                                      .acknowledgements = learned->acknowledgements};
    cluster_node_says(cluster, master, 0, message);
    mem_free(message);
    cluster_run(cluster, MS(500));
    assert_int_equal(cluster_inspect(cluster, 0).learned->in_sync_count, 0);
}

/* Runs until the spare is another one; how long that took, or -1. */
static int64_t until_exchange(struct cluster *cluster, int64_t most_ns)
{
    unsigned spare = spare_of(cluster);
    int64_t begun_ns = cluster_now(cluster);
    while (cluster_now(cluster) - begun_ns < most_ns) {
        cluster_run(cluster, MS(50));
        if (spare_of(cluster) != spare)
            return cluster_now(cluster) - begun_ns;
    }
    return -1;
}

static void a_silent_replica_is_replaced_after_the_wait(void **state)
{
    (void)state;
    struct cluster *cluster = settled();
    assert_int_equal(spare_of(cluster), 2);
    unsigned replica = replica_of(cluster);
    uint64_t epoch = cluster_epoch(cluster);
    lose_replica(cluster, replica);
    int64_t took_ns = until_exchange(cluster, MS(20000));
    assert_in_range(took_ns, MS(6900), MS(8500));
    assert_int_equal(spare_of(cluster), replica);
    assert_int_equal(cluster_epoch(cluster), epoch);
    assert_int_equal(cluster_node(cluster, 2)->role, ROLE_REPLICA);
    cluster_start_node(cluster, replica);
    cluster_run(cluster, MS(60000));
    assert_int_equal(spare_of(cluster), replica);
    assert_int_equal(cluster_node(cluster, replica)->role, ROLE_SPARE);
    cluster_free(cluster);
}

/* It is there, and will follow when it has its data; a node that is no more would be replaced meanwhile. */
static void who_loads_is_not_replaced(void **state)
{
    (void)state;
    struct cluster *cluster = settled();
    unsigned replica = replica_of(cluster);
    lose_replica(cluster, replica);
    cluster_start_node(cluster, replica);
    cluster_node(cluster, replica)->flags = STATUS_LOADING;
    assert_int_equal(until_exchange(cluster, MS(30000)), -1);
    cluster_kill_node(cluster, replica);
    assert_true(until_exchange(cluster, MS(20000)) >= 0);
    cluster_free(cluster);
}

static void a_replica_that_the_master_counts_on_is_left_alone(void **state)
{
    (void)state;
    struct cluster *cluster = settled();
    cluster_kill_node(cluster, replica_of(cluster)); /* this master does not take it out of the in-sync set */
    assert_int_equal(until_exchange(cluster, MS(30000)), -1);
    cluster_free(cluster);
}

static void who_comes_back_in_time_stays(void **state)
{
    (void)state;
    struct cluster *cluster = settled();
    unsigned replica = replica_of(cluster);
    lose_replica(cluster, replica);
    cluster_run(cluster, MS(5000));
    cluster_start_node(cluster, replica);
    assert_int_equal(until_exchange(cluster, MS(30000)), -1);
    cluster_free(cluster);
}

static void one_sentinel_that_does_not_hear_it_changes_nothing(void **state)
{
    (void)state;
    struct cluster *cluster = settled();
    cluster_cut_pair(cluster, 0, replica_of(cluster), true);
    assert_int_equal(until_exchange(cluster, MS(40000)), -1);
    cluster_free(cluster);
}

static void two_changes_are_half_a_minute_apart(void **state)
{
    (void)state;
    struct cluster *cluster = settled();
    unsigned replica = replica_of(cluster);
    lose_replica(cluster, replica);
    assert_true(until_exchange(cluster, MS(20000)) > 0);
    cluster_start_node(cluster, replica);
    cluster_run(cluster, MS(3000));
    cluster_kill_node(cluster, 2); /* the former spare */
    int64_t took_ns = until_exchange(cluster, MS(60000));
    assert_in_range(took_ns, MS(26000), MS(28500));
    cluster_free(cluster);
}

static void a_node_that_comes_and_goes_is_left_a_spare(void **state)
{
    (void)state;
    struct cluster *cluster = settled();
    for (unsigned i = 0; i < 4; i++) { /* the spare flaps: its probation grows to 80 s */
        cluster_kill_node(cluster, 2);
        cluster_run(cluster, MS(4000));
        cluster_start_node(cluster, 2);
        cluster_run(cluster, MS(4000));
    }
    lose_replica(cluster, replica_of(cluster));
    int64_t took_ns = until_exchange(cluster, MS(120000));
    assert_in_range(took_ns, MS(72000), MS(77000));
    unsigned client = cluster_connect(cluster, 0);
    cluster_say(cluster, client, SLICE_LITERAL("RESPITE WHY\r\n"));
    cluster_run(cluster, MS(10));
    struct slice heard = cluster_heard(cluster, client);
    assert_non_null(memmem(heard.data, heard.length, "comes and goes: lost 4 times", 28));
    cluster_free(cluster);
}

static void a_dead_masters_node_becomes_the_spare(void **state)
{
    (void)state;
    struct cluster *cluster = settled();
    unsigned master = (unsigned)cluster_master(cluster);
    cluster_kill_node(cluster, master);
    assert_true(until_exchange(cluster, MS(30000)) > 0);
    assert_int_equal(spare_of(cluster), master);
    assert_int_not_equal(cluster_master(cluster), master);
    cluster_free(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_replica_and_a_spare_change_places),
        cmocka_unit_test(nothing_is_changed_while_all_are_there),
        cmocka_unit_test(only_a_steady_spare_is_taken),
        cmocka_unit_test(a_node_of_the_in_sync_set_is_never_moved),
        cmocka_unit_test(a_gap_is_filled_without_a_leaver),
        cmocka_unit_test(surplus_replicas_become_spares),
        cmocka_unit_test(nobody_wants_replicas_or_there_is_no_master),
        cmocka_unit_test(the_spare_that_was_lost_least_is_taken),
        cmocka_unit_test(a_silent_replica_is_replaced_after_the_wait),
        cmocka_unit_test(who_loads_is_not_replaced),
        cmocka_unit_test(a_replica_that_the_master_counts_on_is_left_alone),
        cmocka_unit_test(who_comes_back_in_time_stays),
        cmocka_unit_test(one_sentinel_that_does_not_hear_it_changes_nothing),
        cmocka_unit_test(two_changes_are_half_a_minute_apart),
        cmocka_unit_test(a_node_that_comes_and_goes_is_left_a_spare),
        cmocka_unit_test(a_dead_masters_node_becomes_the_spare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
