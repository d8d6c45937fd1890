/* Fields that expire, on a replica: it applies the master's stream, cut anywhere, and holds the same. The stream is
 * what an unmodified replica gets too: nothing but commands that it knows. */
#include "cacheworker/engine/digest.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/hash/hash.h"
#include "common/base/rand.h"
#include "common/resp/resp_reader.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

enum { KEYS = 4, FIELDS = 12 };

struct pair { /* a master, and what applies its stream */
    struct bench master;
    struct bench replica;
    link_id client;
    link_id stream;
    struct buf pending; /* of the stream, not applied yet */
    struct rand rand;
};

static struct cw_keyspace *keyspace_of(struct bench *bench)
{
    return bench->worker->engine.keyspace;
}

static int64_t wall_ms(const struct bench *bench)
{
    return (BENCH_WALL_US + bench->now_ns / NS_PER_US) / 1000;
}

/* As an unmodified replica greets; its snapshot is empty. */
static link_id attach(struct bench *bench)
{
    link_id link = bench_connect(bench);
    bench_ask(bench, link, "PING\r\nREPLCONF listening-port 7777\r\nREPLCONF capa eof capa psync2\r\n");
    bench_receive(bench, link, SLICE_LITERAL("PSYNC ? -1\r\n"));
    bench_turn(bench);
    bench_advance(bench, 10 * NS_PER_MS);
    struct slice answer = bench_take(bench, link);
    unsigned long long offset;
    char line[64];
    assert_int_equal(sscanf(answer.data, "+FULLRESYNC %*40[0-9a-f] %llu", &offset), 1);
    snprintf(line, sizeof(line), "REPLCONF ACK %llu\r\n", offset);
    bench_ask(bench, link, line);
    return link;
}

static void begin(struct pair *pair, uint64_t seed)
{
    *pair = (struct pair){.pending = {0}};
    rand_seed(&pair->rand, seed);
    bench_start_standalone(&pair->master);
    bench_start_standalone(&pair->replica);
    pair->client = bench_connect(&pair->master);
    pair->stream = attach(&pair->master);
    cw_keyspace_set_expiry_mode(keyspace_of(&pair->replica), CW_EXPIRY_HIDES);
}

static void end(struct pair *pair)
{
    buf_free(&pair->pending);
    bench_end(&pair->master);
    bench_end(&pair->replica);
}

static void apply_some(struct pair *pair, size_t length)
{
    size_t consumed;
    bool ack;
    struct slice bytes = slice_of(buf_slice(&pair->pending).data, length);
    assert_int_equal(cw_engine_apply(&pair->replica.worker->engine, bytes, &consumed, &ack), 0);
    buf_consume(&pair->pending, consumed);
}

/* Takes what the master has said, and applies it in pieces that end anywhere. */
static void apply(struct pair *pair)
{
    buf_add_slice(&pair->pending, bench_take(&pair->master, pair->stream));
    size_t given = 0; /* bytes that are not counted yet: they come again, with more behind */
    while (buf_length(&pair->pending) > 0) {
        struct cw_engine *engine = &pair->replica.worker->engine;
        size_t held = buf_length(&pair->pending);
        size_t length = given + 1 + (size_t)rand_below(&pair->rand, held - given);
        apply_some(pair, length);
        given = length - (held - buf_length(&pair->pending));
        if (length == held)
            assert_int_equal(given, 0);         /* whole commands end where the stream does */
        if (rand_below(&pair->rand, 20) == 0) { /* a lost link: they come again from the first on */
            cw_engine_set_stream_database(engine, cw_engine_stream_database(engine));
            given = 0;
        }
    }
}

/* ---- Random commands ---- */

static unsigned draw(struct pair *pair, unsigned count)
{
    return (unsigned)rand_below(&pair->rand, count);
}

static void add_fields(struct pair *pair, struct buf *line, bool with_values)
{
    unsigned count = 1 + draw(pair, 3);
    buf_add_format(line, " FIELDS %u", count);
    for (unsigned i = 0; i < count; i++) {
        buf_add_format(line, " f%u", draw(pair, FIELDS));
        if (with_values)
            buf_add_format(line, " %u", draw(pair, 1000));
    }
}

static void add_expiry(struct pair *pair, struct buf *line)
{
    switch (draw(pair, 5)) {
    case 0: buf_add_format(line, " PX %u", draw(pair, 300)); break;
    case 1: buf_add_format(line, " EX %u", draw(pair, 3)); break;
    case 2: buf_add_format(line, " PXAT %lld", (long long)wall_ms(&pair->master) + draw(pair, 300) - 20); break;
    case 3: buf_add_format(line, " EX 1000"); break;
    default: break;
    }
}

