#include "common/command/command.h"

#include "common/command/command_hash.h"
#include "common/command/command_slots.inc"

static bool is_named(const struct command *row, struct slice name, struct command_words words)
{
    if (row->name_length != name.length)
        return false;
    struct command_words row_words = command_words_of(row->name, name.length);
    if (row_words.front != words.front || row_words.back != words.back)
        return false;
    return name.length <= COMMAND_NAME_SEEN ||
           strncasecmp(name.data + 8, row->name + 8, name.length - COMMAND_NAME_SEEN) == 0;
}

const struct command *command_lookup(struct slice name)
{
    if (name.length == 0 || name.length > COMMAND_NAME_MAX)
        return NULL;
    struct command_words words = command_words_of(name.data, name.length);
    unsigned slot = slots[command_slot(words, COMMAND_MULTIPLIER)];
    if (slot == 0 || !is_named(&command_table[slot - 1], name, words))
        return NULL;
    return &command_table[slot - 1];
}

const struct command *command_subcommand(const struct command *container, struct slice name)
{
    if (name.length == 0 || name.length > COMMAND_NAME_MAX)
        return NULL;
    struct command_words words = command_words_of(name.data, name.length);
    for (unsigned i = 0; i < container->subcommand_count; i++)
        if (is_named(&container->subcommands[i], name, words))
            return &container->subcommands[i];
    return NULL;
}

const struct command *command_resolve(const struct slice *argv, size_t argc)
{
    const struct command *command = argc > 0 ? command_lookup(argv[0]) : NULL;
    if (!command || !command->subcommands || argc < 2)
        return command;
    const struct command *subcommand = command_subcommand(command, argv[1]);
    return subcommand ? subcommand : command;
}

const struct command *command_by_full_name(struct slice full_name)
{
    const char *bar = full_name.length ? memchr(full_name.data, '|', full_name.length) : NULL;
    if (!bar)
        return command_lookup(full_name);
    size_t length = (size_t)(bar - full_name.data);
    const struct command *container = command_lookup(slice_of(full_name.data, length));
    return container ? command_subcommand(container, slice_skip(full_name, length + 1)) : NULL;
}

static const uint16_t top_level[] = {
#define COMMAND(id, ...)   COMMAND_ID_##id,
#define CONTAINER(id, ...) COMMAND_ID_##id,
#define SUBCOMMAND(...)
#define END(id)
#include "common/command/command_table.def"
};

unsigned command_rows(void)
{
    return ARRAY_LENGTH(top_level);
}

const struct command *command_at(unsigned index)
{
    CHECK(index < ARRAY_LENGTH(top_level));
    return &command_table[top_level[index]];
}

bool command_arity_fits(const struct command *command, size_t argc)
{
    return command->arity >= 0 ? argc == (size_t)command->arity : argc >= (size_t)-command->arity;
}

/* The hidden ones are hidden by Redis too: they concern the server, not its clients. */
static const char *const flag_names[] = {
    "write",
    "readonly",
    "denyoom",
    "admin",
    "pubsub",
    "noscript",
    "blocking",
    "loading",
    "stale",
    "skip_monitor",
    "skip_slowlog",
    "asking",
    "fast",
    "no_auth",
    NULL /* may replicate */,
    "no_mandatory_keys",
    "no_async_loading",
    "no_multi",
    "movablekeys",
    "allow_busy",
};

const char *command_flag_name(unsigned bit)
{
    return bit < ARRAY_LENGTH(flag_names) ? flag_names[bit] : NULL;
}

static const char *const category_names[] = {
#define X(constant, name) name,
    COMMAND_CATEGORIES(X)
#undef X
};

const char *command_category_name(unsigned bit)
{
    return bit < ARRAY_LENGTH(category_names) ? category_names[bit] : NULL;
}

static const char *const key_flag_names[] = {
    "RO", "RW", "OW", "RM", "access", "update", "insert", "delete", "not_key", "incomplete", "variable_flags",
};

const char *command_key_flag_name(unsigned bit)
{
    return bit < ARRAY_LENGTH(key_flag_names) ? key_flag_names[bit] : NULL;
}
