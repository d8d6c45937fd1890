/* What stream commands answer, and what they tell the replicas. The replies were compared with redis-server 7.0 by
 * tests/system/test_differential.py; here stand those of 7.2 that differ, and the effects. */
#include "tests/unit/cacheworker/call_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void open_client(struct call_fixture *fixture)
{
    call_fixture_open(fixture);
    fixture->is_client = true;
}

static void run_all(struct call_fixture *fixture, const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        call_fixture_run(fixture, lines[i]);
}

#define RUN(fixture, ...)                                                                                              \
    run_all(fixture, (const char *const[]){__VA_ARGS__}, ARRAY_LENGTH(((const char *const[]){__VA_ARGS__})))

/* Executes what the last command has propagated on another fixture, as a replica does. */
static void replicate(const struct call_fixture *master, struct call_fixture *replica)
{
    char line[4096];
    struct slice rest = buf_slice(&master->propagated);
    while (rest.length > 0) {
        const char *end = memmem(rest.data, rest.length, "; ", 2);
        size_t length = end ? (size_t)(end - rest.data) : rest.length;
        assert_true(length < sizeof(line));
        memcpy(line, rest.data, length);
        line[length] = '\0';
        call_fixture_run(replica, line);
        rest = slice_skip(rest, end ? length + 2 : length);
    }
}

static void test_add(void **state)
{
    (void)state;
    struct call_fixture fixture;
    open_client(&fixture);
    assert_effect(&fixture, "XADD s 5-1 a 1", "$3 5-1 ", "XADD s 5-1 a 1");
    assert_effect(&fixture, "XADD s 5-* a 2", "$3 5-2 ", "XADD s 5-2 a 2");
    assert_effect(&fixture, "XADD s * a 3", "$15 1700000000000-0 ", "XADD s 1700000000000-0 a 3");
    assert_effect(&fixture, "XADD s NOMKSTREAM * a 4", "$15 1700000000000-1 ", "XADD s NOMKSTREAM 1700000000000-1 a 4");
    assert_effect(&fixture, "XADD none NOMKSTREAM * a 4", "$-1 ", "");
    assert_effect(&fixture, "XADD s MAXLEN 2 1700000000001-0 a 5", "$15 1700000000001-0 ",
                  "XADD s MAXLEN 2 1700000000001-0 a 5");
    assert_reply(&fixture, "XLEN s", ":2 ");
    assert_effect(&fixture, "XADD s 5-* a 2",
                  "-ERR The ID specified in XADD is equal or smaller than the target stream top item ", "");
    assert_effect(&fixture, "XADD none 0 a 4", "-ERR The ID specified in XADD must be greater than 0-0 ", "");
    assert_effect(&fixture, "XADD s * a", "-ERR wrong number of arguments for 'xadd' command ", "");
    assert_reply(&fixture, "EXISTS none", ":0 ");
    call_fixture_close(&fixture);
}

/* An approximate trim takes whole nodes, which a replica may have cut elsewhere: it is told what came of it. */
static void test_trim(void **state)
{
    (void)state;
    struct call_fixture fixture;
    char line[64];
    open_client(&fixture);
    for (int i = 1; i <= 250; i++) {
        snprintf(line, sizeof(line), "XADD s %d-0 a b", i);
        call_fixture_run(&fixture, line);
    }
    assert_effect(&fixture, "XTRIM s MAXLEN ~ 149", ":100 ", "XTRIM s MAXLEN = 150");
    assert_effect(&fixture, "XTRIM s MAXLEN ~ 149", ":0 ", "");
    assert_effect(&fixture, "XTRIM s MAXLEN ~ 0 LIMIT 50", ":0 ", "");
    assert_effect(&fixture, "XADD s MAXLEN ~ 50 * a b", "$15 1700000000000-0 ",
                  "XADD s MAXLEN = 51 1700000000000-0 a b");
    assert_effect(&fixture, "XTRIM s MINID ~ 220", ":0 ", "");
    assert_effect(&fixture, "XTRIM s MINID 220", ":19 ", "XTRIM s MINID 220");
    assert_effect(&fixture, "XADD s MINID ~ 225 * a b", "$15 1700000000000-1 ",
                  "XADD s MINID = 201-0 1700000000000-1 a b");
    assert_effect(&fixture, "XTRIM s MAXLEN 3", ":30 ", "XTRIM s MAXLEN 3");
    assert_effect(&fixture, "XTRIM s MAXLEN 3 LIMIT 5",
                  "-ERR syntax error, LIMIT cannot be used without the special ~ option ", "");

    fixture.is_client = false; /* A master's stream may carry the limit on. */
    assert_reply(&fixture, "XTRIM s MAXLEN = 1 LIMIT 1", ":2 ");
    call_fixture_close(&fixture);
}

