/* What the bitmap commands reply and propagate; the words are those that a Redis 7.2 server answers. */
#include "tests/unit/cacheworker/call_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define BAD_OFFSET  "-ERR bit offset is not an integer or out of range "
#define NOT_INTEGER "-ERR value is not an integer or out of range "
#define SYNTAX      "-ERR syntax error "

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

static void make_list(struct call_fixture *fixture, const char *name)
{
    struct slice key = slice_text(name);
    struct cw_ref ref;
    cw_keyspace_open(fixture->keyspace, 0, key, cw_keyspace_hash(fixture->keyspace, key), fixture->now_ms, &ref);
    cw_keyspace_put(fixture->keyspace, &ref, CW_TYPE_LIST, CW_ENCODING_PLAIN, SLICE_LITERAL("packed"));
}

static void test_one_bit(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "SETBIT a 7 0", ":0 ", "SETBIT a 7 0"); /* the string appears */
    assert_effect(fixture, "SETBIT a 7 0", ":0 ", "");
    assert_effect(fixture, "SETBIT a 7 1", ":0 ", "SETBIT a 7 1");
    assert_effect(fixture, "SETBIT a 7 1", ":1 ", "");
    assert_effect(fixture, "SETBIT a 15 0", ":0 ", "SETBIT a 15 0"); /* it grows */
    assert_reply(fixture, "STRLEN a", ":2 ");
    assert_effect(fixture, "GETBIT a 7", ":1 ", "");
    assert_reply(fixture, "GETBIT a 100", ":0 ");
    assert_reply(fixture, "GETBIT none 4294967295", ":0 ");
    assert_reply(fixture, "OBJECT ENCODING a", "$3 raw ");
    assert_reply(fixture, "SET b 1", "+OK ");
    assert_reply(fixture, "SETBIT b 6 1", ":0 ");
    assert_reply(fixture, "GET b", "$1 3 ");
    assert_reply(fixture, "EXPIRE b 100", ":1 ");
    assert_reply(fixture, "SETBIT b 0 0", ":0 ");
    assert_reply(fixture, "TTL b", ":100 ");
}

static void test_one_bit_refused(void **state)
{
    struct call_fixture *fixture = *state;
    make_list(fixture, "l");
    assert_effect(fixture, "SETBIT l 4294967296 2", BAD_OFFSET, "");
    assert_effect(fixture, "SETBIT l -1 1", BAD_OFFSET, "");
    assert_effect(fixture, "SETBIT l #1 1", BAD_OFFSET, "");
    assert_effect(fixture, "SETBIT l \"\" 1", BAD_OFFSET, "");
    assert_effect(fixture, "SETBIT l 1 2", "-ERR bit is not an integer or out of range ", "");
    assert_effect(fixture, "SETBIT l 1 x", "-ERR bit is not an integer or out of range ", "");
    assert_effect(fixture, "SETBIT l 1 1", "-WRONGTYPE Operation against a key holding the wrong kind of value ", "");
    assert_effect(fixture, "GETBIT l x", BAD_OFFSET, "");
    assert_effect(fixture, "GETBIT l 1", "-WRONGTYPE Operation against a key holding the wrong kind of value ", "");
}

static void test_bitcount(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "SET a foobar", "+OK ");
    assert_effect(fixture, "BITCOUNT a", ":26 ", "");
    assert_reply(fixture, "BITCOUNT a 0 0", ":4 ");
    assert_reply(fixture, "BITCOUNT a 1 1 BYTE", ":6 ");
    assert_reply(fixture, "BITCOUNT a 5 30 bit", ":17 ");
    assert_reply(fixture, "BITCOUNT a -8 -1 BIT", ":4 ");
    assert_reply(fixture, "BITCOUNT a -100 100", ":26 ");
    assert_reply(fixture, "BITCOUNT a -9223372036854775808 9223372036854775807 BIT", ":26 ");
    assert_reply(fixture, "BITCOUNT a 3 2", ":0 ");
    assert_reply(fixture, "BITCOUNT a 6 7", ":0 ");
    assert_reply(fixture, "BITCOUNT a -1 -2 NONE", ":0 ");
    assert_reply(fixture, "BITCOUNT a 3 2 NONE", SYNTAX);
    assert_reply(fixture, "BITCOUNT a 1", SYNTAX);
    assert_reply(fixture, "BITCOUNT a 1 2 BIT x", SYNTAX);
    assert_reply(fixture, "BITCOUNT a x 2 NONE", NOT_INTEGER);
    assert_reply(fixture, "BITCOUNT none x", ":0 ");
    assert_reply(fixture, "SET a \"\"", "+OK ");
    assert_reply(fixture, "BITCOUNT a", ":0 ");
    assert_reply(fixture, "BITCOUNT a 0 -1 BIT", ":0 ");
}

