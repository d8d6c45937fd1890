/* What the HyperLogLog commands reply and propagate; the words are those that a Redis 7.2 server answers. */
#include "cacheworker/hyperloglog/hyperloglog.h"
#include "tests/unit/cacheworker/call_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define CORRUPT    "-INVALIDOBJ Corrupted HLL object detected "
#define NO_HLL     "-WRONGTYPE Key is not a valid HyperLogLog string value. "
#define WRONG_TYPE "-WRONGTYPE Operation against a key holding the wrong kind of value "

#define HEADER "HYLL\\x01\\x00\\x00\\x00"
#define STALE  HEADER "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80"

static int open_fixture(void **state)
{
    static struct call_fixture fixture;
    call_fixture_open(&fixture);
    *state = &fixture;
    return 0;
}

static int close_fixture(void **state)
{
    call_fixture_close(*state);
    return 0;
}

static void test_add_and_count(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "PFADD a", ":1 ", "PFADD a"); /* an empty one appears */
    assert_effect(fixture, "PFADD a", ":0 ", "");
    assert_effect(fixture, "PFADD a x y z", ":1 ", "PFADD a x y z");
    assert_int_equal(fixture->dirty, 3);
    assert_effect(fixture, "PFADD a z x", ":0 ", "");
    assert_effect(fixture, "PFCOUNT none", ":0 ", "");
    assert_effect(fixture, "PFADD b z 1", ":1 ", "PFADD b z 1");
    assert_effect(fixture, "PFCOUNT a none b", ":4 ", "");
    assert_effect(fixture, "PFMERGE c a none b", "+OK ", "PFMERGE c a none b");
    assert_effect(fixture, "PFMERGE c", "+OK ", "PFMERGE c");
    assert_reply(fixture, "PFCOUNT c", ":4 ");
    assert_reply(fixture, "OBJECT ENCODING c", "$3 raw ");
    assert_reply(fixture, "EXPIRE a 100", ":1 ");
    assert_reply(fixture, "PFADD a w", ":1 ");
    assert_reply(fixture, "TTL a", ":100 ");
}

/* The count that is kept changes the value, so it is propagated; a replica's reader changes nothing. */
static void test_kept_count(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "PFADD a x y z", ":1 ");
    assert_reply(fixture, "GETRANGE a 15 15", "$1 \x80 ");
    cw_keyspace_set_expiry_mode(fixture->keyspace, CW_EXPIRY_HIDES);
    assert_effect(fixture, "PFCOUNT a", ":3 ", "");
    assert_reply(fixture, "GETRANGE a 15 15", "$1 \x80 ");
    cw_keyspace_set_expiry_mode(fixture->keyspace, CW_EXPIRY_DELETES);
    assert_effect(fixture, "PFCOUNT a", ":3 ", "PFCOUNT a");
    assert_reply(fixture, "GETRANGE a 8 8", "$1 \x03 ");
    assert_effect(fixture, "PFCOUNT a", ":3 ", "");
    assert_effect(fixture, "PFADD a x", ":0 ", "");
    assert_effect(fixture, "PFCOUNT a", ":3 ", "");
    assert_effect(fixture, "PFADD a w", ":1 ", "PFADD a w");
    assert_reply(fixture, "GETRANGE a 15 15", "$1 \x80 ");
    /* It is believed as long as it is not said to be stale. */
    assert_reply(fixture, "SETRANGE a 8 \"\\x07\\x01\\x00\\x00\\x00\\x00\\x00\\x00\"", ":29 ");
    assert_effect(fixture, "PFCOUNT a", ":263 ", "");
    cw_keyspace_set_expiry_mode(fixture->keyspace, CW_EXPIRY_IGNORED); /* as the stream is applied */
    assert_reply(fixture, "PFADD a v", ":1 ");
    assert_reply(fixture, "PFCOUNT a", ":5 ");
    assert_reply(fixture, "GETRANGE a 8 8", "$1 \x05 ");
}

static void test_dense(void **state)
{
    struct call_fixture *fixture = *state;
    fixture->settings.hll_sparse_max_bytes = 30;
    assert_reply(fixture, "PFADD a 1 2 3 4", ":1 ");
    assert_reply(fixture, "PFDEBUG ENCODING a", "+sparse ");
    assert_effect(fixture, "PFADD a 5", ":1 ", "PFADD a 5");
    assert_reply(fixture, "PFDEBUG ENCODING a", "+dense ");
    assert_reply(fixture, "STRLEN a", ":12304 ");
    assert_effect(fixture, "PFCOUNT a", ":5 ", "PFCOUNT a");
    assert_effect(fixture, "PFADD a 5 4 3", ":0 ", "");
    assert_effect(fixture, "PFCOUNT a", ":5 ", "");
    assert_effect(fixture, "PFADD a 6 7 5", ":1 ", "PFADD a 6 7 5");
    assert_effect(fixture, "PFCOUNT a", ":7 ", "PFCOUNT a");
    fixture->settings.hll_sparse_max_bytes = 3000;
    assert_reply(fixture, "PFADD b 1 8", ":1 ");
    assert_reply(fixture, "PFMERGE b a", "+OK ");
    assert_reply(fixture, "PFDEBUG ENCODING b", "+dense ");
    assert_reply(fixture, "PFCOUNT b", ":8 ");
    assert_reply(fixture, "PFCOUNT a b none", ":8 ");
}

