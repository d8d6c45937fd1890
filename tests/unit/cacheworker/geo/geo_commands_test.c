/* Replies and effects of the commands on positions; the words are those that a Redis 7.2 server answers. */
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
    call_fixture_run(&fixture, "GEOADD s 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
    *state = &fixture;
    return 0;
}

static int close_fixture(void **state)
{
    call_fixture_close(*state);
    return 0;
}

static void test_adding(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "GEOADD s CH 13.361389 38.115556 Palermo 13.583333 37.316667 Agrigento", ":1 ",
                  "ZADD s CH 3479099956230698 Palermo 3479030013248308 Agrigento");
    assert_effect(fixture, "GEOADD s NX 1 1 Palermo", ":0 ", "");
    assert_effect(fixture, "GEOADD s XX 1 1 Enna", ":0 ", "");
    assert_reply(fixture, "GEOADD s nx xx 1 1 Enna", "-ERR syntax error ");
    assert_reply(fixture, "GEOADD s nx ch ch", "-ERR syntax error ");
    assert_reply(fixture, "GEOADD s 1 1 Enna 2 2", "-ERR syntax error ");
    assert_effect(fixture, "GEOADD s 1 1 Enna 200 100 Rome",
                  "-ERR invalid longitude,latitude pair 200.000000,100.000000 ", "");
    assert_reply(fixture, "GEOADD s x 1 Enna", "-ERR value is not a valid float ");
    call_fixture_run(fixture, "SET text 1");
    assert_reply(fixture, "GEOADD text 1 1 Enna",
                 "-WRONGTYPE Operation against a key holding the wrong kind of value ");
}

static void test_asking(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "GEOPOS s Palermo none", "*2 *2 $20 13.36138933897018433 $20 38.11555639549629859 *-1 ");
    assert_reply(fixture, "GEOHASH s Palermo none", "*2 $11 sqc8b49rny0 $-1 ");
    assert_reply(fixture, "GEODIST s Palermo Catania", "$11 166274.1516 ");
    assert_reply(fixture, "GEODIST s Palermo Catania Mi", "$8 103.3182 ");
    assert_reply(fixture, "GEODIST s Palermo Palermo", "$6 0.0000 ");
    assert_reply(fixture, "GEODIST s Palermo none", "$-1 ");
    assert_reply(fixture, "GEODIST none a b ly", "-ERR unsupported unit provided. please use M, KM, FT, MI ");
    assert_reply(fixture, "GEODIST s a b m x", "-ERR syntax error ");
    fixture->protocol = 3;
    assert_reply(fixture, "GEOPOS s Palermo none", "*2 *2 ,13.36138933897018433 ,38.11555639549629859 _ ");
    assert_reply(fixture, "GEODIST s Palermo Catania km", "$8 166.2742 ");
}

static void test_searching(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "GEOSEARCH s FROMLONLAT 15 37 BYRADIUS 200 km ASC", "*2 $7 Catania $7 Palermo ", "");
    assert_reply(fixture, "GEOSEARCH s FROMLONLAT 15 37 BYBOX 150 150 km", "*1 $7 Catania ");
    assert_reply(fixture, "GEOSEARCH s FROMMEMBER Palermo BYRADIUS 200 km DESC COUNT 1", "*1 $7 Catania ");
    assert_reply(fixture, "GEOSEARCH s FROMMEMBER Palermo BYRADIUS 0 m WITHDIST WITHHASH WITHCOORD",
                 "*1 *4 $7 Palermo $6 0.0000 :3479099956230698 *2 $20 13.36138933897018433 $20 38.11555639549629859 ");
    assert_reply(fixture, "GEORADIUS s 15 37 200 km WITHDIST COUNT 1", "*1 *2 $7 Catania $7 56.4413 ");
    assert_reply(fixture, "GEORADIUSBYMEMBER_RO s Palermo 10 km", "*1 $7 Palermo ");
    assert_reply(fixture, "GEORADIUSBYMEMBER none Palermo x y", "*0 ");
}

static void test_refusals(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "GEOSEARCH s FROMLONLAT 15 37 ASC ASC",
                 "-ERR exactly one of BYRADIUS and BYBOX can be "
                 "specified for GEOSEARCH ");
    assert_reply(fixture, "geosearch s BYRADIUS 1 m ASC ASC",
                 "-ERR exactly one of FROMMEMBER or FROMLONLAT can be "
                 "specified for geosearch ");
    assert_reply(fixture, "GEOSEARCH s FROMMEMBER Palermo FROMLONLAT 1 1 ASC", "-ERR syntax error ");
    assert_reply(fixture, "GEOSEARCH s FROMMEMBER Rome BYRADIUS 1 m", "-ERR could not decode requested zset member ");
    assert_reply(fixture, "GEOSEARCH s FROMMEMBER Palermo BYRADIUS 1 m ANY",
                 "-ERR the ANY argument requires COUNT "
                 "argument ");
    assert_reply(fixture, "GEOSEARCH s FROMMEMBER Palermo BYRADIUS 1 m COUNT 0", "-ERR COUNT must be > 0 ");
    assert_reply(fixture, "GEOSEARCH s FROMMEMBER Palermo BYBOX 1 x km", "-ERR need numeric height ");
    assert_reply(fixture, "GEOSEARCH s FROMMEMBER Palermo BYBOX -1 1 km", "-ERR height or width cannot be negative ");
    assert_reply(fixture, "GEORADIUS s 15 37 x km", "-ERR need numeric radius ");
    assert_reply(fixture, "GEORADIUS s 15 37 -1 km", "-ERR radius cannot be negative ");
    assert_reply(fixture, "GEORADIUS_RO s 15 37 1 km STORE d", "-ERR syntax error ");
    assert_reply(fixture, "GEORADIUS s 15 37 1 km STORE d WITHDIST",
                 "-ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options ");
    assert_reply(fixture, "GEOSEARCHSTORE d s FROMMEMBER Palermo BYRADIUS 1 m WITHHASH",
                 "-ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options ");
}

static void test_storing(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "GEOSEARCHSTORE d s FROMLONLAT 15 37 BYRADIUS 200 km", ":2 ",
                  "GEOSEARCHSTORE d s FROMLONLAT 15 37 BYRADIUS 200 km");
    assert_int_equal(fixture->dirty, 2);
    assert_reply(fixture, "ZRANGE d 0 -1 WITHSCORES",
                 "*4 $7 Palermo $16 3479099956230698 $7 Catania "
                 "$16 3479447370796909 ");
    assert_reply(fixture, "GEORADIUS s 15 37 200 km STORE a STOREDIST d COUNT 1", ":1 ");
    assert_reply(fixture, "EXISTS a", ":0 ");
    assert_reply(fixture, "ZRANGE d 0 -1 WITHSCORES", "*2 $7 Catania $16 56.4412578701582 ");
    assert_effect(fixture, "GEOSEARCHSTORE d s FROMLONLAT 0 0 BYRADIUS 1 m", ":0 ",
                  "GEOSEARCHSTORE d s FROMLONLAT 0 0 BYRADIUS 1 m");
    assert_reply(fixture, "EXISTS d", ":0 ");
    assert_effect(fixture, "GEOSEARCHSTORE d none FROMLONLAT 0 0 BYRADIUS 1 m", ":0 ", "");
    assert_reply(fixture, "GEOSEARCHSTORE s s FROMMEMBER Palermo BYRADIUS 1 km", ":1 ");
    assert_reply(fixture, "ZRANGE s 0 -1", "*1 $7 Palermo ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_adding, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_asking, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_searching, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_refusals, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_storing, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
