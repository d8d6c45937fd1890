/* The worker behind its door: how bytes become commands, in which order, within which limits, and when replies leave.
 */
#include "cacheworker/engine/state.h"
#include "cacheworker/repl/repl.h"
#include "common/base/mem.h"
#include "common/ha/messages.h"
#include "common/resp/resp_writer.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_bytes(struct slice got, const char *expected)
{
    if (!slice_equal(got, slice_text(expected)))
        fail_msg("expected \"%s\", got \"%.*s\"", expected, (int)got.length, got.data);
}

#define ASSERT_ASK(bench, link, request, expected) assert_bytes(bench_ask(bench, link, request), expected)

static void add_command(struct buf *out, const char *words)
{
    char copy[256];
    snprintf(copy, sizeof(copy), "%s", words);
    struct buf arguments = {0};
    uint64_t count = 0;
    char *rest = copy;
    for (char *word; (word = strsep(&rest, " ")) != NULL; count++)
        resp_write_bulk_text(&arguments, word);
    resp_write_array(out, count);
    buf_add_slice(out, buf_slice(&arguments));
    buf_free(&arguments);
}

/* --- bytes --- */

static void build_pipeline(struct buf *out)
{
    static const char *const commands[] = {"SET key one", "APPEND key two", "GET key",  "INCR counter", "NOSUCH a b",
                                           "GET",         "PING",           "SELECT 3", "GET key",      "ECHO end"};
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
        add_command(out, commands[i]);
    buf_add_text(out, "PING inline\r\n\r\n*0\r\nECHO 'a b'\r\n");
    resp_write_array(out, 2);
    resp_write_bulk_text(out, "ECHO");
    resp_write_bulk(out, slice_of("\r\n$3\0x", 6));
}

static const char pipeline_reply[] =
    "+OK\r\n:6\r\n$6\r\nonetwo\r\n:1\r\n-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' \r\n"
    "-ERR wrong number of arguments for 'get' command\r\n+PONG\r\n+OK\r\n$-1\r\n$3\r\nend\r\n$6\r\ninline\r\n"
    "$3\r\na b\r\n$6\r\n\r\n$3\0x\r\n";

static void assert_pipeline_reply(struct bench *bench, link_id link)
{
    struct slice got = bench_take(bench, link);
    assert_int_equal(got.length, sizeof(pipeline_reply) - 1);
    assert_memory_equal(got.data, pipeline_reply, got.length);
}

static void test_pipeline_split_at_every_byte(void **state)
{
    (void)state;
    struct buf pipeline = {0};
    build_pipeline(&pipeline);
    struct slice all = buf_slice(&pipeline);
    for (size_t cut = 0; cut <= all.length; cut++) {
        struct bench bench;
        bench_start_standalone(&bench);
        link_id link = bench_connect(&bench);
        /* Copies of exactly the right size, gone after the turn: whoever looks beyond, or later, is caught. */
        char *head = mem_copy_text(all.data, cut);
        bench_receive(&bench, link, slice_of(head, cut));
        bench_turn(&bench);
        mem_free(head);
        bench_receive(&bench, link, slice_skip(all, cut));
        bench_turn(&bench);
        assert_pipeline_reply(&bench, link);
        bench_end(&bench);
    }
    buf_free(&pipeline);
}

static void test_pipeline_byte_by_byte(void **state)
{
    (void)state;
    struct buf pipeline = {0};
    build_pipeline(&pipeline);
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    for (size_t i = 0; i < buf_length(&pipeline); i++) {
        char byte = buf_slice(&pipeline).data[i];
        bench_receive(&bench, link, slice_of(&byte, 1));
        bench_turn(&bench);
    }
    assert_pipeline_reply(&bench, link);
    bench_end(&bench);
    buf_free(&pipeline);
}

/* Two events of one link in one turn: the first bytes have to be kept. */
static void test_bytes_twice_in_a_turn(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    bench_receive(&bench, link, SLICE_LITERAL("PI"));
    bench_receive(&bench, link, SLICE_LITERAL("NG\r\nPI"));
    bench_receive(&bench, link, SLICE_LITERAL("NG\r\n"));
    bench_turn(&bench);
    assert_bytes(bench_take(&bench, link), "+PONG\r\n+PONG\r\n");
    bench_end(&bench);
}

static void test_big_value_in_pieces(void **state)
{
    (void)state;
    enum { LENGTH = 3 << 20, PIECE = 65521 };
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    char *value = mem_alloc(LENGTH);
    for (size_t i = 0; i < LENGTH; i++)
        value[i] = (char)(i * 31);
    struct buf bytes = {0};
    add_command(&bytes, "PING");
    resp_write_array(&bytes, 3);
    resp_write_bulk_text(&bytes, "SET");
    resp_write_bulk_text(&bytes, "big");
    resp_write_bulk(&bytes, slice_of(value, LENGTH));
    add_command(&bytes, "STRLEN big");
    add_command(&bytes, "GET big");
    for (struct slice rest = buf_slice(&bytes); rest.length > 0;) {
        size_t count = rest.length < PIECE ? rest.length : PIECE;
        bench_receive(&bench, link, slice_of(rest.data, count));
        bench_turn(&bench);
        rest = slice_skip(rest, count);
    }
    struct buf expected = {0};
    buf_add_text(&expected, "+PONG\r\n+OK\r\n:3145728\r\n");
    resp_write_bulk(&expected, slice_of(value, LENGTH));
    assert_true(slice_equal(bench_take(&bench, link), buf_slice(&expected)));
    buf_free(&expected);
    buf_free(&bytes);
    mem_free(value);
    bench_end(&bench);
}

/* --- order --- */

/* More than fits one batch, over several links: each gets its replies in its order, and every command is executed
 * exactly once. */
