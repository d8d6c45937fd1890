/* What CONFIG SET changes about replication, at a master and at a replica by itself. */
#include "cacheworker/engine/engine.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static void expect(struct slice bytes, const char *text)
{
    if (!slice_equal(bytes, slice_text(text)))
        fail_msg("not %s but %.*s", text, (int)bytes.length, bytes.data);
}

static void expect_line(struct bench *bench, link_id client, const char *line)
{
    struct slice info = bench_ask(bench, client, "INFO replication\r\n");
    if (memmem(info.data, info.length, line, strlen(line)) == NULL)
        fail_msg("no %s in %.*s", line, (int)info.length, info.data);
}

static void acknowledge(struct bench *bench, link_id replica)
{
    bench_receive(bench, replica, SLICE_LITERAL("REPLCONF ACK 0\r\n"));
    bench_turn(bench);
}

static void few_replicas_are_too_few_for_writes(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    bench_ask(&bench, client, "CONFIG SET min-replicas-to-write 1 min-replicas-max-lag 2\r\n");
    expect(bench_ask(&bench, client, "SET a 1\r\nGET a\r\n"),
           "-NOREPLICAS Not enough good replicas to write.\r\n$-1\r\n");
    link_id replica = bench_attach_replica(&bench);
    expect_line(&bench, client, "min_slaves_good_slaves:1\r\n");
    expect(bench_ask(&bench, client, "SET a 1\r\n"), "+OK\r\n");

    bench_advance(&bench, 3 * NS_PER_S); /* it is there, and says nothing */
    expect_line(&bench, client, "min_slaves_good_slaves:0\r\n");
    expect(bench_ask(&bench, client, "SET a 1\r\n"), "-NOREPLICAS Not enough good replicas to write.\r\n");
    acknowledge(&bench, replica);
    expect(bench_ask(&bench, client, "SET a 1\r\n"), "+OK\r\n");
    bench_close(&bench, replica);
    expect(bench_ask(&bench, client, "DEL a\r\n"), "-NOREPLICAS Not enough good replicas to write.\r\n");
    bench_end(&bench);
}

/* A replica's own writes are its master's. */
static void a_replica_needs_no_replicas(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    expect(bench_ask(&bench, client, "CONFIG SET min-replicas-to-write 1\r\nREPLICAOF 127.0.0.1 7000\r\nSET a 1\r\n"),
           "+OK\r\n+OK\r\n-READONLY You can't write against a read only replica.\r\n");
    bench_end(&bench);
}

/* Nobody will acknowledge anything to a replica. */
static void who_waits_is_told_that_the_master_is_none(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench), waiting = bench_connect(&bench);
    expect(bench_ask(&bench, waiting, "WAIT 1 9223372036854775807\r\n"), "-ERR timeout is out of range\r\n");
    expect(bench_ask(&bench, waiting, "WAIT 1 0\r\n"), "");
    bench_ask(&bench, client, "REPLICAOF 127.0.0.1 7000\r\n");
    expect(bench_take(&bench, waiting), "-" CW_ERROR_ROLE_CHANGED "\r\n");
    expect(bench_ask(&bench, waiting, "PING\r\n"), "+PONG\r\n");
    bench_end(&bench);
}

static void a_silent_replica_is_given_up(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    bench_ask(&bench, client, "CONFIG SET repl-timeout 3 repl-ping-replica-period 1\r\n");
    link_id replica = bench_attach_replica(&bench);
    bench_advance(&bench, 2500 * NS_PER_MS);
    struct slice pings = bench_take(&bench, replica);
    expect(pings, "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n");
    assert_true(bench.links[replica].is_open);
    bench_advance(&bench, NS_PER_S);
    assert_false(bench.links[replica].is_open);
    bench_end(&bench);
}

static void a_stream_that_nobody_follows_is_forgotten(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    bench_ask(&bench, client, "CONFIG SET repl-backlog-ttl 100\r\n");
    link_id replica = bench_attach_replica(&bench);
    bench_ask(&bench, client, "SET a 1\r\n");
    acknowledge(&bench, replica);
    bench_close(&bench, replica);
    bench_advance(&bench, 99 * NS_PER_S);
    expect_line(&bench, client, "repl_backlog_active:1\r\n");
    char before[64], after[64];
    struct slice info = bench_ask(&bench, client, "INFO replication\r\n");
    snprintf(before, sizeof(before), "%.54s", (const char *)memmem(info.data, info.length, "master_replid:", 14));
    bench_advance(&bench, 2 * NS_PER_S);
    expect_line(&bench, client, "repl_backlog_active:0\r\n");
    info = bench_ask(&bench, client, "INFO replication\r\n");
    snprintf(after, sizeof(after), "%.54s", (const char *)memmem(info.data, info.length, "master_replid:", 14));
    assert_string_not_equal(before, after); /* else what is written now would be missed by who comes back */
    bench_end(&bench);
}

