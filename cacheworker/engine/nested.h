/* nested.h: commands that are executed from within another one: by EXEC, a script, a function.
 *
 * The outer command opens a unit, executes what it has to, and ends the unit:
 *
 *     cw_unit_begin(engine, session);
 *     struct cw_nested nested = {.engine = engine, .session = session, .flags = CW_CALL_FROM_SCRIPT, ...};
 *     failed = cw_nested_execute(&nested, argv, argc);
 *     ...
 *     cw_unit_end(engine);
 *
 * All effects of a unit reach the stream as one: between MULTI and EXEC when more than one command had any, as it
 * stands when one had, not at all when none had. A unit within a unit (a script in a transaction) is a part of it. Time
 * stands still in it, keys are evicted before it only, and what it made ready for others is served behind it. */
#ifndef CACHEWORKER_ENGINE_NESTED_H
#define CACHEWORKER_ENGINE_NESTED_H

#include "cacheworker/engine/call.h"

struct cw_nested { /* who executes, and where */
    struct cw_engine *engine;
    struct cw_session *session; /* borrowed; on whose behalf */
    uint32_t flags;             /* CW_CALL_ bits for all of its commands (call.h) */
    uint32_t database;          /* in and out: a SELECT changes it. The session's own stays as it was */
    int protocol;               /* in and out: the form of replies; HELLO changes it */
    struct buf *reply; /* borrowed; each command's reply is added. Not a session's output that others write to */
    int64_t ended_ns;  /* by the stopwatch, when the last command ended; 0 in the beginning */
    bool has_written;  /* in and out: a command that writes was let pass, so the next ones are too */
};

/* Evicts what must go before, and takes down whether there still is not enough memory. */
void cw_unit_begin(struct cw_engine *engine, struct cw_session *session);
void cw_unit_end(struct cw_engine *engine);

/* Executes a request as a script says it, or refuses it in the words that scripts get. Returns whether the reply is an
 * error. */
bool cw_nested_execute(struct cw_nested *nested, const struct slice *argv, size_t argc);

/* Executes a command that has passed the gates before: arity and all. `first_key_hash` is that of its first key. */
bool cw_nested_run(struct cw_nested *nested, const struct command *command, const struct slice *argv, size_t argc,
                   uint64_t first_key_hash);

#endif
