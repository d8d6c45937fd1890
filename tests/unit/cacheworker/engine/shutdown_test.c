/* The end of a server by itself: whom it waits for, what it saves, and who is told that it does not end. */
#include "cacheworker/engine/shutdown.h"

#include "common/base/errors.h"
#include "tests/unit/cacheworker/engine/bench.h"
#include "tests/unit/cacheworker/memory_storage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define FAILED "-ERR Errors trying to SHUTDOWN. Check logs.\r\n"
#define NO_END "-ERR No shutdown in progress.\r\n"
#define GETACK "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n"

struct stage {
    struct bench bench;
    struct memory_storage memory;
    link_id clients[3];
    link_id replica;
};

static int set_up(void **state)
{
    struct stage *stage = test_calloc(1, sizeof(*stage));
    struct cw_config config;
    memory_storage_init(&stage->memory);
    bench_config(&config, true);
    config.storage = &stage->memory.storage;
    bench_start(&stage->bench, &config);
    for (size_t i = 0; i < ARRAY_LENGTH(stage->clients); i++)
        stage->clients[i] = bench_connect(&stage->bench);
    stage->replica = bench_attach_replica(&stage->bench);
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

static void expect(struct stage *stage, size_t client, const char *request, const char *reply)
{
    struct slice got = bench_ask(&stage->bench, stage->clients[client], request);
    if (!slice_equal(got, slice_text(reply)))
        fail_msg("%s: not %s but %.*s", request, reply, (int)got.length, got.data);
}

static bool tells(struct stage *stage, const char *words)
{
    struct slice told = bench_ask(&stage->bench, stage->clients[0], "INFO server\r\n");
    return memmem(told.data, told.length, words, strlen(words)) != NULL;
}

/* The replica has all that it was sent. */
static void catch_up(struct stage *stage, unsigned long long *offset)
{
    char line[64];
    *offset += bench_take(&stage->bench, stage->replica).length;
    snprintf(line, sizeof(line), "REPLCONF ACK %llu\r\n", *offset);
    bench_receive(&stage->bench, stage->replica, slice_text(line));
    bench_turn(&stage->bench);
}

static void it_waits_for_its_replicas(void **state)
{
    struct stage *stage = *state;
    unsigned long long offset = 0;
    expect(stage, 0, "SET key 1\r\n", "+OK\r\n");
    assert_false(tells(stage, "shutdown_in_milliseconds"));
    expect(stage, 1, "SHUTDOWN\r\n", "");
    assert_false(stage->bench.exited);
    assert_true(tells(stage, "\r\nshutdown_in_milliseconds:10000\r\n"));
    struct slice sent = bench_take(&stage->bench, stage->replica);
    assert_non_null(memmem(sent.data, sent.length, GETACK, strlen(GETACK)));
    offset += sent.length;
    expect(stage, 2, "SET key 2\r\n", ""); /* it waits, too */
    expect(stage, 0, "GET key\r\n", "$1\r\n1\r\n");
    bench_advance(&stage->bench, 9 * NS_PER_S);
    assert_int_equal(bench_take(&stage->bench, stage->replica).length, 0); /* no PING, either */
    assert_false(stage->bench.exited);
    catch_up(stage, &offset);
    assert_true(stage->bench.exited);
    assert_int_equal(stage->bench.exit_status, 0);
    assert_string_equal(stage->memory.written_name, "dump.rdb");
    assert_int_equal(bench_take(&stage->bench, stage->clients[1]).length, 0);
    assert_int_equal(bench_take(&stage->bench, stage->clients[2]).length, 0);
}

static void who_lacks_nothing_is_not_waited_for(void **state)
{
    struct stage *stage = *state;
    unsigned long long offset = 0;
    expect(stage, 0, "SET key 1\r\n", "+OK\r\n");
    catch_up(stage, &offset);
    bench_stop(&stage->bench);
    assert_true(stage->bench.exited);
}

static void it_waits_for_shutdown_timeout_and_no_longer(void **state)
{
    struct stage *stage = *state;
    expect(stage, 0, "CONFIG SET shutdown-timeout 3\r\n", "+OK\r\n");
    expect(stage, 0, "SET key 1\r\n", "+OK\r\n");
    bench_stop(&stage->bench);
    bench_advance(&stage->bench, 2999 * NS_PER_MS);
    assert_false(stage->bench.exited);
    bench_advance(&stage->bench, NS_PER_MS);
    assert_true(stage->bench.exited);
    assert_int_equal(stage->bench.exit_status, 0);
    struct slice log = buf_slice(&stage->bench.log);
    assert_non_null(memmem(log.data, log.length, "\n0 of 1 replicas have all", 25));
}

static void or_not_at_all(void **state)
{
    struct stage *stage = *state;
    static const char *const ways[] = {"CONFIG SET shutdown-timeout 0\r\nSHUTDOWN\r\n", "SHUTDOWN NOW\r\n",
                                       "CONFIG SET shutdown-on-sigterm now\r\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
        expect(stage, 0, "SET key 1\r\n", "+OK\r\n");
        bench_ask(&stage->bench, stage->clients[0], ways[i]);
        if (i == 2)
            bench_stop(&stage->bench);
        assert_true(stage->bench.exited);
        tear_down(state);
        set_up(state);
        stage = *state;
    }
}

static void a_second_signal_ends_the_waiting(void **state)
{
    struct stage *stage = *state;
    expect(stage, 0, "SET key 1\r\n", "+OK\r\n");
    bench_stop(&stage->bench);
    assert_false(stage->bench.exited);
    bench_stop(&stage->bench);
    assert_true(stage->bench.exited);
}

static void abort_leads_back(void **state)
{
    struct stage *stage = *state;
    expect(stage, 0, "SHUTDOWN ABORT\r\n", NO_END);
    expect(stage, 0, "SET key 1\r\n", "+OK\r\n");
    expect(stage, 1, "SHUTDOWN\r\n", "");
    expect(stage, 2, "SHUTDOWN NOW NOSAVE\r\n", ""); /* whatever it says, it joins the first */
    expect(stage, 0, "CLIENT UNBLOCK 2\r\n", ":0\r\n");
    expect(stage, 0, "SHUTDOWN ABORT\r\n", "+OK\r\n");
    for (size_t i = 1; i < 3; i++)
        assert_true(slice_equal(bench_take(&stage->bench, stage->clients[i]), SLICE_LITERAL(FAILED)));
    expect(stage, 0, "SHUTDOWN ABORT\r\n", NO_END);
    expect(stage, 1, "SET key 2\r\n", "+OK\r\n");
    bench_advance(&stage->bench, 20 * NS_PER_S);
    assert_false(stage->bench.exited);
}

static void what_client_pause_said_comes_back(void **state)
{
    struct stage *stage = *state;
    expect(stage, 0, "SET key 1\r\n", "+OK\r\n");
    expect(stage, 0, "CLIENT PAUSE 3000 WRITE\r\n", "+OK\r\n");
    expect(stage, 1, "SHUTDOWN\r\n", "");
    expect(stage, 0, "SHUTDOWN ABORT\r\n", "+OK\r\n");
    expect(stage, 2, "SET key 2\r\n", "");
    bench_advance(&stage->bench, 4 * NS_PER_S);
    assert_true(slice_equal(bench_take(&stage->bench, stage->clients[2]), SLICE_LITERAL("+OK\r\n")));

    bench_take(&stage->bench, stage->clients[1]);
    expect(stage, 0, "CLIENT PAUSE 300000 WRITE\r\n", "+OK\r\n");
    expect(stage, 1, "SHUTDOWN\r\n", "");
    expect(stage, 0, "CLIENT UNPAUSE\r\n", "+OK\r\n");
    expect(stage, 2, "SET key 3\r\n", ""); /* the end is still awaited */
    expect(stage, 0, "SHUTDOWN ABORT\r\n", "+OK\r\n");
    assert_true(slice_equal(bench_take(&stage->bench, stage->clients[2]), SLICE_LITERAL("+OK\r\n")));
}

static void what_cannot_be_saved_keeps_it_alive(void **state)
{
    struct stage *stage = *state;
    unsigned long long offset = 0;
    stage->memory.commit_result = ERR_DISK_FULL;
    expect(stage, 1, "SHUTDOWN\r\n", FAILED);
    expect(stage, 0, "SET key 1\r\n", "+OK\r\n");
    expect(stage, 1, "SHUTDOWN\r\n", "");
    expect(stage, 2, "SHUTDOWN\r\n", "");
    catch_up(stage, &offset);
    for (size_t i = 1; i < 3; i++)
        assert_true(slice_equal(bench_take(&stage->bench, stage->clients[i]), SLICE_LITERAL(FAILED)));
    expect(stage, 0, "SET key 2\r\n", "+OK\r\n");
    expect(stage, 1, "SHUTDOWN NOW FORCE\r\n", "");
    assert_true(stage->bench.exited);
}

static void a_signal_that_failed_need_only_be_repeated(void **state)
{
    struct stage *stage = *state;
    unsigned long long offset = 0;
    catch_up(stage, &offset);
    stage->memory.commit_result = ERR_DISK_FULL;
    bench_stop(&stage->bench);
    assert_false(stage->bench.exited);
    expect(stage, 0, "SET key 1\r\n", "+OK\r\n");
    catch_up(stage, &offset);
    bench_stop(&stage->bench);
    assert_true(stage->bench.exited);
}

static void signals_have_options(void **state)
{
    struct stage *stage = *state;
    expect(stage, 0, "CONFIG SET shutdown-on-sigterm 'save nosave'\r\n",
           "-ERR CONFIG SET failed (possibly related to argument 'shutdown-on-sigterm') - shutdown options SAVE and "
           "NOSAVE can't be used simultaneously\r\n");
    expect(stage, 0, "CONFIG SET shutdown-on-sigint 'FORCE save'\r\n", "+OK\r\n");
    expect(stage, 0, "CONFIG GET shutdown-on-sigint\r\n", "*2\r\n$18\r\nshutdown-on-sigint\r\n$10\r\nsave force\r\n");
    expect(stage, 0, "CONFIG GET shutdown-on-sigterm\r\n", "*2\r\n$19\r\nshutdown-on-sigterm\r\n$7\r\ndefault\r\n");
    expect(stage, 0, "CONFIG SET shutdown-on-sigterm 'now nosave'\r\n", "+OK\r\n");
    expect(stage, 0, "SET key 1\r\n", "+OK\r\n");
    bench_stop(&stage->bench);
    assert_true(stage->bench.exited);
    assert_string_equal(stage->memory.written_name, "");
}

static void a_node_of_a_group_ends_at_once(void **state)
{
    (void)state;
    struct bench bench;
    struct memory_storage memory;
    struct cw_config config;
    memory_storage_init(&memory);
    memory.commit_result = ERR_DISK_FULL;
    bench_config(&config, false);
    config.storage = &memory.storage;
    bench_start(&bench, &config);
    bench_stop(&bench);
    assert_true(bench.exited);
    assert_int_equal(bench.exit_status, 1);
    bench_end(&bench);
    memory_storage_free(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_waits_for_its_replicas, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_lacks_nothing_is_not_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_waits_for_shutdown_timeout_and_no_longer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(or_not_at_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_signal_ends_the_waiting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(abort_leads_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_client_pause_said_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_saved_keeps_it_alive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_signal_that_failed_need_only_be_repeated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(signals_have_options, set_up, tear_down),
        cmocka_unit_test(a_node_of_a_group_ends_at_once),
    };
    return cmocka_run_group_tests_name("shutdown", tests, NULL, NULL);
}
