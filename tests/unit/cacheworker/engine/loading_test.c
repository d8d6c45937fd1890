/* dump.rdb at the start: what clients and sentinels hear while it is loaded in slices, and when it is damaged. */
#include "cacheworker/engine/loading.h"

#include "cacheworker/ha/node_state.h"
#include "cacheworker/keyspace/entry.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "common/base/errors.h"
#include "common/ha/messages.h"
#include "common/resp/resp_reader.h"
#include "tests/unit/cacheworker/engine/bench.h"
#include "tests/unit/cacheworker/memory_storage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { KEYS = 1000, SLICE = 500 };

#define DUE_MS ((int64_t)1900000000000) /* of every tenth key, and behind that */

struct stage {
    struct bench bench;
    struct memory_storage memory;
    struct buf file; /* as it was at the start */
    link_id client;
    char complaint[256];
};

static void write_file(struct buf *out, const char *library)
{
    struct cw_rdb_writer writer = {.out = out};
    struct buf programs = {0};
    if (library != NULL)
        cw_rdb_add_function(&programs, slice_text(library));
    struct cw_rdb_origin origin = {.history = {.count = 1, .entries = {{3, 100}}, .last_offset = 250},
                                   .programs = buf_slice(&programs)};
    cw_rdb_write_preamble(&writer, &origin, 1, 1);
    for (int i = 0; i < KEYS; i++) {
        char key[32];
        struct slice name = slice_of(key, (size_t)snprintf(key, sizeof(key), "key:%d", i));
        cw_rdb_write_string(&writer, 0, name, SLICE_LITERAL("value"), i % 10 == 0 ? DUE_MS + i : CW_NO_EXPIRY);
    }
    cw_rdb_write_end(&writer);
    buf_free(&programs);
}

static void complain(void *context, struct slice words)
{
    snprintf(((struct stage *)context)->complaint, sizeof(((struct stage *)context)->complaint), "%.*s",
             (int)words.length, words.data);
}

static void prepare(struct stage *stage, const char *library)
{
    *stage = (struct stage){.client = LINK_NONE};
    memory_storage_init(&stage->memory);
    write_file(&stage->memory.content, library);
    buf_add_slice(&stage->file, buf_slice(&stage->memory.content));
    stage->memory.exists = true;
}

static void configure(struct stage *stage, bool standalone, struct cw_config *config)
{
    bench_config(config, standalone);
    config->storage = &stage->memory.storage;
    config->loading_slice_bytes = SLICE;
    config->complain = complain;
    config->complain_context = stage;
}

static void begin(struct stage *stage, bool standalone, const char *parameters)
{
    struct cw_config config;
    configure(stage, standalone, &config);
    config.parameters = slice_text(parameters);
    bench_start(&stage->bench, &config);
    assert_true(stage->bench.listening);
    stage->client = bench_connect(&stage->bench);
}

static void end(struct stage *stage)
{
    bench_end(&stage->bench);
    memory_storage_free(&stage->memory);
    buf_free(&stage->file);
}

/* In one turn. */
static struct slice ask_once(struct stage *stage, const char *line)
{
    struct buf request = {0};
    buf_add_format(&request, "%s\r\n", line);
    bench_receive(&stage->bench, stage->client, buf_slice(&request));
    (void)bench_turn_once(&stage->bench);
    buf_free(&request);
    return bench_take(&stage->bench, stage->client);
}

static bool says(struct slice text, const char *words)
{
    return text.length > 0 && memmem(text.data, text.length, words, strlen(words)) != NULL;
}

static void finish(struct stage *stage)
{
    while (!stage->bench.exited && says(ask_once(stage, "PING"), "-LOADING"))
        continue;
}

static bool answers(struct stage *stage, const char *line, const char *reply)
{
    return slice_equal(ask_once(stage, line), slice_text(reply));
}

static void clients_hear_that_it_loads_and_then_find_all(void **state)
{
    (void)state;
    struct stage stage;
    prepare(&stage, NULL);
    begin(&stage, true, "");
    assert_true(answers(&stage, "PING", "-LOADING Redis is loading the dataset in memory\r\n"));
    assert_true(answers(&stage, "DBSIZE", "-LOADING Redis is loading the dataset in memory\r\n"));
    assert_true(answers(&stage, "GET key:1", "-LOADING Redis is loading the dataset in memory\r\n"));
    struct slice told = ask_once(&stage, "INFO persistence");
    assert_true(says(told, "\r\nloading:1\r\n"));
    assert_true(says(told, "\r\nloading_loaded_bytes:2500\r\n"));
    assert_true(says(told, "\r\nloading_eta_seconds:1\r\n"));
    assert_true(says(told, "\r\nloading_start_time:1700000001\r\n"));
    finish(&stage);
    assert_true(answers(&stage, "DBSIZE", ":1000\r\n"));
    assert_true(answers(&stage, "GET key:999", "$5\r\nvalue\r\n"));
    assert_true(says(ask_once(&stage, "INFO persistence"), "\r\nloading:0\r\n"));
    assert_true(says(buf_slice(&stage.bench.log), "1000 keys loaded"));
    assert_int_equal(stage.memory.open_files, 0);
    end(&stage);
}

