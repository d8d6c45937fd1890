/* Replies and effects of the string commands; the words are those that a Redis 7.2 server answers. */
#include "tests/unit/cacheworker/call_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WRONG_ARITY(name) "-ERR wrong number of arguments for '" name "' command "

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

/* Puts a key of another type there, which no command of this room can do. */
static void make_list(struct call_fixture *fixture, const char *name)
{
    struct slice key = slice_text(name);
    struct cw_ref ref;
    cw_keyspace_open(fixture->keyspace, 0, key, cw_keyspace_hash(fixture->keyspace, key), fixture->now_ms, &ref);
    cw_keyspace_put(fixture->keyspace, &ref, CW_TYPE_LIST, CW_ENCODING_PLAIN, SLICE_LITERAL("packed"));
}

static void test_get_and_set(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "GET a", "$-1 ", "");
    assert_effect(fixture, "SET a 1", "+OK ", "SET a 1");
    assert_effect(fixture, "GET a", "$1 1 ", "");
    assert_reply(fixture, "SET a", WRONG_ARITY("set"));
    assert_reply(fixture, "SET a \"\"", "+OK ");
    assert_reply(fixture, "GET a", "$0  ");
    fixture->protocol = 3;
    assert_reply(fixture, "GET none", "_ ");
}

static void test_set_conditions(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "SET a 1 XX", "$-1 ", "");
    assert_effect(fixture, "SET a 1 nx", "+OK ", "SET a 1 nx");
    assert_effect(fixture, "SET a 2 NX", "$-1 ", "");
    assert_effect(fixture, "SET a 2 XX", "+OK ", "SET a 2 XX");
    assert_effect(fixture, "SET a 3 GET", "$1 2 ", "SET a 3");
    assert_effect(fixture, "SET a 4 NX GET", "$1 3 ", "");
    assert_effect(fixture, "SET b 4 NX GET", "$-1 ", "SET b 4");
    assert_effect(fixture, "SET c 4 XX GET", "$-1 ", "");
    assert_reply(fixture, "MGET a b c", "*3 $1 3 $1 4 $-1 ");
    assert_reply(fixture, "SET a 1 NX XX", "-ERR syntax error ");
    assert_reply(fixture, "SET a 1 PERSIST", "-ERR syntax error ");
    assert_reply(fixture, "SET a 1 what", "-ERR syntax error ");
}

static void test_set_expiry(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "SET a 1 EX 10", "+OK ", "SET a 1 PXAT 1700000010000");
    assert_reply(fixture, "PTTL a", ":10000 ");
    assert_effect(fixture, "SET a 1 PX 10 NX", "$-1 ", "");
    assert_effect(fixture, "SET a 2 KEEPTTL", "+OK ", "SET a 2 KEEPTTL");
    assert_reply(fixture, "PTTL a", ":10000 ");
    assert_effect(fixture, "SET a 2 GET EXAT 1700000001", "$1 2 ", "SET a 2 PXAT 1700000001000");
    assert_effect(fixture, "SET a 3", "+OK ", "SET a 3");
    assert_reply(fixture, "PTTL a", ":-1 ");
    assert_reply(fixture, "SET a 1 EX", "-ERR syntax error ");
    assert_reply(fixture, "SET a 1 EX 1 PX 1", "-ERR syntax error ");
    assert_reply(fixture, "SET a 1 EX 1 KEEPTTL", "-ERR syntax error ");
    assert_reply(fixture, "SET a 1 EX 0", "-ERR invalid expire time in 'set' command ");
    assert_reply(fixture, "SET a 1 PXAT -1", "-ERR invalid expire time in 'set' command ");
    assert_reply(fixture, "SET a 1 EX 9223372036854776", "-ERR invalid expire time in 'set' command ");
    assert_reply(fixture, "SET a 1 PX 9223372036854775807", "-ERR invalid expire time in 'set' command ");
    assert_reply(fixture, "SET a 1 EX 1.5", "-ERR value is not an integer or out of range ");
    assert_effect(fixture, "SETEX a 10 v", "+OK ", "SET a v PXAT 1700000010000");
    assert_effect(fixture, "PSETEX a 10 v", "+OK ", "SET a v PXAT 1700000000010");
    assert_reply(fixture, "SETEX a 0 v", "-ERR invalid expire time in 'setex' command ");
    assert_reply(fixture, "PSETEX a -5 v", "-ERR invalid expire time in 'psetex' command ");
    assert_reply(fixture, "SET b 1 PXAT 1", "+OK ");
    assert_effect(fixture, "GET b", "$-1 ", "[0] DEL b");
}

