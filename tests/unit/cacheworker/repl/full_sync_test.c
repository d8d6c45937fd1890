/* Full syncs of ours from ours: two workers by themselves, and a wire between them that takes so much at a time. */
#include "cacheworker/repl/ahead.h"
#include "cacheworker/repl/frames.h"
#include "common/base/rand.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <setjmp.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define TICK_NS (10 * NS_PER_MS)

enum { LINK = 64 << 10, VALUE = 1000, KEYS = 3000, KEPT = 16 << 10, TICKS_MAX = 3000, PIECE = 5000 };

/* Follows the master's bytes: what stands before the frames, and where each of these ends. */
struct ear {
    struct buf words; /* owned; up to the frames */
    bool hears_frames;
    struct cw_frame_reader reader;
    unsigned ends; /* of frames that have passed */
};

struct pair {
    struct bench master, replica;
    link_id master_client, replica_client;
    link_id at_master, at_replica; /* the wire's ends; LINK_NONE: there is none */
    uint64_t passed;               /* bytes of the master's */
    uint64_t limit;                /* no more of them pass */
    struct ear ear;
    unsigned cut_at;     /* the end of this frame, */
    unsigned cut_behind; /* and so many bytes: there is the limit; UINT_MAX: nowhere */
    unsigned keys;
    unsigned written;
    struct rand rand;
};

static void expect_ok(struct slice answer)
{
    if (!slice_equal(answer, SLICE_LITERAL("+OK\r\n")))
        fail_msg("%.*s", (int)answer.length, answer.data);
}

/* In one turn: more of them would apply more of what is held. */
static struct slice ask(struct bench *bench, link_id client, const char *request)
{
    bench_receive(bench, client, slice_text(request));
    bench_turn_once(bench);
    return bench_take(bench, client);
}

static uint64_t info(struct bench *bench, link_id client, const char *name)
{
    struct slice text = ask(bench, client, "INFO replication\r\nINFO stats\r\n");
    char line[100];
    snprintf(line, sizeof(line), "\n%s:", name);
    const char *found = memmem(text.data, text.length, line, strlen(line));
    if (found == NULL)
        fail_msg("no %s in %.*s", name, (int)text.length, text.data);
    return strtoull(found + strlen(line), NULL, 10);
}

static bool says(struct bench *bench, link_id client, const char *words)
{
    struct slice text = ask(bench, client, "INFO replication\r\n");
    return memmem(text.data, text.length, words, strlen(words)) != NULL;
}

static bool is_up(struct pair *pair)
{
    return says(&pair->replica, pair->replica_client, "master_link_status:up");
}

static void write_keys(struct pair *pair, unsigned count)
{
    char line[2 * VALUE];
    for (unsigned i = 0; i < count; i++, pair->written++) {
        int length = snprintf(line, sizeof(line), "SET key:%u ", pair->written * 7919u % pair->keys);
        for (int j = 0; j < VALUE; j++) /* not to be compressed */
            line[length++] = (char)('0' + rand_below(&pair->rand, 64));
        bench_receive(&pair->master, pair->master_client, slice_of(line, (size_t)length));
        bench_receive(&pair->master, pair->master_client, SLICE_LITERAL("\r\n"));
    }
    bench_turn(&pair->master);
    bench_take(&pair->master, pair->master_client);
}

static void begin(struct pair *pair, unsigned keys, const char *parameters)
{
    struct cw_config config;
    *pair = (struct pair){
        .at_master = LINK_NONE, .at_replica = LINK_NONE, .limit = UINT64_MAX, .cut_at = UINT_MAX, .keys = keys};
    bench_config(&config, true);
    config.backlog_bytes = KEPT;
    bench_start(&pair->master, &config);
    config.parameters = slice_text(parameters);
    bench_start(&pair->replica, &config);
    pair->master_client = bench_connect(&pair->master);
    pair->replica_client = bench_connect(&pair->replica);
    write_keys(pair, keys);
    expect_ok(bench_ask(&pair->replica, pair->replica_client, "SET mine 1\r\n"));
}

static void end(struct pair *pair)
{
    bench_end(&pair->master);
    bench_end(&pair->replica);
    buf_free(&pair->ear.words);
}

static void hear(struct ear *ear, struct slice *bytes)
{
    struct slice part;
    enum cw_frame_kind kind;
    if (!ear->hears_frames) {
        buf_add(&ear->words, bytes->data, 1);
        *bytes = slice_skip(*bytes, 1);
        struct slice words = buf_slice(&ear->words);
        const char *begins = memmem(words.data, words.length, "$FRAMES:", 8);
        ear->hears_frames = begins != NULL && words.data + words.length - begins == 8 + 40 + 2;
    } else if (cw_frame_read(&ear->reader, bytes, &kind, &part) < 0) {
        *bytes = slice_of(NULL, 0); /* the stream */
    } else {
        ear->ends += part.length > 0 && ear->reader.frame.left == 0;
    }
}

