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
    struct slice answer = bench_ask(&bench, tool, "REPLCONF rdb-only 2\r\nREPLCONF rdb-filter-only functions\r\n");
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

/* Where it cannot know the end of the snapshot, it gets none. */
static void a_tool_without_the_delimiter_is_refused(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id tool = bench_connect(&bench);
    struct slice answer = bench_ask(&bench, tool, "SYNC\r\n");
    expect_prefix(&answer, "-ERR SYNC needs REPLCONF capa eof before it\r\n");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stream_waits_for_the_first_ack),
        cmocka_unit_test(a_lost_link_continues_by_id_and_offset),
        cmocka_unit_test(a_tool_reads_the_snapshot_and_the_stream),
        cmocka_unit_test(a_tool_that_wants_a_file_gets_no_stream),
        cmocka_unit_test(a_tool_without_the_delimiter_is_refused),
        cmocka_unit_test(expiry_reaches_a_replica_as_del),
        cmocka_unit_test(evictions_reach_a_replica_as_del),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
