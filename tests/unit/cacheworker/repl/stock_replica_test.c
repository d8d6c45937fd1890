/* A standalone worker as the master of an unmodified server: the bytes that such a replica sends and expects. */
#include "cacheworker/rdb/rdb.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static int count_key(void *context, unsigned database, struct slice key, struct slice value, int64_t expire_ms)
{
    (void)database, (void)key, (void)value, (void)expire_ms;
    ++*(int *)context;
    return 0;
}

static int ignore_aux(void *context, struct slice name, struct slice value)
{
    (void)context, (void)name, (void)value;
    return 0;
}

static void expect_prefix(struct slice *bytes, const char *prefix)
{
    size_t length = strlen(prefix);
    if (bytes->length < length || memcmp(bytes->data, prefix, length) != 0)
        fail_msg("not %s but %.*s", prefix, (int)bytes->length, bytes->data);
    *bytes = slice_skip(*bytes, length);
}

static link_id greet(struct bench *bench)
{
    link_id link = bench_connect(bench);
    struct slice reply =
        bench_ask(bench, link, "PING\r\nREPLCONF listening-port 7777\r\nREPLCONF capa eof capa psync2\r\n");
    expect_prefix(&reply, "+PONG\r\n+OK\r\n+OK\r\n");
    assert_int_equal(reply.length, 0);
    return link;
}

/* Reads the snapshot and its delimiter; nothing may stand behind. */
static void expect_snapshot(struct slice bytes, int keys)
{
    enum { DELIMITER = 40 };
    int found = 0;
    struct cw_rdb_reader reader = {.visitor = {.context = &found, .aux = ignore_aux, .string = count_key},
                                   .databases = 16,
                                   .require_checksum = true};
    size_t used;
    char delimiter[DELIMITER + 1] = "";
    expect_prefix(&bytes, "$EOF:");
    assert_true(bytes.length > DELIMITER);
    memcpy(delimiter, bytes.data, DELIMITER);
    bytes = slice_skip(bytes, DELIMITER);
    expect_prefix(&bytes, "\r\n");
    assert_int_equal(cw_rdb_read(&reader, bytes, &used), 1);
    cw_rdb_reader_free(&reader);
    assert_int_equal(found, keys);
    bytes = slice_skip(bytes, used);
    expect_prefix(&bytes, delimiter);
    assert_int_equal(bytes.length, 0);
}

static void expect_full_sync(struct slice bytes, int keys, char id[41], unsigned long long *ret_offset)
{
    expect_prefix(&bytes, "+FULLRESYNC ");
    int end = 0;
    char head[128] = {0};
    memcpy(head, bytes.data, bytes.length < 127 ? bytes.length : 127);
    assert_int_equal(sscanf(head, "%40[0-9a-f] %llu%n", id, ret_offset, &end), 2);
    bytes = slice_skip(bytes, (size_t)end);
    expect_prefix(&bytes, "\r\n");
    expect_snapshot(bytes, keys);
}

static link_id sync_fully(struct bench *bench, int keys, char id[41], unsigned long long *ret_offset)
{
    link_id replica = greet(bench);
    bench_receive(bench, replica, SLICE_LITERAL("PSYNC ? -1\r\n"));
    bench_turn(bench);
    bench_advance(bench, 10 * NS_PER_MS);
    expect_full_sync(bench_take(bench, replica), keys, id, ret_offset);
    return replica;
}

static void acknowledge(struct bench *bench, link_id replica, unsigned long long offset)
{
    char line[64];
    snprintf(line, sizeof(line), "REPLCONF ACK %llu\r\n", offset);
    bench_receive(bench, replica, slice_text(line));
    bench_turn(bench);
}

/* The reference finds the delimiter only at the end of what it has read, so the stream waits for the first ack. */
static void the_stream_waits_for_the_first_ack(void **state)
{
    (void)state;
    struct bench bench;
    char id[41];
    unsigned long long offset;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    bench_ask(&bench, client, "SET a 1\r\nSET b 2\r\n");
    link_id replica = sync_fully(&bench, 2, id, &offset);
    bench_ask(&bench, client, "SET c 3\r\n");
    bench_advance(&bench, 500 * NS_PER_MS);
    assert_int_equal(bench_take(&bench, replica).length, 0);
    acknowledge(&bench, replica, offset);
    struct slice stream = bench_take(&bench, replica);
    expect_prefix(&stream, "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nc\r\n$1\r\n3\r\n");
    assert_int_equal(stream.length, 0);
    bench_end(&bench);
}

