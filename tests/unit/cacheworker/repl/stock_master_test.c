/* A standalone worker as the replica of an unmodified server: the bytes that such a master expects and sends. */
#include "cacheworker/rdb/rdb.h"
#include "common/base/number.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#define ID        "0123456789012345678901234567890123456789"
#define OTHER_ID  "abcdefabcdefabcdefabcdefabcdefabcdefabcd"
#define DELIMITER "ffffffffffffffffffffffffffffffffffffffff"
#define REPLCONFS                                                                                                      \
    "*3\r\n$8\r\nREPLCONF\r\n$14\r\nlistening-port\r\n$1\r\n0\r\n"                                                     \
    "*7\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n$4\r\ncapa\r\n$6\r\npsync2\r\n$4\r\ncapa\r\n$24\r\nrespite-"   \
    "frames=268435456\r\n"

static void expect(struct slice bytes, const char *text)
{
    if (!slice_equal(bytes, slice_text(text)))
        fail_msg("not %s but %.*s", text, (int)bytes.length, bytes.data);
}

static void say(struct bench *bench, link_id link, const char *text)
{
    bench_receive(bench, link, slice_text(text));
    bench_turn(bench);
}

/* Up to PSYNC; returns the link on which the worker greets its master. */
static link_id greet(struct bench *bench, const char *psync)
{
    bench_advance(bench, NS_PER_S);
    link_id link = bench_accept(bench);
    assert_true(link != LINK_NONE);
    expect(bench_take(bench, link), "*1\r\n$4\r\nPING\r\n");
    say(bench, link, "+PONG\r\n");
    expect(bench_take(bench, link), REPLCONFS);
    say(bench, link, "+OK\r\n-ERR Unrecognized REPLCONF option\r\n");
    expect(bench_take(bench, link), psync);
    return link;
}

static link_id follow(struct bench *bench, link_id client)
{
    expect(bench_ask(bench, client, "REPLICAOF 127.0.0.1 7000\r\n"), "+OK\r\n");
    return greet(bench, "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n");
}

static void write_snapshot(struct buf *out)
{
    struct cw_rdb_writer writer = {.out = out};
    struct cw_rdb_origin origin = {.stream_database = 0};
    cw_rdb_write_preamble(&writer, &origin, BENCH_WALL_US, 0);
    cw_rdb_write_string(&writer, 0, SLICE_LITERAL("a"), SLICE_LITERAL("1"), INT64_MAX);
    cw_rdb_write_end(&writer);
}

static const char announcement[] = "\n+FULLRESYNC " ID " 100\r\n\n";

static void send_by_length(struct bench *bench, link_id link, int more)
{
    struct buf snapshot = {0}, text = {0};
    write_snapshot(&snapshot);
    buf_add_format(&text, "%s$%zu\r\n", announcement, (size_t)((int64_t)buf_length(&snapshot) + more));
    buf_add_slice(&text, buf_slice(&snapshot));
    for (size_t i = 0; i < buf_length(&text); i++)
        bench_receive(bench, link, slice_of(buf_slice(&text).data + i, 1));
    bench_turn(bench);
    buf_free(&snapshot);
    buf_free(&text);
}

static void send_by_delimiter(struct bench *bench, link_id link)
{
    struct buf text = {0};
    buf_add_format(&text, "%s$EOF:%s\r\n", announcement, DELIMITER);
    write_snapshot(&text);
    buf_add_format(&text, "%s*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n", DELIMITER);
    bench_receive(bench, link, buf_slice(&text));
    bench_turn(bench);
    buf_free(&text);
}

/* The snapshot in frames of `piece` bytes, with some of the stream behind each; `more` bytes behind the delimiter. */
static void write_frames(struct buf *out, size_t piece, const char *stream, const char *more)
{
    struct buf snapshot = {0};
    write_snapshot(&snapshot);
    buf_add_format(&snapshot, "%s%s", DELIMITER, more);
    buf_add_format(out, "%s$FRAMES:%s\r\n", announcement, DELIMITER);
    for (struct slice rest = buf_slice(&snapshot); rest.length > 0;) {
        struct slice part = slice_of(rest.data, rest.length < piece ? rest.length : piece);
        rest = slice_skip(rest, part.length);
        buf_add_format(out, "d%zu\r\n", part.length);
        buf_add_slice(out, part);
        if (stream[0] != '\0' && rest.length > 0)
            buf_add_format(out, "s1\r\n%c", *stream++);
    }
    buf_add_text(out, stream);
    buf_free(&snapshot);
}

#define ACK_100 "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$3\r\n100\r\n"

