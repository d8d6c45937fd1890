#include "common/shell/log_sink.h"

#include "common/base/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A sink whose lines come out of a pipe. */
struct piped {
    struct log_sink sink;
    int read_fd;
};

static void open_piped(struct piped *piped, enum log_level level, enum log_format format)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    fcntl(fds[1], F_SETPIPE_SZ, 4096);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    assert_int_equal(log_sink_open(&piped->sink, "test", "", level, format), 0);
    piped->sink.fd = fds[1];
    piped->read_fd = fds[0];
}

static void close_piped(struct piped *piped)
{
    log_sink_close(&piped->sink);
    close(piped->read_fd);
}

static void expect(struct piped *piped, const char *pattern)
{
    char text[8192];
    ssize_t length = read(piped->read_fd, text, sizeof(text) - 1);
    assert_true(length > 0);
    text[length] = '\0';
    regex_t regex;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    if (regexec(&regex, text, 0, NULL, 0) != 0)
        fail_msg("%s is not %s", text, pattern);
    regfree(&regex);
}

#define TIME "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"

static void formats(void **state)
{
    (void)state;
    struct piped piped;
    open_piped(&piped, LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    log_line(&piped.sink, LOG_LEVEL_NOTICE, "hello %d", 5);
    expect(&piped, "^" TIME " notice test: hello 5\n$");
    piped.sink.format = LOG_FORMAT_JOURNAL;
    log_line(&piped.sink, LOG_LEVEL_ERROR, "hello");
    expect(&piped, "^<3>hello\n$");
    log_line(&piped.sink, LOG_LEVEL_DEBUG, "hello");
    expect(&piped, "^<7>hello\n$");
    piped.sink.format = LOG_FORMAT_JSON;
    log_line(&piped.sink, LOG_LEVEL_WARNING, "hello");
    expect(&piped, "^\\{\"time\":\"" TIME "\",\"level\":\"warning\",\"daemon\":\"test\",\"message\":\"hello\"\\}\n$");
    close_piped(&piped);
}

static void nothing_below_the_level(void **state)
{
    (void)state;
    struct piped piped;
    open_piped(&piped, LOG_LEVEL_WARNING, LOG_FORMAT_JOURNAL);
    log_line(&piped.sink, LOG_LEVEL_NOTICE, "no");
    log_line(&piped.sink, LOG_LEVEL_WARNING, "yes");
    expect(&piped, "^<4>yes\n$");
    log_sink_set_level(&piped.sink, LOG_LEVEL_DEBUG);
    log_line(&piped.sink, LOG_LEVEL_DEBUG, "now");
    expect(&piped, "^<7>now\n$");
    log_sink_set_level(&piped.sink, LOG_LEVEL_ERROR);
    log_line(&piped.sink, LOG_LEVEL_WARNING, "lost");
    log_line(&piped.sink, LOG_LEVEL_ERROR, "last");
    expect(&piped, "^<3>last\n$");
    close_piped(&piped);
}

static void a_message_cannot_forge_a_line(void **state)
{
    (void)state;
    struct piped piped;
    open_piped(&piped, LOG_LEVEL_DEBUG, LOG_FORMAT_JOURNAL);
    log_write(&piped.sink, LOG_LEVEL_NOTICE, SLICE_LITERAL("a\n<3>b\r\0c"));
    expect(&piped, "^<5>a\\\\x0a<3>b\\\\x0d\\\\x00c\n$");
    piped.sink.format = LOG_FORMAT_JSON;
    log_write(&piped.sink, LOG_LEVEL_NOTICE, SLICE_LITERAL("\"\\\n"));
    expect(&piped, "\"message\":\"\\\\\"\\\\\\\\\\\\u000a\"\\}\n$");
    close_piped(&piped);
}

static void json_is_utf8(void **state)
{
    static const struct {
        const char *bytes;
        const char *expected;
    } cases[] = {
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"message\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"\\}"},
        {"\xff", "\"message\":\"\\\\ufffd\"\\}"},                           /* no start byte */
        {"\xc0\xaf", "\"message\":\"\\\\ufffd\\\\ufffd\"\\}"},              /* overlong */
        {"\xed\xa0\x80", "\"message\":\"\\\\ufffd\\\\ufffd\\\\ufffd\"\\}"}, /* a surrogate */
        {"\xe2\x82", "\"message\":\"\\\\ufffd\\\\ufffd\"\\}"},              /* cut */
        {"\xf4\x90\x80\x80", "(\\\\ufffd){4}\"\\}"},                        /* beyond U+10FFFF */
    };
    (void)state;
    struct piped piped;
    open_piped(&piped, LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        log_write(&piped.sink, LOG_LEVEL_NOTICE, slice_text(cases[i].bytes));
        expect(&piped, cases[i].expected);
    }
    close_piped(&piped);
}

static void a_long_message_is_cut(void **state)
{
    (void)state;
    struct piped piped;
    char text[10000];
    memset(text, 'x', sizeof(text));
    for (enum log_format format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
        open_piped(&piped, LOG_LEVEL_DEBUG, format);
        log_write(&piped.sink, LOG_LEVEL_NOTICE, slice_of(text, sizeof(text)));
        expect(&piped, format == LOG_FORMAT_JSON ? "xxx\\.\\.\\.\"\\}\n$" : "xxx\\.\\.\\.\n$");
        memset(text, '\n', sizeof(text));
        log_write(&piped.sink, LOG_LEVEL_NOTICE, slice_of(text, sizeof(text)));
        expect(&piped, format == LOG_FORMAT_JSON ? "0a\\.\\.\\.\"\\}\n$" : "0a\\.\\.\\.\n$");
        memset(text, 'x', sizeof(text));
        close_piped(&piped);
    }
}

static void a_full_pipe_loses_lines_and_says_so(void **state)
{
    (void)state;
    struct piped piped;
    char text[3000];
    memset(text, 'x', sizeof(text));
    open_piped(&piped, LOG_LEVEL_DEBUG, LOG_FORMAT_JOURNAL);
    for (int i = 0; i < 5; i++)
        log_write(&piped.sink, LOG_LEVEL_NOTICE, slice_of(text, sizeof(text))); /* one goes in, four do not */
    expect(&piped, "^<5>x+\n$");
    log_line(&piped.sink, LOG_LEVEL_NOTICE, "after");
    expect(&piped, "^<4>4 log lines were lost\n");
    close_piped(&piped);
}

static void a_file_is_appended_to(void **state)
{
    (void)state;
    char path[] = "/tmp/log_sink_test.XXXXXX";
    int fd = mkstemp(path);
    for (int i = 0; i < 2; i++) {
        struct log_sink sink;
        assert_int_equal(log_sink_open(&sink, "test", path, LOG_LEVEL_INFO, LOG_FORMAT_JOURNAL), 0);
        log_line(&sink, LOG_LEVEL_INFO, "line %d", i);
        log_sink_close(&sink);
        log_sink_close(&sink);
    }
    char text[64] = {0};
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    assert_string_equal(text, "<6>line 0\n<6>line 1\n");
    close(fd);
    unlink(path);
    struct log_sink sink;
    assert_int_equal(log_sink_open(&sink, "test", "/nowhere/at/all", LOG_LEVEL_INFO, LOG_FORMAT_TEXT), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(nothing_below_the_level),
        cmocka_unit_test(a_message_cannot_forge_a_line),
        cmocka_unit_test(json_is_utf8),
        cmocka_unit_test(a_long_message_is_cut),
        cmocka_unit_test(a_full_pipe_loses_lines_and_says_so),
        cmocka_unit_test(a_file_is_appended_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