#define NOT_A_DIGEST "-ERR must be exactly 16 hexadecimal characters "
#define WRONG_TYPE   "-WRONGTYPE Operation against a key holding the wrong kind of value "
#define OF_HELLO     "9555e8555c62dcfd"

static void test_set_if_equal(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "SET a 1 IFEQ 1", "$-1 ", "");
    assert_effect(fixture, "SET a 1 IFNE 1", "+OK ", "SET a 1");
    assert_effect(fixture, "SET a 2 IFNE 1", "$-1 ", "");
    assert_effect(fixture, "SET a 2 IFEQ 01", "$-1 ", "");
    assert_effect(fixture, "SET a hello ifeq 1 EX 10", "+OK ", "SET a hello PXAT 1700000010000");
    assert_effect(fixture, "SET a b IFEQ hell GET", "$5 hello ", "");
    assert_effect(fixture, "SET a b IFEQ hello GET KEEPTTL", "$5 hello ", "SET a b KEEPTTL");
    assert_reply(fixture, "PTTL a", ":10000 ");
    assert_effect(fixture, "SET a hello GET IFNE c", "$1 b ", "SET a hello");
    assert_reply(fixture, "PTTL a", ":-1 ");
    assert_effect(fixture, "SET none 1 IFEQ a GET", "$-1 ", "");
    assert_effect(fixture, "SET none 1 IFNE a GET", "$-1 ", "SET none 1");
    assert_reply(fixture, "SET a 1 IFEQ", "-ERR syntax error ");
    assert_reply(fixture, "SET a 1 NX IFEQ b", "-ERR syntax error ");
    assert_reply(fixture, "SET a 1 IFEQ b XX", "-ERR syntax error ");
    assert_reply(fixture, "SET a 1 IFEQ hello IFNE b", "-ERR syntax error ");
    assert_effect(fixture, "SET a 1 IFEQ b IFEQ hello", "+OK ", "SET a 1");
    assert_reply(fixture, "GETEX a IFEQ 1", "-ERR syntax error ");
    make_list(fixture, "list");
    assert_effect(fixture, "SET list 1 IFEQ 1", WRONG_TYPE, "");
    assert_effect(fixture, "SET list 1 IFNE 1", WRONG_TYPE, "");
    fixture->protocol = 3;
    assert_effect(fixture, "SET a 2 IFEQ 2", "_ ", "");
}

static void test_set_if_digest(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "SET a hello IFDEQ short", "$-1 ", "");
    assert_effect(fixture, "SET a hello IFDNE short", "+OK ", "SET a hello");
    assert_reply(fixture, "DIGEST a", "$16 " OF_HELLO " ");
    assert_effect(fixture, "SET a b IFDEQ short", NOT_A_DIGEST, "");
    assert_effect(fixture, "SET a b IFDNE 0" OF_HELLO " GET", NOT_A_DIGEST, "");
    assert_effect(fixture, "SET a b IFDNE " OF_HELLO, "$-1 ", "");
    assert_effect(fixture, "SET a b IFDEQ zzzzzzzzzzzzzzzz", "$-1 ", "");
    assert_effect(fixture, "SET a b IFDEQ 9555E8555C62DCFD", "+OK ", "SET a b");
    assert_effect(fixture, "SET a hello IFDNE " OF_HELLO " GET", "$1 b ", "SET a hello");
    assert_reply(fixture, "SET v v8", "+OK ");
    assert_reply(fixture, "DIGEST v", "$16 0cc76dbb41381419 ");
    assert_reply(fixture, "DIGEST none", "$-1 ");
    make_list(fixture, "list");
    assert_reply(fixture, "DIGEST list", WRONG_TYPE);
    assert_reply(fixture, "SET list 1 IFDEQ short", WRONG_TYPE);
}

