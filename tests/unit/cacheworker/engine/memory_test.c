/* maxmemory: what is evicted when, how long that may take, and who is told. */
#include "cacheworker/engine/memory.h"

#include "cacheworker/keyspace/keyspace.h"
#include "common/resp/resp_writer.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    KEYS = 20000,
    EVICTIONS_OF_A_TURN = 1000, /* at most; they take about half a microsecond each */
};

static void assert_bytes(struct slice got, const char *expected)
{
    if (!slice_equal(got, slice_text(expected)))
        fail_msg("expected \"%s\", got \"%.*s\"", expected, (int)got.length, got.data);
}

#define ASSERT_ASK(bench, link, request, expected) assert_bytes(bench_ask(bench, link, request), expected)

static struct cw_engine *engine_of(struct bench *bench)
{
    return &bench->worker->engine;
}

static size_t data_bytes(struct bench *bench)
{
    return cw_keyspace_data_bytes(engine_of(bench)->keyspace);
}

static uint64_t evicted_keys(struct bench *bench)
{
    return engine_of(bench)->statistics.evicted_keys;
}

static void add_sets(struct buf *out, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        buf_add_format(out, "SET key:%u value:%u\r\n", i, i);
}

static void fill(struct bench *bench, link_id client)
{
    struct buf requests = {0};
    add_sets(&requests, 0, KEYS);
    bench_receive(bench, client, buf_slice(&requests));
    bench_turn(bench);
    assert_int_equal(bench_take(bench, client).length, 5 * KEYS);
    buf_free(&requests);
}

/* No turn yet. */
static void set_limit(struct bench *bench, link_id client, const char *policy, size_t bytes)
{
    static char line[128]; /* what was received stays the world's until the turn */
    snprintf(line, sizeof(line), "CONFIG SET maxmemory-policy %s maxmemory %zu\r\n", policy, bytes);
    bench_receive(bench, client, slice_text(line));
}

/* A limit far below what there is takes many turns, each of which is short, one after the other. */
static void test_a_lowered_limit_takes_many_short_turns(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    fill(&bench, client);
    size_t limit = data_bytes(&bench) / 10;
    set_limit(&bench, client, "allkeys-lru", limit);
    unsigned turns = 0;
    for (bool again = true; again; turns++) {
        uint64_t before = evicted_keys(&bench);
        again = bench_turn_once(&bench);
        assert_true(evicted_keys(&bench) - before <= EVICTIONS_OF_A_TURN);
        assert_true(evicted_keys(&bench) > before || !again);
    }
    assert_true(turns > KEYS / 2 / EVICTIONS_OF_A_TURN);
    assert_true(data_bytes(&bench) <= limit);
    assert_int_equal(evicted_keys(&bench) + cw_keyspace_count(engine_of(&bench)->keyspace, 0), KEYS);
    assert_bytes(bench_take(&bench, client), "+OK\r\n");
    bench_end(&bench);
}

/* Writes that need room end the turn when it was long enough; they are all answered, and memory stays at its limit. */
static void test_writes_wait_for_room_in_short_turns(void **state)
{
    (void)state;
    enum { OVER = 8192 };
    struct bench bench;
    struct buf requests = {0};
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    fill(&bench, client);
    size_t limit = data_bytes(&bench);
    set_limit(&bench, client, "allkeys-random", limit);
    bench_turn(&bench);
    bench_take(&bench, client);

    add_sets(&requests, KEYS, KEYS);
    bench_receive(&bench, client, buf_slice(&requests));
    for (bool again = true; again;) {
        uint64_t before = evicted_keys(&bench);
        again = bench_turn_once(&bench);
        assert_true(evicted_keys(&bench) - before <= 2 * EVICTIONS_OF_A_TURN);
        assert_true(data_bytes(&bench) <= limit + OVER);
    }
    assert_int_equal(bench_take(&bench, client).length, 5 * KEYS);
    assert_true(data_bytes(&bench) <= limit);
    assert_in_range(evicted_keys(&bench), KEYS / 2, 2 * KEYS);
    buf_free(&requests);
    bench_end(&bench);
}

