/* command.h: the command table, one row per command and subcommand of Redis 7.2 and of Respite.
 *
 * Dispatch, COMMAND and its forms, ACL categories, key extraction and the proxy's routing are all derived from the rows
 * of command_table.def. A row is data: what a program does with the command is bound elsewhere, by command->id
 * (command_id.h). The table is constant; nothing here needs to be initialised, and all pointers live for ever. */
#ifndef COMMON_COMMAND_COMMAND_H
#define COMMON_COMMAND_COMMAND_H

#include "common/base/check.h"
#include "common/base/slice.h"
#include "common/command/command_id.h"

#include <stdbool.h>
#include <stdint.h>

enum { /* struct command.flags, in the order in which COMMAND INFO prints them; names: command_flag_name() */
       COMMAND_WRITE = 1 << 0,
       COMMAND_READONLY = 1 << 1,
       COMMAND_DENYOOM = 1 << 2,
       COMMAND_ADMIN = 1 << 3,
       COMMAND_PUBSUB = 1 << 4,
       COMMAND_NOSCRIPT = 1 << 5,
       COMMAND_BLOCKING = 1 << 6,
       COMMAND_LOADING = 1 << 7,
       COMMAND_STALE = 1 << 8,
       COMMAND_SKIP_MONITOR = 1 << 9,
       COMMAND_SKIP_SLOWLOG = 1 << 10,
       COMMAND_ASKING = 1 << 11,
       COMMAND_FAST = 1 << 12,
       COMMAND_NO_AUTH = 1 << 13,
       COMMAND_MAY_REPLICATE = 1 << 14,
       COMMAND_NO_MANDATORY_KEYS = 1 << 15, /* announces how many keys follow, and none is fine */
       COMMAND_NO_ASYNC_LOADING = 1 << 16,
       COMMAND_NO_MULTI = 1 << 17,
       COMMAND_MOVABLE_KEYS = 1 << 18, /* the legacy triple does not tell all keys */
       COMMAND_ALLOW_BUSY = 1 << 19,
       COMMAND_TOUCHES_ARBITRARY_KEYS = 1 << 20,
       COMMAND_ONLY_SENTINEL = 1 << 21, /* served by sentinels only */
       COMMAND_IS_RESPITE = 1 << 22,    /* ours; not shown by COMMAND */
       COMMAND_RUNS_SCRIPTS = 1 << 23,  /* may take long, and leave in the middle; not shown */
};

/* ACL categories, in the order in which COMMAND INFO prints them: X(constant, name). */
#define COMMAND_CATEGORIES(X)                                                                                          \
    X(KEYSPACE, "keyspace")                                                                                            \
    X(READ, "read")                                                                                                    \
    X(WRITE, "write")                                                                                                  \
    X(SET, "set")                                                                                                      \
    X(SORTEDSET, "sortedset")                                                                                          \
    X(LIST, "list")                                                                                                    \
    X(HASH, "hash")                                                                                                    \
    X(STRING, "string")                                                                                                \
    X(BITMAP, "bitmap")                                                                                                \
    X(HYPERLOGLOG, "hyperloglog")                                                                                      \
    X(GEO, "geo")                                                                                                      \
    X(STREAM, "stream")                                                                                                \
    X(PUBSUB, "pubsub")                                                                                                \
    X(ADMIN, "admin")                                                                                                  \
    X(FAST, "fast")                                                                                                    \
    X(SLOW, "slow")                                                                                                    \
    X(BLOCKING, "blocking")                                                                                            \
    X(DANGEROUS, "dangerous")                                                                                          \
    X(CONNECTION, "connection")                                                                                        \
    X(TRANSACTION, "transaction")                                                                                      \
    X(SCRIPTING, "scripting")

enum { /* bit numbers in struct command.categories */
#define X(constant, name) COMMAND_CATEGORY_##constant,
       COMMAND_CATEGORIES(X)
#undef X
           COMMAND_CATEGORY_COUNT
};

enum { /* struct command_key.flags and command_key_spec.flags, in the order in which they are printed */
       KEY_RO = 1 << 0,
       KEY_RW = 1 << 1,
       KEY_OW = 1 << 2,
       KEY_RM = 1 << 3,
       KEY_ACCESS = 1 << 4,
       KEY_UPDATE = 1 << 5,
       KEY_INSERT = 1 << 6,
       KEY_DELETE = 1 << 7,
       KEY_NOT_KEY = 1 << 8,         /* a channel, say; command_keys() leaves it out */
       KEY_INCOMPLETE = 1 << 9,      /* the spec does not find all keys; command_keys() does */
       KEY_VARIABLE_FLAGS = 1 << 10, /* the arguments say what is done with the key */
};