static void test_read(void **state)
{
    (void)state;
    struct call_fixture fixture;
    open_client(&fixture);
    RUN(&fixture, "XADD a 1-0 f v", "XADD a 2-0 f v", "XADD b 3-0 12 -5");
    assert_reply(&fixture, "XREAD COUNT 1 STREAMS a b none 0 0 0",
                 "*2 *2 $1 a *1 *2 $3 1-0 *2 $1 f $1 v *2 $1 b *1 *2 $3 3-0 *2 $2 12 $2 -5 ");
    fixture.protocol = 3;
    assert_reply(&fixture, "XREAD STREAMS a b 1-0 3-0", "%1 $1 a *1 *2 $3 2-0 *2 $1 f $1 v ");
    assert_reply(&fixture, "XREAD BLOCK 0 STREAMS a $", "_ ");
    fixture.protocol = 2;
    assert_effect(&fixture, "XREAD BLOCK 100 STREAMS a $", "*-1 ", "");
    assert_reply(&fixture, "XREAD STREAMS a b 0",
                 "-ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified. ");
    assert_reply(&fixture, "XREADGROUP GROUP g c STREAMS a b 0",
                 "-ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified. ");
    assert_reply(&fixture, "XREAD BLOCK 9223372036854775807 STREAMS a $", "-ERR timeout is out of range ");
    call_fixture_close(&fixture);
}

static void test_group_reads(void **state)
{
    (void)state;
    struct call_fixture fixture;
    open_client(&fixture);
    RUN(&fixture, "XADD s 1-0 f v", "XADD s 2-0 f v", "XADD s 3-0 f v");
    assert_effect(&fixture, "XGROUP CREATE s g 0", "+OK ", "XGROUP CREATE s g 0");
    assert_effect(&fixture, "XREADGROUP GROUP g c COUNT 1 STREAMS s >", "*1 *2 $1 s *1 *2 $3 1-0 *2 $1 f $1 v ",
                  "XGROUP CREATECONSUMER s g c; "
                  "XCLAIM s g c 0 1-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-0; "
                  "XGROUP SETID s g 1-0 ENTRIESREAD 1");
    assert_effect(&fixture, "XREADGROUP GROUP g d COUNT 1 NOACK STREAMS s >", "*1 *2 $1 s *1 *2 $3 2-0 *2 $1 f $1 v ",
                  "XGROUP CREATECONSUMER s g d; XGROUP SETID s g 2-0 ENTRIESREAD 2");
    fixture.now_ms += 7;
    assert_effect(&fixture, "XREADGROUP GROUP g c STREAMS s 0", "*1 *2 $1 s *1 *2 $3 1-0 *2 $1 f $1 v ",
                  "XCLAIM s g c 0 1-0 TIME 1700000000007 RETRYCOUNT 2 FORCE JUSTID LASTID 2-0");
    assert_effect(&fixture, "XDEL s 1-0", ":1 ", "XDEL s 1-0");
    assert_effect(&fixture, "XREADGROUP GROUP g c STREAMS s 0", "*1 *2 $1 s *1 *2 $3 1-0 *-1 ", "");
    assert_effect(&fixture, "XACK s g 1-0 9-9", ":1 ", "XACK s g 1-0 9-9");
    assert_effect(&fixture, "XACK s g 1-0", ":0 ", "");
    call_fixture_close(&fixture);
}