static void test_delete_if(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "MSET a hello b hello c hello d hello e 007", "+OK ");
    assert_effect(fixture, "DELEX a IFEQ hell", ":0 ", "");
    assert_effect(fixture, "DELEX a IfEq hello", ":1 ", "DEL a");
    assert_effect(fixture, "DELEX a", ":0 ", "");
    assert_effect(fixture, "DELEX b IFNE hello", ":0 ", "");
    assert_effect(fixture, "DELEX b IFNE x", ":1 ", "DEL b");
    assert_effect(fixture, "DELEX c IFDNE " OF_HELLO, ":0 ", "");
    assert_effect(fixture, "DELEX c IFDEQ short", NOT_A_DIGEST, "");
    assert_effect(fixture, "DELEX c IFDEQ " OF_HELLO, ":1 ", "DEL c");
    assert_effect(fixture, "DELEX d IFDNE 0000000000000000", ":1 ", "DEL d");
    assert_effect(fixture, "DELEX none WHAT x", ":0 ", "");
    assert_reply(fixture, "DELEX e IFEQ", WRONG_ARITY("delex"));
    assert_reply(fixture, "DELEX none IFEQ a b", WRONG_ARITY("delex"));
    assert_reply(fixture, "DELEX e NX x", "-ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE ");
    assert_effect(fixture, "DELIFEQ e 7", ":0 ", "");
    assert_effect(fixture, "DELIFEQ e 007", ":1 ", "DEL e");
    assert_effect(fixture, "DELIFEQ e 007", ":0 ", "");
    make_list(fixture, "list");
    assert_reply(fixture, "DELIFEQ list x", WRONG_TYPE);
    assert_reply(fixture, "DELEX list WHAT x", "-ERR Key should be of string type if conditions are specified ");
    assert_effect(fixture, "DELEX list", ":1 ", "DEL list");
}

static void test_msetex(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "MSETEX 2 a 1 b 2", ":1 ", "MSET a 1 b 2");
    assert_int_equal(fixture->dirty, 2);
    assert_effect(fixture, "MSETEX 2 a 3 c 3 NX", ":0 ", "");
    assert_effect(fixture, "MSETEX 2 a 3 c 3 XX", ":0 ", "");
    assert_effect(fixture, "MSETEX 2 c 3 c 4 NX EX 10", ":1 ",
                  "SET c 3 PXAT 1700000010000; SET c 4 PXAT 1700000010000");
    assert_effect(fixture, "MSETEX 2 a 5 c 6 xx KEEPTTL", ":1 ", "SET a 5 KEEPTTL; SET c 6 KEEPTTL");
    assert_reply(fixture, "PTTL a", ":-1 ");
    assert_reply(fixture, "PTTL c", ":10000 ");
    assert_effect(fixture, "MSETEX 1 c 7 XX", ":1 ", "MSET c 7");
    assert_reply(fixture, "PTTL c", ":-1 ");
    assert_effect(fixture, "MSETEX 1 d 1 PXAT 1700000000500", ":1 ", "SET d 1 PXAT 1700000000500");
    assert_reply(fixture, "MGET a b c d", "*4 $1 5 $1 2 $1 7 $1 1 ");
    make_list(fixture, "list");
    assert_effect(fixture, "MSETEX 1 list 1", ":1 ", "MSET list 1");
    assert_reply(fixture, "MSETEX 0 a 1", "-ERR invalid numkeys value ");
    assert_reply(fixture, "MSETEX x a 1", "-ERR invalid numkeys value ");
    assert_reply(fixture, "MSETEX 2147483648 a 1", "-ERR invalid numkeys value ");
    assert_reply(fixture, "MSETEX 2147483647 a 1", "-ERR wrong number of key-value pairs ");
    assert_reply(fixture, "MSETEX 2 a 1 b", "-ERR wrong number of key-value pairs ");
    assert_reply(fixture, "MSETEX 1 a 1 b 2", "-ERR syntax error ");
    assert_reply(fixture, "MSETEX 1 a 1 NX XX", "-ERR syntax error ");
    assert_reply(fixture, "MSETEX 1 a 1 GET", "-ERR syntax error ");
    assert_reply(fixture, "MSETEX 1 a 1 IFEQ 1", "-ERR syntax error ");
    assert_reply(fixture, "MSETEX 1 a 1 EX 0", "-ERR invalid expire time in 'msetex' command ");
    assert_reply(fixture, "MSETEX 1 a 1 EX x", "-ERR value is not an integer or out of range ");
    assert_reply(fixture, "MSETEX 1 a", WRONG_ARITY("msetex"));
}

