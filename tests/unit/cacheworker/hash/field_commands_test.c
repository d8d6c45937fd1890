/* The commands on fields that expire: replies, errors in their order, and what goes into the stream. The replies are
 * those of Redis 8.0. */
#include "cacheworker/hash/field_expiry.h"
#include "common/base/mem.h"
#include "tests/unit/cacheworker/call_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define WRONG_TYPE     "-WRONGTYPE Operation against a key holding the wrong kind of value "
#define NO_WORD        "-ERR Mandatory argument FIELDS is missing or not at the right position "
#define OTHER_COUNT    "-ERR The `numfields` parameter must match the number of arguments "
#define NO_COUNT       "-ERR Number of fields must be a positive integer "
#define NOT_INTEGER    "-ERR value is not an integer or out of range "
#define NEGATIVE       "-ERR invalid expire time, must be >= 0 "
#define ARITY(name)    "-ERR wrong number of arguments for '" name "' command "
#define TOO_LATE(name) "-ERR invalid expire time in '" name "' command "

static struct call_fixture fixture;

static int begin(void **state)
{
    (void)state;
    call_fixture_open(&fixture);
    call_fixture_run(&fixture, "HSET h a 1 b 2 c 3");
    call_fixture_run(&fixture, "SET s text");
    return 0;
}

static int end(void **state)
{
    (void)state;
    call_fixture_close(&fixture);
    return 0;
}

static void test_hexpire_replies(void **state)
{
    (void)state;
    assert_effect(&fixture, "HEXPIRE none 10 FIELDS 2 a b", "*2 :-2 :-2 ", "");
    assert_effect(&fixture, "HEXPIRE h 10 FIELDS 2 a x", "*2 :1 :-2 ", "<h a=10000>");
    assert_effect(&fixture, "HPEXPIRE h 10 FIELDS 1 b", "*1 :1 ", "<h b=10>");
    assert_effect(&fixture, "HEXPIREAT h 1700000020 FIELDS 2 a b", "*2 :1 :1 ", "<h a=20000 b=20000>");
    assert_effect(&fixture, "HPEXPIREAT h 1700000000007 fields 1 c", "*1 :1 ", "<h c=7>");
    assert_effect(&fixture, "HEXPIRE h 10 FIELDS 1 x", "*1 :-2 ", "");
    assert_reply(&fixture, "OBJECT ENCODING h", "$9 hashtable ");
}

static void test_hexpire_errors(void **state)
{
    (void)state;
    assert_reply(&fixture, "HEXPIRE h 10 FIELDS 1", ARITY("hexpire"));
    assert_reply(&fixture, "HEXPIRE s x FIELDS 1 a", WRONG_TYPE);
    assert_reply(&fixture, "HEXPIRE h x FIELDS 1 a", NOT_INTEGER);
    assert_reply(&fixture, "HEXPIRE none 1.5 y 1 a", NOT_INTEGER);
    assert_reply(&fixture, "HEXPIRE h -1 FIELDS 1 a", NEGATIVE);
    assert_reply(&fixture, "HEXPIRE h 10 FIELD 1 a", NO_WORD);
    assert_reply(&fixture, "HEXPIRE h 10 NX XX FIELDS 1 a", NO_WORD);
    assert_reply(&fixture, "HEXPIRE h 10 NX 1 a", NO_WORD);
    assert_reply(&fixture, "HEXPIRE h 10 NX 1 FIELDS", NO_WORD);
    assert_reply(&fixture, "HEXPIRE h 10 NX FIELDS 1",
                 "-ERR The `numfields` parameter must match the number of arguments ");
    assert_reply(&fixture, "HEXPIRE h 10 FIELDS 0 a", "-ERR Parameter `numFields` should be greater than 0 ");
    assert_reply(&fixture, "HEXPIRE h 10 FIELDS x a", "-ERR Parameter `numFields` should be greater than 0 ");
    assert_reply(&fixture, "HEXPIRE h 10 FIELDS 2 a", OTHER_COUNT);
    assert_reply(&fixture, "HEXPIRE h 10 FIELDS 1 a b", OTHER_COUNT);
    assert_reply(&fixture, "HEXPIRE h 10 FIELDS 9223372036854775807 a", OTHER_COUNT);
    /* The reference keeps dates in 46 bits. */
    assert_reply(&fixture, "HPEXPIREAT h 70368744177663 FIELDS 1 a", "*1 :1 ");
    assert_reply(&fixture, "HPEXPIREAT h 70368744177664 FIELDS 1 a", TOO_LATE("hpexpireat"));
    assert_reply(&fixture, "HEXPIREAT h 70368744177 FIELDS 1 a", "*1 :1 ");
    assert_reply(&fixture, "HEXPIREAT h 70368744178 FIELDS 1 a", TOO_LATE("hexpireat"));
    assert_reply(&fixture, "HPEXPIRE h 68668744177663 FIELDS 1 a", "*1 :1 ");
    assert_reply(&fixture, "HPEXPIRE h 68668744177664 FIELDS 1 a", TOO_LATE("hpexpire"));
    assert_reply(&fixture, "HEXPIRE h 9223372036854775807 FIELDS 1 a", TOO_LATE("hexpire"));
    assert_effect(&fixture, "HEXPIRE h 9223372036854775808 FIELDS 1 a", NOT_INTEGER, "");
}

