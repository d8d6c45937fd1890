/* Replies and effects of the commands on a key's time to live. */
#include "tests/unit/cacheworker/call_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

static void test_expire_and_ttl(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "EXPIRE a 10", ":0 ", "");
    assert_reply(fixture, "TTL a", ":-2 ");
    assert_reply(fixture, "EXPIRETIME a", ":-2 ");
    assert_reply(fixture, "SET a v", "+OK ");
    assert_reply(fixture, "PTTL a", ":-1 ");
    assert_reply(fixture, "PEXPIRETIME a", ":-1 ");
    assert_effect(fixture, "EXPIRE a 10", ":1 ", "PEXPIREAT a 1700000010000");
    assert_reply(fixture, "TTL a", ":10 ");
    assert_reply(fixture, "PEXPIRETIME a", ":1700000010000 ");
    assert_effect(fixture, "PEXPIRE a 1499", ":1 ", "PEXPIREAT a 1700000001499");
    assert_reply(fixture, "TTL a", ":1 ");
    assert_reply(fixture, "PEXPIRE a 1500", ":1 ");
    assert_reply(fixture, "TTL a", ":2 ");
    assert_reply(fixture, "EXPIRETIME a", ":1700000002 ");
    assert_effect(fixture, "EXPIREAT a 1700000100", ":1 ", "PEXPIREAT a 1700000100000");
    assert_effect(fixture, "PEXPIREAT a 1700000000777", ":1 ", "PEXPIREAT a 1700000000777");
    assert_reply(fixture, "PTTL a", ":777 ");
    assert_effect(fixture, "PERSIST a", ":1 ", "PERSIST a");
    assert_effect(fixture, "PERSIST a", ":0 ", "");
    assert_effect(fixture, "PERSIST none", ":0 ", "");
}

static void test_a_past_date_deletes(void **state)
{
    struct call_fixture *fixture = *state;
    static const char *const lines[] = {"EXPIRE a 0", "PEXPIRE a -1", "EXPIREAT a 1", "PEXPIREAT a 1700000000000",
                                        "PEXPIREAT a -9223372036854775808"};
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        assert_reply(fixture, "SET a v", "+OK ");
        assert_effect(fixture, lines[i], ":1 ", "DEL a");
        assert_reply(fixture, "DBSIZE", ":0 ");
    }
    /* A replica gets the date as it is, and waits for the DEL. */
    cw_keyspace_set_expiry_mode(fixture->keyspace, CW_EXPIRY_IGNORED);
    assert_reply(fixture, "SET a v", "+OK ");
    assert_reply(fixture, "PEXPIREAT a 5", ":1 ");
    assert_reply(fixture, "DBSIZE", ":1 ");
    cw_keyspace_set_expiry_mode(fixture->keyspace, CW_EXPIRY_HIDES);
    assert_effect(fixture, "GET a", "$-1 ", "");
    assert_reply(fixture, "TTL a", ":-2 ");
    assert_reply(fixture, "KEYS *", "*0 ");
    assert_reply(fixture, "SCAN 0", "*2 $1 0 *0 ");
    assert_reply(fixture, "DBSIZE", ":1 ");
}

static void test_due_keys_go_on_access(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "SET a v PX 100", "+OK ");
    fixture->now_ms += 100;
    assert_reply(fixture, "GET a", "$1 v ");
    assert_reply(fixture, "PTTL a", ":0 ");
    fixture->now_ms++;
    assert_effect(fixture, "INCR a", ":1 ", "[0] DEL a; INCR a");
    assert_reply(fixture, "TTL a", ":-1 ");
    assert_reply(fixture, "SET b v PX 100", "+OK ");
    fixture->now_ms += 101;
    assert_effect(fixture, "KEYS b", "*0 ", "[0] DEL b");
}

static void test_conditions(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "SET a v", "+OK ");
    assert_effect(fixture, "EXPIRE a 10 XX", ":0 ", "");
    assert_effect(fixture, "EXPIRE a 10 GT", ":0 ", "");
    assert_effect(fixture, "EXPIRE a 10 LT", ":1 ", "PEXPIREAT a 1700000010000");
    assert_reply(fixture, "EXPIRE a 10 NX", ":0 ");
    assert_reply(fixture, "EXPIRE a 10 GT", ":0 ");
    assert_reply(fixture, "EXPIRE a 10 LT", ":0 ");
    assert_reply(fixture, "EXPIRE a 20 xx gt", ":1 ");
    assert_reply(fixture, "EXPIRE a 30 LT", ":0 ");
    assert_reply(fixture, "TTL a", ":20 ");
    assert_reply(fixture, "PERSIST a", ":1 ");
    assert_reply(fixture, "EXPIRE a 10 NX", ":1 ");
    assert_reply(fixture, "EXPIRE a 1 NX GT", "-ERR NX and XX, GT or LT options at the same time are not compatible ");
    assert_reply(fixture, "EXPIRE a 1 GT LT", "-ERR GT and LT options at the same time are not compatible ");
    assert_reply(fixture, "EXPIRE a 1 AB", "-ERR Unsupported option AB ");
}

static void test_bounds(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "SET a v", "+OK ");
    assert_reply(fixture, "EXPIRE a x", "-ERR value is not an integer or out of range ");
    assert_reply(fixture, "EXPIRE a 9223372036854776", "-ERR invalid expire time in 'expire' command ");
    assert_reply(fixture, "EXPIRE a -9223372036854776", "-ERR invalid expire time in 'expire' command ");
    assert_reply(fixture, "PEXPIRE a 9223372036854775807", "-ERR invalid expire time in 'pexpire' command ");
    assert_reply(fixture, "EXPIREAT a 9223372036854776", "-ERR invalid expire time in 'expireat' command ");
    assert_reply(fixture, "PEXPIREAT a 9223372036854775807", ":1 ");
    assert_reply(fixture, "PEXPIRETIME a", ":9223372036854775807 ");
    assert_reply(fixture, "EXPIRETIME a", ":9223372036854776 ");
    assert_reply(fixture, "EXPIRE a", "-ERR wrong number of arguments for 'expire' command ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        TEST(test_expire_and_ttl),
        TEST(test_a_past_date_deletes),
        TEST(test_due_keys_go_on_access),
        TEST(test_conditions),
        TEST(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