static void the_backlog_is_as_long_as_it_is_to_be(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    bench_ask(&bench, client, "CONFIG SET repl-backlog-size 200kb\r\n");
    expect_line(&bench, client, "repl_backlog_size:204800\r\n");
    link_id replica = bench_attach_replica(&bench);
    for (int i = 0; i < 100; i++)
        bench_ask(&bench, client, "SETRANGE a 9999 x\r\nEVAL \"redis.call('SET', 'b', string.rep('x', 9999))\" 0\r\n");
    bench_take(&bench, replica);
    bench_turn(&bench);
    struct slice info = bench_ask(&bench, client, "INFO replication\r\n");
    const char *line = memmem(info.data, info.length, "repl_backlog_histlen:", 21);
    unsigned long long held;
    assert_int_equal(sscanf(line, "repl_backlog_histlen:%llu", &held), 1);
    assert_in_range(held, 200 << 10, 400 << 10); /* it is kept by blocks */
    bench_end(&bench);
}

/* What a replica wants to be known by, its master shows. */
static void a_replica_is_where_it_says_it_is(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench), replica = bench_connect(&bench);
    bench_ask(&bench, replica, "REPLCONF listening-port 7001 ip-address 10.1.2.3\r\n");
    bench_receive(&bench, replica, SLICE_LITERAL("PSYNC ? -1\r\n"));
    bench_turn(&bench);
    expect_line(&bench, client, "slave0:ip=10.1.2.3,port=7001,state=send_bulk,offset=0,lag=0\r\n");
    expect(bench_ask(&bench, client, "ROLE\r\n"), "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
    acknowledge(&bench, replica);
    expect(bench_ask(&bench, client, "ROLE\r\n"),
           "*3\r\n$6\r\nmaster\r\n:0\r\n*1\r\n*3\r\n$8\r\n10.1.2.3\r\n$4\r\n7001\r\n$1\r\n0\r\n");
    bench_end(&bench);
}

static void a_replica_announces_itself(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    bench_ask(&bench, client,
              "CONFIG SET replica-announce-ip 10.1.2.3 replica-announce-port 7001 replica-priority 7 "
              "replica-announced no\r\nREPLICAOF 127.0.0.1 7000\r\n");
    link_id master = bench_accept(&bench);
    bench_take(&bench, master);
    expect(bench_ask(&bench, client, "ROLE\r\n"),
           "*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:7000\r\n$9\r\nhandshake\r\n:-1\r\n");
    expect(bench_ask(&bench, master, "+PONG\r\n"), "*3\r\n$8\r\nREPLCONF\r\n$14\r\nlistening-port\r\n$4\r\n7001\r\n"
                                                   "*3\r\n$8\r\nREPLCONF\r\n$10\r\nip-address\r\n$8\r\n10.1.2.3\r\n"
                                                   "*7\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n$4\r\ncapa\r\n$"
                                                   "6\r\npsync2\r\n$4\r\ncapa\r\n$24\r\nrespite-frames=268435456\r\n");
    expect(bench_ask(&bench, master, "+OK\r\n+OK\r\n"), "");
    expect(bench_ask(&bench, master, "+OK\r\n"), "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n");
    bench_ask(&bench, master, "+FULLRESYNC 0123456789012345678901234567890123456789 100\r\n$200\r\nREDIS0009");
    static const char *const lines[] = {
        "master_sync_in_progress:1\r\n",     "master_sync_total_bytes:200\r\n",
        "master_sync_read_bytes:9\r\n",      "master_sync_left_bytes:191\r\n",
        "master_sync_perc:4.50\r\n",         "master_sync_last_io_seconds_ago:0\r\n",
        "master_last_io_seconds_ago:-1\r\n", "slave_priority:7\r\n",
        "replica_announced:0\r\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        expect_line(&bench, client, lines[i]);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_replicas_are_too_few_for_writes),
        cmocka_unit_test(a_replica_needs_no_replicas),
        cmocka_unit_test(a_silent_replica_is_given_up),
        cmocka_unit_test(who_waits_is_told_that_the_master_is_none),
        cmocka_unit_test(a_stream_that_nobody_follows_is_forgotten),
        cmocka_unit_test(the_backlog_is_as_long_as_it_is_to_be),
        cmocka_unit_test(a_replica_is_where_it_says_it_is),
        cmocka_unit_test(a_replica_announces_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