static void test_conditions(void **state)
{
    (void)state;
    assert_reply(&fixture, "HEXPIRE h 10 XX FIELDS 1 a", "*1 :0 ");
    assert_reply(&fixture, "HEXPIRE h 10 GT FIELDS 1 a", "*1 :0 ");
    assert_reply(&fixture, "HEXPIRE h 10 NX FIELDS 1 a", "*1 :1 ");
    assert_reply(&fixture, "HEXPIRE h 20 nx FIELDS 2 a b", "*2 :0 :1 ");
    assert_effect(&fixture, "HEXPIRE h 10 gt FIELDS 2 a b", "*2 :0 :0 ", "");
    assert_reply(&fixture, "HEXPIRE h 11 GT FIELDS 2 a b", "*2 :1 :0 ");
    assert_reply(&fixture, "HEXPIRE h 11 LT FIELDS 3 a b c", "*3 :0 :1 :1 ");
    assert_effect(&fixture, "HPEXPIRE h 10999 XX FIELDS 3 a b c", "*3 :1 :1 :1 ", "<h a=10999 b=10999 c=10999>");
    assert_reply(&fixture, "HTTL h FIELDS 1 a", "*1 :11 ");
    /* A condition that does not hold keeps a field, however old the date. */
    assert_effect(&fixture, "HEXPIRE h 0 NX FIELDS 1 a", "*1 :0 ", "");
    assert_effect(&fixture, "HEXPIRE h 0 GT FIELDS 1 a", "*1 :0 ", "");
    assert_effect(&fixture, "HEXPIRE h 0 LT FIELDS 1 a", "*1 :2 ", "HDEL h a");
}

static void test_dates_that_are_past_delete(void **state)
{
    (void)state;
    assert_effect(&fixture, "HEXPIRE h 0 FIELDS 3 a a x", "*3 :2 :-2 :-2 ", "HDEL h a");
    assert_effect(&fixture, "HPEXPIREAT h 1 FIELDS 1 b", "*1 :2 ", "HDEL h b");
    assert_effect(&fixture, "HEXPIREAT h 1700000000 FIELDS 1 c", "*1 :2 ", "HDEL h c");
    assert_reply(&fixture, "EXISTS h", ":0 ");
    assert_effect(&fixture, "HEXPIRE h 0 FIELDS 1 a", "*1 :-2 ", "");
}