enum command_key_begin { KEY_BEGIN_INDEX, KEY_BEGIN_KEYWORD, KEY_BEGIN_UNKNOWN };
enum command_key_find { KEY_FIND_RANGE, KEY_FIND_KEYNUM, KEY_FIND_UNKNOWN };

struct command_key_spec { /* as redis.io/docs/reference/key-specs */
    uint32_t flags;
    const char *note; /* what the flags cannot say; NULL mostly */
    enum command_key_begin begin;
    int begin_index;     /* index: of the first key; keyword: where the search starts (negative: from the end) */
    const char *keyword; /* in capitals */
    enum command_key_find find;
    int last_key, key_step, limit;            /* range; last_key counts from the first key, or from the end */
    int keynum_index, first_key, keynum_step; /* keynum; counted from where the search began */
};

struct command {
    const char *name;      /* lower case; of a subcommand its own word only */
    const char *full_name; /* "get", "config|get" */
    uint16_t name_length;
    uint16_t id; /* enum command_id, the row's index in command_table */
    int arity;   /* with the name, and with the container's; negative: at least */
    uint32_t flags;
    uint32_t categories; /* bits, by COMMAND_CATEGORY_ number */
    const char *group;   /* "string", "generic", "connection", ... */
    const char *since;
    const char *complexity; /* NULL when it makes no sense */
    const char *summary;
    const char *deprecated_since;      /* NULL: it is not */
    const char *replaced_by;           /* with deprecated_since */
    bool is_system;                    /* not meant for applications: "syscmd" in COMMAND DOCS */
    const char *const *tips;           /* NULL, or ended by NULL */
    const char *const *history;        /* NULL, or pairs of a version and what changed with it, ended by NULL */
    const char *arguments;             /* in the notation of command_arguments.h; NULL when there are none */
    int first_key, last_key, key_step; /* the legacy triple of COMMAND INFO */
    const struct command_key_spec *key_specs;
    unsigned key_spec_count;
    const struct command *container;   /* of a subcommand */
    const struct command *subcommands; /* an array; NULL unless a container */
    unsigned subcommand_count;
};

/* All rows by id; a container's subcommands follow it. */
extern const struct command command_table[COMMAND_ID_COUNT];

/* Top-level row of that name (any case), or NULL. One hash and one compare: it stands on the hot path. */
const struct command *command_lookup(struct slice name);

/* The container's subcommand of that name (any case), or NULL. */
const struct command *command_subcommand(const struct command *container, struct slice name);

/* The row that argv means: the subcommand where the command is a container and argv[1] names one, else the container
 * itself; NULL when argv[0] is unknown. */
const struct command *command_resolve(const struct slice *argv, size_t argc);

/* "get", "config|get" in any case, as COMMAND INFO and ACL rules name rows; NULL when there is none. */
const struct command *command_by_full_name(struct slice full_name);

/* Top-level rows in the order of the table: command_at(0 .. command_rows() - 1). */
unsigned command_rows(void);
const struct command *command_at(unsigned index);

/* Whether argc satisfies the row's arity. */
bool command_arity_fits(const struct command *command, size_t argc);

struct command_key {
    unsigned index; /* into argv */
    uint32_t flags;
};

/* Whether requests of that row can hold keys at all. */
bool command_has_keys(const struct command *command);

/* Whether what a request of that row is answered shows nothing but the values of its keys: it only reads, and names all
 * that it reads. The proxy and the worker must agree on this. */
bool command_shows_its_keys(const struct command *command);

/* The keys of a request (argv from its first word) in the order of the key specs. Fills at most `capacity`; ret_count
 * is how many there are, never more than argc times the number of specs. ERR_INVALID when the arguments do not hold the
 * keys that they announce. */
MUST_CHECK int command_keys(const struct command *command, const struct slice *argv, size_t argc,
                            struct command_key *keys, size_t capacity, size_t *ret_count);

const char *command_category_name(unsigned bit); /* "keyspace", "read", ...; NULL behind the last */
const char *command_flag_name(unsigned bit);     /* "write", "readonly", ...; NULL where COMMAND shows none */
const char *command_key_flag_name(unsigned bit); /* "RO", "access", ...; NULL behind the last */

#endif
