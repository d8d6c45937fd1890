/* Random schedules: clients that pipeline, a worker that answers late and in pieces, refuses, dies, is replaced. Every
 * command carries a number of its own; the worker answers with that number, so order and identity are visible.
 *
 * Whatever happens: each client gets one reply per command, in request order, its own; a read is never answered with an
 * error; a write is executed at most once, and exactly once if it was confirmed; a transaction likewise, as a whole.
 * What it is answered was executed in the order in which it was sent, also while the worker says that it holds replies,
 * and reads have a link of their own, on which some are refused.
 * Who waits (BLPOP) is answered too, and what stands behind it is not executed before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/proxy/stage.h"

#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/base/rand.h"
#include "common/resp/resp_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { CLIENTS = 5, COMMANDS_MAX = 8000, STEPS = 600, SEEDS = 60, WORKERS = 3 };

enum reply_kind { REPLY_READ, REPLY_WRITE, REPLY_WAIT, REPLY_OK, REPLY_QUEUED, REPLY_EXEC };

struct expected {
    enum reply_kind kind;
    uint32_t number;
};

struct client {
    link_id link;
    uint32_t first, next; /* of `expected`: what it waits for */
    uint64_t moment;      /* when its last command that it has the answer to was executed */
    struct expected expected[4 * COMMANDS_MAX];
    struct buf heard;
};

struct worker_link {
    struct buf input;
    struct buf replies; /* not yet sent */
    bool refuses;
    bool is_for_reads;
    bool in_multi;
    uint32_t queued; /* the write inside MULTI */
    bool is_parked;
    uint32_t parked; /* the BLPOP that waits */
};

struct play {
    struct stage *stage;
    struct rand rand;
    struct client clients[CLIENTS];
    uint32_t executed[COMMANDS_MAX];
    uint64_t now; /* executions in all */
    uint32_t command_count;
    struct worker_link links[STAGE_LINKS_MAX];
    uint64_t version, epoch;
    unsigned master;
    uint32_t held; /* reads that were refused on a link for reads */
    uint32_t confirmed, uncertain, aborted, switches, parked;
};

/* ---- clients ---- */

static void expect(struct client *client, enum reply_kind kind, uint32_t number)
{
    client->expected[client->next++] = (struct expected){kind, number};
}

static void add_command(struct play *play, struct client *client, struct buf *bytes)
{
    uint32_t number = play->command_count++;
    bool mostly_reads = client == &play->clients[0] && rand_below(&play->rand, 8) > 0;
    switch (mostly_reads ? 5 : rand_below(&play->rand, 9)) {
    case 8:
        buf_add_format(bytes, "BLPOP %u %s\r\n", number, rand_below(&play->rand, 2) ? "0" : "1000.5");
        expect(client, REPLY_WAIT, number);
        break;
    case 0:
        buf_add_format(bytes, "MULTI\r\nINCR %u\r\nEXEC\r\n", number);
        expect(client, REPLY_OK, number);
        expect(client, REPLY_QUEUED, number);
        expect(client, REPLY_EXEC, number);
        break;
    case 1:
        buf_add_format(bytes, "SELECT %u\r\n", (unsigned)rand_below(&play->rand, 3));
        expect(client, REPLY_OK, number);
        break;
    case 2:
    case 3:
    case 4:
        buf_add_format(bytes, "INCR %u\r\n", number);
        expect(client, REPLY_WRITE, number);
        break;
    default:
        buf_add_format(bytes, "GET %u\r\n", number);
        expect(client, REPLY_READ, number);
        break;
    }
}

static void clients_say(struct play *play)
{
    struct client *client = &play->clients[rand_below(&play->rand, CLIENTS)];
    struct buf bytes = {0};
    for (uint64_t i = rand_below(&play->rand, 6); i > 0 && play->command_count < COMMANDS_MAX; i--)
        add_command(play, client, &bytes);
    while (buf_length(&bytes) > 0) {
        size_t piece = 1 + (size_t)rand_below(&play->rand, buf_length(&bytes));
        stage_say_bytes(play->stage, client->link, slice_of(bytes.memory + bytes.start, piece));
        buf_consume(&bytes, piece);
    }
    buf_free(&bytes);
}