static void a_lost_link_continues_by_id_and_offset(void **state)
{
    (void)state;
    struct bench bench;
    char id[41];
    unsigned long long offset;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    link_id replica = sync_fully(&bench, 0, id, &offset);
    acknowledge(&bench, replica, offset);
    bench_ask(&bench, client, "SET a 1\r\n");
    unsigned long long held = offset + bench_take(&bench, replica).length;
    assert_true(held > offset);
    bench_close(&bench, replica);
    bench_ask(&bench, client, "SET b 2\r\n");

    char line[128];
    replica = greet(&bench);
    snprintf(line, sizeof(line), "PSYNC %s %llu\r\n", id, held + 1);
    struct slice answer = bench_ask(&bench, replica, line);
    expect_prefix(&answer, "+CONTINUE ");
    expect_prefix(&answer, id);
    expect_prefix(&answer, "\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n");

    /* Another's id, or an offset that was never reached: a full sync. */
    for (int i = 0; i < 2; i++) {
        char other[41];
        unsigned long long ignored;
        link_id stranger = greet(&bench);
        memcpy(other, id, sizeof(other));
        if (i == 0)
            other[0] = other[0] == 'a' ? 'b' : 'a';
        snprintf(line, sizeof(line), "PSYNC %s %llu\r\n", other, i == 0 ? held + 1 : held + 1000);
        bench_receive(&bench, stranger, slice_text(line));
        bench_turn(&bench);
        bench_advance(&bench, 10 * NS_PER_MS);
        expect_full_sync(bench_take(&bench, stranger), 2, other, &ignored);
    }
    bench_end(&bench);
}

static bool is_served(const struct bench *bench, link_id link)
{
    return bench->links[link].is_open && !bench->links[link].is_draining;
}

/* The tools' SYNC: the same snapshot without the line before it, and the stream behind any ack. */
static void a_tool_reads_the_snapshot_and_the_stream(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    bench_ask(&bench, client, "SET a 1\r\nSET b 2\r\n");
    link_id tool = bench_connect(&bench);
    struct slice answer = bench_ask(&bench, tool, "REPLCONF capa eof\r\n");
    expect_prefix(&answer, "+OK\r\n");
    bench_receive(&bench, tool, SLICE_LITERAL("SYNC\r\n"));
    bench_turn(&bench);
    bench_advance(&bench, 10 * NS_PER_MS);
    expect_snapshot(bench_take(&bench, tool), 2);
    acknowledge(&bench, tool, 0);
    bench_advance(&bench, 60 * NS_PER_S); /* it is not given up for saying nothing more */
    bench_take(&bench, tool);
    bench_ask(&bench, client, "SET c 3\r\n");
    struct slice stream = bench_take(&bench, tool);
    expect_prefix(&stream, "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nc\r\n$1\r\n3\r\n");
    bench_end(&bench);
}

static void a_tool_that_wants_a_file_gets_no_stream(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id tool = bench_connect(&bench);
    struct slice answer = bench_ask(&bench, tool, "REPLCONF rdb-only 2\r\nREPLCONF rdb-filter-only keys\r\n");
    expect_prefix(&answer, "-ERR syntax error\r\n-ERR syntax error\r\n");
    answer = bench_ask(&bench, tool, "REPLCONF capa eof\r\nREPLCONF rdb-only 1\r\n");
    expect_prefix(&answer, "+OK\r\n+OK\r\n");
    bench_receive(&bench, tool, SLICE_LITERAL("SYNC\r\n"));
    bench_turn(&bench);
    bench_advance(&bench, 10 * NS_PER_MS);
    expect_snapshot(bench_take(&bench, tool), 0);
    bench_advance(&bench, NS_PER_S);
    assert_false(is_served(&bench, tool));
    bench_end(&bench);
}

static void expect_length_and_snapshot(struct slice *bytes, int keys)
{
    int found = 0;
    struct cw_rdb_reader reader = {.visitor = {.context = &found, .aux = ignore_aux, .string = count_key},
                                   .databases = 16,
                                   .require_checksum = true};
    size_t used;
    unsigned long long length;
    int end = 0;
    char head[64] = {0};
    memcpy(head, bytes->data, bytes->length < 63 ? bytes->length : 63);
    assert_int_equal(sscanf(head, "$%llu\r\n%n", &length, &end), 1);
    *bytes = slice_skip(*bytes, strcspn(head, "\n") + 1);
    assert_int_equal(cw_rdb_read(&reader, *bytes, &used), 1);
    cw_rdb_reader_free(&reader);
    assert_int_equal(found, keys);
    assert_int_equal(used, length);
    *bytes = slice_skip(*bytes, used);
}

