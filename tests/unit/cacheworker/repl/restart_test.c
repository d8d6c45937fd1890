/* A server by itself that starts with what dump.rdb says of its stream: the replicas of the life before go on. */
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/rdb/rdb.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "cacheworker/rdb/rdb_load.h"
#include "cacheworker/engine/state.h"
#include "tests/unit/cacheworker/engine/bench.h"
#include "tests/unit/cacheworker/memory_storage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#define ID "0123456789012345678901234567890123456789"

struct stage {
    struct bench bench;
    struct memory_storage memory; /* the disk of all lives */
    link_id client;
    uint64_t lives;
};

static void begin(struct stage *stage, const char *master, int64_t wall_us)
{
    struct cw_config config;
    bench_config(&config, true);
    config.random_seed = ++stage->lives;
    config.storage = &stage->memory.storage;
    config.wall_us = wall_us;
    config.parameters = SLICE_LITERAL("repl-diskless-sync-delay 0\nrepl-backlog-size 16384\n");
    snprintf(config.replicaof.host, sizeof(config.replicaof.host), "%s", master);
    config.replicaof.port = 7000;
    bench_start(&stage->bench, &config);
    stage->client = bench_connect(&stage->bench);
    bench_turn(&stage->bench);
}

static void restart(struct stage *stage, const char *master, int64_t wall_us)
{
    bench_end(&stage->bench);
    begin(stage, master, wall_us);
}

static int set_up(void **state)
{
    struct stage *stage = test_calloc(1, sizeof(*stage));
    memory_storage_init(&stage->memory);
    begin(stage, "", 0);
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    bench_end(&stage->bench);
    memory_storage_free(&stage->memory);
    test_free(stage);
    return 0;
}

static void ask(struct stage *stage, const char *request)
{
    struct slice reply = bench_ask(&stage->bench, stage->client, request);
    assert_true(reply.length > 0 && reply.data[0] != '-');
}

struct facts { /* of INFO */
    char id[41], second_id[41];
    unsigned long long offset;
    long long second_offset;
    unsigned long long first, held;
};

static struct facts look(struct stage *stage)
{
    struct facts facts;
    char text[4096] = "";
    struct slice reply = bench_ask(&stage->bench, stage->client, "INFO replication\r\n");
    memcpy(text, reply.data, reply.length < sizeof(text) - 1 ? reply.length : sizeof(text) - 1);
    const char *at = strstr(text, "master_replid:");
    assert_non_null(at);
    assert_int_equal(sscanf(at,
                            "master_replid:%40s master_replid2:%40s master_repl_offset:%llu second_repl_offset:%lld "
                            "repl_backlog_active:1 repl_backlog_size:16384 repl_backlog_first_byte_offset:%llu "
                            "repl_backlog_histlen:%llu",
                            facts.id, facts.second_id, &facts.offset, &facts.second_offset, &facts.first, &facts.held),
                     6);
    return facts;
}

/* What it is answered, behind the id in "+CONTINUE id". */
static struct slice psync(struct stage *stage, const char *id, unsigned long long wanted)
{
    char line[128];
    link_id replica = bench_connect(&stage->bench);
    snprintf(line, sizeof(line), "REPLCONF capa eof capa psync2\r\nPSYNC %s %llu\r\n", id, wanted);
    return slice_skip(bench_ask(&stage->bench, replica, line), strlen("+OK\r\n"));
}

static void expect_continue(struct stage *stage, const char *id, unsigned long long wanted, const char *stream)
{
    char expected[512];
    snprintf(expected, sizeof(expected), "+CONTINUE %s\r\n%s", look(stage).id, stream);
    struct slice answer = psync(stage, id, wanted);
    if (!slice_equal(answer, slice_text(expected)))
        fail_msg("not %s but %.*s", expected, (int)answer.length, answer.data);
}

static void expect_full_sync(struct stage *stage, const char *id, unsigned long long wanted)
{
    struct slice answer = psync(stage, id, wanted);
    assert_true(answer.length > 12 && memcmp(answer.data, "+FULLRESYNC ", 12) == 0);
}

static struct facts feed_a_replica(struct stage *stage)
{
    bench_attach_replica(&stage->bench);
    ask(stage, "SELECT 3\r\n");
    ask(stage, "SET kept 1\r\n");
    ask(stage, "SET due 1 PX 1000\r\n");
    ask(stage, "RPUSH list a b\r\n");
    ask(stage, "PEXPIRE list 1000\r\n");
    return look(stage);
}

