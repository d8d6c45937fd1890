/* Sessions: order of replies, merging, pools, own commands, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/base/throttle.h"
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
    stage_say(stage, client, "SELECT 5\r\nSELECT x\r\nSELECT 2147483648\r\n");
    stage_expect(stage, client,
                 "-ERR DB index is out of range\r\n-ERR value is not an integer or out of range\r\n"
                 "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n");
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

/* ---- own commands ---- */

static struct stage *stage_with_password(void)
{
    struct stage probe;
    struct px_config config;
    stage_config(&probe, &config);
    config.requirepass = SLICE_LITERAL("hush");
    struct stage *stage = stage_open(&config);
    stage_publish(stage, 2, 1, 0, 1);
    return stage;
}

static void nothing_passes_before_authentication(void **state)
{
    (void)state;
    struct stage *stage = stage_with_password();
    link_id client = stage_client(stage);
    stage_say(stage, client, "GET a\r\nCLIENT ID\r\nRESPITE PROXY\r\nAUTH x\r\nHELLO 3\r\n");
    stage_expect(stage, client,
                 "-NOAUTH Authentication required.\r\n-NOAUTH Authentication required.\r\n"
                 "-NOAUTH Authentication required.\r\n"
                 "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
                 "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> "
                 "AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol "
                 "version at the same time\r\n");
    stage_say(stage, client, "AUTH\r\nGET\r\n");
    stage_expect(stage, client,
                 "-ERR wrong number of arguments for 'auth' command\r\n"
                 "-ERR wrong number of arguments for 'get' command\r\n");
    assert_int_equal(stage_worker_links(stage, 0), 0);
    stage_say(stage, client, "AUTH hush\r\nSELECT 1\r\nRESET\r\nGET a\r\nAUTH default hush\r\n");
    stage_expect(stage, client, "+OK\r\n+OK\r\n+RESET\r\n-NOAUTH Authentication required.\r\n+OK\r\n");

    link_id late = stage_client(stage), big = stage_client(stage);
    stage_say(stage, big, "*2\r\n$4\r\nAUTH\r\n$20000\r\n");
    stage_expect(stage, big, "-ERR Protocol error: unauthenticated bulk length\r\n");
    stage_wait(stage, 9 * NS_PER_S);
    assert_true(stage->links[late].open);
    stage_wait(stage, 2 * NS_PER_S);
    assert_false(stage->links[late].open);
    assert_true(stage->links[client].open);
    stage_close(stage);
}

#define WRONGPASS "-WRONGPASS invalid username-password pair or user is disabled.\r\n"

/* The master is asked; then the client shares links with others of that name only, which say whose they are. */
static void users_have_links_of_their_own(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id ann = stage_client(stage), other = stage_client(stage);
    link_id common = attached(stage, other);
    stage_say(stage, ann, "AUTH ann wrong\r\nGET x\r\n");
    stage_expect(stage, common, stage_array("RESPITE LOGIN ann wrong"));
    stage_say(stage, common, WRONGPASS);
    stage_expect(stage, ann, WRONGPASS);
    stage_expect(stage, common, stage_array("GET x")); /* what follows waits for the answer */
    stage_say(stage, common, "$-1\r\n");
    stage_expect(stage, ann, "$-1\r\n");

    stage_say(stage, ann, "AUTH ann right\r\nGET a\r\n");
    stage_expect(stage, common, stage_array("RESPITE LOGIN ann right"));
    stage_say(stage, common, "+OK\r\n");
    stage_expect(stage, ann, "+OK\r\n");
    stage_expect(stage, common, "");
    link_id own = stage_worker_link(stage, 0, 1);
    assert_non_null(strstr(stage_heard(stage, own), "\r\n$2\r\n77\r\n$3\r\nann\r\n"));
    stage_say(stage, own, "+OK\r\n");
    stage_expect(stage, own, stage_array("GET a"));
    stage_say(stage, own, "$1\r\nx\r\n");
    stage_expect(stage, ann, "$1\r\nx\r\n");

    /* A second client of that name shares it. */
    link_id second = stage_client(stage);
    stage_say(stage, second, "HELLO 2 AUTH ann right SETNAME me\r\n");
    stage_expect(stage, common, stage_array("RESPITE LOGIN ann right"));
    stage_say(stage, common, "+OK\r\n");
    assert_non_null(strstr(stage_heard(stage, second), "*14\r\n$6\r\nserver\r\n"));
    stage_say(stage, second, "GET b\r\n");
    stage_expect(stage, own, stage_array("GET b"));
    stage_say(stage, own, "-NOPERM No permissions to access a key\r\n");
    stage_expect(stage, second, "-NOPERM No permissions to access a key\r\n");

    /* It goes with the last of them. */
    stage_say(stage, ann, "RESET\r\n");
    stage_expect(stage, ann, "+RESET\r\n");
    assert_true(stage->links[own].open);
    stage_hang_up(stage, second);
    stage_turn(stage);
    assert_false(stage->links[own].open);
    stage_say(stage, ann, "GET c\r\n");
    stage_expect(stage, common, stage_array("GET c"));
    stage_close(stage);
}

/* What the proxy does itself is the worker's to allow, too. */
static void the_worker_is_asked_for_leave(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id ann = stage_client(stage);
    stage_say(stage, ann, "AUTH ann right\r\nSELECT 1\r\nCLIENT LIST\r\nCLIENT GETNAME\r\nPING\r\n");
    stage_attach(stage, 0);
    link_id common = stage_worker_link(stage, 0, 0);
    stage_expect(stage, common, stage_array("RESPITE LOGIN ann right"));
    stage_say(stage, common, "+OK\r\n");
    stage_attach(stage, 0);
    link_id own = stage_worker_link(stage, 0, 1);
    stage_expect(stage, own, stage_array("RESPITE MAY SELECT 1"));
    stage_say(stage, own, "-NOPERM User ann has no permissions to run the 'select' command\r\n");
    stage_expect(stage, ann, "+OK\r\n-NOPERM User ann has no permissions to run the 'select' command\r\n");
    stage_expect(stage, own, stage_array("RESPITE MAY CLIENT LIST"));
    stage_say(stage, own, "-NOPERM no\r\n");
    stage_expect(stage, own, stage_array("RESPITE MAY CLIENT GETNAME"));
    stage_say(stage, own, "+OK\r\n");
    stage_expect(stage, ann, "-NOPERM no\r\n$-1\r\n");
    stage_expect(stage, own, stage_array("PING"));
    stage_close(stage);
}

/* A login is asked again of the next master; who is gone there is closed. */
static void users_survive_a_failover_unless_they_are_gone(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id ann = stage_client(stage), bob = stage_client(stage);
    stage_say(stage, ann, "AUTH ann right\r\n");
    stage_attach(stage, 0);
    stage_publish(stage, 3, 2, 1, 1);
    stage_attach(stage, 1);
    link_id common = stage_worker_link(stage, 1, 0);
    stage_expect(stage, common, stage_array("RESPITE LOGIN ann right"));
    stage_say(stage, common, "+OK\r\n");
    stage_expect(stage, ann, "+OK\r\n");
    stage_say(stage, bob, "AUTH bob right\r\n");
    stage_say(stage, common, "+OK\r\n");
    stage_expect(stage, bob, "+OK\r\n");
    stage_say(stage, ann, "GET a\r\n");
    stage_say(stage, bob, "GET b\r\n");
    stage_say(stage, stage_worker_link(stage, 1, 1), "-WRONGPASS there is no such user, or it is off\r\n");
    stage_turn(stage);
    assert_false(stage->links[ann].open);
    assert_true(stage->links[bob].open);
    stage_close(stage);
}