static void a_master_leaves_out_what_is_due(void **state)
{
    (void)state;
    for (int is_replica = 0; is_replica < 2; is_replica++) {
        struct stage stage;
        struct cw_config config;
        prepare(&stage, NULL);
        configure(&stage, true, &config);
        config.wall_us = (DUE_MS + 500) * 1000; /* key:500 is due at this very moment, and stays */
        if (is_replica)
            config.replicaof = (struct address){.host = "127.0.0.1", .port = 1};
        bench_start(&stage.bench, &config);
        stage.client = bench_connect(&stage.bench);
        finish(&stage);
        struct slice told = bench_ask(&stage.bench, stage.client, "INFO persistence\r\n");
        assert_true(says(told, is_replica ? "keys_expired:0\r\n" : "keys_expired:50\r\n"));
        assert_true(says(told, is_replica ? "keys_loaded:1000\r\n" : "keys_loaded:950\r\n"));
        assert_true(answers(&stage, "DBSIZE", is_replica ? ":1000\r\n" : ":950\r\n"));
        end(&stage);
    }
}

/* The file is all that there is of the data: an end in the middle of loading must not put less in its place. */
static void what_is_not_loaded_is_not_saved(void **state)
{
    (void)state;
    for (int by_command = 0; by_command < 2; by_command++) {
        struct stage stage;
        prepare(&stage, NULL);
        begin(&stage, true, "");
        assert_true(says(ask_once(&stage, "SAVE"), "-LOADING"));
        assert_true(says(ask_once(&stage, "DEBUG RELOAD"), "-"));
        if (by_command)
            ask_once(&stage, "SHUTDOWN SAVE");
        else
            bench_stop(&stage.bench);
        assert_true(stage.bench.exited);
        assert_int_equal(stage.bench.exit_status, 0);
        assert_string_equal(stage.memory.written_name, "");
        assert_true(slice_equal(buf_slice(&stage.memory.content), buf_slice(&stage.file)));
        end(&stage);
    }
}

static void a_server_by_itself_ends_where_the_file_is_damaged(void **state)
{
    (void)state;
    struct stage stage;
    prepare(&stage, NULL);
    stage.memory.content.memory[stage.memory.content.end - 1] ^= 1;
    begin(&stage, true, "");
    finish(&stage);
    assert_int_equal(stage.bench.exit_status, 1);
    assert_true(says(buf_slice(&stage.bench.log), "dump.rdb cannot be loaded: at byte "));
    assert_true(says(buf_slice(&stage.bench.log), ": the checksum is wrong"));
    assert_int_equal(stage.bench.renames, 0);
    assert_true(says(ask_once(&stage, "DBSIZE"), "-LOADING"));
    bench_stop(&stage.bench);
    assert_string_equal(stage.memory.written_name, "");
    end(&stage);
}

static void or_sets_it_aside_where_it_is_told_to(void **state)
{
    (void)state;
    struct stage stage;
    prepare(&stage, NULL);
    stage.memory.content.memory[stage.memory.content.end - 1] ^= 1;
    begin(&stage, true, "set-aside-damaged-data yes\n");
    finish(&stage);
    assert_false(stage.bench.exited);
    assert_int_equal(stage.bench.renames, 1);
    assert_true(says(buf_slice(&stage.bench.log), "it is set aside as dump.rdb.damaged"));
    assert_true(answers(&stage, "DBSIZE", ":0\r\n"));
    end(&stage);
}

static void what_is_damaged_at_once_is_told_at_creation(void **state)
{
    (void)state;
    struct stage stage;
    struct cw_config config;
    struct cw_worker *worker;
    prepare(&stage, NULL);
    stage.memory.content.memory[stage.memory.content.start] ^= 1;
    configure(&stage, true, &config);
    assert_int_equal(cw_worker_create(&config, &worker), ERR_CORRUPT);
    assert_string_equal(stage.complaint, "dump.rdb cannot be loaded: at byte 0: this is no RDB file");
    memory_storage_free(&stage.memory);
    buf_free(&stage.file);
}

