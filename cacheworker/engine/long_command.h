/* long_command.h: a command that may take long runs on a stack of its own (common/base/fiber.h), and leaves it now and
 * then, so that the turn ends and the loop lives on. There is one at a time.
 *
 * While it is left, the clients' commands wait; when it has run for longer than busy-reply-threshold, they are refused
 * with -BUSY, but for those that may be said to a busy server. Nothing else touches the keyspace: keys do not expire
 * and are not evicted, a snapshot does not begin, a replica holds the stream. What the command has changed so far no
 * one sees, its effects are one unit of the stream (nested.h), and time stands still for it.
 *
 * A role that ends, or the end of the process, ends the command first: what it did until then stays, and is in the
 * stream. */
#ifndef CACHEWORKER_ENGINE_LONG_COMMAND_H
#define CACHEWORKER_ENGINE_LONG_COMMAND_H

#include "cacheworker/engine/engine.h"
#include "common/base/buf.h"
#include "common/base/fiber.h"
#include "common/command/command.h"

struct cw_session;

struct cw_long_command {
    struct fiber *fiber; /* owned; NULL until it is needed first */
    bool is_left;        /* in the middle */
    bool is_slow;        /* left, and running for longer than others should wait */
    /* Of the command that runs: */
    struct cw_session *session; /* lives until the command is over, also when its link ends */
    const struct command *command;
    struct slice *argv; /* owned; into words */
    size_t argc;
    size_t argv_capacity;
    struct buf words; /* owned */
    struct buf reply; /* owned */
    uint64_t first_key_hash;
    int64_t began_ns;
    int64_t wall_us;       /* time stands still at this */
    int64_t took_ns;       /* on the stopwatch, in later turns than the first, without the pauses */
    const char *end_words; /* why it is to be ended, as soon as it can be; or NULL */
};

void cw_long_destroy(struct cw_long_command *running);

/* The stack, for whoever needs one for something short: NULL when there is no memory for it. */
struct fiber *cw_long_fiber(struct cw_engine *engine);

/* Executes a command that passed the gates: as far as it comes in this turn. */
void cw_long_run(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                 const struct slice *argv, size_t argc, uint64_t first_key_hash);

/* Once per turn: lets the command that was left go on. */
void cw_long_go_on(struct cw_engine *engine);

/* Ends the command that was left, with this error, and does not return before it is over. */
void cw_long_end(struct cw_engine *engine, const char *words);

/* Asks it to end, at its next pause. */
void cw_long_ask_to_end(struct cw_engine *engine, const char *words);

/* From within the command: leaves until the next turn. Returns the error with which it should end, or NULL. */
const char *cw_long_pause(struct cw_engine *engine);

#endif
