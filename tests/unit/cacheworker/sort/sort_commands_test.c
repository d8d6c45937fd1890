/* SORT: what it shows, stores, and puts into the stream. */
#include "tests/unit/cacheworker/call_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_order(void **state)
{
    (void)state;
    struct call_fixture fixture;
    call_fixture_open(&fixture);
    call_fixture_run(&fixture, "rpush l 10 9 -1.5 9");
    call_fixture_run(&fixture, "sadd s 10 9 -1.5");
    call_fixture_run(&fixture, "zadd z 1 10 2 9 3 -1.5");
    assert_reply(&fixture, "sort l", "*4 $4 -1.5 $1 9 $1 9 $2 10 ");
    assert_reply(&fixture, "sort l desc limit 1 2", "*2 $1 9 $1 9 ");
    assert_reply(&fixture, "sort l alpha", "*4 $4 -1.5 $2 10 $1 9 $1 9 ");
    assert_reply(&fixture, "sort s", "*3 $4 -1.5 $1 9 $2 10 ");
    assert_reply(&fixture, "sort z", "*3 $4 -1.5 $1 9 $2 10 ");
    assert_reply(&fixture, "sort_ro z alpha desc", "*3 $1 9 $2 10 $4 -1.5 ");
    assert_reply(&fixture, "sort none", "*0 ");
    assert_reply(&fixture, "sort l limit 5 1", "*0 ");
    assert_reply(&fixture, "sort l limit -5 1", "*1 $4 -1.5 ");
    assert_reply(&fixture, "sort l limit 1 -9", "*3 $1 9 $1 9 $2 10 ");
    call_fixture_close(&fixture);
}

static void test_native_order(void **state)
{
    (void)state;
    struct call_fixture fixture;
    call_fixture_open(&fixture);
    call_fixture_run(&fixture, "rpush l c a d b");
    call_fixture_run(&fixture, "zadd z 1 c 2 a 3 d 4 b");
    assert_reply(&fixture, "sort l by nothing", "*4 $1 c $1 a $1 d $1 b ");
    assert_reply(&fixture, "sort l by nothing desc limit 1 2", "*2 $1 d $1 a ");
    assert_reply(&fixture, "sort z by nothing limit 1 2", "*2 $1 a $1 d ");
    assert_reply(&fixture, "sort z by nothing desc limit 0 3", "*3 $1 b $1 d $1 a ");
    assert_reply(&fixture, "sort l by nothing limit 9 2", "*0 ");
    call_fixture_run(&fixture, "sadd s c a d b");
    assert_effect(&fixture, "sort s by nothing desc store to", ":4 ", "sort s by nothing desc store to");
    assert_reply(&fixture, "lrange to 0 -1", "*4 $1 d $1 c $1 b $1 a ");
    fixture.flags = CW_CALL_FROM_SCRIPT;
    assert_reply(&fixture, "sort s by nothing", "*4 $1 a $1 b $1 c $1 d ");
    call_fixture_close(&fixture);
}

static void test_patterns(void **state)
{
    (void)state;
    struct call_fixture fixture;
    call_fixture_open(&fixture);
    call_fixture_run(&fixture, "rpush l 1 2 3");
    call_fixture_run(&fixture, "mset w1 30 w2 20 w3 10 n1 one n3 three");
    call_fixture_run(&fixture, "hset h1 w 5 n eins");
    call_fixture_run(&fixture, "hset h2 w 4");
    assert_reply(&fixture, "sort l by w*", "*3 $1 3 $1 2 $1 1 ");
    assert_reply(&fixture, "sort l by h*->w", "*3 $1 3 $1 2 $1 1 "); /* what is missing is 0 */
    assert_reply(&fixture, "sort l by n* alpha get # get n*", "*6 $1 2 $-1 $1 1 $3 one $1 3 $5 three ");
    assert_reply(&fixture, "sort l get h*->n get fixed get w*", "*9 $4 eins $-1 $2 30 $-1 $-1 $2 20 $-1 $-1 $2 10 ");
    assert_effect(&fixture, "sort l by w* get n* store w1", ":3 ", "sort l by w* get n* store w1");
    assert_reply(&fixture, "lrange w1 0 -1", "*3 $5 three $0  $3 one ");
    assert_effect(&fixture, "sort l limit 0 0 store w1", ":0 ", "sort l limit 0 0 store w1");
    assert_effect(&fixture, "exists w1", ":0 ", "");
    assert_effect(&fixture, "sort none store w1", ":0 ", "");
    assert_effect(&fixture, "sort l desc store l", ":3 ", "sort l desc store l");
    assert_reply(&fixture, "lrange l 0 -1", "*3 $1 3 $1 2 $1 1 ");
    call_fixture_close(&fixture);
}

/* A field that is due is not seen here, but by a replica until it is told: that gets the result. */
static void test_fields_that_expire(void **state)
{
    (void)state;
    struct call_fixture fixture;
    call_fixture_open(&fixture);
    call_fixture_run(&fixture, "rpush l 1 2");
    call_fixture_run(&fixture, "hset h1 n eins m one");
    call_fixture_run(&fixture, "hset h2 n zwei");
    call_fixture_run(&fixture, "hpexpire h1 100 fields 1 n");
    fixture.now_ms += 200;
    assert_effect(&fixture, "sort l get h*->n", "*2 $-1 $4 zwei ", NULL);
    call_fixture_run(&fixture, "hset h1 m one");
    call_fixture_run(&fixture, "hpexpire h1 100000 fields 1 m");
    assert_effect(&fixture, "sort l get # get h*->n store to", ":4 ", "DEL to; RPUSH to 1  2 zwei");
    assert_effect(&fixture, "sort l get # store to", ":2 ", "sort l get # store to");
    call_fixture_close(&fixture);
}

static void test_refusals(void **state)
{
    (void)state;
    struct call_fixture fixture;
    call_fixture_open(&fixture);
    call_fixture_run(&fixture, "rpush l 1 two");
    call_fixture_run(&fixture, "set text x");
    assert_reply(&fixture, "sort l", "-ERR One or more scores can't be converted into double ");
    assert_reply(&fixture, "sort text", "-WRONGTYPE Operation against a key holding the wrong kind of value ");
    assert_reply(&fixture, "sort text limit 1", "-ERR syntax error ");
    assert_reply(&fixture, "sort l limit x 1", "-ERR value is not an integer or out of range ");
    assert_reply(&fixture, "sort l by", "-ERR syntax error ");
    assert_reply(&fixture, "sort_ro l alpha store to", "-ERR syntax error ");
    assert_reply(&fixture, "sort_ro l alpha", "*2 $1 1 $3 two ");
    call_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),    cmocka_unit_test(test_native_order),
        cmocka_unit_test(test_patterns), cmocka_unit_test(test_fields_that_expire),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
