/* Commands within others: what they reply, who refuses them, and how their effects stand in the stream. */
#include "cacheworker/engine/nested.h"

#include "cacheworker/engine/state.h"
#include "common/resp/resp_reader.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct scene {
    struct bench bench;
    struct cw_engine *engine;
    link_id client, replica;
    struct effects effects;
    struct buf reply;
    struct cw_nested nested;
};

static void open_scene(struct scene *scene, const struct cw_config *config)
{
    *scene = (struct scene){0};
    bench_start(&scene->bench, config);
    scene->engine = &scene->bench.worker->engine;
    scene->client = bench_connect(&scene->bench);
    scene->replica = bench_attach_replica(&scene->bench);
    scene->engine->effects = &scene->effects;
    scene->nested = (struct cw_nested){.engine = scene->engine,
                                       .session = cw_session_find(scene->engine, scene->client),
                                       .flags = CW_CALL_FROM_SCRIPT | CW_CALL_DENY_BLOCKING,
                                       .protocol = 2,
                                       .reply = &scene->reply};
}

static void open_plain_scene(struct scene *scene)
{
    struct cw_config config;
    bench_config(&config, true);
    open_scene(scene, &config);
}

static void close_scene(struct scene *scene)
{
    bench_end(&scene->bench);
    buf_free(&scene->reply);
    effects_free(&scene->effects);
}

/* One line within the unit; returns whether it failed. */
static bool say(struct scene *scene, const char *line)
{
    static const struct resp_limits limits = RESP_LIMITS_DEFAULT;
    struct buf text = {0};
    struct resp_request request = {0};
    buf_add_format(&text, "%s\r\n", line);
    assert_true(resp_request_read(&request, buf_slice(&text), &limits) > 0);
    bool failed = cw_nested_execute(&scene->nested, request.argv, request.argc);
    resp_request_free(&request);
    buf_free(&text);
    return failed;
}

static void assert_reply(struct scene *scene, const char *expected)
{
    buf_add(&scene->reply, "", 1);
    assert_string_equal(buf_slice(&scene->reply).data, expected);
    buf_clear(&scene->reply);
}

static void assert_stream(struct scene *scene, const char *expected)
{
    struct buf words = {0};
    bench_turn(&scene->bench);
    bench_read_stream(bench_take(&scene->bench, scene->replica), &words);
    buf_add(&words, "", 1);
    assert_string_equal(buf_slice(&words).data, expected);
    buf_free(&words);
    scene->engine->effects = &scene->effects;
}

static void test_a_unit_is_one_in_the_stream(void **state)
{
    (void)state;
    static const struct {
        const char *lines[4];
        const char *stream;
    } cases[] = {
        {{"SET a 1", "INCR a"}, "MULTI; SELECT 0; SET a 1; INCR a; EXEC"},
        {{"GET a"}, ""},
        {{"GET a", "SET a 3", "GET a"}, "SET a 3"},
        {{"SET a 1 EX 10", "SELECT 1", "SET b 2"}, "MULTI; SET a 1 PXAT 1700000011000; SELECT 1; SET b 2; EXEC"},
        {{"DEL nosuch", "LPUSH a"}, ""},
        {{"SET c 1"}, "SELECT 0; SET c 1"},
    };
    struct scene scene;
    open_plain_scene(&scene);
    say(&scene, "GET nosuch"); /* outside of a unit it is a command like any other */
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        scene.nested.database = 0;
        cw_unit_begin(scene.engine, scene.nested.session);
        for (size_t j = 0; j < 4 && cases[i].lines[j] != NULL; j++)
            say(&scene, cases[i].lines[j]);
        cw_unit_end(scene.engine);
        assert_stream(&scene, cases[i].stream);
    }
    close_scene(&scene);
}

/* A unit within a unit ends with the outer one. */
static void test_units_in_units(void **state)
{
    (void)state;
    struct scene scene;
    open_plain_scene(&scene);
    uint64_t before = scene.nested.session->stream_offset;
    cw_unit_begin(scene.engine, scene.nested.session);
    say(&scene, "SET a 1");
    cw_unit_begin(scene.engine, scene.nested.session);
    say(&scene, "SET b 1");
    cw_unit_end(scene.engine);
    assert_stream(&scene, "");
    say(&scene, "SET c 1");
    cw_unit_end(scene.engine);
    assert_stream(&scene, "MULTI; SELECT 0; SET a 1; SET b 1; SET c 1; EXEC");
    assert_true(scene.nested.session->stream_offset > before);
    close_scene(&scene);
}

/* An aside stands before its command, and counts as one with it. */
static void test_asides_stay_with_their_command(void **state)
{
    (void)state;
    struct scene scene;
    open_plain_scene(&scene);
    cw_unit_begin(scene.engine, scene.nested.session);
    say(&scene, "HSETEX h EX 10 FIELDS 1 f v");
    cw_unit_end(scene.engine);
    struct buf words = {0};
    bench_turn(&scene.bench);
    bench_read_stream(bench_take(&scene.bench, scene.replica), &words);
    buf_add(&words, "", 1);
    assert_null(strstr(buf_slice(&words).data, "MULTI"));
    assert_non_null(strstr(buf_slice(&words).data, "HSET h f v"));
    buf_free(&words);
    close_scene(&scene);
}