/* Who cannot find the end of a snapshot is told its length, and gets the stream behind it. */
static void an_old_tool_is_told_the_length(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench), tool = bench_connect(&bench);
    bench_ask(&bench, client, "SET a 1\r\nCONFIG SET repl-diskless-sync-delay 5\r\n");
    struct slice answer = bench_ask(&bench, tool, "SYNC\r\n");
    expect_length_and_snapshot(&answer, 1);
    assert_int_equal(answer.length, 0);
    bench_ask(&bench, client, "SET b 2\r\n");
    answer = bench_take(&bench, tool);
    expect_prefix(&answer, "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n");
    bench_end(&bench);
}

static void an_old_replica_is_told_the_length(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench), replica = bench_connect(&bench);
    bench_ask(&bench, client, "SET a 1\r\n");
    struct slice answer = bench_ask(&bench, replica, "PSYNC ? -1\r\n");
    char id[41];
    unsigned long long offset;
    expect_prefix(&answer, "+FULLRESYNC ");
    char head[64] = {0};
    memcpy(head, answer.data, 63);
    assert_int_equal(sscanf(head, "%40[0-9a-f] %llu", id, &offset), 2);
    answer = slice_skip(answer, strcspn(head, "\n") + 1);
    expect_length_and_snapshot(&answer, 1);
    assert_int_equal(answer.length, 0);
    bench_end(&bench);
}

static void a_tool_that_wants_functions_gets_no_data(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench), tool = bench_connect(&bench);
    bench_ask(
        &bench, client,
        "SET a 1\r\nFUNCTION LOAD \"#!lua name=lib\\nredis.register_function('f', function() return 1 end)\"\r\n");
    bench_ask(&bench, tool, "REPLCONF rdb-filter-only functions capa eof rdb-only 1\r\n");
    struct slice answer = bench_ask(&bench, tool, "SYNC\r\n");
    assert_non_null(memmem(answer.data, answer.length, "register_function", 17));
    expect_snapshot(answer, 0);
    bench_end(&bench);
}

static link_id ask_for_full_sync(struct bench *bench)
{
    link_id replica = greet(bench);
    bench_receive(bench, replica, SLICE_LITERAL("PSYNC ? -1\r\n"));
    bench_turn(bench);
    return replica;
}

static bool has_snapshot(struct bench *bench, link_id replica)
{
    struct slice bytes = bench_take(bench, replica);
    return memmem(bytes.data, bytes.length, "REDIS00", 7) != NULL;
}

static struct slice take_without_newlines(struct bench *bench, link_id link)
{
    struct slice bytes = bench_take(bench, link);
    while (bytes.length > 0 && bytes.data[0] == '\n')
        bytes = slice_skip(bytes, 1);
    return bytes;
}

/* Replicas that come soon enough share a full sync; who comes later waits for the next. */
static void replicas_share_a_full_sync(void **state)
{
    (void)state;
    struct bench bench;
    char ids[3][41];
    unsigned long long offsets[3];
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    bench_ask(&bench, client, "CONFIG SET repl-diskless-sync-delay 5\r\nSET a 1\r\n");
    link_id first = ask_for_full_sync(&bench);
    bench_advance(&bench, 3 * NS_PER_S);
    link_id second = ask_for_full_sync(&bench);
    bench_advance(&bench, 1900 * NS_PER_MS);
    assert_false(has_snapshot(&bench, first));
    bench.links[first].reads_nothing = bench.links[second].reads_nothing = true;
    bench_advance(&bench, 200 * NS_PER_MS);
    link_id third = ask_for_full_sync(&bench);
    bench_ask(&bench, client, "SET b 1\r\n");
    bench_advance(&bench, 3 * NS_PER_S);
    bench.links[first].reads_nothing = bench.links[second].reads_nothing = false;
    bench_advance(&bench, NS_PER_S);
    struct slice answers[2] = {take_without_newlines(&bench, first), take_without_newlines(&bench, second)};
    assert_int_equal(answers[0].length, answers[1].length);
    assert_memory_equal(answers[0].data, answers[1].data, answers[0].length);
    for (size_t i = 0; i < 2; i++)
        expect_full_sync(answers[i], 1, ids[i], &offsets[i]);
    bench_advance(&bench, 2 * NS_PER_S);
    expect_full_sync(take_without_newlines(&bench, third), 2, ids[2], &offsets[2]);
    assert_string_equal(ids[0], ids[2]);
    assert_int_equal(offsets[0], offsets[1]);
    assert_true(offsets[2] > offsets[0]);
    bench_end(&bench);
}

