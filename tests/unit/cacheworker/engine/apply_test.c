/* A master's stream, applied: whole commands are counted exactly, whatever the pieces, and nothing is answered. */
#include "cacheworker/engine/state.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/keyspace/keyspace.h"
#include "common/base/errors.h"
#include "common/resp/resp_writer.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char stream[] = "*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n"
                             "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
                             "*1\r\n$4\r\nPING\r\n"
                             "*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"
                             "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n"
                             "*1\r\n$5\r\nMULTI\r\n"
                             "*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"
                             "*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n"
                             "*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"
                             "*1\r\n$4\r\nEXEC\r\n"
                             "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
                             "*5\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\nx\r\n$4\r\nPXAT\r\n$4\r\n1000\r\n";

static const size_t ends[] = {23, 50, 64, 85, 122, 216, 239, sizeof(stream) - 1}; /* of the units */

static size_t last_end(size_t position)
{
    size_t end = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(ends) && ends[i] <= position; i++)
        end = ends[i];
    return end;
}

static void assert_applied(struct bench *bench, link_id link)
{
    struct slice got = bench_ask(bench, link, "SELECT 2\r\nGET a\r\nSELECT 1\r\nGET a\r\n");
    assert_memory_equal(got.data, "+OK\r\n$1\r\n3\r\n+OK\r\n$1\r\n1\r\n", 24);
    struct cw_keyspace *keyspace = bench->worker->engine.keyspace;
    /* Long due, and still there: only the master's DEL takes it away. */
    assert_int_equal(cw_keyspace_count(keyspace, 0), 1);
}

static void test_every_cut(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < sizeof(stream); cut++) {
        struct bench bench;
        bench_start_standalone(&bench);
        link_id link = bench_connect(&bench);
        struct cw_engine *engine = &bench.worker->engine;
        engine->active_expiry = false;
        size_t consumed;
        bool first_ack, second_ack;
        assert_int_equal(cw_engine_apply(engine, slice_of(stream, cut), &consumed, &first_ack), 0);
        assert_int_equal(consumed, last_end(cut));
        size_t rest = sizeof(stream) - 1 - consumed;
        assert_int_equal(cw_engine_apply(engine, slice_of(stream + consumed, rest), &consumed, &second_ack), 0);
        assert_int_equal(consumed, rest);
        assert_true(first_ack != second_ack);
        assert_int_equal(cw_engine_stream_database(engine), 0);
        assert_applied(&bench, link);
        bench_end(&bench);
    }
}

static void test_what_is_no_command(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t consumed;
        int result;
    } cases[] = {
        {"*2\r\n$4\r\nINCR\r\n$1\r\na\r\n*x\r\n", 21, ERR_PROTOCOL},
        {"*1\r\n$6\r\nNOSUCH\r\n", 0, ERR_PROTOCOL},
        {"*2\r\n$4\r\nINCR\r\n$1\r\na\r\nPING\r\n", 21, ERR_PROTOCOL}, /* lines are for people */
        {"\r\n", 0, ERR_PROTOCOL},
        {"*2\r\n$3\r\nSET\r\n$1\r\na\r\n", 0, ERR_PROTOCOL},
        {"*2\r\n$6\r\nSELECT\r\n$2\r\n99\r\n", 0, ERR_PROTOCOL},
        {"*1\r\n$4\r\nEXEC\r\n", 0, ERR_PROTOCOL},
        {"*1\r\n$5\r\nMULTI\r\n*1\r\n$5\r\nMULTI\r\n", 0, ERR_PROTOCOL},
        {"*3\r\n$4\r\nEVAL\r\n$1\r\ns\r\n$1\r\n0\r\n", 0, ERR_UNSUPPORTED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct bench bench;
        bench_start_standalone(&bench);
        size_t consumed;
        bool ack;
        int result = cw_engine_apply(&bench.worker->engine, slice_text(cases[i].text), &consumed, &ack);
        assert_int_equal(result, cases[i].result);
        assert_int_equal(consumed, cases[i].consumed);
        bench_end(&bench);
    }
}

