/* Transcripts of tests/golden/engine: what a client says and what it gets, byte for byte.
 *
 *     > SET key value          sent on connection 1 as an array (words quoted as in redis-cli)
 *     2> GET key               on connection 2, which opens when it is first named
 *     | PING                   sent as it stands, as an inline command; \r\n follows
 *     @ 1500                   this many milliseconds pass
 *     ; words                  a comment
 *
 * Then the reply, a line for each line of RESP; "2: " before a line that came on another connection; "closed" when the
 * connection was closed. CLIENT LIST's tot-mem, which depends on how big a session is in memory, is shown as so many #.
 * With --rewrite the files are written anew; read the difference before you commit it. */
#include "common/base/buf.h"
#include "common/resp/resp_reader.h"
#include "common/resp/resp_writer.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <ctype.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CONNECTIONS_MAX = 10, TRANSCRIPTS_MAX = 64 };

struct transcript {
    struct bench bench;
    link_id links[CONNECTIONS_MAX]; /* by the number in the file; LINK_NONE: not open */
    struct buf out;
};

static bool rewrite;
static char *names[TRANSCRIPTS_MAX];
static size_t name_count;

static void read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return;
    for (;;) {
        char *place = buf_reserve(out, 4096);
        size_t count = fread(place, 1, 4096, file);
        if (count == 0)
            break;
        buf_commit(out, count);
    }
    fclose(file);
}

static void write_file(const char *path, struct slice text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text.data, 1, text.length, file), text.length);
    assert_int_equal(fclose(file), 0);
}

static bool ends_with(struct slice text, const char *end)
{
    size_t length = strlen(end);
    return text.length >= length && memcmp(text.data + text.length - length, end, length) == 0;
}

/* Bytes that are no plain text are shown as \xHH; digits of what a session takes as #. */
static void show_line(struct transcript *transcript, unsigned connection, struct slice line)
{
    if (connection != 1)
        buf_add_format(&transcript->out, "%u: ", connection);
    bool is_hidden = false;
    for (size_t i = 0; i < line.length; i++) {
        unsigned char byte = (unsigned char)line.data[i];
        is_hidden = isdigit(byte) && (is_hidden || ends_with(slice_of(line.data, i), " tot-mem="));
        if (is_hidden)
            buf_add_text(&transcript->out, "#");
        else if (byte >= ' ' && byte < 0x7f && byte != '\\')
            buf_add(&transcript->out, line.data + i, 1);
        else
            buf_add_format(&transcript->out, "\\x%02x", byte);
    }
    buf_add_text(&transcript->out, "\n");
}

static void show_output(struct transcript *transcript, unsigned connection)
{
    link_id link = transcript->links[connection];
    struct slice bytes = bench_take(&transcript->bench, link);
    while (bytes.length > 0) {
        const char *end = memmem(bytes.data, bytes.length, "\r\n", 2);
        size_t length = end ? (size_t)(end - bytes.data) : bytes.length;
        show_line(transcript, connection, slice_of(bytes.data, length));
        bytes = slice_skip(bytes, end ? length + 2 : length);
    }
    if (!transcript->bench.links[link].is_open) {
        show_line(transcript, connection, SLICE_LITERAL("closed"));
        transcript->links[connection] = LINK_NONE;
    }
}

static void show_all(struct transcript *transcript, unsigned first)
{
    if (transcript->links[first] != LINK_NONE)
        show_output(transcript, first);
    for (unsigned i = 1; i < CONNECTIONS_MAX; i++) {
        if (i != first && transcript->links[i] != LINK_NONE)
            show_output(transcript, i);
    }
}

