/* DEBUG, where it looks at memory or at the disk; the rest stands in tests/golden/engine/debug.txt. */
#include "cacheworker/engine/digest.h"
#include "tests/unit/cacheworker/engine/bench.h"
#include "tests/unit/cacheworker/memory_storage.h"

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

static void start_with_storage(struct bench *bench, struct memory_storage *memory)
{
    struct cw_config config;
    memory_storage_init(memory);
    bench_config(&config, true);
    config.storage = &memory->storage;
    bench_start(bench, &config);
}

static void keep(char text[256], struct slice reply)
{
    assert_in_range(reply.length, 1, 255);
    snprintf(text, 256, "%.*s", (int)reply.length, reply.data);
}

static void test_reload(void **state)
{
    (void)state;
    struct bench bench;
    struct memory_storage memory;
    char before[256], after[256];
    start_with_storage(&bench, &memory);
    link_id link = bench_connect(&bench);
    ASSERT_ASK(&bench, link, "SET a 1\r\nSET b 2 EX 100\r\nSELECT 3\r\nAPPEND c xyz\r\n",
               "+OK\r\n+OK\r\n+OK\r\n:3\r\n");
    keep(before, bench_ask(&bench, link, "DEBUG DIGEST\r\n"));
    /* What stands behind it in the pipeline, and came with it, finds its keys in the new table. */
    ASSERT_ASK(&bench, link, "DEBUG RELOAD\r\nGET c\r\nSELECT 0\r\nGET a\r\nTTL b\r\nDBSIZE\r\n",
               "+OK\r\n$3\r\nxyz\r\n+OK\r\n$1\r\n1\r\n:100\r\n:2\r\n");
    keep(after, bench_ask(&bench, link, "DEBUG DIGEST\r\n"));
    assert_string_equal(before, after);
    ASSERT_ASK(&bench, link, "DEBUG LOADAOF\r\nGET a\r\n", "+OK\r\n$1\r\n1\r\n");
    assert_true(memory.exists);
    bench_end(&bench);
    memory_storage_free(&memory);
}

/* A disk that is full leaves the data alone. */
static void test_reload_fails(void **state)
{
    (void)state;
    struct bench bench;
    struct memory_storage memory;
    start_with_storage(&bench, &memory);
    link_id link = bench_connect(&bench);
    memory.write_limit = 10;
    struct slice reply = bench_ask(&bench, link, "SET a 1\r\nDEBUG RELOAD\r\nGET a\r\n");
    assert_non_null(memmem(reply.data, reply.length, "+OK\r\n-ERR ", 10));
    ASSERT_ASK(&bench, link, "GET a\r\n", "$1\r\n1\r\n");
    bench_end(&bench);
    memory_storage_free(&memory);
}

/* The picture that a replica is being given must not be taken away. A turn executes 4096 requests, then the snapshot
 * begins, and the next turn comes to the last request. */
static void test_no_reload_during_a_snapshot(void **state)
{
    (void)state;
    enum { KEYS = 100000, REQUESTS = 5000 };
    static const char expected[] = "+PONG\r\n-ERR a replica is being given a snapshot; try again later\r\n";
    struct bench bench;
    struct memory_storage memory;
    struct buf requests = {0};
    start_with_storage(&bench, &memory);
    link_id link = bench_connect(&bench);
    link_id replica = bench_connect(&bench);
    for (unsigned i = 0; i < KEYS; i++)
        buf_add_format(&requests, "SET key:%u 1234567890123456\r\n", i);
    bench_receive(&bench, link, buf_slice(&requests));
    bench_turn(&bench);
    bench_take(&bench, link);
    buf_clear(&requests);
    for (unsigned i = 0; i < REQUESTS; i++)
        buf_add_text(&requests, "PING\r\n");
    buf_add_text(&requests, "DEBUG RELOAD\r\n");
    bench_receive(&bench, replica, SLICE_LITERAL("PSYNC ? -1\r\n"));
    bench_receive(&bench, link, buf_slice(&requests));
    bench_turn(&bench);
    assert_bytes(slice_skip(bench_take(&bench, link), (REQUESTS - 1) * strlen("+PONG\r\n")), expected);
    assert_true(bench_take(&bench, replica).length > (size_t)KEYS * 16); /* the whole picture came */
    ASSERT_ASK(&bench, link, "DEBUG RELOAD\r\nDBSIZE\r\n", "+OK\r\n:100000\r\n");
    buf_free(&requests);
    bench_end(&bench);
    memory_storage_free(&memory);
}

