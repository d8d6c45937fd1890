/* Commands of every sort while a snapshot shows big values in slices: the picture is that of its moment, nobody waits
 * for ever, and no value has to be shown at once where waiting is possible. */
#include "cacheworker/engine/digest.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/rdb/rdb.h"
#include "cacheworker/rdb/rdb_load.h"
#include "common/base/rand.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { LONG = 70000, CLIENTS = 4, KEYS = 10, DATABASES = 3 };

struct world {
    struct bench bench;
    struct rand rand;
    link_id clients[CLIENTS];
    bool is_wild; /* says what cannot wait, too */
    uint64_t waits;

    struct buf out;
    struct cw_rdb_writer writer;
    bool is_shown;
    struct cw_digest moment;
};

static struct cw_keyspace *keyspace_of(const struct world *world)
{
    return world->bench.worker->engine.keyspace;
}

/* ---- What is said ---- */

#define SWAP "SWAPDB N N" /* in a transaction it would be wild */

/* "K" is any key, "N" a small number, "T" a time, "L" a long text. */
static const char *const tame[] = {
    "SET K L",
    "SET K short",
    "SET K x PX T",
    "GETDEL K",
    "APPEND K L",
    "APPEND K x",
    "SETRANGE K N y",
    "SETBIT K N 1",
    "DEL K",
    "UNLINK K K",
    "EXPIRE K N",
    "PEXPIRE K T",
    "PEXPIRE K T",
    "PERSIST K",
    "GETEX K PX T",
    "GET K",
    "RENAME K K",
    "RENAMENX K K",
    "COPY K K REPLACE",
    "MOVE K N",
    "HSET K N L N x",
    "HSET K N L",
    "HSET K N x",
    "HSET K N x",
    "HDEL K N",
    "HINCRBY K N 1",
    "HPEXPIRE K T FIELDS 1 N",
    "HPEXPIRE K T FIELDS 2 N N",
    "HGETALL K",
    "SADD K L",
    "SADD K N N N",
    "SREM K N L",
    "SPOP K",
    "SUNIONSTORE K K K",
    "SINTERSTORE K K K",
    "SMOVE K K N",
    "ZADD K N L",
    "ZADD K N N N N",
    "ZINCRBY K 1 N",
    "ZREM K N L",
    "ZPOPMIN K",
    "ZRANGESTORE K K 0 -1",
    "ZUNIONSTORE K 2 K K",
    "RPUSH K L",
    "LPUSH K N N",
    "LPOP K",
    "RPOPLPUSH K K",
    "LSET K 0 y",
    "LINSERT K BEFORE N y",
    "LTRIM K 0 3",
    "SORT K ALPHA STORE K",
    "XADD K * f L",
    "XADD K * f x",
    "XTRIM K MAXLEN N",
    "XGROUP CREATE K g 0",
    "XGROUP CREATE K g $ MKSTREAM",
    "XREADGROUP GROUP g c COUNT N STREAMS K >",
    "XGROUP DELCONSUMER K g c",
    "PFADD K N N",
    "PFMERGE K K",
    "SELECT N",
    "SELECT 0",
    "SELECT 0",
    SWAP,
    "FLUSHDB",
    "MULTI",
    "MULTI",
    "EXEC",
    "EXEC",
    "EXEC",
    "DISCARD",
    "WATCH K",
    "EVAL redis.call('DEL',KEYS[1]) 1 K",
    "EVAL return(redis.pcall('HSET',KEYS[1],'1','x')) 1 K",
    "CONFIG SET maxmemory 700000 maxmemory-policy allkeys-random",
    "CONFIG SET maxmemory 0",
    "CONFIG SET maxmemory 0",
};

static const char *const wild[] = {
    "EVAL redis.call('DEL','key:1') 0",
    "EVAL return(redis.pcall('RENAME',KEYS[1],'key:2')) 1 K",
    "EVAL return(redis.pcall('APPEND','key:3','x')) 0",
    "EVAL return(redis.pcall('HSET','key:4','1','x')) 0",
    "BLMOVE K K LEFT LEFT 1",
    "SWAPDB N N",
    "COPY K K DB N REPLACE",
};

static void add_word(struct world *world, struct buf *words, struct slice word)
{
    static char longest[LONG];
    char text[32];
    if (longest[0] == 0)
        memset(longest, 'x', sizeof(longest));
    unsigned number = (unsigned)rand_below(&world->rand, 8);
    if (slice_equal(word, SLICE_LITERAL("K")))
        word = slice_of(text,
                        (size_t)snprintf(text, sizeof(text), "key:%u", number + (unsigned)rand_below(&world->rand, 3)));
    else if (slice_equal(word, SLICE_LITERAL("N")))
        word = slice_of(text, (size_t)snprintf(text, sizeof(text), "%u", number % DATABASES));
    else if (slice_equal(word, SLICE_LITERAL("T")))
        word = slice_of(text, (size_t)snprintf(text, sizeof(text), "%u", 1 + number * 5));
    else if (slice_equal(word, SLICE_LITERAL("L")))
        word = slice_of(longest, LONG);
    buf_add_format(words, "$%zu\r\n", word.length);
    buf_add_slice(words, word);
    buf_add_text(words, "\r\n");
}