static void test_ttl_replies(void **state)
{
    (void)state;
    call_fixture_run(&fixture, "HPEXPIRE h 1500 FIELDS 1 a");
    assert_reply(&fixture, "HTTL h FIELDS 3 a b x", "*3 :2 :-1 :-2 ");
    assert_reply(&fixture, "HPTTL h FIELDS 3 a b x", "*3 :1500 :-1 :-2 ");
    assert_reply(&fixture, "HEXPIRETIME h FIELDS 1 a", "*1 :1700000002 ");
    assert_reply(&fixture, "HPEXPIRETIME h FIELDS 1 a", "*1 :1700000001500 ");
    assert_reply(&fixture, "HTTL none FIELDS 2 a b", "*2 :-2 :-2 ");
    fixture.now_ms += 1500; /* its last moment */
    assert_reply(&fixture, "HTTL h FIELDS 1 a", "*1 :0 ");
    assert_reply(&fixture, "HPTTL h FIELDS 1 a", "*1 :0 ");
    assert_reply(&fixture, "HGET h a", "$1 1 ");
    fixture.now_ms++;
    assert_effect(&fixture, "HPTTL h FIELDS 1 a", "*1 :-2 ", "[0] HDEL h a");
    assert_reply(&fixture, "HTTL s FIELDS 1 a", WRONG_TYPE);
    assert_reply(&fixture, "HTTL h FIELD 1 a", NO_WORD);
    assert_reply(&fixture, "HTTL h FIELDS 0 a", NO_COUNT);
    assert_reply(&fixture, "HTTL h FIELDS -1 a", NO_COUNT);
    assert_reply(&fixture, "HPTTL h FIELDS 2 a", OTHER_COUNT);
    assert_reply(&fixture, "HEXPIRETIME h FIELDS 1", ARITY("hexpiretime"));
}

static void test_hpersist(void **state)
{
    (void)state;
    call_fixture_run(&fixture, "HEXPIRE h 10 FIELDS 2 a b");
    assert_effect(&fixture, "HPERSIST h FIELDS 3 a c x", "*3 :1 :-1 :-2 ", "<h a=none>");
    assert_effect(&fixture, "HPERSIST h FIELDS 1 a", "*1 :-1 ", "");
    assert_effect(&fixture, "HPERSIST none FIELDS 2 a b", "*2 :-2 :-2 ", "");
    assert_reply(&fixture, "HTTL h FIELDS 2 a b", "*2 :-1 :10 ");
    assert_reply(&fixture, "HPERSIST s FIELDS 1 a", WRONG_TYPE);
    assert_reply(&fixture, "HPERSIST h a 1 a", NO_WORD);
    assert_reply(&fixture, "HPERSIST h FIELDS x a", NO_COUNT);
    assert_reply(&fixture, "HPERSIST h FIELDS 3 a b", OTHER_COUNT);
}

/* Who takes an expiry away, and who keeps it. */
static void test_other_commands(void **state)
{
    (void)state;
    call_fixture_run(&fixture, "HEXPIRE h 10 FIELDS 3 a b c");
    assert_effect(&fixture, "HINCRBY h a 5", ":6 ", "HINCRBY h a 5");
    assert_effect(&fixture, "HINCRBYFLOAT h b 0.5", "$3 2.5 ", "<of next: h b=10000>; HSET h b 2.5");
    assert_reply(&fixture, "HTTL h FIELDS 2 a b", "*2 :10 :10 ");
    assert_effect(&fixture, "HINCRBYFLOAT h d 0.5", "$3 0.5 ", "HSET h d 0.5");
    assert_effect(&fixture, "HSETNX h a 9", ":0 ", "");
    assert_effect(&fixture, "HSET h a 9", ":0 ", "HSET h a 9");
    assert_effect(&fixture, "HMSET h b 9", "+OK ", "HMSET h b 9");
    assert_reply(&fixture, "HTTL h FIELDS 3 a b c", "*3 :-1 :-1 :10 ");
    call_fixture_run(&fixture, "HDEL h c");
    call_fixture_run(&fixture, "HSET h c again");
    assert_reply(&fixture, "HTTL h FIELDS 1 c", "*1 :-1 ");
}

