#include "common/command/command.h"

/* The words in which command_table.def is written. */

enum { /* flags */
       WRITE = COMMAND_WRITE,
       READONLY = COMMAND_READONLY,
       DENYOOM = COMMAND_DENYOOM,
       ADMIN = COMMAND_ADMIN,
       PUBSUB = COMMAND_PUBSUB,
       NOSCRIPT = COMMAND_NOSCRIPT,
       BLOCKING = COMMAND_BLOCKING,
       LOADING = COMMAND_LOADING,
       STALE = COMMAND_STALE,
       SKIP_MONITOR = COMMAND_SKIP_MONITOR,
       SKIP_SLOWLOG = COMMAND_SKIP_SLOWLOG,
       ASKING = COMMAND_ASKING,
       FAST = COMMAND_FAST,
       NO_AUTH = COMMAND_NO_AUTH,
       MAY_REPLICATE = COMMAND_MAY_REPLICATE,
       NO_MANDATORY_KEYS = COMMAND_NO_MANDATORY_KEYS,
       NO_ASYNC_LOADING = COMMAND_NO_ASYNC_LOADING,
       NO_MULTI = COMMAND_NO_MULTI,
       MOVABLE_KEYS = COMMAND_MOVABLE_KEYS,
       ALLOW_BUSY = COMMAND_ALLOW_BUSY,
       TOUCHES_ARBITRARY_KEYS = COMMAND_TOUCHES_ARBITRARY_KEYS,
       ONLY_SENTINEL = COMMAND_ONLY_SENTINEL,
       IS_RESPITE = COMMAND_IS_RESPITE,
       RUNS_SCRIPTS = COMMAND_RUNS_SCRIPTS,
};

enum { /* categories */
#define X(constant, name) AT_##constant = 1 << COMMAND_CATEGORY_##constant,
       COMMAND_CATEGORIES(X)
#undef X
};

enum { /* what is done with a key */
       RO = KEY_RO,
       RW = KEY_RW,
       OW = KEY_OW,
       RM = KEY_RM,
       ACCESS = KEY_ACCESS,
       UPDATE = KEY_UPDATE,
       INSERT = KEY_INSERT,
       DELETE = KEY_DELETE,
       NOT_KEY = KEY_NOT_KEY,
       INCOMPLETE = KEY_INCOMPLETE,
       VARIABLE_FLAGS = KEY_VARIABLE_FLAGS,
};

#define GROUP_BITMAP       "bitmap"
#define GROUP_CLUSTER      "cluster"
#define GROUP_CONNECTION   "connection"
#define GROUP_GENERIC      "generic"
#define GROUP_GEO          "geo"
#define GROUP_HASH         "hash"
#define GROUP_HYPERLOGLOG  "hyperloglog"
#define GROUP_LIST         "list"
#define GROUP_PUBSUB       "pubsub"
#define GROUP_SCRIPTING    "scripting"
#define GROUP_SENTINEL     "sentinel"
#define GROUP_SERVER       "server"
#define GROUP_SET          "set"
#define GROUP_SORTED_SET   "sorted-set"
#define GROUP_STREAM       "stream"
#define GROUP_STRING       "string"
#define GROUP_TRANSACTIONS "transactions"

/* Scripts do not read by themselves: their commands do, and are judged one by one. */
#define IMPLIED_CATEGORIES(flags, categories)                                                                          \
    (((flags)&COMMAND_WRITE ? AT_WRITE : 0) |                                                                          \
     ((flags)&COMMAND_READONLY && !((categories)&AT_SCRIPTING) ? AT_READ : 0) |                                        \
     ((flags)&COMMAND_ADMIN ? AT_ADMIN | AT_DANGEROUS : 0) | ((flags)&COMMAND_PUBSUB ? AT_PUBSUB : 0) |                \
     ((flags)&COMMAND_BLOCKING ? AT_BLOCKING : 0) | ((flags)&COMMAND_FAST ? AT_FAST : AT_SLOW))

