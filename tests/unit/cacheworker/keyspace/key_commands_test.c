/* Replies and effects of the commands on keys of any type and on databases. */
#include "tests/unit/cacheworker/call_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

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

static void test_existence(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "MSET a 1 b 2 c 3", "+OK ");
    assert_reply(fixture, "EXISTS a a none b", ":3 ");
    assert_int_equal(cw_keyspace_stats(fixture->keyspace)->misses, 1);
    assert_reply(fixture, "TOUCH a none b", ":2 ");
    assert_reply(fixture, "TYPE a", "+string ");
    assert_reply(fixture, "TYPE none", "+none ");
    assert_effect(fixture, "DEL none", ":0 ", "");
    assert_effect(fixture, "DEL a a none", ":1 ", "DEL a a none");
    assert_effect(fixture, "UNLINK b c", ":2 ", "UNLINK b c");
    assert_int_equal(fixture->dirty, 2);
    assert_reply(fixture, "DBSIZE", ":0 ");
    assert_reply(fixture, "DEL", "-ERR wrong number of arguments for 'del' command ");
}

static void test_rename(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "RENAME a b", "-ERR no such key ");
    assert_reply(fixture, "RENAMENX a a", "-ERR no such key ");
    assert_reply(fixture, "SET a 1 EX 10", "+OK ");
    assert_effect(fixture, "RENAME a a", "+OK ", "");
    assert_effect(fixture, "RENAMENX a a", ":0 ", "");
    assert_reply(fixture, "SET b 2", "+OK ");
    assert_effect(fixture, "RENAMENX a b", ":0 ", "");
    assert_effect(fixture, "RENAME a b", "+OK ", "RENAME a b");
    assert_reply(fixture, "GET b", "$1 1 ");
    assert_reply(fixture, "TTL b", ":10 ");
    assert_reply(fixture, "EXISTS a", ":0 ");
    assert_effect(fixture, "RENAMENX b c", ":1 ", "RENAMENX b c");
}

/* Of commands that pick members, in three types: no number that has no opposite says how many. */
static void test_signed_counts(void **state)
{
    struct call_fixture *fixture = *state;
    static const char range[] = "-ERR value is out of range, value must between -9223372036854775807 and "
                                "9223372036854775807 ";
    assert_reply(fixture, "HRANDFIELD none -9223372036854775808", range);
    assert_reply(fixture, "HRANDFIELD none -9223372036854775808 x", range);
    assert_reply(fixture, "HRANDFIELD none -9223372036854775807", "*0 ");
    assert_reply(fixture, "HRANDFIELD none -4611686018427387904 WITHVALUES", "-ERR value is out of range ");
    assert_reply(fixture, "SRANDMEMBER none -9223372036854775808", range);
    assert_reply(fixture, "SRANDMEMBER none -9223372036854775807", "*0 ");
    assert_reply(fixture, "ZRANDMEMBER none -9223372036854775808 x", range);
    assert_reply(fixture, "ZRANDMEMBER none -9223372036854775808", range);
    assert_reply(fixture, "ZRANDMEMBER none 9223372036854775808", "-ERR value is not an integer or out of range ");
    assert_reply(fixture, "ZRANDMEMBER none 9223372036854775807", "*0 ");
}

#define TEN  "xxxxxxxxxx"
#define LONG TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

/* One value can be named a million times: nobody gathers a reply that the client is to be closed for. */
static void test_replies_end_when_they_are_full(void **state)
{
    struct call_fixture *fixture = *state;
    static const char *const lines[] = {
        "MGET a a a a a a a a", "HMGET h a a a a a a a a", "SORT l GET a* GET a* GET a*",
        "ZRANDMEMBER z -8",     "HRANDFIELD g -8",         "SRANDMEMBER s -8"};
    static const char *const makes[] = {"SET a " LONG,  "SET a1 " LONG,      "HSET h a " LONG, "ZADD z 1 " LONG,
                                        "SADD s " LONG, "HSET g " LONG " v", "RPUSH l 1 1 1"};
    for (size_t i = 0; i < ARRAY_LENGTH(makes); i++)
        call_fixture_run(fixture, makes[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        fixture->settings.output.of[CW_OUTPUT_NORMAL].hard = 0;
        call_fixture_run(fixture, lines[i]);
        size_t whole = buf_length(&fixture->reply);
        fixture->settings.output.of[CW_OUTPUT_NORMAL].hard = 150;
        call_fixture_run(fixture, lines[i]);
        assert_in_range(buf_length(&fixture->reply), 150, 270);
        assert_true(whole > 400);
    }
}

static void test_copy_and_move(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "COPY a b", ":0 ");
    assert_reply(fixture, "SET a 1 EX 10", "+OK ");
    assert_effect(fixture, "COPY a b", ":1 ", "COPY a b");
    assert_reply(fixture, "TTL b", ":10 ");
    assert_reply(fixture, "SET a 2", "+OK ");
    assert_effect(fixture, "COPY a b", ":0 ", "");
    assert_reply(fixture, "COPY a b REPLACE", ":1 ");
    assert_reply(fixture, "GET b", "$1 2 ");
    assert_reply(fixture, "TTL b", ":-1 ");
    assert_reply(fixture, "COPY a a", "-ERR source and destination objects are the same ");
    assert_reply(fixture, "COPY a a DB 1", ":1 ");
    assert_reply(fixture, "COPY a b DB 16", "-ERR DB index is out of range ");
    assert_reply(fixture, "COPY a b DB x", "-ERR value is not an integer or out of range ");
    assert_reply(fixture, "COPY a b DB 3000000000",
                 "-ERR value is out of range, value must between -2147483648 and 2147483647 ");
    assert_reply(fixture, "COPY a b DB", "-ERR syntax error ");
    assert_reply(fixture, "MOVE a 0", "-ERR source and destination objects are the same ");
    assert_reply(fixture, "MOVE a 16", "-ERR DB index is out of range ");
    assert_effect(fixture, "MOVE a 1", ":0 ", "");
    assert_effect(fixture, "MOVE a 2", ":1 ", "MOVE a 2");
    assert_reply(fixture, "MOVE a 2", ":0 ");
    assert_reply(fixture, "SELECT 2", "+OK ");
    assert_reply(fixture, "GET a", "$1 2 ");
}

