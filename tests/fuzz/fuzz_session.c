/* Several sessions of one worker: transactions, watched keys, commands that wait, and ends at any moment.
 *
 * The input is bytes: who, what, and the numbers that go into it. The worker lives on from input to input, for a while,
 * so that inputs meet what others left. After every command
 *   - all that a session was sent are whole replies;
 *   - nobody waits for a key that is there (or, in a group of a stream, for one that is not);
 *   - what a replica was sent has been executed at a mirror, in pieces; at the end of the input both have the same
 * data.
 */
#include "cacheworker/engine/digest.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/repl/repl.h"
#include "common/resp/resp_reader.h"
#include "common/resp/resp_writer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <stdio.h>
#include <stdlib.h>

enum { SESSIONS = 6, INPUTS_OF_A_WORLD = 300, OPERATIONS_MAX = 400, KEYS = 3 };

/* "%" is a number of its own below KEYS, "&" the id of a session, "" where that is not open. */
static const char *const lines[] = {
    "MULTI",
    "MULTI",
    "EXEC",
    "EXEC",
    "EXEC",
    "DISCARD",
    "WATCH l%",
    "WATCH z% x%",
    "WATCH s%",
    "UNWATCH",
    "SELECT 0",
    "SELECT 1",
    "RESET",
    "CLIENT REPLY ON",
    "LPUSH l% a",
    "RPUSH l% b c",
    "LPOP l%",
    "RPUSH l% 1 2 3 4",
    "LLEN l%",
    "LMOVE l% l% LEFT RIGHT",
    "DEL l%",
    "BLPOP l% 0",
    "BLPOP l% l% 0",
    "BRPOP l% s% 0.1",
    "BLMOVE l% l% LEFT RIGHT 0",
    "BRPOPLPUSH l% l% 0",
    "BLMPOP 0 2 l% l% LEFT COUNT 2",
    "BLMOVE l% s% LEFT LEFT 0",
    "ZADD z% 1 a 2 b",
    "ZADD z% 3 c",
    "ZREM z% a",
    "BZPOPMIN z% 0",
    "BZPOPMAX z% z% 0",
    "BZMPOP 0 1 z% MIN COUNT 2",
    "XADD x% * f v",
    "XADD x% MAXLEN 2 * f v",
    "XGROUP CREATE x% g $ MKSTREAM",
    "XGROUP CREATE x% g 0",
    "XGROUP DESTROY x% g",
    "XREAD BLOCK 0 STREAMS x% $",
    "XREAD BLOCK 50 STREAMS x% x% 0 $",
    "XREADGROUP GROUP g c% BLOCK 0 STREAMS x% >",
    "XREADGROUP GROUP g c% COUNT 1 STREAMS x% >",
    "XACK x% g 1-1",
    "SET s% v",
    "SET l% v",
    "SET s% v PX 60",
    "INCR n%",
    "DEL s% l% z% x%",
    "PEXPIRE l% 60",
    "PEXPIRE x% 60",
    "RENAME l% l%",
    "RENAME z% z%",
    "COPY l% l% REPLACE",
    "COPY x% x% REPLACE",
    "SORT l% ALPHA STORE l%",
    "SWAPDB 0 1",
    "FLUSHALL",
    "FLUSHDB",
    "SADD set% a b",
    "SPOP set%",
    "HSETEX h% PX 60 FIELDS 1 f v",
    "HGETALL h%",
    "CLIENT UNBLOCK &",
    "CLIENT UNBLOCK & ERROR",
    "CLIENT KILL ID &",
    "WAIT 0 0",
    "HELLO 3",
    "HELLO 2",
    "NOSUCH",
    "GET",
    "PUBLISH news hi",
    "SUBSCRIBE news",
    "DEBUG RELOAD NOSAVE",
    "PING",
    "SET s% v NX",
    "GETDEL s%",
};

struct one {
    link_id link;
    struct resp_frame frame;
};

struct world {
    struct bench bench, mirror;
    struct one sessions[SESSIONS];
    link_id replica;
    struct buf stream; /* owned; what was not executed at the mirror yet */
    unsigned inputs;
};

static struct world *world; /* of this program: a worker that has seen other inputs before */

