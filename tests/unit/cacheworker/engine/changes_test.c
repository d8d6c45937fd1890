/* The feed of changed keys: who is told of what, and that it is exact. */
#include "cacheworker/engine/changes.h"

#include "cacheworker/engine/state.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct ear {
    struct cw_listener listener;
    struct buf heard; /* "0/a" for a key that exists, "0/a-" for one that does not, "*0" for a whole database */
};

static void hear(void *context, const struct cw_change *change)
{
    static const char *const causes[] = {
        [CW_CHANGED_BY_COMMAND] = "", [CW_CHANGED_BY_EXPIRY] = " expired", [CW_CHANGED_BY_EVICTION] = " evicted"};
    struct ear *ear = context;
    buf_add_format(&ear->heard, "%s%u/%.*s%s%s%s", buf_length(&ear->heard) > 0 ? ", " : "", change->database,
                   (int)change->key.length, change->key.data, change->exists ? "" : "-", causes[change->cause],
                   change->session != NULL || change->cause != CW_CHANGED_BY_COMMAND ? "" : " streamed");
}

static void hear_all(void *context, unsigned database, enum cw_upheaval upheaval, struct cw_session *session)
{
    static const char *const names[] = {
        [CW_UPHEAVAL_FLUSH] = "flushed", [CW_UPHEAVAL_SWAP] = "swapped", [CW_UPHEAVAL_REPLACE] = "replaced"};
    struct ear *ear = context;
    (void)session;
    buf_add_format(&ear->heard, "%s%u %s", buf_length(&ear->heard) > 0 ? ", " : "", database, names[upheaval]);
}

static void listen(struct ear *ear, struct bench *bench)
{
    *ear = (struct ear){.listener = {.context = ear, .changed = hear, .upheaved = hear_all}};
    cw_changes_listen(&bench->worker->engine.changes, &ear->listener);
}

static void assert_heard(struct ear *ear, const char *line, const char *expected)
{
    buf_add(&ear->heard, "", 1);
    if (strcmp(buf_slice(&ear->heard).data, expected) != 0)
        print_error("%s\n", line);
    assert_string_equal(buf_slice(&ear->heard).data, expected);
    buf_clear(&ear->heard);
}

static void say(struct bench *bench, link_id link, const char *line)
{
    char text[256];
    snprintf(text, sizeof(text), "%s\r\n", line);
    bench_ask(bench, link, text);
}

/* One after the other, on one set of data. */
static const struct {
    const char *line;
    const char *heard;
} cases[] = {
    {"SET a 1", "0/a"},
    {"GET a", ""},
    {"SET a 2 NX", ""},
    {"GETEX a", ""},
    {"LPUSH a x", ""}, /* the wrong type */
    {"MSET a 1 b 2", "0/a, 0/b"},
    {"DEL nosuch", ""},
    {"DEL a nosuch b", "0/a-, 0/b-"},
    {"RPUSH l 1 2", "0/l"},
    {"LMPOP 2 nosuch l LEFT", "0/l"},
    {"LMOVE l m LEFT LEFT", "0/l-, 0/m"},
    {"LMOVE m m LEFT LEFT", "0/m"},
    {"SADD s 1 2", "0/s"},
    {"SADD t 2", "0/t"},
    {"SADD s 1", ""},
    {"SMOVE s t 7", ""},
    {"SMOVE s t 2", "0/s"}, /* it is there already */
    {"SMOVE s t 1", "0/s-, 0/t"},
    {"SUNIONSTORE u s t", "0/u"},
    {"SINTERSTORE u s t", "0/u-"},
    {"SINTERSTORE u s t", ""},
    {"SORT t STORE sorted", "0/sorted"},
    {"RENAME t t2", "0/t-, 0/t2"},
    {"COPY t2 t3", "0/t3"},
    {"MOVE t2 1", "0/t2-, 1/t2"},
    {"EXPIRE t3 100", "0/t3"},
    {"PERSIST t3", "0/t3"},
    {"PERSIST t3", ""},
    {"SWAPDB 1 2", "1 swapped, 2 swapped"},
    {"SWAPDB 1 1", "1 swapped, 1 swapped"},
    {"FLUSHDB", "0 flushed"},
    {"SET a 1 PX 100", "0/a"},
    {"HSET h f 1", "0/h"},
    {"HPEXPIRE h 100 FIELDS 1 f", "0/h"},
    {"XADD x 1-1 f v", "0/x"},
    {"XGROUP CREATE x g 0", ""}, /* only groups change */
    {"XREADGROUP GROUP g c STREAMS x >", ""},
    {"XACK x g 1-1", ""},
    {"XGROUP DESTROY x g", ""}, /* news only to who waits in it */
    {"XGROUP CREATE new g 0 MKSTREAM", "0/new"},
    {"DEL new", "0/new-"},
};

static void test_commands(void **state)
{
    (void)state;
    struct bench bench;
    struct ear ear;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    listen(&ear, &bench);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        say(&bench, link, cases[i].line);
        assert_heard(&ear, cases[i].line, cases[i].heard);
    }
    bench.worker->engine.active_expiry = false;
    bench_advance(&bench, 200 * NS_PER_MS);
    assert_heard(&ear, "time", "");
    say(&bench, link, "GET a");
    assert_heard(&ear, "lazy", "0/a- expired");
    bench.worker->engine.active_expiry = true;
    bench_advance(&bench, 200 * NS_PER_MS);
    assert_heard(&ear, "active", "0/h expired");
    say(&bench, link, "FLUSHALL");
    say(&bench, link, "SET x 1");
    buf_clear(&ear.heard);
    say(&bench, link, "CONFIG SET maxmemory-policy allkeys-random maxmemory 1");
    assert_heard(&ear, "eviction", "0/x- evicted");
    buf_free(&ear.heard);
    bench_end(&bench);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    struct bench bench;
    struct ear first, second;
    bench_start_standalone(&bench);
    link_id link = bench_connect(&bench);
    struct cw_changes *changes = &bench.worker->engine.changes;
    listen(&first, &bench);
    listen(&second, &bench);
    assert_true(cw_changes_are_heard(changes));
    cw_changes_ignore(changes, &first.listener);
    say(&bench, link, "SET a 1");
    assert_heard(&first, "one is left", "");
    assert_heard(&second, "one is left", "0/a");
    cw_changes_ignore(changes, &second.listener);
    assert_false(cw_changes_are_heard(changes));
    say(&bench, link, "SET a 2");
    assert_heard(&second, "none is left", "");
    assert_int_equal(changes->opened_count, 0);
    buf_free(&first.heard);
    buf_free(&second.heard);
    bench_end(&bench);
}

static void test_streams_and_replaced_data(void **state)
{
    (void)state;
    struct bench bench;
    struct ear ear;
    bench_start_standalone(&bench);
    listen(&ear, &bench);
    struct cw_engine *engine = &bench.worker->engine;
    static const char stream[] = "*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
                                 "*2\r\n$3\r\nDEL\r\n$6\r\nnosuch\r\n";
    size_t consumed;
    bool ack;
    assert_int_equal(cw_engine_apply(engine, slice_of(stream, sizeof(stream) - 1), &consumed, &ack), 0);
    assert_heard(&ear, "stream", "2/a streamed");
    cw_engine_install_keyspace(engine, cw_engine_new_keyspace(engine));
    assert_true(memcmp(buf_slice(&ear.heard).data, "0 replaced, 1 replaced, ", 24) == 0);
    buf_free(&ear.heard);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_streams_and_replaced_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