static void test_databases(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "MSET a 1 b 2", "+OK ");
    assert_effect(fixture, "SWAPDB 0 1", "+OK ", "SWAPDB 0 1");
    assert_reply(fixture, "DBSIZE", ":0 ");
    assert_reply(fixture, "SWAPDB x 1", "-ERR invalid first DB index ");
    assert_reply(fixture, "SWAPDB 99 y", "-ERR invalid second DB index ");
    assert_reply(fixture, "SWAPDB 0 16", "-ERR DB index is out of range ");
    assert_effect(fixture, "FLUSHDB", "+OK ", "FLUSHDB");
    assert_reply(fixture, "SELECT 1", "+OK ");
    assert_reply(fixture, "DBSIZE", ":2 ");
    assert_reply(fixture, "FLUSHDB now", "-ERR syntax error ");
    assert_effect(fixture, "FLUSHALL async", "+OK ", "FLUSHALL async");
    assert_reply(fixture, "DBSIZE", ":0 ");
    assert_reply(fixture, "RANDOMKEY", "$-1 ");
}

static void test_keys_and_random(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "MSET one 1 two 2", "+OK ");
    assert_reply(fixture, "KEYS o*", "*1 $3 one ");
    assert_reply(fixture, "KEYS x*", "*0 ");
    assert_reply(fixture, "DEL two", ":1 ");
    assert_reply(fixture, "RANDOMKEY", "$3 one ");
    assert_reply(fixture, "PEXPIRE one 10", ":1 ");
    fixture->now_ms += 11;
    assert_effect(fixture, "RANDOMKEY", "$-1 ", "[0] DEL one");
}

/* Follows the cursor from 0 to 0, and counts what comes. */
static unsigned scan_all(struct call_fixture *fixture, const char *options)
{
    unsigned long long cursor = 0;
    unsigned found = 0;
    do {
        char line[128];
        (void)snprintf(line, sizeof(line), "SCAN %llu %s", cursor, options);
        call_fixture_run(fixture, line);
        buf_add(&fixture->reply, "", 1);
        unsigned count;
        assert_int_equal(sscanf(buf_slice(&fixture->reply).data, "*2 $%*u %llu *%u", &cursor, &count), 2);
        found += count;
    } while (cursor != 0);
    return found;
}

static void test_scan(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "SCAN 0", "*2 $1 0 *0 ");
    for (unsigned i = 0; i < 500; i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "SET key:%u v", i);
        call_fixture_run(fixture, line);
    }
    assert_int_equal(scan_all(fixture, ""), 500);
    assert_int_equal(scan_all(fixture, "COUNT 1"), 500);
    assert_int_equal(scan_all(fixture, "MATCH key:49? COUNT 100"), 10);
    assert_int_equal(scan_all(fixture, "TYPE STRING"), 500);
    assert_int_equal(scan_all(fixture, "TYPE list"), 0);
    assert_reply(fixture, "SCAN x", "-ERR invalid cursor ");
    assert_reply(fixture, "SCAN 0 COUNT 0", "-ERR syntax error ");
    assert_reply(fixture, "SCAN 0 COUNT x", "-ERR value is not an integer or out of range ");
    assert_reply(fixture, "SCAN 0 MATCH", "-ERR syntax error ");
    assert_reply(fixture, "SCAN 18446744073709551615", "*2 $1 0 *0 ");
}

static void test_object(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "OBJECT ENCODING none", "$-1 ");
    assert_reply(fixture, "MSET a 1 b x", "+OK ");
    assert_reply(fixture, "OBJECT REFCOUNT a", ":2147483647 ");
    assert_reply(fixture, "OBJECT REFCOUNT b", ":1 ");
    fixture->now_ms += 7000;
    assert_reply(fixture, "OBJECT IDLETIME a", ":7 ");
    assert_reply(fixture, "TOUCH a", ":1 ");
    assert_reply(fixture, "OBJECT IDLETIME a", ":0 ");
    call_fixture_run(fixture, "OBJECT FREQ a");
    assert_memory_equal(buf_slice(&fixture->reply).data, "-ERR An LFU maxmemory policy", 28);
    assert_reply(fixture, "MEMORY USAGE none", "$-1 ");
    call_fixture_run(fixture, "MEMORY USAGE a");
    assert_in_range(strtoul(buf_slice(&fixture->reply).data + 1, NULL, 10), 16, 64);
    call_fixture_run(fixture, "SETRANGE a 5000 x");
    call_fixture_run(fixture, "MEMORY USAGE a SAMPLES 5");
    assert_in_range(strtoul(buf_slice(&fixture->reply).data + 1, NULL, 10), 5000, 6000);
    assert_reply(fixture, "MEMORY USAGE a SAMPLES -1", "-ERR syntax error ");
    assert_reply(fixture, "MEMORY USAGE a SAMPLES", "-ERR syntax error ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        TEST(test_existence),
        TEST(test_rename),
        TEST(test_signed_counts),
        TEST(test_copy_and_move),
        TEST(test_replies_end_when_they_are_full),
        TEST(test_databases),
        TEST(test_keys_and_random),
        TEST(test_scan),
        TEST(test_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