/* Between inputs the worker is there, and what its arena alone points to would be taken for lost. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static void fail(const char *what, const char *detail)
{
    fprintf(stderr, "%s: %s\n", what, detail);
    abort();
}

static void begin(void)
{
    world = calloc(1, sizeof(*world));
    bench_start_standalone(&world->bench);
    bench_start_standalone(&world->mirror);
    world->mirror.worker->engine.active_expiry = false;
    world->replica = bench_attach_replica(&world->bench);
    for (unsigned i = 0; i < SESSIONS; i++)
        world->sessions[i].link = LINK_NONE;
}

static void end(void)
{
    bench_end(&world->bench);
    bench_end(&world->mirror);
    buf_free(&world->stream);
    free(world);
    world = NULL;
}

/* --- what must be --- */

static void check_replies(struct one *session)
{
    static const struct resp_limits limits = RESP_LIMITS_DEFAULT;
    struct slice bytes = bench_take(&world->bench, session->link);
    while (bytes.length > 0) {
        size_t used;
        int complete = resp_frame_scan(&session->frame, bytes, &limits, &used);
        if (complete < 0 || (complete == 0 && used < bytes.length))
            fail("no reply", "");
        bytes = slice_skip(bytes, used);
    }
    if (session->frame.inside)
        fail("half a reply", "");
    if (!world->bench.links[session->link].is_open)
        session->link = LINK_NONE;
}

static void check_waiters(void)
{
    struct cw_engine *engine = &world->bench.worker->engine;
    for (unsigned database = 0; database < engine->config.databases; database++) {
        CW_INTERESTS_FOR_EACH(node, &engine->waiters.keys, database)
        {
            struct cw_waited_key *key = CONTAINER_OF(node, struct cw_waited_key, interest.node);
            struct slice name = cw_interest_key(&key->interest);
            uint64_t hash = cw_keyspace_hash(engine->keyspace, name);
            const struct cw_entry *entry =
                cw_keyspace_peek(engine->keyspace, database, name, hash, engine->wall_us / 1000);
            bool is_list = entry != NULL && cw_entry_type(entry) == CW_TYPE_LIST && name.data[0] == 'l';
            bool is_zset = entry != NULL && cw_entry_type(entry) == CW_TYPE_ZSET && name.data[0] == 'z';
            if (is_list || is_zset)
                fail("somebody waits for what is there", name.data[0] == 'l' ? "a list" : "a sorted set");
            bool has_just_expired = !list_is_empty(&key->ready); /* for we looked; they are served in the next turn */
            if (key->ending > 0 && !has_just_expired && (entry == NULL || cw_entry_type(entry) != CW_TYPE_STREAM))
                fail("somebody waits in a group", "without its stream");
        }
    }
}

/* A replica that is silent for long would be given up. */
static void acknowledge(void)
{
    char line[64];
    snprintf(line, sizeof(line), "REPLCONF ACK %llu\r\n",
             (unsigned long long)cw_repl_offset(world->bench.worker->engine.repl));
    bench_receive(&world->bench, world->replica, slice_text(line));
    bench_turn(&world->bench);
}

/* In two pieces: the second comes with the next ones. */
static void pass_on(bool all)
{
    struct slice bytes = bench_take(&world->bench, world->replica);
    buf_add_slice(&world->stream, bytes);
    size_t length = buf_length(&world->stream);
    struct slice piece = slice_of(buf_slice(&world->stream).data, all ? length : length - length / 3);
    size_t consumed;
    bool ack;
    world->mirror.worker->engine.wall_us = world->bench.worker->engine.wall_us;
    if (piece.length == 0)
        return;
    if (cw_engine_apply(&world->mirror.worker->engine, piece, &consumed, &ack) < 0)
        fail("the stream", "is not one");
    buf_consume(&world->stream, consumed);
    if (all && buf_length(&world->stream) > 0)
        fail("the stream", "ends in the middle of a unit");
}

/* One key of ours beside what the mirror has of it. */
static void show_difference(void *context, unsigned database, const struct cw_entry *entry)
{
    struct cw_keyspace *other = context;
    struct slice name = cw_entry_key(entry);
    struct cw_digest ours = {0}, theirs = {0};
    int64_t now_ms = world->bench.worker->engine.wall_us / 1000;
    const struct cw_entry *found = cw_keyspace_peek(other, database, name, cw_keyspace_hash(other, name), now_ms);
    bool same = found != NULL && cw_digest_value(entry, now_ms, &ours) && cw_digest_value(found, now_ms, &theirs) &&
                memcmp(&ours, &theirs, sizeof(ours)) == 0;
    if (!same)
        fprintf(stderr, "database %u, %.*s: a %s that expires at %lld, and now is %lld; the other one has %s\n",
                database, (int)name.length, name.data, cw_type_name(cw_entry_type(entry)),
                (long long)cw_entry_expire_ms(entry), (long long)now_ms,
                found != NULL ? cw_type_name(cw_entry_type(found)) : "none");
}

