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

/* ---- the truth table: what was sent, how far it got, what the client is told ---- */

enum progress {
    NEVER_WRITTEN, /* not a byte handed over */
    CUT_SHORT,     /* all but the last byte */
    WRITTEN,
    REFUSED, /* written, and answered -NOTMASTER */
};

/* Plays one row: `prepare` attaches a link and is answered; `command` gets so far; the connection is lost and worker 1
 * becomes master. `told` is what the client hears without it, `repeated` what the new master gets. */
static void play(const char *prepare, const char *prepare_replies, const char *command, enum progress progress,
                 const char *told, const char *repeated)
{
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    stage_say(stage, client, prepare);
    stage_attach(stage, 0);
    link_id old = stage_worker_link(stage, 0, 0);
    stage_say(stage, old, prepare_replies);
    stage_expect(stage, client, prepare_replies);
    stage_heard(stage, old);

    stage->links[old].stuck = progress == NEVER_WRITTEN || progress == CUT_SHORT;
    stage_say(stage, client, command);
    if (progress == CUT_SHORT)
        stage_take_only(stage, old, px_proxy_door.output(stage->proxy, old, stage->now_ns).length - 1);
    stage->workers_refuse = true;
    if (progress == REFUSED)
        stage_say(stage, old, "-NOTMASTER not the master of that epoch\r\n");
    else
        stage_hang_up(stage, old);
    stage->workers_refuse = false;
    stage_publish(stage, 3, 2, 1, 1);
    stage_attach(stage, 1);
    stage_expect(stage, client, told);
    if (stage_worker_links(stage, 1) > 0) {
        stage_expect(stage, stage_worker_link(stage, 1, 0), repeated);
        if (repeated[0] != '\0') {
            stage_say(stage, stage_worker_link(stage, 1, 0), ":42\r\n");
            stage_expect(stage, client, ":42\r\n");
        }
    } else {
        assert_string_equal(repeated, "");
    }
    stage_close(stage);
}

static void play_simple(const char *line, enum progress progress, bool is_repeated)
{
    char command[128], repeated[128];
    snprintf(command, sizeof(command), "%s\r\n", line);
    snprintf(repeated, sizeof(repeated), "%s", stage_array(line));
    play("PING\r\n", "+PONG\r\n", command, progress, is_repeated ? "" : UNCERTAIN, is_repeated ? repeated : "");
}

static void commands_alone_have_their_fates(void **state)
{
    (void)state;
    static const char *const reads[] = {"GET a",        "MGET a b",          "PING", "OBJECT ENCODING a",
                                        "XRANGE s - +", "XREAD STREAMS s 0", "TIME"};
    static const char *const writes[] = {"SET a 1",  "INCR a",          "PUBLISH c m",
                                         "GETEX a",  "SCRIPT LOAD x",   "CONFIG SET a b",
                                         "FLUSHALL", "NOSUCHCOMMAND a", "XREADGROUP GROUP block streams STREAMS s >"};
    for (size_t i = 0; i < ARRAY_LENGTH(reads); i++)
        for (int progress = NEVER_WRITTEN; progress <= REFUSED; progress++)
            play_simple(reads[i], (enum progress)progress, true);
    for (size_t i = 0; i < ARRAY_LENGTH(writes); i++)
        for (int progress = NEVER_WRITTEN; progress <= REFUSED; progress++)
            play_simple(writes[i], (enum progress)progress, progress != WRITTEN);
    for (int progress = NEVER_WRITTEN; progress <= WRITTEN; progress++) {
        play_simple("EVAL_RO x 0", (enum progress)progress, true);
        play_simple("EVAL x 0", (enum progress)progress, progress != WRITTEN);
    }
}

/* A watched key pins the session, so that its link is there before. It is UNWATCHed: no transaction is concerned. */
#define PIN "WATCH w\r\nUNWATCH\r\n"

