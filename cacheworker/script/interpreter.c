#include "cacheworker/script/interpreter.h"

#include "cacheworker/script/guard.h"
#include "cacheworker/script/libraries.h"
#include "cacheworker/script/redis_library.h"
#include "cacheworker/script/values.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/resp/resp_writer.h"

enum {
    SCRATCH_KEPT = 64 << 10, /* of scratch and reply, between scripts */
    RUNS_PER_STEP = 50,      /* the collector takes a step after so many runs, for scripts that make little garbage */
    STEP_SIZE = 50,
    COLLECTOR_BYTES = 1 << 20, /* above the limit, for who gives memory back */
};

/* --- the heap --- */

static void *allocate(void *context, void *block, size_t old_size, size_t new_size)
{
    struct cw_interpreter *interpreter = context;
    if (block == NULL)
        old_size = 0;
    if (new_size == 0) {
        mem_free(block);
        interpreter->used_bytes -= old_size;
        return NULL;
    }
    if (new_size > old_size && interpreter->used_bytes + (new_size - old_size) > interpreter->limit_bytes)
        return NULL;
    void *moved = mem_try_resize(block, new_size);
    if (moved != NULL)
        interpreter->used_bytes = interpreter->used_bytes - old_size + new_size;
    return moved;
}

static int panicked(lua_State *state)
{
    (void)state;
    check_failed(__FILE__, __LINE__, "an error of Lua outside of a script");
}

void cw_scratch_add(lua_State *state, const void *data, size_t length)
{
    struct cw_interpreter *interpreter = cw_interpreter_of(state);
    if (length > interpreter->limit_bytes || buf_length(&interpreter->scratch) > interpreter->limit_bytes - length)
        luaL_error(state, "not enough memory");
    buf_add(&interpreter->scratch, data, length);
}

void cw_scratch_add_byte(lua_State *state, unsigned char byte)
{
    cw_scratch_add(state, &byte, 1);
}

void cw_interpreter_need_stack(lua_State *state)
{
    if (fiber_stack_left(cw_interpreter_of(state)->fiber) < CW_SCRIPT_STACK_KEPT)
        luaL_error(state, "C stack overflow");
}

/* --- protected calls --- */

struct protected
{
    lua_State *state;
    lua_CFunction function;
    void *context;
    bool well;
};

static void call_protected(void *context)
{
    struct protected *call = context;
    call->well = lua_cpcall(call->state, call->function, call->context) == 0;
}

/* On the fiber, as C code of Lua's needs it. An error stays on top. */
static bool protect(struct cw_interpreter *interpreter, lua_CFunction function, void *context)
{
    struct protected call = {.state = interpreter->state, .function = function, .context = context};
    if (fiber_is_inside(interpreter->fiber))
        call_protected(&call);
    else
        CHECK(fiber_enter(interpreter->fiber, call_protected, &call));
    return call.well;
}

static void take_error(lua_State *state, struct buf *error)
{
    size_t length;
    const char *text = lua_tolstring(state, -1, &length);
    if (error != NULL && text != NULL)
        buf_add(error, text, length);
    else if (error != NULL)
        buf_add_text(error, "unknown error");
}

bool cw_interpreter_protect(struct cw_interpreter *interpreter, lua_CFunction function, void *context,
                            struct buf *error)
{
    lua_State *state = interpreter->state;
    int top = lua_gettop(state);
    bool well = protect(interpreter, function, context);
    if (!well)
        take_error(state, error);
    lua_settop(state, top);
    return well;
}

/* --- loading --- */

struct source {
    lua_Reader reader;
    void *context;
    bool begun;
};

/* In front of the first byte comes a space, so that no source is taken for a compiled one. */
static const char *read_text(lua_State *state, void *context, size_t *ret_length)
{
    struct source *source = context;
    if (source->begun)
        return source->reader(state, source->context, ret_length);
    source->begun = true;
    *ret_length = 1;
    return " ";
}