static void a_full_sync_by_length(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    bench_ask(&bench, client, "SET mine 1\r\n");
    link_id master = follow(&bench, client);
    send_by_length(&bench, master, 0);
    expect(bench_take(&bench, master), ACK_100);
    expect(bench_ask(&bench, client, "GET a\r\nGET mine\r\nSET b 2\r\n"),
           "$1\r\n1\r\n$-1\r\n-READONLY You can't write against a read only replica.\r\n");
    bench_end(&bench);
}

static void a_full_sync_in_frames(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 300; piece = piece * 3 / 2 + 1) {
        struct bench bench;
        struct buf text = {0};
        bench_start_standalone(&bench);
        link_id client = bench_connect(&bench);
        bench_ask(&bench, client, "SET mine 1\r\n");
        link_id master = follow(&bench, client);
        write_frames(&text, piece, "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n", "");
        for (size_t i = 0; i < buf_length(&text); i++)
            bench_receive(&bench, master, slice_of(buf_slice(&text).data + i, 1));
        bench_turn(&bench);
        expect(bench_take(&bench, master), ACK_100);
        expect(bench_ask(&bench, client, "GET a\r\nGET mine\r\nGET b\r\n"), "$1\r\n1\r\n$-1\r\n$1\r\n2\r\n");
        bench_advance(&bench, NS_PER_S);
        expect(bench_take(&bench, master), "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$3\r\n150\r\n");
        buf_free(&text);
        bench_end(&bench);
    }
}

static void expect_refused(const char *begin, size_t piece, const char *more)
{
    struct bench bench;
    struct buf text = {0};
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    bench_ask(&bench, client, "SET mine 1\r\n");
    link_id master = follow(&bench, client);
    buf_add_text(&text, begin);
    if (piece > 0)
        write_frames(&text, piece, "", more);
    bench_receive(&bench, master, buf_slice(&text));
    bench_turn(&bench);
    assert_false(bench.links[master].is_open);
    expect(bench_ask(&bench, client, "GET a\r\nGET mine\r\n"), "$-1\r\n$1\r\n1\r\n");
    buf_free(&text);
    bench_end(&bench);
}

static void what_is_no_frame_is_refused(void **state)
{
    (void)state;
    static const char begin[] = "+FULLRESYNC " ID " 100\r\n$FRAMES:" DELIMITER "\r\n";
    static const char *const frames[] = {"REDIS0009\r\n", "d0\r\n", "s262145\r\n", "d3\r\nRED*1\r\n",
                                         "d9\r\nWRONG0009"};
    for (size_t i = 0; i < ARRAY_LENGTH(frames); i++) {
        char text[200];
        snprintf(text, sizeof(text), "%s%s", begin, frames[i]);
        expect_refused(text, 0, "");
    }
    expect_refused("+FULLRESYNC " ID " 100\r\n$FRAMES:short\r\n", 0, "");
    expect_refused("", 1000, "x"); /* behind the delimiter, in its frame */
}

/* A master that sends more than it was told there is room for is no master of ours. */
static void the_room_for_the_stream_is_bounded(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        struct bench bench;
        bench_start_standalone(&bench);
        link_id client = bench_connect(&bench);
        expect(
            bench_ask(&bench, client, "CONFIG SET replica-full-sync-buffer-limit 100\r\nREPLICAOF 127.0.0.1 7000\r\n"),
            "+OK\r\n+OK\r\n");
        link_id master = bench_accept(&bench);
        bench_take(&bench, master);
        say(&bench, master, "+PONG\r\n");
        struct slice words = bench_take(&bench, master);
        assert_non_null(memmem(words.data, words.length, "\r\nrespite-frames=100\r\n", 22));
        say(&bench, master, "+OK\r\n+OK\r\n+FULLRESYNC " ID " 100\r\n$FRAMES:" DELIMITER "\r\n");
        char frame[200];
        snprintf(frame, sizeof(frame), "s60\r\n%060d", 0);
        say(&bench, master, frame);
        snprintf(frame, sizeof(frame), "s%d\r\n%0*d", 40 + over, 40 + over, 0);
        say(&bench, master, frame);
        assert_int_equal(bench.links[master].is_open, !over);
        bench_end(&bench);
    }
}