static void blocking_commands_have_their_fates(void **state)
{
    (void)state;
    static const char *const blocking[] = {"BLPOP q 0", "WAIT 1 0", "XREADGROUP GROUP g streams BLOCK 0 STREAMS s >",
                                           "BLMOVE a b LEFT LEFT 0", "XREAD BLOCK 0 STREAMS s $"};
    for (size_t i = 0; i < ARRAY_LENGTH(blocking); i++) {
        char command[128], repeated[128];
        snprintf(command, sizeof(command), "%s\r\n", blocking[i]);
        snprintf(repeated, sizeof(repeated), "%s", stage_array(blocking[i]));
        bool takes = strstr(command, "XREAD ") == NULL;
        for (int progress = NEVER_WRITTEN; progress <= REFUSED; progress++) {
            bool kept = progress != WRITTEN || !takes;
            play(PIN, "+OK\r\n+OK\r\n", command, (enum progress)progress, kept ? "" : UNCERTAIN, kept ? repeated : "");
        }
    }
}

/* ---- who waits in a worker that is lost ---- */

struct wait {
    struct stage *stage;
    link_id client;
    unsigned worker; /* at which it waits, or is to wait next */
};

static link_id link_of(const struct wait *wait)
{
    return stage_worker_link(wait->stage, wait->worker, 0);
}

/* The worker says that the command waits. */
static void park(const struct wait *wait, const char *words)
{
    struct buf said = {0};
    buf_add_text(&said, ">3\r\n$14\r\nrespite-parked\r\n$2\r\n77\r\n");
    buf_add_text(&said, stage_array(words));
    buf_add(&said, "", 1);
    stage_say(wait->stage, link_of(wait), buf_slice(&said).data);
    buf_free(&said);
}

/* A client's command reaches worker 0. */
static struct wait wait_for(const char *greeting, const char *words)
{
    struct wait wait = {.stage = stage_with_master(NULL)};
    wait.client = stage_client(wait.stage);
    stage_say(wait.stage, wait.client, greeting);
    stage_heard(wait.stage, wait.client);
    char command[128];
    snprintf(command, sizeof(command), "%s\r\n", words);
    stage_say(wait.stage, wait.client, command);
    stage_attach(wait.stage, 0);
    stage_expect(wait.stage, link_of(&wait), stage_array(words));
    return wait;
}

static void lose_worker(struct wait *wait)
{
    wait->stage->workers_refuse = true;
    stage_hang_up(wait->stage, link_of(wait));
}

/* Another worker becomes master, and at that time its link is attached. */
static void find_worker_at(struct wait *wait, int64_t at_ns)
{
    uint64_t epoch = px_proxy_inspect(wait->stage->proxy).epoch + 1;
    stage_wait(wait->stage, at_ns - 2 * NS_PER_S - wait->stage->now_ns); /* a sentinel may have to be called first */
    wait->stage->workers_refuse = false;
    wait->worker = (wait->worker + 1) % 3;
    stage_publish(wait->stage, epoch + 1, epoch, wait->worker, 1);
    stage_wait(wait->stage, at_ns - wait->stage->now_ns);
    stage_attach(wait->stage, wait->worker);
}

static void find_worker(struct wait *wait)
{
    find_worker_at(wait, wait->stage->now_ns);
}