static bool take_line(struct buf *heard, char line[256])
{
    struct slice bytes = buf_slice(heard);
    const char *end = bytes.length ? memchr(bytes.data, '\n', bytes.length) : NULL;
    if (end == NULL)
        return false;
    size_t length = (size_t)(end - bytes.data) + 1;
    assert_true(length >= 2 && length < 256);
    memcpy(line, bytes.data, length - 2);
    line[length - 2] = '\0';
    buf_consume(heard, length);
    return true;
}

static void judge(struct play *play, struct client *client, const char *line)
{
    assert_true(client->first < client->next);
    const struct expected *expected = &client->expected[client->first];
    char number[16];
    snprintf(number, sizeof(number), "+%u ", expected->number);
    size_t length = strlen(number);
    bool changes = expected->kind == REPLY_WRITE || expected->kind == REPLY_EXEC;
    if ((changes || expected->kind == REPLY_WAIT) && strncmp(line, "-UNCERTAIN ", 11) == 0) {
        play->uncertain++;
    } else if (expected->kind == REPLY_EXEC && strncmp(line, "-EXECABORT ", 11) == 0) {
        assert_int_equal(play->executed[expected->number], 0);
        play->aborted++;
    } else if (expected->kind == REPLY_EXEC && strcmp(line, "*1") == 0) {
        return; /* its element follows */
    } else if (expected->kind == REPLY_OK) {
        assert_string_equal(line, "+OK");
    } else if (expected->kind == REPLY_QUEUED) {
        assert_string_equal(line, "+QUEUED");
    } else {
        assert_memory_equal(line, number, length);
        uint64_t moment = strtoull(line + length, NULL, 10);
        assert_true(moment > client->moment);
        client->moment = moment;
        if (changes)
            assert_int_equal(play->executed[expected->number], 1);
        play->confirmed++;
    }
    client->first++;
}

static void clients_hear(struct play *play)
{
    for (int i = 0; i < CLIENTS; i++) {
        struct client *client = &play->clients[i];
        assert_true(play->stage->links[client->link].open);
        buf_add_text(&client->heard, stage_heard(play->stage, client->link));
        char line[256];
        while (take_line(&client->heard, line))
            judge(play, client, line);
    }
}

/* ---- the worker ---- */

static void forget_link(struct worker_link *link)
{
    buf_free(&link->input);
    buf_free(&link->replies);
    *link = (struct worker_link){0};
}

static uint32_t number_of(struct slice text)
{
    uint64_t number = 0;
    assert_int_equal(number_parse_u64(text, &number), 0);
    assert_true(number < COMMANDS_MAX);
    return (uint32_t)number;
}

static void execute(struct play *play, struct worker_link *link, const struct slice *argv)
{
    struct buf *out = &link->replies;
    if (slice_equal_nocase(argv[0], "respite") && slice_equal_nocase(argv[1], "reads")) {
        link->is_for_reads = true;
        buf_add_text(out, link->refuses ? "-NOTMASTER no\r\n" : "+OK\r\n");
    } else if (slice_equal_nocase(argv[0], "respite")) {
        uint64_t epoch = 0;
        assert_int_equal(number_parse_u64(argv[3], &epoch), 0);
        link->refuses = epoch != play->epoch;
        buf_add_text(out, link->refuses ? "-NOTMASTER no\r\n" : "+OK\r\n");
    } else if (link->refuses) {
        buf_add_text(out, "-NOTMASTER no\r\n");
    } else if (slice_equal_nocase(argv[0], "blpop")) {
        link->is_parked = true;
        link->parked = number_of(argv[1]);
        buf_add_format(
            out, ">3\r\n$14\r\nrespite-parked\r\n$1\r\n7\r\n*3\r\n$5\r\nBLPOP\r\n$%zu\r\n%.*s\r\n$%zu\r\n%.*s\r\n",
            argv[1].length, (int)argv[1].length, argv[1].data, argv[2].length, (int)argv[2].length, argv[2].data);
    } else if (slice_equal_nocase(argv[0], "select")) {
        buf_add_text(out, "+OK\r\n");
    } else if (slice_equal_nocase(argv[0], "multi")) {
        link->in_multi = true;
        buf_add_text(out, "+OK\r\n");
    } else if (slice_equal_nocase(argv[0], "exec")) {
        assert_true(link->in_multi);
        link->in_multi = false;
        play->executed[link->queued]++;
        buf_add_format(out, "*1\r\n+%u %" PRIu64 "\r\n", link->queued, ++play->now);
    } else if (link->in_multi) {
        link->queued = number_of(argv[1]);
        buf_add_text(out, "+QUEUED\r\n");
    } else {
        uint32_t number = number_of(argv[1]);
        if (slice_equal_nocase(argv[0], "incr"))
            play->executed[number]++;
        if (link->is_for_reads && rand_below(&play->rand, 4) == 0) {
            buf_add_text(out, "-HELD no\r\n");
            play->held++;
        } else {
            buf_add_format(out, "+%u %" PRIu64 "\r\n", number, ++play->now);
        }
        if (rand_below(&play->rand, 20) == 0)
            buf_add_text(out, ">1\r\n$12\r\nrespite-held\r\n");
    }
}

