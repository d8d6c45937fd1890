#include "common/resp/resp_reader.h"

#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/resp/resp_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct resp_limits defaults = RESP_LIMITS_DEFAULT;
static const struct resp_limits unauthenticated = RESP_LIMITS_UNAUTHENTICATED;

/* Gives the first `available` bytes in a block of exactly that size, so that a sanitizer sees a read past the end. */
static int64_t read_front(struct resp_request *request, struct slice input, size_t available,
                          const struct resp_limits *limits, char **ret_block)
{
    *ret_block = mem_alloc(available);
    memcpy(*ret_block, input.data, available);
    return resp_request_read(request, slice_of(*ret_block, available), limits);
}

/* Arguments joined by '|', or the error behind '!', with the bytes used in front: what a reading came to. */
static void describe(const struct resp_request *request, int64_t used, struct buf *out)
{
    buf_clear(out);
    if (used < 0) {
        buf_add_format(out, "!%s", request->error);
        return;
    }
    buf_add_format(out, "%d:", (int)used);
    for (size_t i = 0; i < request->argc; i++) {
        if (i > 0)
            buf_add_text(out, "|");
        buf_add_slice(out, request->argv[i]);
    }
}

/* Reads in one piece, at every split into two, and byte by byte: all must come to `expected`. */
static void assert_reads(struct slice input, const struct resp_limits *limits, const char *expected)
{
    struct buf outcome = {0};
    for (size_t split = 0; split <= input.length; split++) {
        struct resp_request request = {0};
        char *block;
        int64_t used = 0;
        if (split < input.length) {
            used = read_front(&request, input, split, limits, &block);
            if (used == 0)
                assert_true(resp_request_missing(&request) >= 1);
            if (used == 0)
                mem_free(block);
        }
        if (used == 0)
            used = read_front(&request, input, input.length, limits, &block);
        describe(&request, used, &outcome);
        assert_int_equal(strlen(expected), buf_length(&outcome));
        assert_memory_equal(buf_slice(&outcome).data, expected, strlen(expected));
        mem_free(block);
        resp_request_free(&request);
    }

    struct resp_request request = {0};
    int64_t used = 0;
    for (size_t available = 0; available <= input.length && used == 0; available++) {
        char *block;
        used = read_front(&request, input, available, limits, &block);
        if (used != 0) {
            describe(&request, used, &outcome);
            assert_int_equal(strlen(expected), buf_length(&outcome));
            assert_memory_equal(buf_slice(&outcome).data, expected, strlen(expected));
        }
        mem_free(block);
    }
    assert_true(used != 0);
    resp_request_free(&request);
    buf_free(&outcome);
}

#define ASSERT_READS(text, expected) assert_reads(SLICE_LITERAL(text), &defaults, expected)

static void arrays_are_read_at_every_split(void **state)
{
    (void)state;
    ASSERT_READS("*1\r\n$4\r\nPING\r\n", "14:PING");
    ASSERT_READS("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$12\r\nhello\r\nworld\r\n", "39:SET|k|hello\r\nworld");
    ASSERT_READS("*2\r\n$3\r\nGET\r\n$0\r\n\r\n", "19:GET|");
    ASSERT_READS("*0\r\n", "4:");
    ASSERT_READS("*-1\r\n", "5:");
    ASSERT_READS(
        "*12\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n$1\r\nf\r\n$1\r\ng\r\n$1\r\nh\r\n$1\r\ni\r\n"
        "$1\r\nj\r\n$1\r\nk\r\n$1\r\nl\r\n",
        "89:a|b|c|d|e|f|g|h|i|j|k|l");
}

static void what_follows_a_request_is_left(void **state)
{
    (void)state;
    ASSERT_READS("*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n", "14:PING");
    ASSERT_READS("PING\r\nQUIT\r\n", "6:PING");
}

