#include "cacheworker/engine/gates.h"

#include "cacheworker/engine/dispatch.h"
#include "cacheworker/engine/nested.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/script/scripting.h"
#include "cacheworker/txn/transaction_commands.h"

#include <ctype.h>
#include <stdio.h>

enum { QUOTED_MAX = 128 }; /* bytes of a client's words that an error repeats */

/* --- what the gates say --- */

static void refuse(struct buf *reply, const char *words)
{
    resp_write_error(reply, slice_text(words));
}

static void refuse_unknown(const struct slice *argv, size_t argc, struct buf *reply)
{
    char words[2 * QUOTED_MAX + 128];
    struct buf text = {.memory = words, .capacity = sizeof(words)};
    buf_add_text(&text, "ERR unknown command '");
    buf_add(&text, argv[0].data, argv[0].length < QUOTED_MAX ? argv[0].length : QUOTED_MAX);
    buf_add_text(&text, "', with args beginning with: ");
    size_t quoted = 0;
    for (size_t i = 1; i < argc && quoted < QUOTED_MAX; i++) {
        size_t length = argv[i].length < QUOTED_MAX - quoted ? argv[i].length : QUOTED_MAX - quoted;
        buf_add(&text, "'", 1);
        buf_add(&text, argv[i].data, length);
        buf_add(&text, "' ", 2);
        quoted += length + 3;
    }
    resp_write_error(reply, buf_slice(&text));
}

static void refuse_unknown_subcommand(const struct command *container, struct slice word, struct buf *reply)
{
    char name[32];
    size_t length = 0;
    for (; container->name[length] != '\0' && length < sizeof(name) - 1; length++)
        name[length] = (char)toupper((unsigned char)container->name[length]);
    name[length] = '\0';
    int shown = (int)(word.length < QUOTED_MAX ? word.length : QUOTED_MAX);
    char words[QUOTED_MAX + 128];
    snprintf(words, sizeof(words), "ERR unknown subcommand '%.*s'. Try %s HELP.", shown, word.data, name);
    refuse(reply, words);
}

static void refuse_for_disk(const struct cw_engine *engine, struct buf *reply)
{
    struct buf words = {0};
    cw_aof_write_refusal(engine, &words);
    resp_write_error(reply, buf_slice(&words));
    buf_free(&words);
}

static void refuse_arity(const struct command *command, struct buf *reply)
{
    char words[128];
    snprintf(words, sizeof(words), "ERR wrong number of arguments for '%s' command", command->full_name);
    refuse(reply, words);
}

/* --- the gates --- */

#define READ_ONLY "READONLY You can't write against a read only replica."

/* Why this node does not execute the command in its present role, or NULL. */
static const char *role_refuses(const struct cw_engine *engine, const struct cw_session *session, uint32_t flags)
{
    bool is_master = engine->serving == CW_SERVING_MASTER || engine->serving == CW_SERVING_MIGRATING ||
                     engine->serving == CW_SERVING_BUSY;
    if (!is_master && (session->flags & CW_SESSION_ATTACHED))
        return "NOTMASTER this node is not the master of the epoch that the link was opened for";
    switch (engine->serving) {
    case CW_SERVING_MASTER:
    case CW_SERVING_HOLD: return NULL;
    case CW_SERVING_MIGRATING: return flags & COMMAND_WRITE ? CW_ERROR_MIGRATING : NULL;
    case CW_SERVING_BUSY: return cw_scripting_busy_refusal(engine, flags);
    case CW_SERVING_REPLICA: return flags & COMMAND_WRITE ? READ_ONLY : NULL;
    case CW_SERVING_LOADING: return flags & COMMAND_LOADING ? NULL : "LOADING Redis is loading the dataset in memory";
    case CW_SERVING_STALE:
    case CW_SERVING_UNADOPTED:
        if (flags & COMMAND_WRITE && (flags & COMMAND_STALE || engine->config.standalone))
            return READ_ONLY;
        return flags & COMMAND_STALE ? NULL : CW_ERROR_MASTER_DOWN;
    }
    return NULL;
}

/* What a RESP2 connection with subscriptions may still say. */
static bool may_be_said_while_subscribed(const struct command *command)
{
    switch (command->id) {
    case COMMAND_ID_SUBSCRIBE:
    case COMMAND_ID_PSUBSCRIBE:
    case COMMAND_ID_UNSUBSCRIBE:
    case COMMAND_ID_PUNSUBSCRIBE:
    case COMMAND_ID_SSUBSCRIBE:
    case COMMAND_ID_SUNSUBSCRIBE:
    case COMMAND_ID_PING:
    case COMMAND_ID_QUIT:
    case COMMAND_ID_RESET: return true;
    default: return false;
    }
}

