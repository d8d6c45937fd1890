/* Limits of what clients take: client_memory_max, maxmemory-clients, and soft limits of output, on a worker that is
 * driven by hand. */
#include "common/resp/resp_writer.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { KIB = 1 << 10 };

static bool is_open(const struct bench *bench, link_id link)
{
    return bench->links[link].is_open;
}

/* The client takes at least that many bytes more: it began a request and does not end it. */
static void leave_input(struct bench *bench, link_id link, size_t bytes)
{
    struct buf request = {0};
    buf_add_format(&request, "*2\r\n$4\r\nECHO\r\n$%zu\r\n", 2 * bytes);
    memset(buf_reserve(&request, bytes), 'x', bytes);
    buf_commit(&request, bytes);
    bench_receive(bench, link, buf_slice(&request));
    bench_turn(bench);
    buf_free(&request);
}

static bool stats_say(struct bench *bench, link_id link, const char *words)
{
    struct slice text = bench_ask(bench, link, "INFO stats\r\n");
    return memmem(text.data, text.length, words, strlen(words)) != NULL;
}

static void test_the_largest_goes(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id asker = bench_connect(&bench), small = bench_connect(&bench), large = bench_connect(&bench);
    leave_input(&bench, small, 60 * KIB);
    leave_input(&bench, large, 300 * KIB);
    assert_memory_equal(bench_ask(&bench, asker, "CONFIG SET maxmemory-clients 1mb\r\n").data, "+OK\r\n", 5);
    assert_true(is_open(&bench, large));
    /* Who is there already is counted when the limit comes, and when it falls. */
    bench_ask(&bench, asker, "CONFIG SET maxmemory-clients 300kb\r\n");
    assert_false(is_open(&bench, large));
    assert_true(is_open(&bench, small) && is_open(&bench, asker));
    assert_true(stats_say(&bench, asker, "evicted_clients:1\r\n"));
    /* Input that grows beyond it costs who sends it. */
    link_id next = bench_connect(&bench);
    leave_input(&bench, next, 250 * KIB);
    assert_false(is_open(&bench, next));
    assert_true(is_open(&bench, small));
    assert_true(stats_say(&bench, asker, "evicted_clients:2\r\n"));
    bench_end(&bench);
}

static void test_no_evict_stays(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id asker = bench_connect(&bench), large = bench_connect(&bench), small = bench_connect(&bench);
    bench_ask(&bench, asker, "CLIENT NO-EVICT on\r\n");
    bench_ask(&bench, large, "CLIENT NO-EVICT on\r\n");
    leave_input(&bench, large, 300 * KIB);
    leave_input(&bench, small, 20 * KIB);
    bench_ask(&bench, asker, "CONFIG SET maxmemory-clients 200kb\r\n");
    assert_false(is_open(&bench, small));
    assert_true(is_open(&bench, large) && is_open(&bench, asker));
    assert_true(stats_say(&bench, asker, "evicted_clients:1\r\n"));
    bench_end(&bench);
}

static void test_a_share_of_maxmemory(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id asker = bench_connect(&bench), large = bench_connect(&bench);
    leave_input(&bench, large, 300 * KIB);
    bench_ask(&bench, asker, "CONFIG SET maxmemory-clients 10%\r\n");
    assert_true(is_open(&bench, large)); /* of no limit, which is none */
    bench_ask(&bench, asker, "CONFIG SET maxmemory 10mb\r\n");
    assert_true(is_open(&bench, large));
    bench_ask(&bench, asker, "CONFIG SET maxmemory 2mb\r\n");
    assert_false(is_open(&bench, large));
    bench_end(&bench);
}

