/* command.h: the command table, one row per command and subcommand of Redis 7.2 and of Respite.
 *
 * Dispatch, COMMAND and its forms, ACL categories, key extraction and the proxy's routing are all derived from these
 * rows. A row is data: what a program does with the command is bound elsewhere (cacheworker/engine/bind.c). */
#ifndef COMMON_COMMAND_COMMAND_H
#define COMMON_COMMAND_COMMAND_H

#include "common/base/check.h"
#include "common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum { /* struct command.flags; names as COMMAND INFO prints them */
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
    COMMAND_NO_ASYNC_LOADING = 1 << 15,
    COMMAND_NO_MULTI = 1 << 16,
    COMMAND_MOVABLE_KEYS = 1 << 17,
    COMMAND_ALLOW_BUSY = 1 << 18,
    COMMAND_TOUCHES_ARBITRARY_KEYS = 1 << 19,
    COMMAND_IS_RESPITE = 1 << 20, /* ours; not shown by COMMAND */
};

struct command {
    const char *name;     /* lower case; of a subcommand its own word only */
    const char *full_name; /* "get", "config|get" */
    int arity;            /* with the name; negative: at least */
    uint32_t flags;
    uint64_t categories;  /* bits of command_category_name() */
    const char *group;    /* "string", "generic", "connection", ... */
    const char *since;
    const char *complexity;
    const char *summary;
    int first_key, last_key, key_step; /* the legacy triple of COMMAND INFO */
    const struct command_key_spec *key_specs; /* borrowed, constant */
    unsigned key_spec_count;
    const struct command *subcommands; /* borrowed, constant; NULL unless a container */
    unsigned subcommand_count;
    unsigned id; /* dense, unique over rows and subcommands: 0 .. command_count_all() - 1 */
};

enum command_key_find { KEY_FIND_RANGE, KEY_FIND_KEYNUM, KEY_FIND_UNKNOWN };

struct command_key_spec { /* as redis.io/docs/reference/key-specs */
    uint32_t flags;       /* KEY_* below */
    bool begin_keyword;   /* begin_search is a keyword, else an index */
    int begin_index;      /* the index, or where the keyword search starts (negative: from the end) */
    const char *keyword;
    enum command_key_find find;
    int last_key, key_step, limit;           /* range */
    int keynum_index, first_key, keynum_step; /* keynum */
};

enum {
    KEY_RO = 1 << 0, KEY_RW = 1 << 1, KEY_OW = 1 << 2, KEY_RM = 1 << 3,
    KEY_ACCESS = 1 << 4, KEY_UPDATE = 1 << 5, KEY_INSERT = 1 << 6, KEY_DELETE = 1 << 7,
    KEY_NOT_KEY = 1 << 8, KEY_INCOMPLETE = 1 << 9, KEY_VARIABLE_FLAGS = 1 << 10,
};

/* Top-level row of that name (any case), or NULL. One hash and one compare: it stands on the hot path. */
const struct command *command_lookup(struct slice name);

/* The row that argv means: the subcommand where the command is a container and argv[1] names one, else the container
 * itself; NULL when argv[0] is unknown. */
const struct command *command_resolve(const struct slice *argv, size_t argc);

unsigned command_count(void);     /* top-level rows that COMMAND COUNT counts */
unsigned command_count_all(void); /* all ids */
const struct command *command_at(unsigned index); /* top-level, in table order, 0 .. command_rows() - 1 */
unsigned command_rows(void);

/* Whether argc satisfies the row's arity. */
bool command_arity_fits(const struct command *command, size_t argc);

struct command_key {
    unsigned index; /* into argv */
    uint32_t flags;
};

/* The keys of a request by its key specs. Fills at most `capacity`; ret_count is how many there are.
 * ERR_INVALID when the arguments do not hold the keys that they announce. */
MUST_CHECK int command_keys(const struct command *command, const struct slice *argv, size_t argc,
                            struct command_key *keys, size_t capacity, size_t *ret_count);

const char *command_category_name(unsigned bit); /* "keyspace", "read", ...; NULL behind the last */
const char *command_flag_name(unsigned bit);     /* "write", "readonly", ...; NULL where COMMAND shows none */

#endif
