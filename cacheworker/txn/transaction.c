#include "cacheworker/txn/transaction.h"

#include "common/base/mem.h"

enum { FIRST_COMMANDS = 16, FIRST_ARGUMENTS = 64 };

struct cw_transaction *cw_transaction_create(void)
{
    struct cw_transaction *transaction = mem_zero(sizeof(*transaction));
    list_init(&transaction->watches);
    return transaction;
}

void cw_transaction_destroy(struct cw_transaction *transaction)
{
    if (transaction == NULL)
        return;
    CHECK(list_is_empty(&transaction->watches));
    mem_free(transaction->commands);
    mem_free(transaction->arguments);
    mem_free(transaction->words);
    buf_free(&transaction->bytes);
    mem_free(transaction);
}

void cw_transaction_clear(struct cw_transaction *transaction)
{
    transaction->is_spoiled = transaction->is_refused = false;
    transaction->any_flags = transaction->lacking = 0;
    transaction->count = transaction->argument_count = 0;
    buf_clear(&transaction->bytes);
}

static void reserve(struct cw_transaction *transaction, size_t argc)
{
    if (transaction->count == transaction->capacity) {
        transaction->capacity = transaction->capacity ? 2 * transaction->capacity : FIRST_COMMANDS;
        transaction->commands =
            mem_resize(transaction->commands, transaction->capacity * sizeof(transaction->commands[0]));
    }
    if (transaction->argument_capacity - transaction->argument_count < argc) {
        size_t doubled = transaction->argument_capacity ? 2 * transaction->argument_capacity : FIRST_ARGUMENTS;
        size_t needed = transaction->argument_count + argc;
        transaction->argument_capacity = doubled > needed ? doubled : needed;
        transaction->arguments =
            mem_resize(transaction->arguments, transaction->argument_capacity * sizeof(transaction->arguments[0]));
    }
}

void cw_transaction_add(struct cw_transaction *transaction, const struct command *command, uint32_t flags,
                        const struct slice *argv, size_t argc, uint64_t first_key_hash)
{
    reserve(transaction, argc);
    transaction->commands[transaction->count++] = (struct cw_queued){.command = command,
                                                                     .first_key_hash = first_key_hash,
                                                                     .first_argument = transaction->argument_count,
                                                                     .argc = argc};
    for (size_t i = 0; i < argc; i++) {
        struct cw_argument *argument = &transaction->arguments[transaction->argument_count++];
        *argument = (struct cw_argument){buf_length(&transaction->bytes), argv[i].length};
        buf_add_slice(&transaction->bytes, argv[i]);
    }
    transaction->any_flags |= flags;
    transaction->lacking |= ~flags;
}

const struct slice *cw_transaction_words(struct cw_transaction *transaction, const struct cw_queued *queued)
{
    if (queued->argc > transaction->words_capacity) {
        transaction->words_capacity = queued->argc;
        transaction->words = mem_resize(transaction->words, queued->argc * sizeof(transaction->words[0]));
    }
    const struct cw_argument *arguments = transaction->arguments + queued->first_argument;
    const char *bytes = buf_slice(&transaction->bytes).data;
    for (size_t i = 0; i < queued->argc; i++)
        transaction->words[i] = slice_of(bytes + arguments[i].offset, arguments[i].length);
    return transaction->words;
}

size_t cw_transaction_queued_bytes(const struct cw_transaction *transaction)
{
    return buf_length(&transaction->bytes) + transaction->argument_count * sizeof(transaction->arguments[0]) +
           transaction->count * sizeof(transaction->commands[0]);
}

size_t cw_transaction_memory(const struct cw_transaction *transaction)
{
    return sizeof(*transaction) + transaction->watches_bytes + transaction->bytes.capacity +
           transaction->argument_capacity * sizeof(transaction->arguments[0]) +
           transaction->capacity * sizeof(transaction->commands[0]) +
           transaction->words_capacity * sizeof(transaction->words[0]);
}