/* The same source is not believed for ever. */
static void wrong_passwords_run_out(void **state)
{
    (void)state;
    struct stage *stage = stage_with_password();
    link_id client = stage_client(stage);
    for (unsigned i = 0; i < THROTTLE_ALLOWANCE; i++) {
        stage_say(stage, client, "AUTH x\r\n");
        stage_expect(stage, client, WRONGPASS);
    }
    stage_say(stage, client, "AUTH hush\r\n");
    stage_expect(stage, client, "-" THROTTLE_WORDS "\r\n");
    stage_wait(stage, NS_PER_S);
    stage_say(stage, client, "AUTH hush\r\n");
    stage_expect(stage, client, "+OK\r\n");
    stage_close(stage);
}

static void hello_speaks_for_a_redis_server(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    stage_say(stage, client, "HELLO 3 SETNAME me\r\n");
    stage_expect(stage, client,
                 "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n$5\r\nproto\r\n:3\r\n"
                 "$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
                 "$7\r\nmodules\r\n*0\r\n");
    stage_say(stage, client, "CLIENT GETNAME\r\nHELLO 4\r\nHELLO x\r\nHELLO 2 NOPE\r\n");
    stage_expect(stage, client,
                 "$2\r\nme\r\n-NOPROTO unsupported protocol version\r\n"
                 "-ERR Protocol version is not an integer or out of range\r\n"
                 "-ERR Syntax error in HELLO option 'NOPE'\r\n");
    stage_say(stage, client, "GET a\r\n");
    link_id worker = stage_worker_link(stage, 0, 0);
    assert_non_null(strstr(stage_heard(stage, worker), "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"));
    stage_say(stage, worker, "+OK\r\n%0\r\n");
    stage_expect(stage, worker, stage_array("GET a"));
    stage_say(stage, worker, "_\r\n");
    stage_expect(stage, client, "_\r\n");
    stage_close(stage);
}

static void client_commands_are_answered_here(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage), other = stage_client(stage);
    stage_say(stage, client, "CLIENT ID\r\nCLIENT GETNAME\r\nCLIENT SETNAME a\r\nCLIENT SETNAME \"b c\"\r\n");
    stage_expect(stage, client,
                 ":1\r\n$-1\r\n+OK\r\n-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    stage_say(stage, client, "CLIENT SETINFO LIB-NAME x\r\nCLIENT SETINFO NO x\r\nCLIENT NOPE\r\nCLIENT SETNAME\r\n");
    stage_expect(stage, client,
                 "+OK\r\n-ERR Unrecognized option 'NO'\r\n-ERR unknown subcommand 'NOPE'. Try CLIENT HELP.\r\n"
                 "-ERR wrong number of arguments for 'client|setname' command\r\n");
    stage_say(stage, client, "CLIENT LIST\r\n");
    const char *list = stage_heard(stage, client);
    assert_non_null(strstr(list, "id=1 addr=127.0.0.1:40000 name=a "));
    assert_non_null(strstr(list, "\nid=2 "));
    assert_non_null(strstr(list, "lib-name=x"));
    stage_say(stage, client, "CLIENT LIST ID 2\r\n");
    list = stage_heard(stage, client);
    assert_null(strstr(list, "id=1 "));
    assert_non_null(strstr(list, "id=2 "));
    stage_say(stage, client, "CLIENT LIST TYPE pubsub\r\nCLIENT LIST TYPE x\r\nCLIENT LIST x\r\n");
    stage_expect(stage, client, "$0\r\n\r\n-ERR Unknown client type 'x'\r\n-ERR syntax error\r\n");
    stage_say(stage, client, "CLIENT TRACKINGINFO\r\nCLIENT TRACKING OFF\r\nCLIENT KILL ID x\r\n");
    stage_expect(stage, client,
                 "*6\r\n$5\r\nflags\r\n*1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n"
                 "+OK\r\n-ERR client-id should be greater than 0\r\n");
    stage_say(stage, client, "CLIENT HELP\r\n");
    assert_non_null(strstr(stage_heard(stage, client), "+SETNAME <name>\r\n"));
    stage_say(stage, client, "CLIENT KILL ID 2\r\nCLIENT KILL ID 99\r\nCLIENT KILL 1.2.3.4:5\r\n");
    stage_expect(stage, client, ":1\r\n:0\r\n-ERR No such client\r\n");
    assert_false(stage->links[other].open);
    stage_say(stage, client, "CLIENT KILL ID 1 SKIPME NO\r\n");
    stage_expect(stage, client, ":1\r\n");
    assert_false(stage->links[client].open);
    stage_close(stage);
}

static void clients_are_killed_by_what_they_are(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage), old = stage_client(stage), listens = stage_client(stage);
    stage_say(stage, listens, "SUBSCRIBE c\r\n");
    stage_attach(stage, 0);
    stage_say(stage, stage_worker_link(stage, 0, 0), "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    stage_say(stage, client, "CLIENT KILL TYPE pubsub\r\nCLIENT KILL TYPE pubsub\r\nCLIENT KILL TYPE x\r\n");
    stage_expect(stage, client, ":1\r\n:0\r\n-ERR Unknown client type 'x'\r\n");
    assert_false(stage->links[listens].open);
    stage_say(stage, client, "CLIENT KILL USER ann\r\nCLIENT KILL MAXAGE 0\r\nCLIENT KILL MAXAGE 100\r\n");
    stage_expect(stage, client, ":0\r\n-ERR maxage is not an integer or out of range\r\n:0\r\n");
    stage_wait(stage, 60 * NS_PER_S);
    link_id young = stage_client(stage);
    stage_say(stage, client, "CLIENT KILL MAXAGE 60 USER default\r\nCLIENT KILL ID 3 LADDR 1.2.3.4:5\r\n");
    stage_expect(stage, client, ":1\r\n-ERR LADDR is not known to a proxy\r\n");
    assert_true(stage->links[young].open && !stage->links[old].open);
    stage_say(stage, client, "CLIENT KILL 127.0.0.1:40000\r\n"); /* all stand at that address here */
    stage_expect(stage, client, "+OK\r\n");
    assert_true(!stage->links[young].open && !stage->links[client].open);
    stage_close(stage);
}

#define PARKED ">3\r\n$14\r\nrespite-parked\r\n$2\r\n77\r\n*3\r\n$5\r\nBLPOP\r\n$1\r\nq\r\n$1\r\n0\r\n"

