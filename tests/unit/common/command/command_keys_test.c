/* The keys of requests: as a server of version 7.0 answers to COMMAND GETKEYSANDFLAGS, and for hostile counts. */
#include "common/base/errors.h"
#include "common/command/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { WORDS_MAX = 32 };

/* Words are separated by single blanks; "-" stands for an empty argument. */
static size_t split(const char *request, struct slice *argv)
{
    size_t argc = 0;
    for (const char *at = request; *at;) {
        size_t length = strcspn(at, " ");
        assert_true(argc < WORDS_MAX);
        argv[argc++] = slice_of(at, length == 1 && *at == '-' ? 0 : length);
        at += length + (at[length] == ' ');
    }
    return argc;
}

static void print_keys(const struct slice *argv, const struct command_key *keys, size_t count, char *text, size_t size)
{
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        struct slice key = argv[keys[i].index];
        length += (size_t)snprintf(text + length, size - length, "%s%.*s:", i ? " " : "", (int)key.length, key.data);
        const char *gap = "";
        for (unsigned bit = 0; bit < 32; bit++)
            if (keys[i].flags >> bit & 1) {
                length += (size_t)snprintf(text + length, size - length, "%s%s", gap, command_key_flag_name(bit));
                gap = "|";
            }
    }
}

static const struct {
    const char *request;
    const char *keys;
} examples[] = {
    {"GET a", "a:RO|access"},
    {"get a", "a:RO|access"},
    {"SET a 1", "a:OW|update"},
    {"SET a 1 EX 10 GET", "a:RW|access|update"},
    {"SET a 1 get", "a:RW|access|update"},
    {"SET a 1 IFEQ b EX 10", "a:RW|update"},
    {"SET a 1 ifdne b GET", "a:RW|access|update"},
    {"DELEX a", "a:RM|delete"},
    {"DELEX a IFDEQ b", "a:RW|delete"},
    {"DELIFEQ a b", "a:RM|access|delete"},
    {"DIGEST a", "a:RO|access"},
    {"MSETEX 2 a 1 b 2 EX 10", "a:OW|update b:OW|update"},
    {"MSETEX 1 a 1 NX", "a:OW|update"},
    {"SETEX a 10 v", "a:OW|update"},
    {"SETNX a v", "a:OW|insert"},
    {"GETEX a PERSIST", "a:RW|access|update"},
    {"GETDEL a", "a:RW|access|delete"},
    {"APPEND a x", "a:RW|insert"},
    {"MGET a b c", "a:RO|access b:RO|access c:RO|access"},
    {"MSET a 1 b 2", "a:OW|update b:OW|update"},
    {"MSET a 1 b", "a:OW|update b:OW|update"},
    {"MSETNX a 1 b 2 c 3", "a:OW|insert b:OW|insert c:OW|insert"},
    {"LCS a b IDX", "a:RO|access b:RO|access"},
    {"DEL a b c", "a:RM|delete b:RM|delete c:RM|delete"},
    {"UNLINK a", "a:RM|delete"},
    {"EXISTS a a", "a:RO a:RO"},
    {"EXPIRE a 10", "a:RW|update"},
    {"PERSIST a", "a:RW|update"},
    {"RENAME a b", "a:RW|access|delete b:OW|update"},
    {"RENAMENX a b", "a:RW|access|delete b:OW|insert"},
    {"COPY a b DB 3", "a:RO|access b:OW|update"},
    {"OBJECT ENCODING a", "a:RO"},
    {"OBJECT FREQ a", "a:RO"},
    {"MEMORY USAGE a SAMPLES 3", "a:RO"},
    {"DUMP a", "a:RO|access"},
    {"RESTORE a 0 payload", "a:OW|update"},
    {"TOUCH a b", "a:RO b:RO"},
    {"MIGRATE host 6379 a 0 1000", "a:RW|access|delete"},
    {"MIGRATE host 6379 - 0 1000 COPY KEYS a b c", "a:RW|access|delete b:RW|access|delete c:RW|access|delete"},
    {"MIGRATE host 6379 - 0 1000 AUTH keys KEYS a b", "a:RW|access|delete b:RW|access|delete"},
    {"MIGRATE host 6379 - 0 1000 AUTH2 keys keys KEYS a", "a:RW|access|delete"},
    {"SORT a", "a:RO|access"},
    {"SORT a BY nosort GET # LIMIT 0 5 STORE b", "a:RO|access b:OW|update"},
    {"SORT a STORE b STORE c", "a:RO|access c:OW|update"},
    {"SORT a BY store GET store", "a:RO|access"},
    {"SORT_RO a BY x", "a:RO|access"},
    {"BITFIELD a GET u8 0", "a:RO|access"},
    {"BITFIELD a SET u8 0 1", "a:RW|access|update"},
    {"BITFIELD a OVERFLOW SAT GET u8 0", "a:RO|access"},
    {"BITFIELD a OVERFLOW SAT INCRBY u8 0 1", "a:RW|access|update"},
    {"BITFIELD a", "a:RO|access"},
    {"BITFIELD_RO a GET u8 0", "a:RO|access"},
    {"BITOP AND d a b c", "d:OW|update a:RO|access b:RO|access c:RO|access"},
    {"BITCOUNT a", "a:RO|access"},
    {"HSET a f v", "a:RW|update"},
    {"HGETALL a", "a:RO|access"},
    {"HEXPIRE a 10 NX FIELDS 1 f", "a:RW|update"},
    {"HTTL a FIELDS 1 f", "a:RO|access"},
    {"HGETEX a PERSIST FIELDS 1 f", "a:RW|access|update"},
    {"HGETDEL a FIELDS 1 f", "a:RW|access|delete"},
    {"HSETEX a EX 10 FIELDS 1 f v", "a:RW|update"},
    {"BLPOP a b c 0", "a:RW|access|delete b:RW|access|delete c:RW|access|delete"},
    {"BRPOPLPUSH a b 0", "a:RW|access|delete b:RW|insert"},
    {"BLMOVE a b LEFT RIGHT 0", "a:RW|access|delete b:RW|insert"},
    {"LMPOP 2 a b LEFT", "a:RW|access|delete b:RW|access|delete"},
    {"BLMPOP 0 2 a b LEFT COUNT 3", "a:RW|access|delete b:RW|access|delete"},
    {"LMOVE a b LEFT RIGHT", "a:RW|access|delete b:RW|insert"},
    {"SINTERSTORE d a b", "d:RW|update a:RO|access b:RO|access"},
    {"SINTERCARD 2 a b LIMIT 1", "a:RO|access b:RO|access"},
    {"SMOVE a b m", "a:RW|access|delete b:RW|insert"},
    {"ZADD a 1 m", "a:RW|update"},
    {"ZUNIONSTORE d 2 a b WEIGHTS 1 2", "d:OW|update a:RO|access b:RO|access"},
    {"ZINTERSTORE d 1 a", "d:OW|update a:RO|access"},
    {"ZUNION 2 a b WITHSCORES", "a:RO|access b:RO|access"},
    {"ZDIFF 3 a b c", "a:RO|access b:RO|access c:RO|access"},
    {"ZMPOP 1 a MIN", "a:RW|access|delete"},
    {"BZMPOP 0 2 a b MAX", "a:RW|access|delete b:RW|access|delete"},
    {"BZPOPMIN a b 0", "a:RW|access|delete b:RW|access|delete"},
    {"ZRANGESTORE d a 0 -1", "d:OW|update a:RO|access"},
    {"GEORADIUS a 1 2 3 km", "a:RO|access"},
    {"GEORADIUS a 1 2 3 km STORE b", "a:RO|access b:OW|update"},
    {"GEORADIUS a 1 2 3 km STORE b STOREDIST c", "a:RO|access b:OW|update c:OW|update"},
    {"GEORADIUSBYMEMBER a m 3 km STOREDIST b", "a:RO|access b:OW|update"},
    {"GEORADIUS a 1 2 3 km STORE", "a:RO|access"},
    {"GEORADIUSBYMEMBER a m 3 km STOREDIST", "a:RO|access"},
    {"GEOSEARCHSTORE d a FROMMEMBER m BYRADIUS 1 km", "d:OW|update a:RO|access"},
    {"PFCOUNT a b", "a:RW|access b:RW|access"},
    {"PFMERGE d a b", "d:RW|access|insert a:RO|access b:RO|access"},
    {"PFMERGE d", "d:RW|access|insert"},
    {"XREADGROUP NOACK GROUP g STREAMS STREAMS k >", "k:RO|access"},
    {"GEORADIUS k 1 1 9 m STORE d STOREDIST e", "k:RO|access d:OW|update e:OW|update"},
    {"PFADD a", "a:RW|insert"},
    {"XADD a * f v", "a:RW|update"},
    {"XREAD COUNT 2 BLOCK 0 STREAMS a b 0 0", "a:RO|access b:RO|access"},
    {"XREAD STREAMS a 0", "a:RO|access"},
    {"XREADGROUP GROUP g c STREAMS a b > >", "a:RO|access b:RO|access"},
    {"XREADGROUP GROUP STREAMS c STREAMS a >", "a:RO|access"},
    {"XGROUP CREATE a g $", "a:RW|insert"},
    {"XINFO STREAM a FULL", "a:RO|access"},
    {"XACK a g 1-1", "a:RW|update"},
    {"EVAL script 2 a b x y", "a:RW|access|update b:RW|access|update"},
    {"EVAL script 0", ""},
    {"EVALSHA sha 1 a", "a:RW|access|update"},
    {"EVAL_RO script 1 a x", "a:RO|access"},
    {"FCALL f 2 a b", "a:RW|access|update b:RW|access|update"},
    {"WATCH a b", "a:RO b:RO"},
    {"GEOADD a 1 2 m", "a:RW|update"},
};

