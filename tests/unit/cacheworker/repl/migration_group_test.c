/* Two workers of a group, with the test as their sentinels, their tool, their clients, and the server outside whose
 * data they take over. */
#include "cacheworker/rdb/rdb.h"
#include "common/resp/resp_reader.h"
#include "tests/unit/cacheworker/memory_storage.h"
#include "tests/unit/cacheworker/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

enum { SENTINELS = 2 };

#define ID        "0123456789012345678901234567890123456789"
#define READONLY  "-READONLY migrating: this group follows a server outside, and takes writes after the cut-over\r\n"
#define REPLCONFS "*3\r\n$8\r\nREPLCONF\r\n$14\r\nlistening-port\r\n"
#define AUTH      "*3\r\n$4\r\nAUTH\r\n$5\r\nmover\r\n$4\r\nword\r\n"
#define FULL      "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n"
#define SOURCE    "127.0.0.1 9000 mover"

struct group {
    struct net net;
    struct topology topology;
    int controls[SENTINELS][NET_WORKERS];
    int tools[NET_WORKERS];
    int client;
    uint64_t k;
    struct message message;
};

/* --- sentinels --- */

static struct message *new_message(struct group *group, enum message_kind kind)
{
    memset(&group->message, 0, sizeof(group->message));
    group->message.kind = kind;
    strcpy(group->message.group, "main");
    return &group->message;
}

static void send_message(struct group *group, int control)
{
    struct buf bytes = {0};
    message_encode(&group->message, &bytes);
    net_send(&group->net, control, buf_slice(&bytes));
    buf_free(&bytes);
    net_pump(&group->net);
}

static bool hears(struct group *group, int control, enum message_kind kind)
{
    static const struct resp_limits limits = RESP_LIMITS_DEFAULT;
    struct resp_request request = {0};
    struct slice bytes = net_received(&group->net, control);
    bool is_heard = false;
    int64_t used;
    while (!is_heard && bytes.length > 0 && (used = resp_request_read(&request, bytes, &limits)) > 0) {
        is_heard = message_decode(request.argv, request.argc, &group->message) == 0 && group->message.kind == kind;
        bytes = slice_skip(bytes, (size_t)used);
    }
    resp_request_free(&request);
    net_forget(&group->net, control);
    return is_heard;
}

static int greet(struct group *group, int worker, enum peer_kind kind, uint8_t number)
{
    int control = net_connect(&group->net, worker, CW_LISTENER_CONTROL);
    struct message *hello = new_message(group, MESSAGE_HELLO);
    hello->hello.kind = kind;
    hello->hello.sender.bytes[0] = number;
    hello->hello.secret = SLICE_LITERAL("secret");
    hello->hello.protocol = CONTROL_PROTOCOL;
    send_message(group, control);
    return control;
}

static struct status poll_by(struct group *group, int sentinel, int worker)
{
    int control = group->controls[sentinel][worker];
    new_message(group, MESSAGE_POLL)->poll.k = ++group->k;
    send_message(group, control);
    assert_true(hears(group, control, MESSAGE_STATUS));
    return group->message.status;
}

static void lease(struct group *group, int worker)
{
    for (int i = 0; i < SENTINELS; i++) {
        struct status status = poll_by(group, i, worker);
        struct message *grant = new_message(group, MESSAGE_GRANT);
        grant->grant.k = status.k;
        grant->grant.life = status.life;
        grant->grant.epoch = status.epoch;
        send_message(group, group->controls[i][worker]);
    }
}

static void learn(struct group *group, int worker)
{
    new_message(group, MESSAGE_LEARN)->learn.topology = group->topology;
    send_message(group, group->controls[0][worker]);
}

static void tell_all(struct group *group)
{
    for (int i = 0; i < NET_WORKERS; i++)
        if (group->net.workers[i].core != NULL)
            learn(group, i);
}

/* Time goes on, and the master's lease with it. */
static void live(struct group *group, int master, int64_t ns)
{
    for (; ns > 0; ns -= NS_PER_S) {
        lease(group, master);
        net_advance(&group->net, ns < NS_PER_S ? ns : NS_PER_S);
    }
}

