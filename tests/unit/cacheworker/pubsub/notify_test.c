/* What commands tell of keys, and in which order. The differential test has all commands told beside the reference's;
 * here stand those that the reference of that test does not have, and the order within one command. */
#include "cacheworker/pubsub/notify.h"

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

static void test_strings(void **state)
{
    struct call_fixture *fixture = *state;
    assert_events(fixture, "SET a 1", "new a; set a");
    assert_events(fixture, "SET a 2 EX 10", "set a; expire a");
    assert_events(fixture, "SET a 2 NX", "");
    assert_events(fixture, "MSETEX 2 a 1 b 2 EX 10", "set a; new b; set b");
    assert_events(fixture, "DELIFEQ a 2", "");
    assert_events(fixture, "DELIFEQ a 1", "del a");
    assert_events(fixture, "DELEX b IFEQ 2", "del b");
    assert_events(fixture, "APPEND a x", "new a; append a");
    assert_events(fixture, "GETEX a PX 5", "expire a");
    assert_events(fixture, "GETEX a PERSIST", "persist a");
    assert_events(fixture, "GETEX a PXAT 1", "del a");
    assert_events(fixture, "GETEX a PXAT 1", "keymiss a");
    assert_events(fixture, "BITOP ONE d e f", "keymiss e; keymiss f");
    assert_events(fixture, "TTL e", "keymiss e");
    assert_events(fixture, "OBJECT ENCODING e", "");
}

static void test_moves(void **state)
{
    struct call_fixture *fixture = *state;
    call_fixture_run(fixture, "SET a 1");
    call_fixture_run(fixture, "SET b 2");
    assert_events(fixture, "RENAME a b", "new b; rename_from a; rename_to b");
    assert_events(fixture, "COPY b a DB 3", "new 3:a; copy_to 3:a");
    assert_events(fixture, "MOVE b 4", "new 4:b; move_from b; move_to 4:b");
    assert_events(fixture, "RENAMENX x y", "");
}

static void test_collections(void **state)
{
    struct call_fixture *fixture = *state;
    assert_events(fixture, "RPUSH l 1 2", "new l; rpush l");
    assert_events(fixture, "LMOVE l m LEFT RIGHT", "new m; rpush m; lpop l");
    assert_events(fixture, "RPOPLPUSH l l", "lpush l; rpop l");
    assert_events(fixture, "LTRIM l 0 0", "ltrim l");
    assert_events(fixture, "LTRIM l 5 6", "ltrim l; del l");
    assert_events(fixture, "SADD s a b", "new s; sadd s");
    assert_events(fixture, "SMOVE s t a", "srem s; new t; sadd t");
    assert_events(fixture, "SMOVE s t b", "srem s; del s; sadd t");
    assert_events(fixture, "SUNIONSTORE t t", "sunionstore t");
    assert_events(fixture, "SINTERSTORE t t none", "keymiss none; del t");
    assert_events(fixture, "ZADD z 1 a 2 b", "new z; zadd z");
    assert_events(fixture, "ZADD z INCR 1 a", "zincr z");
    assert_events(fixture, "ZPOPMAX z 2", "zpopmax z; del z");
    assert_events(fixture, "XADD x MAXLEN 1 1 a b", "new x; xadd x");
    assert_events(fixture, "XADD x MAXLEN 1 2 a b", "xadd x; xtrim x");
    assert_events(fixture, "XGROUP CREATE y g $ MKSTREAM", "new y; xgroup-create y");
    assert_events(fixture, "XREADGROUP GROUP g c STREAMS y >", "xgroup-createconsumer y");
}

/* Fields that expire are of 7.4 and 8.0. */
static void test_fields(void **state)
{
    struct call_fixture *fixture = *state;
    assert_events(fixture, "HSETEX h EX 10 FIELDS 1 f v", "new h; hset h; hexpire h");
    assert_events(fixture, "HPERSIST h FIELDS 1 f", "hpersist h");
    assert_events(fixture, "HPERSIST h FIELDS 1 f", "");
    assert_events(fixture, "HEXPIRE h 10 FIELDS 2 f g", "hexpire h");
    assert_events(fixture, "HGETEX h PERSIST FIELDS 1 f", "hpersist h");
    assert_events(fixture, "HEXPIRE h 0 FIELDS 1 f", "hdel h; del h");
    call_fixture_run(fixture, "HSET h a 1 b 2");
    assert_events(fixture, "HGETDEL h FIELDS 1 a", "hdel h");
    assert_events(fixture, "HSETEX h PXAT 1 FIELDS 1 b 3", "hdel h; del h");
}

static void test_restore(void **state)
{
    struct call_fixture *fixture = *state;
    struct buf payload = {0};
    call_fixture_run(fixture, "SET a 1");
    call_fixture_run(fixture, "DUMP a");
    struct slice reply = buf_slice(&fixture->reply);
    const char *end = memchr(reply.data, '\n', reply.length);
    buf_add(&payload, end + 1, reply.length - (size_t)(end + 1 - reply.data) - 2);
    fixture->settings.notify_classes = CW_NOTIFY_ALL | CW_NOTIFY_NEW;
    cw_keyspace_announce(fixture->keyspace, true, false);
    const struct slice argv[] = {SLICE_LITERAL("RESTORE"), SLICE_LITERAL("a"), SLICE_LITERAL("0"), buf_slice(&payload),
                                 SLICE_LITERAL("REPLACE")};
    call_fixture_execute(fixture, argv, ARRAY_LENGTH(argv));
    assert_true(slice_equal(buf_slice(&fixture->events), SLICE_LITERAL("new a; restore a")));
    const struct slice past[] = {argv[0], argv[1], SLICE_LITERAL("1"), argv[3], argv[4], SLICE_LITERAL("ABSTTL")};
    call_fixture_execute(fixture, past, ARRAY_LENGTH(past));
    assert_true(slice_equal(buf_slice(&fixture->events), SLICE_LITERAL("del a")));
    buf_free(&payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_strings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_collections, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restore, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