/* It gets its element, or hears that the master is none any more. */
static void serve(struct play *play, struct worker_link *link)
{
    link->is_parked = false;
    play->parked++;
    if (link->refuses)
        buf_add_text(&link->replies, "-NOTMASTER no\r\n");
    else
        buf_add_format(&link->replies, "+%u %" PRIu64 "\r\n", link->parked, ++play->now);
}

static void worker_reads(struct play *play, link_id id)
{
    struct worker_link *link = &play->links[id];
    struct resp_limits limits = RESP_LIMITS_DEFAULT;
    struct resp_request request = {0};
    buf_add_text(&link->input, stage_heard(play->stage, id));
    while (buf_length(&link->input) > 0 && !link->is_parked) {
        int64_t used = resp_request_read(&request, buf_slice(&link->input), &limits);
        assert_true(used >= 0);
        if (used == 0)
            break;
        execute(play, link, request.argv);
        buf_consume(&link->input, (size_t)used);
    }
    resp_request_free(&request);
}

static void worker_answers(struct play *play, link_id id, size_t count)
{
    struct worker_link *link = &play->links[id];
    struct buf piece = {0};
    buf_add(&piece, link->replies.memory + link->replies.start, count);
    buf_consume(&link->replies, count);
    stage_say_bytes(play->stage, id, buf_slice(&piece));
    buf_free(&piece);
    if (!play->stage->links[id].open || play->stage->links[id].port == 0)
        forget_link(link);
}

static bool is_of_worker(const struct play *play, link_id id)
{
    const struct stage_link *link = &play->stage->links[id];
    return link->open && link->port >= STAGE_WORKER_PORT && link->port < STAGE_WORKER_PORT + WORKERS;
}

static void worker_works(struct play *play, bool all)
{
    for (link_id id = 0; id < STAGE_LINKS_MAX; id++) {
        if (!is_of_worker(play, id))
            continue;
        /* A number is used again for a new connection, which begins with its greeting. */
        if (strncmp(buf_length(&play->stage->links[id].heard) ? play->stage->links[id].heard.memory : "",
                    "*7\r\n$7\r\nRESPITE", 15) == 0)
            forget_link(&play->links[id]);
        if (!all && rand_below(&play->rand, 3) == 0)
            continue;
        if (play->links[id].is_parked && (all || rand_below(&play->rand, 8) == 0))
            serve(play, &play->links[id]);
        worker_reads(play, id);
        size_t ready = buf_length(&play->links[id].replies);
        if (!all && ready > 0)
            ready = (size_t)rand_below(&play->rand, ready + 1);
        if (ready > 0)
            worker_answers(play, id, ready);
    }
}

/* The worker's process dies, or its network does; bytes may be on their way in both directions. */
static void break_links(struct play *play)
{
    for (link_id id = 0; id < STAGE_LINKS_MAX; id++)
        if (is_of_worker(play, id) && rand_below(&play->rand, 2) == 0) {
            forget_link(&play->links[id]);
            stage_hang_up(play->stage, id);
        }
}