static void malformed_arrays_are_refused_in_the_reference_words(void **state)
{
    (void)state;
    ASSERT_READS("*x\r\n", "!invalid multibulk length");
    ASSERT_READS("*\r\n", "!invalid multibulk length");
    ASSERT_READS("*01\r\n", "!invalid multibulk length");
    ASSERT_READS("*+1\r\n", "!invalid multibulk length");
    ASSERT_READS("* 1\r\n", "!invalid multibulk length");
    ASSERT_READS("*1\rx", "!invalid multibulk length");
    ASSERT_READS("*1048577\r\n", "!invalid multibulk length");
    ASSERT_READS("*3000000000\r\n", "!invalid multibulk length");
    ASSERT_READS("*99999999999999999999\r\n", "!invalid multibulk length");
    ASSERT_READS("*1\r\nfoo\r\n", "!expected '$', got 'f'");
    ASSERT_READS("*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n", "!expected '$', got 'f'");
    ASSERT_READS("*1\r\n:1\r\n", "!expected '$', got ':'");
    ASSERT_READS("*1\r\n\0\r\n", "!expected '$', got ' '");
    ASSERT_READS("*1\r\n$\r\n", "!invalid bulk length");
    ASSERT_READS("*1\r\n$-1\r\n", "!invalid bulk length");
    ASSERT_READS("*1\r\n$-10\r\n", "!invalid bulk length");
    ASSERT_READS("*1\r\n$007\r\n", "!invalid bulk length");
    ASSERT_READS("*1\r\n$blabla\r\n", "!invalid bulk length");
    ASSERT_READS("*1\r\n$536870913\r\n", "!invalid bulk length");
    ASSERT_READS("*1\r\n$2000000000\r\n", "!invalid bulk length");
    ASSERT_READS("*1\r\n$3\r\nabcXY", "!expected CRLF behind a bulk");
    ASSERT_READS("*1\r\n$3\r\nabc\r\r", "!expected CRLF behind a bulk");
}

static void limits_before_authentication_have_words_of_their_own(void **state)
{
    (void)state;
    assert_reads(SLICE_LITERAL("*11\r\n"), &unauthenticated, "!unauthenticated multibulk length");
    assert_reads(SLICE_LITERAL("*1\r\n$16385\r\n"), &unauthenticated, "!unauthenticated bulk length");
    assert_reads(SLICE_LITERAL("*1\r\n$-5\r\n"), &unauthenticated, "!invalid bulk length");
    assert_reads(SLICE_LITERAL("*1\r\n$4\r\nPING\r\n"), &unauthenticated, "14:PING");
}

/* A line of `length` bytes beginning with `first`, with or without its end, is judged alike. */
static void assert_line(char first, size_t length, const char *line_end, const struct resp_limits *limits,
                        const char *expected)
{
    struct buf text = {0};
    if (first == '$')
        buf_add_text(&text, "*1\r\n");
    buf_add(&text, &first, 1);
    for (size_t i = 1; i < length; i++)
        buf_add(&text, "7", 1);
    buf_add_text(&text, line_end);
    assert_reads(buf_slice(&text), limits, expected);
    buf_free(&text);
}

static void lines_without_an_end_are_bounded(void **state)
{
    (void)state;
    struct resp_limits limits = defaults;
    limits.inline_length_max = 100;
    assert_line('*', 101, "", &limits, "!too big mbulk count string");
    assert_line('*', 101, "\r\n", &limits, "!too big mbulk count string");
    assert_line('*', 100, "\r\n", &limits, "!invalid multibulk length");
    assert_line('$', 101, "", &limits, "!too big bulk count string");
    assert_line('$', 101, "\r\n", &limits, "!too big bulk count string");
    assert_line('$', 100, "\r\n", &limits, "!invalid bulk length");
    assert_line('a', 101, "", &limits, "!too big inline request");
    assert_line('a', 101, "\n", &limits, "!too big inline request");
}

static void a_whole_request_is_bounded(void **state)
{
    (void)state;
    struct resp_limits limits = defaults;
    limits.request_length_max = 24;
    assert_reads(SLICE_LITERAL("*2\r\n$3\r\nGET\r\n$1\r\nabc\r\n"), &limits, "!expected CRLF behind a bulk");
    assert_reads(SLICE_LITERAL("*2\r\n$3\r\nGET\r\n$5\r\nabcde\r\n"), &limits, "24:GET|abcde");
    assert_reads(SLICE_LITERAL("*2\r\n$3\r\nGET\r\n$6\r\n"), &limits, "!too big request");
}