static void a_client_that_waits_is_unblocked(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage), waits = stage_client(stage);
    link_id shared = attached(stage, client);
    stage_say(stage, client, "CLIENT UNBLOCK 2\r\nCLIENT UNBLOCK x\r\nCLIENT UNBLOCK 2 NOW\r\nCLIENT UNBLOCK 99\r\n");
    stage_expect(stage, client,
                 ":0\r\n-ERR value is not an integer or out of range\r\n"
                 "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n:0\r\n");
    stage_say(stage, waits, "BLPOP q 0\r\n");
    stage_attach(stage, 0);
    link_id own = stage_worker_link(stage, 0, 1);
    stage_say(stage, client, "CLIENT UNBLOCK 2\r\n"); /* nobody knows yet whether it waits */
    stage_expect(stage, client, ":0\r\n");
    stage_say(stage, own, PARKED);
    stage_say(stage, client, "CLIENT LIST ID 2\r\n");
    assert_non_null(strstr(stage_heard(stage, client), " flags=b "));
    stage_heard(stage, shared);
    stage_say(stage, client, "CLIENT UNBLOCK 2 ERROR\r\n");
    stage_expect(stage, shared, stage_array("CLIENT UNBLOCK 77 ERROR"));
    stage_say(stage, own, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    stage_say(stage, shared, ":1\r\n");
    stage_expect(stage, client, ":1\r\n");
    stage_expect(stage, waits, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");

    /* Between two masters it is the proxy that knows. */
    for (int with_error = 0; with_error <= 1; with_error++) {
        stage_say(stage, waits, "BLPOP q 0\r\n");
        stage_attach(stage, (unsigned)with_error);
        own = stage_worker_link(stage, (unsigned)with_error, stage_worker_links(stage, (unsigned)with_error) - 1);
        stage_say(stage, own, PARKED);
        stage->workers_refuse = true;
        stage_hang_up(stage, own);
        stage_say(stage, client, with_error ? "CLIENT UNBLOCK 2 ERROR\r\n" : "CLIENT UNBLOCK 2\r\n");
        stage_expect(stage, client, ":1\r\n");
        stage_expect(stage, waits, with_error ? "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n" : "*-1\r\n");
        stage->workers_refuse = false;
        stage_publish(stage, 3 + (uint64_t)with_error, 2 + (uint64_t)with_error, 1 + (unsigned)with_error, 1);
    }
    stage_close(stage);
}

/* Another worker has another client of that number. */
static void nobody_else_is_unblocked_after_a_failover(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage), waits = stage_client(stage);
    stage_say(stage, waits, "BLPOP q 0\r\n");
    stage_attach(stage, 0);
    stage_say(stage, stage_worker_link(stage, 0, 0), PARKED);
    stage_say(stage, client, "CLIENT UNBLOCK 2\r\n"); /* its link is not attached yet */
    stage_expect(stage, client, "");
    stage_publish(stage, 3, 2, 1, 1);
    stage_attach(stage, 1);
    char heard[256] = "";
    for (unsigned i = 0; i < stage_worker_links(stage, 1); i++)
        strncat(heard, stage_heard(stage, stage_worker_link(stage, 1, i)), sizeof(heard) - strlen(heard) - 1);
    assert_string_equal(heard, stage_array("BLPOP q 0"));
    assert_memory_equal(stage_heard(stage, client), "-UNCERTAIN ", 11);
    stage_close(stage);
}

static void a_pause_is_the_masters(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    link_id shared = attached(stage, client);
    stage_heard(stage, shared);
    stage_say(stage, client, "CLIENT PAUSE 100 WRITE\r\nSET a 1\r\n");
    stage_expect(stage, shared,
                 "*4\r\n$6\r\nCLIENT\r\n$5\r\nPAUSE\r\n$3\r\n100\r\n$5\r\nWRITE\r\n"
                 "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n");
    stage_say(stage, shared, "+OK\r\n");
    link_id other = stage_client(stage);
    stage_say(stage, other, "CLIENT UNPAUSE\r\nGET a\r\n");
    stage_attach(stage, 0); /* a link of its own: what is held back stands on the shared one */
    link_id own = stage_worker_link(stage, 0, 1);
    assert_non_null(strstr(stage_heard(stage, own), stage_array("CLIENT UNPAUSE")));
    stage_say(stage, own, "+OK\r\n$1\r\n1\r\n");
    stage_expect(stage, other, "+OK\r\n$1\r\n1\r\n");
    stage_close(stage);
}

/* Gives each thread a turn, until nobody wakes the others any more. */
static void turn_all(struct stage **stages, size_t count)
{
    for (bool woke = true; woke;) {
        woke = false;
        for (size_t i = 0; i < count; i++) {
            stages[i]->woke = false;
            stage_turn(stages[i]);
            woke = woke || stages[i]->woke;
        }
    }
}

static void the_clients_of_all_threads_are_meant(void **state)
{
    (void)state;
    struct stage *stages[3] = {stage_with_master(NULL)};
    for (unsigned i = 1; i < 3; i++) {
        stages[i] = stage_open_beside(stages[0], i);
        stage_publish(stages[i], 2, 1, 0, 1);
    }
    link_id client = stage_client(stages[0]), second = stage_client(stages[1]), third = stage_client(stages[2]);
    stage_say(stages[0], client, "CLIENT LIST\r\nCLIENT ID\r\n");
    stage_expect(stages[0], client, "");
    turn_all(stages, 3);
    const char *list = stage_heard(stages[0], client);
    for (int id = 1; id <= 3; id++) {
        char text[16];
        snprintf(text, sizeof(text), "id=%d ", id);
        assert_non_null(strstr(list, text));
    }
    assert_non_null(strstr(list, "\n\r\n:1\r\n")); /* what stands behind it waited */
    stage_say(stages[0], client, "CLIENT LIST ID 3\r\nCLIENT KILL ID 2\r\nCLIENT KILL ID 2\r\nCLIENT KILL x:1\r\n");
    turn_all(stages, 3);
    list = stage_heard(stages[0], client);
    assert_null(strstr(list, "id=1 "));
    assert_non_null(strstr(list, "id=3 "));
    assert_non_null(strstr(list, "\n\r\n:1\r\n:0\r\n-ERR No such client\r\n"));
    assert_false(stages[1]->links[second].open);

    stage_say(stages[2], third, "BLPOP q 0\r\n");
    stage_attach(stages[2], 0);
    stage_say(stages[2], stage_worker_link(stages[2], 0, 0), PARKED);
    stage_say(stages[0], client, "CLIENT UNBLOCK 3\r\n");
    turn_all(stages, 3);
    stage_attach(stages[0], 0);
    stage_expect(stages[0], stage_worker_link(stages[0], 0, 0), stage_array("CLIENT UNBLOCK 77"));
    stage_say(stages[0], stage_worker_link(stages[0], 0, 0), ":1\r\n");
    stage_expect(stages[0], client, ":1\r\n");

    stage_say(stages[2], third, "PING\r\n"); /* waits behind it */
    stage_say(stages[0], client, "CLIENT KILL SKIPME NO TYPE normal\r\nPING\r\n");
    turn_all(stages, 3);
    stage_expect(stages[0], client, ":2\r\n");
    assert_true(!stages[0]->links[client].open && !stages[2]->links[third].open);
    for (int i = 2; i >= 0; i--)
        stage_close(stages[i]);
}

static void a_thread_that_does_not_answer_is_not_waited_for(void **state)
{
    (void)state;
    struct stage *stages[2] = {stage_with_master(NULL)};
    stages[1] = stage_open_beside(stages[0], 1);
    link_id client = stage_client(stages[0]), gone = stage_client(stages[0]);
    stage_say(stages[0], client, "CLIENT LIST\r\nCLIENT ID\r\n");
    stage_say(stages[0], gone, "CLIENT LIST\r\n");
    stage_hang_up(stages[0], gone);
    stage_wait(stages[0], 5 * NS_PER_S - 1);
    stage_expect(stages[0], client, "");
    stage_wait(stages[0], 1);
    stage_expect(stages[0], client, "-ERR a thread of the proxy does not answer\r\n:1\r\n");
    turn_all(stages, 2); /* its answers are for nobody */
    stage_expect(stages[0], client, "");
    stage_say(stages[0], client, "CLIENT LIST\r\n"); /* nobody reads this one, nor frees it */
    stage_close(stages[1]);
    stage_close(stages[0]);
}

static void client_reply_silences(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    link_id worker = attached(stage, client);
    stage_say(stage, client, "CLIENT REPLY SKIP\r\nINCR a\r\nINCR b\r\n");
    stage_say(stage, worker, ":1\r\n:2\r\n");
    stage_expect(stage, client, ":2\r\n");
    stage_say(stage, client, "CLIENT REPLY OFF\r\nINCR a\r\nCLIENT ID\r\n");
    stage_say(stage, worker, ":3\r\n");
    stage_expect(stage, client, "");
    stage_say(stage, client, "CLIENT REPLY ON\r\nINCR a\r\n");
    stage_say(stage, worker, ":4\r\n");
    stage_expect(stage, client, "+OK\r\n:4\r\n");
    stage_close(stage);
}