/* A block with something in it that cannot be executed: none of it is. */
static void test_a_broken_block(void **state)
{
    (void)state;
    static const char *const broken[] = {"*1\r\n$6\r\nNOSUCH\r\n", "*2\r\n$3\r\nSET\r\n$1\r\nb\r\n",
                                         "*2\r\n$6\r\nSELECT\r\n$2\r\n99\r\n", "*x\r\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(broken); i++) {
        struct bench bench;
        bench_start_standalone(&bench);
        struct cw_engine *engine = &bench.worker->engine;
        struct buf text = {0};
        buf_add_text(&text, "*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n");
        buf_add_text(&text, broken[i]);
        buf_add_text(&text, "*1\r\n$4\r\nEXEC\r\n");
        size_t consumed;
        bool ack;
        assert_int_equal(cw_engine_apply(engine, buf_slice(&text), &consumed, &ack), ERR_PROTOCOL);
        assert_int_equal(consumed, 0);
        assert_int_equal(cw_keyspace_count(engine->keyspace, 0), 0);
        buf_free(&text);
        bench_end(&bench);
    }
}

/* Without the guard, halves are seen: that the others would notice it. */
static void test_the_mutant_applies_halves(void **state)
{
    (void)state;
    struct cw_config config;
    bench_config(&config, true);
    config.mutants = CW_MUTANT_APPLY_HALVES;
    struct bench bench;
    bench_start(&bench, &config);
    struct cw_engine *engine = &bench.worker->engine;
    struct slice half = slice_text("*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n");
    size_t consumed;
    bool ack;
    assert_int_equal(cw_engine_apply(engine, half, &consumed, &ack), 0);
    assert_int_equal(consumed, half.length);
    assert_int_equal(cw_keyspace_count(engine->keyspace, 0), 1);
    bench_end(&bench);
}

/* A long block in many pieces: nothing of it is seen before its end, and what was read is not read again. */
static void test_a_long_block(void **state)
{
    (void)state;
    enum { COMMANDS = 2000, PIECE = 7 };
    struct bench bench;
    bench_start_standalone(&bench);
    struct cw_engine *engine = &bench.worker->engine;
    struct buf text = {0};
    buf_add_text(&text, "*1\r\n$5\r\nMULTI\r\n");
    for (unsigned i = 0; i < COMMANDS; i++)
        buf_add_format(&text, "*3\r\n$3\r\nSET\r\n$5\r\n%05u\r\n$1\r\n1\r\n", i);
    buf_add_text(&text, "*1\r\n$4\r\nEXEC\r\n");
    struct slice all = buf_slice(&text);
    size_t consumed;
    bool ack;
    for (size_t length = PIECE; length < all.length; length += PIECE) {
        size_t before = engine->stream.scanned;
        assert_int_equal(cw_engine_apply(engine, slice_of(all.data, length), &consumed, &ack), 0);
        assert_int_equal(consumed, 0);
        assert_true(engine->stream.scanned >= before && engine->stream.scanned + 32 > length);
        assert_int_equal(cw_keyspace_count(engine->keyspace, 0), 0);
    }
    assert_int_equal(cw_engine_apply(engine, all, &consumed, &ack), 0);
    assert_int_equal(consumed, all.length);
    assert_int_equal(cw_keyspace_count(engine->keyspace, 0), COMMANDS);
    buf_free(&text);
    bench_end(&bench);
}

/* A connection that broke in the middle of a command: the next one begins with a whole command. */
static void test_a_new_stream_forgets_the_old_tail(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    struct cw_engine *engine = &bench.worker->engine;
    engine->active_expiry = false;
    size_t consumed;
    bool ack;
    assert_int_equal(cw_engine_apply(engine, slice_of(stream, 40), &consumed, &ack), 0);
    assert_int_equal(consumed, 23);
    cw_engine_set_stream_database(engine, 0);
    assert_int_equal(cw_engine_apply(engine, slice_of(stream, sizeof(stream) - 1), &consumed, &ack), 0);
    assert_int_equal(consumed, sizeof(stream) - 1);
    assert_applied(&bench, link);
    bench_end(&bench);
}

/* A replica tells in its statistics what it executes for its master; what a file brings at the start is not told. */
/* Words with blanks and semicolons between them, as arrays. */
static void add_commands(struct buf *out, const char *commands)
{
    while (*commands != '\0') {
        size_t length = strcspn(commands, ";");
        struct slice words[8], rest = slice_of(commands, length);
        size_t count = 0;
        while (rest.length > 0) {
            const char *blank = memchr(rest.data, ' ', rest.length);
            words[count] = slice_of(rest.data, blank != NULL ? (size_t)(blank - rest.data) : rest.length);
            rest = slice_skip(rest, words[count].length + (blank != NULL));
            count++;
        }
        resp_write_array(out, count);
        for (size_t i = 0; i < count; i++)
            resp_write_bulk(out, words[i]);
        commands += length + (commands[length] == ';');
    }
}

