/* A server by itself with appendfsync always, whose disk answers when the test says so. */
#include "cacheworker/aof/aof_internal.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/engine/worker.h"
#include "common/base/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { ASKED_MAX = 256, NAMES_MAX = 128 };

struct disk {                             /* on which everything succeeds at once */
    char names[NAMES_MAX][FILE_NAME_MAX]; /* of the files that there are; "": none */
    char open[FILES_MAX][FILE_NAME_MAX];
    struct buf aside, manifest; /* what these have */
};

struct stage {
    struct storage storage; /* with no file in it */
    struct cw_worker *worker;
    struct effects effects;
    int64_t now_ns;
    uint64_t tokens[ASKED_MAX]; /* of the answers that the disk owes */
    size_t owed;
    unsigned syncs;      /* asked for since the test looked last */
    struct buf appended; /* to any file, since then */
    struct disk disk;
    uint64_t opened_length;
    bool is_closed; /* the client */
    link_id client;
};

static int open_nothing(void *context, const char *name, void **ret_file)
{
    (void)context;
    (void)name;
    (void)ret_file;
    return ERR_NOT_FOUND;
}

/* The place of a file of this name, or a free one. */
static char *find_name(struct disk *disk, const char *name)
{
    char *found = NULL;
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (strcmp(disk->names[i], name) == 0)
            return disk->names[i];
        if (disk->names[i][0] == '\0')
            found = disk->names[i];
    }
    assert_non_null(found);
    return found;
}

static bool is_manifest(const char *name)
{
    return strstr(name, ".manifest") != NULL;
}

static void operate(struct disk *disk, const struct file_effect *file, const char *name, struct slice bytes)
{
    switch (file->operation) {
    case FILE_OPEN:
        snprintf(disk->open[file->file], FILE_NAME_MAX, "%s", name);
        if (is_manifest(name))
            buf_clear(&disk->aside);
        else
            snprintf(find_name(disk, name), FILE_NAME_MAX, "%s", name);
        break;
    case FILE_APPEND:
        if (is_manifest(disk->open[file->file]))
            buf_add_slice(&disk->aside, bytes);
        break;
    case FILE_RENAME:
        buf_clear(&disk->manifest);
        buf_add_slice(&disk->manifest, buf_slice(&disk->aside));
        break;
    case FILE_REMOVE: *find_name(disk, name) = '\0'; break;
    case FILE_SYNC:
    case FILE_CLOSE: break;
    }
}

static bool names(const struct cw_manifest *manifest, const char *name)
{
    bool is_named = cw_manifest_needs(manifest, name);
    for (size_t i = 0; i < manifest->history_count; i++)
        is_named |= strcmp(manifest->history[i].name, name) == 0;
    return is_named;
}

/* There are the files that the manifest names, and no others; `is_settled`: and not those that it does not need. */
static void check_files(struct disk *disk, bool is_settled)
{
    struct cw_manifest manifest = {.count = 0};
    struct cw_manifest_fault fault;
    size_t found = 0;
    if (buf_length(&disk->manifest) > 0)
        assert_int_equal(cw_manifest_parse(buf_slice(&disk->manifest), &manifest, &fault), 0);
    for (size_t i = 0; i < NAMES_MAX; i++) {
        const char *slash = strchr(disk->names[i], '/');
        if (slash == NULL)
            continue;
        found += cw_manifest_needs(&manifest, slash + 1);
        if (is_settled ? !cw_manifest_needs(&manifest, slash + 1) : !names(&manifest, slash + 1))
            fail_msg("nothing names %s", slash + 1);
    }
    assert_int_equal(found, manifest.count + manifest.has_base);
}

static void carry_out(struct stage *stage)
{
    for (size_t i = 0; i < stage->effects.count; i++) {
        const struct effect *effect = &stage->effects.items[i];
        stage->is_closed |= effect->kind == EFFECT_CLOSE && effect->link == stage->client;
        if (effect->kind != EFFECT_FILE)
            continue;
        if (effect->token != 0)
            stage->tokens[stage->owed++] = effect->token;
        const char *name = effect->name_offset != NO_NAME ? effects_name(&stage->effects, effect) : NULL;
        operate(&stage->disk, &effect->file, name, effects_text(&stage->effects, effect));
        stage->syncs += effect->file.operation == FILE_SYNC;
        if (effect->file.operation == FILE_APPEND)
            buf_add_slice(&stage->appended, effects_text(&stage->effects, effect));
        if (effect->file.operation == FILE_OPEN)
            stage->opened_length = effect->file.length;
    }
    effects_clear(&stage->effects);
}

