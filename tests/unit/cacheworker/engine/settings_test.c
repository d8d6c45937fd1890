/* The table of parameters as a whole: each can be read, and be told what it is. */
#include "cacheworker/engine/settings.h"

#include "common/resp/resp_writer.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_names_are_unique(void **state)
{
    (void)state;
    assert_true(cw_settings_count() > 180);
    for (size_t i = 0; i < cw_settings_count(); i++)
        assert_int_equal(cw_settings_find(slice_text(cw_settings_name(i))), i);
    assert_int_equal(cw_settings_find(SLICE_LITERAL("SAVE")), cw_settings_find(SLICE_LITERAL("save")));
    assert_int_equal(cw_settings_find(SLICE_LITERAL("nosuch")), CW_SETTINGS_NONE);
}

/* The reply to CONFIG GET of one name, without its head: the bulk string of the value. */
static void get_value(struct bench *bench, link_id client, const char *name, struct buf *ret_value)
{
    char request[256], head[256];
    snprintf(request, sizeof(request), "CONFIG GET %s\r\n", name);
    snprintf(head, sizeof(head), "*2\r\n$%zu\r\n%s\r\n", strlen(name), name);
    struct slice reply = bench_ask(bench, client, request);
    assert_true(reply.length > strlen(head));
    assert_memory_equal(reply.data, head, strlen(head));
    buf_clear(ret_value);
    buf_add_slice(ret_value, slice_skip(reply, strlen(head)));
}

/* Nobody is told of an error who sets what is so anyway, but where Redis, too, lets nobody set it. */
static void test_each_can_be_set_to_what_it_is(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    struct buf value = {0}, request = {0}, before = {0};
    size_t refused = 0;
    for (size_t i = 0; i < cw_settings_count(); i++) {
        const char *name = cw_settings_name(i);
        get_value(&bench, client, name, &before);
        buf_clear(&request);
        buf_add_text(&request, "*4\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n");
        resp_write_bulk_text(&request, name);
        buf_add_slice(&request, buf_slice(&before));
        buf_add(&request, "", 1);
        struct slice reply = bench_ask(&bench, client, request.memory + request.start);
        if (!slice_equal(reply, SLICE_LITERAL("+OK\r\n"))) {
            char words[256];
            int length = snprintf(words, sizeof(words),
                                  "-ERR CONFIG SET failed (possibly related to argument '%s') - can't set ", name);
            assert_true(reply.length > (size_t)length);
            assert_memory_equal(reply.data, words, (size_t)length);
            refused++;
        }
        get_value(&bench, client, name, &value);
        assert_true(slice_equal(buf_slice(&value), buf_slice(&before)));
    }
    assert_in_range(refused, 20, 40);
    buf_free(&value);
    buf_free(&request);
    buf_free(&before);
    bench_end(&bench);
}

static void assert_ok(struct bench *bench, link_id client, const char *request)
{
    assert_true(slice_equal(bench_ask(bench, client, request), SLICE_LITERAL("+OK\r\n")));
}

/* The shell is told what to log; and at the start only when it is not what the shell begins with. */
static void test_log_level_reaches_the_shell(void **state)
{
    (void)state;
    struct cw_config config;
    bench_config(&config, true);
    config.log_level = LOG_LEVEL_INFO;
    struct bench bench;
    bench_start(&bench, &config);
    link_id client = bench_connect(&bench);
    struct buf value = {0};
    get_value(&bench, client, "loglevel", &value);
    assert_true(slice_equal(buf_slice(&value), SLICE_LITERAL("$7\r\nverbose\r\n")));
    assert_int_equal(bench.log_level, 0);
    assert_ok(&bench, client, "CONFIG SET loglevel warning\r\n");
    assert_int_equal(bench.log_level, LOG_LEVEL_WARNING);
    assert_ok(&bench, client, "CONFIG SET loglevel nothing\r\n");
    assert_int_equal(bench.log_level, LOG_LEVEL_ERROR);
    buf_free(&value);
    bench_end(&bench);
    config.parameters = SLICE_LITERAL("loglevel warning\n");
    bench_start(&bench, &config);
    assert_int_equal(bench.log_level, LOG_LEVEL_WARNING);
    bench_end(&bench);
}

static void test_hz_is_shown(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    assert_ok(&bench, client, "CONFIG SET hz 50\r\n");
    struct slice reply = bench_ask(&bench, client, "INFO server\r\n");
    static const char expected[] = "\r\nhz:50\r\nconfigured_hz:50\r\n";
    assert_non_null(memmem(reply.data, reply.length, expected, strlen(expected)));
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_unique),
        cmocka_unit_test(test_log_level_reaches_the_shell),
        cmocka_unit_test(test_hz_is_shown),
        cmocka_unit_test(test_each_can_be_set_to_what_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