/* Fences, and makes this worker master of the next epoch; replica: who is in sync, or -1. */
static void choose(struct group *group, int master, int replica)
{
    struct topology *topology = &group->topology;
    struct message *fence = new_message(group, MESSAGE_FENCE);
    fence->fence.epoch = topology->epoch + 1;
    fence->fence.ballot = (struct ballot){.counter = 70 + topology->epoch, .sentinel = {{200}}, .run = 1};
    send_message(group, group->controls[0][master]);
    assert_true(hears(group, group->controls[0][master], MESSAGE_FENCED));
    topology->version++;
    topology->epoch++;
    topology->master = group->message.fenced.life;
    topology->branch = group->message.fenced.history;
    history_begin_epoch(&topology->branch, topology->epoch);
    topology->in_sync_count = replica >= 0;
    if (replica >= 0)
        topology->in_sync[0] = poll_by(group, 0, replica).life;
    tell_all(group);
    live(group, master, NS_PER_S);
    group->client = net_connect(&group->net, master, CW_LISTENER_DATA);
}

static void meet(struct group *group, int worker)
{
    net_start(&group->net, worker);
    net_pump(&group->net);
    for (uint8_t i = 0; i < SENTINELS; i++)
        group->controls[i][worker] = greet(group, worker, PEER_SENTINEL, (uint8_t)(200 + i));
    group->tools[worker] = greet(group, worker, PEER_TOOL, 1);
}

static void begin_in(struct group *group, enum durability durability)
{
    struct topology *topology = &group->topology;
    memset(group, 0, sizeof(*group));
    topology->durability = durability;
    net_init(&group->net);
    group->net.backlog_bytes = 1 << 20;
    strcpy(topology->group, "main");
    topology->version = 1;
    topology->member_count = NET_WORKERS;
    topology->acknowledgements = 1;
    topology->wanted_replicas = 1;
    topology->sentinels.count = SENTINELS;
    for (uint8_t i = 0; i < SENTINELS; i++)
        topology->sentinels.entries[i] =
            (struct sentinel_entry){.sentinel = {{(uint8_t)(200 + i)}}, .address = {"127.0.0.1", (uint16_t)(3000 + i)}};
    for (uint8_t i = 0; i < NET_WORKERS; i++) {
        topology->members[i] = (struct member){.node = {{(uint8_t)(i + 1)}},
                                               .kind = i == 2 ? MEMBER_SPARE : MEMBER_REPLICA,
                                               .priority = 100,
                                               .data = {"127.0.0.1", (uint16_t)(1000 + i)},
                                               .control = {"127.0.0.1", (uint16_t)(2000 + i)}};
        meet(group, i);
    }
    tell_all(group);
    choose(group, 0, 1);
}

static void begin(struct group *group)
{
    begin_in(group, DURABILITY_ASYNC);
}

static void end(struct group *group)
{
    net_free(&group->net);
}

/* --- clients and the tool --- */

static void expect(struct slice bytes, const char *text)
{
    if (!slice_equal(bytes, slice_text(text)))
        fail_msg("not %s but %.*s", text, (int)bytes.length, bytes.data);
}

static void ask(struct group *group, const char *line, const char *reply)
{
    lease(group, (int)group->topology.master.node.bytes[0] - 1);
    expect(net_command(&group->net, group->client, line), reply);
}

static void order(struct group *group, int worker, const char *words, const char *reply)
{
    char line[256];
    lease(group, (int)group->topology.master.node.bytes[0] - 1);
    snprintf(line, sizeof(line), "RESPITE MIGRATE %s", words);
    expect(net_command(&group->net, group->tools[worker], line), reply);
}

static void expect_status(struct group *group, int worker, const char *words)
{
    struct slice text = net_command(&group->net, group->tools[worker], "RESPITE MIGRATE STATUS");
    if (memmem(text.data, text.length, words, strlen(words)) == NULL)
        fail_msg("not %s in %.*s", words, (int)text.length, text.data);
}

static void expect_held(struct group *group, int worker, int database, const char *key, const char *reply)
{
    char line[64];
    int client = net_connect(&group->net, worker, CW_LISTENER_DATA);
    snprintf(line, sizeof(line), "SELECT %d", database);
    expect(net_command(&group->net, client, line), "+OK\r\n");
    snprintf(line, sizeof(line), "GET %s", key);
    expect(net_command(&group->net, client, line), reply);
}