int cw_interpreter_load(lua_State *state, lua_Reader reader, void *context, const char *chunk_name)
{
    struct source source = {.reader = reader, .context = context};
    /* The parser of Lua 5.1 holds the name in no place that the collector looks at. */
    lua_pushstring(state, chunk_name);
    int result = lua_load(state, read_text, &source, lua_tostring(state, -1));
    lua_remove(state, -2);
    return result;
}

static const char *read_slice(lua_State *state, void *context, size_t *ret_length)
{
    (void)state;
    struct slice *rest = context;
    const char *data = rest->data;
    *ret_length = rest->length;
    *rest = slice_of(NULL, 0);
    return *ret_length > 0 ? data : NULL;
}

struct compilation {
    struct slice source;
    const char *chunk_name;
    int reference;
};

static int compile(lua_State *state)
{
    struct compilation *compilation = lua_touserdata(state, 1);
    struct slice source = compilation->source;
    if (cw_interpreter_load(state, read_slice, &source, compilation->chunk_name) != 0)
        return lua_error(state);
    compilation->reference = luaL_ref(state, LUA_REGISTRYINDEX);
    return 0;
}

int cw_interpreter_compile(struct cw_interpreter *interpreter, struct slice source, const char *chunk_name,
                           int *ret_reference, struct buf *error)
{
    struct compilation compilation = {.source = source, .chunk_name = chunk_name};
    if (!cw_interpreter_protect(interpreter, compile, &compilation, error))
        return ERR_INVALID;
    *ret_reference = compilation.reference;
    return 0;
}

void cw_interpreter_forget(struct cw_interpreter *interpreter, int reference)
{
    luaL_unref(interpreter->state, LUA_REGISTRYINDEX, reference);
}

/* --- running --- */

static void pulse(lua_State *state, lua_Debug *record)
{
    (void)record;
    struct cw_interpreter *interpreter = cw_interpreter_of(state);
    if (interpreter->host == NULL || interpreter->host->interrupt == NULL)
        return;
    const char *reason = interpreter->host->interrupt(interpreter->context);
    if (reason == NULL)
        return;
    /* From here on each instruction ends the same way: a pcall of the script keeps nothing alive. */
    cw_interpreter_of(state)->is_ending = true;
    lua_sethook(state, pulse, LUA_MASKLINE | LUA_MASKCOUNT, 1);
    cw_raise(state, reason);
}

/* As tostring() shows a value that is no table. */
static void push_text(lua_State *state, int index)
{
    switch (lua_type(state, index)) {
    case LUA_TSTRING:
    case LUA_TNUMBER: lua_pushstring(state, lua_tostring(state, index)); break;
    case LUA_TBOOLEAN: lua_pushstring(state, lua_toboolean(state, index) ? "true" : "false"); break;
    case LUA_TNIL: lua_pushliteral(state, "nil"); break;
    default: lua_pushfstring(state, "%s: %p", luaL_typename(state, index), lua_topointer(state, index)); break;
    }
}

/* Makes a table of what was raised, and notes where: the function that raised it, or who called that if it is in C. */
static int handle_error(lua_State *state)
{
    lua_settop(state, 1);
    if (lua_type(state, 1) != LUA_TTABLE) {
        lua_newtable(state);
        lua_pushliteral(state, "ERR ");
        push_text(state, 1);
        lua_concat(state, 2);
        lua_setfield(state, -2, "err");
        lua_replace(state, 1);
    }
    lua_Debug record;
    if (lua_getstack(state, 1, &record) == 0 || lua_getinfo(state, "Sl", &record) == 0)
        return 1;
    if (*record.what == 'C' && (lua_getstack(state, 2, &record) == 0 || lua_getinfo(state, "Sl", &record) == 0))
        return 1;
    lua_pushstring(state, record.source);
    lua_setfield(state, 1, "source");
    lua_pushinteger(state, record.currentline);
    lua_setfield(state, 1, "line");
    return 1;
}

static void push_array(lua_State *state, const struct slice *items, size_t count)
{
    lua_createtable(state, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushlstring(state, items[i].data, items[i].length);
        lua_rawseti(state, -2, (int)i + 1);
    }
}

