/* Sessions: order of replies, merging, pools, own commands, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/proxy/stage.h"

#include <stdio.h>

static struct stage *stage_with_master(const struct px_config *config)
{
    struct stage *stage = stage_open(config);
    stage_publish(stage, 2, 1, 0, 1);
    return stage;
}

static void the_link_is_attached_and_commands_follow(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    stage_say(stage, client, "GET a\r\n");
    link_id worker = stage_worker_link(stage, 0, 0);
    assert_int_not_equal(worker, LINK_NONE);
    stage_expect(stage, worker,
                 "*7\r\n$7\r\nRESPITE\r\n$6\r\nATTACH\r\n$6\r\nsecret\r\n$1\r\n1\r\n$32\r\n"
                 "01000000000000000000000000000000\r\n$1\r\n1\r\n$2\r\n77\r\n");
    stage_say(stage, worker, "+OK\r\n");
    stage_expect(stage, worker, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
    assert_int_equal(px_proxy_link_epoch(stage->proxy, worker), 1);
    stage_say(stage, worker, "$1\r\nx\r\n");
    stage_expect(stage, client, "$1\r\nx\r\n");
    stage_close(stage);
}

static link_id attached(struct stage *stage, link_id client)
{
    stage_say(stage, client, "PING\r\n");
    stage_attach(stage, 0);
    link_id worker = stage_worker_link(stage, 0, stage_worker_links(stage, 0) - 1);
    stage_say(stage, worker, "+PONG\r\n");
    stage_heard(stage, worker);
    stage_expect(stage, client, "+PONG\r\n");
    return worker;
}

static void pipelines_split_at_every_byte_keep_their_order(void **state)
{
    (void)state;
    static const char pipeline[] = "*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
                                   "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$2\r\n\r\n\r\n"
                                   "INCR c\r\n"
                                   "*1\r\n$4\r\nPING\r\n";
    static const char request[] = "*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
                                  "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$2\r\n\r\n\r\n"
                                  "*2\r\n$4\r\nINCR\r\n$1\r\nc\r\n"
                                  "*1\r\n$4\r\nPING\r\n";
    static const char replies[] = "$3\r\nx\r\n\r\n*2\r\n:1\r\n$-1\r\n-ERR no\r\n+PONG\r\n";
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    link_id worker = attached(stage, client);
    for (size_t i = 0; i <= sizeof(pipeline) - 1; i++) {
        stage_say_bytes(stage, client, slice_of(pipeline, i));
        stage_say_bytes(stage, client, slice_of(pipeline + i, sizeof(pipeline) - 1 - i));
        stage_expect(stage, worker, request);
        size_t j = i % sizeof(replies);
        stage_say_bytes(stage, worker, slice_of(replies, j));
        stage_say_bytes(stage, worker, slice_of(replies + j, sizeof(replies) - 1 - j));
        stage_expect(stage, client, replies);
    }
    for (size_t i = 0; i < sizeof(pipeline) - 1; i++)
        stage_say_bytes(stage, client, slice_of(pipeline + i, 1));
    stage_expect(stage, worker, request);
    for (size_t i = 0; i < sizeof(replies) - 1; i++)
        stage_say_bytes(stage, worker, slice_of(replies + i, 1));
    stage_expect(stage, client, replies);
    stage_close(stage);
}

static void three_clients_are_merged_into_one_link(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id clients[3];
    for (int i = 0; i < 3; i++)
        clients[i] = stage_client(stage);
    link_id worker = attached(stage, clients[0]);
    stage_tell(stage, clients[2], "GET 2\r\nGET 2\r\n");
    stage_tell(stage, clients[0], "GET 0\r\n");
    stage_tell(stage, clients[1], "GET 1\r\n");
    stage_tell(stage, clients[0], "GET 0\r\n");
    stage_expect(stage, worker, "");
    stage_turn(stage);
    assert_int_equal(stage_worker_links(stage, 0), 1);
    stage_say(stage, worker, ":20\r\n:21\r\n:0\r\n:1\r\n:01\r\n");
    stage_expect(stage, clients[0], ":0\r\n:01\r\n");
    stage_expect(stage, clients[1], ":1\r\n");
    stage_expect(stage, clients[2], ":20\r\n:21\r\n");
    stage_close(stage);
}

static void a_client_that_leaves_does_not_disturb_others(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id stays = stage_client(stage), goes = stage_client(stage);
    link_id worker = attached(stage, stays);
    stage_tell(stage, goes, "GET g\r\n");
    stage_say(stage, stays, "GET s\r\n");
    stage_hang_up(stage, goes);
    assert_int_equal(px_proxy_inspect(stage->proxy).ghosts, 1);
    link_id again = stage_client(stage); /* likely with the same number */
    stage_say(stage, worker, "$1\r\ng\r\n$1\r\ns\r\n");
    stage_expect(stage, stays, "$1\r\ns\r\n");
    stage_expect(stage, again, "");
    assert_int_equal(px_proxy_inspect(stage->proxy).ghosts, 0);
    stage_close(stage);
}