static void tell_credentials(struct group *group)
{
    for (int i = 0; i < NET_WORKERS; i++)
        if (group->net.workers[i].core != NULL)
            order(group, i, "CREDENTIALS " SOURCE " word", "+OK\r\n");
}

/* --- the source --- */

static void say(struct group *group, int link, const char *text)
{
    net_send(&group->net, link, slice_text(text));
    net_pump(&group->net);
}

static void expect_words(struct group *group, int link, const char *words)
{
    struct slice text = net_received(&group->net, link);
    if (memmem(text.data, text.length, words, strlen(words)) == NULL)
        fail_msg("not %s in %.*s", words, (int)text.length, text.data);
    net_forget(&group->net, link);
}

/* The link that the master makes to the source, up to PSYNC. */
static int source_link(struct group *group, const char *psync)
{
    int link = net_accept(&group->net);
    assert_true(link >= 0);
    expect(net_received(&group->net, link), "*1\r\n$4\r\nPING\r\n");
    net_forget(&group->net, link);
    say(group, link, "-NOAUTH Authentication required.\r\n");
    expect_words(group, link, AUTH REPLCONFS);
    say(group, link, "+OK\r\n+OK\r\n+OK\r\n");
    expect(net_received(&group->net, link), psync);
    net_forget(&group->net, link);
    return link;
}

/* Those that were made to a source, and to which nothing was said. */
static void forget_links(struct group *group)
{
    while (net_accept(&group->net) >= 0)
        ;
}

/* Of the key `a` in database 1; the stream goes on in database 3. */
static void send_snapshot(struct group *group, int link)
{
    struct buf snapshot = {0}, text = {0};
    struct cw_rdb_writer writer = {.out = &snapshot};
    struct cw_rdb_origin origin = {.stream_database = 3};
    cw_rdb_write_preamble(&writer, &origin, NS_PER_S, 0);
    cw_rdb_write_string(&writer, 1, SLICE_LITERAL("a"), SLICE_LITERAL("1"), INT64_MAX);
    cw_rdb_write_end(&writer);
    buf_add_format(&text, "+FULLRESYNC " ID " 1000\r\n$%zu\r\n", buf_length(&snapshot));
    buf_add_slice(&text, buf_slice(&snapshot));
    net_send(&group->net, link, buf_slice(&text));
    net_pump(&group->net);
    buf_free(&snapshot);
    buf_free(&text);
}

/* What the probe asks is answered: where the stream ends. */
static void answer_probe(struct group *group, int link, const char *id, int end)
{
    char info[128], text[160];
    snprintf(info, sizeof(info), "# Replication\r\nmaster_replid:%s\r\nmaster_repl_offset:%d\r\n", id, end);
    snprintf(text, sizeof(text), "$%zu\r\n%s\r\n", strlen(info), info);
    say(group, link, text);
}

#define SET_B "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n" /* 27 bytes */
#define INFO  "*2\r\n$4\r\nINFO\r\n$11\r\nreplication\r\n"

/* A group that follows, with its replica in step; returns the link to the source. */
static int follow_in(struct group *group, enum durability durability)
{
    begin_in(group, durability);
    tell_credentials(group);
    order(group, 0, "START " SOURCE " empty", "+OK\r\n");
    int link = source_link(group, FULL);
    expect_status(group, 0, "state:connecting\r\nfrom:127.0.0.1:9000\r\n");
    send_snapshot(group, link);
    live(group, 0, 3 * NS_PER_S);
    return link;
}

static int follow(struct group *group)
{
    return follow_in(group, DURABILITY_ASYNC);
}

/* --- tests --- */