static void inline_requests_follow_the_quoting_rules(void **state)
{
    (void)state;
    ASSERT_READS("PING\r\n", "6:PING");
    ASSERT_READS("PING\n", "5:PING");
    ASSERT_READS("\r\n", "2:");
    ASSERT_READS("   \t \n", "6:");
    ASSERT_READS("  SET  k\tv  \r\n", "14:SET|k|v");
    ASSERT_READS("a\rb\n", "4:a|b");
    ASSERT_READS("SET k \"a b\"\n", "12:SET|k|a b");
    ASSERT_READS("\"\\n\\r\\t\\b\\a\\\"\\\\\\q\\x41\\xfF\\xg1\"\n", "31:\n\r\t\b\a\"\\qA\xffxg1");
    ASSERT_READS("'a\\'b\\n\"'\n", "10:a'b\\n\"");
    ASSERT_READS("foo\"bar\" baz\n", "13:foobar|baz");
    ASSERT_READS("\"\" ''\n", "6:|");
    ASSERT_READS("a\vb \v c\n", "8:a\vb|c");
    ASSERT_READS("one\0two \"\n", "10:one");
    ASSERT_READS("\"foo\"bar\n", "!unbalanced quotes in request");
    ASSERT_READS("'foo'bar\n", "!unbalanced quotes in request");
    ASSERT_READS("set \"a\n", "!unbalanced quotes in request");
    ASSERT_READS("set 'a\n", "!unbalanced quotes in request");
    ASSERT_READS("\"a\\\n", "!unbalanced quotes in request");
    ASSERT_READS("\"\\\"\n", "!unbalanced quotes in request");
    ASSERT_READS("\"a\\x4\"\n", "7:ax4");
    ASSERT_READS("\"a\\x\n", "!unbalanced quotes in request");
}

static void missing_bytes_are_told(void **state)
{
    (void)state;
    struct resp_request request = {0};
    struct slice input = SLICE_LITERAL("*1\r\n$1000\r\nabc");
    assert_int_equal(0, resp_request_read(&request, input, &defaults));
    assert_int_equal(999, resp_request_missing(&request));
    resp_request_free(&request);
}

static void declared_lengths_cost_no_memory(void **state)
{
    (void)state;
    struct resp_request request = {0};
    struct slice input = SLICE_LITERAL("*1048576\r\n$536870912\r\nabc");
    assert_int_equal(0, resp_request_read(&request, input, &defaults));
    assert_int_equal(0, request.argv_capacity);
    assert_int_equal(0, request.arguments_capacity);
    resp_request_free(&request);
}

static void memory_is_kept_for_usual_requests_and_given_back_after_long_ones(void **state)
{
    (void)state;
    struct resp_request request = {0};
    struct slice ping = SLICE_LITERAL("*1\r\n$4\r\nPING\r\n");
    assert_int_equal(14, resp_request_read(&request, ping, &defaults));
    const struct slice *kept = request.argv;
    assert_int_equal(14, resp_request_read(&request, ping, &defaults));
    assert_ptr_equal(kept, request.argv);

    struct buf longer = {0};
    resp_write_array(&longer, 5000);
    for (unsigned i = 0; i < 5000; i++)
        resp_write_bulk_u64(&longer, i);
    assert_int_equal(buf_length(&longer), resp_request_read(&request, buf_slice(&longer), &defaults));
    assert_int_equal(5000, request.argc);
    assert_true(slice_equal(request.argv[4999], SLICE_LITERAL("4999")));
    assert_int_equal(14, resp_request_read(&request, ping, &defaults));
    assert_true(request.argv_capacity < 100);

    buf_clear(&longer);
    for (unsigned i = 0; i < 2000; i++)
        buf_add_text(&longer, "word ");
    buf_add_text(&longer, "\n");
    assert_int_equal(buf_length(&longer), resp_request_read(&request, buf_slice(&longer), &defaults));
    assert_int_equal(2000, request.argc);
    assert_true(request.inline_text.capacity >= 8000);
    assert_int_equal(14, resp_request_read(&request, ping, &defaults));
    assert_true(request.argv_capacity < 100);
    assert_int_equal(0, request.inline_text.capacity);
    buf_free(&longer);
    resp_request_free(&request);
}