/* What needs no memory is not refused; what does is, after arity and password, before anything else. */
static void test_refusals(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    const char *oom = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    ASSERT_ASK(&bench, client, "SET a 1\r\nSET b 2 EX 100\r\n", "+OK\r\n+OK\r\n");
    ASSERT_ASK(&bench, client, "CONFIG SET maxmemory 1\r\n", "+OK\r\n");
    ASSERT_ASK(&bench, client, "SET c 3\r\n", oom);
    ASSERT_ASK(&bench, client, "SET c\r\n", "-ERR wrong number of arguments for 'set' command\r\n");
    ASSERT_ASK(&bench, client, "GET a\r\nEXPIRE a 100\r\nPERSIST a\r\nDBSIZE\r\n", "$1\r\n1\r\n:1\r\n:1\r\n:2\r\n");
    ASSERT_ASK(&bench, client, "SUBSCRIBE x\r\n", "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n");
    ASSERT_ASK(&bench, client, "SET c 3\r\n", oom);
    ASSERT_ASK(&bench, client, "RESET\r\n", "+RESET\r\n");
    ASSERT_ASK(&bench, client, "CONFIG SET maxmemory-policy volatile-ttl\r\n", "+OK\r\n");
    ASSERT_ASK(&bench, client, "DBSIZE\r\nSET c 3\r\nDEL a\r\n",
               ":1\r\n-OOM command not allowed when used memory > "
               "'maxmemory'.\r\n:1\r\n");
    assert_int_equal(evicted_keys(&bench), 1);
    ASSERT_ASK(&bench, client, "CONFIG SET maxmemory 0\r\nSET c 3\r\n", "+OK\r\n+OK\r\n");
    ASSERT_ASK(&bench, client, "CONFIG SET requirepass x\r\nCONFIG SET maxmemory 1\r\n", "+OK\r\n+OK\r\n");
    link_id stranger = bench_connect(&bench);
    ASSERT_ASK(&bench, stranger, "SET c 3\r\n", "-NOAUTH Authentication required.\r\n");
    bench_end(&bench);
}

/* While clients are paused nothing changes, evictions neither. */
static void test_a_pause_pauses_evictions(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    ASSERT_ASK(&bench, client, "SET a 1\r\nCLIENT PAUSE 1000 WRITE\r\n", "+OK\r\n+OK\r\n");
    ASSERT_ASK(&bench, client, "CONFIG SET maxmemory 1 maxmemory-policy allkeys-lru\r\nDBSIZE\r\n", "+OK\r\n:1\r\n");
    bench_advance(&bench, 500 * NS_PER_MS);
    assert_int_equal(evicted_keys(&bench), 0);
    bench_advance(&bench, 600 * NS_PER_MS);
    ASSERT_ASK(&bench, client, "DBSIZE\r\n", ":0\r\n");
    assert_int_equal(evicted_keys(&bench), 1);
    bench_end(&bench);
}

/* A big value that is evicted is given back in steps; no other key goes because that takes a while. */
static void test_a_big_value_goes_alone(void **state)
{
    (void)state;
    enum { FIELDS = 50000 };
    struct bench bench;
    struct buf request = {0};
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    resp_write_array(&request, 2 + 2 * FIELDS);
    resp_write_bulk_text(&request, "HSET");
    resp_write_bulk_text(&request, "big");
    for (unsigned i = 0; i < 2 * FIELDS; i++)
        resp_write_bulk_u64(&request, i / 2);
    bench_receive(&bench, client, buf_slice(&request));
    bench_advance(&bench, 10 * NS_PER_S);
    assert_bytes(bench_take(&bench, client), ":50000\r\n");
    for (unsigned i = 0; i < 100; i++) {
        char line[32];
        snprintf(line, sizeof(line), "SET small:%u 1\r\n", i);
        ASSERT_ASK(&bench, client, line, "+OK\r\n");
    }
    ASSERT_ASK(&bench, client, "CONFIG SET maxmemory-samples 1000 maxmemory-policy allkeys-lru\r\n", "+OK\r\n");
    set_limit(&bench, client, "allkeys-lru", 100000);
    unsigned turns = 1;
    while (bench_turn_once(&bench))
        turns++;
    assert_true(turns > 3);
    assert_true(data_bytes(&bench) <= 100000);
    assert_int_equal(evicted_keys(&bench), 1);
    ASSERT_ASK(&bench, client, "EXISTS big small:0 small:99\r\n", "+OK\r\n:2\r\n");
    buf_free(&request);
    bench_end(&bench);
}

static void test_the_time_above_the_limit_is_told(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    ASSERT_ASK(&bench, client, "SET a 1\r\nCONFIG SET maxmemory 1\r\n", "+OK\r\n+OK\r\n");
    bench_advance(&bench, NS_PER_S);
    ASSERT_ASK(&bench, client, "PING\r\n", "+PONG\r\n");
    assert_int_equal(cw_memory_exceeded_ns(engine_of(&bench)), NS_PER_S);
    assert_int_equal(cw_memory_exceeds_since_ns(engine_of(&bench)), NS_PER_S);
    ASSERT_ASK(&bench, client, "CONFIG SET maxmemory 0\r\n", "+OK\r\n");
    bench_advance(&bench, NS_PER_S);
    assert_int_equal(cw_memory_exceeded_ns(engine_of(&bench)), NS_PER_S);
    assert_int_equal(cw_memory_exceeds_since_ns(engine_of(&bench)), 0);
    ASSERT_ASK(&bench, client, "CONFIG RESETSTAT\r\n", "+OK\r\n");
    assert_int_equal(cw_memory_exceeded_ns(engine_of(&bench)), 0);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lowered_limit_takes_many_short_turns),
        cmocka_unit_test(test_writes_wait_for_room_in_short_turns),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_a_pause_pauses_evictions),
        cmocka_unit_test(test_a_big_value_goes_alone),
        cmocka_unit_test(test_the_time_above_the_limit_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