static void who_is_parked_is_parked_again(void **state)
{
    (void)state;
    static const struct {
        const char *asked, *parked;
    } waits[] = {
        {"BLPOP q 0", "BLPOP q 0"},
        {"BRPOPLPUSH a b 0", "BRPOPLPUSH a b 0"},
        {"BZMPOP 0 1 z MIN", "BZMPOP 0 1 z MIN"},
        {"XREADGROUP GROUP g c BLOCK 0 STREAMS s >", "XREADGROUP GROUP g c BLOCK 0 STREAMS s >"},
        {"XREAD BLOCK 0 STREAMS s $", "XREAD BLOCK 0 STREAMS s 7-1"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(waits); i++) {
        for (int refused = 0; refused <= 1; refused++) {
            struct wait wait = wait_for("", waits[i].asked);
            park(&wait, waits[i].parked);
            if (refused) {
                wait.stage->workers_refuse = true;
                stage_say(wait.stage, link_of(&wait), "-NOTMASTER its term is over\r\n");
            } else {
                lose_worker(&wait);
            }
            stage_wait(wait.stage, 3 * NS_PER_S);
            find_worker(&wait);
            stage_expect(wait.stage, link_of(&wait), stage_array(waits[i].parked));
            stage_say(wait.stage, link_of(&wait), ":1\r\n");
            stage_expect(wait.stage, wait.client, ":1\r\n");
            struct px_inspection seen = px_proxy_inspect(wait.stage->proxy);
            assert_int_equal(seen.uncertain + seen.held_commands + seen.held_bytes, 0);
            stage_close(wait.stage);
        }
    }
}

/* What is left of its time goes along, and the clock is not wound up at each master. */
static void who_is_parked_again_waits_for_the_rest_of_its_time(void **state)
{
    (void)state;
    struct wait wait = wait_for("", "BLPOP q 10");
    stage_wait(wait.stage, NS_PER_S); /* the wait begins when the worker says so */
    park(&wait, "BLPOP q 10");
    int64_t end_ns = wait.stage->now_ns + 10 * NS_PER_S;
    stage_wait(wait.stage, 3 * NS_PER_S);
    lose_worker(&wait);
    find_worker_at(&wait, end_ns - 6 * NS_PER_S);
    stage_expect(wait.stage, link_of(&wait), stage_array("BLPOP q 6.000"));
    park(&wait, "BLPOP q 6.000");
    lose_worker(&wait);
    find_worker_at(&wait, end_ns - 3 * NS_PER_S);
    stage_expect(wait.stage, link_of(&wait), stage_array("BLPOP q 3.000"));
    park(&wait, "BLPOP q 3.000");
    lose_worker(&wait);
    stage_wait(wait.stage, end_ns - wait.stage->now_ns - 1);
    stage_expect(wait.stage, wait.client, "");
    stage_wait(wait.stage, 1); /* there is no master to say so */
    stage_expect(wait.stage, wait.client, "*-1\r\n");
    stage_say(wait.stage, wait.client, "GET a\r\n");
    find_worker(&wait);
    stage_expect(wait.stage, link_of(&wait), stage_array("GET a"));
    stage_close(wait.stage);

    wait = wait_for("HELLO 3\r\n", "BLPOP q 1");
    park(&wait, "BLPOP q 1");
    lose_worker(&wait);
    stage_wait(wait.stage, NS_PER_S);
    stage_expect(wait.stage, wait.client, "_\r\n");
    stage_close(wait.stage);
}

/* It has asked to wait: hold_timeout is for those who have not. */
static void who_waits_for_ever_waits_for_a_master_too(void **state)
{
    (void)state;
    struct wait wait = wait_for("", "BLPOP q 0");
    park(&wait, "BLPOP q 0");
    lose_worker(&wait);
    stage_wait(wait.stage, 300 * NS_PER_S);
    stage_expect(wait.stage, wait.client, "");
    find_worker(&wait);
    stage_expect(wait.stage, link_of(&wait), stage_array("BLPOP q 0"));
    stage_close(wait.stage);
}

/* The second master may have served it at once: as with the first, only its word tells. */
static void who_is_asked_for_again_is_parked_only_when_that_is_said(void **state)
{
    (void)state;
    struct wait wait = wait_for("", "BLPOP q 0");
    park(&wait, "BLPOP q 0");
    lose_worker(&wait);
    find_worker(&wait);
    lose_worker(&wait);
    stage_expect(wait.stage, wait.client, UNCERTAIN);
    find_worker(&wait);
    stage_close(wait.stage);
}

/* The worker executes nothing behind a command that waits, but if it was served at the last moment it may have: taking
 * an element twice costs what is lost anyhow, executing INCR twice does not. */
static void what_stands_behind_who_is_parked_has_its_own_fate(void **state)
{
    (void)state;
    struct wait wait = wait_for("", "BLPOP q 0");
    park(&wait, "BLPOP q 0");
    stage_say(wait.stage, wait.client, "INCR a\r\nGET b\r\n");
    lose_worker(&wait);
    find_worker(&wait);
    char expected[128];
    snprintf(expected, sizeof(expected), "%s", stage_array("BLPOP q 0"));
    snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected), "%s", stage_array("GET b"));
    stage_expect(wait.stage, link_of(&wait), expected);
    stage_expect(wait.stage, wait.client, "");
    stage_say(wait.stage, link_of(&wait), "*2\r\n$1\r\nq\r\n$1\r\nv\r\n$1\r\n2\r\n");
    stage_expect(wait.stage, wait.client, "*2\r\n$1\r\nq\r\n$1\r\nv\r\n" UNCERTAIN "$1\r\n2\r\n");
    stage_close(wait.stage);
}