static void select_moves_to_the_pool_of_the_database(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage), other = stage_client(stage);
    link_id zero = attached(stage, client);
    stage_say(stage, client, "SET a 1\r\nSELECT 3\r\nGET a\r\n");
    stage_expect(stage, zero, stage_array("SET a 1"));
    stage_say(stage, zero, "+OK\r\n");
    stage_expect(stage, client, "+OK\r\n+OK\r\n");
    assert_int_equal(stage_worker_links(stage, 0), 2);
    link_id three = stage_worker_link(stage, 0, zero == stage_worker_link(stage, 0, 0) ? 1 : 0);
    stage_say(stage, three, "+OK\r\n");
    stage_say(stage, three, "+OK\r\n"); /* of SELECT */
    assert_non_null(strstr(stage_heard(stage, three), "SELECT\r\n$1\r\n3\r\n*2\r\n$3\r\nGET"));
    stage_say(stage, three, "$-1\r\n");
    stage_expect(stage, client, "$-1\r\n");
    stage_say(stage, other, "GET a\r\n");
    stage_expect(stage, zero, stage_array("GET a"));
    stage_say(stage, client, "SELECT 5\r\nSELECT x\r\n");
    stage_expect(stage, client, "-ERR DB index is out of range\r\n-ERR value is not an integer or out of range\r\n");
    stage_close(stage);
}

static void the_next_connection_over_the_limit_is_told(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id first = LINK_NONE;
    for (int i = 0; i < 2000; i++) {
        link_id client = stage_client(stage);
        assert_true(stage->links[client].open);
        first = first == LINK_NONE ? client : first;
    }
    link_id refused = stage_client(stage);
    stage_expect(stage, refused, "-ERR max number of clients reached\r\n");
    assert_true(stage->links[refused].closed);
    stage_hang_up(stage, first);
    assert_true(stage->links[stage_client(stage)].open);
    assert_int_equal(px_proxy_inspect(stage->proxy).connections, 2000);
    assert_int_equal(px_proxy_inspect(stage->proxy).refused, 1);
    stage_close(stage);
}

static void idle_connections_are_closed_after_150_seconds(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id idle = stage_client(stage), active = stage_client(stage), subscriber = stage_client(stage);
    link_id blocked = stage_client(stage);
    attached(stage, idle);
    stage_say(stage, subscriber, "SUBSCRIBE a\r\n");
    stage_attach(stage, 0);
    link_id worker = stage_worker_link(stage, 0, 1);
    stage_say(stage, worker, "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    stage_say(stage, blocked, "BLPOP q 0\r\n");
    stage_attach(stage, 0);
    stage_wait(stage, 100 * NS_PER_S);
    stage_say(stage, active, "CLIENT ID\r\n");
    stage_wait(stage, 49 * NS_PER_S);
    assert_true(stage->links[idle].open);
    stage_wait(stage, 2 * NS_PER_S);
    assert_false(stage->links[idle].open);
    assert_true(stage->links[active].open);
    stage_wait(stage, 98 * NS_PER_S);
    assert_true(stage->links[active].open);
    stage_wait(stage, 2 * NS_PER_S);
    assert_false(stage->links[active].open);
    assert_true(stage->links[subscriber].open);
    assert_true(stage->links[blocked].open);
    assert_int_equal(px_proxy_inspect(stage->proxy).idle_closed, 2);
    stage_close(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_link_is_attached_and_commands_follow),
        cmocka_unit_test(pipelines_split_at_every_byte_keep_their_order),
        cmocka_unit_test(three_clients_are_merged_into_one_link),
        cmocka_unit_test(a_client_that_leaves_does_not_disturb_others),
        cmocka_unit_test(select_moves_to_the_pool_of_the_database),
        cmocka_unit_test(the_next_connection_over_the_limit_is_told),
        cmocka_unit_test(idle_connections_are_closed_after_150_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