static void keys_are_those_that_the_reference_finds(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(examples); i++) {
        struct slice argv[WORDS_MAX];
        size_t argc = split(examples[i].request, argv);
        struct command_key keys[WORDS_MAX];
        size_t count;
        char text[512];
        if (command_keys(command_resolve(argv, argc), argv, argc, keys, WORDS_MAX, &count) != 0)
            fail_msg("refused: %s", examples[i].request);
        print_keys(argv, keys, count, text, sizeof(text));
        if (strcmp(text, examples[i].keys) != 0)
            fail_msg("%s: %s instead of %s", examples[i].request, text, examples[i].keys);
    }
}

/* Announced keys that are not there, numbers that would overflow, words without what belongs behind them. */
static const char *const broken[] = {
    "EVAL script 1",
    "EVAL script 2 a",
    "EVAL script -1 a",
    "EVAL script 1x a",
    "EVAL script - a",
    "EVAL script 01 a",
    "EVAL script 9223372036854775807 a",
    "EVAL script 9223372036854775806 a",
    "EVAL script -9223372036854775808 a",
    "EVAL script 18446744073709551617 a",
    "EVAL script 4294967297 a",
    "EVAL script 2147483648 a",
    "FCALL f 2147483647 a",
    "ZUNIONSTORE d 4294967296 a",
    "ZUNIONSTORE d 2 a",
    "ZUNION 2 a",
    "SINTERCARD 0 a",
    "LMPOP 0 a LEFT",
    "LMPOP 4611686018427387904 a LEFT",
    "BLMPOP 0 3 a LEFT",
    "XREAD COUNT 1 STREAMS",
    "XREAD COUNT 1 STREAMS a",
    "XREAD a b c d",
    "XREADGROUP GROUP g c COUNT 1 STREAMS",
    "MIGRATE host 6379 - 0 1000 KEYS",
    "MIGRATE host 6379 a 0 1000 KEYS b",
    "MSETEX 0 a 1",
    "MSETEX -1 a 1",
    "MSETEX 3 a 1 b 2",
    "MSETEX 2147483647 a 1",
    "GET",
    "GET a b",
    "BLPOP a",
};