static void test_order_over_many_links(void **state)
{
    (void)state;
    enum { LINKS = 7, COMMANDS = 500 };
    struct bench bench;
    bench_start_standalone(&bench);
    link_id links[LINKS];
    struct buf bytes[LINKS] = {{0}};
    for (size_t i = 0; i < LINKS; i++) {
        links[i] = bench_connect(&bench);
        for (size_t j = 0; j < COMMANDS; j++)
            add_command(&bytes[i], j % 2 ? "INCR shared" : "ECHO x");
        bench_receive(&bench, links[i], buf_slice(&bytes[i]));
    }
    bench_turn(&bench);
    for (size_t i = 0; i < LINKS; i++) {
        struct slice got = bench_take(&bench, links[i]);
        char *text = mem_copy_text(got.data, got.length);
        long long last = 0;
        char *rest = text;
        for (size_t j = 0; j < COMMANDS; j++) {
            if (j % 2 == 0) {
                assert_memory_equal(rest, "$1\r\nx\r\n", 7);
                rest += 7;
                continue;
            }
            assert_int_equal(*rest, ':');
            long long number = strtoll(rest + 1, &rest, 10);
            assert_true(number > last);
            last = number;
            rest += 2;
        }
        assert_int_equal(*rest, '\0');
        mem_free(text);
        buf_free(&bytes[i]);
    }
    ASSERT_ASK(&bench, links[0], "GET shared\r\n", "$4\r\n1750\r\n");
    bench_end(&bench);
}

/* A stranger's endless pipeline: the other link is answered in the first turn. */
static void test_nobody_waits_for_a_long_pipeline(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id greedy = bench_connect(&bench);
    link_id modest = bench_connect(&bench);
    struct buf bytes = {0};
    for (size_t i = 0; i < 100000; i++)
        buf_add_text(&bytes, "INCR n\r\n");
    bench_receive(&bench, greedy, buf_slice(&bytes));
    bench_receive(&bench, modest, SLICE_LITERAL("GET n\r\n"));
    bench_turn(&bench);
    buf_free(&bytes);
    assert_bytes(bench_take(&bench, modest), "$2\r\n64\r\n");
    ASSERT_ASK(&bench, modest, "GET n\r\n", "$6\r\n100000\r\n");
    bench_end(&bench);
}

static void test_one_flush_per_turn(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    struct buf bytes = {0};
    for (size_t i = 0; i < 1000; i++)
        buf_add_text(&bytes, "PING\r\n");
    bench_receive(&bench, link, buf_slice(&bytes));
    bench_turn(&bench);
    buf_free(&bytes);
    assert_int_equal(bench_take(&bench, link).length, 7000);
    assert_int_equal(bench.flushes, 1);
    bench_end(&bench);
}

/* What a connection costs while it says nothing, after it said much. */
static void test_idle_session_is_small(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    struct buf bytes = {0};
    for (size_t i = 0; i < 50000; i++)
        buf_add_text(&bytes, "PING\r\n");
    bench_receive(&bench, link, slice_of(buf_slice(&bytes).data, buf_length(&bytes) - 3));
    bench_turn(&bench);
    bench_receive(&bench, link, SLICE_LITERAL("G\r\n"));
    bench_turn(&bench);
    assert_int_equal(bench_take(&bench, link).length, 50000 * 7);
    const struct cw_session *session = cw_session_find(&bench.worker->engine, link);
    assert_null(session->out.memory);
    assert_null(session->partial);
    assert_true(sizeof(*session) + session->kept.capacity < 1024);
    buf_free(&bytes);
    bench_end(&bench);
}

/* --- authentication --- */

static void start_with_password(struct bench *bench)
{
    struct cw_config config;
    bench_config(&config, true);
    config.requirepass = SLICE_LITERAL("hunter2");
    bench_start(bench, &config);
}