/* What the configuration allows holds from the start, and whatever CONFIG SET asks for. */
static void test_the_configured_limit(void **state)
{
    (void)state;
    struct bench bench;
    struct cw_config config;
    bench_config(&config, true);
    config.client_memory_max = 400 * KIB;
    bench_start(&bench, &config);
    link_id asker = bench_connect(&bench), small = bench_connect(&bench);
    link_id large = bench_connect(&bench), next = bench_connect(&bench);
    bench_ask(&bench, asker, "CONFIG SET maxmemory-clients 1gb\r\n");
    leave_input(&bench, small, 60 * KIB);
    leave_input(&bench, large, 200 * KIB);
    assert_true(is_open(&bench, large));
    leave_input(&bench, next, 200 * KIB);
    assert_false(is_open(&bench, large));
    assert_true(is_open(&bench, small) && is_open(&bench, next));
    assert_true(stats_say(&bench, asker, "evicted_clients:1\r\n"));
    bench_ask(&bench, asker, "CONFIG SET maxmemory-clients 0\r\n");
    leave_input(&bench, bench_connect(&bench), 200 * KIB);
    assert_false(is_open(&bench, next));
    bench_end(&bench);
}

/* What one asked for and reads does not count, however long it is. */
static void test_who_reads_stays(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id asker = bench_connect(&bench);
    bench_ask(&bench, asker, "CONFIG SET maxmemory-clients 200kb\r\n");
    bench_ask(&bench, asker, "SETRANGE long 299999 x\r\n");
    assert_int_equal(bench_ask(&bench, asker, "GET long\r\n").length, 300000 + strlen("$300000\r\n\r\n"));
    assert_true(is_open(&bench, asker));
    assert_true(stats_say(&bench, asker, "evicted_clients:0\r\n"));
    bench_end(&bench);
}

/* However many ask for long replies at once: a turn ends when these take too much, and who reads them is not closed. */
static void test_a_turn_writes_no_more_than_leaves(void **state)
{
    (void)state;
    enum { CLIENTS = 8, REQUESTS = 64, LENGTH = 100 * KIB };
    struct bench bench;
    struct cw_config config;
    bench_config(&config, true);
    config.client_memory_max = 8 << 20;
    bench_start(&bench, &config);
    link_id asker = bench_connect(&bench), links[CLIENTS];
    bench_ask(&bench, asker, "SETRANGE long 102399 x\r\n");
    for (size_t i = 0; i < CLIENTS; i++) {
        links[i] = bench_connect(&bench);
        for (size_t request = 0; request < REQUESTS; request++)
            bench_receive(&bench, links[i], SLICE_LITERAL("GET long\r\n"));
    }
    unsigned turns = 1;
    while (bench_turn_once(&bench))
        turns++;
    assert_true(turns >= CLIENTS * REQUESTS / 128);
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_true(is_open(&bench, links[i]));
        assert_int_equal(bench_take(&bench, links[i]).length, REQUESTS * (LENGTH + strlen("$102400\r\n\r\n")));
    }
    assert_true(stats_say(&bench, asker, "evicted_clients:0\r\n"));
    bench_end(&bench);
}

/* A client that reads nothing is closed when it has been above the soft limit for long, also when nobody sends more. */
static void test_soft_limit(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id asker = bench_connect(&bench), listener = bench_connect(&bench);
    bench_ask(&bench, asker, "CONFIG SET client-output-buffer-limit \"pubsub 0 1kb 3\"\r\n");
    bench_ask(&bench, listener, "SUBSCRIBE news\r\n");
    bench.links[listener].reads_nothing = true;
    struct buf request = {0};
    buf_add_text(&request, "*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$1100\r\n");
    memset(buf_reserve(&request, 1100), 'x', 1100);
    buf_commit(&request, 1100);
    buf_add_text(&request, "\r\n");
    bench_receive(&bench, asker, buf_slice(&request));
    bench_turn(&bench);
    bench_advance(&bench, 2900 * NS_PER_MS);
    assert_true(is_open(&bench, listener));
    bench_advance(&bench, 400 * NS_PER_MS);
    assert_false(is_open(&bench, listener));
    assert_true(stats_say(&bench, asker, "client_output_buffer_limit_disconnections:1\r\n"));
    buf_free(&request);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_largest_goes),     cmocka_unit_test(test_no_evict_stays),
        cmocka_unit_test(test_a_share_of_maxmemory), cmocka_unit_test(test_the_configured_limit),
        cmocka_unit_test(test_who_reads_stays),      cmocka_unit_test(test_a_turn_writes_no_more_than_leaves),
        cmocka_unit_test(test_soft_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