static void test_getex_getdel_getset(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "SET a v", "+OK ");
    assert_effect(fixture, "GETEX a", "$1 v ", "");
    assert_effect(fixture, "GETEX a PERSIST", "$1 v ", "");
    assert_effect(fixture, "GETEX a EX 10", "$1 v ", "PEXPIREAT a 1700000010000");
    assert_effect(fixture, "GETEX a PERSIST", "$1 v ", "PERSIST a");
    assert_reply(fixture, "TTL a", ":-1 ");
    assert_reply(fixture, "GETEX a PERSIST EX 10", "-ERR syntax error ");
    assert_reply(fixture, "GETEX a NX", "-ERR syntax error ");
    assert_reply(fixture, "GETEX a EX 0", "-ERR invalid expire time in 'getex' command ");
    assert_reply(fixture, "GETEX none EX 0", "$-1 ");
    assert_effect(fixture, "GETEX a PXAT 5", "$1 v ", "DEL a");
    assert_effect(fixture, "GETDEL a", "$-1 ", "");
    assert_reply(fixture, "SET a v EX 10", "+OK ");
    assert_effect(fixture, "GETSET a w", "$1 v ", "SET a w");
    assert_reply(fixture, "TTL a", ":-1 ");
    assert_effect(fixture, "GETDEL a", "$1 w ", "DEL a");
    assert_effect(fixture, "GETSET a x", "$-1 ", "SET a x");
}

static void test_several_keys(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "MSET a 1 b 2 a 3", "+OK ", "MSET a 1 b 2 a 3");
    assert_int_equal(fixture->dirty, 3);
    assert_reply(fixture, "MGET a b a none", "*4 $1 3 $1 2 $1 3 $-1 ");
    assert_reply(fixture, "MSET a 1 b", WRONG_ARITY("mset"));
    assert_effect(fixture, "MSETNX c 1 b 2", ":0 ", "");
    assert_effect(fixture, "MSETNX c 1 d 2", ":1 ", "MSETNX c 1 d 2");
    assert_reply(fixture, "MSETNX c 1 d", WRONG_ARITY("msetnx"));
    assert_effect(fixture, "SETNX c 5", ":0 ", "");
    assert_effect(fixture, "SETNX e 5", ":1 ", "SETNX e 5");
    make_list(fixture, "list");
    assert_reply(fixture, "MGET list c", "*2 $-1 $1 1 ");
}

static void test_append_and_ranges(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "APPEND a 12", ":2 ", "APPEND a 12");
    assert_reply(fixture, "OBJECT ENCODING a", "$3 int ");
    assert_reply(fixture, "APPEND a 34", ":4 ");
    assert_reply(fixture, "OBJECT ENCODING a", "$3 raw ");
    assert_reply(fixture, "GETRANGE a 0 -1", "$4 1234 ");
    assert_reply(fixture, "GETRANGE a -3 -2", "$2 23 ");
    assert_reply(fixture, "GETRANGE a 2 1", "$0  ");
    assert_reply(fixture, "GETRANGE a -1 -3", "$0  ");
    assert_reply(fixture, "GETRANGE a -100 100", "$4 1234 ");
    assert_reply(fixture, "GETRANGE a -9223372036854775808 9223372036854775807", "$4 1234 ");
    assert_reply(fixture, "SUBSTR a 1 2", "$2 23 ");
    assert_reply(fixture, "GETRANGE none 0 1", "$0  ");
    assert_reply(fixture, "GETRANGE none x 1", "-ERR value is not an integer or out of range ");
    assert_reply(fixture, "STRLEN a", ":4 ");
    assert_reply(fixture, "STRLEN none", ":0 ");
    assert_effect(fixture, "SETRANGE a 6 xy", ":8 ", "SETRANGE a 6 xy");
    assert_reply(fixture, "GETRANGE a 3 3", "$1 4 ");
    assert_reply(fixture, "GETRANGE a 6 -1", "$2 xy ");
    assert_reply(fixture, "SETRANGE a 0 99", ":8 ");
    assert_effect(fixture, "SETRANGE a 100 \"\"", ":8 ", "");
    assert_effect(fixture, "SETRANGE none 5 \"\"", ":0 ", "");
    assert_reply(fixture, "EXISTS none", ":0 ");
    assert_reply(fixture, "SETRANGE a -1 x", "-ERR offset is out of range ");
    assert_reply(fixture, "SETRANGE a 536870912 x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len) ");
    assert_reply(fixture, "SETRANGE a 9223372036854775807 x",
                 "-ERR string exceeds maximum allowed size (proto-max-bulk-len) ");
}