/* printf 'SET a 1\r\n...' | nc: a client may say all that it has to say, and then listen. */
static void who_says_no_more_hears_the_rest(void **state)
{
    (void)state;
    struct stage *stage = stage_open(NULL);
    stage_publish(stage, 2, 1, 0, 1);
    link_id client = stage_client(stage);
    stage_say(stage, client, "SET a 1\r\nMULTI\r\nINCR b\r\nEXEC\r\nGET"); /* the last one is not complete */
    stage_end(stage, client);
    stage_attach(stage, 0);
    stage_say(stage, stage_worker_link(stage, 0, 0), "+OK\r\n");
    stage_expect(stage, client, "+OK\r\n");
    stage_wait(stage, 1);
    stage_attach(stage, 0);
    assert_true(stage->links[client].open);
    stage_say(stage, stage_worker_link(stage, 0, 1), "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n");
    stage_wait(stage, 1);
    stage_expect(stage, client, "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n");
    assert_false(stage->links[client].open);
    assert_int_equal(px_proxy_inspect(stage->proxy).connections, 0);

    client = stage_client(stage); /* has nothing to say */
    stage_end(stage, client);
    assert_false(stage->links[client].open);
    stage_close(stage);
}

static void who_says_no_more_is_not_cut_short_when_it_reads_slowly(void **state)
{
    (void)state;
    struct stage *stage = stage_open(NULL);
    stage_publish(stage, 2, 1, 0, 1);
    link_id client = stage_client(stage), reset = stage_client(stage);
    stage->links[client].stuck = true;
    stage_say(stage, client, "GET a\r\n");
    stage_say(stage, reset, "GET a\r\n");
    stage_end(stage, client);
    stage_end(stage, reset);
    stage_attach(stage, 0);
    stage_hang_up(stage, reset); /* it was gone */
    stage_say(stage, stage_worker_link(stage, 0, 0), "$3\r\nabc\r\n$3\r\nabc\r\n");
    stage_wait(stage, 10 * NS_PER_S);
    assert_true(stage->links[client].open);
    stage_release(stage, client);
    stage_wait(stage, 1);
    stage_expect(stage, client, "$3\r\nabc\r\n");
    assert_false(stage->links[client].open);
    client = stage_client(stage);
    stage->links[client].stuck = true;
    stage_say(stage, client, "PING\r\n");
    stage_end(stage, client);
    stage_say(stage, stage_worker_link(stage, 0, 0), "+PONG\r\n");
    stage_wait(stage, 140 * NS_PER_S);
    assert_true(stage->links[client].open);
    stage_wait(stage, 20 * NS_PER_S); /* idle */
    assert_false(stage->links[client].open);
    stage_close(stage);
}