static void say(struct transcript *transcript, unsigned connection, struct slice line, bool is_inline)
{
    if (transcript->links[connection] == LINK_NONE)
        transcript->links[connection] = bench_connect(&transcript->bench);
    struct buf bytes = {0};
    buf_add_slice(&bytes, line);
    buf_add_text(&bytes, "\r\n");
    if (!is_inline) {
        struct resp_request request = {0};
        const struct resp_limits limits = RESP_LIMITS_DEFAULT;
        assert_true(resp_request_read(&request, buf_slice(&bytes), &limits) > 0);
        struct buf array = {0};
        resp_write_array(&array, request.argc);
        for (size_t i = 0; i < request.argc; i++)
            resp_write_bulk(&array, request.argv[i]);
        resp_request_free(&request);
        buf_free(&bytes);
        bytes = array;
    }
    bench_receive(&transcript->bench, transcript->links[connection], buf_slice(&bytes));
    bench_turn(&transcript->bench);
    buf_free(&bytes);
    show_all(transcript, connection);
}

static void play_line(struct transcript *transcript, struct slice line)
{
    bool is_marked = line.length > 2 && line.data[1] == ' ';
    bool is_numbered = line.length > 3 && isdigit((unsigned char)line.data[0]) && line.data[1] == '>';
    bool is_said = is_marked && line.data[0] == '>';
    bool is_inline = is_marked && line.data[0] == '|';
    bool is_comment = is_marked && line.data[0] == ';';
    bool is_time = is_marked && line.data[0] == '@';
    if (!is_numbered && !is_said && !is_inline && !is_comment && !is_time)
        return; /* a reply; it is made anew */
    buf_add_slice(&transcript->out, line);
    buf_add_text(&transcript->out, "\n");
    if (is_numbered)
        say(transcript, (unsigned)(line.data[0] - '0'), slice_skip(line, 3), false);
    else if (is_said || is_inline)
        say(transcript, 1, slice_skip(line, 2), is_inline);
    else if (is_time) {
        bench_advance(&transcript->bench, strtoll(line.data + 2, NULL, 10) * NS_PER_MS);
        show_all(transcript, 1);
    }
}

static void play(const char *path)
{
    struct buf text = {0};
    read_file(path, &text);
    struct transcript transcript = {0};
    bench_start_standalone(&transcript.bench);
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        transcript.links[i] = LINK_NONE;
    struct slice rest = buf_slice(&text);
    while (rest.length > 0) {
        const char *end = memchr(rest.data, '\n', rest.length);
        size_t length = end ? (size_t)(end - rest.data) : rest.length;
        play_line(&transcript, slice_of(rest.data, length));
        rest = slice_skip(rest, end ? length + 1 : length);
    }
    if (rewrite)
        write_file(path, buf_slice(&transcript.out));
    bool same = slice_equal(buf_slice(&text), buf_slice(&transcript.out));
    if (!same && !rewrite)
        print_error("%s: got\n%.*s\n", path, (int)buf_length(&transcript.out), buf_slice(&transcript.out).data);
    bench_end(&transcript.bench);
    buf_free(&transcript.out);
    buf_free(&text);
    assert_true(same || rewrite);
}

static void test_transcript(void **state)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", GOLDEN_DIRECTORY, (const char *)*state);
    play(path);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void find_transcripts(void)
{
    DIR *directory = opendir(GOLDEN_DIRECTORY);
    if (directory == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL && name_count < TRANSCRIPTS_MAX;) {
        size_t length = strlen(entry->d_name);
        if (length > 4 && strcmp(entry->d_name + length - 4, ".txt") == 0)
            names[name_count++] = strdup(entry->d_name);
    }
    closedir(directory);
    qsort(names, name_count, sizeof(names[0]), compare_names);
}

int main(int argc, char **argv)
{
    rewrite = argc > 1 && strcmp(argv[1], "--rewrite") == 0;
    find_transcripts();
    struct CMUnitTest tests[TRANSCRIPTS_MAX];
    for (size_t i = 0; i < name_count; i++)
        tests[i] = (struct CMUnitTest){.name = names[i], .test_func = test_transcript, .initial_state = names[i]};
    int failed = name_count == 0 ? 1 : _cmocka_run_group_tests("golden", tests, name_count, NULL, NULL);
    while (name_count > 0)
        free(names[--name_count]);
    return failed;
}