/* Who may not say anything, or not this. True: refused. */
static bool session_is_refused(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                               const struct slice *argv, size_t argc, struct buf *reply)
{
    if (session->flags & CW_SESSION_SURPLUS) {
        engine->statistics.rejected_connections++;
        refuse(reply, "ERR max number of clients reached");
        cw_session_flush(engine, session);
        cw_session_drain(engine, session);
        return true;
    }
    if (!(session->flags & CW_SESSION_AUTHENTICATED) && !(command->flags & COMMAND_NO_AUTH)) {
        refuse(reply, "NOAUTH Authentication required.");
        return true;
    }
    if ((session->flags & CW_SESSION_IN_MULTI) && (command->flags & COMMAND_NO_MULTI)) {
        refuse(reply, CW_ERROR_NO_MULTI);
        return true;
    }
    if (!(session->flags & CW_SESSION_RESTRICTED))
        return false;
    session->last_command = command; /* which ACL LOG shows */
    return cw_access_refuses(engine, session, CW_ACCESS_OWN, command, argv, argc, reply);
}

/* As a transaction and scripts make them. */
static uint32_t flags_of(const struct cw_engine *engine, const struct cw_session *session,
                         const struct command *command, const struct slice *argv, size_t argc)
{
    uint32_t flags = cw_transaction_flags(session, command);
    if (!(command->flags & COMMAND_RUNS_SCRIPTS))
        return flags;
    return (flags & ~command->flags) | cw_script_command_flags(engine->scripting, command, argv, argc);
}

/* What this node cannot do now. True: refused. */
static bool node_refuses(struct cw_engine *engine, const struct cw_session *session, const struct command *command,
                         const struct slice *argv, size_t argc, struct buf *reply)
{
    uint32_t flags = flags_of(engine, session, command, argv, argc);
    if (cw_memory_refuses(engine, flags)) {
        refuse(reply, CW_ERROR_NO_MEMORY);
        return true;
    }
    if (UNLIKELY(engine->aof.refuses) && (flags & COMMAND_WRITE || command->id == COMMAND_ID_PING)) {
        refuse_for_disk(engine, reply);
        return true;
    }
    bool has_too_few = engine->lacks_replicas && flags & COMMAND_WRITE;
    const char *words = has_too_few ? CW_ERROR_NO_REPLICAS : role_refuses(engine, session, flags);
    if (words != NULL)
        refuse(reply, words);
    return words != NULL;
}

static bool subscriptions_refuse(const struct cw_session *session, const struct command *command, struct buf *reply)
{
    if (!(session->flags & CW_SESSION_IN_PUBSUB) || session->protocol != 2 || may_be_said_while_subscribed(command))
        return false;
    char text[192];
    snprintf(text, sizeof(text),
             "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in "
             "this context",
             command->full_name);
    refuse(reply, text);
    return true;
}

/* Whether there is such a command; else says that there is none. */
static bool exists(const struct command *command, const struct slice *argv, size_t argc, struct buf *reply)
{
    if (command == NULL) {
        refuse_unknown(argv, argc, reply);
        return false;
    }
    /* A container stands here only when its second word names none of its subcommands. */
    if (command->subcommands != NULL && argc > 1) {
        refuse_unknown_subcommand(command, argv[1], reply);
        return false;
    }
    if (cw_functions[command->id] != NULL)
        return true;
    if (command->container != NULL)
        refuse_unknown_subcommand(command->container, argv[1], reply);
    else if (command->subcommands != NULL)
        refuse_arity(command, reply);
    else
        refuse_unknown(argv, argc, reply);
    return false;
}

bool cw_gates_let_pass(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                       const struct slice *argv, size_t argc, struct buf *reply)
{
    if (!exists(command, argv, argc, reply))
        return false;
    if (!command_arity_fits(command, argc))
        refuse_arity(command, reply);
    else if (!session_is_refused(engine, session, command, argv, argc, reply) &&
             !node_refuses(engine, session, command, argv, argc, reply) &&
             !subscriptions_refuse(session, command, reply))
        return true;
    engine->statistics.commands[command->id].rejected++;
    return false;
}