static void test_what_is_due_is_gone_for_everybody(void **state)
{
    (void)state;
    static const struct {
        const char *line, *reply;
    } cases[] = {
        {"HGET h a", "$-1 "},
        {"HMGET h a b", "*2 $-1 $1 2 "},
        {"HLEN h", ":1 "},
        {"HEXISTS h a", ":0 "},
        {"HSTRLEN h a", ":0 "},
        {"HKEYS h", "*1 $1 b "},
        {"HVALS h", "*1 $1 2 "},
        {"HGETALL h", "*2 $1 b $1 2 "},
        {"HSCAN h 0", "*2 $1 0 *2 $1 b $1 2 "},
        {"HRANDFIELD h", "$1 b "},
        {"HRANDFIELD h 5", "*1 $1 b "},
        {"HRANDFIELD h -2", "*2 $1 b $1 b "},
        {"HDEL h a", ":0 "},
        {"HPERSIST h FIELDS 1 a", "*1 :-2 "},
        {"HEXPIRE h 10 FIELDS 1 a", "*1 :-2 "},
        {"HTTL h FIELDS 1 a", "*1 :-2 "},
        {"HGETEX h EX 10 FIELDS 1 a", "*1 $-1 "},
        {"HGETDEL h FIELDS 1 a", "*1 $-1 "},
        {"EXISTS h", ":1 "},
        {"COPY h copy", ":1 "},
        {"RENAME h other", "+OK "},
        {"MOVE h 1", ":1 "},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        call_fixture_run(&fixture, "FLUSHALL");
        call_fixture_run(&fixture, "HSET h a 1 b 2 c 3");
        call_fixture_run(&fixture, "HDEL h c");
        call_fixture_run(&fixture, "HPEXPIRE h 10 FIELDS 1 a");
        fixture.now_ms += 11;
        assert_reply(&fixture, cases[i].line, cases[i].reply);
        struct slice said = buf_slice(&fixture.propagated);
        assert_true(said.length >= 12 && memcmp(said.data, "[0] HDEL h a", 12) == 0);
    }
    /* It is new to those who make it. */
    static const char *const makers[] = {"HSETNX h a 7", "HINCRBY h a 7", "HSET h a 7"};
    for (size_t i = 0; i < ARRAY_LENGTH(makers); i++) {
        call_fixture_run(&fixture, "HPEXPIRE h 10 FIELDS 1 a");
        call_fixture_run(&fixture, "HSET h a 1 b 2");
        call_fixture_run(&fixture, "HPEXPIRE h 10 FIELDS 1 a");
        fixture.now_ms += 11;
        call_fixture_run(&fixture, makers[i]);
        assert_reply(&fixture, "HGET h a", "$1 7 ");
        assert_reply(&fixture, "HTTL h FIELDS 1 a", "*1 :-1 ");
    }
}

static void test_a_key_whose_fields_are_all_due(void **state)
{
    (void)state;
    static const struct {
        const char *line, *reply;
    } cases[] = {
        {"EXISTS h", ":0 "},           {"TYPE h", "+none "},      {"HLEN h", ":0 "},
        {"HGETALL h", "*0 "},          {"DUMP h", "$-1 "},        {"KEYS *", "*0 "},
        {"RANDOMKEY", "$-1 "},         {"SCAN 0", "*2 $1 0 *0 "}, {"COPY h x", ":0 "},
        {"HRANDFIELD h", "$-1 "},      {"HRANDFIELD h 3", "*0 "}, {"TTL h", ":-2 "},
        {"OBJECT ENCODING h", "$-1 "}, {"SETNX h text", ":1 "},   {"APPEND h text", ":4 "},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        call_fixture_run(&fixture, "FLUSHALL");
        call_fixture_run(&fixture, "HSETEX h PX 10 FIELDS 2 a 1 b 2");
        fixture.now_ms += 11;
        assert_reply(&fixture, cases[i].line, cases[i].reply);
        struct slice said = buf_slice(&fixture.propagated);
        assert_true(said.length >= 9 && memcmp(said.data, "[0] DEL h", 9) == 0);
    }
}