static void test_password(void **state)
{
    (void)state;
    struct bench bench;
    start_with_password(&bench);
    link_id link = bench_connect(&bench);
    ASSERT_ASK(&bench, link, "GET a\r\n", "-NOAUTH Authentication required.\r\n");
    ASSERT_ASK(&bench, link, "AUTH wrong\r\n", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    ASSERT_ASK(&bench, link, "AUTH nobody hunter2\r\n",
               "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    ASSERT_ASK(&bench, link, "GET a\r\n", "-NOAUTH Authentication required.\r\n");
    assert_memory_equal(bench_ask(&bench, link, "HELLO 3\r\n").data, "-NOAUTH HELLO must", 18);
    ASSERT_ASK(&bench, link, "AUTH hunter2\r\n", "+OK\r\n");
    ASSERT_ASK(&bench, link, "GET a\r\n", "$-1\r\n");
    ASSERT_ASK(&bench, link, "RESET\r\n", "+RESET\r\n");
    ASSERT_ASK(&bench, link, "GET a\r\n", "-NOAUTH Authentication required.\r\n");
    link_id other = bench_connect(&bench);
    assert_memory_equal(bench_ask(&bench, other, "HELLO 3 AUTH default hunter2 SETNAME me\r\n").data, "%7", 2);
    ASSERT_ASK(&bench, other, "CLIENT GETNAME\r\n", "$2\r\nme\r\n");
    bench_end(&bench);
}

/* AUTH and a request that is too big for strangers, in one read: it is judged after AUTH. */
static void test_limits_change_with_authentication(void **state)
{
    (void)state;
    struct bench bench;
    start_with_password(&bench);
    char value[20001];
    memset(value, 'v', sizeof(value));
    struct buf bytes = {0};
    add_command(&bytes, "AUTH hunter2");
    resp_write_array(&bytes, 3);
    resp_write_bulk_text(&bytes, "SET");
    resp_write_bulk_text(&bytes, "k");
    resp_write_bulk(&bytes, slice_of(value, sizeof(value)));
    link_id link = bench_connect(&bench);
    bench_receive(&bench, link, buf_slice(&bytes));
    bench_turn(&bench);
    assert_bytes(bench_take(&bench, link), "+OK\r\n+OK\r\n");
    link_id stranger = bench_connect(&bench);
    bench_receive(&bench, stranger, slice_skip(buf_slice(&bytes), strlen("*2\r\n$4\r\nAUTH\r\n$7\r\nhunter2\r\n")));
    bench_turn(&bench);
    assert_bytes(bench_take(&bench, stranger), "-ERR Protocol error: unauthenticated bulk length\r\n");
    assert_false(bench.links[stranger].is_open);
    buf_free(&bytes);
    bench_end(&bench);
}

/* --- limits --- */

static void test_max_clients(void **state)
{
    (void)state;
    struct bench bench;
    struct cw_config config;
    bench_config(&config, true);
    config.max_clients = 2;
    bench_start(&bench, &config);
    link_id first = bench_connect(&bench);
    bench_connect(&bench);
    link_id third = bench_connect(&bench);
    ASSERT_ASK(&bench, third, "PING\r\n", "-ERR max number of clients reached\r\n");
    assert_false(bench.links[third].is_open);
    link_id silent = bench_connect(&bench);
    bench_advance(&bench, 1200 * NS_PER_MS);
    assert_bytes(bench_take(&bench, silent), "-ERR max number of clients reached\r\n");
    assert_false(bench.links[silent].is_open);
    ASSERT_ASK(&bench, first, "PING\r\n", "+PONG\r\n");
    bench_close(&bench, first);
    link_id next = bench_connect(&bench);
    ASSERT_ASK(&bench, next, "PING\r\n", "+PONG\r\n");
    bench_end(&bench);
}

static void test_query_buffer_limit(void **state)
{
    (void)state;
    struct bench bench;
    struct cw_config config;
    bench_config(&config, true);
    config.query_buffer_max = 1000;
    bench_start(&bench, &config);
    link_id link = bench_connect(&bench);
    ASSERT_ASK(&bench, link, "*2\r\n$4\r\nECHO\r\n$5000\r\n", "");
    char filler[999];
    memset(filler, 'x', sizeof(filler));
    bench_receive(&bench, link, slice_of(filler, sizeof(filler)));
    bench_turn(&bench);
    assert_false(bench.links[link].is_open);
    bench_end(&bench);
}

static void test_output_limit(void **state)
{
    (void)state;
    struct bench bench;
    struct cw_config config;
    bench_config(&config, true);
    config.client_output_max = 10000;
    bench_start(&bench, &config);
    link_id link = bench_connect(&bench);
    link_id listener = bench_connect(&bench);
    bench_ask(&bench, listener, "SUBSCRIBE news\r\n");
    bench_ask(&bench, listener, "PSUBSCRIBE n*\r\n");
    struct buf bytes = {0};
    for (size_t i = 0; i < 200; i++)
        buf_add_text(&bytes, "PUBLISH news 0123456789012345678901234567890123456789\r\n");
    bench_receive(&bench, link, buf_slice(&bytes));
    bench_turn(&bench);
    assert_false(bench.links[listener].is_open);
    assert_true(bench.links[link].is_open);
    bench_take(&bench, link);
    ASSERT_ASK(&bench, link, "PUBSUB NUMPAT\r\n", ":0\r\n");
    bench_end(&bench);
    buf_free(&bytes);
}

static void ask_endlessly(const struct cw_config *config, const char *request)
{
    struct bench bench;
    bench_start(&bench, config);
    link_id link = bench_connect(&bench);
    bench_ask(&bench, link, "SADD s a b c\r\nHSET h a 1 b 2\r\nZADD z 1 a\r\n");
    bench_receive(&bench, link, slice_text(request));
    bench_turn(&bench);
    assert_false(bench.links[link].is_open);
    bench_end(&bench);
}

/* A reply that could go on for ever ends when the client is to be closed for its length: its own, or where that has no
 * bound, what all may take. */
static void test_endless_replies(void **state)
{
    (void)state;
    static const char *const requests[] = {"SRANDMEMBER s -9223372036854775807\r\n",
                                           "HRANDFIELD h -9223372036854775807\r\n",
                                           "ZRANDMEMBER z -9223372036854775807\r\n"};
    struct cw_config config;
    bench_config(&config, true);
    for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
        config.client_output_max = 10000;
        ask_endlessly(&config, requests[i]);
        config.client_output_max = 0;
        config.client_memory_max = 200 << 10;
        ask_endlessly(&config, requests[i]);
    }
}

static void test_idle_timeout(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id idle = bench_connect(&bench);
    link_id listener = bench_connect(&bench);
    bench_ask(&bench, listener, "SUBSCRIBE news\r\n");
    ASSERT_ASK(&bench, idle, "CONFIG SET timeout 5\r\n", "+OK\r\n");
    bench_advance(&bench, 4900 * NS_PER_MS);
    assert_true(bench.links[idle].is_open);
    bench_advance(&bench, 400 * NS_PER_MS);
    assert_false(bench.links[idle].is_open);
    assert_true(bench.links[listener].is_open);
    bench_end(&bench);
}

/* --- waiting --- */

static void test_idle_worker_sleeps(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    ASSERT_ASK(&bench, link, "SET a b\r\n", "+OK\r\n");
    assert_true(cw_worker_door.deadline(bench.worker) == NEVER_NS);
    ASSERT_ASK(&bench, link, "EXPIRE a 1\r\n", ":1\r\n");
    assert_true(cw_worker_door.deadline(bench.worker) <= bench.now_ns + 100 * NS_PER_MS);
    bench_advance(&bench, 2 * NS_PER_S);
    assert_true(cw_worker_door.deadline(bench.worker) == NEVER_NS);
    ASSERT_ASK(&bench, link, "DBSIZE\r\n", ":0\r\n");
    bench_end(&bench);
}

static int64_t longest_after(struct bench *bench, int64_t cpu_ns)
{
    struct event turn = {.kind = EVENT_TURN, .now_ns = bench->now_ns, .wall_us = BENCH_WALL_US, .cpu_ns = cpu_ns};
    cw_worker_door.step(bench->worker, &turn, &bench->effects);
    return bench->worker->engine.statistics.longest_turn_ns;
}

/* In processor time: a turn during which the machine had other things to do was not longer for that. */
static void test_longest_turn(void **state)
{
    struct bench bench;
    (void)state;
    bench_start_standalone(&bench);
    assert_int_equal(longest_after(&bench, 5000000), 0); /* what was before the first turn is none */
    bench.now_ns += 1000 * NS_PER_S;
    assert_int_equal(longest_after(&bench, 5007000), 7000);
    assert_int_equal(longest_after(&bench, 5009000), 7000);
    assert_int_equal(longest_after(&bench, 5029000), 20000);
    link_id link = bench_connect(&bench);
    struct slice info = bench_ask(&bench, link, "INFO stats\r\n");
    assert_non_null(memmem(info.data, info.length, "\r\nrespite_longest_turn_usec:20\r\n", 32));
    bench_end(&bench);
}

static void test_wait(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    link_id other = bench_connect(&bench);
    ASSERT_ASK(&bench, link, "WAIT 0 0\r\n", ":0\r\n");
    ASSERT_ASK(&bench, link, "SET a b\r\nWAIT 1 300\r\nPING\r\n", "+OK\r\n");
    ASSERT_ASK(&bench, link, "ECHO later\r\n", "");
    ASSERT_ASK(&bench, other, "PING\r\n", "+PONG\r\n");
    bench_advance(&bench, 299 * NS_PER_MS);
    assert_bytes(bench_take(&bench, link), "");
    bench_advance(&bench, NS_PER_MS);
    assert_bytes(bench_take(&bench, link), ":0\r\n+PONG\r\n$5\r\nlater\r\n");
    ASSERT_ASK(&bench, link, "WAIT 1 0\r\n", "");
    ASSERT_ASK(&bench, other, "CLIENT UNBLOCK 1 ERROR\r\n", ":1\r\n");
    assert_bytes(bench_take(&bench, link), "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    ASSERT_ASK(&bench, link, "WAIT 1 0\r\n", "");
    ASSERT_ASK(&bench, other, "CLIENT UNBLOCK 1\r\n", ":1\r\n");
    assert_bytes(bench_take(&bench, link), ":0\r\n");
    ASSERT_ASK(&bench, other, "CLIENT UNBLOCK 1\r\n", ":0\r\n");
    ASSERT_ASK(&bench, link, "WAIT 1 0\r\nPING\r\n", "");
    bench_close(&bench, link); /* while it waits */
    ASSERT_ASK(&bench, other, "PING\r\n", "+PONG\r\n");
    bench_end(&bench);
}

static void test_client_pause(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    link_id other = bench_connect(&bench);
    ASSERT_ASK(&bench, link, "CLIENT PAUSE 500 WRITE\r\nGET a\r\nSET a 1\r\nGET a\r\n", "+OK\r\n$-1\r\n");
    ASSERT_ASK(&bench, other, "GET a\r\n", "$-1\r\n");
    bench_advance(&bench, 499 * NS_PER_MS);
    assert_bytes(bench_take(&bench, link), "");
    bench_advance(&bench, 2 * NS_PER_MS);
    assert_bytes(bench_take(&bench, link), "+OK\r\n$1\r\n1\r\n");
    ASSERT_ASK(&bench, link, "CLIENT PAUSE 100000\r\n", "+OK\r\n");
    ASSERT_ASK(&bench, other, "GET a\r\n", "");
    bench_close(&bench, other); /* while it is parked */
    bench_advance(&bench, 100 * NS_PER_S);
    ASSERT_ASK(&bench, link, "PING\r\n", "+PONG\r\n");
    bench_end(&bench);
}

static bool has_line(struct slice text, const char *line)
{
    return memmem(text.data, text.length, line, strlen(line)) != NULL;
}

/* Two pauses: until the later end, whatever one of them holds back. Who waits is counted as blocked. */
static void test_client_pause_twice(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    link_id other = bench_connect(&bench);
    ASSERT_ASK(&bench, link, "CLIENT PAUSE 500 WRITE\r\nCLIENT PAUSE 10 WRITE\r\n", "+OK\r\n+OK\r\n");
    bench_advance(&bench, 100 * NS_PER_MS);
    ASSERT_ASK(&bench, other, "SET a 1\r\n", "");
    assert_true(has_line(bench_ask(&bench, link, "INFO clients\r\n"), "\r\nblocked_clients:1\r\n"));
    bench_advance(&bench, 401 * NS_PER_MS);
    assert_bytes(bench_take(&bench, other), "+OK\r\n");
    assert_true(has_line(bench_ask(&bench, link, "INFO clients\r\n"), "\r\nblocked_clients:0\r\n"));
    ASSERT_ASK(&bench, link, "CLIENT PAUSE 200 WRITE\r\nCLIENT PAUSE 10 ALL\r\n", "+OK\r\n+OK\r\n");
    ASSERT_ASK(&bench, other, "GET a\r\n", "");
    bench_advance(&bench, 199 * NS_PER_MS);
    assert_bytes(bench_take(&bench, other), "");
    bench_advance(&bench, 2 * NS_PER_MS);
    assert_bytes(bench_take(&bench, other), "$1\r\n1\r\n");
    bench_end(&bench);
}

/* What is broken waits too, and is then refused behind what came before it. */
static void test_broken_request_while_paused(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    link_id other = bench_connect(&bench);
    ASSERT_ASK(&bench, link, "PING\r\n", "+PONG\r\n");
    ASSERT_ASK(&bench, other, "CLIENT PAUSE 500\r\n", "+OK\r\n");
    ASSERT_ASK(&bench, link, "*x\r\n", "");
    bench_advance(&bench, 501 * NS_PER_MS);
    assert_bytes(bench_take(&bench, link), "-ERR Protocol error: invalid multibulk length\r\n");
    assert_false(bench.links[link].is_open);
    bench_end(&bench);
}

/* While writes are paused, scripts that say that they write nothing do not wait; all others do. */
static void test_scripts_while_writes_are_paused(void **state)
{
    (void)state;
    static const char *const harmless[] = {
        "EVAL \"#!lua flags=no-writes\\nreturn 1\" 0\r\n",
        "EVAL_RO \"return 1\" 0\r\n",
        "EVALSHA 77f21361171213377cb083e2ffc2ae24ffdff8fb 0\r\n",
        "FCALL harmless 0\r\n",
        "FCALL_RO harmless 0\r\n",
        "FCALL HARMLESS 0\r\n",
    };
    static const char *const others[] = {
        "EVAL \"return 1\" 0\r\n",
        "EVAL \"#!lua\\nreturn 1\" 0\r\n",
        "EVAL \"#!lua flags=odd\\nreturn 1\" 0\r\n",
        "EVALSHA 0000000000000000000000000000000000000000 0\r\n",
        "EVALSHA short 0\r\n",
        "FCALL writing 0\r\n",
        "FCALL nosuch 0\r\n",
    };
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    ASSERT_ASK(&bench, link,
               "FUNCTION LOAD \"#!lua name=l\\nredis.register_function{function_name='harmless', flags={'no-writes'}, "
               "callback=function() return 1 end} redis.register_function('writing', function() return 2 end)\"\r\n",
               "$1\r\nl\r\n");
    link_id queueing = bench_connect(&bench);
    ASSERT_ASK(&bench, queueing, "MULTI\r\nFCALL writing 0\r\n", "+OK\r\n+QUEUED\r\n");
    /* The script becomes known in front of its use, in one read. */
    ASSERT_ASK(&bench, link,
               "CLIENT PAUSE 1000 WRITE\r\nSCRIPT LOAD \"#!lua flags=no-writes\\nreturn 3\"\r\n"
               "EVALSHA 50ad2340de91fe7294d5c746ad721ff185c16fc5 0\r\n",
               "+OK\r\n$40\r\n50ad2340de91fe7294d5c746ad721ff185c16fc5\r\n:3\r\n");
    for (size_t i = 0; i < ARRAY_LENGTH(harmless); i++)
        ASSERT_ASK(&bench, link, harmless[i], ":1\r\n");
    ASSERT_ASK(&bench, link, "MULTI\r\nEVAL \"#!lua flags=no-writes\\nreturn 1\" 0\r\nFCALL harmless 0\r\nEXEC\r\n",
               "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:1\r\n");
    link_id waiting[ARRAY_LENGTH(others)];
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        waiting[i] = bench_connect(&bench);
        ASSERT_ASK(&bench, waiting[i], others[i], "");
    }
    ASSERT_ASK(&bench, queueing, "EXEC\r\n", "");
    bench_advance(&bench, 1001 * NS_PER_MS);
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        assert_true(bench_take(&bench, waiting[i]).length > 0);
    assert_bytes(bench_take(&bench, queueing), "*1\r\n:2\r\n");
    bench_end(&bench);
}

/* Nothing is executed or answered while DEBUG SLEEP lasts, and then all of it, in order. */
static void test_debug_sleep(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    link_id other = bench_connect(&bench);
    ASSERT_ASK(&bench, link, "SET a 1\r\nDEBUG SLEEP 2\r\nINCR a\r\n", "");
    ASSERT_ASK(&bench, other, "GET a\r\n", "");
    bench_advance(&bench, 1999 * NS_PER_MS);
    assert_bytes(bench_take(&bench, link), "");
    bench_advance(&bench, NS_PER_MS);
    assert_bytes(bench_take(&bench, link), "+OK\r\n+OK\r\n:2\r\n");
    assert_true(bench_take(&bench, other).length > 0);
    bench_end(&bench);
}

/* Who waits for a key is not served before DEBUG SLEEP is over, and then by what is left of the key: here nothing. */
static void test_nobody_is_served_in_debug_sleep(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    link_id waiting = bench_connect(&bench);
    ASSERT_ASK(&bench, waiting, "BLPOP l 0\r\n", "");
    ASSERT_ASK(&bench, link, "MULTI\r\nRPUSH l a\r\nPEXPIRE l 100\r\nDEBUG SLEEP 0.2\r\nEXEC\r\n", "");
    bench_advance(&bench, 200 * NS_PER_MS);
    assert_bytes(bench_take(&bench, link), "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n:1\r\n:1\r\n+OK\r\n");
    assert_bytes(bench_take(&bench, waiting), "");
    ASSERT_ASK(&bench, link, "MULTI\r\nRPUSH l b\r\nDEBUG SLEEP 0.2\r\nEXEC\r\nLLEN l\r\n", "");
    assert_bytes(bench_take(&bench, waiting), "");
    bench_advance(&bench, 200 * NS_PER_MS);
    assert_bytes(bench_take(&bench, waiting), "*2\r\n$1\r\nl\r\n$1\r\nb\r\n");
    assert_bytes(bench_take(&bench, link), "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n+OK\r\n:0\r\n");
    bench_end(&bench);
}

/* Who was parked for a reason that is over goes on, although writes are still paused. */
static void test_reads_go_on_while_writes_are_paused(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    link_id reader = bench_connect(&bench);
    link_id writer = bench_connect(&bench);
    ASSERT_ASK(&bench, link, "CLIENT PAUSE 3000 WRITE\r\nDEBUG SLEEP 1\r\n", "");
    ASSERT_ASK(&bench, reader, "GET a\r\n", "");
    ASSERT_ASK(&bench, writer, "SET a 1\r\n", "");
    bench_advance(&bench, 1001 * NS_PER_MS);
    assert_bytes(bench_take(&bench, reader), "$-1\r\n");
    assert_bytes(bench_take(&bench, writer), "");
    bench_advance(&bench, 2 * NS_PER_S);
    assert_bytes(bench_take(&bench, writer), "+OK\r\n");
    bench_end(&bench);
}

/* Input that has to wait is not read without end. */
static void test_waiting_input_pauses_the_link(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    link_id other = bench_connect(&bench);
    ASSERT_ASK(&bench, other, "CLIENT PAUSE 1000 ALL\r\n", "+OK\r\n");
    struct buf bytes = {0};
    for (size_t i = 0; i < 60000; i++)
        buf_add_text(&bytes, "PING\r\n");
    bench_receive(&bench, link, buf_slice(&bytes));
    bench_turn(&bench);
    assert_true(bench.links[link].is_paused);
    bench_advance(&bench, NS_PER_S);
    assert_false(bench.links[link].is_paused);
    assert_int_equal(bench_take(&bench, link).length, 60000 * 7);
    buf_free(&bytes);
    bench_end(&bench);
}

/* --- replies that a client does not want --- */

static void test_client_reply(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    ASSERT_ASK(&bench, link, "CLIENT REPLY SKIP\r\nSET a 1\r\nGET a\r\n", "$1\r\n1\r\n");
    ASSERT_ASK(&bench, link, "CLIENT REPLY OFF\r\nSET a 2\r\nNOSUCH\r\nGET a\r\n", "");
    ASSERT_ASK(&bench, link, "CLIENT REPLY ON\r\nGET a\r\n", "+OK\r\n$1\r\n2\r\n");
    /* Pushes are no replies; the word after them is one. */
    ASSERT_ASK(&bench, link, "CLIENT REPLY OFF\r\nSUBSCRIBE c\r\nNOSUCH\r\nUNSUBSCRIBE\r\nPING\r\nSUBSCRIBE\r\n",
               "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n");
    ASSERT_ASK(&bench, link, "CLIENT REPLY ON\r\n", "+OK\r\n");
    ASSERT_ASK(&bench, link, "CLIENT REPLY SKIP\r\nSUBSCRIBE c\r\nPING\r\n",
               "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    bench_end(&bench);
}

static void test_client_kill(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    link_id victim = bench_connect(&bench);
    bench_ask(&bench, victim, "SUBSCRIBE a\r\n");
    bench_receive(&bench, victim, SLICE_LITERAL("PING\r\n"));
    bench_receive(&bench, link, SLICE_LITERAL("CLIENT KILL TYPE pubsub\r\n"));
    bench_turn(&bench);
    assert_bytes(bench_take(&bench, link), ":1\r\n");
    assert_false(bench.links[victim].is_open);
    ASSERT_ASK(&bench, link, "PUBLISH a x\r\n", ":0\r\n");
    ASSERT_ASK(&bench, link, "CLIENT KILL 127.0.0.1:1\r\n", "-ERR No such client\r\n");
    ASSERT_ASK(&bench, link, "CLIENT KILL ID 1 SKIPME no\r\nPING\r\n", ":1\r\n");
    assert_false(bench.links[link].is_open);
    bench_end(&bench);
}

/* --- roles: a worker of the appliance --- */

static struct life bench_life(void)
{
    struct life life = {.incarnation = 1, .bits = 99};
    memset(&life.node, 7, sizeof(life.node));
    return life;
}

static void send_message(struct bench *bench, link_id link, struct message *message)
{
    struct buf bytes = {0};
    if (message->kind != MESSAGE_HELLO)
        snprintf(message->group, sizeof(message->group), "main");
    message_encode(message, &bytes);
    bench_receive(bench, link, buf_slice(&bytes));
    bench_turn(bench);
    buf_free(&bytes);
}

static struct identity sentinel_identity(void)
{
    struct identity identity;
    memset(&identity, 5, sizeof(identity));
    return identity;
}

/* One sentinel that is its own majority, and the node as the only member. */
static void learn(struct bench *bench, link_id control, uint64_t version, uint64_t epoch, const struct life *master)
{
    static struct message message;
    message = (struct message){.kind = MESSAGE_LEARN};
    message.learn.ballot = (struct ballot){.counter = version, .sentinel = sentinel_identity(), .run = 1};
    struct topology *topology = &message.learn.topology;
    snprintf(topology->group, sizeof(topology->group), "main");
    topology->version = version;
    topology->epoch = epoch;
    topology->master = *master;
    topology->branch = (struct history){.count = 1, .entries = {{.epoch = epoch, .first_offset = 0}}};
    topology->member_count = 1;
    topology->members[0] = (struct member){.node = bench_life().node, .priority = 100};
    snprintf(topology->members[0].data.host, sizeof(topology->members[0].data.host), "10.0.0.1");
    topology->members[0].data.port = 1;
    topology->members[0].control = topology->members[0].data;
    topology->sentinels.count = 1;
    topology->sentinels.entries[0].sentinel = sentinel_identity();
    topology->sentinels.entries[0].address = topology->members[0].data;
    send_message(bench, control, &message);
}

static void grant(struct bench *bench, link_id control, uint64_t k, uint64_t epoch)
{
    static struct message message;
    message = (struct message){.kind = MESSAGE_POLL, .poll = {.k = k, .version = 1}};
    send_message(bench, control, &message);
    message = (struct message){.kind = MESSAGE_GRANT, .grant = {.k = k, .life = bench_life(), .epoch = epoch}};
    send_message(bench, control, &message);
}

static link_id start_node(struct bench *bench)
{
    struct cw_config config;
    bench_config(&config, false);
    bench_start(bench, &config);
    assert_true(bench->listening);
    link_id control = bench_connect_to(bench, CW_LISTENER_CONTROL);
    static struct message message;
    message = (struct message){.kind = MESSAGE_HELLO};
    message.hello.kind = PEER_SENTINEL;
    message.hello.sender = sentinel_identity();
    message.hello.secret = SLICE_LITERAL("secret");
    message.hello.protocol = CONTROL_PROTOCOL;
    send_message(bench, control, &message);
    assert_true(bench->links[control].is_open);
    return control;
}

static const char master_down[] =
    "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n";

static void test_unadopted_serves_no_data(void **state)
{
    (void)state;
    struct bench bench;
    start_node(&bench);
    link_id link = bench_connect(&bench);
    ASSERT_ASK(&bench, link, "GET a\r\n", master_down);
    ASSERT_ASK(&bench, link, "SET a b\r\n", master_down);
    assert_memory_equal(bench_ask(&bench, link, "INFO server\r\n").data, "$", 1);
    bench_end(&bench);
}

static void test_lease_gates_commands_and_replies(void **state)
{
    (void)state;
    struct bench bench;
    link_id control = start_node(&bench);
    struct life self = bench_life();
    learn(&bench, control, 1, 1, &self);
    link_id link = bench_connect(&bench);
    ASSERT_ASK(&bench, link, "SET a 1\r\n", ""); /* master, but without a lease */
    grant(&bench, control, 1, 1);
    assert_bytes(bench_take(&bench, link), "+OK\r\n");
    bench_advance(&bench, 4899 * NS_PER_MS);
    ASSERT_ASK(&bench, link, "INCR a\r\n", ":2\r\n");
    bench_advance(&bench, 2 * NS_PER_MS);
    ASSERT_ASK(&bench, link, "INCR a\r\nPING\r\n", "");
    grant(&bench, control, 2, 1);
    assert_bytes(bench_take(&bench, link), ":3\r\n+PONG\r\n");
    bench_end(&bench);
}

/* The lease runs out between execution and the moment when the bytes would leave. */
static void test_executed_but_too_late(void **state)
{
    (void)state;
    struct bench bench;
    link_id control = start_node(&bench);
    struct life self = bench_life();
    learn(&bench, control, 1, 1, &self);
    grant(&bench, control, 1, 1);
    link_id link = bench_connect(&bench);
    struct effects effects = {0};
    struct event received = {.kind = EVENT_RECEIVED,
                             .link = link,
                             .bytes = SLICE_LITERAL("SET a 1\r\n"),
                             .now_ns = bench.now_ns,
                             .wall_us = BENCH_WALL_US};
    struct event turn = {.kind = EVENT_TURN, .now_ns = bench.now_ns, .wall_us = BENCH_WALL_US};
    cw_worker_door.step(bench.worker, &received, &effects);
    cw_worker_door.step(bench.worker, &turn, &effects);
    effects_free(&effects);
    assert_int_equal(cw_worker_door.output(bench.worker, link, bench.now_ns + 5 * NS_PER_S).length, 0);
    assert_int_equal(cw_worker_door.output(bench.worker, link, bench.now_ns).length, 5);
    bench_end(&bench);
}

static void test_end_of_term(void **state)
{
    (void)state;
    struct bench bench;
    link_id control = start_node(&bench);
    struct life self = bench_life();
    learn(&bench, control, 1, 1, &self);
    grant(&bench, control, 1, 1);
    link_id attached = bench_connect(&bench);
    ASSERT_ASK(&bench, attached, "RESPITE ATTACH wrong 1 07070707070707070707070707070707 1 99\r\n",
               "-WRONGPASS wrong secret\r\n");
    assert_false(bench.links[attached].is_open);
    attached = bench_connect(&bench);
    ASSERT_ASK(&bench, attached, "RESPITE ATTACH secret 1 07070707070707070707070707070707 1 99\r\nSET a 1\r\n",
               "+OK\r\n+OK\r\n");
    bench_advance(&bench, 6 * NS_PER_S);
    ASSERT_ASK(&bench, attached, "INCR a\r\nGET a\r\n", "");
    struct life other = self;
    other.node.bytes[0] = 8;
    learn(&bench, control, 2, 2, &other);
    const char *refusal = "-NOTMASTER this node's term as master is over; the command was not executed\r\n";
    char expected[256];
    snprintf(expected, sizeof(expected), "%s%s", refusal, refusal);
    assert_bytes(bench_take(&bench, attached), expected);
    assert_false(bench.links[attached].is_open);
    attached = bench_connect(&bench);
    assert_memory_equal(
        bench_ask(&bench, attached, "RESPITE ATTACH secret 1 07070707070707070707070707070707 1 99\r\n").data,
        "-NOTMASTER", 10);
    bench_end(&bench);
}

#define ATTACH "RESPITE ATTACH secret 1 07070707070707070707070707070707 1 99\r\n"

/* A proxy hears that a command waits, once, and how it would go on elsewhere; nobody else does. */
static void test_a_proxy_hears_of_waiting(void **state)
{
    (void)state;
    struct bench bench;
    link_id control = start_node(&bench);
    struct life self = bench_life();
    learn(&bench, control, 1, 1, &self);
    grant(&bench, control, 1, 1);
    link_id attached = bench_connect(&bench), other = bench_connect(&bench);
    ASSERT_ASK(&bench, attached, ATTACH, "+OK\r\n");
    ASSERT_ASK(&bench, attached, "BLPOP k 0\r\nPING\r\n",
               ">3\r\n$14\r\nrespite-parked\r\n$1\r\n1\r\n*3\r\n$5\r\nBLPOP\r\n$1\r\nk\r\n$1\r\n0\r\n");
    ASSERT_ASK(&bench, other, "MULTI\r\nRPUSH k v\r\nDEL k\r\nEXEC\r\n",
               "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:1\r\n");
    assert_bytes(bench_take(&bench, attached), "");
    ASSERT_ASK(&bench, other, "RPUSH k v\r\n", ":1\r\n");
    assert_bytes(bench_take(&bench, attached), "*2\r\n$1\r\nk\r\n$1\r\nv\r\n+PONG\r\n");
    ASSERT_ASK(&bench, other, "BLPOP k 0.01\r\n", "");
    ASSERT_ASK(&bench, attached, "XADD s 7-7 f v\r\n", "$3\r\n7-7\r\n");
    ASSERT_ASK(
        &bench, attached, "XREAD BLOCK 9 STREAMS s $\r\n",
        ">3\r\n$14\r\nrespite-parked\r\n$1\r\n1\r\n*6\r\n$5\r\nXREAD\r\n$5\r\nBLOCK\r\n$1\r\n9\r\n$7\r\nSTREAMS\r\n"
        "$1\r\ns\r\n$3\r\n7-7\r\n");
    struct life master = self;
    master.node.bytes[0] = 8;
    learn(&bench, control, 2, 2, &master);
    assert_bytes(bench_take(&bench, attached),
                 "-NOTMASTER this node's term as master is over; the command was not executed\r\n");
    bench_end(&bench);
}

/* Behind a proxy, the writes that WAIT asks about came by another link. */
static void test_wait_of_a_proxys_client(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench); /* it has no proxies, but replicas that the test can play */
    link_id shared = bench_connect(&bench), own = bench_connect(&bench), direct = bench_connect(&bench);
    cw_engine_attach(&bench.worker->engine, own);
    link_id replica = bench_attach_replica(&bench);
    ASSERT_ASK(&bench, own, "WAIT 1 0\r\n", ":1\r\n");
    ASSERT_ASK(&bench, shared, "SET a 1\r\n", "+OK\r\n");
    ASSERT_ASK(&bench, direct, "WAIT 1 0\r\n", ":1\r\n"); /* it has written nothing */
    ASSERT_ASK(&bench, own, "WAIT 1 0\r\n", "");
    char line[64];
    snprintf(line, sizeof(line), "REPLCONF ACK %llu\r\n",
             (unsigned long long)cw_repl_offset(bench.worker->engine.repl));
    bench_take(&bench, replica);
    bench_receive(&bench, replica, slice_text(line));
    bench_turn(&bench);
    assert_bytes(bench_take(&bench, own), ":1\r\n");
    bench_end(&bench);
}

static void test_control_link_wants_the_secret(void **state)
{
    (void)state;
    struct bench bench;
    start_node(&bench);
    link_id control = bench_connect_to(&bench, CW_LISTENER_CONTROL);
    ASSERT_ASK(&bench, control, "GET a\r\n", "-ERR this port speaks RESPITE only; PING and INFO are answered too\r\n");
    ASSERT_ASK(&bench, control, "PING\r\n", "+PONG\r\n");
    ASSERT_ASK(&bench, control, "RESPITE POLL main 1 1\r\n", "-NOAUTH say HELLO first\r\n");
    assert_false(bench.links[control].is_open);
    control = bench_connect_to(&bench, CW_LISTENER_CONTROL);
    ASSERT_ASK(&bench, control, "*1\r\n$x\r\n", "-ERR Protocol error: invalid bulk length\r\n");
    assert_false(bench.links[control].is_open);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipeline_split_at_every_byte),
        cmocka_unit_test(test_pipeline_byte_by_byte),
        cmocka_unit_test(test_bytes_twice_in_a_turn),
        cmocka_unit_test(test_big_value_in_pieces),
        cmocka_unit_test(test_order_over_many_links),
        cmocka_unit_test(test_nobody_waits_for_a_long_pipeline),
        cmocka_unit_test(test_one_flush_per_turn),
        cmocka_unit_test(test_idle_session_is_small),
        cmocka_unit_test(test_password),
        cmocka_unit_test(test_limits_change_with_authentication),
        cmocka_unit_test(test_max_clients),
        cmocka_unit_test(test_query_buffer_limit),
        cmocka_unit_test(test_output_limit),
        cmocka_unit_test(test_endless_replies),
        cmocka_unit_test(test_idle_timeout),
        cmocka_unit_test(test_idle_worker_sleeps),
        cmocka_unit_test(test_longest_turn),
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_client_pause),
        cmocka_unit_test(test_client_pause_twice),
        cmocka_unit_test(test_scripts_while_writes_are_paused),
        cmocka_unit_test(test_broken_request_while_paused),
        cmocka_unit_test(test_debug_sleep),
        cmocka_unit_test(test_nobody_is_served_in_debug_sleep),
        cmocka_unit_test(test_reads_go_on_while_writes_are_paused),
        cmocka_unit_test(test_waiting_input_pauses_the_link),
        cmocka_unit_test(test_client_reply),
        cmocka_unit_test(test_client_kill),
        cmocka_unit_test(test_unadopted_serves_no_data),
        cmocka_unit_test(test_lease_gates_commands_and_replies),
        cmocka_unit_test(test_executed_but_too_late),
        cmocka_unit_test(test_end_of_term),
        cmocka_unit_test(test_a_proxy_hears_of_waiting),
        cmocka_unit_test(test_wait_of_a_proxys_client),
        cmocka_unit_test(test_control_link_wants_the_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