static void step(struct stage *stage, struct event event)
{
    event.now_ns = stage->now_ns;
    event.wall_us = 1700000000000000 + stage->now_ns / NS_PER_US;
    cw_worker_door.step(stage->worker, &event, &stage->effects);
    carry_out(stage);
}

static void turn(struct stage *stage)
{
    step(stage, (struct event){.kind = EVENT_TURN});
}

/* The oldest answer. */
static void answer(struct stage *stage, int result)
{
    assert_true(stage->owed > 0);
    uint64_t token = stage->tokens[0];
    memmove(stage->tokens, stage->tokens + 1, --stage->owed * sizeof(token));
    step(stage, (struct event){.kind = EVENT_FILE, .token = token, .result = result});
    turn(stage);
}

static void answer_all(struct stage *stage)
{
    while (stage->owed > 0)
        answer(stage, 0);
    stage->syncs = 0;
    buf_clear(&stage->appended);
}

static void connect_client(struct stage *stage)
{
    struct address peer = {.host = "127.0.0.1", .port = 1};
    stage->client = cw_worker_door.accept(stage->worker, CW_LISTENER_DATA, &peer, stage->now_ns, &stage->effects);
    stage->is_closed = false;
}

static void say(struct stage *stage, const char *line)
{
    step(stage, (struct event){.kind = EVENT_RECEIVED, .link = stage->client, .bytes = slice_text(line)});
    turn(stage);
}

/* What leaves now. */
static void assert_heard(struct stage *stage, const char *expected)
{
    struct slice out = cw_worker_door.output(stage->worker, stage->client, stage->now_ns);
    assert_int_equal(out.length, strlen(expected));
    assert_memory_equal(out.data, expected, out.length);
    if (out.length > 0)
        cw_worker_door.sent(stage->worker, stage->client, out.length, &stage->effects);
    carry_out(stage);
}

static void assert_appended(struct stage *stage, const char *expected)
{
    assert_true(slice_equal(buf_slice(&stage->appended), slice_text(expected)));
    buf_clear(&stage->appended);
}

static int close_stage(void **state)
{
    struct stage *stage = *state;
    cw_worker_door.destroy(stage->worker);
    effects_free(&stage->effects);
    buf_free(&stage->appended);
    buf_free(&stage->disk.aside);
    buf_free(&stage->disk.manifest);
    test_free(stage);
    return 0;
}

#define SET_A "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
#define SET_B "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n1\r\n"
#define GO_0  "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"

static void replies_wait_for_the_first_base(void **state)
{
    struct stage *stage = *state;
    say(stage, "SET a 1\r\n");
    assert_heard(stage, "");
    while (stage->owed > 0) { /* the increment, pieces of the base, its sync, the manifest's, its name */
        assert_heard(stage, "");
        answer(stage, 0);
    }
    assert_heard(stage, "+OK\r\n");
}

static void replies_wait_for_one_sync_at_a_time(void **state)
{
    struct stage *stage = *state;
    answer_all(stage);
    say(stage, "SET a 1\r\n");
    assert_int_equal(stage->syncs, 1);
    assert_appended(stage, GO_0 SET_A);
    say(stage, "SET b 1\r\n");
    say(stage, "GET b\r\n");
    assert_appended(stage, SET_B); /* it will go with the next */
    assert_int_equal(stage->syncs, 1);
    assert_heard(stage, "");
    answer(stage, 0);
    assert_int_equal(stage->syncs, 2);
    assert_heard(stage, "+OK\r\n");
    assert_heard(stage, "");
    answer(stage, 0);
    assert_heard(stage, "+OK\r\n$1\r\n1\r\n");
    assert_int_equal(stage->owed, 0);
    say(stage, "GET b\r\n");
    assert_heard(stage, "$1\r\n1\r\n");
}