/* A server before Redis 7 says times that count from now; one that is broken leaves things to chance. */
static void test_what_would_come_to_something_else_is_told_otherwise(void **state)
{
    (void)state;
    static const struct {
        const char *said, *told; /* inline, with ; between commands; told NULL: as it came */
    } cases[] = {
        {"SET a 1", NULL},
        {"PING", NULL},
        {"SET a 1 PXAT 2000000", NULL},
        {"SETEX a 10 1", "SET a 1 PXAT 1010000"},
        {"SET a 1;EXPIRE a 10", "SET a 1;PEXPIREAT a 1010000"},
        {"SET a 1;EXPIRE b 10", NULL},
        {"SADD s x;SPOP s", "SADD s x;SREM s x"},
        {"MULTI;PSETEX a 10 1;SET b 1;EXEC", "MULTI;SET a 1 PXAT 1000010;SET b 1;EXEC"},
        {"SET a 1;SPOP a;NOSUCH", "SET a 1;SPOP a"},
        {"SET a 1;MULTI;SETEX a 10 1;EXEC;MULTI;SETEX b 10 1;NOSUCH", "SET a 1;MULTI;SET a 1 PXAT 1010000;EXEC"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct bench bench;
        struct buf said = {0}, expected = {0}, told = {0};
        bench_start_standalone(&bench);
        bench.worker->engine.wall_us = 1000 * 1000 * 1000;
        add_commands(&said, cases[i].said);
        add_commands(&expected, cases[i].told != NULL ? cases[i].told : cases[i].said);
        size_t consumed;
        bool ack_wanted;
        int result = cw_engine_apply_telling(&bench.worker->engine, buf_slice(&said), &told, &consumed, &ack_wanted);
        assert_int_equal(result, strstr(cases[i].said, "NOSUCH") != NULL ? ERR_PROTOCOL : 0);
        if (!slice_equal(buf_slice(&told), buf_slice(&expected)))
            fail_msg("%s: %.*s", cases[i].said, (int)buf_length(&told), buf_slice(&told).data);
        buf_free(&said);
        buf_free(&expected);
        buf_free(&told);
        bench_end(&bench);
    }
}

static void test_commands_are_counted(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    struct cw_engine *engine = &bench.worker->engine;
    const struct cw_statistics *statistics = &engine->statistics;
    struct effects effects = {0};
    struct slice set = SLICE_LITERAL("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n");
    size_t consumed;
    bool ack;
    struct effects *of_bench = engine->effects;
    engine->effects = NULL;
    assert_int_equal(cw_engine_apply(engine, set, &consumed, &ack), 0);
    assert_int_equal(statistics->commands[COMMAND_ID_SET].calls, 0);
    uint64_t before = statistics->total_commands;
    engine->effects = &effects;
    assert_int_equal(cw_engine_apply(engine, set, &consumed, &ack), 0);
    assert_int_equal(cw_engine_apply(engine, set, &consumed, &ack), 0);
    assert_int_equal(statistics->commands[COMMAND_ID_SET].calls, 2);
    assert_int_equal(statistics->total_commands, before + 2);
    engine->effects = of_bench;
    effects_free(&effects);
    bench_end(&bench);
}

static void test_messages_reach_listeners(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    bench_ask(&bench, link, "SUBSCRIBE news\r\n");
    struct effects effects = {0};
    bench.worker->engine.effects = &effects;
    static const char publish[] = "*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$2\r\nhi\r\n";
    size_t consumed;
    bool ack;
    assert_int_equal(cw_engine_apply(&bench.worker->engine, slice_of(publish, sizeof(publish) - 1), &consumed, &ack),
                     0);
    assert_int_equal(effects.count, 1);
    assert_int_equal(effects.items[0].kind, EFFECT_FLUSH);
    struct slice out = cw_worker_door.output(bench.worker, link, bench.now_ns);
    static const char expected[] = "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n";
    assert_int_equal(out.length, sizeof(expected) - 1);
    assert_memory_equal(out.data, expected, out.length);
    effects_free(&effects);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_what_is_no_command),
        cmocka_unit_test(test_a_broken_block),
        cmocka_unit_test(test_the_mutant_applies_halves),
        cmocka_unit_test(test_a_long_block),
        cmocka_unit_test(test_a_new_stream_forgets_the_old_tail),
        cmocka_unit_test(test_what_would_come_to_something_else_is_told_otherwise),
        cmocka_unit_test(test_commands_are_counted),
        cmocka_unit_test(test_messages_reach_listeners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