/* A value grows from inside the entry into a block of its own, and keeps its expiry and its bytes. */
static void test_append_grows(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "SET a \"\" EX 100", "+OK ");
    for (unsigned i = 0; i < 3000; i++)
        call_fixture_run(fixture, i % 2 ? "APPEND a 1" : "APPEND a 0");
    assert_reply(fixture, "STRLEN a", ":3000 ");
    assert_reply(fixture, "GETRANGE a 1022 1027", "$6 010101 ");
    assert_reply(fixture, "GETRANGE a 2996 2999", "$4 0101 ");
    assert_reply(fixture, "TTL a", ":100 ");
    assert_reply(fixture, "SET a short KEEPTTL", "+OK ");
    assert_reply(fixture, "GET a", "$5 short ");
    assert_reply(fixture, "TTL a", ":100 ");
}

static void test_counting(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "INCR a", ":1 ", "INCR a");
    assert_effect(fixture, "DECRBY a 12", ":-11 ", "DECRBY a 12");
    assert_reply(fixture, "INCRBY a 9", ":-2 ");
    assert_reply(fixture, "DECR a", ":-3 ");
    assert_reply(fixture, "SET a 9223372036854775807 EX 50", "+OK ");
    assert_effect(fixture, "INCR a", "-ERR increment or decrement would overflow ", "");
    assert_reply(fixture, "DECR a", ":9223372036854775806 ");
    assert_reply(fixture, "TTL a", ":50 ");
    assert_reply(fixture, "DECRBY a -9223372036854775808", "-ERR decrement would overflow ");
    assert_reply(fixture, "INCRBY a -9223372036854775808", ":-2 ");
    assert_reply(fixture, "INCRBY a x", "-ERR value is not an integer or out of range ");
    assert_reply(fixture, "MSET w 01 x \" 1\" y 1.0 z 9223372036854775808", "+OK ");
    assert_reply(fixture, "INCR w", "-ERR value is not an integer or out of range ");
    assert_reply(fixture, "INCR x", "-ERR value is not an integer or out of range ");
    assert_reply(fixture, "INCR y", "-ERR value is not an integer or out of range ");
    assert_reply(fixture, "INCR z", "-ERR value is not an integer or out of range ");
}

static void test_incrbyfloat(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "INCRBYFLOAT a 10.5", "$4 10.5 ", "SET a 10.5 KEEPTTL");
    assert_reply(fixture, "INCRBYFLOAT a 0.1", "$4 10.6 ");
    assert_reply(fixture, "INCRBYFLOAT a -10.6", "$1 0 ");
    assert_reply(fixture, "SET a 5.0e3", "+OK ");
    assert_reply(fixture, "INCRBYFLOAT a 2.0e2", "$4 5200 ");
    assert_reply(fixture, "OBJECT ENCODING a", "$6 embstr ");
    assert_reply(fixture, "INCRBYFLOAT a inf", "-ERR increment would produce NaN or Infinity ");
    assert_reply(fixture, "INCRBYFLOAT a nan", "-ERR value is not a valid float ");
    assert_reply(fixture, "INCRBYFLOAT a \" 1\"", "-ERR value is not a valid float ");
    assert_reply(fixture, "INCRBYFLOAT a 1x", "-ERR value is not a valid float ");
    assert_reply(fixture, "INCRBYFLOAT a 1e5000", "-ERR value is not a valid float ");
    assert_reply(fixture, "SET a hello", "+OK ");
    assert_reply(fixture, "INCRBYFLOAT a 1", "-ERR value is not a valid float ");
    assert_reply(fixture, "SET a 0", "+OK ");
    call_fixture_run(fixture, "INCRBYFLOAT a 1e4000"); /* "999...", or "1000..." where a long double is longer */
    size_t digits = buf_length(&fixture->reply) - strlen("$4000\r\n") - strlen("\r\n");
    assert_in_range(digits, 4000, 4001);
    assert_reply(fixture, "INCRBYFLOAT a -1e4000", "$1 0 ");
}