static struct slice text_of_field(lua_State *state, int table, const char *field)
{
    struct slice text = {0};
    lua_getfield(state, table, field);
    text.data = lua_tolstring(state, -1, &text.length);
    lua_setfield(state, table, field); /* a number became text: the table keeps it alive */
    return text;
}

void cw_note_counted_error(lua_State *state)
{
    lua_pushliteral(state, "ignore_error_stats_update");
    lua_rawget(state, -2);
    cw_interpreter_of(state)->error_is_counted = lua_toboolean(state, -1);
    lua_pop(state, 1);
}

/* To what never came to be a table: memory was short. */
static void reply_failure(lua_State *state, const struct cw_script_run *run)
{
    const char *text = lua_type(state, -1) == LUA_TSTRING ? lua_tostring(state, -1) : "execution failure";
    resp_write_error_format(run->reply, "ERR Error running script %s, %.100s", run->name, text);
}

/* The reply to a script that failed; the error is on top. */
static void reply_error(lua_State *state, const struct cw_script_run *run)
{
    if (!lua_istable(state, -1)) {
        reply_failure(state, run);
        return;
    }
    cw_note_counted_error(state);
    int table = lua_gettop(state);
    struct slice text = text_of_field(state, table, "err");
    struct slice source = text_of_field(state, table, "source");
    struct slice line = text_of_field(state, table, "line");
    struct cw_interpreter *interpreter = cw_interpreter_of(state);
    buf_clear(&interpreter->scratch);
    buf_add_text(&interpreter->scratch, text.data != NULL ? text.data : "ERR unknown error");
    if (source.data != NULL && line.data != NULL)
        buf_add_format(&interpreter->scratch, " script: %s, on %s:%s.", run->name, source.data, line.data);
    resp_write_error(run->reply, buf_slice(&interpreter->scratch));
}

/* Stack: the run. Whatever goes wrong in here ends in cw_interpreter_run. */
static int run_protected(lua_State *state)
{
    const struct cw_script_run *run = lua_touserdata(state, 1);
    struct cw_interpreter *interpreter = cw_interpreter_of(state);
    lua_pushcfunction(state, handle_error);
    lua_rawgeti(state, LUA_REGISTRYINDEX, run->function);
    if (interpreter->kind == CW_SCRIPT_EVAL) {
        lua_pushvalue(state, LUA_GLOBALSINDEX);
        lua_setfenv(state, -2); /* an earlier run may have given it another */
        lua_rawgeti(state, LUA_REGISTRYINDEX, interpreter->globals);
        lua_pushliteral(state, "KEYS");
        push_array(state, run->keys, run->key_count);
        lua_rawset(state, -3);
        lua_pushliteral(state, "ARGV");
        push_array(state, run->arguments, run->argument_count);
        lua_rawset(state, -3);
        lua_pop(state, 1);
    } else {
        push_array(state, run->keys, run->key_count);
        push_array(state, run->arguments, run->argument_count);
    }
    bool failed = lua_pcall(state, interpreter->kind == CW_SCRIPT_EVAL ? 0 : 2, 1, 2) != 0;
    if (failed)
        reply_error(state, run);
    else
        cw_write_lua_value(state, run->reply, run->protocol, interpreter->protocol, run->reply_max);
    return 0;
}

static int collect_step(lua_State *state)
{
    lua_gc(state, LUA_GCSTEP, STEP_SIZE);
    return 0;
}

static int collect_all(lua_State *state)
{
    lua_gc(state, LUA_GCCOLLECT, 0);
    return 0;
}

static void clean_up(struct cw_interpreter *interpreter, bool failed)
{
    buf_clear(&interpreter->scratch);
    buf_shrink(&interpreter->scratch, SCRATCH_KEPT);
    buf_clear(&interpreter->reply);
    buf_shrink(&interpreter->reply, SCRATCH_KEPT);
    lua_sethook(interpreter->state, pulse, LUA_MASKCOUNT, CW_SCRIPT_PULSE);
    /* Whoever ran out of memory leaves garbage as big as the limit. */
    bool is_big = interpreter->used_bytes > interpreter->limit_bytes / 2;
    size_t limit_bytes = interpreter->limit_bytes;
    interpreter->limit_bytes += COLLECTOR_BYTES;
    if (failed || is_big)
        (void)cw_interpreter_protect(interpreter, collect_all, NULL, NULL);
    else if (++interpreter->runs % RUNS_PER_STEP == 0)
        (void)cw_interpreter_protect(interpreter, collect_step, NULL, NULL);
    interpreter->limit_bytes = limit_bytes;
}

