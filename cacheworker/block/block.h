/* block.h: sessions that wait for keys: BLPOP and its like, XREAD BLOCK.
 *
 * A blocking command that finds nothing calls cw_block and replies nothing. Its session executes nothing more until one
 * of its keys has changed; then, behind the unit that changed it, the command is executed once more, through the gates
 * and with all its effects, as if it came then. When it finds nothing again it calls cw_block again, and its session
 * waits on, where it stood. So whoever came first is served first, and a key that is gone again has woken nobody. */
#ifndef CACHEWORKER_BLOCK_BLOCK_H
#define CACHEWORKER_BLOCK_BLOCK_H

#include "cacheworker/block/waiters.h"
#include "cacheworker/engine/call.h"

struct cw_blocked { /* what a blocked session waits for, and its command */
    struct cw_waiter waiter;
    struct cw_session *session; /* borrowed; it owns this */
    const struct command *command;
    size_t argc;
    size_t bytes;        /* of this struct, with all behind it */
    struct slice argv[]; /* then their bytes */
};

struct cw_blocking { /* how a command waits */
    enum cw_type type;
    bool ends_without_key;    /* also executed again when a key is gone or of another type: it will be an error */
    const struct slice *keys; /* borrowed for the call */
    size_t key_count;
    int64_t timeout_ms;       /* 0: for ever */
    const struct slice *argv; /* what is executed again; borrowed for the call. NULL: the command as it stands */
};

/* Whether the call may wait at all; if not, it answers as after a timeout. */
static inline bool cw_may_block(const struct cw_call *call)
{
    return call->session != NULL && !(call->flags & CW_CALL_DENY_BLOCKING);
}

void cw_block(struct cw_call *call, const struct cw_blocking *blocking);

/* A timeout in seconds, argv[index], in ms. Else replies the error. */
bool cw_call_timeout(struct cw_call *call, size_t index, int64_t *ret_timeout_ms);

/* The same of one in ms; 0 is no time limit to some and none at all to others. */
bool cw_call_timeout_ms(struct cw_call *call, size_t index, int64_t *ret_timeout_ms);

/* When a wait of so long is over; NEVER_NS where it has no limit (0), or one that no clock reaches. */
int64_t cw_block_deadline(const struct cw_engine *engine, int64_t timeout_ms);

/* Serves those whose keys are ready, between commands. While a unit is not over, or DEBUG SLEEP is not, nobody is. */
void cw_block_serve(struct cw_engine *engine);

/* Answers those whose time is over. */
void cw_block_turn(struct cw_engine *engine);

/* Ends the waiting of a session with this error, or as after a timeout where there is none. */
void cw_block_end(struct cw_engine *engine, struct cw_session *session, const char *error);

/* The same for all sessions. */
void cw_block_end_all(struct cw_engine *engine, const char *error);

/* The session ends: it waits no more, and is answered nothing. */
void cw_block_forget(struct cw_engine *engine, struct cw_session *session);

/* For a proxy, that its session has been parked: a push of "respite-parked", of the id that CLIENT UNBLOCK takes, and
 * of what will be executed again, word by word. Where that differs from what was asked ("$" of XREAD), another master
 * can go on from it (ADR 9). */
void cw_block_describe(const struct cw_blocked *blocked, struct buf *out);

size_t cw_block_memory(const struct cw_blocked *blocked); /* NULL: 0 */

#endif