static void draw_command(struct pair *pair, struct buf *line)
{
    static const char *const conditions[] = {"", " NX", " XX", " GT", " LT"};
    unsigned key = draw(pair, KEYS), field = draw(pair, FIELDS);
    switch (draw(pair, 16)) {
    case 0: buf_add_format(line, "HSET h%u f%u %u f%u x", key, field, draw(pair, 100), draw(pair, FIELDS)); break;
    case 1: buf_add_format(line, "HMSET h%u f%u %u", key, field, draw(pair, 100)); break;
    case 2: buf_add_format(line, "HINCRBY h%u f%u 7", key, field); break;
    case 3: buf_add_format(line, "HINCRBYFLOAT h%u f%u 0.25", key, field); break;
    case 4: buf_add_format(line, "HDEL h%u f%u", key, field); break;
    case 5: buf_add_format(line, "HSETNX h%u f%u new", key, field); break;
    case 6:
    case 7:
        buf_add_format(line, "HPEXPIRE h%u %u%s", key, draw(pair, 300), conditions[draw(pair, 5)]);
        add_fields(pair, line, false);
        break;
    case 8:
    case 9:
    case 10:
        buf_add_format(line, "HSETEX h%u%s", key, draw(pair, 4) == 0 ? " FXX" : "");
        if (draw(pair, 4) == 0)
            buf_add_text(line, " KEEPTTL");
        else
            add_expiry(pair, line);
        add_fields(pair, line, true);
        break;
    case 11:
        buf_add_format(line, "HGETEX h%u", key);
        if (draw(pair, 3) == 0)
            buf_add_text(line, " PERSIST");
        else
            add_expiry(pair, line);
        add_fields(pair, line, false);
        break;
    case 12:
        buf_add_format(line, "%s h%u", draw(pair, 2) ? "HPERSIST" : "HGETDEL", key);
        add_fields(pair, line, false);
        break;
    case 13: buf_add_format(line, "COPY h%u h%u REPLACE", key, (key + 1) % KEYS); break;
    case 14: buf_add_format(line, "%s h%u", draw(pair, 2) ? "HGETALL" : "HRANDFIELD", key); break;
    default: buf_add_format(line, "RENAME h%u h%u", key, draw(pair, KEYS)); break;
    }
    buf_add_text(line, "\r\n");
}

/* ---- Comparing ---- */

static void digest_of(struct bench *bench, int64_t now_ms, char text[CW_DIGEST_TEXT_LENGTH + 1])
{
    struct cw_digest digest;
    assert_true(cw_digest_keyspace(keyspace_of(bench), now_ms, &digest));
    cw_digest_write(&digest, text);
}

/* What readers of both find at that time. */
static void check_equal(struct pair *pair, int64_t now_ms)
{
    char master[CW_DIGEST_TEXT_LENGTH + 1], replica[CW_DIGEST_TEXT_LENGTH + 1];
    digest_of(&pair->master, now_ms, master);
    digest_of(&pair->replica, now_ms, replica);
    assert_string_equal(master, replica);
}

static void check_dates(void *context, unsigned database, const struct cw_entry *entry)
{
    struct cw_keyspace *other = context;
    struct slice key = cw_entry_key(entry);
    const struct cw_entry *there = cw_keyspace_peek(other, database, key, cw_keyspace_hash(other, key), 0);
    assert_non_null(there);
    assert_int_equal(cw_hash_count(entry, CW_HASH_ALL), cw_hash_count(there, CW_HASH_ALL));
    struct cw_hash_walk walk = {.from_ms = CW_HASH_ALL};
    while (cw_hash_next(entry, &walk)) {
        char space[NUMBER_TEXT_MAX];
        int64_t date_ms;
        assert_true(cw_hash_expiry(there, CW_HASH_ALL, cw_packed_value_text(&walk.field, space), &date_ms));
        assert_true(date_ms == walk.expire_ms);
    }
}

/* Everything that is there, due or not, to the millisecond. */
static void check_same(struct pair *pair)
{
    for (unsigned i = 0; i < 2; i++) {
        struct bench *bench = i == 0 ? &pair->master : &pair->replica;
        struct bench *other = i == 0 ? &pair->replica : &pair->master;
        cw_keyspace_for_each(keyspace_of(bench), 0, check_dates, keyspace_of(other));
    }
}

static void run_commands(struct pair *pair, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct buf line = {0};
        draw_command(pair, &line);
        buf_add(&line, "", 1);
        bench_ask(&pair->master, pair->client, buf_slice(&line).data);
        buf_free(&line);
        if (draw(pair, 3) == 0)
            bench_advance(&pair->master, (int64_t)draw(pair, 40) * NS_PER_MS);
    }
}