static void follow_and_cut_over(enum durability durability)
{
    struct group group;
    int link = follow_in(&group, durability);
    expect_status(&group, 0, "state:following\r\n");
    expect_status(&group, 0, "percent:100.00\r\n");
    expect_status(&group, 1, "state:replica\r\n");
    ask(&group, "SET mine 1", READONLY);
    ask(&group, "PUBLISH news 1", ":0\r\n"); /* which would select a database, and another is selected there */
    say(&group, link, SET_B);
    live(&group, 0, NS_PER_S);
    for (int worker = 0; worker < 2; worker++) {
        expect_held(&group, worker, 1, "a", "$1\r\n1\r\n");
        expect_held(&group, worker, 3, "b", "$1\r\n2\r\n");
    }
    int probe = net_accept(&group.net);
    expect_words(&group, probe, AUTH INFO);
    say(&group, probe, "+OK\r\n");
    answer_probe(&group, probe, ID, 1030);
    expect_status(&group, 0, "lag_bytes:3\r\n");
    order(&group, 0, "CUT-OVER 60000 ordinary", "+OK\r\n");
    live(&group, 0, NS_PER_S);
    expect_words(&group, probe, INFO);
    answer_probe(&group, probe, "0000000000000000000000000000000000000000", 1027); /* another stream */
    live(&group, 0, NS_PER_S);
    expect_status(&group, 0, "state:cutting-over\r\n");
    expect_words(&group, probe, INFO);
    answer_probe(&group, probe, ID, 1027);
    live(&group, 0, NS_PER_S);
    expect_status(&group, 0, "state:none\r\noutcome:cut over");
    expect_status(&group, 1, "state:none\r\n");
    assert_false(net_is_open(&group.net, link));
    assert_false(net_is_open(&group.net, probe));
    ask(&group, "SET mine 1", "+OK\r\n");
    live(&group, 0, NS_PER_S);
    expect_held(&group, 1, 0, "mine", "$1\r\n1\r\n");
    order(&group, 0, "CUT-OVER 1000 ordinary", "-ERR the group is not migrating\r\n");
    order(&group, 0, "START " SOURCE " empty", "-ERR this worker was not told the source's credentials\r\n");
    end(&group);
}

static void a_group_follows_and_cuts_over(void **state)
{
    (void)state;
    follow_and_cut_over(DURABILITY_ASYNC);
    follow_and_cut_over(DURABILITY_SYNC);
}

/* A cut-over for which the source has nothing left to send, and of which no replica hears. */
static void cut_over_alone(struct group *group)
{
    follow(group);
    group->net.refuses[0] = true;
    net_cut_between(&group->net, 0, 1);
    order(group, 0, "CUT-OVER 60000 ordinary", "+OK\r\n");
    int probe = net_accept(&group->net);
    say(group, probe, "+OK\r\n");
    answer_probe(group, probe, ID, 1000);
    live(group, 0, 200 * NS_PER_MS);
    /* It was asked before the order. */
    expect_status(group, 0, "state:cutting-over\r\n");
    live(group, 0, NS_PER_S);
    answer_probe(group, probe, ID, 1000);
    live(group, 0, 5 * NS_PER_S);
    expect_status(group, 0, "state:closing\r\n");
}

/* As the sentinels do with a replica that is silent. */
static void take_out_replica(struct group *group)
{
    group->topology.version++;
    group->topology.in_sync_count = 0;
    learn(group, 0);
    live(group, 0, 5 * NS_PER_S);
    expect_status(group, 0, "state:closing\r\n");
    ask(group, "SET mine 1", READONLY);
}

static void writes_are_refused_until_a_replica_has_heard(void **state)
{
    (void)state;
    struct group group;
    cut_over_alone(&group);
    order(&group, 0, "ABORT", "-BUSY the cut-over is being finished; try again\r\n");
    take_out_replica(&group);
    group.net.refuses[0] = false; /* it is not in sync, but it is up, and hears */
    live(&group, 0, 3 * NS_PER_S);
    expect_status(&group, 0, "state:none\r\noutcome:cut over: the group is its own, and takes writes\r\n");
    net_kill(&group.net, 0);
    choose(&group, 1, -1);
    expect_held(&group, 1, 1, "a", "$1\r\n1\r\n");
    ask(&group, "SET mine 1", "+OK\r\n");
    end(&group);
}

static void a_group_whose_replica_does_not_come_back_goes_on(void **state)
{
    (void)state;
    struct group group;
    cut_over_alone(&group);
    take_out_replica(&group);
    live(&group, 0, 60 * NS_PER_S);
    expect_status(&group, 0, "state:none\r\n");
    expect_status(&group, 0, "takes writes; some replicas do not hold all of it yet\r\n");
    ask(&group, "SET mine 1", "+OK\r\n");
    end(&group);
}

