/* Transcripts of tests/golden/sentinel: what a client says to the first of three sentinels, and what it gets, byte for
 * byte. The first line sets the stage: "! create", "! empty", "! master" (clients are told the master's address) or
 * "! password". Then, as in the engine's transcripts:
 *
 *     > SENTINEL masters       sent on connection 1 as an array (words quoted as in redis-cli)
 *     2> PING                  on connection 2, which opens when it is first named
 *     | PING                   sent as it stands; \r\n follows
 *     @ 1500                   this many milliseconds pass
 *     ! kill 0                 the node 0 dies
 *     # words                  a comment
 *
 * A reply that begins with one of these signs has a backslash before it.
 * With REWRITE=1 the files are written anew; read the difference before you commit it. */
#include "common/base/number.h"
#include "common/resp/resp_writer.h"
#include "tests/unit/sentinel/cluster.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { CONNECTIONS_MAX = 5 };

struct transcript {
    struct cluster *cluster;
    bool is_open[CONNECTIONS_MAX];
    unsigned clients[CONNECTIONS_MAX];
    struct buf out;
};

static void read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
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

static void show_line(struct transcript *transcript, unsigned connection, struct slice line)
{
    if (connection != 1)
        buf_add_format(&transcript->out, "%u: ", connection);
    else if (line.length > 0 && strchr(">|@!#", line.data[0]))
        buf_add_text(&transcript->out, "\\"); /* it would be read as a line of the dialogue */
    for (size_t i = 0; i < line.length; i++) {
        unsigned char byte = (unsigned char)line.data[i];
        if ((byte >= ' ' && byte < 0x7f) || byte == '\n')
            buf_add(&transcript->out, line.data + i, 1);
        else
            buf_add_format(&transcript->out, "\\x%02x", byte);
    }
    buf_add_text(&transcript->out, "\n");
}

static void show(struct transcript *transcript, unsigned connection)
{
    if (!transcript->is_open[connection])
        return;
    unsigned client = transcript->clients[connection];
    struct slice bytes = cluster_heard(transcript->cluster, client);
    while (bytes.length > 0) {
        const char *end = memmem(bytes.data, bytes.length, "\r\n", 2);
        size_t length = end ? (size_t)(end - bytes.data) : bytes.length;
        show_line(transcript, connection, slice_of(bytes.data, length));
        bytes = slice_skip(bytes, end ? length + 2 : length);
    }
    if (cluster_is_closed(transcript->cluster, client)) {
        show_line(transcript, connection, SLICE_LITERAL("closed"));
        transcript->is_open[connection] = false;
    }
}

static void run(struct transcript *transcript, int64_t duration_ns)
{
    cluster_run(transcript->cluster, duration_ns);
    for (unsigned i = 1; i < CONNECTIONS_MAX; i++)
        show(transcript, i);
}

static void say(struct transcript *transcript, unsigned connection, struct slice line, bool is_inline)
{
    struct buf bytes = {0};
    if (!transcript->is_open[connection]) {
        transcript->is_open[connection] = true;
        transcript->clients[connection] = cluster_connect(transcript->cluster, 0);
    }
    buf_add_slice(&bytes, line);
    buf_add_text(&bytes, "\r\n");
    if (!is_inline) {
        struct resp_request request = {0};
        const struct resp_limits limits = RESP_LIMITS_DEFAULT;
        struct buf array = {0};
        assert_true(resp_request_read(&request, buf_slice(&bytes), &limits) > 0);
        resp_write_array(&array, request.argc);
        for (size_t i = 0; i < request.argc; i++)
            resp_write_bulk(&array, request.argv[i]);
        resp_request_free(&request);
        buf_free(&bytes);
        bytes = array;
    }
    cluster_say(transcript->cluster, transcript->clients[connection], buf_slice(&bytes));
    buf_free(&bytes);
    run(transcript, MS(3));
}

static void set_stage(struct transcript *transcript, struct slice word)
{
    struct sn_config config = {.secret = SLICE_LITERAL("secret"),
                               .proxy = {.host = "127.0.0.1", .port = 7001},
                               .restart_shortcut = true,
                               .cold_start_wait_ns = 30 * NS_PER_S,
                               .spare_wait_ns = 10 * NS_PER_S,
                               .random_seed = 1};
    if (slice_equal(word, SLICE_LITERAL("kill 0"))) {
        cluster_kill_node(transcript->cluster, 0);
        return;
    }
    if (slice_equal(word, SLICE_LITERAL("master")))
        config.endpoint = SN_ENDPOINT_MASTER;
    if (slice_equal(word, SLICE_LITERAL("password")))
        config.requirepass = SLICE_LITERAL("pass");
    assert_null(transcript->cluster);
    transcript->cluster = cluster_new(3, 2, &config);
    cluster_run(transcript->cluster, NS_PER_S);
    if (slice_equal(word, SLICE_LITERAL("empty")) || slice_equal(word, SLICE_LITERAL("password")))
        return;
    cluster_create_group(transcript->cluster, DURABILITY_ASYNC);
    cluster_run(transcript->cluster, 3 * NS_PER_S);
}

static void play_line(struct transcript *transcript, struct slice line)
{
    bool is_numbered = line.length > 3 && isdigit((unsigned char)line.data[0]) && line.data[1] == '>';
    char mark = line.length > 0 ? line.data[0] : ' ';
    uint64_t ms;
    if (!is_numbered && !strchr(">|@!#", mark))
        return; /* a reply; it is made anew */
    buf_add_slice(&transcript->out, line);
    buf_add_text(&transcript->out, "\n");
    if (is_numbered) {
        say(transcript, (unsigned)(line.data[0] - '0'), slice_skip(line, 3), false);
    } else if (mark == '>' || mark == '|') {
        say(transcript, 1, slice_skip(line, 2), mark == '|');
    } else if (mark == '@') {
        assert_int_equal(number_parse_u64(slice_skip(line, 2), &ms), 0);
        run(transcript, MS(ms));
    } else if (mark == '!') {
        set_stage(transcript, slice_skip(line, 2));
    }
}

static void play(const char *name)
{
    struct transcript transcript = {0};
    struct buf path = {0}, text = {0};
    buf_add_format(&path, "%s/%s.txt%c", GOLDEN_DIRECTORY, name, 0);
    read_file(path.memory, &text);
    struct slice rest = buf_slice(&text);
    while (rest.length > 0) {
        const char *end = memchr(rest.data, '\n', rest.length);
        assert_non_null(end);
        struct slice line = slice_of(rest.data, (size_t)(end - rest.data));
        play_line(&transcript, line);
        rest = slice_skip(rest, line.length + 1);
    }
    if (getenv("REWRITE"))
        write_file(path.memory, buf_slice(&transcript.out));
    else if (!slice_equal(buf_slice(&transcript.out), buf_slice(&text)))
        fail_msg("%s differs; run with REWRITE=1 and look at the difference:\n%.*s", name,
                 (int)buf_length(&transcript.out), transcript.out.memory);
    cluster_free(transcript.cluster);
    buf_free(&transcript.out);
    buf_free(&path);
    buf_free(&text);
}

static void discovery(void **state)
{
    (void)state;
    play("discovery");
}

static void operator(void **state)
{
    (void)state;
    play("operator");
}

static void password(void **state)
{
    (void)state;
    play("password");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(discovery),
        cmocka_unit_test(operator),
        cmocka_unit_test(password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
