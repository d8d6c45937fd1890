#include "cacheworker/engine/owed.h"

#include "cacheworker/engine/session.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/txn/transaction.h"
#include "common/base/mem.h"
#include "common/base/number.h"

enum { FEW_KEYS = 16 };

static bool any_key(struct cw_engine *engine, unsigned database, const struct slice *argv,
                    const struct command_key *keys, size_t count)
{
    bool any = false; /* All are asked for, so that all are shown soon. */
    for (size_t i = 0; i < count; i++) {
        struct slice key = argv[keys[i].index];
        any |= cw_keyspace_is_owed(engine->keyspace, database, key, cw_keyspace_hash(engine->keyspace, key));
    }
    return any;
}

bool cw_owed_any(struct cw_engine *engine, unsigned database, const struct command *command, const struct slice *argv,
                 size_t argc)
{
    struct command_key few[FEW_KEYS];
    size_t count;
    if (!command_has_keys(command) || command_keys(command, argv, argc, few, FEW_KEYS, &count) < 0)
        return false;
    if (count <= FEW_KEYS)
        return any_key(engine, database, argv, few, count);
    struct command_key *all = mem_alloc(count * sizeof(*all));
    bool any =
        command_keys(command, argv, argc, all, count, &count) == 0 && any_key(engine, database, argv, all, count);
    mem_free(all);
    return any;
}

/* What EXEC will do. */
static bool any_queued(struct cw_engine *engine, const struct cw_session *session)
{
    struct cw_transaction *transaction = session->transaction;
    unsigned database = session->database;
    bool any = false;
    for (size_t i = 0; i < transaction->count; i++) {
        const struct cw_queued *queued = &transaction->commands[i];
        const struct slice *argv = cw_transaction_words(transaction, queued);
        uint64_t selected;
        if (queued->command->id == COMMAND_ID_SELECT && number_parse_u64(argv[1], &selected) == 0 &&
            selected < engine->config.databases)
            database = (unsigned)selected;
        any |= cw_owed_any(engine, database, queued->command, argv, queued->argc);
    }
    return any;
}

static bool is_full(const struct cw_engine *engine)
{
    return cw_picture_held(&engine->background_save.picture) >= CW_PICTURE_HELD_MAX ||
           cw_picture_held(&engine->aof.rewrite.picture) >= CW_PICTURE_HELD_MAX;
}

bool cw_owed_must_wait(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                       const struct slice *argv, size_t argc)
{
    if (!command_arity_fits(command, argc))
        return false;
    if (!(session->flags & CW_SESSION_IN_MULTI))
        return is_full(engine) || cw_owed_any(engine, session->database, command, argv, argc);
    return command->id == COMMAND_ID_EXEC && (is_full(engine) || any_queued(engine, session));
}