static void an_incomplete_request_can_be_forgotten(void **state)
{
    (void)state;
    struct resp_request request = {0};
    assert_int_equal(0, resp_request_read(&request, SLICE_LITERAL("*2\r\n$3\r\nGET\r\n$1"), &defaults));
    resp_request_reset(&request);
    assert_int_equal(6, resp_request_read(&request, SLICE_LITERAL("PING\r\n"), &defaults));
    assert_int_equal(1, request.argc);
    resp_request_free(&request);
}

/* Scans `input`, cut at `split`, and returns how many bytes the first frame took, or the error. */
static int64_t scan_split(struct slice input, size_t split, struct resp_frame *frame)
{
    struct slice pieces[2] = {slice_of(input.data, split), slice_skip(input, split)};
    int64_t total = 0;
    for (unsigned i = 0; i < 2; i++) {
        char *block = mem_alloc(pieces[i].length);
        memcpy(block, pieces[i].data, pieces[i].length);
        size_t used = 0;
        int result = resp_frame_scan(frame, slice_of(block, pieces[i].length), &defaults, &used);
        mem_free(block);
        if (result < 0)
            return result;
        total += (int64_t)used;
        if (result == 1)
            return total;
        assert_int_equal(pieces[i].length, used);
    }
    return 0;
}

/* What follows `text` is put behind it, and must be left. */
static void assert_frame(const char *text, size_t length)
{
    struct buf input = {0};
    buf_add(&input, text, length);
    buf_add_text(&input, "$3\r\nnext");
    for (size_t split = 0; split <= buf_length(&input); split++) {
        struct resp_frame frame = {0};
        assert_int_equal(length, scan_split(buf_slice(&input), split, &frame));
        assert_false(frame.inside);
        assert_int_equal(text[0], frame.type);
        size_t head = length < RESP_FRAME_HEAD ? length : RESP_FRAME_HEAD;
        assert_int_equal(head, frame.head_length);
        assert_memory_equal(text, frame.head, head);
    }
    struct resp_frame frame = {0};
    int result = 0;
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        assert_int_equal(0, result);
        result = resp_frame_scan(&frame, slice_of(text + i, 1), &defaults, &used);
        assert_int_equal(1, used);
    }
    assert_int_equal(1, result);
    buf_free(&input);
}

#define ASSERT_FRAME(text) assert_frame("" text, sizeof(text) - 1)