static void test_bitpos(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "SET a \"\\xff\\xf0\\x00\"", "+OK ");
    assert_effect(fixture, "BITPOS a 0", ":12 ", "");
    assert_reply(fixture, "BITPOS a 1 2", ":-1 ");
    assert_reply(fixture, "BITPOS a 1 -2", ":8 ");
    assert_reply(fixture, "BITPOS a 0 3 7 BIT", ":-1 ");
    assert_reply(fixture, "BITPOS a 1 3 7 bit", ":3 ");
    assert_reply(fixture, "BITPOS a 0 0 -1", ":12 ");
    assert_reply(fixture, "BITPOS a 0 1 0", ":-1 ");
    assert_reply(fixture, "SET a \"\\xff\\xff\"", "+OK ");
    assert_reply(fixture, "BITPOS a 0", ":16 "); /* behind the string */
    assert_reply(fixture, "BITPOS a 0 1", ":16 ");
    assert_reply(fixture, "BITPOS a 0 0 -1", ":-1 "); /* but not when the end was said */
    assert_reply(fixture, "BITPOS a 0 2", ":-1 ");
    assert_reply(fixture, "SET a \"\"", "+OK ");
    assert_reply(fixture, "BITPOS a 0", ":-1 ");
    assert_reply(fixture, "BITPOS none 0 x", ":0 ");
    assert_reply(fixture, "BITPOS none 1", ":-1 ");
    assert_reply(fixture, "BITPOS none 2", "-ERR The bit argument must be 1 or 0. ");
    assert_reply(fixture, "BITPOS a x", NOT_INTEGER);
    assert_reply(fixture, "BITPOS a 1 0 x NONE", SYNTAX);
    assert_reply(fixture, "BITPOS a 1 0 x BIT", NOT_INTEGER);
    assert_reply(fixture, "BITPOS a 1 x 0 NONE", NOT_INTEGER);
    assert_reply(fixture, "BITPOS a 1 0 0 BIT x", SYNTAX);
}

static void test_bitop(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "MSET a \"\\x0f\\x33\" b \"\\x54\" c 1", "+OK ");
    assert_reply(fixture, "EXPIRE c 100", ":1 ");
    assert_effect(fixture, "BITOP OR c a b", ":2 ", "BITOP OR c a b");
    assert_reply(fixture, "GET c", "$2 \x5f\x33 ");
    assert_reply(fixture, "TTL c", ":-1 ");
    assert_reply(fixture, "OBJECT ENCODING c", "$3 raw ");
    assert_reply(fixture, "BITOP XOR c c b none", ":2 "); /* the destination may be a source */
    assert_reply(fixture, "GET c", "$2 \x0b\x33 ");
    assert_reply(fixture, "BITOP NOT d b", ":1 ");
    assert_reply(fixture, "GET d", "$1 \xab ");
    assert_reply(fixture, "BITOP AND c a none", ":2 ");
    assert_reply(fixture, "STRLEN c", ":2 ");
    assert_reply(fixture, "BITCOUNT c", ":0 ");
    assert_effect(fixture, "BITOP AND c none other", ":0 ", "BITOP AND c none other");
    assert_reply(fixture, "EXISTS c", ":0 ");
    assert_effect(fixture, "BITOP AND c none other", ":0 ", "");
    make_list(fixture, "l");
    assert_effect(fixture, "BITOP OR c a l", "-WRONGTYPE Operation against a key holding the wrong kind of value ", "");
    assert_effect(fixture, "BITOP OR l a", ":2 ", "BITOP OR l a"); /* but the destination is anything */
    assert_reply(fixture, "TYPE l", "+string ");
    assert_effect(fixture, "BITOP NAND c a b", SYNTAX, "");
    assert_effect(fixture, "BITOP NOT c a b", "-ERR BITOP NOT must be called with a single source key. ", "");
}

/* A replica of before 8.2 knows the results only. */
static void test_new_bitop(void **state)
{
    struct call_fixture *fixture = *state;
    assert_reply(fixture, "MSET a \"\\x7f\\x7f\" b \"\\x1e\\x1d\" c A e \"\"", "+OK ");
    assert_effect(fixture, "BITOP DIFF d a b", ":2 ", "SET d ab");
    assert_effect(fixture, "BITOP diff1 d b a none", ":2 ", "SET d ab");
    assert_effect(fixture, "BITOP ANDOR d a c d", ":2 ", "SET d ab");
    assert_effect(fixture, "BITOP ONE d a b none e", ":2 ", "SET d ab");
    assert_effect(fixture, "BITOP ONE d a", ":2 ", "SET d \x7f\x7f");
    assert_effect(fixture, "BITOP ONE d none", ":0 ", "DEL d");
    assert_effect(fixture, "BITOP ONE d none", ":0 ", "");
    assert_effect(fixture, "BITOP diff d a", "-ERR BITOP DIFF must be called with at least two source keys. ", "");
    assert_effect(fixture, "BITOP DIFF1 d a", "-ERR BITOP DIFF1 must be called with at least two source keys. ", "");
    assert_effect(fixture, "BITOP andor d a", "-ERR BITOP ANDOR must be called with at least two source keys. ", "");
}

