#include "common/conf/redis_conf.h"

#include "common/base/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_line(struct redis_conf *reader, size_t number, size_t count, const char *first, const char *last)
{
    assert_int_equal(redis_conf_next(reader), 1);
    assert_int_equal(reader->number, number);
    assert_int_equal(reader->parser.argc, count);
    assert_true(slice_equal(reader->parser.argv[0], slice_text(first)));
    assert_true(slice_equal(reader->parser.argv[count - 1], slice_text(last)));
}

static void test_lines(void **state)
{
    (void)state;
    struct redis_conf reader = {.rest = SLICE_LITERAL("# comment\n\n  port 6379\r\n\tsave 900   1 \n"
                                                      "requirepass \"a \\\"b\\x41\"\nsave ''\n"
                                                      "open \"x\n*3\nlast one")};
    assert_line(&reader, 3, 2, "port", "6379");
    assert_true(slice_equal(reader.line, SLICE_LITERAL("port 6379")));
    assert_line(&reader, 4, 3, "save", "1");
    assert_line(&reader, 5, 2, "requirepass", "a \"bA");
    assert_line(&reader, 6, 2, "save", "");
    assert_int_equal(redis_conf_next(&reader), ERR_INVALID);
    assert_int_equal(redis_conf_next(&reader), ERR_INVALID);
    assert_line(&reader, 9, 2, "last", "one");
    assert_int_equal(redis_conf_next(&reader), 0);
    assert_int_equal(redis_conf_next(&reader), 0);
    redis_conf_free(&reader);
}

static void test_quotes(void **state)
{
    (void)state;
    struct buf text = {0};
    redis_conf_add_quoted(&text, SLICE_LITERAL("a\\\"\n\r\t\a\b\x01\xff z"));
    assert_true(slice_equal(buf_slice(&text), SLICE_LITERAL("\"a\\\\\\\"\\n\\r\\t\\a\\b\\x01\\xff z\"")));
    buf_clear(&text);
    char bytes[256];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    redis_conf_add_quoted(&text, slice_of(bytes, sizeof(bytes)));
    struct redis_conf reader = {.rest = buf_slice(&text)};
    assert_int_equal(redis_conf_next(&reader), 1);
    assert_true(slice_equal(reader.parser.argv[0], slice_of(bytes, sizeof(bytes))));
    redis_conf_free(&reader);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