/* How much of these may pass. */
static size_t listen(struct pair *pair, struct slice bytes)
{
    for (struct slice rest = bytes; rest.length > 0;) {
        unsigned ends = pair->ear.ends;
        hear(&pair->ear, &rest);
        if (pair->ear.ends == pair->cut_at && ends < pair->cut_at)
            pair->limit = pair->passed + (bytes.length - rest.length) + pair->cut_behind;
    }
    uint64_t most = pair->limit - pair->passed;
    return bytes.length < most ? bytes.length : (size_t)most;
}

static void cut(struct pair *pair)
{
    bench_close(&pair->master, pair->at_master);
    if (pair->replica.links[pair->at_replica].is_open)
        bench_close(&pair->replica, pair->at_replica);
    pair->at_master = pair->at_replica = LINK_NONE;
    pair->passed = 0;
    pair->limit = UINT64_MAX;
}

/* What the master may send goes over the wire, up to `most` bytes, in pieces. */
static void carry(struct pair *pair, size_t most)
{
    struct effects ignored = {0};
    while (most > 0 && pair->passed < pair->limit) {
        struct slice bytes = cw_worker_door.output(pair->master.worker, pair->at_master, pair->master.now_ns);
        if (bytes.length == 0)
            break;
        size_t count = bytes.length < most ? bytes.length : most;
        count = listen(pair, slice_of(bytes.data, count < PIECE ? count : PIECE));
        bench_receive(&pair->replica, pair->at_replica, slice_of(bytes.data, count));
        cw_worker_door.sent(pair->master.worker, pair->at_master, count, &ignored);
        most -= count;
        pair->passed += count;
    }
    effects_free(&ignored);
}

/* The replica's connection, if it asks for one; both sides' words; a tick of time. */
static void tick(struct pair *pair, size_t most)
{
    if (pair->at_replica != LINK_NONE && !pair->replica.links[pair->at_replica].is_open)
        cut(pair);
    if (pair->at_replica == LINK_NONE && pair->replica.connecting != LINK_NONE) {
        pair->at_replica = bench_accept(&pair->replica);
        pair->at_master = bench_connect(&pair->master);
        pair->master.links[pair->at_master].reads_nothing = true;
        buf_clear(&pair->ear.words);
        pair->ear = (struct ear){.words = pair->ear.words};
    }
    if (pair->at_replica != LINK_NONE) {
        struct slice words = bench_take(&pair->replica, pair->at_replica);
        bench_receive(&pair->master, pair->at_master, words);
        bench_turn_once(&pair->master);
        carry(pair, most);
    }
    pair->master.now_ns += TICK_NS;
    pair->replica.now_ns = pair->master.now_ns;
    bench_turn_once(&pair->master);
    bench_turn_once(&pair->replica);
}

static void follow(struct pair *pair)
{
    expect_ok(bench_ask(&pair->replica, pair->replica_client, "REPLICAOF 127.0.0.1 7000\r\n"));
}

static uint64_t held(struct pair *pair)
{
    return info(&pair->master, pair->master_client, "repl_backlog_histlen");
}

static bool is_in_step(struct pair *pair)
{
    return is_up(pair) && info(&pair->master, pair->master_client, "master_repl_offset") ==
                              info(&pair->replica, pair->replica_client, "slave_repl_offset");
}

static void expect_same_data(struct pair *pair)
{
    for (unsigned i = 0; i < TICKS_MAX && !is_in_step(pair); i++)
        tick(pair, LINK);
    assert_true(is_in_step(pair));
    char digest[64] = {0};
    struct slice answer = bench_ask(&pair->master, pair->master_client, "DEBUG DIGEST\r\n");
    assert_true(answer.length > 40 && answer.length < sizeof(digest));
    memcpy(digest, answer.data, answer.length);
    answer = bench_ask(&pair->replica, pair->replica_client, "DEBUG DIGEST\r\n");
    assert_memory_equal(answer.data, digest, answer.length);
}

/* Until the link is up, while so many keys are written in a tick; returns the most that the master held. */
static uint64_t sync_busily(struct pair *pair, unsigned keys)
{
    uint64_t most = 0;
    for (unsigned i = 0; i < TICKS_MAX && !is_up(pair); i++) {
        tick(pair, LINK);
        write_keys(pair, keys);
        if (held(pair) > most)
            most = held(pair);
    }
    assert_true(is_up(pair));
    return most;
}

static uint64_t size_of_held(struct pair *pair)
{
    return info(&pair->replica, pair->replica_client, "replicas_repl_buffer_size");
}

static uint64_t applied(struct pair *pair)
{
    return info(&pair->replica, pair->replica_client, "slave_repl_offset");
}

