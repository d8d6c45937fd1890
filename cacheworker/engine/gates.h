/* gates.h: what a command passes before it is executed, in Redis' order and words: it exists, has enough words, and may
 * be said by whoever says it, to this node in its present role, with the memory that there is. */
#ifndef CACHEWORKER_ENGINE_GATES_H
#define CACHEWORKER_ENGINE_GATES_H

#include "cacheworker/engine/bind.h"
#include "cacheworker/engine/memory.h"
#include "cacheworker/engine/state.h"

#define CW_ERROR_NO_REPLICAS "NOREPLICAS Not enough good replicas to write."

#define CW_ERROR_MASTER_DOWN "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."

/* A proxy hands it to its client; any other -READONLY says that the link's node is no master any more. */
#define CW_ERROR_MIGRATING                                                                                             \
    "READONLY migrating: this group follows a server outside, and takes writes after the cut-over"

struct cw_nested;

/* Whether a client's command passes without being looked at closely: that of a session in its ordinary state, on a
 * master whose memory has no limit, of a user who may do everything, or at least this. */
static inline bool cw_gates_are_open(const struct cw_engine *engine, const struct cw_session *session,
                                     const struct command *command, const struct slice *argv, size_t argc)
{
    const uint32_t special = CW_SESSION_AUTHENTICATED | CW_SESSION_SURPLUS | CW_SESSION_IN_PUBSUB | CW_SESSION_IN_MULTI;
    size_t index;
    return command != NULL && cw_functions[command->id] != NULL && (command->subcommands == NULL || argc == 1) &&
           command_arity_fits(command, argc) && (session->flags & special) == CW_SESSION_AUTHENTICATED &&
           engine->serving == CW_SERVING_MASTER && !engine->aof.refuses && !engine->lacks_replicas &&
           !cw_memory_may_be_limited_for(engine, command->flags) &&
           (LIKELY(!(session->flags & CW_SESSION_RESTRICTED)) ||
            cw_acl_user_check(session->user, command, argv, argc, &index) == CW_ACL_ALLOWED);
}

/* Whether a client's command may be executed; if not, the reply says why. `command` is what command_resolve said. It
 * may need keys to be evicted. */
bool cw_gates_let_pass(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                       const struct slice *argv, size_t argc, struct buf *reply);

/* The same for one that a script says (nested.h). */
bool cw_gates_let_script_pass(const struct cw_nested *nested, const struct command *command, const struct slice *argv,
                              size_t argc);

/* The same for one that passed when it was queued: its user's rules may have changed since. */
bool cw_gates_let_queued_pass(const struct cw_nested *nested, const struct command *command, const struct slice *argv,
                              size_t argc);

#endif
