/* Entries as commands: a server that executes them has the same data, in slices of any size, with what is shown
 * meanwhile between them; and what the commands are. */
#include "cacheworker/engine/digest.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/hash/hash.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/rdb/rdb.h"
#include "common/base/rand.h"
#include "common/resp/resp_writer.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { LONG = 150000, HALF = 30000, MANY = 700, ENTRIES_MAX = 64, DATABASES = 3 };

struct stage {
    struct bench bench;  /* whose data are written */
    struct bench second; /* which has what was written */
    link_id client, reader;
};

static char longest[LONG];

/* ---- Data ---- */

/* Words with spaces between; "LONG" is a long one, "HALF" one that is not quite, "NONE" an empty one. */
static void say(struct stage *stage, const char *text)
{
    struct slice words[16];
    size_t count = 0;
    for (struct slice rest = slice_text(text); rest.length > 0; count++) {
        const char *space = memchr(rest.data, ' ', rest.length);
        size_t length = space != NULL ? (size_t)(space - rest.data) : rest.length;
        words[count] = slice_of(rest.data, length);
        if (slice_equal(words[count], SLICE_LITERAL("LONG")))
            words[count] = slice_of(longest, LONG);
        else if (slice_equal(words[count], SLICE_LITERAL("HALF")))
            words[count] = slice_of(longest, HALF);
        else if (slice_equal(words[count], SLICE_LITERAL("NONE")))
            words[count] = SLICE_LITERAL("");
        rest = slice_skip(rest, length < rest.length ? length + 1 : length);
    }
    struct buf request = {0};
    resp_write_array(&request, count);
    for (size_t i = 0; i < count; i++)
        resp_write_bulk(&request, words[i]);
    bench_receive(&stage->bench, stage->client, buf_slice(&request));
    bench_turn(&stage->bench);
    struct slice reply = bench_take(&stage->bench, stage->client);
    assert_true(reply.length > 0 && reply.data[0] != '-');
    buf_free(&request);
}

/* Once with each number in the place of '#'. */
static void say_for_each(struct stage *stage, unsigned count, const char *pattern)
{
    for (unsigned i = 0; i < count; i++) {
        struct buf text = {0};
        for (const char *at = pattern; *at != '\0'; at++)
            if (*at == '#')
                buf_add_u64(&text, i);
            else
                buf_add(&text, at, 1);
        buf_add(&text, "", 1);
        say(stage, buf_slice(&text).data);
        buf_free(&text);
    }
}

static void fill_collections(struct stage *stage)
{
    say(stage, "SET string:short abc");
    say(stage, "SET string:empty NONE");
    say(stage, "SET string:long LONG PX 1000000");
    say(stage, "SET string:number 1234567");
    say(stage, "PFADD string:log a b c");
    say(stage, "HSET hash:packed a 1 b two NONE NONE");
    say_for_each(stage, MANY, "HSET hash:big field:# value:#");
    say(stage, "HSET hash:big LONG 1 long LONG");
    say(stage, "HSET hash:long LONG LONG");
    say_for_each(stage, MANY, "HSET hash:dated field:# #");
    say(stage, "HPEXPIREAT hash:dated 1800000000000 FIELDS 3 field:1 field:2 field:500");
    say(stage, "PEXPIREAT hash:dated 1900000000000");
    say_for_each(stage, MANY, "SADD set:integers #");
    say(stage, "SADD set:few 7 -1 9223372036854775807");
    say(stage, "SADD set:packed one two 3 NONE");
    say_for_each(stage, MANY, "SADD set:big member:#");
    say(stage, "SADD set:big LONG");
    say(stage, "ZADD zset:packed 1 one 2 two -inf 3 0.1 NONE");
    say_for_each(stage, MANY, "ZADD zset:big #.7 member:#");
    say(stage, "ZADD zset:big 3e300 LONG inf above 5e-324 least");
    say(stage, "GEOADD zset:places 13.361389 38.115556 Palermo");
    say(stage, "RPUSH list:packed one two 3 NONE");
    say_for_each(stage, MANY, "RPUSH list:big element:#:that-takes-some-room-so-that-there-are-many-nodes-of-them");
    say(stage, "RPUSH list:big LONG last");
    say(stage, "RPUSH list:long LONG");
    say(stage, "PEXPIREAT list:packed 1900000000000");
}

