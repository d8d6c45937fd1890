/* scripting.h: the scripts of a worker: what is known of them, and the one that runs.
 *
 * EVAL's scripts are known by their SHA-1. Those that EVAL made known are forgotten when there are too many, the one
 * that was not used for longest first, as Redis 7.4 does; those of SCRIPT LOAD stay. An interpreter is made when it is
 * needed first. */
#ifndef CACHEWORKER_SCRIPT_SCRIPTING_H
#define CACHEWORKER_SCRIPT_SCRIPTING_H

#include "cacheworker/engine/call.h"
#include "cacheworker/script/functions.h"
#include "cacheworker/script/interpreter.h"
#include "common/base/hashmap.h"
#include "common/base/list.h"
#include "common/base/sha1.h"

enum {
    CW_EVAL_SCRIPTS_MAX = 500,        /* that EVAL made known */
    CW_SCRIPT_HEAP_BYTES = 256 << 20, /* of each interpreter */
};

enum {                               /* struct cw_script.flags; the names are those of cw_script_flag_name, by bit */
       CW_SCRIPT_NO_WRITES = 1 << 0, /* as its first line says */
       CW_SCRIPT_ALLOW_OOM = 1 << 1,
       CW_SCRIPT_ALLOW_STALE = 1 << 2,
       CW_SCRIPT_NO_CLUSTER = 1 << 3,
       CW_SCRIPT_ALLOW_CROSS_SLOT = 1 << 4,
       CW_SCRIPT_WITHOUT_FLAGS = 1 << 5, /* it has no such line: what it may do is judged command by command */
};

struct cw_script {
    struct hashmap_node node;
    struct list recent; /* in scripting->recent while EVAL's only */
    char sha[SHA1_HEX + 1];
    uint32_t flags;
    int function; /* reference in the interpreter */
    bool is_new;  /* replicas do not know it yet */
    size_t length;
    char source[]; /* owned */
};

struct cw_scripting {
    struct cw_engine *engine;       /* borrowed */
    struct cw_interpreter *eval;    /* owned; NULL until it is needed */
    struct cw_interpreter *library; /* owned; of functions; NULL until it is needed */
    struct cw_functions *functions; /* owned; NULL until there are any */
    struct hashmap scripts;
    struct cw_script *newest; /* the one that was used last; NULL: it is gone */
    struct buf dump;          /* owned; what cw_scripting_dump gave last */
    struct list recent;       /* of those that EVAL made known: the oldest use first */
    size_t recent_count;
    size_t source_bytes;
    uint64_t random;     /* of math.random */
    const char *running; /* borrowed: the name of the script that runs, or NULL */
    bool runs_function;  /* it is a function */
    bool has_written;
    bool may_say_all; /* DEBUG SET-DISABLE-DENY-SCRIPTS: also what no script should */
};

struct cw_scripting_figures {         /* as INFO shows them; bytes, and how many there are */
    size_t eval_bytes, library_bytes; /* of Lua */
    size_t scripts, script_bytes;
    size_t libraries, functions, function_bytes;
};
void cw_scripting_figures(const struct cw_scripting *scripting, struct cw_scripting_figures *ret_figures);

struct cw_scripting *cw_scripting_create(struct cw_engine *engine);
void cw_scripting_destroy(struct cw_scripting *scripting); /* NULL is fine */

/* NULL when there is no memory for it. */
struct cw_interpreter *cw_scripting_eval(struct cw_scripting *scripting);

/* The functions that there are, or NULL when there is no memory for them. */
struct cw_functions *cw_scripting_functions(struct cw_scripting *scripting);

/* Another, empty set of the same interpreter; NULL as above. Owned by the caller. */
struct cw_functions *cw_scripting_new_functions(struct cw_scripting *scripting);

/* Takes a set of cw_scripting_new_functions in the place of the present one. */
void cw_scripting_set_functions(struct cw_scripting *scripting, struct cw_functions *functions);
void cw_scripting_flush_functions(struct cw_scripting *scripting);

/* All functions and scripts as items of RDB, borrowed until the next call; and the reverse, in the place of all that
 * there are. What does not compile is left out: it came from a server that knew more than this one. */
struct slice cw_scripting_dump(struct cw_scripting *scripting);
void cw_scripting_restore(struct cw_scripting *scripting, struct slice items);

/* Whether all libraries of such items can be loaded. ERR_CORRUPT, and `error` got the words. There are no functions and
 * scripts afterwards. */
MUST_CHECK int cw_scripting_check(struct cw_scripting *scripting, struct slice items, struct buf *error);

/* The script of that SHA-1 (any case), or NULL. */
struct cw_script *cw_scripting_find(const struct cw_scripting *scripting, struct slice sha);

/* Makes a script known, and gives it when it is known already. NULL: `error` got why not. `stays`: it is not EVAL's. */
struct cw_script *cw_scripting_add(struct cw_scripting *scripting, struct slice source, bool stays, struct buf *error);

/* Puts into the stream that a script is known, or that none is any more. */
void cw_scripting_tell_load(struct cw_scripting *scripting, const struct cw_script *script);
void cw_scripting_tell_flush(struct cw_scripting *scripting);

/* Marks a use. */
void cw_scripting_touch(struct cw_scripting *scripting, struct cw_script *script);

void cw_scripting_flush(struct cw_scripting *scripting);

/* The first line "#!lua flags=a,b": its flags, and how many bytes it takes, without the newline. ERR_INVALID. */
MUST_CHECK int cw_script_read_shebang(struct slice source, uint32_t *ret_flags, size_t *ret_length, struct buf *error);

/* The words of "flags=", and of functions' flags: ERR_INVALID for an unknown one. */
MUST_CHECK int cw_script_read_flag(struct slice word, uint32_t *ret_flag);
const char *cw_script_flag_name(unsigned bit); /* NULL behind the last */

/* The flags of EVAL, FCALL and their like, as what the script says of itself makes them: whether it writes, needs
 * memory, and may be run on stale data. As the table has them for a script that says nothing or is not known, and for
 * other commands. */
uint32_t cw_script_command_flags(const struct cw_scripting *scripting, const struct command *command,
                                 const struct slice *argv, size_t argc);

/* Takes the next word off the front of a line; empty at the end. */
struct slice cw_script_next_word(struct slice *line);

struct cw_script_start {
    int function; /* reference */
    uint32_t flags;
    const char *name; /* borrowed while it runs */
    struct cw_interpreter *interpreter;
    const struct slice *keys;
    size_t key_count;
    const struct slice *arguments;
    size_t argument_count;
    bool is_read_only; /* EVAL_RO and the like */
};

/* Runs it for a call, or says why it may not be run; writes the reply. */
void cw_scripting_run(struct cw_call *call, const struct cw_script_start *start);

/* SCRIPT KILL and FUNCTION KILL: writes the reply. */
void cw_scripting_kill(struct cw_call *call, bool of_function);

/* While a script is slow: why a command with these flags is refused, or NULL. */
const char *cw_scripting_busy_refusal(const struct cw_engine *engine, uint32_t flags);

/* The words of -BUSY for the script that runs. */
const char *cw_scripting_busy_words(const struct cw_scripting *scripting);

#endif