void cw_interpreter_run(struct cw_interpreter *interpreter, const struct cw_script_run *run)
{
    size_t before = buf_length(run->reply);
    interpreter->host = run->host;
    interpreter->context = run->context;
    interpreter->protocol = 2;
    interpreter->error_is_counted = false;
    interpreter->is_ending = false;
    lua_State *state = interpreter->state;
    bool well = protect(interpreter, run_protected, (void *)(uintptr_t)run);
    if (!well) {
        run->reply->end = run->reply->start + before; /* half a reply */
        reply_failure(state, run);
    }
    lua_settop(state, 0);
    interpreter->host = NULL;
    interpreter->context = NULL;
    clean_up(interpreter, !well);
}

/* --- libraries --- */

static int run_code(lua_State *state)
{
    const int *reference = lua_touserdata(state, 1);
    lua_rawgeti(state, LUA_REGISTRYINDEX, *reference);
    if (lua_pcall(state, 0, 0, 0) == 0)
        return 0;
    if (lua_istable(state, -1)) {
        lua_getfield(state, -1, "err");
    } else {
        lua_pushliteral(state, "ERR ");
        push_text(state, -2);
        lua_concat(state, 2);
    }
    return lua_error(state);
}

static int show_globals(lua_State *state)
{
    cw_guard_show(state, cw_interpreter_of(state)->globals);
    return 0;
}

static int show_load_globals(lua_State *state)
{
    cw_guard_show(state, cw_interpreter_of(state)->load_globals);
    return 0;
}

bool cw_interpreter_run_library(struct cw_interpreter *interpreter, int reference, const struct cw_script_host *host,
                                void *context, struct buf *error)
{
    interpreter->host = host;
    interpreter->context = context;
    bool well = cw_interpreter_protect(interpreter, show_load_globals, NULL, error) &&
                cw_interpreter_protect(interpreter, run_code, &reference, error);
    /* Fields that exist are set anew: this takes no memory. */
    CHECK(cw_interpreter_protect(interpreter, show_globals, NULL, NULL));
    interpreter->host = NULL;
    interpreter->context = NULL;
    clean_up(interpreter, !well);
    return well;
}

/* --- creation --- */

static int create_sandbox(lua_State *state)
{
    struct cw_interpreter *interpreter = cw_interpreter_of(state);
    cw_open_libraries(state);
    cw_open_redis(state, interpreter->kind);
    cw_guard_globals(state);
    if (interpreter->kind == CW_SCRIPT_FUNCTION)
        cw_open_loading(state);
    return 0;
}

struct cw_interpreter *cw_interpreter_create(const struct cw_interpreter_config *config)
{
    struct cw_interpreter *interpreter = mem_zero(sizeof(*interpreter));
    interpreter->kind = config->kind;
    interpreter->limit_bytes = config->limit_bytes;
    interpreter->fiber = config->fiber;
    interpreter->random = config->random;
    interpreter->state = lua_newstate(allocate, interpreter);
    if (interpreter->state == NULL) {
        mem_free(interpreter);
        return NULL;
    }
    lua_atpanic(interpreter->state, panicked);
    lua_sethook(interpreter->state, pulse, LUA_MASKCOUNT, CW_SCRIPT_PULSE);
    if (!cw_interpreter_protect(interpreter, create_sandbox, NULL, NULL)) {
        cw_interpreter_destroy(interpreter);
        return NULL;
    }
    return interpreter;
}

void cw_interpreter_destroy(struct cw_interpreter *interpreter)
{
    if (interpreter == NULL)
        return;
    lua_close(interpreter->state);
    buf_free(&interpreter->scratch);
    buf_free(&interpreter->reply);
    mem_free(interpreter->argv);
    mem_free(interpreter);
}