#define AT(index, ...) FROM(index, 0, 1, __VA_ARGS__)
#define FROM(index, last, step, key_flags, ...)                                                                        \
    {                                                                                                                  \
        .flags = (key_flags), .begin = KEY_BEGIN_INDEX, .begin_index = (index), .find = KEY_FIND_RANGE,                \
        .last_key = (last), .key_step = (step), __VA_ARGS__                                                            \
    }
#define COUNTED(index, ...)       COUNTED_EACH(1, index, __VA_ARGS__)
#define COUNTED_PAIRS(index, ...) COUNTED_EACH(2, index, __VA_ARGS__)
#define COUNTED_EACH(step, index, key_flags, ...)                                                                      \
    {                                                                                                                  \
        .flags = (key_flags), .begin = KEY_BEGIN_INDEX, .begin_index = (index), .find = KEY_FIND_KEYNUM,               \
        .first_key = 1, .keynum_step = (step), __VA_ARGS__                                                             \
    }
#define BEHIND(word, start, last, part, key_flags, ...)                                                                \
    {                                                                                                                  \
        .flags = (key_flags), .begin = KEY_BEGIN_KEYWORD, .begin_index = (start), .keyword = (word),                   \
        .find = KEY_FIND_RANGE, .last_key = (last), .key_step = 1, .limit = (part), __VA_ARGS__                        \
    }
#define UNKNOWN(key_flags, ...)                                                                                        \
    {                                                                                                                  \
        .flags = (key_flags), .begin = KEY_BEGIN_UNKNOWN, .find = KEY_FIND_UNKNOWN, __VA_ARGS__                        \
    }
#define NOTE(text) .note = (text)

#define SPECS(...) ((const struct command_key_spec[]){__VA_ARGS__})
#define KEYS(first, last, step, ...)                                                                                   \
    .first_key = (first), .last_key = (last), .key_step = (step), .key_specs = SPECS(__VA_ARGS__),                     \
    .key_spec_count = sizeof(SPECS(__VA_ARGS__)) / sizeof(struct command_key_spec)
#define KEY(...)        KEYS(1, 1, 1, AT(1, __VA_ARGS__))
#define SECOND_KEY(...) KEYS(2, 2, 1, AT(2, __VA_ARGS__))
#define ALL_KEYS(...)   KEYS(1, -1, 1, FROM(1, -1, 1, __VA_ARGS__))

#define TIPS(...)                                                                                                      \
    .tips = (const char *const[])                                                                                      \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }
#define DEPRECATED(version, instead) .deprecated_since = (version), .replaced_by = (instead)
#define SYSTEM                       .is_system = true
#define HISTORY(...)                                                                                                   \
    .history = (const char *const[])                                                                                   \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }
#define ARGUMENTS(text) .arguments = (text)

#define FACTS(arity_, group_, since_, flags_, categories_, complexity_, summary_, ...)                                 \
    .arity = (arity_), .group = GROUP_##group_, .since = (since_), .flags = (flags_),                                  \
    .categories = (categories_) | IMPLIED_CATEGORIES(flags_, categories_), .complexity = (complexity_),                \
    .summary = (summary_), __VA_ARGS__

#define NAMED(id_, name_, full_name_)                                                                                  \
    .name = (name_), .full_name = (full_name_), .name_length = sizeof(name_) - 1, .id = (id_)

const struct command command_table[COMMAND_ID_COUNT] = {
#define COMMAND(id, name, ...) [COMMAND_ID_##id] = {NAMED(COMMAND_ID_##id, name, name), FACTS(__VA_ARGS__)},
#define CONTAINER(id, name, ...)                                                                                       \
    [COMMAND_ID_##id] = {NAMED(COMMAND_ID_##id, name, name), .subcommands = &command_table[COMMAND_ID_##id + 1],       \
                         .subcommand_count = COMMAND_LAST_##id - COMMAND_ID_##id, FACTS(__VA_ARGS__)},
#define SUBCOMMAND(parent, id, parent_name, name, ...)                                                                 \
    [COMMAND_ID_##parent##_##id] = {NAMED(COMMAND_ID_##parent##_##id, name, parent_name "|" name),                     \
                                    .container = &command_table[COMMAND_ID_##parent], FACTS(__VA_ARGS__)},
#define END(id)
#include "common/command/command_table.def"
};