static void limits_of_output_say_how_much_room_there_is(void **state)
{
    (void)state;
    static const struct {
        const char *limits;
        const char *room;
    } cases[] = {{"replica 1000 0 0", "=1000\r\n"}, {"replica 0 0 0", "=268435456\r\n"}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct bench bench;
        char line[200];
        bench_start_standalone(&bench);
        link_id client = bench_connect(&bench);
        snprintf(line, sizeof(line), "CONFIG SET client-output-buffer-limit \"%s\"\r\nREPLICAOF 127.0.0.1 7000\r\n",
                 cases[i].limits);
        expect(bench_ask(&bench, client, line), "+OK\r\n+OK\r\n");
        link_id master = bench_accept(&bench);
        bench_take(&bench, master);
        say(&bench, master, "+PONG\r\n");
        struct slice words = bench_take(&bench, master);
        assert_non_null(memmem(words.data, words.length, cases[i].room, strlen(cases[i].room)));
        bench_end(&bench);
    }
}

static void a_snapshot_of_another_length_is_refused(void **state)
{
    (void)state;
    for (int more = -1; more <= 1; more += 2) {
        struct bench bench;
        bench_start_standalone(&bench);
        link_id client = bench_connect(&bench);
        bench_ask(&bench, client, "SET mine 1\r\n");
        link_id master = follow(&bench, client);
        send_by_length(&bench, master, more);
        assert_false(bench.links[master].is_open);
        expect(bench_ask(&bench, client, "GET a\r\nGET mine\r\n"), "$-1\r\n$1\r\n1\r\n");
        /* What this server wrote before stood in no stream, so nothing can be continued. */
        greet(&bench, "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n");
        bench_end(&bench);
    }
}

static void the_stream_goes_on_after_a_lost_link(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    link_id master = follow(&bench, client);
    send_by_delimiter(&bench, master); /* and 23 bytes of the stream */
    bench_take(&bench, master);
    say(&bench, master, "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nc\r\n");
    expect(bench_ask(&bench, client, "GET b\r\nGET c\r\n"), "$1\r\n2\r\n$-1\r\n");
    bench_advance(&bench, NS_PER_S);
    expect(bench_take(&bench, master), "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$3\r\n150\r\n");
    bench_close(&bench, master);

    master = greet(&bench, "*3\r\n$5\r\nPSYNC\r\n$40\r\n" ID "\r\n$3\r\n151\r\n");
    say(&bench, master,
        "+CONTINUE " OTHER_ID "\r\n*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nc\r\n$1\r\n3\r\n"
        "*1\r\n$4\r\nEXEC\r\n*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n");
    expect(bench_ask(&bench, client, "GET c\r\n"), "$1\r\n3\r\n");
    struct slice info = bench_ask(&bench, client, "INFO replication\r\n");
    assert_non_null(memmem(info.data, info.length, "master_replid:" OTHER_ID, 54));
    assert_non_null(memmem(info.data, info.length, "master_replid2:" ID, 55));
    assert_non_null(memmem(info.data, info.length, "second_repl_offset:151\r\n", 24));
    bench_end(&bench);
}

static void expect_trouble(struct bench *bench, link_id client, const char *words)
{
    char line[256];
    snprintf(line, sizeof(line), "respite_master_link_trouble:%s\r\n", words);
    struct slice info = bench_ask(bench, client, "INFO replication\r\n");
    if (memmem(info.data, info.length, line, strlen(line)) == NULL)
        fail_msg("not %s in %.*s", line, (int)info.length, info.data);
}

static void trouble_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        const char *trouble;
    } cases[] = {
        {"+OK\r\n+OK\r\n-NOMASTERLINK Can't SYNC while not connected with my master\r\n",
         "-NOMASTERLINK Can't SYNC while not connected with my master"},
        {"-NOAUTH x\r\n-NOAUTH x\r\n-NOAUTH Authentication required.\r\n", "-NOAUTH Authentication required."},
        {"+OK\r\n+OK\r\n-a\tb\x7f\r\n", "-a?b?"},
        {"+OK\r\n+OK\r\n+FULLRESYNC " ID " 4611686018427387905\r\n",
         "the offset of its snapshot is too high to be counted on from"},
        {"+OK\r\n+OK\r\n+FULLRESYNC " ID " 18446744073709551615\r\n",
         "the offset of its snapshot is too high to be counted on from"},
        {"+OK\r\n+OK\r\n+FULLRESYNC " ID " 18446744073709551616\r\n", "malformed answer to PSYNC"},
    };
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    expect(bench_ask(&bench, client, "REPLICAOF 127.0.0.1 7000\r\n"), "+OK\r\n");
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        bench_advance(&bench, NS_PER_S);
        link_id link = bench_accept(&bench);
        say(&bench, link, "+PONG\r\n");
        say(&bench, link, cases[i].answer);
        bench_take(&bench, link);
        expect_trouble(&bench, client, cases[i].trouble);
    }
    bench_advance(&bench, NS_PER_S);
    link_id link = bench_accept(&bench);
    say(&bench, link, "-LOADING Redis is loading the dataset in memory\r\n");
    bench_take(&bench, link);
    expect_trouble(&bench, client, "it does not answer PING: -LOADING Redis is loading the dataset in memory");
    bench_advance(&bench, NS_PER_S);
    link = bench_accept(&bench);
    bench_take(&bench, link);
    bench_close(&bench, link);
    expect_trouble(&bench, client, "it hung up during the greeting");
    link_id master = greet(&bench, "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n");
    send_by_length(&bench, master, 0);
    struct slice info = bench_ask(&bench, client, "INFO replication\r\n");
    assert_null(memmem(info.data, info.length, "trouble", 7));
    bench_end(&bench);
}

