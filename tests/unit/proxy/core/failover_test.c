/* What becomes of commands when the master changes: the table of proxy/core/link.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/proxy/stage.h"

#include <stdio.h>

#define UNCERTAIN                                                                                                      \
    "-UNCERTAIN the connection to the master was lost before it answered; the command may or may not have been "       \
    "executed\r\n"
#define TRYAGAIN "-TRYAGAIN no master is available at the moment; the command was not executed\r\n"
#define ABORTED  "-EXECABORT Transaction discarded because the connection to the master was lost\r\n"

static struct stage *stage_with_master(const struct px_config *config)
{
    struct stage *stage = stage_open(config);
    stage_publish(stage, 2, 1, 0, 1);
    return stage;
}

/* A client with its shared link to worker 0 attached. */
static link_id attached_client(struct stage *stage)
{
    link_id client = stage_client(stage);
    stage_say(stage, client, "PING\r\n");
    stage_attach(stage, 0);
    stage_say(stage, stage_worker_link(stage, 0, 0), "+PONG\r\n");
    stage_heard(stage, stage_worker_link(stage, 0, 0));
    stage_expect(stage, client, "+PONG\r\n");
    return client;
}

static void commands_wait_for_the_first_master(void **state)
{
    (void)state;
    struct stage *stage = stage_open(NULL);
    link_id client = stage_client(stage);
    stage_say(stage, client, "SET a 1\r\nGET a\r\n");
    assert_int_equal(px_proxy_inspect(stage->proxy).held_commands, 2);
    stage_publish(stage, 1, 0, 0, 0); /* epoch 0 has no master */
    stage_wait(stage, NS_PER_S);
    stage_publish(stage, 2, 1, 0, 1);
    stage_attach(stage, 0);
    assert_int_equal(px_proxy_inspect(stage->proxy).held_commands, 0);
    assert_int_equal(px_proxy_inspect(stage->proxy).held_bytes, 0);
    link_id worker = stage_worker_link(stage, 0, 0);
    stage_expect(stage, worker, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
    stage_say(stage, worker, "+OK\r\n$1\r\n1\r\n");
    stage_expect(stage, client, "+OK\r\n$1\r\n1\r\n");
    stage_close(stage);
}

static void reads_are_repeated_and_writes_are_uncertain_in_order(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = attached_client(stage);
    link_id old = stage_worker_link(stage, 0, 0);
    stage_say(stage, client, "GET a\r\nSET b 1\r\nGET c\r\nPUBLISH d e\r\n");
    stage->links[old].stuck = true;
    stage_say(stage, client, "SET f 1\r\n"); /* never written */
    stage->workers_refuse = true;
    stage_hang_up(stage, old);
    stage_expect(stage, client, "");
    stage->workers_refuse = false;
    stage_publish(stage, 3, 2, 1, 1);
    stage_attach(stage, 1);
    link_id worker = stage_worker_link(stage, 1, 0);
    stage_expect(stage, worker,
                 "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nc\r\n"
                 "*3\r\n$3\r\nSET\r\n$1\r\nf\r\n$1\r\n1\r\n");
    stage_say(stage, worker, ":1\r\n");
    stage_expect(stage, client, ":1\r\n" UNCERTAIN);
    stage_say(stage, worker, ":3\r\n:5\r\n");
    stage_expect(stage, client, ":3\r\n" UNCERTAIN ":5\r\n");
    assert_int_equal(px_proxy_inspect(stage->proxy).uncertain, 2);
    assert_int_equal(px_proxy_inspect(stage->proxy).repeated, 2);
    stage_close(stage);
}

static void a_lower_version_is_ignored(void **state)
{
    (void)state;
    struct stage *stage = stage_open(NULL);
    stage_publish(stage, 5, 3, 1, 1);
    stage_publish(stage, 4, 2, 0, 1);
    stage_publish(stage, 4, 9, 0, 1);
    assert_int_equal(px_proxy_inspect(stage->proxy).version, 5);
    assert_int_equal(px_proxy_inspect(stage->proxy).epoch, 3);
    stage_close(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_wait_for_the_first_master),
        cmocka_unit_test(reads_are_repeated_and_writes_are_uncertain_in_order),
        cmocka_unit_test(a_lower_version_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