static void broken_requests_have_no_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(broken); i++) {
        struct slice argv[WORDS_MAX];
        size_t argc = split(broken[i], argv);
        struct command_key keys[WORDS_MAX];
        size_t count = 77;
        if (command_keys(command_resolve(argv, argc), argv, argc, keys, WORDS_MAX, &count) != ERR_INVALID)
            fail_msg("not refused: %s", broken[i]);
        assert_int_equal(count, 77);
    }
}

static void no_more_keys_are_filled_than_fit(void **state)
{
    (void)state;
    struct slice argv[WORDS_MAX];
    size_t argc = split("MGET a b c d", argv), count;
    struct command_key keys[3] = {{0, 0}, {0, 0}, {99, 99}};
    assert_int_equal(command_keys(&command_table[COMMAND_ID_MGET], argv, argc, keys, 2, &count), 0);
    assert_int_equal(count, 4);
    assert_int_equal(keys[1].index, 2);
    assert_int_equal(keys[2].index, 99);
    argc = split("SET a b GET", argv);
    assert_int_equal(command_keys(&command_table[COMMAND_ID_SET], argv, argc, NULL, 0, &count), 0);
    assert_int_equal(count, 1);
}

/* Every row with every argument a number, a keyword or a key: whatever comes out points into argv. */
static void indexes_stay_inside_the_request(void **state)
{
    (void)state;
    static const char *const words[] = {"-1", "0", "1", "2", "9223372036854775807", "keys", "streams", "store", "get"};
    for (unsigned id = 0; id < COMMAND_ID_COUNT; id++)
        for (size_t argc = 1; argc <= 9; argc++)
            for (size_t shift = 0; shift < ARRAY_LENGTH(words); shift++) {
                struct slice argv[9];
                struct command_key keys[WORDS_MAX];
                size_t count;
                for (size_t i = 0; i < argc; i++)
                    argv[i] = slice_text(words[(i * (shift + 1) + shift) % ARRAY_LENGTH(words)]);
                if (command_keys(&command_table[id], argv, argc, keys, WORDS_MAX, &count) != 0)
                    continue;
                assert_true(count <= argc * command_table[id].key_spec_count);
                for (size_t i = 0; i < count; i++)
                    assert_in_range(keys[i].index, 1, argc - 1);
            }
}