/* What version 7.2 does: whoever asks exists, and was seen; active is who got something. */
static void test_consumers(void **state)
{
    (void)state;
    struct call_fixture fixture;
    open_client(&fixture);
    RUN(&fixture, "XADD s 1-0 f v", "XGROUP CREATE s g $");
    assert_effect(&fixture, "XREADGROUP GROUP g c STREAMS s >", "*-1 ", "XGROUP CREATECONSUMER s g c");
    assert_effect(&fixture, "XREADGROUP GROUP g c STREAMS s >", "*-1 ", "");
    fixture.now_ms += 5;
    assert_effect(&fixture, "XCLAIM s g d 0 1-0", "*0 ", "XGROUP CREATECONSUMER s g d");
    assert_effect(&fixture, "XAUTOCLAIM s g e 0 0", "*3 $3 0-0 *0 *0 ", "XGROUP CREATECONSUMER s g e");
    RUN(&fixture, "XADD s 2-0 f v", "XREADGROUP GROUP g d STREAMS s >");
    fixture.now_ms += 3;
    assert_reply(&fixture, "XINFO CONSUMERS s g",
                 "*3 *8 $4 name $1 c $7 pending :0 $4 idle :8 $8 inactive :-1 "
                 "*8 $4 name $1 d $7 pending :1 $4 idle :3 $8 inactive :3 "
                 "*8 $4 name $1 e $7 pending :0 $4 idle :3 $8 inactive :-1 ");
    fixture.protocol = 3;
    assert_reply(&fixture, "XINFO STREAM s FULL COUNT 1",
                 "%9 $6 length :2 $15 radix-tree-keys :1 $16 radix-tree-nodes :2 $17 last-generated-id $3 2-0 "
                 "$20 max-deleted-entry-id $3 0-0 $13 entries-added :2 $23 recorded-first-entry-id $3 1-0 "
                 "$7 entries *1 *2 $3 1-0 *2 $1 f $1 v "
                 "$6 groups *1 %7 $4 name $1 g $17 last-delivered-id $3 2-0 $12 entries-read :2 $3 lag :0 "
                 "$9 pel-count :1 $7 pending *1 *4 $3 2-0 $1 d :1700000000005 :1 "
                 "$9 consumers *3 %5 $4 name $1 c $9 seen-time :1700000000000 $11 active-time :-1 $9 pel-count :0 "
                 "$7 pending *0 "
                 "%5 $4 name $1 d $9 seen-time :1700000000005 $11 active-time :1700000000005 $9 pel-count :1 "
                 "$7 pending *1 *3 $3 2-0 :1700000000005 :1 "
                 "%5 $4 name $1 e $9 seen-time :1700000000005 $11 active-time :-1 $9 pel-count :0 $7 pending *0 ");
    call_fixture_close(&fixture);
}