/* --- scripts --- */

/* Why no script may say it here, or NULL. */
static const char *script_refusal(const struct cw_nested *nested, const struct command *command)
{
    const struct cw_engine *engine = nested->engine;
    if ((command->flags & COMMAND_NOSCRIPT) && !engine->scripting->may_say_all)
        return "ERR This Redis command is not allowed from script";
    bool is_stale = engine->serving == CW_SERVING_STALE || engine->serving == CW_SERVING_UNADOPTED;
    if (is_stale && !(command->flags & COMMAND_STALE))
        return "ERR Can not execute the command on a stale replica";
    return NULL;
}

/* Why this one may not do it, or NULL. Once it has written, nothing stops it half way but its own mistakes. */
static const char *write_refusal(const struct cw_nested *nested, const struct command *command)
{
    const struct cw_engine *engine = nested->engine;
    if ((nested->flags & CW_CALL_READ_ONLY) && (command->flags & (COMMAND_WRITE | COMMAND_MAY_REPLICATE)))
        return "ERR Write commands are not allowed from read-only scripts.";
    if (nested->has_written)
        return NULL;
    const char *words = role_refuses(engine, nested->session, command->flags);
    if (words == NULL && engine->lacks_replicas && (command->flags & COMMAND_WRITE))
        words = CW_ERROR_NO_REPLICAS;
    if (words == NULL && engine->unit.is_out_of_memory && (command->flags & COMMAND_DENYOOM) &&
        !(nested->flags & CW_CALL_ALLOW_OOM))
        words = CW_ERROR_NO_MEMORY;
    return words;
}

static bool user_may(const struct cw_nested *nested, enum cw_access_manner manner, const struct command *command,
                     const struct slice *argv, size_t argc)
{
    if (!(nested->session->flags & CW_SESSION_RESTRICTED))
        return true;
    size_t before = buf_length(nested->reply);
    if (!cw_access_refuses(nested->engine, nested->session, manner, command, argv, argc, nested->reply))
        return true;
    cw_dispatch_count_error(nested->engine, slice_skip(buf_slice(nested->reply), before));
    return false;
}

bool cw_gates_let_queued_pass(const struct cw_nested *nested, const struct command *command, const struct slice *argv,
                              size_t argc)
{
    return user_may(nested, CW_ACCESS_EXEC, command, argv, argc);
}

/* What a script is told, and what is counted as an error. */
static bool refuse_script(const struct cw_nested *nested, const char *words)
{
    size_t before = buf_length(nested->reply);
    refuse(nested->reply, words);
    cw_dispatch_count_error(nested->engine, slice_skip(buf_slice(nested->reply), before));
    return false;
}

static bool refuse_script_for_disk(const struct cw_nested *nested)
{
    size_t before = buf_length(nested->reply);
    refuse_for_disk(nested->engine, nested->reply);
    cw_dispatch_count_error(nested->engine, slice_skip(buf_slice(nested->reply), before));
    return false;
}

bool cw_gates_let_script_pass(const struct cw_nested *nested, const struct command *command, const struct slice *argv,
                              size_t argc)
{
    bool is_bare_container = command != NULL && command->subcommands != NULL && argc == 1;
    bool is_there =
        command != NULL && cw_functions[command->id] != NULL && (command->subcommands == NULL || is_bare_container);
    bool is_denied = command != NULL && command->subcommands == NULL && (command->flags & COMMAND_NOSCRIPT);
    if (!is_there && !is_bare_container && !is_denied)
        return refuse_script(nested, "ERR Unknown Redis command called from script");
    const char *words = (is_there || is_denied) && command_arity_fits(command, argc)
                            ? script_refusal(nested, command)
                            : "ERR Wrong number of args calling Redis command from script";
    if (words == NULL && !is_there)
        return refuse_script(nested, "ERR Unknown Redis command called from script");
    bool is_allowed = words != NULL || user_may(nested, CW_ACCESS_SCRIPT, command, argv, argc);
    if (words == NULL && is_allowed)
        words = write_refusal(nested, command);
    if (words == NULL && is_allowed && UNLIKELY(nested->engine->aof.refuses) && command->flags & COMMAND_WRITE &&
        !nested->has_written)
        return refuse_script_for_disk(nested);
    if (words == NULL && is_allowed)
        return true;
    nested->engine->statistics.commands[command->id].rejected++;
    return words != NULL ? refuse_script(nested, words) : false;
}
