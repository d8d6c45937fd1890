/* dispatch.h: from a parsed request to its function: the gates that every command passes, in Redis' order and words. */
#ifndef CACHEWORKER_ENGINE_DISPATCH_H
#define CACHEWORKER_ENGINE_DISPATCH_H

#include "cacheworker/engine/call.h"
#include "cacheworker/engine/session.h"
#include "common/command/command.h"

/* Executes one command of a client or refuses it, and has the reply flushed; whether it was executed, and
 * not queued, nor blocked. `command` is what
 * command_resolve said, `first_key_hash` the hash of its first key where it has one. */
bool cw_dispatch(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                 const struct slice *argv, size_t argc, uint64_t first_key_hash);

/* The two halves of that, for a command that passed the gates: executes it, with the reply in any buffer; and, when the
 * reply stands in the session's output behind `before` bytes, sees to all else. False: the session waits for keys
 * (block/block.h), and has no reply yet. */
bool cw_dispatch_execute(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                         const struct slice *argv, size_t argc, uint64_t first_key_hash, struct buf *reply);
void cw_dispatch_answered(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                          size_t before);

/* Once more, for a session that waits for keys. False: it goes on waiting. */
bool cw_dispatch_again(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                       const struct slice *argv, size_t argc);

/* Executes a call that passed the gates, within another one (nested.h): counts it and propagates it. The reply is added
 * to call->reply, which may be any buffer. Returns whether it is an error. */
bool cw_dispatch_call(struct cw_call *call);

/* Whether a session that has said REPLCONF may not go on to PSYNC or SYNC, by its user's rules; it was told. */
bool cw_dispatch_refuses_sync(struct cw_engine *engine, struct cw_session *session, const struct slice *argv,
                              size_t argc);

/* Counts an error reply by its first word. */
void cw_dispatch_count_error(struct cw_engine *engine, struct slice reply);

/* One that concerns replication or the appliance: it waits for no lease, and its room checks who asks. */
static inline bool cw_is_appliance_command(const struct command *command)
{
    return (command->flags & COMMAND_IS_RESPITE) || command->id == COMMAND_ID_REPLCONF ||
           command->id == COMMAND_ID_PSYNC || command->id == COMMAND_ID_SYNC;
}

/* Asks ha what this node may do now, and makes the keyspace expire keys accordingly. */
void cw_engine_look_at_role(struct cw_engine *engine);

/* Whether replies may have to wait in the turn that begins; then pending_writes.h goes on or begins. */
void cw_engine_look_at_gates(struct cw_engine *engine);

#endif