static void a_library_that_does_not_compile_is_named(void **state)
{
    (void)state;
    struct stage stage;
    prepare(&stage, "#!lua name=broken\nthis is no Lua");
    begin(&stage, true, "");
    finish(&stage);
    assert_int_equal(stage.bench.exit_status, 1);
    assert_true(says(buf_slice(&stage.bench.log),
                     "dump.rdb cannot be loaded: a library of functions in it: Error compiling function: "));
    end(&stage);
}

static void a_library_that_compiles_is_there(void **state)
{
    (void)state;
    struct stage stage;
    prepare(&stage, "#!lua name=whole\nredis.register_function('f', function() return 7 end)");
    begin(&stage, true, "");
    finish(&stage);
    assert_true(says(bench_ask(&stage.bench, stage.client, "FCALL f 0\r\n"), ":7\r\n"));
    end(&stage);
}

/* --- in a group --- */

static struct message message;

static struct message *say(enum message_kind kind)
{
    memset(&message, 0, sizeof(message));
    message.kind = kind;
    strcpy(message.group, "main");
    return &message;
}

static void send_message(struct stage *stage, link_id control)
{
    struct buf bytes = {0};
    message_encode(&message, &bytes);
    bench_receive(&stage->bench, control, buf_slice(&bytes));
    buf_free(&bytes);
}

static link_id greet(struct stage *stage)
{
    link_id control = bench_connect_to(&stage->bench, CW_LISTENER_CONTROL);
    struct message *hello = say(MESSAGE_HELLO);
    hello->hello.kind = PEER_SENTINEL;
    hello->hello.secret = SLICE_LITERAL("secret");
    hello->hello.protocol = CONTROL_PROTOCOL;
    memset(&hello->hello.sender, 9, sizeof(hello->hello.sender));
    send_message(stage, control);
    return control;
}

/* Whether the last message of the kind came; it stands in `message` then. */
static bool hears(struct stage *stage, link_id control, enum message_kind kind)
{
    static const struct resp_limits limits = RESP_LIMITS_DEFAULT;
    struct resp_request request = {0};
    struct slice bytes = bench_take(&stage->bench, control);
    while (bytes.length > 0 && bytes.data[0] == '+')
        bytes = slice_skip(bytes, strlen("+OK\r\n"));
    int64_t used;
    bool has_come = false;
    while (!has_come && bytes.length > 0 && (used = resp_request_read(&request, bytes, &limits)) > 0) {
        has_come = message_decode(request.argv, request.argc, &message) == 0 && message.kind == kind;
        bytes = slice_skip(bytes, (size_t)used);
    }
    resp_request_free(&request);
    return has_come;
}

static const struct status *poll(struct stage *stage, link_id control)
{
    static uint64_t k;
    say(MESSAGE_POLL)->poll.k = ++k;
    send_message(stage, control);
    (void)bench_turn_once(&stage->bench);
    assert_true(hears(stage, control, MESSAGE_STATUS));
    return &message.status;
}

static void a_node_that_loads_is_alive_and_has_no_history(void **state)
{
    (void)state;
    struct stage stage;
    prepare(&stage, NULL);
    begin(&stage, false, "");
    (void)bench_turn_once(&stage.bench);
    link_id control = greet(&stage);
    const struct status *status = poll(&stage, control);
    assert_true(status->flags & STATUS_LOADING);
    assert_int_equal(status->role, ROLE_UNADOPTED);
    assert_int_equal(status->history.count, 0);
    assert_true(says(ask_once(&stage, "PING"), "-LOADING"));
    finish(&stage);
    status = poll(&stage, control);
    assert_false(status->flags & STATUS_LOADING);
    assert_int_equal(status->history.last_offset, 250);
    end(&stage);
}

static void begin_bound(struct stage *stage)
{
    struct cw_node_state known = {.life = {.incarnation = 1, .bits = 5}, .group = "main"};
    memset(&known.life.node, 7, sizeof(known.life.node));
    struct buf text = {0};
    cw_node_state_encode(&known, &text);
    struct cw_config config;
    configure(stage, false, &config);
    config.state = buf_slice(&text);
    config.state_found = true;
    bench_start(&stage->bench, &config);
    stage->client = bench_connect(&stage->bench);
    buf_free(&text);
}

static void fence(struct stage *stage, link_id control)
{
    say(MESSAGE_FENCE)->fence.epoch = 9;
    send_message(stage, control);
    for (int i = 0; i < 3; i++)
        (void)bench_turn_once(&stage->bench);
}

