/* call.h: one command being executed; what a command function gets.
 *
 * A command function reads argv, works on the keyspace, writes exactly one reply (unless it says otherwise), and tells
 * what is to be propagated. It never looks at a clock, a socket or a client's state beyond what stands here. */
#ifndef CACHEWORKER_ENGINE_CALL_H
#define CACHEWORKER_ENGINE_CALL_H

#include "common/base/buf.h"
#include "common/command/command.h"
#include "common/resp/resp_writer.h"

#include <ctype.h>

struct cw_engine;
struct cw_session;
struct cw_keyspace;
struct cw_settings;

enum {                                  /* struct cw_call.flags; without any it is a client's own command */
       CW_CALL_DENY_BLOCKING = 1 << 0,  /* whoever would wait answers at once, as after a timeout */
       CW_CALL_IN_TRANSACTION = 1 << 1, /* executed by EXEC, or by a script that EXEC executes */
       CW_CALL_FROM_SCRIPT = 1 << 2,    /* called by a script or a function */
       CW_CALL_READ_ONLY = 1 << 3,      /* by one that must not write */
       CW_CALL_ALLOW_OOM = 1 << 4,      /* by one that said it may go on when memory is full */
       CW_CALL_AGAIN = 1 << 8,          /* executed once more, for a session that waits for keys (block/block.h) */
};

struct cw_call {
    struct cw_engine *engine;           /* borrowed */
    struct cw_session *session;         /* borrowed; NULL when the command comes from a stream or a file */
    const struct cw_settings *settings; /* borrowed */
    struct cw_keyspace *keyspace;       /* borrowed; all databases */
    unsigned database;                  /* index of the selected one */
    const struct command *command;      /* borrowed */
    const struct slice *argv;           /* borrowed for the call */
    size_t argc;
    uint64_t first_key_hash; /* cw_keyspace_hash of argv[command->first_key], where there is such an argument */
    struct buf *reply;       /* borrowed; the session's output */
    int protocol;            /* 2 or 3 */
    uint32_t flags;          /* CW_CALL_ */
    int64_t now_ms;          /* wall clock, one value for the whole command: what expiry compares with */

    /* Out. A command that changed data adds to dirty; then argv is propagated as it stands, unless the function called
     * cw_call_propagate (which replaces it, and may be called several times) or cw_call_propagate_nothing. Whatever is
     * propagated must be deterministic: absolute times, results instead of random choices. */
    uint64_t dirty;
    bool propagation_replaced;
    uint8_t news;    /* enum cw_news: to whom what it changed is news */
    bool is_blocked; /* it has no reply yet: its session waits for keys (cacheworker/block/block.h) */

    /* Of a command from another server's stream: what was propagated in its place, instead of being put into ours. */
    struct buf *retold;       /* borrowed; NULL: nobody asks */
    unsigned retold_commands; /* without what is only a part of the next one */
};

typedef void (*cw_command_function)(struct cw_call *call);

/* Puts one command (array of bulk strings, in the call's database) into the stream after the call. */
void cw_call_propagate(struct cw_call *call, const struct slice *argv, size_t argc);
void cw_call_propagate_nothing(struct cw_call *call);

/* The wall clock, in more detail than now_ms; one value for the whole command too. */
int64_t cw_call_now_us(const struct cw_call *call);

/* The reply is so long already that the client will be closed for it: whoever could go on for ever, or for much longer
 * than its data are, need not. */
bool cw_reply_is_full(const struct cw_call *call);

/* Frequent errors, in Redis' words. */
#define CW_ERROR_SYNTAX      "ERR syntax error"
#define CW_ERROR_WRONG_TYPE  "WRONGTYPE Operation against a key holding the wrong kind of value"
#define CW_ERROR_NOT_INTEGER "ERR value is not an integer or out of range"
#define CW_ERROR_NOT_FLOAT   "ERR value is not a valid float"
#define CW_ERROR_NO_KEY      "ERR no such key"
#define CW_ERROR_RANGE       "ERR index out of range"
#define CW_ERROR_NO_MULTI    "ERR Command not allowed inside a transaction"

/* An array of simple strings: what HELP answers. */
static inline void cw_reply_lines(struct cw_call *call, const char *const *lines, size_t count)
{
    resp_write_array(call->reply, count);
    for (size_t i = 0; i < count; i++)
        resp_write_simple(call->reply, slice_text(lines[i]));
}

static inline void cw_reply_error(struct cw_call *call, const char *text)
{
    resp_write_error(call->reply, slice_text(text));
}

/* To words behind a subcommand that it does not take; it is said as the client wrote it, the container in capitals. */
static inline void cw_reply_subcommand_syntax_error(struct cw_call *call)
{
    enum { QUOTED_BYTES_MAX = 128 };
    struct slice word = call->argv[1];
    char container[32] = "";
    for (size_t i = 0; i < call->argv[0].length && i < sizeof(container) - 1; i++)
        container[i] = (char)toupper((unsigned char)call->argv[0].data[i]);
    resp_write_error_format(call->reply, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try %s HELP.",
                            (int)(word.length < QUOTED_BYTES_MAX ? word.length : QUOTED_BYTES_MAX), word.data,
                            container);
}

#endif