static void refuse_everything(struct play *play)
{
    for (link_id id = 0; id < STAGE_LINKS_MAX; id++)
        if (is_of_worker(play, id))
            play->links[id].refuses = true;
}

static void switch_master(struct play *play)
{
    play->switches++;
    play->master = (play->master + 1 + (unsigned)rand_below(&play->rand, WORKERS - 1)) % WORKERS;
    play->epoch++;
    play->version++;
    if (rand_below(&play->rand, 2) == 0) {
        refuse_everything(play); /* the old master has learned it before the proxy */
        for (int i = 0; i < 4; i++)
            worker_works(play, false);
    }
    stage_publish(play->stage, play->version, play->epoch, play->master, 1);
}

/* ---- the play ---- */

/* Returns how many reads were refused on a link for reads. */
static uint32_t run(uint64_t seed)
{
    struct play *play = mem_zero(sizeof(*play));
    rand_seed(&play->rand, seed);
    play->stage = stage_open(NULL);
    play->version = play->epoch = 1;
    for (int i = 0; i < CLIENTS; i++)
        play->clients[i].link = stage_client(play->stage);
    if (rand_below(&play->rand, 2) == 0)
        stage_publish(play->stage, play->version, play->epoch, play->master, 1);
    for (int step = 0; step < STEPS; step++) {
        clients_say(play);
        worker_works(play, false);
        clients_hear(play);
        stage_wait(play->stage, (int64_t)rand_below(&play->rand, 20) * NS_PER_MS);
        uint64_t chance = rand_below(&play->rand, 60);
        if (chance == 0)
            switch_master(play);
        else if (chance == 1)
            break_links(play);
        else if (chance < 4 && stage_worker_links(play->stage, play->master) > 0)
            play->stage->links[stage_worker_link(play->stage, play->master, 0)].stuck = chance == 2;
    }
    switch_master(play);
    for (int i = 0; i < 200; i++) {
        worker_works(play, true);
        stage_wait(play->stage, 10 * NS_PER_MS);
        clients_hear(play);
    }
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(play->clients[i].first, play->clients[i].next);
    for (uint32_t i = 0; i < play->command_count; i++)
        assert_true(play->executed[i] <= 1);
    assert_true(play->confirmed > 0 && play->switches > 0 && play->parked > 0);
    struct px_inspection seen = px_proxy_inspect(play->stage->proxy);
    assert_int_equal(seen.uncertain, play->uncertain);
    assert_int_equal(seen.held_commands, 0);
    assert_int_equal(seen.held_bytes, 0);

    printf("# seed %llu: %u commands, %u switches, %u confirmed, %u uncertain, %u aborted, %llu repeated\n",
           (unsigned long long)seed, play->command_count, play->switches, play->confirmed, play->uncertain,
           play->aborted, (unsigned long long)seen.repeated);

    for (link_id id = 0; id < STAGE_LINKS_MAX; id++)
        forget_link(&play->links[id]);
    for (int i = 0; i < CLIENTS; i++)
        buf_free(&play->clients[i].heard);
    stage_close(play->stage);
    uint32_t held = play->held;
    mem_free(play);
    return held;
}

static void every_command_has_one_true_answer(void **state)
{
    (void)state;
    const char *only = getenv("SEED");
    uint32_t held = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        if (only == NULL || strtoull(only, NULL, 10) == seed)
            held += run(seed);
    printf("# %u reads were refused on links for reads\n", held);
    assert_true(only != NULL || held > SEEDS);
}

/* ---- a worker that says anything, to clients that do everything ---- */

static const char *const any_command[] = {
    "GET a",         "SET a 1",
    "MULTI",         "EXEC",
    "DISCARD",       "WATCH a",
    "UNWATCH",       "SUBSCRIBE a",
    "PSUBSCRIBE b",  "UNSUBSCRIBE",
    "MONITOR",       "BLPOP q 0",
    "CLIENT ID",     "SELECT 1",
    "HELLO 3",       "HELLO 2",
    "RESET",         "PING",
    "EVAL x 0",      "CLIENT REPLY ON",
    "WAIT 0 0",      "QUIT",
    "RESPITE PROXY", "PUNSUBSCRIBE",
    "SSUBSCRIBE s",  "XREAD BLOCK 0 STREAMS s 0",
    "UNSUBSCRIBE a", "CLIENT TRACKING ON",
    "HELLO 3",       "CLIENT TRACKING OFF",
    "HELLO 3",       "CLIENT CACHING YES",
};