static void enough_replicas_are_not_waited_for(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    bench_ask(&bench, client, "CONFIG SET repl-diskless-sync-delay 100 repl-diskless-sync-max-replicas 2\r\n");
    link_id first = ask_for_full_sync(&bench);
    assert_false(has_snapshot(&bench, first));
    link_id second = ask_for_full_sync(&bench);
    assert_true(has_snapshot(&bench, first));
    assert_true(has_snapshot(&bench, second));
    bench_end(&bench);
}

/* The making waits for the slowest, who is given up when it takes nothing; the others get all of it. */
static void a_replica_that_takes_nothing_holds_up_nobody_for_ever(void **state)
{
    (void)state;
    enum { KEYS = 2000 };
    struct bench bench;
    char id[41], line[1100];
    unsigned long long offset;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    for (int i = 0; i < KEYS; i++) {
        snprintf(line, sizeof(line), "SET k%d %01000d\r\n", i, i);
        bench_ask(&bench, client, line);
    }
    bench_ask(&bench, client, "CONFIG SET repl-timeout 10 repl-diskless-sync-delay 1\r\n");
    link_id stuck = ask_for_full_sync(&bench), other = ask_for_full_sync(&bench);
    bench.links[stuck].reads_nothing = true;
    bench_advance(&bench, 5 * NS_PER_S);
    assert_true(bench.links[stuck].is_open);
    bench_ask(&bench, client, "FLUSHALL\r\n"); /* the snapshot shows them all the same */
    bench_advance(&bench, 10 * NS_PER_S);
    assert_false(bench.links[stuck].is_open);
    expect_full_sync(take_without_newlines(&bench, other), KEYS, id, &offset);
    bench_end(&bench);
}

static void a_full_sync_that_everybody_left_is_over(void **state)
{
    (void)state;
    struct bench bench;
    char id[41];
    unsigned long long offset;
    bench_start_standalone(&bench);
    link_id first = ask_for_full_sync(&bench);
    for (int i = 0; i < 3; i++) {
        link_id replica = greet(&bench);
        bench.links[replica].reads_nothing = true;
        bench_receive(&bench, replica, SLICE_LITERAL("PSYNC ? -1\r\n"));
        bench_turn(&bench);
        bench_close(&bench, replica);
        bench.links[replica].reads_nothing = false;
    }
    bench_close(&bench, first);
    sync_fully(&bench, 0, id, &offset);
    bench_end(&bench);
}

/* Who may say REPLCONF may not follow for that. */
static void a_user_needs_the_right_to_psync(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench), replica = bench_connect(&bench);
    bench_ask(&bench, client, "ACL SETUSER some on nopass +replconf +ping\r\n");
    struct slice answer = bench_ask(&bench, replica, "AUTH some x\r\nREPLCONF capa eof\r\nPSYNC ? -1\r\nSYNC\r\n");
    expect_prefix(&answer, "+OK\r\n+OK\r\n-NOPERM User some has no permissions to run the 'psync' command\r\n-NOPERM ");
    bench_end(&bench);
}

static void expiry_reaches_a_replica_as_del(void **state)
{
    (void)state;
    struct bench bench;
    char id[41];
    unsigned long long offset;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    link_id replica = sync_fully(&bench, 0, id, &offset);
    acknowledge(&bench, replica, offset);
    bench_ask(&bench, client, "SET a 1 PX 1000\r\n");
    struct slice stream = bench_take(&bench, replica);
    assert_true(memmem(stream.data, stream.length, "PXAT", 4) != NULL); /* a date, not a duration */
    bench_advance(&bench, 3 * NS_PER_S);
    stream = bench_take(&bench, replica);
    expect_prefix(&stream, "*2\r\n$3\r\nDEL\r\n$1\r\na\r\n");
    bench_end(&bench);
}