static void test_hsetex(void **state)
{
    (void)state;
    assert_effect(&fixture, "HSETEX h EX 10 FIELDS 2 a x d y", ":1 ", "<of next: h a=10000 d=10000>; HSET h a x d y");
    assert_effect(&fixture, "HSETEX h PXAT 1700000000500 FIELDS 1 a z", ":1 ", "<of next: h a=500>; HSET h a z");
    assert_effect(&fixture, "HSETEX h KEEPTTL FIELDS 3 a 1 b 2 d 3", ":1 ",
                  "<of next: h a=500 d=10000>; HSET h a 1 b 2 d 3");
    assert_effect(&fixture, "HSETEX h KEEPTTL FIELDS 1 b 2", ":1 ", "HSET h b 2");
    assert_effect(&fixture, "HSETEX h FIELDS 1 a 1", ":1 ", "HSET h a 1");
    assert_reply(&fixture, "HPTTL h FIELDS 3 a b d", "*3 :-1 :-1 :10000 ");
    assert_effect(&fixture, "HSETEX h FNX EX 10 FIELDS 2 new 1 a 1", ":0 ", "");
    assert_effect(&fixture, "HSETEX h FXX EX 10 FIELDS 2 a 1 new 1", ":0 ", "");
    assert_reply(&fixture, "HEXISTS h new", ":0 ");
    assert_effect(&fixture, "HSETEX h px 10 fxx FIELDS 1 a 1", ":1 ", "<of next: h a=10>; HSET h a 1");
    assert_effect(&fixture, "HSETEX h EXAT 1700000010 FNX FIELDS 1 e 1", ":1 ", "<of next: h e=10000>; HSET h e 1");
    assert_effect(&fixture, "HSETEX none FXX FIELDS 1 a 1", ":0 ", "");
    assert_reply(&fixture, "EXISTS none", ":0 ");
    assert_effect(&fixture, "HSETEX n1 FNX FIELDS 2 a 1 a 2", ":1 ", "HSET n1 a 1 a 2");
    assert_reply(&fixture, "HGETALL n1", "*2 $1 a $1 2 ");
    assert_reply(&fixture, "OBJECT ENCODING n1", "$8 listpack ");
    assert_reply(&fixture, "HSETEX n1 KEEPTTL FIELDS 1 a 3", ":1 ");
    assert_reply(&fixture, "OBJECT ENCODING n1", "$8 listpack ");
}

static void test_hsetex_with_a_date_that_is_past(void **state)
{
    (void)state;
    assert_effect(&fixture, "HSETEX h EX 0 FIELDS 2 a x new y", ":1 ", "HDEL h a");
    assert_reply(&fixture, "HKEYS h", "*2 $1 b $1 c ");
    assert_effect(&fixture, "HSETEX h PXAT 5 FIELDS 1 new y", ":1 ", "");
    assert_effect(&fixture, "HSETEX h FXX PXAT 5 FIELDS 3 b y b z c x", ":1 ", "HDEL h b c");
    assert_reply(&fixture, "EXISTS h", ":0 ");
    assert_effect(&fixture, "HSETEX h EX 0 FIELDS 1 a x", ":1 ", "");
    assert_reply(&fixture, "EXISTS h", ":0 ");
}