static void the_next_master_takes_it_up(void **state)
{
    (void)state;
    struct group group;
    int link = follow(&group);
    say(&group, link, SET_B);
    live(&group, 0, NS_PER_S);
    net_kill(&group.net, 0);
    while (net_accept(&group.net) >= 0) {}
    choose(&group, 1, -1);
    ask(&group, "SET mine 1", READONLY);
    ask(&group, "SELECT 3", "+OK\r\n");
    ask(&group, "GET b", "$1\r\n2\r\n");
    link = source_link(&group, FULL);
    send_snapshot(&group, link);
    ask(&group, "GET b", "$-1\r\n"); /* as the source has it now */
    expect_status(&group, 1, "state:following\r\n");
    end(&group);
}

static void a_master_that_does_not_know_the_password_waits(void **state)
{
    (void)state;
    struct group group;
    begin(&group);
    order(&group, 0, "CREDENTIALS " SOURCE " word", "+OK\r\n"); /* and nobody else */
    order(&group, 0, "START " SOURCE " empty", "+OK\r\n");
    send_snapshot(&group, source_link(&group, FULL));
    live(&group, 0, 3 * NS_PER_S);
    net_kill(&group.net, 0);
    choose(&group, 1, -1);
    expect_status(&group, 1, "state:interrupted\r\n");
    ask(&group, "SET mine 1", READONLY);
    expect_held(&group, 1, 1, "a", "$1\r\n1\r\n");
    order(&group, 1, "CUT-OVER 1000 force", "-ERR the migration is interrupted: start it again, or abort\r\n");
    tell_credentials(&group);
    order(&group, 1, "START " SOURCE " empty", "+OK\r\n"); /* what it has is of the migration */
    source_link(&group, FULL);
    order(&group, 1, "ABORT", "+OK\r\n");
    ask(&group, "SET mine 1", "+OK\r\n");
    end(&group);
}

static void a_master_that_is_chosen_again_continues(void **state)
{
    (void)state;
    struct group group;
    int link = follow(&group);
    say(&group, link, SET_B);
    forget_links(&group);
    choose(&group, 0, 1);
    link = net_accept(&group.net);
    expect(net_received(&group.net, link), "*1\r\n$4\r\nPING\r\n");
    net_forget(&group.net, link);
    say(&group, link, "+PONG\r\n");
    say(&group, link, "+OK\r\n+OK\r\n+OK\r\n");
    expect_words(&group, link, "PSYNC\r\n$40\r\n" ID "\r\n$4\r\n1028\r\n");
    say(&group, link, "+CONTINUE\r\n*3\r\n$3\r\nSET\r\n$1\r\nc\r\n$1\r\n3\r\n");
    live(&group, 0, 2 * NS_PER_S);
    expect_held(&group, 0, 3, "c", "$1\r\n3\r\n");
    expect_held(&group, 1, 3, "c", "$1\r\n3\r\n");
    end(&group);
}

static void a_restart_does_not_forget_it(void **state)
{
    (void)state;
    struct memory_storage memory;
    struct group group;
    memory_storage_init(&memory);
    begin(&group);
    net_kill(&group.net, 0);
    group.net.storages[0] = &memory.storage;
    meet(&group, 0);
    choose(&group, 0, -1);
    tell_credentials(&group);
    order(&group, 0, "START " SOURCE " empty", "+OK\r\n");
    send_snapshot(&group, source_link(&group, FULL));
    ask(&group, "SAVE", "+OK\r\n");
    net_kill(&group.net, 0);
    meet(&group, 0);
    choose(&group, 0, -1);
    expect_status(&group, 0, "state:interrupted\r\nfrom:127.0.0.1:9000\r\n");
    ask(&group, "SET mine 1", READONLY);
    expect_held(&group, 0, 1, "a", "$1\r\n1\r\n");
    order(&group, 0, "ABORT", "+OK\r\n");
    ask(&group, "SET mine 1", "+OK\r\n");
    ask(&group, "SAVE", "+OK\r\n");
    net_kill(&group.net, 0);
    meet(&group, 0);
    choose(&group, 0, -1);
    expect_status(&group, 0, "state:none\r\n");
    end(&group);
    memory_storage_free(&memory);
}