/* What it would answer would be the history of nobody. */
static void a_node_that_loads_answers_no_fence(void **state)
{
    (void)state;
    struct stage stage;
    prepare(&stage, NULL);
    begin_bound(&stage);
    link_id control = greet(&stage);
    for (int is_loaded = 0; is_loaded < 2; is_loaded++) {
        if (is_loaded)
            finish(&stage);
        fence(&stage, control);
        assert_int_equal(hears(&stage, control, MESSAGE_FENCED), is_loaded);
    }
    assert_int_equal(message.fenced.history.last_offset, 250);
    assert_false(message.fenced.damaged);
    end(&stage);
}

static int open_what_was_set_aside(void *context, const char *name, void **ret_file)
{
    struct memory_storage *memory = context;
    if (strcmp(name, "dump.rdb.damaged") != 0)
        return ERR_NOT_FOUND;
    memory->open_files++;
    *ret_file = memory;
    return 0;
}

/* As long as that is all that it has, it may miss what it once acknowledged. */
static void a_later_life_knows_of_what_was_set_aside(void **state)
{
    (void)state;
    for (int was_damaged = 0; was_damaged < 2; was_damaged++) {
        struct stage stage;
        prepare(&stage, NULL);
        stage.memory.exists = false;
        if (was_damaged)
            stage.memory.storage.open_read = open_what_was_set_aside;
        begin_bound(&stage);
        link_id control = greet(&stage);
        fence(&stage, control);
        assert_true(hears(&stage, control, MESSAGE_FENCED));
        assert_int_equal(message.fenced.history.count, 0);
        assert_int_equal(message.fenced.damaged, was_damaged);
        assert_int_equal(stage.memory.open_files, 0);
        end(&stage);
    }
}

static void a_node_sets_aside_what_is_damaged(void **state)
{
    (void)state;
    struct stage stage;
    prepare(&stage, NULL);
    stage.memory.content.end -= 4;
    begin(&stage, false, "");
    (void)bench_turn_once(&stage.bench);
    link_id control = greet(&stage);
    while (poll(&stage, control)->flags & STATUS_LOADING)
        continue;
    assert_int_equal(message.status.history.count, 0);
    assert_false(stage.bench.exited);
    assert_int_equal(stage.bench.renames, 1);
    assert_true(says(buf_slice(&stage.bench.log), ": incomplete data; it is set aside as dump.rdb.damaged"));
    end(&stage);
}

/* What cannot be set aside stays as it is: the node does nothing, and ends. */
static void a_node_ends_that_cannot_set_aside(void **state)
{
    (void)state;
    for (int is_standalone = 0; is_standalone < 2; is_standalone++) {
        struct stage stage;
        prepare(&stage, NULL);
        stage.memory.content.end -= 4;
        begin(&stage, is_standalone, is_standalone ? "set-aside-damaged-data yes\n" : "");
        stage.bench.rename_result = ERR_DENIED;
        finish(&stage);
        assert_true(stage.bench.exited);
        assert_int_equal(stage.bench.exit_status, 1);
        assert_int_equal(stage.bench.renames, 1);
        assert_true(says(buf_slice(&stage.bench.log), "dump.rdb cannot be set aside as dump.rdb.damaged: "));
        assert_true(says(ask_once(&stage, "DBSIZE"), "-LOADING"));
        bench_stop(&stage.bench);
        assert_string_equal(stage.memory.written_name, "");
        end(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_hear_that_it_loads_and_then_find_all),
        cmocka_unit_test(a_master_leaves_out_what_is_due),
        cmocka_unit_test(what_is_not_loaded_is_not_saved),
        cmocka_unit_test(a_server_by_itself_ends_where_the_file_is_damaged),
        cmocka_unit_test(or_sets_it_aside_where_it_is_told_to),
        cmocka_unit_test(what_is_damaged_at_once_is_told_at_creation),
        cmocka_unit_test(a_library_that_does_not_compile_is_named),
        cmocka_unit_test(a_library_that_compiles_is_there),
        cmocka_unit_test(a_node_that_loads_is_alive_and_has_no_history),
        cmocka_unit_test(a_node_that_loads_answers_no_fence),
        cmocka_unit_test(a_node_sets_aside_what_is_damaged),
        cmocka_unit_test(a_node_ends_that_cannot_set_aside),
        cmocka_unit_test(a_later_life_knows_of_what_was_set_aside),
    };
    return cmocka_run_group_tests_name("loading", tests, NULL, NULL);
}