static void test_claims(void **state)
{
    (void)state;
    struct call_fixture fixture;
    open_client(&fixture);
    RUN(&fixture, "XADD s 1-0 f v", "XADD s 2-0 f v", "XADD s 3-0 f v", "XGROUP CREATE s g 0",
        "XREADGROUP GROUP g c STREAMS s >", "XGROUP CREATECONSUMER s g d", "XDEL s 2-0");
    fixture.now_ms += 1000;
    assert_effect(&fixture, "XCLAIM s g d 1001 1-0", "*0 ", "");
    assert_effect(&fixture, "XCLAIM s g d 1000 1-0 2-0 JUSTID", "*1 $3 1-0 ",
                  "XCLAIM s g d 0 1-0 TIME 1700000001000 RETRYCOUNT 1 FORCE JUSTID LASTID 3-0; "
                  "XCLAIM s g c 0 2-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 3-0");
    assert_effect(&fixture, "XCLAIM s g d 0 1-0 IDLE 500 RETRYCOUNT 7", "*1 *2 $3 1-0 *2 $1 f $1 v ",
                  "XCLAIM s g d 0 1-0 TIME 1700000000500 RETRYCOUNT 7 FORCE JUSTID LASTID 3-0");
    assert_effect(&fixture, "XCLAIM s g d 0 9-0 LASTID 4-0", "*0 ", "XGROUP SETID s g 4-0 ENTRIESREAD 3");
    assert_reply(&fixture, "XPENDING s g", "*4 :2 $3 1-0 $3 3-0 *2 *2 $1 c $1 1 *2 $1 d $1 1 ");
    assert_reply(&fixture, "XPENDING s g IDLE 600 - + 9 c", "*1 *4 $3 3-0 $1 c :1000 :1 ");
    assert_effect(&fixture, "XAUTOCLAIM s g d 600 - COUNT 1", "*3 $3 0-0 *1 *2 $3 3-0 *2 $1 f $1 v *0 ",
                  "XCLAIM s g d 0 3-0 TIME 1700000001000 RETRYCOUNT 2 FORCE JUSTID LASTID 4-0");
    RUN(&fixture, "XDEL s 1-0");
    assert_effect(&fixture, "XAUTOCLAIM s g c 0 0 COUNT 1 JUSTID", "*3 $3 3-0 *0 *1 $3 1-0 ",
                  "XCLAIM s g d 0 1-0 TIME 1700000000500 RETRYCOUNT 7 FORCE JUSTID LASTID 4-0");
    assert_reply(&fixture, "XAUTOCLAIM s g c 0 0 COUNT 576460752303423488", "-ERR COUNT must be > 0 ");
    call_fixture_close(&fixture);
}

/* A group that was created before its stream. */
static void test_groups(void **state)
{
    (void)state;
    struct call_fixture fixture;
    open_client(&fixture);
    assert_effect(&fixture, "XGROUP CREATE s g $",
                  "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the "
                  "MKSTREAM option to create an empty stream automatically. ",
                  "");
    assert_effect(&fixture, "XGROUP CREATE s g $ MKSTREAM", "+OK ", "XGROUP CREATE s g $ MKSTREAM");
    assert_reply(&fixture, "XGROUP CREATE s g 0 MKSTREAM", "-BUSYGROUP Consumer Group name already exists ");
    assert_reply(&fixture, "TYPE s", "+stream ");
    assert_reply(&fixture, "OBJECT ENCODING s", "$6 stream ");
    assert_reply(&fixture, "XLEN s", ":0 ");
    assert_effect(&fixture, "XGROUP SETID s g 5 ENTRIESREAD -1", "+OK ", "XGROUP SETID s g 5 ENTRIESREAD -1");
    assert_reply(&fixture, "XGROUP SETID s g 5 ENTRIESREAD -2", "-ERR value for ENTRIESREAD must be positive or -1 ");
    assert_reply(&fixture, "XGROUP SETID s h 5", "-NOGROUP No such consumer group 'h' for key name 's' ");
    assert_effect(&fixture, "XGROUP CREATECONSUMER s g c", ":1 ", "XGROUP CREATECONSUMER s g c");
    assert_effect(&fixture, "XGROUP CREATECONSUMER s g c", ":0 ", "");
    assert_effect(&fixture, "XGROUP DELCONSUMER s g c", ":0 ", "XGROUP DELCONSUMER s g c");
    assert_effect(&fixture, "XGROUP DELCONSUMER s g c", ":0 ", "");
    assert_effect(&fixture, "XGROUP DESTROY s g", ":1 ", "XGROUP DESTROY s g");
    assert_effect(&fixture, "XGROUP DESTROY s g", ":0 ", "");
    assert_effect(&fixture, "XSETID s 10-0 ENTRIESADDED 5 MAXDELETEDID 9-0", "+OK ",
                  "XSETID s 10-0 ENTRIESADDED 5 MAXDELETEDID 9-0");
    assert_reply(&fixture, "XSETID s 8-0",
                 "-ERR The ID specified in XSETID is smaller than current max_deleted_entry_id ");
    call_fixture_close(&fixture);
}