/* What it would be given may have nobody to go to. */
static void nobody_waits_for_who_says_no_more(void **state)
{
    (void)state;
    static const char parked[] =
        ">3\r\n$14\r\nrespite-parked\r\n$2\r\n77\r\n*3\r\n$5\r\nBLPOP\r\n$1\r\nq\r\n$1\r\n0\r\n";
    for (int before = 0; before <= 1; before++) {
        struct stage *stage = stage_open(NULL);
        stage_publish(stage, 2, 1, 0, 1);
        link_id client = stage_client(stage);
        stage_say(stage, client, "BLPOP q 0\r\n");
        if (before)
            stage_end(stage, client);
        stage_attach(stage, 0);
        assert_true(stage->links[client].open);
        stage_say(stage, stage_worker_link(stage, 0, 0), parked);
        if (!before)
            stage_end(stage, client);
        stage_wait(stage, 1);
        assert_false(stage->links[client].open);
        assert_int_equal(stage_worker_links(stage, 0), 0); /* the worker sees that it is gone */
        stage_close(stage);
    }
    struct stage *stage = stage_open(NULL); /* what is there it may have */
    stage_publish(stage, 2, 1, 0, 1);
    link_id client = stage_client(stage);
    stage_say(stage, client, "BLPOP q 0\r\n");
    stage_end(stage, client);
    stage_attach(stage, 0);
    stage_say(stage, stage_worker_link(stage, 0, 0), "*2\r\n$1\r\nq\r\n$1\r\nv\r\n");
    stage_expect(stage, client, "*2\r\n$1\r\nq\r\n$1\r\nv\r\n");
    stage_wait(stage, 1);
    assert_false(stage->links[client].open);
    client = stage_client(stage);
    stage_say(stage, client, "SUBSCRIBE c\r\n");
    stage_attach(stage, 0);
    stage_say(stage, stage_worker_link(stage, 0, 0), "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    stage_end(stage, client);
    stage_wait(stage, 1);
    assert_false(stage->links[client].open);
    stage_close(stage);
}

static void quit_comes_behind_the_replies_before_it(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    link_id worker = attached(stage, client);
    stage_say(stage, client, "GET a\r\nQUIT\r\nGET b\r\n");
    stage_expect(stage, worker, stage_array("GET a"));
    assert_true(stage->links[client].open);
    stage_say(stage, worker, ":1\r\n");
    stage_expect(stage, client, ":1\r\n+OK\r\n");
    assert_false(stage->links[client].open);
    stage_expect(stage, worker, "");
    stage_close(stage);
}

static void the_proxy_tells_what_it_knows(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    stage_say(stage, client, "RESPITE PROXY\r\n");
    const char *text = stage_heard(stage, client);
    assert_non_null(strstr(text, "group:main\r\nversion:2\r\nepoch:1\r\n"));
    assert_non_null(strstr(text, "master_address:127.0.0.1:6000\r\nconnections:1\r\n"));
    stage_say(stage, client, "RESPITE TOPOLOGY\r\n");
    struct buf expected = {0};
    topology_encode(&stage->topology, &expected);
    buf_add(&expected, "", 1);
    assert_non_null(strstr(stage_heard(stage, client), expected.memory));
    buf_free(&expected);
    stage_say(stage, client, "RESPITE ATTACH a b c d e\r\n"); /* never forwarded */
    stage_expect(stage, client, "-ERR unknown subcommand of RESPITE\r\n");
    stage_close(stage);
}

static void broken_requests_are_told_behind_earlier_replies(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    link_id worker = attached(stage, client);
    stage_say(stage, client, "GET a\r\n*1\r\n:3\r\n");
    stage_expect(stage, client, "");
    stage_say(stage, worker, ":1\r\n");
    stage_expect(stage, client, ":1\r\n-ERR Protocol error: expected '$', got ':'\r\n");
    assert_false(stage->links[client].open);
    stage_close(stage);
}

/* ---- private links ---- */

static void a_transaction_has_a_link_of_its_own_and_gives_it_back(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage), other = stage_client(stage);
    link_id shared = attached(stage, client);
    stage_say(stage, client, "GET a\r\nMULTI\r\nSET b 1\r\nEXEC\r\nGET c\r\n");
    stage_expect(stage, shared, stage_array("GET a"));
    assert_int_equal(stage_worker_links(stage, 0), 1); /* MULTI waits for the reply of GET */
    stage_say(stage, shared, ":1\r\n");
    stage_attach(stage, 0);
    link_id own =
        stage_worker_link(stage, 0, 1) == shared ? stage_worker_link(stage, 0, 0) : stage_worker_link(stage, 0, 1);
    stage_expect(stage, own,
                 "*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n1\r\n*1\r\n$4\r\nEXEC\r\n"
                 "*2\r\n$3\r\nGET\r\n$1\r\nc\r\n");
    stage_say(stage, own, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n:3\r\n");
    stage_expect(stage, client, ":1\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n:3\r\n");
    stage_say(stage, client, "GET d\r\n");
    stage_expect(stage, shared, stage_array("GET d"));

    stage_say(stage, other, "BLPOP q 0\r\n"); /* takes the spare link */
    assert_int_equal(stage_worker_links(stage, 0), 2);
    stage_expect(stage, own, stage_array("BLPOP q 0"));
    stage_hang_up(stage, other); /* must not pop anything for nobody */
    assert_false(stage->links[own].open);
    stage_close(stage);
}

static void a_command_that_a_transaction_cannot_hold_breaks_it(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    stage_say(stage, client, "MULTI\r\nSET a 1\r\nCLIENT ID\r\nEXEC\r\nCLIENT ID\r\n");
    stage_attach(stage, 0);
    link_id own = stage_worker_link(stage, 0, 0);
    stage_say(stage, own, "+OK\r\n+QUEUED\r\n");
    stage_heard(stage, own);
    stage_turn(stage);
    stage_say(stage, own, "+OK\r\n"); /* of DISCARD */
    stage_expect(stage, client,
                 "+OK\r\n+QUEUED\r\n-ERR Command 'client' is not allowed in a transaction\r\n"
                 "-EXECABORT Transaction discarded because of previous errors.\r\n:1\r\n");
    stage_close(stage);
}

static void subscribers_hear_and_move_to_the_new_master(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    stage_say(stage, client, "SUBSCRIBE a b\r\n");
    stage_attach(stage, 0);
    link_id worker = stage_worker_link(stage, 0, 0);
    static const char confirmations[] = "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
                                        "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n";
    static const char message[] = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n";
    stage_say(stage, worker, confirmations);
    stage_say(stage, worker, message);
    stage_expect(stage, client,
                 "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n"
                 "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n");
    stage_say(stage, client, "PING\r\nGET a\r\n");
    stage_expect(
        stage, client,
        "*2\r\n$4\r\npong\r\n$0\r\n\r\n-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING "
        "/ QUIT / RESET are allowed in this context\r\n");

    stage_publish(stage, 3, 2, 1, 1);
    worker = stage_worker_link(stage, 1, 0);
    const char *greeting = stage_heard(stage, worker);
    assert_non_null(strstr(greeting, "*3\r\n$9\r\nsubscribe\r\n"));
    stage_say(stage, worker, "+OK\r\n");
    stage_say(stage, worker, "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    stage_say(stage, worker, message); /* between the confirmations, which the client has seen before */
    stage_say(stage, worker, "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n");
    stage_expect(stage, client, message);
    assert_true(stage->links[client].open);

    stage_say(stage, client, "UNSUBSCRIBE\r\n");
    assert_non_null(strstr(stage_heard(stage, worker), "*3\r\n$11\r\nunsubscribe\r\n"));
    stage_say(stage, worker,
              "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n");
    stage_heard(stage, client);
    stage_say(stage, client, "UNSUBSCRIBE\r\nCLIENT ID\r\n");
    stage_expect(stage, client, "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n:1\r\n");
    stage_close(stage);
}

/* SUBSCRIBE a b, of which only a was confirmed when the master died. */
static void a_half_confirmed_subscription_is_completed_once(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    stage_say(stage, client, "SUBSCRIBE a b\r\n");
    stage_attach(stage, 0);
    stage_say(stage, stage_worker_link(stage, 0, 0), "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    stage_publish(stage, 3, 2, 1, 1);
    stage_attach(stage, 1);
    link_id worker = stage_worker_link(stage, 1, 0);
    static const char a[] = "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n",
                      b[] = "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n";
    stage_say(stage, worker, a); /* of what the proxy restores */
    stage_expect(stage, worker, stage_array("SUBSCRIBE a b"));
    stage_say(stage, worker, a);
    stage_say(stage, worker, b);
    stage_expect(stage, client, "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n");
    stage_close(stage);
}

#define CONFIRMED(word, length, name, count) "*3\r\n$" length "\r\n" word "\r\n$1\r\n" name "\r\n:" count "\r\n"

/* Else the last of many would begin to hear only after as many ways to the worker and back. */
static void subscriptions_do_not_wait_for_one_another(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    stage_say(stage, client, "SUBSCRIBE a\r\nSUBSCRIBE b\r\n");
    stage_attach(stage, 0);
    link_id worker = stage_worker_link(stage, 0, 0);
    stage_expect(stage, worker,
                 "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n"
                 "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nb\r\n");
    stage_say(stage, worker, CONFIRMED("subscribe", "9", "a", "1") CONFIRMED("subscribe", "9", "b", "2"));
    stage_expect(stage, client, CONFIRMED("subscribe", "9", "a", "1") CONFIRMED("subscribe", "9", "b", "2"));

    stage_say(stage, client, "UNSUBSCRIBE a\r\nUNSUBSCRIBE b\r\nSUBSCRIBE c\r\nGET x\r\n");
    stage_expect(stage, worker,
                 "*2\r\n$11\r\nUNSUBSCRIBE\r\n$1\r\na\r\n"
                 "*2\r\n$11\r\nUNSUBSCRIBE\r\n$1\r\nb\r\n"
                 "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n");
    static const char confirmed[] = CONFIRMED("unsubscribe", "11", "a", "1") CONFIRMED("unsubscribe", "11", "b", "0")
        CONFIRMED("subscribe", "9", "c", "1");
    stage_say(stage, worker, confirmed);
    const char *heard = stage_heard(stage, client);
    assert_memory_equal(heard, confirmed, sizeof(confirmed) - 1);
    assert_non_null(strstr(heard, "-ERR Can't execute 'get'"));

    /* GET waits for what it depends on. */
    stage_say(stage, client, "UNSUBSCRIBE c\r\nGET y\r\n");
    stage_expect(stage, worker, stage_array("UNSUBSCRIBE c"));
    stage_say(stage, worker, CONFIRMED("unsubscribe", "11", "c", "0"));
    stage_expect(stage, client, CONFIRMED("unsubscribe", "11", "c", "0"));
    stage_close(stage);
}

static void resp3_subscribers_may_do_other_things(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    stage_say(stage, client, "HELLO 3\r\nPSUBSCRIBE a*\r\n");
    stage_attach(stage, 0);
    stage_heard(stage, client);
    link_id worker = stage_worker_link(stage, 0, 0);
    stage_say(stage, worker, ">3\r\n$10\r\npsubscribe\r\n$2\r\na*\r\n:1\r\n");
    stage_say(stage, client, "GET a\r\nPING\r\n");
    stage_say(stage, worker, "$1\r\nx\r\n>4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$2\r\nab\r\n$1\r\nm\r\n+PONG\r\n");
    stage_expect(stage, client,
                 ">3\r\n$10\r\npsubscribe\r\n$2\r\na*\r\n:1\r\n$1\r\nx\r\n"
                 ">4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$2\r\nab\r\n$1\r\nm\r\n+PONG\r\n");
    stage_say(stage, client, "LRANGE l 0 -1\r\nCLIENT ID\r\n"); /* whose reply looks like a message of RESP2 */
    stage_say(stage, worker, "*2\r\n$7\r\nmessage\r\n$1\r\nx\r\n");
    stage_expect(stage, client, "*2\r\n$7\r\nmessage\r\n$1\r\nx\r\n:1\r\n");
    stage_say(stage, client, "MONITOR\r\nHELLO 2\r\n"); /* its lines could not be told from replies */
    stage_expect(stage, client,
                 "-ERR MONITOR is not possible while subscribed\r\n"
                 "-ERR the protocol cannot be changed while keys are watched or channels subscribed\r\n");
    stage_close(stage);
}

#define INVALIDATE(value) ">2\r\n$10\r\ninvalidate\r\n" value

static void tracking_moves_to_the_new_master_and_all_is_forgotten(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    stage_say(stage, client, "HELLO 3\r\nCLIENT TRACKING ON REDIRECT 7\r\nCLIENT CACHING YES\r\n");
    assert_non_null(strstr(stage_heard(stage, client), "-ERR REDIRECT is not possible through a proxy"));
    assert_int_equal(stage_worker_links(stage, 0), 0);
    stage_say(stage, client, "CLIENT TRACKING ON OPTIN\r\nCLIENT CACHING YES\r\n");
    stage_attach(stage, 0);
    link_id worker = stage_worker_link(stage, 0, 0);
    stage_expect(stage, worker, stage_array("CLIENT TRACKING ON OPTIN"));
    stage_say(stage, worker, "+OK\r\n");
    stage_say(stage, worker, INVALIDATE("*1\r\n$1\r\na\r\n"));
    stage_expect(stage, worker, stage_array("CLIENT CACHING YES"));
    stage_say(stage, worker, "+OK\r\n");
    stage_expect(stage, client, "+OK\r\n" INVALIDATE("*1\r\n$1\r\na\r\n") "+OK\r\n");

    /* What CLIENT CACHING was said for has not come yet when the master dies. */
    stage_publish(stage, 3, 2, 1, 1);
    stage_expect(stage, client, INVALIDATE("_\r\n"));
    worker = stage_worker_link(stage, 1, 0);
    const char *greeting = stage_heard(stage, worker);
    const char *tracking = strstr(greeting, stage_array("CLIENT TRACKING ON OPTIN"));
    assert_non_null(tracking);
    assert_non_null(strstr(tracking, stage_array("CLIENT CACHING YES")));
    stage_say(stage, worker, "+OK\r\n%1\r\n+proto\r\n:3\r\n+OK\r\n+OK\r\n");
    stage_say(stage, client, "GET a\r\nCLIENT TRACKINGINFO\r\n");
    stage_say(stage, worker, "$1\r\nx\r\n%0\r\n");
    stage_say(stage, worker, INVALIDATE("*1\r\n$1\r\na\r\n"));
    stage_expect(stage, client, "$1\r\nx\r\n%0\r\n" INVALIDATE("*1\r\n$1\r\na\r\n"));

    stage_publish(stage, 4, 3, 0, 1);
    stage_expect(stage, client, INVALIDATE("_\r\n"));
    worker = stage_worker_link(stage, 0, 0);
    assert_null(strstr(stage_heard(stage, worker), "CACHING"));
    stage_say(stage, worker, "+OK\r\n%1\r\n+proto\r\n:3\r\n+OK\r\n");
    stage_say(stage, client, "CLIENT TRACKING OFF\r\n");
    stage_say(stage, worker, "+OK\r\n");
    stage_say(stage, client, "CLIENT TRACKINGINFO\r\n");
    assert_non_null(strstr(stage_heard(stage, client), "+OK\r\n%3\r\n$5\r\nflags\r\n~1\r\n$3\r\noff\r\n"));
    stage_publish(stage, 5, 4, 1, 1);
    stage_expect(stage, client, "");
    stage_close(stage);
}

/* Of prefixes those count that are added, of anything else what was said last. */
static void prefixes_are_asked_for_again(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    stage_say(stage, client, "HELLO 3\r\nCLIENT TRACKING ON BCAST PREFIX redirect\r\n");
    stage_attach(stage, 0);
    link_id worker = stage_worker_link(stage, 0, 0);
    stage_say(stage, worker, "+OK\r\n");
    stage_say(stage, client, "CLIENT TRACKING ON BCAST PREFIX b\r\nCLIENT TRACKING ON BCAST PREFIX bb\r\n");
    stage_say(stage, worker, "+OK\r\n");
    stage_say(stage, worker, "-ERR Prefix 'bb' overlaps with an existing prefix 'b'.\r\n");
    stage_heard(stage, client);
    stage_publish(stage, 3, 2, 1, 1);
    worker = stage_worker_link(stage, 1, 0);
    const char *greeting = stage_heard(stage, worker);
    assert_non_null(strstr(greeting, stage_array("CLIENT TRACKING ON BCAST PREFIX redirect")));
    assert_non_null(strstr(greeting, stage_array("CLIENT TRACKING ON BCAST PREFIX b")));
    assert_null(strstr(greeting, stage_array("CLIENT TRACKING ON BCAST PREFIX bb")));
    stage_say(stage, client, "RESET\r\n");
    assert_int_equal(stage_worker_links(stage, 1), 0);
    stage_close(stage);
}

static void monitors_get_lines_until_they_leave(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    stage_say(stage, client, "MONITOR\r\n");
    stage_attach(stage, 0);
    link_id worker = stage_worker_link(stage, 0, 0);
    stage_say(stage, worker, "+OK\r\n+1.0 \"GET\"\r\n");
    stage_expect(stage, client, "+OK\r\n+1.0 \"GET\"\r\n");
    stage_say(stage, client, "GET a\r\n");
    stage_expect(stage, client, "-ERR only QUIT and RESET are possible while monitoring\r\n");
    stage_publish(stage, 3, 2, 1, 1);
    stage_attach(stage, 1);
    stage_say(stage, stage_worker_link(stage, 1, 0), "+2.0 \"SET\"\r\n");
    stage_expect(stage, client, "+2.0 \"SET\"\r\n");
    stage_say(stage, client, "RESET\r\n");
    stage_expect(stage, client, "+RESET\r\n");
    assert_int_equal(stage_worker_links(stage, 1), 0);
    stage_close(stage);
}

/* ---- bounds, and a worker that breaks the rules ---- */

static void a_client_that_does_not_read_is_not_read_and_then_closed(void **state)
{
    (void)state;
    struct stage probe;
    struct px_config config;
    stage_config(&probe, &config);
    config.client_output_max = 1 << 20;
    struct stage *stage = stage_with_master(&config);
    link_id client = stage_client(stage);
    link_id worker = attached(stage, client);
    static char reply[100 * 1024 + 16];
    int head = snprintf(reply, sizeof(reply), "$%d\r\n", 100 * 1024);
    memset(reply + head, 'x', 100 * 1024);
    memcpy(reply + head + 100 * 1024, "\r\n", 2);
    struct slice bytes = slice_of(reply, (size_t)head + 100 * 1024 + 2);

    stage->links[client].stuck = true;
    for (int i = 0; i < 3; i++) {
        stage_say(stage, client, "GET a\r\n");
        stage_say_bytes(stage, worker, bytes);
    }
    stage_say(stage, client, "GET last\r\n");
    assert_true(stage->links[client].paused);
    stage_heard(stage, worker);
    stage_turn(stage);
    stage_expect(stage, worker, ""); /* it waits for the client */
    stage_release(stage, client);
    assert_false(stage->links[client].paused);
    stage_expect(stage, worker, stage_array("GET last"));
    stage_say_bytes(stage, worker, bytes);
    stage_heard(stage, client);

    stage->links[client].stuck = true;
    for (int i = 0; i < 11; i++)
        stage_tell(stage, client, "GET a\r\n");
    stage_turn(stage);
    for (int i = 0; i < 11; i++)
        stage_say_bytes(stage, worker, bytes);
    assert_false(stage->links[client].open);
    assert_int_equal(px_proxy_inspect(stage->proxy).ghosts, 0);
    stage_close(stage);
}

static void a_worker_that_breaks_the_protocol_is_left(void **state)
{
    (void)state;
    static const char *const evils[] = {"?garbage\r\n", "$-7\r\n", ":1\r\n:2\r\n:3\r\n", "*99999999999999999999\r\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(evils); i++) {
        struct stage *stage = stage_with_master(NULL);
        link_id client = stage_client(stage);
        link_id worker = attached(stage, client);
        stage_say(stage, client, "INCR a\r\nGET b\r\n");
        stage_heard(stage, worker);
        stage->workers_refuse = true;
        stage_say(stage, worker, evils[i]);
        assert_false(stage->links[worker].open);
        stage->workers_refuse = false;
        stage_wait(stage, NS_PER_S);
        bool answered = evils[i][0] == ':'; /* two right answers, then one too many */
        stage_expect(stage, client,
                     answered ? ":1\r\n:2\r\n"
                              : "-UNCERTAIN the connection to the master was lost before it answered; the "
                                "command may or may not have been executed\r\n");
        stage_attach(stage, 0);
        stage_expect(stage, stage_worker_link(stage, 0, 0), answered ? "" : stage_array("GET b"));
        stage_close(stage);
    }
}

static void a_reply_before_its_command_was_written_is_a_violation(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    link_id worker = attached(stage, client);
    stage->links[worker].stuck = true;
    stage_say(stage, client, "INCR a\r\n");
    stage->workers_refuse = true;
    stage_say(stage, worker, ":1\r\n");
    assert_false(stage->links[worker].open);
    stage_expect(stage, client, "");
    stage_close(stage);
}

static void a_worker_that_refuses_the_attachment_is_asked_again(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    stage_say(stage, client, "INCR a\r\n");
    for (int i = 0; i < 20; i++) {
        stage_say(stage, stage_worker_link(stage, 0, 0), "-NOTMASTER not yet\r\n");
        stage_wait(stage, 400 * NS_PER_MS);
    }
    assert_int_equal(stage_worker_links(stage, 0), 1);
    stage_attach(stage, 0);
    stage_expect(stage, stage_worker_link(stage, 0, 0), stage_array("INCR a"));
    stage_close(stage);
}

static void long_pipelines_are_taken_piece_by_piece(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    link_id worker = attached(stage, client);
    enum { REQUEST_LENGTH = 20 };
    struct buf pipeline = {0}, replies = {0};
    for (int i = 0; i < 5000; i++) {
        buf_add_text(&pipeline, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
        buf_add_format(&replies, ":%d\r\n", i);
    }
    stage_say_bytes(stage, client, buf_slice(&pipeline));
    assert_true(stage->links[client].paused);
    size_t taken = 0, answered = 0;
    while (taken < buf_length(&pipeline)) {
        size_t length = strlen(stage_heard(stage, worker));
        assert_true(length > 0 && length <= 1024 * REQUEST_LENGTH);
        taken += length;
        for (size_t count = length / REQUEST_LENGTH; count > 0; count--) {
            const char *reply = replies.memory + answered;
            size_t size = (size_t)(strchr(reply, '\n') - reply) + 1;
            stage_say_bytes(stage, worker, slice_of(reply, size));
            answered += size;
        }
    }
    buf_add(&replies, "", 1);
    assert_false(stage->links[client].paused);
    stage_expect(stage, client, replies.memory);
    buf_free(&pipeline);
    buf_free(&replies);
    stage_close(stage);
}

static void a_proxy_that_stops_lets_commands_finish(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage), idle = stage_client(stage);
    link_id worker = attached(stage, client);
    stage_say(stage, client, "INCR a\r\n");
    stage_stop(stage);
    assert_false(stage->links[idle].open);
    assert_false(stage->exited);
    stage_say(stage, client, "INCR b\r\n");
    stage_expect(stage, worker, stage_array("INCR a"));
    stage_say(stage, worker, ":1\r\n");
    stage_expect(stage, client, ":1\r\n");
    assert_true(stage->exited);
    stage_close(stage);

    stage = stage_with_master(NULL);
    client = stage_client(stage);
    attached(stage, client);
    stage_say(stage, client, "INCR a\r\n");
    stage_stop(stage);
    stage_wait(stage, NS_PER_S);
    assert_true(stage->exited);
    stage_close(stage);
}

#define HELD ">1\r\n$12\r\nrespite-held\r\n"

/* A client's PING was answered, and the worker said that it holds replies there: the link of reads is open. */
static link_id split(struct stage *stage, link_id client, link_id *ret_reads)
{
    link_id all = attached(stage, client);
    stage_say(stage, client, "SET s 1\r\n");
    stage_say(stage, all, "+OK\r\n" HELD);
    stage_expect(stage, client, "+OK\r\n");
    stage_heard(stage, all);
    assert_int_equal(stage_worker_links(stage, 0), 2);
    *ret_reads = stage_worker_link(stage, 0, all == stage_worker_link(stage, 0, 0) ? 1 : 0);
    assert_non_null(strstr(stage_heard(stage, *ret_reads), "*2\r\n$7\r\nRESPITE\r\n$5\r\nREADS\r\n"));
    stage_say(stage, *ret_reads, "+OK\r\n+OK\r\n");
    return all;
}

static void reads_of_others_pass_a_held_write(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id writer = stage_client(stage), reader = stage_client(stage), reads;
    link_id all = split(stage, writer, &reads);
    stage_say(stage, writer, "SET a 1\r\nGET a\r\n");
    stage_say(stage, reader, "GET b\r\n");
    stage_expect(stage, all, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
    stage_expect(stage, reads, stage_array("GET b"));
    stage_say(stage, reads, "$1\r\nb\r\n");
    stage_expect(stage, reader, "$1\r\nb\r\n");
    stage_expect(stage, writer, "");
    stage_say(stage, all, "+OK\r\n$1\r\n1\r\n");
    stage_expect(stage, writer, "+OK\r\n$1\r\n1\r\n");
    stage_say(stage, writer, "GET a\r\n");
    stage_expect(stage, reads, stage_array("GET a"));
    /* What is no read of named keys waits as ever: the worker would hold its answer, and all behind it. */
    stage_say(stage, reader, "DBSIZE\r\n");
    stage_expect(stage, all, stage_array("DBSIZE"));
    stage_close(stage);
}

static void a_write_behind_reads_waits_for_their_replies(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage), reads;
    link_id all = split(stage, client, &reads);
    stage_say(stage, client, "GET a\r\nSET a 1\r\nGET a\r\n");
    stage_expect(stage, reads, stage_array("GET a"));
    stage_expect(stage, all, "");
    stage_say(stage, reads, "$1\r\n0\r\n");
    stage_expect(stage, client, "$1\r\n0\r\n");
    stage_expect(stage, all, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
    stage_say(stage, all, "+OK\r\n$1\r\n1\r\n");
    stage_say(stage, client, "GET a\r\nSET a 2\r\n"); /* it did so before */
    stage_expect(stage, all, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n2\r\n");
    stage_expect(stage, reads, "");
    stage_close(stage);
}

static void reads_behind_a_refused_one_are_asked_again(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage), other = stage_client(stage), reads;
    link_id all = split(stage, client, &reads);
    stage_say(stage, client, "GET a\r\nGET b\r\nGET c\r\n");
    stage_say(stage, other, "GET d\r\n");
    stage_heard(stage, reads);
    stage_say(stage, reads, "$1\r\na\r\n-HELD x\r\n$1\r\nc\r\n$1\r\nd\r\n");
    stage_expect(stage, client, "$1\r\na\r\n");
    stage_expect(stage, other, "$1\r\nd\r\n");
    stage_expect(stage, all, "*2\r\n$3\r\nGET\r\n$1\r\nb\r\n*2\r\n$3\r\nGET\r\n$1\r\nc\r\n");
    stage_say(stage, client, "GET e\r\n");
    stage_say(stage, all, "$1\r\nB\r\n");
    stage_expect(stage, reads, "");
    stage_expect(stage, client, "$1\r\nB\r\n");
    stage_say(stage, all, "$1\r\nC\r\n");
    stage_expect(stage, client, "$1\r\nC\r\n");
    stage_expect(stage, reads, stage_array("GET e"));
    stage_close(stage);
}

/* The first GET waits where it was moved to; the second one is out of time on the lost link of reads. */
static void a_moving_read_is_not_answered_before_the_one_in_front(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage), reads;
    link_id all = split(stage, client, &reads);
    stage_say(stage, client, "GET a\r\nGET b\r\n");
    stage_say(stage, reads, "-HELD x\r\n");
    stage_expect(stage, all, stage_array("GET a"));
    stage_hang_up(stage, reads);
    stage->workers_refuse = true;
    stage_wait(stage, 40 * NS_PER_S);
    stage_expect(stage, client, "");
    stage_expect(stage, all, stage_array("GET b"));
    stage_say(stage, all, "$1\r\nA\r\n$1\r\nB\r\n");
    stage_expect(stage, client, "$1\r\nA\r\n$1\r\nB\r\n");
    assert_int_equal(px_proxy_inspect(stage->proxy).held_commands, 0);
    assert_int_equal(px_proxy_inspect(stage->proxy).held_bytes, 0);
    stage_close(stage);
}

static void a_client_that_left_is_not_asked_for_again(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage), stays = stage_client(stage), reads;
    link_id all = split(stage, stays, &reads);
    stage_say(stage, client, "GET a\r\n");
    stage_hang_up(stage, client);
    stage_say(stage, reads, "-HELD x\r\n");
    stage_expect(stage, all, "");
    assert_int_equal(px_proxy_inspect(stage->proxy).ghosts, 0);
    stage_close(stage);
}

static void reads_come_back_when_nothing_is_held_any_more(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage), reads;
    link_id all = split(stage, client, &reads);
    stage_wait(stage, 9 * NS_PER_S);
    stage_say(stage, client, "GET a\r\n");
    stage_expect(stage, reads, stage_array("GET a"));
    stage_say(stage, reads, "$-1\r\n");
    stage_wait(stage, NS_PER_S);
    stage_say(stage, client, "GET a\r\n");
    stage_expect(stage, all, stage_array("GET a"));
    stage_say(stage, all, "$-1\r\n" HELD);
    stage_say(stage, client, "GET a\r\n");
    stage_expect(stage, reads, stage_array("GET a"));
    assert_int_equal(stage_worker_links(stage, 0), 2);
    stage_close(stage);
}

/* Nor is one that the worker does not let in, waited for. */
static void a_lost_link_of_reads_is_not_waited_for(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage), other = stage_client(stage), reads;
    link_id all = split(stage, client, &reads);
    stage_say(stage, client, "GET a\r\nGET b\r\n");
    stage_say(stage, reads, "$1\r\na\r\n");
    stage_heard(stage, reads);
    stage_hang_up(stage, reads);
    stage_say(stage, other, "GET c\r\n");
    stage_expect(stage, all, stage_array("GET c"));
    stage_say(stage, client, "GET d\r\n"); /* it stands behind the GET that is repeated */
    stage_expect(stage, all, "");
    stage_wait(stage, NS_PER_S);
    stage_attach(stage, 0);
    reads = stage_worker_link(stage, 0, all == stage_worker_link(stage, 0, 0) ? 1 : 0);
    stage_expect(stage, reads, "*2\r\n$3\r\nGET\r\n$1\r\nb\r\n*2\r\n$3\r\nGET\r\n$1\r\nd\r\n");
    stage_say(stage, reads, "$1\r\nb\r\n$1\r\nd\r\n");
    stage_expect(stage, client, "$1\r\na\r\n$1\r\nb\r\n$1\r\nd\r\n");
    stage_close(stage);
}

