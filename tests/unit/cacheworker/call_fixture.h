/* call_fixture.h: executes command lines on a keyspace of its own, with no session and no socket in sight. */
#ifndef TESTS_UNIT_CACHEWORKER_CALL_FIXTURE_H
#define TESTS_UNIT_CACHEWORKER_CALL_FIXTURE_H

#include "cacheworker/engine/call.h"
#include "cacheworker/engine/settings.h"
#include "cacheworker/keyspace/keyspace.h"
#include "common/resp/resp_reader.h"

struct call_fixture {
    struct cw_keyspace *keyspace; /* owned */
    struct cw_settings settings;
    unsigned database; /* SELECT n changes it */
    int protocol;
    int64_t now_ms;
    bool is_client;           /* commands come from a client; else, as at the start, from a master's stream */
    uint32_t flags;           /* CW_CALL_ of the commands that come */
    uint64_t dirty;           /* of the last command */
    struct buf reply;         /* of the last command */
    struct buf propagated;    /* by the last command: words with a space between, commands with "; "; asides (aside.h)
                               * as <key field=date>, dates counted from FIXTURE_NOW_MS */
    struct buf events;        /* of the last command, where assert_events asked: "event key; event key" */
    struct resp_request line; /* the last command */
};

#define FIXTURE_NOW_MS ((int64_t)1700000000000)

void call_fixture_open(struct call_fixture *fixture);
void call_fixture_close(struct call_fixture *fixture);

/* One line, as redis-cli takes it. */
void call_fixture_run(struct call_fixture *fixture, const char *line);
void call_fixture_execute(struct call_fixture *fixture, const struct slice *argv, size_t argc);

/* Runs the line and compares the reply, CR LF being written as a space at the end of each line: "*2 $1 a $1 b ". */
#define assert_reply(fixture, line, expected) call_fixture_assert(fixture, line, expected, NULL, __FILE__, __LINE__)

/* The same, and what goes into the stream: "" for nothing. */
#define assert_effect(fixture, line, expected, effect)                                                                 \
    call_fixture_assert(fixture, line, expected, effect, __FILE__, __LINE__)

/* Runs the line and compares its keyspace notifications: "new k; set k", "copy_to 3:k" in another database. */
#define assert_events(fixture, line, expected) call_fixture_assert_events(fixture, line, expected, __FILE__, __LINE__)

void call_fixture_assert_events(struct call_fixture *fixture, const char *line, const char *expected, const char *file,
                                int line_number);
void call_fixture_assert(struct call_fixture *fixture, const char *line, const char *expected, const char *effect,
                         const char *file, int line_number);

#endif