/* No row of the table has a minimum arity below its fixed keys; a row that had would not read behind argv. */
static void a_range_ends_inside_the_request(void **state)
{
    (void)state;
    static const struct command_key_spec spec = {.flags = KEY_RO,
                                                 .begin = KEY_BEGIN_INDEX,
                                                 .begin_index = 1,
                                                 .find = KEY_FIND_RANGE,
                                                 .last_key = 1,
                                                 .key_step = 1};
    static const struct command row = {
        .name = "loose", .id = COMMAND_ID_GET, .arity = -1, .key_specs = &spec, .key_spec_count = 1};
    struct slice argv[WORDS_MAX];
    struct command_key keys[2];
    size_t count;
    assert_int_equal(command_keys(&row, argv, split("LOOSE", argv), keys, 2, &count), ERR_INVALID);
    assert_int_equal(command_keys(&row, argv, split("LOOSE a", argv), keys, 2, &count), ERR_INVALID);
    assert_int_equal(command_keys(&row, argv, split("LOOSE a b", argv), keys, 2, &count), 0);
    assert_int_equal(count, 2);
}

static void channels_are_not_keys(void **state)
{
    (void)state;
    struct slice argv[WORDS_MAX];
    struct command_key keys[1];
    size_t argc = split("SPUBLISH channel message", argv), count;
    assert_int_equal(command_keys(&command_table[COMMAND_ID_SPUBLISH], argv, argc, keys, 1, &count), 0);
    assert_int_equal(count, 0);
    assert_false(command_has_keys(&command_table[COMMAND_ID_SPUBLISH]));
    assert_false(command_has_keys(&command_table[COMMAND_ID_PING]));
    assert_true(command_has_keys(&command_table[COMMAND_ID_GET]));
    assert_true(command_has_keys(&command_table[COMMAND_ID_EVAL]));
}

static void who_reads_more_than_its_keys_does_not_show_its_keys(void **state)
{
    (void)state;
    static const char *const more[] = {"scan",     "keys",  "dbsize", "randomkey", "sort_ro", "eval_ro", "evalsha_ro",
                                       "fcall_ro", "xread", "set",    "exec",      "pfcount", "watch",   "info"};
    static const char *const known[] = {
        "get",    "mget",   "exists", "ttl",          "hgetall",   "lrange",   "smembers",        "sinter",
        "zrange", "zunion", "type",   "xrange",       "geosearch", "bitcount", "object|encoding", "memory|usage",
        "dump",   "strlen", "touch",  "xinfo|stream", "sintercard"};
    for (size_t i = 0; i < ARRAY_LENGTH(more); i++)
        assert_false(command_shows_its_keys(command_by_full_name(slice_text(more[i]))));
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
        assert_true(command_shows_its_keys(command_by_full_name(slice_text(known[i]))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_those_that_the_reference_finds),
        cmocka_unit_test(broken_requests_have_no_keys),
        cmocka_unit_test(no_more_keys_are_filled_than_fit),
        cmocka_unit_test(indexes_stay_inside_the_request),
        cmocka_unit_test(a_range_ends_inside_the_request),
        cmocka_unit_test(channels_are_not_keys),
        cmocka_unit_test(who_reads_more_than_its_keys_does_not_show_its_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
