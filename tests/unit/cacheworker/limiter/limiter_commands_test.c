#include "cacheworker/limiter/limiter_commands.h"

#include "tests/unit/cacheworker/call_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int setup(void **state)
{
    static struct call_fixture fixture;
    call_fixture_open(&fixture);
    fixture.is_client = true;
    cw_keyspace_set_expiry_mode(fixture.keyspace, CW_EXPIRY_DELETES);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    call_fixture_close(*state);
    return 0;
}

/* The example of redis-cell's documentation, and on. */
static void test_throttle(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "CL.THROTTLE u 15 30 60", "*5 :0 :16 :15 :-1 :2 ",
                  "SET u 1700000002000000000 PXAT 1700000002000");
    for (unsigned i = 0; i < 14; i++)
        call_fixture_run(fixture, "CL.THROTTLE u 15 30 60");
    assert_reply(fixture, "CL.THROTTLE u 15 30 60", "*5 :0 :16 :0 :-1 :32 ");
    assert_effect(fixture, "CL.THROTTLE u 15 30 60", "*5 :1 :16 :0 :2 :32 ", "");
    assert_effect(fixture, "CL.THROTTLE u 15 30 60 17", "*5 :1 :16 :0 :-1 :32 ", "");
    fixture->now_ms += 1500;
    assert_reply(fixture, "CL.THROTTLE u 15 30 60", "*5 :1 :16 :0 :1 :31 ");
    fixture->now_ms += 2500;
    assert_effect(fixture, "CL.THROTTLE u 15 30 60 0", "*5 :0 :16 :2 :-1 :28 ", "");
    assert_reply(fixture, "CL.THROTTLE u 15 30 60 2", "*5 :0 :16 :0 :-1 :32 ");
    assert_reply(fixture, "PTTL u", ":32000 ");
    fixture->now_ms += 33000;
    assert_events(fixture, "CL.THROTTLE u 15 30 60", "new u; set u; expire u");
}

static void test_throttle_refusals(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "CL.THROTTLE u 1 2", "-ERR wrong number of arguments for 'cl.throttle' command ");
    assert_reply(fixture, "CL.THROTTLE u 1 2 3 4 5", "-ERR wrong number of arguments for 'cl.throttle' command ");
    assert_reply(fixture, "CL.THROTTLE u x 2 3", "-ERR value is not an integer or out of range ");
    assert_reply(fixture, "CL.THROTTLE u 1 0 3", "-ERR Zero rates are not supported ");
    assert_reply(fixture, "CL.THROTTLE u 1 2 0", "-ERR Zero rates are not supported ");
    assert_reply(fixture, "CL.THROTTLE u 1 2 3 -1", "-ERR value is out of range, must be positive ");
    assert_reply(fixture, "CL.THROTTLE u -1 2 3", "-ERR value is out of range, must be positive ");
    assert_reply(fixture, "CL.THROTTLE u 9223372036854775807 2 3", "-ERR the limit is too large ");
    call_fixture_run(fixture, "SET s word");
    assert_reply(fixture, "CL.THROTTLE s 1 2 3", "-ERR value is not an integer or out of range ");
    call_fixture_run(fixture, "SET s 9223372036854775807");
    assert_reply(fixture, "CL.THROTTLE s 1 2 3", "-ERR the limit is too large ");
    call_fixture_run(fixture, "HSET h f v");
    assert_reply(fixture, "CL.THROTTLE h 1 2 3", "-WRONGTYPE Operation against a key holding the wrong kind of value ");
    assert_reply(fixture, "EXISTS u", ":0 ");
}

static void test_window(void **state)
{
    struct call_fixture *fixture = *state;
    fixture->now_ms += 250;
    assert_effect(fixture, "RATELIMIT.WINDOW w 4 1000", "*5 :0 :4 :3 :-1 :1750 ",
                  "SET w 1000 1700000000 1 0 PXAT 1700000002000");
    assert_reply(fixture, "RATELIMIT.WINDOW w 4 1000 3", "*5 :0 :4 :0 :-1 :1750 ");
    assert_effect(fixture, "RATELIMIT.WINDOW w 4 1000", "*5 :1 :4 :0 :1000 :1750 ", "");
    assert_effect(fixture, "RATELIMIT.WINDOW w 4 1000 5", "*5 :1 :4 :0 :-1 :1750 ", "");
    fixture->now_ms += 1000;
    assert_effect(fixture, "RATELIMIT.WINDOW w 4 1000 0", "*5 :0 :4 :1 :-1 :750 ", "");
    assert_events(fixture, "RATELIMIT.WINDOW w 4 1000", "set w; expire w");
    assert_reply(fixture, "GET w", "$19 1000 1700000001 1 4 ");
    /* Of a window of another length nothing is known. */
    assert_reply(fixture, "RATELIMIT.WINDOW w 4 2000", "*5 :0 :4 :3 :-1 :2750 ");
    fixture->now_ms += 4000;
    assert_reply(fixture, "EXISTS w", ":0 ");
}

static void test_window_refusals(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "RATELIMIT.WINDOW w 4", "-ERR wrong number of arguments for 'ratelimit.window' command ");
    assert_reply(fixture, "RATELIMIT.WINDOW w 4 1 1 1",
                 "-ERR wrong number of arguments for 'ratelimit.window' command ");
    assert_reply(fixture, "RATELIMIT.WINDOW w x 1", "-ERR value is not an integer or out of range ");
    assert_reply(fixture, "RATELIMIT.WINDOW w -1 1", "-ERR value is out of range ");
    assert_reply(fixture, "RATELIMIT.WINDOW w 1 0", "-ERR value is out of range ");
    assert_reply(fixture, "RATELIMIT.WINDOW w 1 1000000001", "-ERR value is out of range ");
    assert_reply(fixture, "RATELIMIT.WINDOW w 1 1 -1", "-ERR value is out of range ");
    static const char *const values[] = {"\"\"",
                                         "1",
                                         "\"1000 1 1\"",
                                         "\"1000 1 1 1 \"",
                                         "\"1000 1 1 1 1\"",
                                         "\"0 1 1 1\"",
                                         "\"1000 1 -1 1\"",
                                         "\"1000 9223372036854775807 1 1\"",
                                         "\"1000 1 2000000000 1\""};
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        struct buf line = {0};
        buf_add_format(&line, "SET s %s", values[i]);
        buf_add(&line, "", 1);
        call_fixture_run(fixture, buf_slice(&line).data);
        assert_reply(fixture, "RATELIMIT.WINDOW s 1 1000", "-ERR value is not a window ");
        buf_free(&line);
    }
    call_fixture_run(fixture, "HSET h f v");
    assert_reply(fixture, "RATELIMIT.WINDOW h 1 1",
                 "-WRONGTYPE Operation against a key holding the wrong kind of value ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_throttle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_throttle_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_window, setup, teardown),
        cmocka_unit_test_setup_teardown(test_window_refusals, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