static void a_busy_master_holds_little(void **state)
{
    (void)state;
    enum { ENOUGH = KEPT + 2 * CW_FRAME_MAX };
    for (int i = 0; i < 2; i++) {
        struct pair pair;
        begin(&pair, KEYS, i == 0 ? "" : "replica-full-sync-buffer-limit 1\n"); /* next to no room */
        follow(&pair);
        uint64_t most = sync_busily(&pair, LINK * 2 / 5 / VALUE);
        assert_int_equal(most <= ENOUGH, i == 0);
        assert_int_equal(info(&pair.replica, pair.replica_client, "replicas_repl_buffer_peak") > ENOUGH, i == 0);
        expect_same_data(&pair);
        assert_int_equal(size_of_held(&pair), 0);
        assert_int_equal(info(&pair.master, pair.master_client, "sync_full"), 1);
        end(&pair);
    }
}

/* A replica in step but for what it holds; all that was written is on its side of the wire. */
static void begin_holding(struct pair *pair)
{
    begin(pair, KEYS, "");
    follow(pair);
    sync_busily(pair, LINK * 2 / 5 / VALUE);
    carry(pair, SIZE_MAX);
    assert_true(size_of_held(pair) > 2 * CW_AHEAD_A_TURN);
}

static uint64_t acknowledged(struct pair *pair)
{
    struct slice text = ask(&pair->master, pair->master_client, "INFO replication\r\n");
    const char *found = memmem(text.data, text.length, ",offset=", 8);
    assert_non_null(found);
    return strtoull(found + 8, NULL, 10);
}

static void what_is_held_is_applied_in_slices_and_acknowledged_then(void **state)
{
    (void)state;
    struct pair pair;
    begin_holding(&pair);
    uint64_t end_of_held = info(&pair.replica, pair.replica_client, "slave_read_repl_offset");
    unsigned rounds = 0;
    for (uint64_t before = applied(&pair), now; before < end_of_held; before = now, rounds++) {
        tick(&pair, 0); /* a turn, and applied() is another one */
        now = applied(&pair);
        assert_true(now - before <= 2 * CW_AHEAD_A_TURN + 2 * VALUE);
        assert_true(acknowledged(&pair) <= now);
        assert_int_equal(info(&pair.master, pair.master_client, "connected_slaves"), 1);
    }
    assert_true(rounds > 3);
    expect_same_data(&pair);
    end(&pair);
}

static void a_lost_link_loses_nothing_that_is_held(void **state)
{
    (void)state;
    struct pair pair;
    begin_holding(&pair);
    cut(&pair);
    uint64_t end_of_held = info(&pair.replica, pair.replica_client, "slave_read_repl_offset");
    while (size_of_held(&pair) > 0) {
        assert_int_equal(pair.replica.connecting, LINK_NONE);
        bench_advance(&pair.replica, NS_PER_MS);
    }
    assert_int_equal(applied(&pair), end_of_held);
    expect_same_data(&pair);
    assert_int_equal(info(&pair.master, pair.master_client, "sync_full"), 1);
    assert_int_equal(info(&pair.master, pair.master_client, "sync_partial_ok"), 1);
    end(&pair);
}

static void another_role_ends_what_is_held(void **state)
{
    (void)state;
    struct pair pair;
    begin_holding(&pair);
    bench_receive(&pair.replica, pair.replica_client, SLICE_LITERAL("REPLICAOF NO ONE\r\n"));
    bench_turn_once(&pair.replica);
    bench_take(&pair.replica, pair.replica_client);
    uint64_t offset = info(&pair.replica, pair.replica_client, "master_repl_offset");
    assert_true(offset < info(&pair.master, pair.master_client, "master_repl_offset"));
    bench_advance(&pair.replica, NS_PER_S);
    assert_int_equal(info(&pair.replica, pair.replica_client, "master_repl_offset"), offset);
    follow(&pair);
    expect_same_data(&pair);
    assert_int_equal(size_of_held(&pair), 0);
    end(&pair);
}

static void a_pause_holds_what_is_held(void **state)
{
    (void)state;
    struct pair pair;
    begin_holding(&pair);
    expect_ok(ask(&pair.replica, pair.replica_client, "CLIENT PAUSE 2000 WRITE\r\n"));
    tick(&pair, LINK);
    uint64_t before = applied(&pair), size = size_of_held(&pair);
    assert_true(size > 0);
    for (int i = 0; i < 100; i++)
        tick(&pair, LINK);
    assert_int_equal(applied(&pair), before);
    assert_int_equal(size_of_held(&pair), size);
    expect_same_data(&pair);
    end(&pair);
}