static void frames_of_every_type_end_where_they_end(void **state)
{
    (void)state;
    ASSERT_FRAME("+OK\r\n");
    ASSERT_FRAME("+\r\n");
    ASSERT_FRAME("-READONLY You can't write against a read only replica, and this text is longer than the head.\r\n");
    ASSERT_FRAME(":-42\r\n");
    ASSERT_FRAME("$3\r\nbar\r\n");
    ASSERT_FRAME("$0\r\n\r\n");
    ASSERT_FRAME("$-1\r\n");
    ASSERT_FRAME("$11\r\n\r\n\r\n$3\r\nx\r\n\r\n");
    ASSERT_FRAME("*0\r\n");
    ASSERT_FRAME("*-1\r\n");
    ASSERT_FRAME("*3\r\n$1\r\na\r\n*2\r\n:1\r\n*0\r\n$-1\r\n");
    ASSERT_FRAME("_\r\n");
    ASSERT_FRAME("#t\r\n");
    ASSERT_FRAME(",1.5e10\r\n");
    ASSERT_FRAME("(3492890328409238509324850943850943825024385\r\n");
    ASSERT_FRAME("!21\r\nSYNTAX invalid syntax\r\n");
    ASSERT_FRAME("=15\r\ntxt:Some string\r\n");
    ASSERT_FRAME("%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n");
    ASSERT_FRAME("%0\r\n");
    ASSERT_FRAME("~2\r\n:1\r\n:2\r\n");
    ASSERT_FRAME(">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
    ASSERT_FRAME("|1\r\n+ttl\r\n:3600\r\n$3\r\nbar\r\n");
    ASSERT_FRAME("|0\r\n:1\r\n");
    ASSERT_FRAME("*2\r\n|1\r\n+k\r\n+v\r\n:1\r\n:2\r\n");
}

static void a_null_of_resp2_ends_its_aggregate(void **state)
{
    (void)state;
    ASSERT_FRAME("*2\r\n*-1\r\n$-1\r\n");
    ASSERT_FRAME("*1\r\n*1\r\n*1\r\n$-1\r\n");
}

static void assert_no_frame(const char *text)
{
    struct slice input = slice_text(text);
    for (size_t split = 0; split <= input.length; split++) {
        struct resp_frame frame = {0};
        assert_int_equal(ERR_PROTOCOL, scan_split(input, split, &frame));
    }
}

static void what_is_not_resp_is_refused(void **state)
{
    (void)state;
    assert_no_frame("hello\r\n");
    assert_no_frame("$x\r\n");
    assert_no_frame("$\r\n");
    assert_no_frame("$-2\r\n");
    assert_no_frame("%-1\r\n");
    assert_no_frame("~-1\r\n");
    assert_no_frame("=-1\r\n");
    assert_no_frame("*01\r\n");
    assert_no_frame("*?\r\n");
    assert_no_frame("$536870913\r\n");
    assert_no_frame("*4294967296\r\n");
    assert_no_frame("$00000000000000000000000000000003\r\n");
    assert_no_frame("$3\r\nbarX\r\n");
    assert_no_frame("$3\r\nbar\rX");
    assert_no_frame("+O\rK\r\n");
    assert_no_frame("$3\rbar");
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    for (unsigned depth = RESP_DEPTH_MAX; depth <= RESP_DEPTH_MAX + 1; depth++) {
        struct buf text = {0};
        for (unsigned i = 0; i < depth; i++)
            resp_write_array(&text, 1);
        resp_write_integer(&text, 7);
        struct resp_frame frame = {0};
        size_t used;
        int result = resp_frame_scan(&frame, buf_slice(&text), &defaults, &used);
        assert_int_equal(depth == RESP_DEPTH_MAX ? 1 : ERR_PROTOCOL, result);
        buf_free(&text);
    }
}

static void frames_follow_one_another(void **state)
{
    (void)state;
    struct slice input = SLICE_LITERAL("+OK\r\n*2\r\n:1\r\n:2\r\n-ERR x\r\n$2\r\nhi\r\n");
    const char types[] = "+*-$";
    struct resp_frame frame = {0};
    for (unsigned i = 0; i < 4; i++) {
        size_t used;
        assert_int_equal(1, resp_frame_scan(&frame, input, &defaults, &used));
        assert_int_equal(types[i], frame.type);
        input = slice_skip(input, used);
    }
    assert_int_equal(0, input.length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_are_read_at_every_split),
        cmocka_unit_test(what_follows_a_request_is_left),
        cmocka_unit_test(malformed_arrays_are_refused_in_the_reference_words),
        cmocka_unit_test(limits_before_authentication_have_words_of_their_own),
        cmocka_unit_test(lines_without_an_end_are_bounded),
        cmocka_unit_test(a_whole_request_is_bounded),
        cmocka_unit_test(inline_requests_follow_the_quoting_rules),
        cmocka_unit_test(missing_bytes_are_told),
        cmocka_unit_test(declared_lengths_cost_no_memory),
        cmocka_unit_test(memory_is_kept_for_usual_requests_and_given_back_after_long_ones),
        cmocka_unit_test(an_incomplete_request_can_be_forgotten),
        cmocka_unit_test(frames_of_every_type_end_where_they_end),
        cmocka_unit_test(a_null_of_resp2_ends_its_aggregate),
        cmocka_unit_test(what_is_not_resp_is_refused),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(frames_follow_one_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
