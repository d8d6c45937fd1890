/* transaction.h: what one session has queued since MULTI, and whether EXEC may still execute it. Pure.
 *
 * Arguments are copied, one behind the other: a transaction is a few blocks of memory, whatever its length, and goes
 * back to a pool when it is over. */
#ifndef CACHEWORKER_TXN_TRANSACTION_H
#define CACHEWORKER_TXN_TRANSACTION_H

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/command/command.h"

struct cw_queued { /* one command */
    const struct command *command;
    uint64_t first_key_hash;
    size_t first_argument;
    size_t argc;
};

struct cw_argument {
    size_t offset; /* in `bytes` */
    size_t length;
};

struct cw_transaction {
    struct list watches;        /* of watch.h */
    size_t watches_bytes;       /* that these take, with the names of their keys */
    bool is_spoiled;            /* a watched key has changed: EXEC answers null */
    bool is_refused;            /* a command was refused instead of being queued: EXEC answers an error */
    uint32_t any_flags;         /* command flags that any of the queued ones has */
    uint32_t lacking;           /* command flags that any of them lacks */
    struct cw_queued *commands; /* owned */
    size_t count;
    size_t capacity;
    struct cw_argument *arguments; /* owned; of all commands */
    size_t argument_count;
    size_t argument_capacity;
    struct slice *words; /* owned; of the command that cw_transaction_words was last asked for */
    size_t words_capacity;
    uint64_t generation; /* of the keyspace whose hashes these are */
    struct buf bytes;    /* owned */
};

struct cw_transaction *cw_transaction_create(void);
void cw_transaction_destroy(struct cw_transaction *transaction); /* watches nothing any more; NULL is fine */

/* Forgets the commands, keeps the memory. */
void cw_transaction_clear(struct cw_transaction *transaction);

/* `flags` are the command's own, but for what its script says otherwise (cw_script_command_flags). */
void cw_transaction_add(struct cw_transaction *transaction, const struct command *command, uint32_t flags,
                        const struct slice *argv, size_t argc, uint64_t first_key_hash);

/* The words of a command; borrowed until the next call. */
const struct slice *cw_transaction_words(struct cw_transaction *transaction, const struct cw_queued *queued);

/* Bytes of what was queued, as the client is charged for them, and of memory. */
size_t cw_transaction_queued_bytes(const struct cw_transaction *transaction);
size_t cw_transaction_memory(const struct cw_transaction *transaction);

#endif