/* Who heard of a sync writes again at once: the next one waits for that, as long as turns bring more, and no longer. */
static void a_sync_waits_for_who_heard_of_the_last(void **state)
{
    struct stage *stage = *state;
    answer_all(stage);
    say(stage, "SET a 1\r\n");
    say(stage, "SET b 1\r\n");
    assert_appended(stage, GO_0 SET_A SET_B);
    stage->now_ns += 1000 * NS_PER_US;
    answer(stage, 0);
    assert_heard(stage, "+OK\r\n");
    assert_int_equal(stage->syncs, 1); /* b waits, and all of it was asked for */
    turn(stage);
    assert_int_equal(stage->syncs, 2); /* nothing more came */
    say(stage, "SET a 1\r\n");
    stage->now_ns += 1000 * NS_PER_US;
    answer(stage, 0);
    assert_int_equal(stage->syncs, 2);
    stage->now_ns += 300 * NS_PER_US;
    say(stage, "SET b 1\r\n");
    assert_int_equal(stage->syncs, 2);
    stage->now_ns += 300 * NS_PER_US;
    say(stage, "SET a 1\r\n"); /* half as long as it took */
    assert_int_equal(stage->syncs, 3);
    buf_clear(&stage->appended);
    stage->now_ns += 1000 * NS_PER_US;
    answer_all(stage);
    assert_heard(stage, "+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
    turn(stage);
    stage->now_ns += 10000 * NS_PER_US;
    say(stage, "SET b 1\r\n"); /* behind nobody */
    assert_int_equal(stage->syncs, 1);
    answer_all(stage);
}

static void everysec_writes_in_pieces(void **state)
{
    struct stage *stage = *state;
    answer_all(stage);
    say(stage, "CONFIG SET appendfsync everysec\r\n");
    say(stage, "SET c 1\r\n"); /* with the sync of a second that is over */
    answer_all(stage);
    say(stage, "SET a 1\r\n");
    stage->now_ns += 1000 * NS_PER_US;
    say(stage, "SET b 1\r\n");
    assert_appended(stage, "");
    stage->now_ns += 999 * NS_PER_US;
    turn(stage);
    assert_appended(stage, "");
    int64_t due_ns = cw_worker_door.deadline(stage->worker);
    assert_int_equal(due_ns, stage->now_ns + NS_PER_US);
    stage->now_ns = due_ns;
    turn(stage);
    assert_appended(stage, SET_A SET_B);
    struct buf line = {0};
    buf_add_format(&line, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$%d\r\n%0*d\r\n", 256 << 10, 256 << 10, 0);
    buf_add(&line, "", 1);
    say(stage, buf_slice(&line).data);
    buf_free(&line);
    assert_true(buf_length(&stage->appended) > 256 << 10); /* at once */
    buf_clear(&stage->appended);
    say(stage, "SET a 1\r\n");
    say(stage, "CONFIG SET appendonly no\r\n");
    assert_appended(stage, SET_A);
}

/* What another client hears while a write waits: the first answer at once, the second with the disk's. */
static void assert_shown(struct stage *stage, const char *write, const char *at_once, const char *answered,
                         const char *later, const char *then)
{
    link_id writer = stage->client;
    answer_all(stage);
    say(stage, write);
    cw_worker_door.output(stage->worker, stage->client, stage->now_ns);
    connect_client(stage);
    say(stage, at_once);
    assert_heard(stage, answered);
    say(stage, later);
    assert_heard(stage, "");
    say(stage, at_once); /* behind it */
    assert_heard(stage, "");
    answer_all(stage);
    struct buf both = {0};
    buf_add_format(&both, "%s%s", then, answered);
    buf_add(&both, "", 1);
    assert_heard(stage, buf_slice(&both).data);
    buf_free(&both);
    stage->client = writer;
}

static void a_read_waits_for_the_writes_of_its_keys_alone(void **state)
{
    struct stage *stage = *state;
    const char *nothing = "$-1\r\n";
    assert_shown(stage, "SET a 1\r\n", "GET b\r\n", nothing, "GET a\r\n", "$1\r\n1\r\n");
    assert_shown(stage, "SET a 1\r\n", "EXISTS b c\r\n", ":0\r\n", "EXISTS b a\r\n", ":1\r\n");
    assert_shown(stage, "SET a 1\r\n", "GET b\r\n", nothing, "DBSIZE\r\n", ":1\r\n");
    assert_shown(stage, "DEL a\r\n", "GET b\r\n", nothing, "GET a\r\n", nothing);
    assert_shown(stage, "SET a 1\r\n", "GET b\r\n", nothing, "MULTI\r\nGET b\r\nEXEC\r\n",
                 "+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n");
    assert_shown(stage, "MULTI\r\nSET c 1\r\nSET d 1\r\nEXEC\r\n", "GET b\r\n", nothing, "GET c\r\n", "$1\r\n1\r\n");
    assert_shown(stage, "EVAL \"redis.call('incr', 'c') redis.call('incr', 'd')\" 0\r\n", "GET b\r\n", nothing,
                 "GET d\r\n", "$1\r\n2\r\n");
    assert_shown(stage, "RPUSH list x\r\n", "GET b\r\n", nothing, "LRANGE list 0 -1\r\n", "*1\r\n$1\r\nx\r\n");
    assert_shown(stage, "XADD s 1-1 f v\r\n", "GET b\r\n", nothing, "XREAD STREAMS q 0\r\n", "*-1\r\n");
}

static void failure_refuses_writes_until_it_works(void **state)
{
    struct stage *stage = *state;
    answer_all(stage);
    say(stage, "SET a 1\r\n");
    answer_all(stage);
    assert_heard(stage, "+OK\r\n");
    say(stage, "SET b 1\r\n");
    stage->opened_length = 0;
    answer(stage, ERR_DISK_FULL);
    assert_true(stage->is_closed); /* it never hears of it */
    connect_client(stage);
    say(stage, "SET c 1\r\n");
    assert_heard(stage, "-MISCONF Errors writing to the AOF file: no space left\r\n");
    say(stage, "GET a\r\n");
    assert_heard(stage, "$1\r\n1\r\n");
    assert_int_equal(stage->owed, 0);
    buf_clear(&stage->appended);
    stage->now_ns += NS_PER_S;
    turn(stage); /* cut to what is there for sure, and all behind it once more */
    assert_int_equal(stage->opened_length, strlen(GO_0 SET_A));
    assert_appended(stage, SET_B);
    say(stage, "SET c 1\r\n");
    assert_heard(stage, "-MISCONF Errors writing to the AOF file: no space left\r\n");
    answer(stage, 0);
    say(stage, "SET a 1\r\n");
    assert_appended(stage, SET_A);
    answer(stage, 0);
    assert_heard(stage, "+OK\r\n");
}

/* Each would wait for the other: the new base for the older increment, and the next try for the new base. */
static void failure_while_a_rewrite_is_under_way_ends(void **state)
{
    struct stage *stage = *state;
    const struct cw_aof *aof = &stage->worker->engine.aof;
    answer_all(stage);
    say(stage, "SET a 1\r\n");
    say(stage, "BGREWRITEAOF\r\n");
    answer(stage, ERR_DISK_FULL); /* of what is appended */
    answer_all(stage);
    assert_int_equal(aof->rewrite.state, CW_AOF_READY);
    assert_true(cw_worker_door.deadline(stage->worker) > stage->now_ns);
    stage->now_ns += NS_PER_S;
    turn(stage);
    answer_all(stage);
    stage->now_ns += NS_PER_S;
    turn(stage);
    answer_all(stage);
    assert_int_equal(aof->rewrite.completed, 2);
    connect_client(stage);
    say(stage, "SET a 1\r\n");
    answer_all(stage);
    assert_heard(stage, "+OK\r\n");
}

/* What was only written of the older increment could be lost, and what is synced in the newest be of no use. */
static void newest_is_opened_when_the_older_one_is_synced(void **state)
{
    struct stage *stage = *state;
    const struct cw_aof *aof = &stage->worker->engine.aof;
    answer_all(stage);
    say(stage, "CONFIG SET appendfsync no\r\n");
    say(stage, "SET a 1\r\n");
    stage->now_ns += 2 * NS_PER_MS;
    turn(stage);
    answer_all(stage);
    assert_true(aof->has_unsynced);
    say(stage, "BGREWRITEAOF\r\n");
    unsigned failures = 0;
    while (stage->owed > 0) { /* the announcement, the manifest, then the sync, and pieces of the base */
        bool is_round = (stage->tokens[0] & 15) == CW_AOF_ROUND;
        failures += is_round;
        answer(stage, is_round ? ERR_IO : 0);
    }
    assert_int_equal(failures, 1);
    assert_int_equal(aof->error, ERR_IO);
    assert_true(aof->is_older_open);
    assert_int_equal(aof->rewrite.state, CW_AOF_SETTLING); /* the new base gets no name before */
    say(stage, "SET b 1\r\n");
    stage->now_ns += NS_PER_S;
    buf_clear(&stage->appended);
    turn(stage); /* once more, and nothing of what belongs to the newest */
    assert_appended(stage, "");
    assert_int_equal(stage->opened_length, strlen(GO_0 SET_A));
    answer_all(stage);
    stage->now_ns += 2 * NS_PER_MS;
    turn(stage);
    answer_all(stage);
    assert_int_equal(aof->error, 0);
    assert_false(aof->is_older_open);
    assert_int_equal(aof->rewrite.state, CW_AOF_REST);
    assert_int_equal(aof->confirmed, strlen(GO_0 SET_B));
}

static void failure_at_the_start_is_tried_again(void **state)
{
    struct stage *stage = *state;
    say(stage, "SET a 1\r\n");
    answer(stage, ERR_DISK_FULL);
    assert_true(stage->is_closed);
    connect_client(stage);
    say(stage, "SET a 1\r\n");
    assert_heard(stage, "-MISCONF Errors writing to the AOF file: no space left\r\n");
    stage->now_ns += NS_PER_S;
    turn(stage);
    answer_all(stage);
    say(stage, "SET a 1\r\n");
    assert_heard(stage, "");
    answer_all(stage);
    assert_heard(stage, "+OK\r\n");
}

static void waitaof_waits_for_the_disk(void **state)
{
    struct stage *stage = *state;
    answer_all(stage);
    say(stage, "CONFIG SET appendfsync everysec\r\n");
    say(stage, "SET a 1\r\n");
    assert_heard(stage, "+OK\r\n+OK\r\n");
    say(stage, "WAITAOF 1 0 0\r\n");
    assert_heard(stage, "");
    stage->now_ns += NS_PER_S;
    turn(stage);
    assert_int_equal(stage->syncs, 1);
    assert_heard(stage, "");
    answer(stage, 0);
    assert_heard(stage, "*2\r\n:1\r\n:0\r\n");
    say(stage, "WAITAOF 1 0 0\r\n"); /* there is nothing to wait for */
    assert_heard(stage, "*2\r\n:1\r\n:0\r\n");

    say(stage, "SET a 2\r\n");
    say(stage, "WAITAOF 1 0 500\r\n");
    stage->now_ns += NS_PER_S / 2;
    turn(stage);
    assert_heard(stage, "+OK\r\n*2\r\n:0\r\n:0\r\n");
    say(stage, "WAITAOF 1 0 0\r\n");
    say(stage, "CONFIG GET maxclients\r\n"); /* it waits behind it */
    assert_heard(stage, "");
}

static void what_no_sync_confirmed_is_synced_when_that_is_wanted(void **state)
{
    struct stage *stage = *state;
    answer_all(stage);
    say(stage, "CONFIG SET appendfsync no\r\n");
    say(stage, "SET a 1\r\n");
    stage->now_ns += 2 * NS_PER_MS;
    turn(stage);
    answer(stage, 0); /* the write */
    assert_int_equal(stage->syncs, 0);
    say(stage, "WAITAOF 1 0 10\r\n");
    stage->now_ns += NS_PER_S;
    turn(stage);
    assert_int_equal(stage->syncs, 0);
    assert_heard(stage, "+OK\r\n+OK\r\n*2\r\n:0\r\n:0\r\n");
    say(stage, "CONFIG SET appendfsync always\r\n");
    assert_int_equal(stage->syncs, 1);
    say(stage, "GET a\r\n");
    say(stage, "WAITAOF 1 0 0\r\n");
    assert_heard(stage, ""); /* no read shows what may be lost */
    answer(stage, 0);
    assert_heard(stage, "+OK\r\n$1\r\n1\r\n*2\r\n:1\r\n:0\r\n");
}

static void what_stands_in_a_base_is_synced(void **state)
{
    struct stage *stage = *state;
    answer_all(stage);
    say(stage, "CONFIG SET appendfsync no\r\n");
    say(stage, "SET a 1\r\n");
    stage->now_ns += 2 * NS_PER_MS;
    turn(stage);
    answer_all(stage);
    say(stage, "WAITAOF 1 0 0\r\n");
    assert_heard(stage, "+OK\r\n+OK\r\n");
    link_id waiting = stage->client;
    connect_client(stage);
    say(stage, "BGREWRITEAOF\r\n");
    assert_heard(stage, "+Background append only file rewriting started\r\n");
    answer_all(stage);
    say(stage, "SET b 1\r\n"); /* behind it */
    say(stage, "WAITAOF 1 0 10\r\n");
    stage->now_ns += NS_PER_S;
    turn(stage);
    assert_heard(stage, "+OK\r\n*2\r\n:0\r\n:0\r\n");
    stage->client = waiting;
    assert_heard(stage, "*2\r\n:1\r\n:0\r\n");
}

static bool has_base(const struct stage *stage)
{
    struct slice bytes = buf_slice(&stage->appended);
    return bytes.length > 0 && memmem(bytes.data, bytes.length, "REDIS00", 7) != NULL;
}

static void failed_rewrites_leave_room_for_one_that_succeeds(void **state)
{
    struct stage *stage = *state;
    const struct cw_manifest *manifest = &stage->worker->engine.aof.manifest;
    answer_all(stage);
    for (unsigned i = 0; i < 3 * CW_MANIFEST_INCREMENTS_MAX; i++) {
        say(stage, "BGREWRITEAOF\r\n");
        assert_heard(stage, "+Background append only file rewriting started\r\n");
        while (stage->owed > 0) {
            bool fails = has_base(stage);
            buf_clear(&stage->appended);
            answer(stage, fails ? ERR_DISK_FULL : 0);
        }
        assert_int_equal(stage->worker->engine.aof.rewrite.failures, i + 1);
        assert_true(manifest->count <= CW_MANIFEST_INCREMENTS_MAX / 2);
    }
    assert_int_equal(manifest->count, CW_MANIFEST_INCREMENTS_MAX / 2);
    say(stage, "BGREWRITEAOF\r\n");
    answer_all(stage);
    assert_int_equal(manifest->count, 1);
    assert_int_equal(stage->worker->engine.aof.rewrite.failures, 0);
}

static void base_alone_is_written_where_no_file_is_kept(void **state)
{
    struct stage *stage = *state;
    const struct cw_aof *aof = &stage->worker->engine.aof;
    answer_all(stage);
    say(stage, "CONFIG SET appendonly no\r\n");
    say(stage, "SET a 1\r\n");
    answer_all(stage);
    say(stage, "BGREWRITEAOF\r\n");
    assert_true(has_base(stage));
    say(stage, "BGREWRITEAOF\r\n");
    assert_heard(stage, "+OK\r\n+OK\r\n+Background append only file rewriting started\r\n"
                        "-ERR Background append only file rewriting already in progress\r\n");
    answer_all(stage);
    assert_int_equal(aof->rewrite.completed, 2);
    assert_int_equal(aof->state, CW_AOF_OFF);
    assert_true(aof->manifest.has_base);
    assert_int_equal(aof->manifest.base.number, 2);
    assert_int_equal(aof->manifest.count, 0);
    say(stage, "SET a 2\r\n");
    assert_heard(stage, "+OK\r\n");
    assert_appended(stage, "");
}

static void base_alone_is_left_for_a_file(void **state)
{
    struct stage *stage = *state;
    const struct cw_aof *aof = &stage->worker->engine.aof;
    answer_all(stage);
    say(stage, "CONFIG SET appendonly no\r\n");
    say(stage, "BGREWRITEAOF\r\n");
    say(stage, "CONFIG SET appendonly yes\r\n");
    answer_all(stage);
    assert_int_equal(aof->state, CW_AOF_ON);
    assert_int_equal(aof->manifest.base.number, 3);
    assert_int_equal(aof->manifest.count, 1);
    say(stage, "CONFIG SET appendonly no\r\n");
    answer_all(stage);
    say(stage, "BGREWRITEAOF\r\n");
    answer(stage, ERR_DISK_FULL);
    answer_all(stage);
    assert_int_equal(aof->rewrite.failures, 1);
    assert_int_equal(aof->manifest.base.number, 3);
    assert_int_equal(aof->state, CW_AOF_OFF);
    assert_int_equal(aof->error, 0);
}

static void turn_off_behind_answers(struct stage *stage, unsigned answers)
{
    for (unsigned i = 0; i < answers && stage->owed > 0; i++)
        answer(stage, 0);
    say(stage, "CONFIG SET appendonly no\r\n");
    answer_all(stage);
}

/* Wherever it is turned off: while its first base is made, and while a later one is. */
static void nothing_without_a_name_is_left(void **state)
{
    struct stage *stage = *state;
    for (unsigned answers = 0; answers < 10; answers++) {
        turn_off_behind_answers(stage, answers);
        check_files(&stage->disk, false);
        say(stage, "CONFIG SET appendonly yes\r\n");
        answer_all(stage);
        check_files(&stage->disk, true);
        say(stage, "BGREWRITEAOF\r\n");
        turn_off_behind_answers(stage, answers);
        check_files(&stage->disk, false);
        say(stage, "CONFIG SET appendonly yes\r\n");
    }
}

static void dates_stand_before_what_was_written_then(void **state)
{
    struct stage *stage = *state;
    answer_all(stage);
    say(stage, "CONFIG SET aof-timestamp-enabled yes\r\n");
    say(stage, "SET a 1\r\n");
    say(stage, "SET b 1\r\n");
    assert_appended(stage, "#TS:1700000001\r\n" GO_0 SET_A SET_B);
    stage->now_ns += NS_PER_S;
    say(stage, "SET a 1\r\n");
    assert_appended(stage, "#TS:1700000002\r\n" SET_A);
}

/* --- beside an older file, with appendonly no --- */

static const char older_manifest[] = "file appendonly.aof.5.base.rdb seq 5 type b\n"
                                     "file appendonly.aof.7.incr.aof seq 7 type i\n";

static int open_manifest(void *context, const char *name, void **ret_file)
{
    bool *is_read = context;
    *is_read = false;
    *ret_file = is_read;
    return strcmp(name, "appendonlydir/appendonly.aof.manifest") == 0 ? 0 : ERR_NOT_FOUND;
}

static int read_manifest(void *context, void *file, void *data, size_t capacity, size_t *ret_length)
{
    bool *is_read = context;
    (void)file;
    *ret_length = *is_read ? 0 : strlen(older_manifest);
    assert_true(*ret_length <= capacity);
    memcpy(data, older_manifest, *ret_length);
    *is_read = true;
    return 0;
}

static void close_manifest(void *context, void *file)
{
    (void)context;
    (void)file;
}

static void older_files_keep_their_names(void **state)
{
    struct stage *stage = *state;
    const struct cw_aof *aof = &stage->worker->engine.aof;
    say(stage, "BGREWRITEAOF\r\n");
    assert_string_equal(aof->rewrite.next.base.name, "appendonly.aof.6.base.rdb");
    say(stage, "CONFIG SET appendonly yes\r\n");
    answer_all(stage);
    assert_int_equal(aof->state, CW_AOF_ON);
    assert_int_equal(aof->manifest.base.number, 7);
    assert_int_equal(aof->manifest.count, 1);
    assert_int_equal(aof->manifest.increments[0].number, 8);
}

static int open_stage_with(void **state, const char *parameters, const struct storage *storage)
{
    struct stage *stage = test_calloc(1, sizeof(*stage));
    *state = stage;
    stage->storage = *storage;
    stage->now_ns = NS_PER_S;
    struct cw_config config;
    cw_config_defaults(&config, true);
    config.storage = &stage->storage;
    config.parameters = slice_text(parameters);
    assert_int_equal(cw_worker_create(&config, &stage->worker), 0);
    step(stage, (struct event){.kind = EVENT_START});
    turn(stage);
    connect_client(stage);
    return 0;
}

/* Once a second, behind what is held; nobody else does. */
static void a_proxy_hears_that_replies_are_held(void **state)
{
    struct stage *stage = *state;
    const char *told = "+OK\r\n>1\r\n$12\r\nrespite-held\r\n";
    answer_all(stage);
    say(stage, "SET a 1\r\n");
    answer_all(stage);
    assert_heard(stage, "+OK\r\n");
    connect_client(stage);
    cw_engine_attach(&stage->worker->engine, stage->client);
    for (int i = 0; i < 2; i++) {
        say(stage, "SET a 1\r\n");
        assert_heard(stage, "");
        answer_all(stage);
        assert_heard(stage, told);
        say(stage, "SET a 1\r\n");
        answer_all(stage);
        assert_heard(stage, "+OK\r\n");
        stage->now_ns += NS_PER_S;
    }
    say(stage, "GET a\r\n");
    assert_heard(stage, "$1\r\n1\r\n");
}

static void a_proxy_hears_that_a_write_waits(void **state)
{
    struct stage *stage = *state;
    answer_all(stage);
    say(stage, "CLIENT PAUSE 60000 WRITE\r\nSET a 1\r\n");
    assert_heard(stage, "+OK\r\n");
    connect_client(stage);
    cw_engine_attach(&stage->worker->engine, stage->client);
    say(stage, "GET a\r\nSET a 1\r\nGET a\r\n");
    assert_heard(stage, "$-1\r\n>1\r\n$12\r\nrespite-held\r\n");
    turn(stage);
    assert_heard(stage, "");
}

/* Where others' reads would wait behind it. */
static void a_link_for_reads_refuses_what_would_wait(void **state)
{
    struct stage *stage = *state;
    const char *refusal = "-HELD it shows a write that nobody may see yet\r\n";
    char expected[256];
    answer_all(stage);
    say(stage, "SET a 1\r\n");
    connect_client(stage);
    cw_engine_attach(&stage->worker->engine, stage->client);
    cw_engine_take_reads(&stage->worker->engine, stage->client);
    say(stage, "GET b\r\nGET a\r\nMGET b c\r\nSTRLEN a\r\nMGET b a\r\nGET b\r\n");
    snprintf(expected, sizeof(expected), "$-1\r\n%s*2\r\n$-1\r\n$-1\r\n%s%s$-1\r\n", refusal, refusal, refusal);
    assert_heard(stage, expected);
    answer_all(stage);
    say(stage, "GET a\r\n");
    assert_heard(stage, "$1\r\n1\r\n");
}

static int open_stage(void **state)
{
    struct storage storage = {.open_read = open_nothing};
    return open_stage_with(state, "appendonly yes\nappendfsync always\n", &storage);
}

static int open_stage_beside(void **state)
{
    static bool is_read;
    struct storage storage = {
        .context = &is_read, .open_read = open_manifest, .read = read_manifest, .close = close_manifest};
    return open_stage_with(state, "appendonly no\n", &storage);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, open_stage, close_stage)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(replies_wait_for_the_first_base),
        ON_STAGE(replies_wait_for_one_sync_at_a_time),
        ON_STAGE(a_sync_waits_for_who_heard_of_the_last),
        ON_STAGE(everysec_writes_in_pieces),
        ON_STAGE(a_read_waits_for_the_writes_of_its_keys_alone),
        ON_STAGE(nothing_without_a_name_is_left),
        ON_STAGE(failure_refuses_writes_until_it_works),
        ON_STAGE(failure_while_a_rewrite_is_under_way_ends),
        cmocka_unit_test_setup_teardown(older_files_keep_their_names, open_stage_beside, close_stage),
        ON_STAGE(newest_is_opened_when_the_older_one_is_synced),
        ON_STAGE(failure_at_the_start_is_tried_again),
        ON_STAGE(failed_rewrites_leave_room_for_one_that_succeeds),
        ON_STAGE(base_alone_is_written_where_no_file_is_kept),
        ON_STAGE(base_alone_is_left_for_a_file),
        ON_STAGE(dates_stand_before_what_was_written_then),
        ON_STAGE(waitaof_waits_for_the_disk),
        ON_STAGE(what_no_sync_confirmed_is_synced_when_that_is_wanted),
        ON_STAGE(what_stands_in_a_base_is_synced),
        ON_STAGE(a_proxy_hears_that_replies_are_held),
        ON_STAGE(a_proxy_hears_that_a_write_waits),
        ON_STAGE(a_link_for_reads_refuses_what_would_wait),
    };
    return cmocka_run_group_tests_name("aof", tests, NULL, NULL);
}