static void test_hsetex_errors(void **state)
{
    (void)state;
    static const char only_one[] = "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified ";
    static const char one_condition[] = "-ERR Only one of FXX or FNX arguments can be specified ";
    assert_reply(&fixture, "HSETEX h EX 10 FIELDS 1 a", ARITY("hsetex"));
    assert_reply(&fixture, "HSETEX h EX 10 FIELDS 2 a 1", ARITY("hsetex"));
    assert_reply(&fixture, "HSETEX h EX 10 FIELDS 1 a 1 b", ARITY("hsetex"));
    assert_reply(&fixture, "HSETEX h FNX EX 10 FIELDS 1", ARITY("hsetex"));
    assert_reply(&fixture, "HSETEX h EX 10 FIELDS 0 a 1", "-ERR invalid number of fields ");
    assert_reply(&fixture, "HSETEX h EX 10 FIELDS 2147483648 a 1", "-ERR invalid number of fields ");
    assert_reply(&fixture, "HSETEX h EX 10 PX 10 FIELDS 1 a 1", only_one);
    assert_reply(&fixture, "HSETEX h KEEPTTL PX 10 FIELDS 1 a 1", only_one);
    assert_reply(&fixture, "HSETEX h KEEPTTL KEEPTTL FIELDS 1 a 1", only_one);
    assert_reply(&fixture, "HSETEX h FNX FXX FIELDS 1 a 1", one_condition);
    assert_reply(&fixture, "HSETEX h FNX FNX FIELDS 1 a 1", one_condition);
    assert_reply(&fixture, "HSETEX h EX x FIELDS 1 a 1", NOT_INTEGER);
    assert_reply(&fixture, "HSETEX h EX -1 FIELDS 1 a 1", NEGATIVE);
    assert_reply(&fixture, "HSETEX h EXAT 70368744178 FIELDS 1 a 1", TOO_LATE("hsetex"));
    assert_reply(&fixture, "HSETEX h NX FIELDS 1 a 1", "-ERR unknown argument: NX ");
    assert_reply(&fixture, "HSETEX h FNX KEEPTTL x y", "-ERR unknown argument: x ");
    assert_reply(&fixture, "HSETEX h FNX KEEPTTL FXX EX", one_condition);
    assert_effect(&fixture, "HSETEX s EX 10 FIELDS 1 a 1", WRONG_TYPE, "");
    assert_reply(&fixture, "HSETEX s EX x FIELDS 1 a 1", NOT_INTEGER); /* words first, then the key */
}

static void test_hgetex(void **state)
{
    (void)state;
    assert_effect(&fixture, "HGETEX h FIELDS 2 a x", "*2 $1 1 $-1 ", "");
    assert_effect(&fixture, "HGETEX h EX 10 FIELDS 2 a x", "*2 $1 1 $-1 ", "<h a=10000>");
    assert_effect(&fixture, "HGETEX h pxat 1700000000005 FIELDS 1 b", "*1 $1 2 ", "<h b=5>");
    assert_effect(&fixture, "HGETEX h PERSIST FIELDS 3 a c x", "*3 $1 1 $1 3 $-1 ", "<h a=none>");
    assert_effect(&fixture, "HGETEX h PERSIST FIELDS 1 a", "*1 $1 1 ", "");
    assert_effect(&fixture, "HGETEX none EX 10 FIELDS 1 a", "*1 $-1 ", "");
    assert_effect(&fixture, "HGETEX h PX 0 FIELDS 2 a a", "*2 $1 1 $-1 ", "HDEL h a");
    assert_effect(&fixture, "HGETEX h EXAT 1 FIELDS 2 b c", "*2 $1 2 $1 3 ", "HDEL h b c");
    assert_reply(&fixture, "EXISTS h", ":0 ");

    assert_reply(&fixture, "HGETEX s FIELDS 1 a", WRONG_TYPE);
    assert_reply(&fixture, "HGETEX h KEEPTTL FIELDS 1 a", NO_WORD);
    assert_reply(&fixture, "HGETEX h EX x FIELDS 1 a", NOT_INTEGER);
    assert_reply(&fixture, "HGETEX h EX -1 FIELDS 1 a", NEGATIVE);
    assert_reply(&fixture, "HGETEX h EX 70368744177 FIELDS 1 a", TOO_LATE("hgetex"));
    assert_reply(&fixture, "HGETEX h EX 10 PERSIST FIELDS 1 a", NO_WORD);
    assert_reply(&fixture, "HGETEX h EX 10 FIELDS", ARITY("hgetex"));
    assert_reply(&fixture, "HGETEX h PERSIST FIELDS x", NO_COUNT);
    assert_reply(&fixture, "HGETEX h FIELDS 3 a b", OTHER_COUNT);
    fixture.protocol = 3;
    assert_reply(&fixture, "HGETEX h FIELDS 1 a", "*1 _ ");
}