static void test_replies_and_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *reply;
    } cases[] = {
        {"SET a v", "+OK\r\n"},
        {"HGETALL nosuch", "*0\r\n"},
        {"LPUSH a x", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"},
        {"NOSUCH", "-ERR Unknown Redis command called from script\r\n"},
        {"GET", "-ERR Wrong number of args calling Redis command from script\r\n"},
        {"CONFIG NOSUCH", "-ERR Unknown Redis command called from script\r\n"},
        {"CONFIG", "-ERR Wrong number of args calling Redis command from script\r\n"},
        {"AUTH x", "-ERR This Redis command is not allowed from script\r\n"},
    };
    struct scene scene;
    open_plain_scene(&scene);
    cw_unit_begin(scene.engine, scene.nested.session);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_int_equal(say(&scene, cases[i].line), cases[i].reply[0] == '-');
        assert_reply(&scene, cases[i].reply);
    }
    scene.nested.protocol = 3;
    assert_false(say(&scene, "HGETALL nosuch"));
    assert_reply(&scene, "%0\r\n");
    scene.nested.flags |= CW_CALL_READ_ONLY;
    assert_true(say(&scene, "SET a 1"));
    assert_reply(&scene, "-ERR Write commands are not allowed from read-only scripts.\r\n");
    cw_unit_end(scene.engine);

    const struct cw_statistics *statistics = &scene.engine->statistics;
    assert_int_equal(statistics->commands[COMMAND_ID_SET].calls, 1);
    assert_int_equal(statistics->commands[COMMAND_ID_SET].rejected, 1);
    assert_int_equal(statistics->commands[COMMAND_ID_LPUSH].failed, 1);
    assert_int_equal(statistics->total_errors, 7);
    close_scene(&scene);
}

/* The session's own database and protocol stay as they were. */
static void test_select_is_the_units_own(void **state)
{
    (void)state;
    struct scene scene;
    open_plain_scene(&scene);
    cw_unit_begin(scene.engine, scene.nested.session);
    say(&scene, "SELECT 3");
    say(&scene, "SET a 1");
    cw_unit_end(scene.engine);
    assert_int_equal(scene.nested.database, 3);
    assert_int_equal(scene.nested.session->database, 0);
    assert_stream(&scene, "SELECT 3; SET a 1");
    close_scene(&scene);
}

/* What has begun to write goes on to, also when memory is full. */
static void test_memory(void **state)
{
    (void)state;
    struct cw_config config;
    bench_config(&config, true);
    config.maxmemory_bytes = 1;
    struct scene scene;
    open_scene(&scene, &config);
    cw_unit_begin(scene.engine, scene.nested.session);
    assert_true(say(&scene, "SET a 1"));
    assert_reply(&scene, "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    assert_false(say(&scene, "DEL a"));
    assert_false(say(&scene, "SET a 1"));
    cw_unit_end(scene.engine);
    scene.nested.has_written = false;
    scene.nested.flags |= CW_CALL_ALLOW_OOM;
    cw_unit_begin(scene.engine, scene.nested.session);
    assert_false(say(&scene, "SET b 1"));
    cw_unit_end(scene.engine);
    close_scene(&scene);
}

static void test_a_script_has_the_rights_of_its_user(void **state)
{
    (void)state;
    struct scene scene;
    open_plain_scene(&scene);
    struct cw_acl *acl = &scene.engine->access.acl;
    const struct slice rules[] = {SLICE_LITERAL("+get"), SLICE_LITERAL("+set"), SLICE_LITERAL("%R~a"),
                                  SLICE_LITERAL("~b")};
    struct buf reason = {0};
    assert_int_equal(cw_acl_set(acl, SLICE_LITERAL("u"), rules, ARRAY_LENGTH(rules), &reason), 0);
    cw_access_enter(scene.nested.session, cw_acl_find(acl, SLICE_LITERAL("u")));
    assert_false(say(&scene, "SET b 1"));
    assert_false(say(&scene, "GET a"));
    assert_true(say(&scene, "SET a 1"));
    assert_true(say(&scene, "DEL b"));
    assert_true(say(&scene, "ACL WHOAMI"));
    assert_reply(&scene, "+OK\r\n$-1\r\n-ERR ACL failure in script: No permissions to access a key\r\n"
                         "-ERR ACL failure in script: User u has no permissions to run the 'del' command\r\n"
                         "-ERR This Redis command is not allowed from script\r\n");
    assert_int_equal(scene.engine->access.log.count, 2);
    cw_access_enter(scene.nested.session, acl->nobody);
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_unit_is_one_in_the_stream),
        cmocka_unit_test(test_units_in_units),
        cmocka_unit_test(test_asides_stay_with_their_command),
        cmocka_unit_test(test_replies_and_refusals),
        cmocka_unit_test(test_select_is_the_units_own),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_a_script_has_the_rights_of_its_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