static void fill_streams(struct stage *stage)
{
    say_for_each(stage, MANY, "XADD stream #-1 field value:#");
    say(stage, "XADD stream 5000-1 field LONG LONG 7 other NONE");
    say(stage, "XGROUP CREATE stream empty 0");
    say(stage, "XGROUP CREATE stream first 0");
    say(stage, "XGROUP CREATE stream second 0 ENTRIESREAD 3");
    say(stage, "XGROUP CREATECONSUMER stream first idle");
    say(stage, "XREADGROUP GROUP first one COUNT 300 STREAMS stream >");
    say(stage, "XREADGROUP GROUP first two COUNT 300 STREAMS stream >");
    say(stage, "XREADGROUP GROUP second one COUNT 3 STREAMS stream >");
    say(stage, "XCLAIM stream second one 0 1-1 RETRYCOUNT 17 TIME 1600000000000");
    say_for_each(stage, 9, "XADD stream:shorter #-1 field value:#");
    say(stage, "XDEL stream:shorter 4-1 8-1");
    say_for_each(stage, 9, "XADD stream:empty #-1 field value:#");
    say(stage, "XTRIM stream:empty MAXLEN 0");
    say(stage, "XGROUP CREATE stream:empty group $");
    say(stage, "XGROUP CREATE stream:new group $ MKSTREAM");
}

static int fill(void **state)
{
    struct stage *stage = test_calloc(1, sizeof(*stage));
    memset(longest, 'x', sizeof(longest));
    bench_start_standalone(&stage->bench);
    stage->client = bench_connect(&stage->bench);
    fill_collections(stage);
    fill_streams(stage);
    *state = stage;
    return 0;
}

static int empty(void **state)
{
    struct stage *stage = *state;
    bench_end(&stage->bench);
    test_free(stage);
    return 0;
}

/* ---- There and back ---- */

struct mixing {
    struct rand rand;
    struct buf out, strings;
    struct cw_rdb_writer writer;
    const struct cw_entry *entries[ENTRIES_MAX];
    size_t count;
};

static void gather(void *context, unsigned database, const struct cw_entry *entry)
{
    (void)database;
    struct mixing *mixing = context;
    assert_true(mixing->count < ENTRIES_MAX);
    mixing->entries[mixing->count++] = entry;
}

/* Each entry once: in slices, and others, whole, in the middle of these. Of different databases. */
static void write_mixed(struct mixing *mixing, unsigned budget_max)
{
    struct cw_rdb_writer *writer = &mixing->writer;
    for (size_t i = 0; i < mixing->count;) {
        const struct cw_entry *entry = mixing->entries[i];
        unsigned database = (unsigned)i++ % DATABASES;
        unsigned budget;
        do {
            budget = 1 + (unsigned)rand_below(&mixing->rand, budget_max);
            if (i < mixing->count && writer->open != NULL && rand_below(&mixing->rand, 4) == 0) {
                cw_rdb_write_entry(writer, (unsigned)i % DATABASES, mixing->entries[i]);
                i++;
            }
        } while (cw_rdb_write_slice(writer, database, entry, &budget));
        assert_int_equal(cw_rdb_bytes_aside(writer), 0);
    }
}

static const struct cw_entry *standing(const struct cw_keyspace *keyspace, unsigned database, struct slice key)
{
    return cw_keyspace_standing(keyspace, database, key, cw_keyspace_hash(keyspace, key));
}