static void a_replica_that_missed_the_snapshot_is_a_master_without_it(void **state)
{
    (void)state;
    struct group group;
    begin(&group);
    ask(&group, "SET mine 1", "+OK\r\n");
    tell_credentials(&group);
    order(&group, 0, "START " SOURCE " replace", "+OK\r\n");
    live(&group, 0, NS_PER_S);
    group.net.refuses[0] = true;
    send_snapshot(&group, source_link(&group, FULL));
    ask(&group, "GET mine", "$-1\r\n");
    net_kill(&group.net, 0);
    forget_links(&group);
    choose(&group, 1, -1);
    expect_held(&group, 1, 0, "mine", "$1\r\n1\r\n");
    ask(&group, "SET mine 2", READONLY);
    source_link(&group, FULL);
    end(&group);
}

static void the_source_has_no_say_in_what_is_the_groups(void **state)
{
    (void)state;
    static const char *const units[] = {
        "*2\r\n$4\r\nPING\r\n$18\r\nrespite-users none\r\n",
        "*2\r\n$4\r\nPING\r\n$21\r\nrespite-migration off\r\n",
        "*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nPING\r\n$21\r\nrespite-migration off\r\n*1\r\n$4\r\nEXEC\r\n",
        "*1\r\n$4\r\nWHAT\r\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        struct group group;
        int link = follow(&group);
        say(&group, link, units[i]);
        assert_false(net_is_open(&group.net, link));
        expect_status(&group, 0, "state:connecting\r\n");
        expect_status(&group, 0, "trouble:its stream is malformed\r\n");
        ask(&group, "SET mine 1", READONLY);
        end(&group);
    }
}

/* A server before Redis 7 says times that count from now: the group's stream says dates, for who hears it later. */
static void what_counts_from_now_is_told_as_a_date(void **state)
{
    (void)state;
    struct group group;
    struct buf first = {0};
    int link = follow(&group);
    group.net.refuses[0] = true;
    net_cut_between(&group.net, 0, 1);
    say(&group, link, "*4\r\n$5\r\nSETEX\r\n$1\r\nb\r\n$3\r\n100\r\n$1\r\n2\r\n");
    live(&group, 0, 2 * NS_PER_S);
    group.net.refuses[0] = false;
    live(&group, 0, 2 * NS_PER_S);
    for (int worker = 0; worker < 2; worker++) {
        int client = net_connect(&group.net, worker, CW_LISTENER_DATA);
        expect(net_command(&group.net, client, "SELECT 3"), "+OK\r\n");
        struct slice date = net_command(&group.net, client, "PEXPIRETIME b");
        if (worker == 0)
            buf_add_slice(&first, date);
        assert_true(date.length > 6 && slice_equal(date, buf_slice(&first)));
    }
    buf_free(&first);
    end(&group);
}

static void a_probe_that_is_answered_anything_is_closed(void **state)
{
    (void)state;
    static const char *const answers[] = {"-WRONGPASS\r\n",
                                          "+OK\r\n-NOPERM\r\n",
                                          "+OK\r\n$x\r\n",
                                          "+OK\r\n$-1\r\n",
                                          "+OK\r\n$70000\r\n",
                                          "+OK\r\n*1\r\n",
                                          "\n",
                                          "$\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        struct group group;
        int link = follow(&group);
        int probe = net_accept(&group.net);
        say(&group, probe, answers[i]);
        assert_false(net_is_open(&group.net, probe));
        assert_true(net_is_open(&group.net, link));
        expect_status(&group, 0, "lag_bytes:-1\r\n");
        live(&group, 0, 3 * NS_PER_S);
        assert_true(net_accept(&group.net) >= 0);
        end(&group);
    }
}