static void test_wrong_type(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "XADD s * a b",
        "XLEN s",
        "XRANGE s - +",
        "XREVRANGE s + -",
        "XDEL s 1",
        "XTRIM s MAXLEN 1",
        "XSETID s 1",
        "XREAD STREAMS s 0",
        "XACK s g 1",
        "XPENDING s g",
        "XCLAIM s g c 0 1",
        "XINFO STREAM s",
        "XINFO GROUPS s",
        "XGROUP CREATE s g 0",
        "XGROUP DESTROY s g",
        "XAUTOCLAIM s g c 0 0",
        "XINFO CONSUMERS s g",
        "XREADGROUP GROUP g c STREAMS s >",
    };
    struct call_fixture fixture;
    open_client(&fixture);
    RUN(&fixture, "SET s v");
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        assert_effect(&fixture, lines[i], "-WRONGTYPE Operation against a key holding the wrong kind of value ", "");
    call_fixture_close(&fixture);
}

/* A replica that was told all effects shows the same stream, whatever its own clock says. */
static void test_replica(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "XADD s * a 1",
        "XADD s * a 2",
        "XADD s * b 3",
        "XGROUP CREATE s g 0",
        "XGROUP CREATE s h $",
        "XREADGROUP GROUP g c COUNT 2 STREAMS s >",
        "XREADGROUP GROUP g d NOACK STREAMS s >",
        "XADD s MAXLEN ~ 2 * a 4",
        "XREADGROUP GROUP h e STREAMS s >",
        "XREADGROUP GROUP g c STREAMS s 0",
        "XAUTOCLAIM s g f 0 - COUNT 1",
        "XTRIM s MAXLEN 3",
        "XREADGROUP GROUP g c STREAMS s >",
        "XCLAIM s g d 0 1700000000000-1 1700000000000-2 FORCE",
        "XDEL s 1700000000000-2",
        "XADD s * a 5",
        "XACK s g 1700000000000-1",
    };
    struct call_fixture master;
    struct call_fixture replica;
    open_client(&master);
    call_fixture_open(&replica);
    replica.now_ms -= 100000;
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        call_fixture_run(&master, lines[i]);
        assert_int_not_equal(buf_slice(&master.reply).data[0], '-');
        assert_true((master.dirty > 0) == (buf_length(&master.propagated) > 0));
        replicate(&master, &replica);
    }
    replica.is_client = true;
    replica.now_ms = master.now_ms;
    static const char *const questions[] = {"XRANGE s - +", "XPENDING s g - + 99", "XPENDING s h - + 99",
                                            "XINFO GROUPS s", "XINFO STREAM s"};
    for (size_t i = 0; i < ARRAY_LENGTH(questions); i++) {
        call_fixture_run(&master, questions[i]);
        call_fixture_run(&replica, questions[i]);
        assert_true(buf_length(&master.reply) > 10);
        assert_true(slice_equal(buf_slice(&master.reply), buf_slice(&replica.reply)));
    }
    call_fixture_close(&master);
    call_fixture_close(&replica);
}

static void test_copy(void **state)
{
    (void)state;
    struct call_fixture fixture;
    open_client(&fixture);
    RUN(&fixture, "XADD s 1-0 f v", "XADD s 2-0 f v", "XGROUP CREATE s g 0", "XREADGROUP GROUP g c STREAMS s >");
    assert_reply(&fixture, "COPY s t", ":1 ");
    RUN(&fixture, "XDEL s 1-0", "XACK s g 1-0 2-0", "DEL s");
    assert_reply(&fixture, "XLEN t", ":2 ");
    assert_reply(&fixture, "XPENDING t g", "*4 :2 $3 1-0 $3 2-0 *1 *2 $1 c $1 2 ");
    call_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add),         cmocka_unit_test(test_trim),       cmocka_unit_test(test_read),
        cmocka_unit_test(test_group_reads), cmocka_unit_test(test_consumers),  cmocka_unit_test(test_claims),
        cmocka_unit_test(test_groups),      cmocka_unit_test(test_wrong_type), cmocka_unit_test(test_replica),
        cmocka_unit_test(test_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