static void compare_entry(const struct cw_entry *expected, const struct cw_entry *found)
{
    struct cw_digest here, there;
    assert_non_null(found);
    assert_true(cw_entry_expire_ms(found) == cw_entry_expire_ms(expected));
    if (cw_entry_type(expected) != CW_TYPE_STRING) /* how one came about shows in its encoding */
        assert_int_equal(cw_entry_encoding(found), cw_entry_encoding(expected));
    assert_true(cw_digest_value(expected, CW_HASH_ALL, &here) && cw_digest_value(found, CW_HASH_ALL, &there));
    assert_memory_equal(&here, &there, sizeof(here));
}

static void ask_both(struct stage *stage, const char *request, struct slice *ret_here, struct slice *ret_there)
{
    *ret_here = bench_ask(&stage->bench, stage->client, request);
    *ret_there = bench_ask(&stage->second, stage->reader, request);
}

static void compare_stream(struct stage *stage, unsigned database, struct slice key)
{
    struct buf request = {0};
    struct slice here, there;
    buf_add_format(&request, "SELECT %u\r\n", database);
    buf_add(&request, "", 1);
    (void)bench_ask(&stage->second, stage->reader, buf_slice(&request).data);
    buf_clear(&request);
    buf_add_format(&request, "XINFO STREAM %.*s FULL COUNT 0\r\n", (int)key.length, key.data);
    buf_add(&request, "", 1);
    ask_both(stage, buf_slice(&request).data, &here, &there);
    assert_true(here.data[0] == '*');
    assert_int_equal(here.length, there.length);
    assert_memory_equal(here.data, there.data, here.length);
    buf_free(&request);
}

static void compare(struct stage *stage, const struct mixing *mixing)
{
    for (size_t i = 0; i < mixing->count; i++) {
        const struct cw_entry *entry = mixing->entries[i];
        unsigned database = (unsigned)i % DATABASES;
        compare_entry(entry, standing(stage->second.worker->engine.keyspace, database, cw_entry_key(entry)));
        if (cw_entry_type(entry) == CW_TYPE_STREAM)
            compare_stream(stage, database, cw_entry_key(entry));
    }
}

static void begin(struct stage *stage, struct mixing *mixing, uint64_t seed)
{
    *mixing = (struct mixing){.count = 0};
    mixing->writer = (struct cw_rdb_writer){.out = &mixing->out, .strings = &mixing->strings};
    cw_rdb_writer_say_commands(&mixing->writer);
    rand_seed(&mixing->rand, seed);
    cw_keyspace_for_each(stage->bench.worker->engine.keyspace, 0, gather, mixing);
}

static void are_the_same_data(void **state)
{
    struct stage *stage = *state;
    for (unsigned seed = 0; seed < 12; seed++) {
        struct mixing mixing;
        size_t used;
        bool ack_wanted;
        begin(stage, &mixing, seed);
        write_mixed(&mixing, seed % 3 == 0 ? 1 : 3000);
        bench_start_standalone(&stage->second);
        stage->reader = bench_connect(&stage->second);
        assert_int_equal(cw_engine_apply(&stage->second.worker->engine, buf_slice(&mixing.out), &used, &ack_wanted), 0);
        assert_int_equal(used, buf_length(&mixing.out));
        compare(stage, &mixing);
        bench_end(&stage->second);
        buf_free(&mixing.out);
        buf_free(&mixing.strings);
    }
}

/* No slice is much longer than its budget says. */
static void slices_are_short(void **state)
{
    struct mixing mixing;
    begin(*state, &mixing, 1);
    for (size_t i = 0; i < mixing.count; i++) {
        unsigned budget = 100;
        while (cw_rdb_write_slice(&mixing.writer, 0, mixing.entries[i], &budget)) {
            assert_true(buf_length(&mixing.out) < (3 * 64 << 10));
            buf_clear(&mixing.out);
            budget = 100;
        }
    }
    buf_free(&mixing.out);
}

/* One that ends early leaves nothing behind. */
static void can_be_given_up(void **state)
{
    struct mixing mixing;
    begin(*state, &mixing, 1);
    for (size_t i = 0; i < mixing.count; i++) {
        for (unsigned slices = 1; slices < 20; slices++) {
            unsigned budget = 1u << slices;
            if (cw_rdb_write_slice(&mixing.writer, 0, mixing.entries[i], &budget) && slices % 5 == 0)
                break;
        }
        cw_rdb_writer_free(&mixing.writer);
    }
    buf_free(&mixing.out);
}

