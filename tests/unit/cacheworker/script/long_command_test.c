/* Scripts that take long: others wait, are refused, and nothing is seen of what is half done. */
#include "cacheworker/engine/state.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BUSY "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n"

#define ENDLESS "EVAL \"while true do end\" 0\r\n"
/* About four pulses, with a write before and behind. */
#define SLOW                                                                                                           \
    "EVAL \"redis.call('incr', 'n') for i = 1, 400000 do end redis.call('incr', 'n') "                                 \
    "return redis.call('time')[1]\" 0\r\n"

struct scene {
    struct bench bench;
    struct cw_engine *engine;
    link_id client, other;
};

static void open_scene(struct scene *scene)
{
    *scene = (struct scene){0};
    bench_start_standalone(&scene->bench);
    scene->engine = &scene->bench.worker->engine;
    scene->client = bench_connect(&scene->bench);
    scene->other = bench_connect(&scene->bench);
}

static void send(struct scene *scene, link_id link, const char *text)
{
    bench_receive(&scene->bench, link, slice_text(text));
}

/* One turn, `ms` later. */
static void turn(struct scene *scene, int64_t ms)
{
    scene->bench.now_ns += ms * NS_PER_MS;
    (void)bench_turn_once(&scene->bench);
}

static void assert_got(struct scene *scene, link_id link, const char *expected)
{
    struct slice got = bench_take(&scene->bench, link);
    char text[512];
    snprintf(text, sizeof(text), "%.*s", (int)got.length, got.length > 0 ? got.data : "");
    assert_string_equal(text, expected);
}

static void test_others_wait_and_are_refused(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    send(&scene, scene.client, ENDLESS "PING\r\n*2\r\n$4\r\nEC");
    send(&scene, scene.other, "SET a 1\r\nGET a\r\n");
    turn(&scene, 1);
    turn(&scene, 1000);
    turn(&scene, 1000);
    assert_true(scene.engine->long_command.is_left);
    assert_true(cw_engine_is_busy(scene.engine));
    assert_got(&scene, scene.other, ""); /* the first batch had them, and put them back */
    turn(&scene, 4000);
    turn(&scene, 1);
    assert_got(&scene, scene.other, BUSY BUSY);
    send(&scene, scene.other, "MULTI\r\nDISCARD\r\nSHUTDOWN\r\nFUNCTION KILL\r\nSCRIPT KILL\r\n");
    turn(&scene, 1);
    assert_got(&scene, scene.other, "+OK\r\n+OK\r\n" BUSY BUSY "+OK\r\n");
    send(&scene, scene.client, "HO\r\n$1\r\nx\r\n");
    turn(&scene, 1);
    turn(&scene, 1);
    struct slice got = bench_take(&scene.bench, scene.client);
    assert_true(got.length > 60 && memcmp(got.data, "-ERR Script killed by user with SCRIPT KILL...", 46) == 0);
    assert_true(slice_equal(slice_skip(got, got.length - 14), SLICE_LITERAL("+PONG\r\n$1\r\nx\r\n")));
    assert_true(slice_equal(bench_ask(&scene.bench, scene.other, "SCRIPT KILL\r\n"),
                            SLICE_LITERAL("-NOTBUSY No scripts in execution right now.\r\n")));
    bench_end(&scene.bench);
}

/* Its effects are one unit, at its end; time stands still for it; it cannot be killed once it wrote. */
static void test_what_is_half_done_is_not_seen(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    link_id replica = bench_attach_replica(&scene.bench);
    (void)bench_ask(&scene.bench, scene.client,
                    "CONFIG SET busy-reply-threshold 10\r\nPEXPIRE n 5\r\nSET n 5 PX 60000\r\n");
    (void)bench_take(&scene.bench, replica);
    int64_t began_s = BENCH_WALL_US / 1000000 + scene.bench.now_ns / NS_PER_S;
    send(&scene, scene.client, SLOW);
    turn(&scene, 0);
    turn(&scene, 100);
    send(&scene, scene.other, "SCRIPT KILL\r\nGET n\r\n");
    turn(&scene, 1);
    struct slice refused = bench_take(&scene.bench, scene.other);
    assert_true(refused.length > 12 && memcmp(refused.data, "-UNKILLABLE ", 12) == 0);
    assert_int_equal(bench_take(&scene.bench, replica).length, 0);
    for (unsigned i = 0; i < 10; i++)
        turn(&scene, 2000);
    char expected[64];
    snprintf(expected, sizeof(expected), "$10\r\n%lld\r\n", (long long)began_s);
    assert_got(&scene, scene.client, expected);
    struct buf words = {0};
    bench_read_stream(bench_take(&scene.bench, replica), &words);
    buf_add(&words, "", 1);
    assert_non_null(strstr(buf_slice(&words).data, "MULTI; incr n; incr n; EXEC"));
    buf_free(&words);
    bench_end(&scene.bench);
}

/* Whoever asked may go; the worker may end. */
static void test_ends(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    send(&scene, scene.client, SLOW);
    turn(&scene, 0);
    bench_close(&scene.bench, scene.client);
    for (unsigned i = 0; i < 10; i++)
        turn(&scene, 1);
    assert_false(scene.engine->long_command.is_left);
    assert_true(slice_equal(bench_ask(&scene.bench, scene.other, "GET n\r\n"), SLICE_LITERAL("$1\r\n2\r\n")));
    send(&scene, scene.other, "MULTI\r\nINCR n\r\n" ENDLESS "INCR n\r\nEXEC\r\n");
    turn(&scene, 1);
    turn(&scene, 1);
    assert_true(scene.engine->long_command.is_left);
    cw_engine_end_command(scene.engine, "NOTMASTER a test");
    assert_false(scene.engine->long_command.is_left);
    turn(&scene, 1);
    struct slice got = bench_take(&scene.bench, scene.other);
    assert_true(slice_equal(slice_skip(got, got.length - 4), SLICE_LITERAL(":4\r\n")));
    send(&scene, scene.other, ENDLESS);
    turn(&scene, 1);
    assert_true(scene.engine->long_command.is_left);
    bench_end(&scene.bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_others_wait_and_are_refused),
        cmocka_unit_test(test_what_is_half_done_is_not_seen),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