static void an_answer_that_is_none_closes_the_link(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "-NOMASTERLINK Can't SYNC while not connected with my master\r\n",
        "+CONTINUE\r\n",
        "+CONTINUE " ID "\r\n",
        "+FULLRESYNC " ID "\r\n",
        "+FULLRESYNC " ID " x\r\n",
        "+FULLRESYNC " ID " 1\r\n$EOF:short\r\n",
        "+FULLRESYNC " ID " 1\r\n$-1\r\n",
        "+FULLRESYNC " ID " 1\r\n-ERR\r\n",
        "+OK\r\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        struct bench bench;
        bench_start_standalone(&bench);
        link_id client = bench_connect(&bench);
        bench_ask(&bench, client, "SET mine 1\r\n");
        link_id master = follow(&bench, client);
        say(&bench, master, answers[i]);
        assert_false(bench.links[master].is_open);
        expect(bench_ask(&bench, client, "GET mine\r\n"), "$1\r\n1\r\n");
        bench_end(&bench);
    }
}

static void a_password_is_given_behind_the_ping(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    bench_ask(&bench, client, "CONFIG SET masteruser me masterauth word\r\nREPLICAOF 127.0.0.1 7000\r\n");
    link_id master = bench_accept(&bench);
    expect(bench_take(&bench, master), "*1\r\n$4\r\nPING\r\n");
    say(&bench, master, "-NOAUTH Authentication required.\r\n");
    expect(bench_take(&bench, master), "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$4\r\nword\r\n" REPLCONFS);
    say(&bench, master, "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    expect_trouble(&bench, client,
                   "it does not take the user and password: -WRONGPASS invalid username-password pair or user is "
                   "disabled.");
    assert_false(bench.links[master].is_open);
    bench_end(&bench);
}

static void a_master_again_feeds_by_both_ids(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    link_id master = follow(&bench, client);
    send_by_length(&bench, master, 0);
    say(&bench, master, "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n");
    expect(bench_ask(&bench, client, "REPLICAOF NO ONE\r\nSET a 2\r\n"), "+OK\r\n+OK\r\n");
    assert_false(bench.links[master].is_open);
    link_id replica = bench_connect(&bench);
    struct slice answer = bench_ask(&bench, replica, "REPLCONF capa eof\r\nPSYNC " ID " 124\r\n");
    const char stream[] = "\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n2\r\n";
    assert_int_equal(answer.length, 5 + 10 + 40 + sizeof(stream) - 1);
    expect(slice_of(answer.data, 15), "+OK\r\n+CONTINUE ");
    expect(slice_skip(answer, 55), stream);
    link_id ahead = bench_connect(&bench); /* of what the old stream was followed up to */
    answer = bench_ask(&bench, ahead, "REPLCONF capa eof\r\nPSYNC " ID " 125\r\n");
    assert_true(answer.length > 20);
    expect(slice_of(answer.data, 17), "+OK\r\n+FULLRESYNC ");
    bench_end(&bench);
}

/* Its master says by PSYNC that it is the master now. */
static void a_master_hands_over(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench), former = bench_connect(&bench);
    link_id master = follow(&bench, client);
    send_by_length(&bench, master, 0);
    bench_ask(&bench, former, "REPLCONF capa eof capa psync2\r\n");
    expect(bench_ask(&bench, former, "PSYNC " OTHER_ID " 101 FAILOVER\r\n"),
           "-ERR PSYNC FAILOVER replid must match my replid.\r\n");
    struct slice answer = bench_ask(&bench, former, "PSYNC " ID " 101 FAILOVER\r\n");
    expect(slice_of(answer.data, 10), "+CONTINUE ");
    assert_false(bench.links[master].is_open);
    expect(bench_ask(&bench, client, "SET a 2\r\n"), "+OK\r\n");
    expect(bench_take(&bench, former), "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n2\r\n");
    link_id other = bench_connect(&bench);
    bench_ask(&bench, other, "REPLCONF capa eof capa psync2\r\n");
    expect(bench_ask(&bench, other, "PSYNC " ID " 101 FAILOVER\r\n"),
           "-ERR PSYNC FAILOVER can't be sent to a master.\r\n");
    bench_end(&bench);
}