static void test_hgetdel(void **state)
{
    (void)state;
    assert_effect(&fixture, "HGETDEL h FIELDS 3 a x a", "*3 $1 1 $-1 $-1 ", "HDEL h a");
    assert_effect(&fixture, "HGETDEL h FIELDS 1 a", "*1 $-1 ", "");
    assert_effect(&fixture, "HGETDEL none FIELDS 2 a b", "*2 $-1 $-1 ", "");
    assert_effect(&fixture, "HGETDEL h FIELDS 2 b c", "*2 $1 2 $1 3 ", "HDEL h b c");
    assert_reply(&fixture, "EXISTS h", ":0 ");
    assert_reply(&fixture, "HGETDEL s FIELDS 1 a", WRONG_TYPE);
    assert_reply(&fixture, "HGETDEL h a 1 a", NO_WORD);
    assert_reply(&fixture, "HGETDEL h FIELDS 0 a", NO_COUNT);
    assert_reply(&fixture, "HGETDEL h FIELDS 1 a b", OTHER_COUNT);
    assert_reply(&fixture, "HGETDEL h FIELDS 1", ARITY("hgetdel"));
}

/* A replica's clients find the same; what is due stays until the master says so. */
static void test_a_replica_hides(void **state)
{
    (void)state;
    call_fixture_run(&fixture, "HPEXPIRE h 10 FIELDS 2 a b");
    call_fixture_run(&fixture, "HSETEX all PX 10 FIELDS 1 a 1");
    cw_keyspace_set_expiry_mode(fixture.keyspace, CW_EXPIRY_HIDES);
    fixture.now_ms += 11;
    assert_effect(&fixture, "HGET h a", "$-1 ", "");
    assert_effect(&fixture, "HLEN h", ":1 ", "");
    assert_effect(&fixture, "HGETALL h", "*2 $1 c $1 3 ", "");
    assert_effect(&fixture, "HRANDFIELD h 2 WITHVALUES", "*2 $1 c $1 3 ", "");
    assert_effect(&fixture, "HRANDFIELD h", "$1 c ", "");
    assert_effect(&fixture, "HSCAN h 0", "*2 $1 0 *2 $1 c $1 3 ", "");
    assert_effect(&fixture, "HTTL h FIELDS 2 a c", "*2 :-2 :-1 ", "");
    assert_effect(&fixture, "EXISTS all h", ":1 ", "");
    assert_effect(&fixture, "KEYS *a*", "*0 ", "");
    cw_keyspace_set_expiry_mode(fixture.keyspace, CW_EXPIRY_IGNORED);
    assert_effect(&fixture, "HGET h a", "$1 1 ", "");
    assert_effect(&fixture, "HLEN h", ":3 ", "");
    assert_effect(&fixture, "EXISTS all h", ":2 ", "");
}