static void add_request(struct world *world, const char *text, struct buf *request)
{
    struct buf words = {0};
    size_t count = 0;
    for (struct slice rest = slice_text(text); rest.length > 0; count++) {
        size_t length = 0;
        while (length < rest.length && rest.data[length] != ' ')
            length++;
        add_word(world, &words, slice_of(rest.data, length));
        rest = slice_skip(rest, length < rest.length ? length + 1 : length);
    }
    buf_add_format(request, "*%zu\r\n", count);
    buf_add_slice(request, buf_slice(&words));
    buf_free(&words);
}

/* A few requests at once, of one client. */
static void say_something(struct world *world)
{
    struct buf requests = {0};
    link_id client = world->clients[rand_below(&world->rand, CLIENTS)];
    for (uint64_t count = 1 + rand_below(&world->rand, 4); count > 0; count--) {
        bool is_wild = world->is_wild && rand_below(&world->rand, 12) == 0;
        const char *text = is_wild ? wild[rand_below(&world->rand, ARRAY_LENGTH(wild))]
                                   : tame[rand_below(&world->rand, ARRAY_LENGTH(tame))];
        if (strcmp(text, SWAP) == 0)
            add_request(world, "DISCARD", &requests);
        add_request(world, text, &requests);
    }
    bench_receive(&world->bench, client, buf_slice(&requests));
    bench_turn(&world->bench);
    world->waits += !list_is_empty(&world->bench.worker->engine.parked);
    buf_free(&requests);
}

/* ---- The picture ---- */

static void join_entry(void *context, unsigned database, const struct cw_entry *entry)
{
    struct cw_digest value, member = {{0}};
    int64_t numbers[2] = {database, cw_entry_expire_ms(entry)};
    assert_true(cw_digest_value(entry, 0, &value));
    cw_digest_add(&member, slice_of((const char *)numbers, sizeof(numbers)));
    cw_digest_add(&member, cw_entry_key(entry));
    cw_digest_add(&member, slice_of((const char *)value.words, sizeof(value.words)));
    cw_digest_join(context, &member);
}

static struct cw_digest digest_of(const struct cw_keyspace *keyspace)
{
    struct cw_digest digest = {{0}};
    for (unsigned i = 0; i < cw_keyspace_databases(keyspace); i++)
        cw_keyspace_for_each(keyspace, i, join_entry, &digest);
    return digest;
}

static void show_entry(void *context, unsigned database, const struct cw_entry *entry)
{
    struct world *world = context;
    cw_rdb_write_entry(&world->writer, database, entry);
}

static bool show_slice(void *context, unsigned database, const struct cw_entry *entry, unsigned *budget)
{
    struct world *world = context;
    return cw_rdb_write_slice(&world->writer, database, entry, budget);
}

static void begin_picture(struct world *world)
{
    struct cw_rdb_origin origin = {.stream_database = 0};
    buf_clear(&world->out);
    world->writer = (struct cw_rdb_writer){.out = &world->out};
    cw_rdb_write_preamble(&world->writer, &origin, 0, 0);
    world->moment = digest_of(keyspace_of(world));
    cw_keyspace_snapshot_begin(keyspace_of(world), &(struct cw_snapshot_visitor){world, show_entry, show_slice});
    world->is_shown = true;
}

static void check_picture(struct world *world)
{
    cw_rdb_write_end(&world->writer);
    struct cw_keyspace *read = cw_engine_new_keyspace(&world->bench.worker->engine);
    cw_keyspace_set_expiry_mode(read, CW_EXPIRY_IGNORED);
    struct cw_rdb_load load;
    size_t used;
    cw_rdb_load_init(&load, read);
    assert_int_equal(cw_rdb_read(&load.reader, buf_slice(&world->out), &used), 1);
    struct cw_digest found = digest_of(read);
    assert_memory_equal(&found, &world->moment, sizeof(found));
    cw_rdb_load_free(&load);
    cw_keyspace_destroy(read);
}

static void go_on(struct world *world)
{
    if (cw_keyspace_snapshot_step(keyspace_of(world), 1 + (unsigned)rand_below(&world->rand, 1500)))
        return;
    world->is_shown = false;
    check_picture(world);
}

static void give_up(struct world *world)
{
    cw_keyspace_snapshot_cancel(keyspace_of(world));
    cw_rdb_writer_free(&world->writer);
    world->is_shown = false;
}