static void a_replica_ends_up_equal(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct pair pair;
        begin(&pair, seed);
        pair.master.worker->engine.active_expiry = seed % 3 != 0;
        for (unsigned round = 0; round < 15; round++) {
            run_commands(&pair, 20);
            apply(&pair);
            check_equal(&pair, wall_ms(&pair.master)); /* the replica hides */
            check_equal(&pair, wall_ms(&pair.master) + 50);
            check_same(&pair);
        }
        /* Promoted, it deletes what is due by itself. */
        cw_keyspace_set_expiry_mode(keyspace_of(&pair.replica), CW_EXPIRY_DELETES);
        check_equal(&pair, wall_ms(&pair.master) + 150);
        unsigned budget = 1000000;
        (void)cw_keyspace_expire_step(keyspace_of(&pair.replica), 0, &budget, wall_ms(&pair.master) + 150);
        cw_keyspace_set_expiry_mode(keyspace_of(&pair.replica), CW_EXPIRY_IGNORED);
        char ignored[CW_DIGEST_TEXT_LENGTH + 1], shown[CW_DIGEST_TEXT_LENGTH + 1];
        digest_of(&pair.replica, 0, ignored);
        digest_of(&pair.master, wall_ms(&pair.master) + 150, shown);
        assert_string_equal(ignored, shown);
        end(&pair);
    }
}

/* A stream that ends between what is said aside and its command: neither was there. */
static void an_aside_counts_with_its_command(void **state)
{
    (void)state;
    struct pair pair;
    begin(&pair, 1);
    bench_ask(&pair.master, pair.client, "HSETEX h0 EX 100 FIELDS 2 f0 a f1 b\r\n");
    struct buf all = {0};
    buf_add_slice(&all, bench_take(&pair.master, pair.stream));
    struct slice bytes = buf_slice(&all);
    const char *ping = memmem(bytes.data, bytes.length, "*2\r\n$4\r\nPING", 12);
    const char *hset = memmem(bytes.data, bytes.length, "*6\r\n$4\r\nHSET", 12);
    assert_true(ping != NULL && hset != NULL && ping < hset);
    size_t before = (size_t)(ping - bytes.data);
    for (size_t cut = 0; cut <= bytes.length; cut++) {
        struct cw_engine *engine = &pair.replica.worker->engine;
        size_t consumed;
        bool ack;
        assert_int_equal(cw_engine_apply(engine, slice_of(bytes.data, cut), &consumed, &ack), 0);
        assert_int_equal(consumed, cut == bytes.length ? cut : cut >= before ? before : 0);
        assert_int_equal(cw_keyspace_count(engine->keyspace, 0), cut == bytes.length);
        cw_engine_set_stream_database(engine, 0);
    }
    check_same(&pair);
    buf_free(&all);
    end(&pair);
}

/* What an unmodified replica is asked to do: commands of Redis 7.0 on data, which say all but the dates. */
static void the_stream_holds_no_strange_commands(void **state)
{
    (void)state;
    static const char *const known[] = {"SELECT", "PING", "HSET", "HMSET",  "HSETNX", "HINCRBY",
                                        "HDEL",   "DEL",  "COPY", "RENAME", "RESTORE"};
    struct pair pair;
    begin(&pair, 5);
    run_commands(&pair, 2000);
    struct slice bytes = bench_take(&pair.master, pair.stream);
    struct resp_limits limits = RESP_LIMITS_DEFAULT;
    struct resp_request request = {0};
    unsigned asides = 0;
    while (bytes.length > 0) {
        int64_t used = resp_request_read(&request, bytes, &limits);
        assert_true(used > 0);
        bool is_known = false;
        for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
            is_known |= slice_equal_nocase(request.argv[0], known[i]);
        assert_true(is_known);
        asides += slice_equal_nocase(request.argv[0], "PING");
        bytes = slice_skip(bytes, (size_t)used);
    }
    assert_true(asides > 100);
    resp_request_free(&request);
    end(&pair);
}

/* A message that looks like ours and is not. */
static void a_damaged_aside_ends_the_stream(void **state)
{
    (void)state;
    static const char *const streams[] = {
        "*2\r\n$4\r\nPING\r\n$21\r\nrespite-field-expiry \r\n",
        "*2\r\n$4\r\nPING\r\n$24\r\nrespite-field-expiry xyz\r\n",
        "*2\r\n$4\r\nPING\r\n$29\r\nrespite-field-expiry-of-next \r\n*1\r\n$4\r\nPING\r\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(streams); i++) {
        struct bench bench;
        bench_start_standalone(&bench);
        size_t consumed;
        bool ack;
        assert_true(cw_engine_apply(&bench.worker->engine, slice_text(streams[i]), &consumed, &ack) < 0);
        assert_int_equal(consumed, 0);
        bench_end(&bench);
    }
    static const char other[] = "*2\r\n$4\r\nPING\r\n$5\r\nhello\r\n";
    struct bench bench;
    bench_start_standalone(&bench);
    size_t consumed;
    bool ack;
    assert_int_equal(cw_engine_apply(&bench.worker->engine, slice_text(other), &consumed, &ack), 0);
    assert_int_equal(consumed, sizeof(other) - 1);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replica_ends_up_equal),
        cmocka_unit_test(an_aside_counts_with_its_command),
        cmocka_unit_test(the_stream_holds_no_strange_commands),
        cmocka_unit_test(a_damaged_aside_ends_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