/* The DEL stands before what it made room for. */
static void evictions_reach_a_replica_as_del(void **state)
{
    (void)state;
    struct bench bench;
    char id[41];
    unsigned long long offset;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    link_id replica = sync_fully(&bench, 0, id, &offset);
    acknowledge(&bench, replica, offset);
    bench_ask(&bench, client, "SET a 1\r\nCONFIG SET maxmemory 1 maxmemory-policy allkeys-lru\r\n");
    struct slice stream = bench_take(&bench, replica);
    expect_prefix(&stream, "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$3\r\nDEL"
                           "\r\n$1\r\na\r\n");
    assert_int_equal(stream.length, 0);

    bench_ask(&bench, client, "CONFIG SET maxmemory 10000\r\nSET b 2\r\nAPPEND c ");
    for (int i = 0; i < 10000; i++)
        bench_receive(&bench, client, SLICE_LITERAL("c"));
    bench_ask(&bench, client, "\r\nSET d 4\r\n");
    stream = bench_take(&bench, replica);
    const char *appended = memmem(stream.data, stream.length, "APPEND", 6);
    const char *set = memmem(stream.data, stream.length, "$1\r\nd\r\n", 7);
    const char *deleted = memmem(stream.data, stream.length, "DEL\r\n$1\r\nc\r\n", 12);
    assert_true(appended != NULL && appended < deleted && deleted < set);
    bench_end(&bench);
}

static void expect_answer(struct slice answer, const char *text)
{
    expect_prefix(&answer, text);
    assert_int_equal(answer.length, 0);
}

static void expect_info(struct bench *bench, link_id client, const char *line)
{
    struct slice info = bench_ask(bench, client, "INFO replication\r\n");
    if (memmem(info.data, info.length, line, strlen(line)) == NULL)
        fail_msg("no %s in %.*s", line, (int)info.length, info.data);
}

/* A replica with all of the stream, at port 7777, and a client that wants it to take over. */
static link_id begin_failover(struct bench *bench, link_id client, const char *words, char id[41],
                              unsigned long long *ret_offset)
{
    bench_ask(bench, client, "SET a 1\r\n");
    link_id replica = sync_fully(bench, 1, id, ret_offset);
    acknowledge(bench, replica, *ret_offset);
    bench_ask(bench, client, "SET b 2\r\n");
    *ret_offset += bench_take(bench, replica).length;
    expect_answer(bench_ask(bench, client, words), "+OK\r\n");
    expect_info(bench, client, "master_failover_state:waiting-for-sync\r\n");
    return replica;
}

/* Says what the other side does, up to PSYNC, which is expected to hand over. */
static link_id expect_handing_over(struct bench *bench, const char *id, unsigned long long offset)
{
    char psync[160], number[32];
    bench_advance(bench, 10 * NS_PER_MS);
    link_id target = bench_accept(bench);
    assert_true(target != LINK_NONE);
    bench_take(bench, target);
    bench_ask(bench, target, "+PONG\r\n");
    int length = snprintf(number, sizeof(number), "%llu", offset + 1);
    snprintf(psync, sizeof(psync), "*4\r\n$5\r\nPSYNC\r\n$40\r\n%s\r\n$%d\r\n%s\r\n$8\r\nFAILOVER\r\n", id, length,
             number);
    expect_answer(bench_ask(bench, target, "+OK\r\n+OK\r\n"), psync);
    return target;
}

static void a_replica_takes_over_when_it_has_all(void **state)
{
    (void)state;
    struct bench bench;
    char id[41];
    unsigned long long offset;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench), writer = bench_connect(&bench);
    link_id replica = begin_failover(&bench, client, "FAILOVER\r\n", id, &offset);
    assert_int_equal(bench_ask(&bench, writer, "SET c 3\r\n").length, 0); /* waits */
    expect_answer(bench_ask(&bench, client, "CLIENT UNPAUSE\r\nFAILOVER\r\nREPLICAOF 127.0.0.1 1\r\nGET a\r\n"),
                  "+OK\r\n-ERR FAILOVER already in progress.\r\n"
                  "-ERR REPLICAOF not allowed while failing over.\r\n$1\r\n1\r\n");
    offset += bench_take(&bench, replica).length; /* it is asked for an ack */
    bench_advance(&bench, 50 * NS_PER_S);
    assert_int_equal(bench_take(&bench, replica).length, 0); /* no pings: it could never catch up with them */
    acknowledge(&bench, replica, offset);
    link_id target = expect_handing_over(&bench, id, offset);
    expect_info(&bench, client, "master_failover_state:failover-in-progress\r\n");
    assert_int_equal(bench_take(&bench, writer).length, 0);
    bench_ask(&bench, target, "+CONTINUE 0123456789012345678901234567890123456789\r\n");
    expect_info(&bench, client, "role:slave\r\n");
    expect_info(&bench, client, "master_failover_state:no-failover\r\n");
    expect_answer(bench_take(&bench, writer), "-READONLY You can't write against a read only replica.\r\n");
    bench_end(&bench);
}

