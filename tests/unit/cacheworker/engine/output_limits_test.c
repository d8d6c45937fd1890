#include "cacheworker/engine/output_limits.h"

#include "common/base/door.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_limits(const struct cw_output_limits *limits, const char *expected)
{
    char text[256] = "";
    struct buf out = {.memory = text, .capacity = sizeof(text)};
    cw_output_limits_write(limits, &out);
    assert_int_equal(buf_length(&out), strlen(expected));
    assert_memory_equal(text, expected, strlen(expected));
}

static void test_initial(void **state)
{
    (void)state;
    struct cw_output_limits limits;
    cw_output_limits_create(&limits, 0);
    assert_limits(&limits, "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
    assert_int_equal(limits.least, CW_OUTPUT_JUDGED_FROM);
    cw_output_limits_create(&limits, 1000);
    assert_limits(&limits, "normal 1000 0 0 slave 1000 67108864 60 pubsub 1000 8388608 60");
    assert_int_equal(limits.least, 1000);
}

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } wrong[] = {
        {"normal", "Wrong number of arguments in buffer limit configuration."},
        {"normal 1 2 3 pubsub", "Wrong number of arguments in buffer limit configuration."},
        {"master 1 2 3", "Invalid client class specified in buffer limit configuration."},
        {"normal 1 2 3 other 1 2 3", "Invalid client class specified in buffer limit configuration."},
        {"normal x 2 3", "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
        {"normal 1 2mbs 3", "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
        {"normal 1 2 3s", "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
        {"normal 1 2 -3", "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
        {"normal 1 2 9223372036854775807",
         "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
    };
    struct cw_output_limits limits;
    cw_output_limits_create(&limits, 5);
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        assert_string_equal(cw_output_limits_parse(&limits, slice_text(wrong[i].text)), wrong[i].words);
    assert_limits(&limits, "normal 5 0 0 slave 5 67108864 60 pubsub 5 8388608 60");
    assert_null(cw_output_limits_parse(&limits, SLICE_LITERAL(" PubSub 1mb  2kb 3 Replica 0 0 0 ")));
    assert_limits(&limits, "normal 5 0 0 slave 0 0 0 pubsub 1048576 2048 3");
    assert_int_equal(limits.least, 5);
    assert_null(cw_output_limits_parse(&limits, SLICE_LITERAL("normal 0 0 0")));
    assert_int_equal(limits.least, 2048);
    assert_null(cw_output_limits_parse(&limits, SLICE_LITERAL("pubsub 0 0 0")));
    assert_int_equal(limits.least, CW_OUTPUT_JUDGED_FROM);
    assert_null(cw_output_limits_parse(&limits, SLICE_LITERAL("")));
}

static void test_exceeded(void **state)
{
    (void)state;
    struct cw_output_limit limit = {.hard = 100, .soft = 50, .soft_s = 3};
    int64_t since_ns = 0;
    assert_false(cw_output_limit_exceeded(&limit, 49, 7, &since_ns));
    assert_int_equal(since_ns, 0);
    assert_true(cw_output_limit_exceeded(&limit, 100, 7, &since_ns));
    assert_false(cw_output_limit_exceeded(&limit, 50, 7, &since_ns));
    assert_int_equal(since_ns, 7);
    assert_false(cw_output_limit_exceeded(&limit, 99, 7 + 3 * NS_PER_S, &since_ns));
    assert_true(cw_output_limit_exceeded(&limit, 50, 8 + 3 * NS_PER_S, &since_ns));
    /* Once below, the time begins anew. */
    assert_false(cw_output_limit_exceeded(&limit, 49, 8 + 3 * NS_PER_S, &since_ns));
    assert_false(cw_output_limit_exceeded(&limit, 50, 9 + 3 * NS_PER_S, &since_ns));
    assert_false(cw_output_limit_exceeded(&limit, 50, 9 + 6 * NS_PER_S, &since_ns));
    limit = (struct cw_output_limit){0};
    assert_false(cw_output_limit_exceeded(&limit, SIZE_MAX, 7, &since_ns));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_initial),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_exceeded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