static void a_master_goes_on_under_a_new_id(void **state)
{
    struct stage *stage = *state;
    struct facts before = feed_a_replica(stage);
    bench_ask(&stage->bench, stage->client, "SHUTDOWN NOW\r\n");
    restart(stage, "", BENCH_WALL_US);
    struct facts after = look(stage);
    assert_string_not_equal(after.id, before.id);
    assert_string_equal(after.second_id, before.id);
    assert_int_equal(after.offset, before.offset);
    assert_int_equal(after.second_offset, before.offset + 1);
    assert_int_equal(after.first, before.offset + 1);
    assert_int_equal(after.held, 0);

    expect_continue(stage, before.id, before.offset + 1, "");
    expect_full_sync(stage, before.id, before.offset);     /* what it lacks is not held any more */
    expect_full_sync(stage, before.id, before.offset + 2); /* it has what was not saved */
    expect_full_sync(stage, ID, before.offset + 1);
    ask(stage, "SELECT 3\r\n");
    ask(stage, "SET more 1\r\n");
    expect_continue(stage, before.id, before.offset + 1,
                    "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*3\r\n$3\r\nSET\r\n$4\r\nmore\r\n$1\r\n1\r\n");
    expect_full_sync(stage, before.id, look(stage).offset + 1); /* it has this of another life */
}

static void what_it_leaves_out_is_deleted_elsewhere(void **state)
{
    struct stage *stage = *state;
    struct facts before = feed_a_replica(stage);
    bench_ask(&stage->bench, stage->client, "SHUTDOWN NOW\r\n");
    restart(stage, "", BENCH_WALL_US + 3600 * INT64_C(1000000));
    struct facts after = look(stage);
    assert_int_equal(after.second_offset, before.offset + 1);
    assert_int_equal(after.first, before.offset + 1);
    assert_int_equal(after.offset, before.offset + after.held);
    struct slice answer = psync(stage, before.id, before.offset + 1);
    assert_int_equal(answer.length, strlen("+CONTINUE \r\n") + 40 + after.held);
    struct buf stream = {0};
    bench_read_stream(slice_skip(answer, strlen("+CONTINUE \r\n") + 40), &stream);
    struct slice words = buf_slice(&stream);
    assert_true(slice_equal(words, SLICE_LITERAL("SELECT 3; DEL due; DEL list")) ||
                slice_equal(words, SLICE_LITERAL("SELECT 3; DEL list; DEL due")));
    buf_free(&stream);
}

static void of_many_of_these_the_backlog_holds_the_last(void **state)
{
    struct stage *stage = *state;
    bench_attach_replica(&stage->bench);
    for (int i = 0; i < 1000; i++) {
        char line[64];
        snprintf(line, sizeof(line), "SET key:%d 1 PX 1000\r\n", i);
        ask(stage, line);
    }
    struct facts before = look(stage);
    bench_ask(&stage->bench, stage->client, "SHUTDOWN NOW\r\n");
    restart(stage, "", BENCH_WALL_US + 3600 * INT64_C(1000000));
    struct facts after = look(stage);
    assert_int_equal(after.held, 16384);
    assert_int_equal(after.first, after.offset - 16384 + 1);
    assert_true(after.first > before.offset + 1);
    expect_full_sync(stage, before.id, before.offset + 1);
}

static void who_has_fed_nobody_begins_anew(void **state)
{
    struct stage *stage = *state;
    ask(stage, "SET key 1\r\n");
    ask(stage, "SET due 1 PX 1000\r\n");
    bench_ask(&stage->bench, stage->client, "SHUTDOWN NOW\r\n");
    restart(stage, "", BENCH_WALL_US + 3600 * INT64_C(1000000));
    struct slice told = bench_ask(&stage->bench, stage->client, "INFO replication\r\n");
    assert_non_null(memmem(told.data, told.length, "\r\nmaster_repl_offset:0\r\nsecond_repl_offset:-1\r\n", 46));
    assert_non_null(memmem(told.data, told.length, "repl_backlog_active:0\r\n", 23));
}

static void what_is_kept_for_replicas_is_forgotten_in_time(void **state)
{
    struct stage *stage = *state;
    feed_a_replica(stage);
    bench_ask(&stage->bench, stage->client, "SHUTDOWN NOW\r\n");
    restart(stage, "", BENCH_WALL_US);
    bench_advance(&stage->bench, 3599 * NS_PER_S);
    assert_string_not_equal(look(stage).second_id, "0000000000000000000000000000000000000000");
    bench_advance(&stage->bench, 2 * NS_PER_S);
    struct slice told = bench_ask(&stage->bench, stage->client, "INFO replication\r\n");
    assert_non_null(memmem(told.data, told.length, "repl_backlog_active:0\r\n", 23));
}

/* --- a replica --- */

static void say(struct stage *stage, link_id link, const char *words)
{
    bench_take(&stage->bench, link);
    bench_receive(&stage->bench, link, slice_text(words));
    bench_turn(&stage->bench);
}