#define BAD_TYPE "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is. "

static void test_bitfield(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "BITFIELD a", "*0 ", "");
    assert_effect(fixture, "BITFIELD a GET u8 0 OVERFLOW SAT", "*1 :0 ", "");
    assert_reply(fixture, "EXISTS a", ":0 ");
    assert_effect(fixture, "BITFIELD a SET i8 #1 -1 GET u4 12", "*2 :0 :15 ", "BITFIELD a SET i8 #1 -1 GET u4 12");
    assert_effect(fixture, "BITFIELD a set i8 #1 -1 GET i8 8", "*2 :-1 :-1 ", "");
    assert_reply(fixture, "STRLEN a", ":2 ");
    assert_reply(fixture, "BITFIELD a INCRBY u8 8 1 OVERFLOW sat INCRBY u8 8 -5 OVERFLOW WRAP INCRBY u8 8 -5",
                 "*3 :0 :0 :251 ");
    assert_reply(fixture, "BITFIELD a INCRBY u2 100 1 OVERFLOW FAIL INCRBY u2 100 3", "*2 :1 $-1 ");
    assert_reply(fixture, "STRLEN a", ":13 ");
    fixture->protocol = 3;
    assert_effect(fixture, "BITFIELD a OVERFLOW FAIL SET u2 100 4", "*1 _ ", "");
    assert_reply(fixture, "BITFIELD a GET i64 9999", "*1 :0 ");
    assert_reply(fixture, "BITFIELD_RO a GET u2 100 GET u2 #50", "*2 :1 :1 ");
    /* The string grows even if nothing fits: the replicas must know. */
    assert_effect(fixture, "BITFIELD b OVERFLOW FAIL SET u2 100 4", "*1 _ ", "BITFIELD b OVERFLOW FAIL SET u2 100 4");
    assert_reply(fixture, "STRLEN b", ":13 ");
}

static void test_bitfield_refused(void **state)
{
    struct call_fixture *fixture = *state;
    make_list(fixture, "l");
    static const char *const types[] = {"u0", "u64", "i65", "i0", "x8", "8", "u", "U8", "i-1", "u08", "\"\""};
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        char line[64];
        snprintf(line, sizeof(line), "BITFIELD l GET %s 0", types[i]);
        assert_effect(fixture, line, BAD_TYPE, "");
    }
    assert_effect(fixture, "BITFIELD a SET u8 0 1 GET u8", SYNTAX, "");
    assert_effect(fixture, "BITFIELD a SET u8 0 1 SET u8 0", SYNTAX, "");
    assert_effect(fixture, "BITFIELD a SET u8 0 1 OVERFLOW", SYNTAX, "");
    assert_effect(fixture, "BITFIELD a SET u8 0 1 PUT u8 0 1", SYNTAX, "");
    assert_effect(fixture, "BITFIELD a SET u8 0 1 OVERFLOW MAYBE", "-ERR Invalid OVERFLOW type specified ", "");
    assert_effect(fixture, "BITFIELD a SET u8 -1 x", BAD_OFFSET, "");
    assert_effect(fixture, "BITFIELD a SET u8 # 1", BAD_OFFSET, "");
    assert_effect(fixture, "BITFIELD a SET u8 #536870912 1", BAD_OFFSET, "");
    assert_effect(fixture, "BITFIELD a SET u8 #9223372036854775807 1", BAD_OFFSET, "");
    assert_effect(fixture, "BITFIELD a GET u1 4294967296", BAD_OFFSET, "");
    assert_effect(fixture, "BITFIELD a INCRBY u8 0 x", NOT_INTEGER, "");
    assert_reply(fixture, "EXISTS a", ":0 ");
    assert_effect(fixture, "BITFIELD_RO l SET u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand ", "");
    assert_effect(fixture, "BITFIELD_RO l SET u8 0 x", NOT_INTEGER, "");
    static const char *const lines[] = {"BITFIELD l", "BITFIELD l GET u8 0", "BITFIELD l SET u8 0 1",
                                        "BITFIELD_RO l GET u8 0"};
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        assert_effect(fixture, lines[i], "-WRONGTYPE Operation against a key holding the wrong kind of value ", "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        TEST(test_one_bit), TEST(test_one_bit_refused), TEST(test_bitcount), TEST(test_bitpos),
        TEST(test_bitop),   TEST(test_new_bitop),       TEST(test_bitfield), TEST(test_bitfield_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