static void a_pause_holds_the_stream(void **state)
{
    (void)state;
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    link_id master = follow(&bench, client);
    send_by_length(&bench, master, 0);
    expect(bench_ask(&bench, client, "CLIENT PAUSE 5000 WRITE\r\n"), "+OK\r\n");
    say(&bench, master, "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n2\r\n");
    expect(bench_ask(&bench, client, "GET a\r\n"), "$1\r\n1\r\n");
    struct slice info = bench_ask(&bench, client, "INFO replication\r\n");
    assert_non_null(memmem(info.data, info.length, "slave_read_repl_offset:150\r\nslave_repl_offset:100\r\n", 51));
    bench_advance(&bench, 6 * NS_PER_S);
    expect(bench_ask(&bench, client, "GET a\r\n"), "$1\r\n2\r\n");
    bench_end(&bench);
}

static unsigned turns_to_rest(struct bench *bench)
{
    unsigned turns = 1;
    while (bench_turn_once(bench))
        turns++;
    return turns;
}

/* What a full sync replaces goes in many turns, and so does what came of one that broke off. */
static void old_data_are_freed_in_steps(void **state)
{
    (void)state;
    enum { KEYS = 50000, LEAST_TURNS = 10 };
    struct bench bench;
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench);
    bench_ask(&bench, client, "DEBUG POPULATE 50000\r\n");
    link_id master = follow(&bench, client);
    struct buf text = {0};
    struct cw_rdb_writer writer = {.out = &text};
    struct cw_rdb_origin origin = {.stream_database = 0};
    char key[NUMBER_TEXT_MAX];
    buf_add_format(&text, "%s$EOF:%s\r\n", announcement, DELIMITER);
    cw_rdb_write_preamble(&writer, &origin, BENCH_WALL_US, 0);
    for (unsigned i = 0; i < KEYS; i++)
        cw_rdb_write_string(&writer, 0, slice_of(key, number_format_u64(key, i)), SLICE_LITERAL("1"), INT64_MAX);
    bench_receive(&bench, master, buf_slice(&text));
    turns_to_rest(&bench);
    bench_close(&bench, master);
    assert_true(turns_to_rest(&bench) >= LEAST_TURNS);
    expect(bench_ask(&bench, client, "DBSIZE\r\n"), ":50000\r\n");

    master = greet(&bench, "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n");
    buf_clear(&text);
    writer = (struct cw_rdb_writer){.out = &text};
    buf_add_format(&text, "%s$EOF:%s\r\n", announcement, DELIMITER);
    cw_rdb_write_preamble(&writer, &origin, BENCH_WALL_US, 0);
    cw_rdb_write_end(&writer);
    buf_add_text(&text, DELIMITER);
    bench_receive(&bench, master, buf_slice(&text));
    assert_true(turns_to_rest(&bench) >= LEAST_TURNS);
    expect(bench_ask(&bench, client, "DBSIZE\r\n"), ":0\r\n");
    struct slice info = bench_ask(&bench, client, "INFO memory\r\n");
    assert_non_null(memmem(info.data, info.length, "lazyfree_pending_objects:0\r\n", 28));
    buf_free(&text);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_sync_by_length),
        cmocka_unit_test(a_full_sync_in_frames),
        cmocka_unit_test(what_is_no_frame_is_refused),
        cmocka_unit_test(the_room_for_the_stream_is_bounded),
        cmocka_unit_test(limits_of_output_say_how_much_room_there_is),
        cmocka_unit_test(a_snapshot_of_another_length_is_refused),
        cmocka_unit_test(the_stream_goes_on_after_a_lost_link),
        cmocka_unit_test(an_answer_that_is_none_closes_the_link),
        cmocka_unit_test(trouble_is_told),
        cmocka_unit_test(a_password_is_given_behind_the_ping),
        cmocka_unit_test(a_master_again_feeds_by_both_ids),
        cmocka_unit_test(a_master_hands_over),
        cmocka_unit_test(a_pause_holds_the_stream),
        cmocka_unit_test(old_data_are_freed_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