/* The link to its master, on which PSYNC is about to be answered. */
static link_id greet_master(struct stage *stage, const char *psync)
{
    bench_advance(&stage->bench, NS_PER_S);
    link_id link = bench_accept(&stage->bench);
    assert_true(link != LINK_NONE);
    say(stage, link, "+PONG\r\n");
    say(stage, link, "+OK\r\n+OK\r\n");
    struct slice asked = bench_take(&stage->bench, link);
    if (!slice_equal(asked, slice_text(psync)))
        fail_msg("not %s but %.*s", psync, (int)asked.length, asked.data);
    return link;
}

static void a_replica_goes_on_where_it_was(void **state)
{
    struct stage *stage = *state;
    restart(stage, "127.0.0.1", 0);
    link_id master = greet_master(stage, "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n");
    struct buf snapshot = {0}, text = {0};
    struct cw_rdb_writer writer = {.out = &snapshot};
    cw_rdb_write_preamble(&writer, &(struct cw_rdb_origin){.stream_database = 0}, BENCH_WALL_US, 0);
    cw_rdb_write_string(&writer, 0, SLICE_LITERAL("due"), SLICE_LITERAL("1"), BENCH_WALL_US / 1000 + 1);
    cw_rdb_write_end(&writer);
    buf_add_format(&text, "+FULLRESYNC " ID " 100\r\n$%zu\r\n", buf_length(&snapshot));
    buf_add_slice(&text, buf_slice(&snapshot));
    buf_add_text(&text,
                 "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*1\r\n$5\r\nMULTI\r\n");
    bench_receive(&stage->bench, master, buf_slice(&text));
    bench_turn(&stage->bench);
    buf_free(&snapshot);
    buf_free(&text);
    ask(stage, "SAVE\r\n");

    restart(stage, "127.0.0.1", BENCH_WALL_US + 3600 * INT64_C(1000000));
    master = greet_master(stage, "*3\r\n$5\r\nPSYNC\r\n$40\r\n" ID "\r\n$3\r\n151\r\n");
    say(stage, master, "+CONTINUE\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n");
    struct slice reply = bench_ask(&stage->bench, stage->client, "DBSIZE\r\nSELECT 3\r\nGET a\r\nGET b\r\n");
    assert_true(slice_equal(reply, SLICE_LITERAL(":1\r\n+OK\r\n$1\r\n1\r\n$1\r\n2\r\n")));
    assert_string_equal(look(stage).id, ID);
}

/* --- the file --- */

static void add_field(struct buf *out, const char *name, const char *value)
{
    cw_rdb_add_byte(out, RDB_OPCODE_AUX);
    cw_rdb_add_string(out, slice_text(name));
    cw_rdb_add_string(out, slice_text(value));
}

static void all_that_it_says_must_be_possible(void **state)
{
    struct stage *stage = *state;
    static const struct {
        const char *id, *offset, *database; /* NULL: it says nothing of that */
        bool is_placed;
    } rows[] = {
        {ID, "100", "3", true},
        {ID, "0", "0", true},
        {ID, "9223372036854775807", "0", true},
        {ID, "9223372036854775808", "0", false},
        {ID, "-1", "0", false},
        {ID, "", "0", false},
        {ID, NULL, "0", false},
        {ID, "100", "-1", false},
        {ID, "100", "16", false},
        {ID, "100", NULL, false},
        {NULL, "100", "0", false},
        {"", "100", "0", false},
        {ID "0", "100", "0", false},
        {"012345678901234567890123456789012345678", "100", "0", false},
        {"012345678901234567890123456789012345678\n", "100", "0", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buf file = {0};
        struct cw_keyspace *keyspace = cw_engine_new_keyspace(&stage->bench.worker->engine);
        struct cw_rdb_load load;
        size_t used;
        buf_add_text(&file, "REDIS0010");
        if (rows[i].id != NULL)
            add_field(&file, "repl-id", rows[i].id);
        if (rows[i].offset != NULL)
            add_field(&file, "repl-offset", rows[i].offset);
        if (rows[i].database != NULL)
            add_field(&file, "repl-stream-db", rows[i].database);
        cw_rdb_add_byte(&file, RDB_OPCODE_END);
        cw_rdb_load_init(&load, keyspace);
        assert_int_equal(cw_rdb_read(&load.reader, buf_slice(&file), &used), 0);
        if ((load.origin.stream_id[0] != '\0') != rows[i].is_placed)
            fail_msg("row %zu", i);
        if (rows[i].is_placed)
            assert_string_equal(load.origin.stream_id, ID);
        cw_rdb_load_free(&load);
        cw_keyspace_destroy(keyspace);
        buf_free(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_master_goes_on_under_a_new_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_it_leaves_out_is_deleted_elsewhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_many_of_these_the_backlog_holds_the_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_has_fed_nobody_begins_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_kept_for_replicas_is_forgotten_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_replica_goes_on_where_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_that_it_says_must_be_possible, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("restart", tests, NULL, NULL);
}