static void a_failover_that_is_refused_leaves_the_master(void **state)
{
    (void)state;
    struct bench bench;
    char id[41];
    unsigned long long offset;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    link_id replica = begin_failover(&bench, client, "FAILOVER TIMEOUT 100000\r\n", id, &offset);
    acknowledge(&bench, replica, offset + bench_take(&bench, replica).length);
    offset += 37; /* REPLCONF GETACK * */
    link_id target = expect_handing_over(&bench, id, offset);
    bench_ask(&bench, target, "-ERR PSYNC FAILOVER can't be sent to a master.\r\n");
    expect_answer(bench_ask(&bench, client, "SET c 3\r\n"), "+OK\r\n");
    expect_info(&bench, client, "role:master\r\n");
    bench_end(&bench);
}

static void a_failover_ends_in_time(void **state)
{
    (void)state;
    struct bench bench;
    char id[41];
    unsigned long long offset;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench), writer = bench_connect(&bench);
    expect_answer(
        bench_ask(&bench, client,
                  "FAILOVER ABORT\r\nFAILOVER\r\nFAILOVER TIMEOUT 0\r\nFAILOVER TIMEOUT x\r\nFAILOVER TO a\r\n"),
        "-ERR No failover in progress.\r\n-ERR FAILOVER requires connected replicas.\r\n"
        "-ERR FAILOVER timeout must be greater than 0\r\n-ERR value is not an integer or out of range\r\n"
        "-ERR syntax error\r\n");
    link_id replica = begin_failover(&bench, client, "FAILOVER TIMEOUT 1000\r\n", id, &offset);
    assert_int_equal(bench_ask(&bench, writer, "SET c 3\r\n").length, 0);
    bench_advance(&bench, 1100 * NS_PER_MS);
    expect_answer(bench_take(&bench, writer), "+OK\r\n");
    expect_answer(
        bench_ask(&bench, client, "FAILOVER TO 127.0.0.1 1\r\nFAILOVER FORCE\r\nFAILOVER\r\nFAILOVER ABORT\r\n"),
        "-ERR FAILOVER target HOST and PORT is not a replica.\r\n"
        "-ERR FAILOVER with force option requires both a timeout and target HOST and IP.\r\n+OK\r\n+OK\r\n");
    expect_answer(bench_ask(&bench, writer, "SET c 3\r\n"), "+OK\r\n");

    expect_info(&bench, client, "slave0:ip=127.0.0.1,port=7777,");
    expect_answer(bench_ask(&bench, client, "FAILOVER TO 127.0.0.1 7777 FORCE TIMEOUT 1000\r\n"), "+OK\r\n");
    bench_advance(&bench, 1100 * NS_PER_MS);
    expect_info(&bench, client, "master_failover_state:failover-in-progress\r\n");
    assert_false(bench.links[replica].is_open);
    expect_answer(bench_ask(&bench, client, "FAILOVER ABORT\r\nSET d 4\r\n"), "+OK\r\n+OK\r\n");
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stream_waits_for_the_first_ack),
        cmocka_unit_test(a_lost_link_continues_by_id_and_offset),
        cmocka_unit_test(a_tool_reads_the_snapshot_and_the_stream),
        cmocka_unit_test(a_tool_that_wants_a_file_gets_no_stream),
        cmocka_unit_test(an_old_tool_is_told_the_length),
        cmocka_unit_test(an_old_replica_is_told_the_length),
        cmocka_unit_test(a_tool_that_wants_functions_gets_no_data),
        cmocka_unit_test(replicas_share_a_full_sync),
        cmocka_unit_test(enough_replicas_are_not_waited_for),
        cmocka_unit_test(a_replica_that_takes_nothing_holds_up_nobody_for_ever),
        cmocka_unit_test(a_full_sync_that_everybody_left_is_over),
        cmocka_unit_test(a_user_needs_the_right_to_psync),
        cmocka_unit_test(expiry_reaches_a_replica_as_del),
        cmocka_unit_test(a_replica_takes_over_when_it_has_all),
        cmocka_unit_test(a_failover_that_is_refused_leaves_the_master),
        cmocka_unit_test(a_failover_ends_in_time),
        cmocka_unit_test(evictions_reach_a_replica_as_del),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
