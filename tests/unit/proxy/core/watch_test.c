/* How the proxy listens to sentinels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/proxy/stage.h"

#include "common/base/mem.h"

#include <stdio.h>

static link_id sentinel_link(const struct stage *stage, unsigned sentinel)
{
    for (link_id i = 0; i < STAGE_LINKS_MAX; i++)
        if (stage->links[i].open && stage->links[i].port == STAGE_SENTINEL_PORT + sentinel)
            return i;
    return LINK_NONE;
}

static void every_sentinel_is_greeted_and_polled_each_second(void **state)
{
    (void)state;
    struct stage *stage = stage_open(NULL);
    static const char subscribe[] = "*4\r\n$7\r\nRESPITE\r\n$9\r\nSUBSCRIBE\r\n$4\r\nmain\r\n$1\r\n%d\r\n";
    char expected[128];
    for (unsigned i = 0; i < 3; i++) {
        const char *greeting = stage_heard(stage, sentinel_link(stage, i));
        assert_non_null(strstr(greeting, "HELLO\r\n$5\r\nproxy\r\n"));
        assert_non_null(strstr(greeting, "$6\r\nsecret\r\n"));
        snprintf(expected, sizeof(expected), subscribe, 0);
        assert_non_null(strstr(greeting, expected));
    }
    stage_publish(stage, 7, 1, 0, 1);
    stage_wait(stage, NS_PER_S);
    snprintf(expected, sizeof(expected), subscribe, 7);
    for (unsigned i = 0; i < 3; i++)
        stage_expect(stage, sentinel_link(stage, i), expected);
    stage_close(stage);
}

static void a_sentinel_that_is_silent_or_talks_nonsense_is_called_anew(void **state)
{
    (void)state;
    struct stage *stage = stage_open(NULL);
    stage_say(stage, sentinel_link(stage, 1), "*1\r\n:1\r\n");
    assert_int_equal(sentinel_link(stage, 1), LINK_NONE);
    stage_wait(stage, NS_PER_S);
    assert_int_not_equal(sentinel_link(stage, 1), LINK_NONE);

    stage_heard(stage, sentinel_link(stage, 2));
    for (int i = 0; i < 7; i++) {
        stage_say(stage, sentinel_link(stage, 0), "+OK\r\n"); /* anything is a sign of life */
        stage_wait(stage, NS_PER_S);
    }
    assert_non_null(strstr(stage_heard(stage, sentinel_link(stage, 2)), "HELLO"));
    assert_non_null(strstr(stage_heard(stage, sentinel_link(stage, 0)), "HELLO")); /* of its one and only greeting */
    stage_say(stage, sentinel_link(stage, 0), "+OK\r\n");
    stage_wait(stage, NS_PER_S);
    assert_null(strstr(stage_heard(stage, sentinel_link(stage, 0)), "HELLO"));
    stage_close(stage);
}

static void the_topology_of_another_group_is_ignored(void **state)
{
    (void)state;
    struct stage *stage = stage_open(NULL);
    stage_publish(stage, 3, 2, 1, 1);
    struct message *message = mem_zero(sizeof(*message));
    message->kind = MESSAGE_TOPOLOGY;
    strcpy(message->group, "other");
    message->learn.topology = stage->topology;
    strcpy(message->learn.topology.group, "other");
    message->learn.topology.version = 9;
    struct buf bytes = {0};
    message_encode(message, &bytes);
    stage_say_bytes(stage, sentinel_link(stage, 1), buf_slice(&bytes));
    assert_int_equal(px_proxy_inspect(stage->proxy).version, 3);

    /* In pieces, from another sentinel, and higher: taken. */
    buf_clear(&bytes);
    strcpy(message->group, "main");
    strcpy(message->learn.topology.group, "main");
    message_encode(message, &bytes);
    for (size_t i = 0; i < bytes.end; i++)
        stage_say_bytes(stage, sentinel_link(stage, 1), slice_of(bytes.memory + i, 1));
    assert_int_equal(px_proxy_inspect(stage->proxy).version, 9);
    buf_free(&bytes);
    mem_free(message);
    stage_close(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sentinel_is_greeted_and_polled_each_second),
        cmocka_unit_test(a_sentinel_that_is_silent_or_talks_nonsense_is_called_anew),
        cmocka_unit_test(the_topology_of_another_group_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