/* What DUMP gives brings the dates along, and goes into the stream in a form that older servers take. */
static void test_dump_and_restore(void **state)
{
    (void)state;
    call_fixture_run(&fixture, "HPEXPIRE h 500 FIELDS 1 a");
    call_fixture_run(&fixture, "HPEXPIRE h 1500 FIELDS 1 b");
    call_fixture_run(&fixture, "DUMP h");
    struct slice reply = buf_slice(&fixture.reply);
    const char *payload_at = (const char *)memchr(reply.data, '\n', reply.length) + 1;
    size_t length = reply.length - (size_t)(payload_at - reply.data) - 2;
    assert_int_equal(payload_at[0], 24);
    assert_int_equal(payload_at[length - 10], 12);
    char *payload = mem_copy_text(payload_at, length);
    struct slice argv[] = {SLICE_LITERAL("RESTORE"), SLICE_LITERAL("r"), SLICE_LITERAL("0"), slice_of(payload, length)};
    call_fixture_execute(&fixture, argv, ARRAY_LENGTH(argv));
    assert_int_equal(buf_slice(&fixture.reply).data[0], '+');
    struct slice said = buf_slice(&fixture.propagated);
    bool a_is_first = memmem(said.data, said.length, "<of next: r a=500 b=1500>; RESTORE r 0 ", 39) != NULL;
    bool b_is_first = memmem(said.data, said.length, "<of next: r b=1500 a=500>; RESTORE r 0 ", 39) != NULL;
    assert_true(a_is_first || b_is_first);
    assert_int_equal(said.data[39], 4); /* a plain hash */
    assert_reply(&fixture, "HPTTL r FIELDS 3 a b c", "*3 :500 :1500 :-1 ");
    assert_reply(&fixture, "HMGET r a b c", "*3 $1 1 $1 2 $1 3 ");
    mem_free(payload);
    /* Without a date, the payload is one for all. */
    call_fixture_run(&fixture, "HPERSIST h FIELDS 2 a b");
    call_fixture_run(&fixture, "DUMP h");
    reply = buf_slice(&fixture.reply);
    assert_int_equal(*((const char *)memchr(reply.data, '\n', reply.length) + 1), 4);
}

static void test_names_that_are_too_long(void **state)
{
    (void)state;
    size_t length = CW_FIELD_EXPIRY_NAMES_MAX;
    char *name = mem_alloc(length);
    memset(name, 'n', length);
    struct slice argv[] = {SLICE_LITERAL("HSETEX"), SLICE_LITERAL("key"), SLICE_LITERAL("EX"),    SLICE_LITERAL("10"),
                           SLICE_LITERAL("FIELDS"), SLICE_LITERAL("1"),   slice_of(name, length), SLICE_LITERAL("v")};
    call_fixture_execute(&fixture, argv, ARRAY_LENGTH(argv));
    static const char refused[] = "-ERR key and field are too long for a field that expires\r\n";
    assert_memory_equal(buf_slice(&fixture.reply).data, refused, sizeof(refused) - 1);
    assert_reply(&fixture, "EXISTS key", ":0 ");
    mem_free(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hexpire_replies, begin, end),
        cmocka_unit_test_setup_teardown(test_hexpire_errors, begin, end),
        cmocka_unit_test_setup_teardown(test_conditions, begin, end),
        cmocka_unit_test_setup_teardown(test_dates_that_are_past_delete, begin, end),
        cmocka_unit_test_setup_teardown(test_ttl_replies, begin, end),
        cmocka_unit_test_setup_teardown(test_hpersist, begin, end),
        cmocka_unit_test_setup_teardown(test_other_commands, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_due_is_gone_for_everybody, begin, end),
        cmocka_unit_test_setup_teardown(test_a_key_whose_fields_are_all_due, begin, end),
        cmocka_unit_test_setup_teardown(test_hsetex, begin, end),
        cmocka_unit_test_setup_teardown(test_hsetex_with_a_date_that_is_past, begin, end),
        cmocka_unit_test_setup_teardown(test_hsetex_errors, begin, end),
        cmocka_unit_test_setup_teardown(test_hgetex, begin, end),
        cmocka_unit_test_setup_teardown(test_hgetdel, begin, end),
        cmocka_unit_test_setup_teardown(test_a_replica_hides, begin, end),
        cmocka_unit_test_setup_teardown(test_dump_and_restore, begin, end),
        cmocka_unit_test_setup_teardown(test_names_that_are_too_long, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
