#include "common/resp/resp_writer.h"

#include "common/base/rand.h"
#include "common/resp/resp_reader.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_written(struct buf *out, const char *expected)
{
    assert_true(slice_equal(slice_text(expected), buf_slice(out)));
    buf_clear(out);
}

static void what_both_protocols_share(void **state)
{
    (void)state;
    struct buf out = {0};
    resp_write_ok(&out);
    assert_written(&out, "+OK\r\n");
    resp_write_simple(&out, SLICE_LITERAL("PONG"));
    assert_written(&out, "+PONG\r\n");
    resp_write_error(&out, SLICE_LITERAL("ERR no such key"));
    assert_written(&out, "-ERR no such key\r\n");
    resp_write_error_format(&out, "ERR unknown command '%s'", "foo");
    assert_written(&out, "-ERR unknown command 'foo'\r\n");
    resp_write_integer(&out, INT64_MIN);
    assert_written(&out, ":-9223372036854775808\r\n");
    resp_write_bulk(&out, SLICE_LITERAL("a\r\nb"));
    assert_written(&out, "$4\r\na\r\nb\r\n");
    resp_write_bulk(&out, slice_of(NULL, 0));
    assert_written(&out, "$0\r\n\r\n");
    resp_write_bulk_text(&out, "text");
    assert_written(&out, "$4\r\ntext\r\n");
    resp_write_bulk_i64(&out, -12);
    assert_written(&out, "$3\r\n-12\r\n");
    resp_write_bulk_u64(&out, UINT64_MAX);
    assert_written(&out, "$20\r\n18446744073709551615\r\n");
    resp_write_array(&out, 0);
    assert_written(&out, "*0\r\n");
    resp_write_array(&out, 1000000);
    assert_written(&out, "*1000000\r\n");
    resp_write_ok(&out);
    resp_write_integer(&out, 7);
    resp_insert_array(&out, 5, 1);
    assert_written(&out, "+OK\r\n*1\r\n:7\r\n");
    resp_write_integer(&out, 7);
    resp_write_integer(&out, 8);
    resp_insert_map(&out, 0, 1);
    assert_written(&out, "%1\r\n:7\r\n:8\r\n");
    resp_write_integer(&out, 7);
    resp_insert_set(&out, 3, 0, 1);
    assert_written(&out, "~1\r\n:7\r\n");
    resp_insert_set(&out, 2, 0, 0);
    assert_written(&out, "*0\r\n");
    buf_free(&out);
}

static void what_resp2_lacks_is_written_as_the_reference_does(void **state)
{
    (void)state;
    struct buf out = {0};
    for (int protocol = 2; protocol <= 3; protocol++) {
        bool third = protocol == 3;
        resp_write_null(&out, protocol);
        assert_written(&out, third ? "_\r\n" : "$-1\r\n");
        resp_write_null_array(&out, protocol);
        assert_written(&out, third ? "_\r\n" : "*-1\r\n");
        resp_write_boolean(&out, protocol, true);
        assert_written(&out, third ? "#t\r\n" : ":1\r\n");
        resp_write_boolean(&out, protocol, false);
        assert_written(&out, third ? "#f\r\n" : ":0\r\n");
        resp_write_double(&out, protocol, 0.1);
        assert_written(&out, third ? ",0.1\r\n" : "$3\r\n0.1\r\n");
        resp_write_double(&out, protocol, -INFINITY);
        assert_written(&out, third ? ",-inf\r\n" : "$4\r\n-inf\r\n");
        resp_write_map(&out, protocol, 3);
        assert_written(&out, third ? "%3\r\n" : "*6\r\n");
        resp_write_set(&out, protocol, 3);
        assert_written(&out, third ? "~3\r\n" : "*3\r\n");
        resp_write_push(&out, protocol, 3);
        assert_written(&out, third ? ">3\r\n" : "*3\r\n");
        resp_write_verbatim(&out, protocol, "txt", SLICE_LITERAL("hi"));
        assert_written(&out, third ? "=6\r\ntxt:hi\r\n" : "$2\r\nhi\r\n");
        resp_write_big_number(&out, protocol, SLICE_LITERAL("12345678901234567890123"));
        assert_written(&out, third ? "(12345678901234567890123\r\n" : "$23\r\n12345678901234567890123\r\n");
    }
    buf_free(&out);
}

static void no_text_can_forge_a_reply(void **state)
{
    (void)state;
    struct buf out = {0};
    resp_write_simple(&out, SLICE_LITERAL("a\r\n+OK\r\n"));
    assert_written(&out, "+a  +OK  \r\n");
    resp_write_error(&out, SLICE_LITERAL("ERR \n\r"));
    assert_written(&out, "-ERR   \r\n");
    resp_write_error_format(&out, "ERR %s", "a\r\n:1");
    assert_written(&out, "-ERR a  :1\r\n");
    buf_free(&out);
}

static void long_errors_are_cut_and_still_end(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    struct buf out = {0};
    resp_write_error_format(&out, "ERR %s", text);
    assert_true(buf_length(&out) < sizeof(text));
    assert_memory_equal("x\r\n", buf_slice(&out).data + buf_length(&out) - 3, 3);
    buf_free(&out);
}

/* What is written as a request is read back as one. */
static void requests_survive_the_wire(void **state)
{
    (void)state;
    const struct resp_limits limits = RESP_LIMITS_DEFAULT;
    struct rand rand;
    rand_seed(&rand, 1);
    struct resp_request request = {0};
    struct buf out = {0};
    for (unsigned round = 0; round < 500; round++) {
        static char bytes[50][300];
        size_t lengths[50];
        size_t count = 1 + rand_below(&rand, 50);
        buf_clear(&out);
        resp_write_array(&out, count);
        for (size_t i = 0; i < count; i++) {
            lengths[i] = rand_below(&rand, sizeof(bytes[i]));
            for (size_t j = 0; j < lengths[i]; j++)
                bytes[i][j] = (char)rand_u64(&rand);
            resp_write_bulk(&out, slice_of(bytes[i], lengths[i]));
        }
        assert_int_equal(buf_length(&out), resp_request_read(&request, buf_slice(&out), &limits));
        assert_int_equal(count, request.argc);
        for (size_t i = 0; i < count; i++)
            assert_true(slice_equal(slice_of(bytes[i], lengths[i]), request.argv[i]));
    }
    resp_request_free(&request);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_both_protocols_share),
        cmocka_unit_test(what_resp2_lacks_is_written_as_the_reference_does),
        cmocka_unit_test(no_text_can_forge_a_reply),
        cmocka_unit_test(long_errors_are_cut_and_still_end),
        cmocka_unit_test(requests_survive_the_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