/* Whoever waited was answered, at the latest by what is said next. */
static void expect_answers(struct world *world)
{
    bench_turn(&world->bench);
    bench_turn(&world->bench);
    assert_true(list_is_empty(&world->bench.worker->engine.parked));
    for (unsigned i = 0; i < CLIENTS; i++)
        (void)bench_take(&world->bench, world->clients[i]);
}

static void run(uint64_t seed, bool is_wild, uint64_t *waits, uint64_t *at_once)
{
    struct world world = {.is_wild = is_wild};
    rand_seed(&world.rand, seed);
    bench_start_standalone(&world.bench);
    for (unsigned i = 0; i < CLIENTS; i++)
        world.clients[i] = bench_connect(&world.bench);
    for (unsigned i = 0; i < 500; i++) {
        say_something(&world);
        if (rand_below(&world.rand, 4) == 0)
            bench_advance(&world.bench, (int64_t)rand_below(&world.rand, 10) * NS_PER_MS);
        if (!world.is_shown && i > 60)
            begin_picture(&world);
        else if (world.is_shown && rand_below(&world.rand, 3) > 0)
            go_on(&world);
        else if (world.is_shown && rand_below(&world.rand, 100) == 0)
            give_up(&world);
        if (!world.is_shown)
            expect_answers(&world);
    }
    while (world.is_shown)
        go_on(&world);
    expect_answers(&world);
    *waits += world.waits;
    *at_once += cw_keyspace_stats(keyspace_of(&world))->shown_at_once;
    buf_free(&world.out);
    bench_end(&world.bench);
}

static void what_can_wait_does(void **state)
{
    (void)state;
    uint64_t waits = 0, at_once = 0;
    for (uint64_t seed = 1; seed <= 4; seed++)
        run(seed, false, &waits, &at_once);
    assert_true(waits > 20);
    assert_int_equal(at_once, 0);
}

static void what_cannot_wait_is_shown_at_once(void **state)
{
    (void)state;
    uint64_t waits = 0, at_once = 0;
    for (uint64_t seed = 100; seed < 104; seed++)
        run(seed, true, &waits, &at_once);
    assert_true(waits > 20);
    assert_true(at_once > 0);
}

/* A master's stream, and one that is a unit. */
static void a_stream_waits(void **state)
{
    (void)state;
    static const char *const streams[][2] = {{"APPEND key:1 y", NULL}, {"SET other 1", "APPEND key:1 y"}};
    for (size_t i = 0; i < ARRAY_LENGTH(streams); i++) {
        struct world world = {.is_wild = false};
        struct buf bytes = {0}, request = {0};
        rand_seed(&world.rand, 1);
        bench_start_standalone(&world.bench);
        struct cw_engine *engine = &world.bench.worker->engine;
        link_id client = bench_connect(&world.bench);
        add_request(&world, "SET key:1 L", &request);
        bench_receive(&world.bench, client, buf_slice(&request));
        bench_turn(&world.bench);
        add_request(&world, "SELECT 0", &bytes);
        size_t first = buf_length(&bytes);
        if (streams[i][1] != NULL)
            add_request(&world, "MULTI", &bytes);
        add_request(&world, streams[i][0], &bytes);
        if (streams[i][1] != NULL)
            add_request(&world, streams[i][1], &bytes);
        if (streams[i][1] != NULL)
            add_request(&world, "EXEC", &bytes);

        size_t consumed;
        bool ack;
        begin_picture(&world);
        assert_int_equal(cw_engine_apply(engine, buf_slice(&bytes), &consumed, &ack), 0);
        assert_int_equal(consumed, first);
        assert_true(cw_engine_is_stream_waiting(engine));
        buf_consume(&bytes, consumed);
        assert_int_equal(cw_engine_apply(engine, buf_slice(&bytes), &consumed, &ack), 0);
        assert_int_equal(consumed, 0);
        while (world.is_shown)
            go_on(&world);
        assert_int_equal(cw_engine_apply(engine, buf_slice(&bytes), &consumed, &ack), 0);
        assert_int_equal(consumed, buf_length(&bytes));
        assert_false(cw_engine_is_stream_waiting(engine));
        assert_int_equal(cw_keyspace_stats(engine->keyspace)->shown_at_once, 0);
        struct slice length = bench_ask(&world.bench, client, "STRLEN key:1\r\n");
        assert_true(slice_equal(slice_skip(length, length.length - 8), SLICE_LITERAL(":70001\r\n")));
        buf_free(&bytes);
        buf_free(&request);
        buf_free(&world.out);
        bench_end(&world.bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_wait_does),
        cmocka_unit_test(what_cannot_wait_is_shown_at_once),
        cmocka_unit_test(a_stream_waits),
    };
    return cmocka_run_group_tests_name("owed", tests, NULL, NULL);
}