static void show_differences(struct cw_keyspace *ours, struct cw_keyspace *other)
{
    for (unsigned i = 0; i < cw_keyspace_databases(ours); i++)
        cw_keyspace_for_each(ours, i, show_difference, other);
}

static void compare(void)
{
    char ours[CW_DIGEST_TEXT_LENGTH + 1] = "", theirs[CW_DIGEST_TEXT_LENGTH + 1] = "";
    int64_t now_ms = world->bench.worker->engine.wall_us / 1000;
    struct cw_digest digest = {0};
    struct cw_keyspace *mirror = world->mirror.worker->engine.keyspace;
    if (cw_digest_keyspace(world->bench.worker->engine.keyspace, now_ms, &digest))
        cw_digest_write(&digest, ours);
    enum cw_expiry_mode mode = cw_keyspace_expiry_mode(mirror);
    cw_keyspace_set_expiry_mode(mirror, CW_EXPIRY_HIDES);
    digest = (struct cw_digest){0};
    if (cw_digest_keyspace(mirror, now_ms, &digest))
        cw_digest_write(&digest, theirs);
    if (strcmp(ours, theirs) != 0) {
        show_differences(world->bench.worker->engine.keyspace, mirror);
        show_differences(mirror, world->bench.worker->engine.keyspace);
    }
    cw_keyspace_set_expiry_mode(mirror, mode);
    fuzz_must_equal(slice_text(ours), slice_text(theirs), "the mirror");
}

/* --- what is done --- */

struct input {
    const uint8_t *next;
    const uint8_t *end;
};

static unsigned take(struct input *input, unsigned below)
{
    return input->next < input->end ? *input->next++ % below : 0;
}

static void add_id(struct buf *line, struct input *input)
{
    link_id link = world->sessions[take(input, SESSIONS)].link;
    if (link != LINK_NONE)
        buf_add_u64(line, cw_session_find(&world->bench.worker->engine, link)->id);
}

/* As it would be said inline, then as an array. */
static void add_command(struct buf *bytes, struct input *input)
{
    static const struct resp_limits limits = RESP_LIMITS_DEFAULT;
    struct buf line = {0};
    struct resp_request request = {0};
    for (const char *at = lines[take(input, ARRAY_LENGTH(lines))]; *at != '\0'; at++) {
        if (*at == '%')
            buf_add_u64(&line, take(input, KEYS));
        else if (*at == '&')
            add_id(&line, input);
        else
            buf_add(&line, at, 1);
    }
    buf_add_text(&line, "\r\n");
    if (resp_request_read(&request, buf_slice(&line), &limits) <= 0)
        fail("no line", "");
    resp_write_array(bytes, request.argc);
    for (size_t i = 0; i < request.argc; i++)
        resp_write_bulk(bytes, request.argv[i]);
    resp_request_free(&request);
    buf_free(&line);
}

/* Up to three commands in one turn. */
static void say(struct one *session, struct input *input)
{
    struct buf bytes = {0};
    for (unsigned said = take(input, 3); said < 3; said++)
        add_command(&bytes, input);
    bench_receive(&world->bench, session->link, buf_slice(&bytes));
    bench_turn(&world->bench);
    buf_free(&bytes);
}

static void operate(struct input *input)
{
    unsigned who = take(input, SESSIONS + 2);
    struct one *session = &world->sessions[who < SESSIONS ? who : take(input, SESSIONS)];
    if (who == SESSIONS) {
        bench_advance(&world->bench, 40 * NS_PER_MS);
    } else if (who == SESSIONS + 1 && session->link != LINK_NONE) {
        bench_close(&world->bench, session->link);
        bench_turn(&world->bench);
        *session = (struct one){.link = LINK_NONE};
    } else {
        if (session->link == LINK_NONE)
            *session = (struct one){.link = bench_connect(&world->bench)};
        say(session, input);
    }
    for (unsigned i = 0; i < SESSIONS; i++)
        if (world->sessions[i].link != LINK_NONE)
            check_replies(&world->sessions[i]);
    check_waiters();
    pass_on(false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, data + size};
    if (world == NULL)
        begin();
    for (unsigned i = 0; input.next < input.end && i < OPERATIONS_MAX; i++)
        operate(&input);
    acknowledge();
    pass_on(true);
    compare();
    if (++world->inputs == INPUTS_OF_A_WORLD)
        end();
    return 0;
}