static const char *const any_frame[] = {
    "+OK\r\n",
    "+QUEUED\r\n",
    ">2\r\n$10\r\ninvalidate\r\n_\r\n",
    ":1\r\n",
    "-ERR x\r\n",
    "-NOTMASTER x\r\n",
    "-EXECABORT x\r\n",
    "$-1\r\n",
    "*-1\r\n",
    "*0\r\n",
    "_\r\n",
    "%1\r\n+a\r\n+b\r\n",
    "*1\r\n+OK\r\n",
    "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n",
    "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n",
    "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n",
    ">3\r\n$10\r\npsubscribe\r\n$1\r\nb\r\n:1\r\n",
    ">3\r\n$12\r\nsunsubscribe\r\n$1\r\ns\r\n:0\r\n",
    ">2\r\n$10\r\ninvalidate\r\n_\r\n",
    "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n",
    ">1\r\n:1\r\n",
    "*1\r\n*0\r\n",
    "garbage",
    "$5\r\nab",
};

static void misbehave(struct play *play)
{
    for (int client = 0; client < CLIENTS; client++) {
        link_id *link = &play->clients[client].link;
        if (!play->stage->links[*link].open || play->stage->links[*link].port != 0)
            *link = stage_client(play->stage);
        char text[64];
        snprintf(text, sizeof(text), "%s\r\n", any_command[rand_below(&play->rand, ARRAY_LENGTH(any_command))]);
        stage_tell(play->stage, *link, text);
    }
    stage_turn(play->stage);
    for (link_id id = 0; id < 256; id++)
        if (is_of_worker(play, id) && rand_below(&play->rand, 2) == 0)
            stage_tell(play->stage, id, any_frame[rand_below(&play->rand, ARRAY_LENGTH(any_frame))]);
    if (rand_below(&play->rand, 4) == 0)
        stage_attach(play->stage, play->master);
    if (rand_below(&play->rand, 50) == 0)
        stage_publish(play->stage, ++play->version, ++play->epoch, ++play->master % WORKERS, 1);
    if (rand_below(&play->rand, 20) == 0) {
        link_id leaver = play->clients[rand_below(&play->rand, CLIENTS)].link;
        if (play->stage->links[leaver].open && play->stage->links[leaver].port == 0)
            stage_hang_up(play->stage, leaver);
    }
    stage_wait(play->stage, (int64_t)rand_below(&play->rand, 200) * NS_PER_MS);
}

/* The invariants are the checks of the core itself, and the sanitizers'. */
static void a_worker_that_says_anything_breaks_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct play *play = mem_zero(sizeof(*play));
        rand_seed(&play->rand, seed);
        play->stage = stage_open(NULL);
        for (int i = 0; i < CLIENTS; i++)
            play->clients[i].link = stage_client(play->stage);
        stage_publish(play->stage, ++play->version, ++play->epoch, 0, 1);
        for (int step = 0; step < STEPS; step++)
            misbehave(play);
        for (int i = 0; i < CLIENTS; i++)
            if (play->stage->links[play->clients[i].link].open && play->stage->links[play->clients[i].link].port == 0)
                stage_hang_up(play->stage, play->clients[i].link);
        stage_publish(play->stage, ++play->version, ++play->epoch + 1, 1, 1); /* no connection is kept */
        stage_wait(play->stage, 16 * NS_PER_S);                               /* and nothing is held so long */
        struct px_inspection seen = px_proxy_inspect(play->stage->proxy);
        assert_int_equal(seen.connections, 0);
        assert_int_equal(seen.ghosts, 0);
        assert_int_equal(seen.held_commands, 0);
        assert_int_equal(seen.held_bytes, 0);
        stage_close(play->stage);
        mem_free(play);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_has_one_true_answer),
        cmocka_unit_test(a_worker_that_says_anything_breaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