/* Twenty seconds behind a command that waits are not spent waiting for a master. */
static void the_hold_begins_when_the_master_is_lost(void **state)
{
    (void)state;
    struct wait wait = wait_for("", "BLPOP q 0");
    park(&wait, "BLPOP q 0");
    stage_say(wait.stage, wait.client, "GET b\r\n");
    stage_wait(wait.stage, 20 * NS_PER_S);
    stage_say(wait.stage, link_of(&wait), "*2\r\n$1\r\nq\r\n$1\r\nv\r\n");
    stage_heard(wait.stage, wait.client);
    lose_worker(&wait);
    stage_wait(wait.stage, 15 * NS_PER_S - 1);
    stage_expect(wait.stage, wait.client, "");
    stage_wait(wait.stage, 1);
    stage_expect(wait.stage, wait.client, TRYAGAIN);
    stage_close(wait.stage);
}

/* It is between worker and proxy: no client hears of it, in whichever state. */
static void nobody_hears_that_somebody_is_parked(void **state)
{
    (void)state;
    struct wait wait = wait_for("HELLO 3\r\n", "BLPOP q 0");
    park(&wait, "BLPOP q 0");
    stage_expect(wait.stage, wait.client, "");
    stage_say(wait.stage, link_of(&wait), ">3\r\n$14\r\nrespite-parked\r\n$2\r\n77\r\n:1\r\n"); /* makes no sense */
    stage_say(wait.stage, link_of(&wait), "*2\r\n$1\r\nq\r\n$1\r\nv\r\n");
    stage_expect(wait.stage, wait.client, "*2\r\n$1\r\nq\r\n$1\r\nv\r\n");
    stage_say(wait.stage, wait.client, "SUBSCRIBE c\r\n");
    stage_say(wait.stage, link_of(&wait), ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    stage_heard(wait.stage, wait.client);
    park(&wait, "BLPOP q 0"); /* long answered */
    stage_say(wait.stage, wait.client, "GET a\r\n");
    park(&wait, "BLPOP q 0"); /* not what waits */
    stage_expect(wait.stage, wait.client, "");
    lose_worker(&wait);
    find_worker(&wait);
    assert_non_null(strstr(stage_heard(wait.stage, link_of(&wait)), "GET"));
    stage_close(wait.stage);
}

/* The next master would say that its replicas have all that it has; the client asks about what it wrote before. */
static void nobody_vouches_for_writes_to_an_earlier_master(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = attached_client(stage), reader = stage_client(stage);
    stage_say(stage, client, "SET a 1\r\n");
    stage_say(stage, reader, "GET a\r\n");
    stage_say(stage, stage_worker_link(stage, 0, 0), "+OK\r\n$1\r\n1\r\n");
    stage_publish(stage, 3, 1, 0, 1); /* nothing that matters has changed */
    stage_say(stage, client, "WAIT 1 100\r\n");
    stage_attach(stage, 0);
    stage_say(stage, stage_worker_link(stage, 0, 1), ":1\r\n");
    stage_expect(stage, client, "+OK\r\n:1\r\n");
    stage_publish(stage, 4, 2, 1, 1);
    stage_say(stage, client, "WAIT 1 100\r\nWAITAOF 0 1 100\r\n");
    stage_expect(stage, client, ":0\r\n*2\r\n:0\r\n:0\r\n");
    stage_publish(stage, 5, 3, 2, 1);
    stage_say(stage, client, "WAIT 1 100\r\n");
    stage_expect(stage, client, ":0\r\n");
    stage_say(stage, client, "SET a 2\r\nWAIT 1 100\r\n");
    stage_attach(stage, 2);
    link_id shared = stage_worker_link(stage, 2, 0);
    stage_say(stage, shared, "+OK\r\n");
    stage_attach(stage, 2);
    stage_say(stage, stage_worker_link(stage, 2, stage_worker_link(stage, 2, 0) == shared), ":1\r\n");
    stage_expect(stage, client, "+OK\r\n:1\r\n");
    stage_say(stage, reader, "WAIT 1 100\r\n"); /* has written nothing */
    stage_attach(stage, 2);
    stage_say(stage, stage_worker_link(stage, 2, stage_worker_link(stage, 2, 0) == shared), ":1\r\n");
    stage_expect(stage, reader, "$1\r\n1\r\n:1\r\n");
    stage_close(stage);
}

static void transactions_have_their_fates(void **state)
{
    (void)state;
    static const char begun[] = "MULTI\r\nSET a 1\r\n", replies[] = "+OK\r\n+QUEUED\r\n";
    play(begun, replies, "EXEC\r\n", NEVER_WRITTEN, ABORTED, "");
    play(begun, replies, "EXEC\r\n", CUT_SHORT, ABORTED, "");
    play(begun, replies, "EXEC\r\n", WRITTEN, UNCERTAIN, "");
    play(begun, replies, "EXEC\r\n", REFUSED, ABORTED, "");
    play(begun, replies, "DISCARD\r\n", NEVER_WRITTEN, "+OK\r\n", "");
    play(begun, replies, "DISCARD\r\n", WRITTEN, "+OK\r\n", "");
    for (int progress = NEVER_WRITTEN; progress <= WRITTEN; progress++)
        play(begun, replies, "GET x\r\n", (enum progress)progress, "+QUEUED\r\n", "");

    /* Nothing of it was answered: repeated as a whole unless EXEC was written. */
    static const char whole[] = "MULTI\r\nSET a 1\r\nEXEC\r\n";
    static const char arrays[] = "*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*1\r\n$4\r\nEXEC\r\n";
    static const char prepare[] = "WATCH w\r\nUNWATCH\r\n", prepared[] = "+OK\r\n+OK\r\n";
    play(prepare, prepared, whole, NEVER_WRITTEN, "", arrays);
    play(prepare, prepared, whole, CUT_SHORT, "", arrays);
    play(prepare, prepared, whole, WRITTEN, "+OK\r\n+QUEUED\r\n" UNCERTAIN, "");

    /* Watched keys: nobody knows whether they were touched, so EXEC is null. */
    static const char watched[] = "WATCH w\r\n";
    play(watched, "+OK\r\n", whole, NEVER_WRITTEN, "+OK\r\n+QUEUED\r\n*-1\r\n", "");
    play(watched, "+OK\r\n", whole, WRITTEN, "+OK\r\n+QUEUED\r\n" UNCERTAIN, "");
    play(watched, "+OK\r\n", "UNWATCH\r\nMULTI\r\nEXEC\r\n", NEVER_WRITTEN, "",
         "*1\r\n$7\r\nUNWATCH\r\n*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r\n");
    play("WATCH w\r\nMULTI\r\n", "+OK\r\n+OK\r\n", "EXEC\r\n", NEVER_WRITTEN, "*-1\r\n", "");
}

static void a_transaction_lost_between_its_commands_aborts_at_exec(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = stage_client(stage);
    stage_say(stage, client, "MULTI\r\nSET a 1\r\n");
    stage_attach(stage, 0);
    stage_say(stage, stage_worker_link(stage, 0, 0), "+OK\r\n+QUEUED\r\n");
    stage_publish(stage, 3, 2, 1, 1);
    stage_say(stage, client, "SET b 1\r\nSELECT 3\r\nEXEC\r\nSET c 1\r\n");
    stage_attach(stage, 1);
    stage_expect(stage, client, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n" ABORTED);
    link_id worker = stage_worker_link(stage, 1, stage_worker_links(stage, 1) - 1);
    stage_expect(stage, worker, stage_array("SET c 1"));
    stage_say(stage, worker, "+OK\r\n");
    stage_expect(stage, client, "+OK\r\n");

    /* And keys that were watched before the switch make the next EXEC null. */
    stage_say(stage, client, "WATCH k\r\n");
    stage_attach(stage, 1);
    stage_say(stage, stage_worker_link(stage, 1, stage_worker_links(stage, 1) - 1), "+OK\r\n");
    stage_publish(stage, 4, 3, 2, 1);
    stage_say(stage, client, "MULTI\r\nSET a 1\r\nEXEC\r\n");
    stage_expect(stage, client, "+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n");
    stage_close(stage);
}

static void refusals_never_reach_a_client_and_keep_the_order(void **state)
{
    (void)state;
    static const char *const refusals[] = {"-NOTMASTER x\r\n", "-READONLY You can't write\r\n", "-LOADING Redis\r\n",
                                           "-MASTERDOWN Link\r\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
        struct stage *stage = stage_with_master(NULL);
        link_id client = attached_client(stage), other = stage_client(stage);
        link_id old = stage_worker_link(stage, 0, 0);
        stage_say(stage, client, "SET a 1\r\nSET b 1\r\nGET c\r\n");
        stage_say(stage, other, "SET d 1\r\n");
        stage_heard(stage, old);
        stage_say(stage, old, "+OK\r\n"); /* of a */
        stage_say(stage, old, refusals[i]);
        stage_say(stage, client, "SET e 1\r\n"); /* not written to a link that has refused */
        stage_expect(stage, old, "");
        assert_true(stage->links[old].open);
        stage->workers_refuse = true;
        stage_say(stage, old, refusals[i]);
        stage_say(stage, old, refusals[i]);
        assert_false(stage->links[old].open);
        stage_expect(stage, client, "+OK\r\n");
        stage_expect(stage, other, "");
        stage->workers_refuse = false;
        stage_publish(stage, 3, 2, 1, 1);
        stage_attach(stage, 1);
        link_id worker = stage_worker_link(stage, 1, 0);
        stage_expect(stage, worker,
                     "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n1\r\n*2\r\n$3\r\nGET\r\n$1\r\nc\r\n"
                     "*3\r\n$3\r\nSET\r\n$1\r\nd\r\n$1\r\n1\r\n*3\r\n$3\r\nSET\r\n$1\r\ne\r\n$1\r\n1\r\n");
        stage_say(stage, worker, "+2\r\n+3\r\n+4\r\n+5\r\n");
        stage_expect(stage, client, "+2\r\n+3\r\n+5\r\n");
        stage_expect(stage, other, "+4\r\n");
        assert_int_equal(px_proxy_inspect(stage->proxy).uncertain, 0);
        stage_close(stage);
    }
}

/* A master in a migration is master all the same: its client is to hear that it may not write. */
static void a_migration_is_no_refusal(void **state)
{
    (void)state;
    static const char words[] = "-READONLY migrating: this group follows a server outside\r\n";
    struct stage *stage = stage_with_master(NULL);
    link_id client = attached_client(stage);
    link_id worker = stage_worker_link(stage, 0, 0);
    stage_say(stage, client, "SET a 1\r\nGET b\r\n");
    stage_heard(stage, worker);
    stage_say(stage, worker, words);
    stage_say(stage, worker, "+2\r\n");
    stage_expect(stage, client, "-READONLY migrating: this group follows a server outside\r\n+2\r\n");
    assert_true(stage->links[worker].open);
    stage_close(stage);
}

/* An answer behind a refusal is not believed: the refused command comes first. */
static void nothing_overtakes_a_refused_command(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = attached_client(stage);
    link_id old = stage_worker_link(stage, 0, 0);
    stage_say(stage, client, "SET a 1\r\nSET b 1\r\n");
    stage->workers_refuse = true;
    stage_say(stage, old, "-NOTMASTER x\r\n+OK\r\n");
    stage->workers_refuse = false;
    stage_publish(stage, 3, 2, 1, 1);
    stage_attach(stage, 1);
    link_id worker = stage_worker_link(stage, 1, 0);
    stage_expect(stage, worker, stage_array("SET a 1"));
    stage_say(stage, worker, "+OK\r\n");
    stage_expect(stage, client, "+OK\r\n" UNCERTAIN);
    stage_close(stage);
}

/* A script can answer what it likes. Were it taken for a refusal, the script would be repeated without end, and the
 * others' commands with it. */
static void a_script_cannot_play_a_refusal(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = attached_client(stage), other = stage_client(stage);
    link_id link = stage_worker_link(stage, 0, 0);
    stage_say(stage, client, "EVAL x 0\r\n");
    stage_say(stage, other, "INCR a\r\n");
    stage_say(stage, link, "-NOTMASTER says the script\r\n:1\r\n");
    stage_expect(stage, client, UNCERTAIN);
    stage_expect(stage, other, ":1\r\n");
    assert_true(stage->links[link].open);
    stage_close(stage);
}

static void another_master_or_a_gap_closes_connections_and_nothing_else_does(void **state)
{
    (void)state;
    struct stage *stage = stage_with_master(NULL);
    link_id client = attached_client(stage);
    link_id link = stage_worker_link(stage, 0, 0);
    stage_say(stage, client, "GET a\r\n");
    stage_publish(stage, 3, 1, 0, 1); /* same epoch: a member was added, say */
    stage_publish(stage, 4, 2, 0, 1); /* chosen again in the very next epoch */
    assert_true(stage->links[link].open);
    stage_say(stage, link, ":1\r\n");
    stage_expect(stage, client, ":1\r\n");
    stage_say(stage, client, "INCR a\r\n");
    stage_publish(stage, 6, 4, 0, 1); /* the same life, but an epoch was missed */
    stage_expect(stage, client, UNCERTAIN);
    stage_attach(stage, 0);
    link = stage_worker_link(stage, 0, 0);
    stage_say(stage, client, "INCR b\r\n");
    stage_publish(stage, 7, 5, 0, 2); /* another life of the same node */
    stage_expect(stage, client, UNCERTAIN);
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

/* ---- bounds of holding ---- */

static struct stage *stage_without_master(uint32_t commands, size_t bytes)
{
    struct stage probe;
    struct px_config config;
    stage_config(&probe, &config);
    config.hold_commands_max = commands;
    config.hold_bytes_max = bytes;
    config.hold_timeout_ns = 3 * NS_PER_S;
    return stage_open(&config);
}

static void what_waits_too_long_is_answered_in_order(void **state)
{
    (void)state;
    struct stage *stage = stage_without_master(100, 10000);
    link_id client = stage_client(stage), other = stage_client(stage);
    stage_say(stage, client, "SET a 1\r\n");
    stage_wait(stage, 2 * NS_PER_S);
    stage_say(stage, client, "SET b 1\r\n");
    stage_say(stage, other, "MULTI\r\nSET c 1\r\nEXEC\r\n");
    stage_wait(stage, NS_PER_S - 1);
    stage_expect(stage, client, "");
    stage_wait(stage, 1);
    stage_expect(stage, client, TRYAGAIN);
    stage_wait(stage, 2 * NS_PER_S);
    stage_expect(stage, client, TRYAGAIN);
    stage_expect(stage, other, TRYAGAIN TRYAGAIN ABORTED);
    assert_int_equal(px_proxy_inspect(stage->proxy).held_commands, 0);
    assert_int_equal(px_proxy_inspect(stage->proxy).held_bytes, 0);
    stage_close(stage);
}

/* MULTI must not expire alone: what follows it would be executed at once. */
static void a_transaction_expires_as_a_whole(void **state)
{
    (void)state;
    struct stage *stage = stage_without_master(100, 10000);
    link_id client = stage_client(stage);
    stage_say(stage, client, "MULTI\r\n");
    stage_wait(stage, 2 * NS_PER_S);
    stage_say(stage, client, "SET a 1\r\n");
    stage_wait(stage, NS_PER_S);
    stage_expect(stage, client, TRYAGAIN TRYAGAIN);
    stage_publish(stage, 2, 1, 0, 1);
    stage_say(stage, client, "SET b 1\r\nEXEC\r\n");
    stage_attach(stage, 0);
    stage_expect(stage, client, "+QUEUED\r\n" ABORTED);
    stage_close(stage);
}

static void the_number_and_bytes_held_are_bounded(void **state)
{
    (void)state;
    struct stage *stage = stage_without_master(3, 10000);
    link_id client = stage_client(stage), other = stage_client(stage);
    stage_say(stage, client, "SET a 1\r\nSET b 1\r\nSET c 1\r\nSET d 1\r\n");
    assert_int_equal(px_proxy_inspect(stage->proxy).held_commands, 3);
    stage_say(stage, other, "SET e 1\r\n"); /* has nothing before it: answered at once */
    stage_expect(stage, other, TRYAGAIN);
    stage_expect(stage, client, "");
    stage_publish(stage, 2, 1, 0, 1);
    stage_attach(stage, 0);
    link_id worker = stage_worker_link(stage, 0, 0);
    stage_say(stage, worker, "+1\r\n+2\r\n+3\r\n");
    stage_say(stage, worker, "+4\r\n"); /* it waited in the session */
    stage_expect(stage, client, "+1\r\n+2\r\n+3\r\n+4\r\n");
    stage_close(stage);

    stage = stage_without_master(100, 50);
    client = stage_client(stage);
    stage_say(stage, client, "SET a 1\r\n");
    other = stage_client(stage);
    stage_say(stage, other, "SET a 01234567890123456789\r\n");
    stage_expect(stage, other, TRYAGAIN);
    stage_close(stage);
}

static void what_a_client_left_behind_is_not_executed_later(void **state)
{
    (void)state;
    struct stage *stage = stage_open(NULL);
    link_id client = stage_client(stage), other = stage_client(stage);
    stage_say(stage, client, "SET a 1\r\n");
    stage_say(stage, other, "SET b 1\r\n");
    stage_hang_up(stage, client);
    stage_publish(stage, 2, 1, 0, 1);
    stage_attach(stage, 0);
    stage_expect(stage, stage_worker_link(stage, 0, 0), stage_array("SET b 1"));
    stage_close(stage);
}

/* ---- the guards that the simulator takes away ---- */

static struct stage *mutant(unsigned mutants)
{
    struct stage probe;
    struct px_config config;
    stage_config(&probe, &config);
    config.mutants = mutants;
    return stage_with_master(&config);
}

static void mutants_break_what_their_guard_protects(void **state)
{
    (void)state;
    struct stage *stage = mutant(PX_MUTANT_REPEAT_WRITES);
    link_id client = attached_client(stage);
    stage_say(stage, client, "INCR a\r\n");
    stage_publish(stage, 3, 2, 1, 1);
    stage_attach(stage, 1);
    stage_expect(stage, stage_worker_link(stage, 1, 0), stage_array("INCR a"));
    stage_close(stage);

    stage = mutant(PX_MUTANT_ACCEPT_OLD_MASTER);
    client = attached_client(stage);
    stage_say(stage, client, "INCR a\r\n");
    stage_publish(stage, 3, 2, 1, 1);
    stage_say(stage, stage_worker_link(stage, 0, 0), ":1\r\n");
    stage_expect(stage, client, ":1\r\n");
    stage_close(stage);

    stage = mutant(PX_MUTANT_TAKE_LOWER_VERSION);
    stage_publish(stage, 3, 2, 1, 1);
    stage_publish(stage, 2, 1, 0, 1);
    assert_int_equal(px_proxy_inspect(stage->proxy).epoch, 1);
    stage_close(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_wait_for_the_first_master),
        cmocka_unit_test(reads_are_repeated_and_writes_are_uncertain_in_order),
        cmocka_unit_test(commands_alone_have_their_fates),
        cmocka_unit_test(blocking_commands_have_their_fates),
        cmocka_unit_test(who_is_parked_is_parked_again),
        cmocka_unit_test(who_is_parked_again_waits_for_the_rest_of_its_time),
        cmocka_unit_test(who_waits_for_ever_waits_for_a_master_too),
        cmocka_unit_test(who_is_asked_for_again_is_parked_only_when_that_is_said),
        cmocka_unit_test(what_stands_behind_who_is_parked_has_its_own_fate),
        cmocka_unit_test(the_hold_begins_when_the_master_is_lost),
        cmocka_unit_test(nobody_hears_that_somebody_is_parked),
        cmocka_unit_test(nobody_vouches_for_writes_to_an_earlier_master),
        cmocka_unit_test(transactions_have_their_fates),
        cmocka_unit_test(a_transaction_lost_between_its_commands_aborts_at_exec),
        cmocka_unit_test(refusals_never_reach_a_client_and_keep_the_order),
        cmocka_unit_test(a_migration_is_no_refusal),
        cmocka_unit_test(nothing_overtakes_a_refused_command),
        cmocka_unit_test(a_script_cannot_play_a_refusal),
        cmocka_unit_test(another_master_or_a_gap_closes_connections_and_nothing_else_does),
        cmocka_unit_test(a_lower_version_is_ignored),
        cmocka_unit_test(what_waits_too_long_is_answered_in_order),
        cmocka_unit_test(a_transaction_expires_as_a_whole),
        cmocka_unit_test(the_number_and_bytes_held_are_bounded),
        cmocka_unit_test(what_a_client_left_behind_is_not_executed_later),
        cmocka_unit_test(mutants_break_what_their_guard_protects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
