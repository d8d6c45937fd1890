/* transaction_commands.h: MULTI, EXEC, DISCARD, WATCH, UNWATCH (redis.io/docs/interact/transactions), and what dispatch
 * does with the other commands of a session in MULTI. */
#ifndef CACHEWORKER_TXN_TRANSACTION_COMMANDS_H
#define CACHEWORKER_TXN_TRANSACTION_COMMANDS_H

#include "cacheworker/engine/call.h"
#include "cacheworker/txn/transaction.h"

struct cw_transactions; /* what the engine keeps of all sessions' */

struct cw_transactions *cw_transactions_create(struct cw_engine *engine);
void cw_transactions_destroy(struct cw_transactions *transactions); /* no session has one any more; NULL is fine */

/* Queues a command that has passed the gates and replies QUEUED. False: it is one that is executed even now. */
bool cw_transaction_queue(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                          const struct slice *argv, size_t argc, uint64_t first_key_hash);

/* The gates have refused a command; what they said stands in the reply behind `before`. Of EXEC that becomes the reason
 * why the transaction is over; of any other, EXEC will answer an error. */
void cw_transaction_refuse(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                           struct buf *reply, size_t before);

/* The session ends, or begins anew: nothing is queued or watched any more. */
void cw_transaction_discard(struct cw_engine *engine, struct cw_session *session);

/* A command's flags, as they count for a session in MULTI: EXEC's are those of all that is queued. */
uint32_t cw_transaction_flags(const struct cw_session *session, const struct command *command);

void cw_multi_command(struct cw_call *call);
void cw_exec_command(struct cw_call *call);
void cw_discard_command(struct cw_call *call);
void cw_watch_command(struct cw_call *call);
void cw_unwatch_command(struct cw_call *call);

#endif
