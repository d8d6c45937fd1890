/* interpreter.h: one Lua 5.1 of ours: its heap, its sandbox, and how a script is run in it (docs/adr/0007-lua.md).
 *
 * A script sees `redis`, `cjson`, `cmsgpack`, `struct`, `bit`, and of Lua's own what can harm nobody. Globals, the
 * tables of libraries and the metatable of strings cannot be changed (guard.h). What a script may ask of the world are
 * the functions of struct cw_script_host; without one (while a library is loaded) there is nothing to call.
 *
 * Memory: all of Lua's memory is counted, and a script that wants more than the limit gets "not enough memory". What
 * libraries build aside (scratch, reply) is bounded by the same limit. Stack: C code that Lua calls may nest; how deep
 * is bounded by what is left of the fiber that the interpreter runs on. Time: every CW_SCRIPT_PULSE instructions the
 * host is asked whether the script may go on; it may switch to another stack meanwhile.
 *
 * Nothing but the functions of this file may be called outside of a running script: an error of Lua would find nobody
 * who catches it. */
#ifndef CACHEWORKER_SCRIPT_INTERPRETER_H
#define CACHEWORKER_SCRIPT_INTERPRETER_H

#include "common/base/buf.h"
#include "common/base/fiber.h"

#include <lauxlib.h>
#include <lua.h>

enum {
    CW_SCRIPT_PULSE = 100000,       /* instructions between two questions whether to go on; about a millisecond */
    CW_SCRIPT_STACK = 8 << 20,      /* of the fiber; touched only as far as it is used */
    CW_SCRIPT_STACK_KEPT = 5 << 20, /* what must be left of it where a coroutine begins: 200 nested calls of C code that
                                       hold 8 KiB buffers, and a pattern */
    CW_SCRIPT_PATTERN_ITEMS = 10000, /* of a pattern that recur: each takes a frame of the matcher */
};

#define CW_SCRIPT_RANDOM UINT64_C(0x1234abcd330e)

enum { CW_REPLICATE_NOWHERE = 0, CW_REPLICATE_AOF = 1, CW_REPLICATE_REPLICAS = 2, CW_REPLICATE_ALL = 3 };

enum cw_script_kind {
    CW_SCRIPT_EVAL,     /* KEYS and ARGV are globals */
    CW_SCRIPT_FUNCTION, /* they are arguments; libraries register functions */
};

/* What a running script asks of the world. `context` is the run's. */
struct cw_script_host {
    /* Executes one command or refuses it; the reply, in that protocol, is appended to `reply`. */
    void (*command)(void *context, const struct slice *argv, size_t argc, int protocol, struct buf *reply);
    /* Whether the user may execute it: 1 or 0; negative: there is no such command. */
    int (*may)(void *context, const struct slice *argv, size_t argc);
    /* Where to commands executed from now on are propagated: CW_REPLICATE_ bits. */
    void (*replicate)(void *context, int where);
    void (*log)(void *context, int level, struct slice text); /* 0 debug .. 3 warning */
    /* The text with which the script is to be ended now, or NULL. */
    const char *(*interrupt)(void *context);
    double (*cpu_seconds)(void *context); /* os.clock */
};

struct cw_library;

struct cw_interpreter {
    lua_State *state; /* owned */
    enum cw_script_kind kind;
    size_t limit_bytes;
    size_t used_bytes;
    struct buf scratch; /* owned; what a library builds before it becomes a string */
    struct buf reply;   /* owned; of the command that is executed */
    struct slice *argv; /* owned; of that command */
    size_t argv_capacity;
    uint64_t *random;                  /* borrowed; state of math.random: CW_SCRIPT_RANDOM at first */
    int protocol;                      /* of the replies to the script: redis.setresp */
    struct fiber *fiber;               /* borrowed; that scripts run on */
    const struct cw_script_host *host; /* borrowed; NULL while no script runs */
    void *context;                     /* borrowed; the host's */
    struct cw_library *library;        /* borrowed; the one that is being loaded */
    bool is_ending;                    /* the script that runs was told to end: nothing of it is called any more */
    bool error_is_counted;             /* the reply of the last run is an error that a command replied */
    unsigned runs;                     /* since the last step of the collector */
    int globals;                       /* references: the table behind _G */
    int load_globals;                  /* the one behind it while a library is loaded */
    int string_metatable;              /* what getmetatable("") shows */
    int globals_metatable;             /* what getmetatable(_G) shows */
};

struct cw_interpreter_config {
    enum cw_script_kind kind;
    size_t limit_bytes;
    struct fiber *fiber; /* borrowed; all of Lua runs on it: the functions of this file enter it if need be */
    uint64_t *random;    /* borrowed */
};

/* NULL when there is no memory for it. */
struct cw_interpreter *cw_interpreter_create(const struct cw_interpreter_config *config);
void cw_interpreter_destroy(struct cw_interpreter *interpreter); /* NULL is fine */

static inline struct cw_interpreter *cw_interpreter_of(lua_State *state)
{
    void *interpreter;
    (void)lua_getallocf(state, &interpreter);
    return interpreter;
}

/* Compiles a chunk; ret_reference names the function until cw_interpreter_forget. Else ERR_INVALID, and `error` got
 * Lua's words. */
MUST_CHECK int cw_interpreter_compile(struct cw_interpreter *interpreter, struct slice source, const char *chunk_name,
                                      int *ret_reference, struct buf *error);
void cw_interpreter_forget(struct cw_interpreter *interpreter, int reference);

struct cw_script_run {
    const struct cw_script_host *host; /* borrowed */
    void *context;                     /* borrowed */
    int function;                      /* reference */
    const char *name;                  /* borrowed; shown in errors: the SHA-1, or a function's name */
    const struct slice *keys;          /* borrowed */
    size_t key_count;
    const struct slice *arguments; /* borrowed */
    size_t argument_count;
    struct buf *reply; /* borrowed */
    int protocol;      /* of the reply */
    size_t reply_max;  /* a longer one is cut: its client will be closed */
};

/* Runs it and writes exactly one reply. */
void cw_interpreter_run(struct cw_interpreter *interpreter, const struct cw_script_run *run);

/* Runs the code of a library, which sees only what loading needs. False: `error` got Lua's words. */
MUST_CHECK bool cw_interpreter_run_library(struct cw_interpreter *interpreter, int reference,
                                           const struct cw_script_host *host, void *context, struct buf *error);

/* Calls `function` where errors of Lua are caught: true, or false and `error` got the words. */
bool cw_interpreter_protect(struct cw_interpreter *interpreter, lua_CFunction function, void *context,
                            struct buf *error);

/* For libraries: bytes in `scratch`, with an error of Lua when they are too many. */
void cw_scratch_add(lua_State *state, const void *data, size_t length);
void cw_scratch_add_byte(lua_State *state, unsigned char byte);

/* An error of Lua when C code nests so deep that the stack would not suffice. */
void cw_interpreter_need_stack(lua_State *state);

/* lua_load without binary chunks, and with the name kept alive while the parser needs it. */
int cw_interpreter_load(lua_State *state, lua_Reader reader, void *context, const char *chunk_name);

/* Takes down whether the table on top is an error that was counted when a command replied it. */
void cw_note_counted_error(lua_State *state);

/* {err = text}: pushed as the reference has it, which takes "-CODE words", or puts ERR before words. */
void cw_push_error(lua_State *state, struct slice text);
int cw_raise(lua_State *state, const char *text);

#endif