static void the_other_way_is_tried_when_one_failed(void **state)
{
    (void)state;
    struct group group;
    begin(&group);
    tell_credentials(&group);
    order(&group, 0, "START " SOURCE " empty", "+OK\r\n");
    static const char *const abilities[] = {"*3\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$6\r\npsync2\r\n",
                                            "$3\r\neof\r\n$4\r\ncapa\r\n$6\r\npsync2\r\n"};
    for (int i = 0; i < 4; i++) {
        int link = net_accept(&group.net);
        net_forget(&group.net, link);
        say(&group, link, "+PONG\r\n");
        expect_words(&group, link, abilities[i % 2]);
        net_close(&group.net, link);
        live(&group, 0, 2 * NS_PER_S);
        expect_status(&group, 0, "trouble:it hung up during the greeting\r\n");
    }
    end(&group);
}

static void what_cannot_be_ordered_is_refused(void **state)
{
    (void)state;
    struct group group;
    begin(&group);
    int stranger = net_connect(&group.net, 0, CW_LISTENER_CONTROL);
    expect(net_command(&group.net, stranger, "RESPITE MIGRATE STATUS"), "-NOAUTH say HELLO first\r\n");
    expect(net_command(&group.net, group.controls[0][0], "RESPITE MIGRATE STATUS"),
           "-NOPERM only a tool may say that\r\n");
    group.controls[0][0] = greet(&group, 0, PEER_SENTINEL, 200);
    order(&group, 0, "CREDENTIALS a b c d", "-ERR unfit host, port or user\r\n");
    order(&group, 0, "START " SOURCE " empty", "-ERR this worker was not told the source's credentials\r\n");
    tell_credentials(&group);
    order(&group, 0, "START " SOURCE " perhaps", "-ERR unfit host, port, user or mode\r\n");
    order(&group, 1, "START " SOURCE " empty", "-NOTMASTER this worker is not the group's master now\r\n");
    order(&group, 0, "ABORT", "-ERR the group is not migrating\r\n");
    order(&group, 0, "CUT-OVER 3600001 force", "-ERR unfit bound or mode\r\n");
    order(&group, 0, "CUT-OVER 1 perhaps", "-ERR unfit bound or mode\r\n");
    ask(&group, "SET mine 1", "+OK\r\n");
    order(&group, 0, "START " SOURCE " empty",
          "-NOTEMPTY the group has data, which would be replaced: say so with --replace\r\n");
    order(&group, 0, "START " SOURCE " replace", "+OK\r\n");
    order(&group, 0, "START " SOURCE " replace", "-ERR the group is migrating already: cut over or abort before\r\n");
    expect_status(&group, 0, "state:connecting\r\n");
    ask(&group, "GET mine", "$1\r\n1\r\n");
    end(&group);
}

static void who_waits_for_a_key_is_told(void **state)
{
    (void)state;
    struct group group;
    begin(&group);
    int waiting = net_connect(&group.net, 0, CW_LISTENER_DATA);
    lease(&group, 0);
    expect(net_command(&group.net, waiting, "BLPOP list 0"), "");
    tell_credentials(&group);
    order(&group, 0, "START " SOURCE " empty", "+OK\r\n");
    lease(&group, 0);
    expect(net_received(&group.net, waiting),
           "-UNBLOCKED force unblock from blocking operation, instance state changed "
           "(master -> replica?)\r\n");
    net_forget(&group.net, waiting);
    expect(net_command(&group.net, waiting, "BLPOP list 0"), READONLY);
    end(&group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_follows_and_cuts_over),
        cmocka_unit_test(writes_are_refused_until_a_replica_has_heard),
        cmocka_unit_test(a_group_whose_replica_does_not_come_back_goes_on),
        cmocka_unit_test(the_next_master_takes_it_up),
        cmocka_unit_test(a_master_that_does_not_know_the_password_waits),
        cmocka_unit_test(a_master_that_is_chosen_again_continues),
        cmocka_unit_test(a_restart_does_not_forget_it),
        cmocka_unit_test(a_replica_that_missed_the_snapshot_is_a_master_without_it),
        cmocka_unit_test(the_source_has_no_say_in_what_is_the_groups),
        cmocka_unit_test(what_counts_from_now_is_told_as_a_date),
        cmocka_unit_test(a_probe_that_is_answered_anything_is_closed),
        cmocka_unit_test(the_other_way_is_tried_when_one_failed),
        cmocka_unit_test(what_cannot_be_ordered_is_refused),
        cmocka_unit_test(who_waits_for_a_key_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