static void test_debug(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "PFADD a x y z", ":1 ");
    assert_effect(fixture, "PFDEBUG DECODE a", "$42 Z:8581 v:1,1 Z:6350 v:3,1 Z:1441 v:2,1 z:9 ", "");
    assert_effect(fixture, "PFDEBUG todense a", ":1 ", "PFDEBUG todense a");
    assert_effect(fixture, "PFDEBUG TODENSE a", ":0 ", "");
    assert_effect(fixture, "PFDEBUG DECODE a", "-ERR HLL encoding is not sparse ", "");
    assert_reply(fixture, "PFADD b x", ":1 ");
    call_fixture_run(fixture, "PFDEBUG GETREG b");
    struct slice reply = buf_slice(&fixture->reply);
    assert_int_equal(reply.length, 8 + 16384 * 4);
    assert_memory_equal(reply.data, "*16384\r\n:0\r\n", 12);
    assert_true(slice_equal(buf_slice(&fixture->propagated), SLICE_LITERAL("PFDEBUG GETREG b")));
    assert_reply(fixture, "PFDEBUG ENCODING b", "+dense ");
    assert_reply(fixture, "PFDEBUG ENCODING none", "-ERR The specified key does not exist ");
    assert_reply(fixture, "PFDEBUG WHAT none", "-ERR The specified key does not exist ");
    assert_reply(fixture, "PFDEBUG WHAT a", "-ERR Unknown PFDEBUG subcommand 'WHAT' ");
    assert_effect(fixture, "PFSELFTEST", "+OK ", "");
}

static void assert_all(struct call_fixture *fixture, const char *error)
{
    static const char *const lines[] = {"PFADD k x",   "PFCOUNT k",   "PFCOUNT h k",      "PFMERGE k",
                                        "PFMERGE k h", "PFMERGE h k", "PFDEBUG DECODE k", "PFDEBUG WHAT k"};
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        assert_effect(fixture, lines[i], error, "");
}

static void test_no_hyperloglog(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "PFADD h x", ":1 ");
    assert_reply(fixture, "SET k HYLL", "+OK ");
    assert_all(fixture, NO_HLL);
    assert_reply(fixture, "SET k \"HYLL\\x02\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\"", "+OK ");
    assert_all(fixture, NO_HLL);
    struct slice key = SLICE_LITERAL("k");
    struct cw_ref ref;
    cw_keyspace_open(fixture->keyspace, 0, key, cw_keyspace_hash(fixture->keyspace, key), fixture->now_ms, &ref);
    cw_keyspace_put(fixture->keyspace, &ref, CW_TYPE_LIST, CW_ENCODING_PLAIN, SLICE_LITERAL("packed"));
    assert_all(fixture, WRONG_TYPE);
}

static void test_corrupt(void **state)
{
    struct call_fixture *fixture = *state;
    static const char *const runs[] = {"", "\\x7f", "\\x7f\\xfe", "\\x7f\\xff\\x80", "\\x7f\\xff\\x00"};
    static const char *const lines[] = {"PFCOUNT s",   "PFCOUNT s none", "PFMERGE s",         "PFMERGE t s",
                                        "PFMERGE s t", "PFADD s x",      "PFDEBUG TODENSE s", "PFDEBUG GETREG s"};
    fixture->settings.hll_sparse_max_bytes = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(runs); i++)
        for (size_t j = 0; j < ARRAY_LENGTH(lines); j++) {
            char line[128];
            snprintf(line, sizeof(line), "SET s \"" STALE "%s\"", runs[i]);
            assert_reply(fixture, line, "+OK ");
            assert_effect(fixture, lines[j], CORRUPT, "");
        }
    assert_reply(fixture, "EXISTS t", ":0 ");
    assert_effect(fixture, "PFDEBUG DECODE s", CORRUPT, "");
    /* Longer than any that is valid: not even looked into. */
    assert_reply(fixture, "SET s \"" STALE "\\x7f\\xff\"", "+OK ");
    assert_reply(fixture, "SETRANGE s 40000 x", ":40001 ");
    assert_effect(fixture, "PFADD s x", CORRUPT, "");
    assert_effect(fixture, "PFCOUNT s", CORRUPT, "");
    assert_effect(fixture, "PFDEBUG TODENSE s", CORRUPT, "");
}

/* What was added before the corrupt run was met stays, and the replicas are told. */
static void test_partly_added(void **state)
{
    struct call_fixture *fixture = *state;
    /* "a" is noted in register 12711, "f" in 1646. */
    assert_reply(fixture, "SET s \"" HEADER "\\x09\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x50\\x00\"", "+OK ");
    assert_effect(fixture, "PFADD s a f", CORRUPT, "");
    assert_effect(fixture, "PFADD s f a", CORRUPT, "PFADD s f a");
    assert_effect(fixture, "PFDEBUG DECODE s", "$19 Z:1646 v:1,1 Z:2450 ", "");
    assert_reply(fixture, "GETRANGE s 15 15", "$1 \x80 ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        TEST(test_add_and_count),  TEST(test_kept_count), TEST(test_dense),        TEST(test_debug),
        TEST(test_no_hyperloglog), TEST(test_corrupt),    TEST(test_partly_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