/* The old data stay until all is there, wherever the wire is cut. */
static void cuts_at_the_ends_of_frames(void **state)
{
    (void)state;
    enum { FEW = 1500, WRITTEN = 50 };
    static const unsigned behind[] = {0, 1, 5, 100};
    struct pair pair;
    begin(&pair, FEW, "");
    unsigned frames = 0;
    for (unsigned number = 0; number == 0 || number <= frames * ARRAY_LENGTH(behind); number++) {
        pair.cut_at = number == 0 ? UINT_MAX : (number - 1) / ARRAY_LENGTH(behind) + 1;
        pair.cut_behind = behind[(number + 3) % ARRAY_LENGTH(behind)];
        follow(&pair);
        for (int i = 0; i < TICKS_MAX && !is_up(&pair) && pair.passed < pair.limit; i++) {
            tick(&pair, LINK);
            write_keys(&pair, WRITTEN);
        }
        if (number == 0)
            frames = pair.ear.ends;
        bool is_done = is_up(&pair);
        struct slice mine = ask(&pair.replica, pair.replica_client, "GET mine\r\n");
        assert_int_equal(mine.length, is_done ? 5 : 7); /* $-1, or $1 and 1 */
        if (!is_done)
            cut(&pair);
        bench_advance(&pair.replica, 10 * NS_PER_MS);
        assert_int_equal(says(&pair.replica, pair.replica_client, "master_sync_in_progress:1"), 0);
        assert_int_equal(size_of_held(&pair), 0);
        expect_ok(ask(&pair.replica, pair.replica_client, "REPLICAOF NO ONE\r\n"));
        if (pair.at_replica != LINK_NONE)
            cut(&pair);
        pair.replica.connecting = LINK_NONE;
        if (is_done)
            bench_ask(&pair.replica, pair.replica_client, "FLUSHALL\r\nSET mine 1\r\n");
    }
    assert_true(frames > 10);
    pair.cut_at = UINT_MAX;
    follow(&pair);
    expect_same_data(&pair);
    end(&pair);
}

/* What the frames of the snapshot hold; "$FRAMES:" and the delimiter are passed over. */
static void read_frames(struct slice bytes, struct buf *out)
{
    struct cw_frame_reader reader = {0};
    struct slice part;
    enum cw_frame_kind kind;
    while (bytes.length > 0) {
        assert_int_equal(cw_frame_read(&reader, &bytes, &kind, &part), 0);
        assert_int_not_equal(kind, CW_FRAME_STREAM);
        buf_add_slice(out, part);
    }
    assert_int_equal(reader.frame.left, 0);
}

static struct slice behind_line(struct slice bytes, const char *begins)
{
    const char *found = memmem(bytes.data, bytes.length, begins, strlen(begins));
    assert_non_null(found);
    return slice_skip(bytes, (size_t)(found - bytes.data) + strlen(begins) + 40 + 2);
}

static void one_snapshot_serves_both_forms(void **state)
{
    (void)state;
    struct bench bench;
    struct buf decoded = {0};
    bench_start_standalone(&bench);
    link_id client = bench_connect(&bench), framed = bench_connect(&bench), stock = bench_connect(&bench);
    expect_ok(bench_ask(&bench, client, "CONFIG SET repl-diskless-sync-delay 1\r\n"));
    bench_ask(&bench, client, "DEBUG POPULATE 10000\r\n");
    expect_ok(bench_ask(&bench, framed, "REPLCONF capa eof capa respite-frames=100\r\n"));
    expect_ok(bench_ask(&bench, stock, "REPLCONF capa eof capa respite-frames=x capa respite-frames=\r\n"));
    bench_ask(&bench, framed, "PSYNC ? -1\r\n");
    bench_ask(&bench, stock, "PSYNC ? -1\r\n");
    bench_advance(&bench, 3 * NS_PER_S);
    struct slice whole = behind_line(bench_take(&bench, stock), "$EOF:");
    read_frames(behind_line(bench_take(&bench, framed), "$FRAMES:"), &decoded);
    assert_int_equal(buf_length(&decoded), whole.length);
    assert_memory_equal(buf_slice(&decoded).data, whole.data, whole.length);
    /* The stream goes on behind frames. Who found the end of the snapshot by himself says so first. */
    expect_ok(bench_ask(&bench, client, "SET a 1\r\n"));
    assert_true(bench_take(&bench, framed).length > 0);
    assert_int_equal(bench_take(&bench, stock).length, 0);
    buf_free(&decoded);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_busy_master_holds_little),
        cmocka_unit_test(what_is_held_is_applied_in_slices_and_acknowledged_then),
        cmocka_unit_test(a_lost_link_loses_nothing_that_is_held),
        cmocka_unit_test(another_role_ends_what_is_held),
        cmocka_unit_test(a_pause_holds_what_is_held),
        cmocka_unit_test(cuts_at_the_ends_of_frames),
        cmocka_unit_test(one_snapshot_serves_both_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