static void test_object(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    unsigned long long first, second;
    char text[256], rest[256];
    ASSERT_ASK(&bench, link, "SET a 20000\r\n", "+OK\r\n");
    keep(text, bench_ask(&bench, link, "DEBUG OBJECT a\r\n"));
    assert_int_equal(sscanf(text, "+Value at:0x%llx %255[^\r]", &first, rest), 2);
    assert_string_equal(rest, "refcount:1 encoding:int serializedlength:3 lru:5501185 lru_seconds_idle:0");
    bench_advance(&bench, 5 * NS_PER_S);
    ASSERT_ASK(&bench, link, "INCR a\r\n", ":20001\r\n");
    bench_advance(&bench, 5 * NS_PER_S);
    keep(text, bench_ask(&bench, link, "DEBUG OBJECT a\r\n"));
    assert_int_equal(sscanf(text, "+Value at:0x%llx %255[^\r]", &second, rest), 2);
    assert_string_equal(rest, "refcount:1 encoding:int serializedlength:3 lru:5501190 lru_seconds_idle:5");
    assert_int_equal(first, second);
    ASSERT_ASK(&bench, link, "SET a 20\r\n", "+OK\r\n");
    keep(text, bench_ask(&bench, link, "DEBUG OBJECT a\r\n"));
    assert_non_null(strstr(text, "refcount:2147483647 encoding:int serializedlength:2"));
    /* What is due stands there until a command looks for it. */
    ASSERT_ASK(&bench, link, "DEBUG SET-ACTIVE-EXPIRE 0\r\nPEXPIRE a 1\r\n", "+OK\r\n:1\r\n");
    bench_advance(&bench, 2 * NS_PER_MS);
    for (int i = 0; i < 2; i++) {
        keep(text, bench_ask(&bench, link, "DEBUG OBJECT a\r\n"));
        assert_non_null(strstr(text, "encoding:int"));
    }
    ASSERT_ASK(&bench, link, "EXISTS a\r\nDEBUG OBJECT a\r\n", ":0\r\n-ERR no such key\r\n");
    bench_end(&bench);
}

/* "@" stands for 3000 bytes: with them a value is not packed any more, and so it stays. */
static void add_lines(struct buf *request, const char *lines)
{
    for (; *lines != '\0'; lines++) {
        if (*lines != '@')
            buf_add(request, lines, 1);
        else
            buf_add_format(request, "%03000d", 0);
    }
    buf_add_text(request, "\r\n");
}

/* Values of one type: a digest sees what is in them, not how they came to be or how they are kept. */
static void test_digests_of_types(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool is_same;
    } cases[] = {
        {"HSET a f 1 g 2", "HSET b g 2 f 1", true},
        {"HSET a f 1 g 2", "HSET b f 1 g 2 h @\r\nHDEL b h", true},
        {"HSET a f 1 g 2", "HSET b f 2 g 1", false},
        {"HSET a f 1 g 2", "HSET b f 1", false},
        {"HSET a f g", "HSET b g f", false},
        {"ZADD a 1 x 2.5 y", "ZADD b 2.5 y 1 x", true},
        {"ZADD a 1 x 2.5 y", "ZADD b 1 x 2.5 y 7 @\r\nZREM b @", true},
        {"ZADD a 1 x 2.5 y", "ZADD b 1 y 2.5 x", false},
        {"ZADD a 1 x 2.5 y", "ZADD b 1 x", false},
        {"ZADD a 1 2", "HSET b 2 1", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct bench bench;
        bench_start_standalone(&bench);
        link_id link = bench_connect(&bench);
        struct buf request = {0};
        char reply[256], a[CW_DIGEST_TEXT_LENGTH + 1], b[CW_DIGEST_TEXT_LENGTH + 1];
        add_lines(&request, cases[i].a);
        add_lines(&request, cases[i].b);
        bench_receive(&bench, link, buf_slice(&request));
        bench_turn(&bench);
        bench_take(&bench, link);
        keep(reply, bench_ask(&bench, link, "DEBUG DIGEST-VALUE a b\r\n"));
        assert_int_equal(sscanf(reply, "*2\r\n+%40s\r\n+%40s\r\n", a, b), 2);
        assert_string_not_equal(a, "0000000000000000000000000000000000000000");
        if ((strcmp(a, b) == 0) != cases[i].is_same)
            fail_msg("%s, %s: %s, %s", cases[i].a, cases[i].b, a, b);
        buf_free(&request);
        bench_end(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_reload_fails),
        cmocka_unit_test(test_no_reload_during_a_snapshot),
        cmocka_unit_test(test_object),
        cmocka_unit_test(test_digests_of_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