static void test_lcs(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "MSET a ohmytext b mynewtext", "+OK ");
    assert_effect(fixture, "LCS a b", "$6 mytext ", "");
    assert_reply(fixture, "LCS a b LEN", ":6 ");
    assert_reply(fixture, "LCS a b IDX", "*4 $7 matches *2 *2 *2 :4 :7 *2 :5 :8 *2 *2 :2 :3 *2 :0 :1 $3 len :6 ");
    assert_reply(fixture, "LCS a b IDX MINMATCHLEN 4", "*4 $7 matches *1 *2 *2 :4 :7 *2 :5 :8 $3 len :6 ");
    assert_reply(fixture, "LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
                 "*4 $7 matches *1 *3 *2 :4 :7 *2 :5 :8 :4 $3 len :6 ");
    assert_reply(fixture, "LCS a none", "$0  ");
    assert_reply(fixture, "LCS none a LEN", ":0 ");
    assert_reply(fixture, "LCS a b IDX LEN", "-ERR If you want both the length and indexes, please just use IDX. ");
    assert_reply(fixture, "LCS a b MINMATCHLEN", "-ERR syntax error ");
    assert_reply(fixture, "SETRANGE a 30000 x", ":30001 ");
    assert_reply(fixture, "SETRANGE b 30000 x", ":30001 ");
    assert_reply(fixture, "LCS a b", "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len ");
    make_list(fixture, "list");
    assert_reply(fixture, "LCS list a", "-ERR The specified keys must contain string values ");
    fixture->protocol = 3;
    assert_reply(fixture, "LCS none none IDX", "%2 $7 matches *0 $3 len :0 ");
}

static void test_wrong_type(void **state)
{
    struct call_fixture *fixture = *state;
    make_list(fixture, "l");
    static const char *const lines[] = {
        "GET l",          "GETSET l 1", "GETDEL l",   "GETEX l",         "SET l 1 GET",    "APPEND l 1", "STRLEN l",
        "SETRANGE l 0 1", "INCR l",     "INCRBY l 1", "INCRBYFLOAT l 1", "GETRANGE l 0 1", "DECR l",     "DECRBY l 1",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        assert_effect(fixture, lines[i], "-WRONGTYPE Operation against a key holding the wrong kind of value ", "");
    assert_reply(fixture, "SET l 1", "+OK ");
    assert_reply(fixture, "TYPE l", "+string ");
}

static void test_encodings(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "SET a 12345678901234567890", "+OK ");
    assert_reply(fixture, "OBJECT ENCODING a", "$6 embstr ");
    assert_reply(fixture, "SET a -12", "+OK ");
    assert_reply(fixture, "OBJECT ENCODING a", "$3 int ");
    assert_reply(fixture, "SET a 01234567890123456789012345678901234567890123", "+OK ");
    assert_reply(fixture, "OBJECT ENCODING a", "$6 embstr ");
    assert_reply(fixture, "SET a 012345678901234567890123456789012345678901234", "+OK ");
    assert_reply(fixture, "OBJECT ENCODING a", "$3 raw ");
    assert_reply(fixture, "SET a 7", "+OK ");
    assert_reply(fixture, "SETRANGE a 0 8", ":1 ");
    assert_reply(fixture, "OBJECT ENCODING a", "$3 raw ");
    assert_reply(fixture, "INCR a", ":9 ");
    assert_reply(fixture, "OBJECT ENCODING a", "$3 int ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        TEST(test_get_and_set),   TEST(test_set_conditions),
        TEST(test_set_expiry),    TEST(test_set_if_equal),
        TEST(test_set_if_digest), TEST(test_delete_if),
        TEST(test_msetex),        TEST(test_getex_getdel_getset),
        TEST(test_several_keys),  TEST(test_append_and_ranges),
        TEST(test_append_grows),  TEST(test_counting),
        TEST(test_incrbyfloat),   TEST(test_lcs),
        TEST(test_wrong_type),    TEST(test_encodings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