/* ---- Words ---- */

/* The commands for a key, a line each; of long ones the beginning. */
static void check_commands(struct stage *stage, const char *key, const char *expected)
{
    enum { SHOWN = 6 };
    static const struct resp_limits limits = RESP_LIMITS_DEFAULT;
    struct buf out = {0}, strings = {0}, lines = {0};
    struct cw_rdb_writer writer = {.out = &out, .strings = &strings};
    struct resp_request request = {0};
    cw_rdb_writer_say_commands(&writer);
    cw_rdb_write_entry(&writer, 2, standing(stage->bench.worker->engine.keyspace, 0, slice_text(key)));
    for (struct slice rest = buf_slice(&out); rest.length > 0;) {
        int64_t length = resp_request_read(&request, rest, &limits);
        assert_true(length > 0);
        for (size_t i = 0; i < request.argc && i < SHOWN; i++) {
            struct slice word = request.argv[i].length == LONG   ? SLICE_LITERAL("LONG")
                                : request.argv[i].length == HALF ? SLICE_LITERAL("HALF")
                                                                 : request.argv[i];
            buf_add_format(&lines, "%s%.*s", i > 0 ? " " : "", (int)word.length, word.data);
        }
        buf_add_format(&lines, request.argc > SHOWN ? " (%zu)\n" : "\n", request.argc);
        rest = slice_skip(rest, (size_t)length);
    }
    assert_int_equal(buf_length(&lines), strlen(expected));
    assert_memory_equal(buf_slice(&lines).data, expected, strlen(expected));
    resp_request_free(&request);
    buf_free(&out);
    buf_free(&lines);
}

static void are_those_of_redis(void **state)
{
    struct stage *stage = *state;
    say_for_each(stage, 130, "RPUSH list:words #");
    say(stage, "PEXPIREAT list:words 1900000000000");
    check_commands(stage, "list:words",
                   "SELECT 2\nRPUSH list:words 0 1 2 3 (66)\nRPUSH list:words 64 65 66 67 (66)\n"
                   "RPUSH list:words 128 129\nPEXPIREAT list:words 1900000000000\n");
    say(stage, "RPUSH list:long-words a b LONG c");
    check_commands(stage, "list:long-words",
                   "SELECT 2\nRPUSH list:long-words a b\nRPUSH list:long-words LONG\n"
                   "RPUSH list:long-words c\n");
    say_for_each(stage, 2, "RPUSH list:half-long-words HALF HALF HALF");
    check_commands(stage, "list:half-long-words",
                   "SELECT 2\nRPUSH list:half-long-words HALF HALF HALF\n"
                   "RPUSH list:half-long-words HALF HALF HALF\n");
    say(stage, "HSET hash:words a 1");
    check_commands(stage, "hash:words", "SELECT 2\nHMSET hash:words a 1\n");
    say(stage, "ZADD zset:words 0.1 a 7 b inf c");
    check_commands(stage, "zset:words", "SELECT 2\nZADD zset:words 0.1 a 7 b (8)\n");
    say(stage, "XADD stream:words 5-0 a b");
    say(stage, "XDEL stream:words 5-0");
    say(stage, "XGROUP CREATE stream:words g 0");
    check_commands(stage, "stream:words",
                   "SELECT 2\nXADD stream:words MAXLEN 0 0-1 x (7)\nXSETID stream:words 5-0 ENTRIESADDED 1 "
                   "MAXDELETEDID (7)\nXGROUP CREATE stream:words g 0-0 ENTRIESREAD (7)\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(are_the_same_data), cmocka_unit_test(slices_are_short),
                                       cmocka_unit_test(can_be_given_up), cmocka_unit_test(are_those_of_redis)};
    return cmocka_run_group_tests_name("entry_commands", tests, fill, empty);
}