static void no_client_hears_that_replies_are_held(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    stage_say(stage, client, "HELLO 3\r\nSUBSCRIBE c\r\n");
    stage_heard(stage, client);
    stage_attach(stage, 0);
    link_id own = stage_worker_link(stage, 0, 0);
    stage_say(stage, own, ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n" HELD);
    stage_expect(stage, client, ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    stage_say(stage, own, HELD);
    stage_expect(stage, client, "");
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
        cmocka_unit_test(nothing_passes_before_authentication),
        cmocka_unit_test(users_have_links_of_their_own),
        cmocka_unit_test(the_worker_is_asked_for_leave),
        cmocka_unit_test(users_survive_a_failover_unless_they_are_gone),
        cmocka_unit_test(wrong_passwords_run_out),
        cmocka_unit_test(hello_speaks_for_a_redis_server),
        cmocka_unit_test(client_commands_are_answered_here),
        cmocka_unit_test(clients_are_killed_by_what_they_are),
        cmocka_unit_test(a_client_that_waits_is_unblocked),
        cmocka_unit_test(nobody_else_is_unblocked_after_a_failover),
        cmocka_unit_test(a_pause_is_the_masters),
        cmocka_unit_test(the_clients_of_all_threads_are_meant),
        cmocka_unit_test(a_thread_that_does_not_answer_is_not_waited_for),
        cmocka_unit_test(client_reply_silences),
        cmocka_unit_test(who_says_no_more_hears_the_rest),
        cmocka_unit_test(who_says_no_more_is_not_cut_short_when_it_reads_slowly),
        cmocka_unit_test(nobody_waits_for_who_says_no_more),
        cmocka_unit_test(quit_comes_behind_the_replies_before_it),
        cmocka_unit_test(the_proxy_tells_what_it_knows),
        cmocka_unit_test(broken_requests_are_told_behind_earlier_replies),
        cmocka_unit_test(a_transaction_has_a_link_of_its_own_and_gives_it_back),
        cmocka_unit_test(a_command_that_a_transaction_cannot_hold_breaks_it),
        cmocka_unit_test(subscribers_hear_and_move_to_the_new_master),
        cmocka_unit_test(a_half_confirmed_subscription_is_completed_once),
        cmocka_unit_test(subscriptions_do_not_wait_for_one_another),
        cmocka_unit_test(resp3_subscribers_may_do_other_things),
        cmocka_unit_test(tracking_moves_to_the_new_master_and_all_is_forgotten),
        cmocka_unit_test(prefixes_are_asked_for_again),
        cmocka_unit_test(monitors_get_lines_until_they_leave),
        cmocka_unit_test(a_client_that_does_not_read_is_not_read_and_then_closed),
        cmocka_unit_test(a_worker_that_breaks_the_protocol_is_left),
        cmocka_unit_test(a_reply_before_its_command_was_written_is_a_violation),
        cmocka_unit_test(a_worker_that_refuses_the_attachment_is_asked_again),
        cmocka_unit_test(long_pipelines_are_taken_piece_by_piece),
        cmocka_unit_test(reads_of_others_pass_a_held_write),
        cmocka_unit_test(a_write_behind_reads_waits_for_their_replies),
        cmocka_unit_test(reads_behind_a_refused_one_are_asked_again),
        cmocka_unit_test(a_moving_read_is_not_answered_before_the_one_in_front),
        cmocka_unit_test(a_client_that_left_is_not_asked_for_again),
        cmocka_unit_test(reads_come_back_when_nothing_is_held_any_more),
        cmocka_unit_test(a_lost_link_of_reads_is_not_waited_for),
        cmocka_unit_test(no_client_hears_that_replies_are_held),
        cmocka_unit_test(a_proxy_that_stops_lets_commands_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
