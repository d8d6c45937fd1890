/* functions.h: libraries of functions (redis.io/docs/interact/programmability/functions-intro): FUNCTION's side of
 * them.
 *
 * A set of libraries, each loaded by running its code once, in which it registers functions. All sets of a worker share
 * one interpreter. The dump of a set is RDB's items of functions, one per library, which Redis 7.0 and 7.2 read too. */
#ifndef CACHEWORKER_SCRIPT_FUNCTIONS_H
#define CACHEWORKER_SCRIPT_FUNCTIONS_H

#include "cacheworker/script/interpreter.h"
#include "common/base/hashmap.h"
#include "common/base/list.h"

enum {
    CW_LOAD_PULSES = 500,       /* a library's code may take so long: about half a second, everywhere the same */
    CW_FUNCTION_NAME_MAX = 256, /* bytes */
};

struct cw_function {
    struct hashmap_node node; /* by name, in its set */
    struct list of_library;
    struct cw_library *library; /* borrowed */
    char *name;                 /* owned */
    char *key;                  /* owned: the name in lower case */
    char *description;          /* owned; NULL: none */
    size_t description_length;
    uint32_t flags; /* CW_SCRIPT_ flags of scripting.h */
    int reference;
};

struct cw_library {
    struct hashmap_node node; /* by name, in its set */
    struct list all;          /* in the order in which they were loaded */
    struct list functions;
    size_t function_count;
    char *name; /* owned */
    char *code; /* owned; with its first line */
    size_t code_length;
};

struct cw_functions {
    struct cw_interpreter *interpreter; /* borrowed */
    struct hashmap libraries;
    struct hashmap by_name;
    struct list all;
};

struct cw_functions *cw_functions_create(struct cw_interpreter *interpreter, struct siphash_key seed);
void cw_functions_destroy(struct cw_functions *functions); /* NULL is fine */

/* By its name in any case. */
struct cw_function *cw_functions_find(const struct cw_functions *functions, struct slice name);
struct cw_library *cw_functions_library(const struct cw_functions *functions, struct slice name);

/* Loads a library, in the place of the one of that name if it may. NULL: `error` got why not, without a code, and the
 * set is as it was. */
struct cw_library *cw_functions_load(struct cw_functions *functions, struct slice code, bool may_replace,
                                     struct buf *error);
void cw_functions_delete(struct cw_functions *functions, struct cw_library *library);

/* Moves all libraries of `from` into `into`. ERR_EXISTS, and `error` got the words: both are as they were. */
MUST_CHECK int cw_functions_join(struct cw_functions *into, struct cw_functions *from, bool may_replace,
                                 struct buf *error);

/* Appends RDB's items of them; or the commands that load them. */
void cw_functions_dump(const struct cw_functions *functions, struct buf *out);
void cw_functions_write_commands(const struct cw_functions *functions, struct buf *out);

/* Loads such items into an empty set. ERR_INVALID, and `error` got the words. */
MUST_CHECK int cw_functions_restore(struct cw_functions *functions, struct slice items, struct buf *error);

/* redis.register_function, and the table `redis` in which libraries find it: for cw_open_redis. */
int cw_register_function(lua_State *state);

#endif
