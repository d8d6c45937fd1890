#include "cacheworker/script/redis_library.h"

#include "cacheworker/engine/version.h"
#include "cacheworker/script/functions.h"
#include "cacheworker/script/guard.h"
#include "cacheworker/script/values.h"
#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/base/sha1.h"

/* --- errors --- */

void cw_push_error(lua_State *state, struct slice text)
{
    struct slice code = SLICE_LITERAL("ERR");
    if (text.length > 0 && text.data[0] == '-') {
        text = slice_skip(text, 1);
        const char *space = memchr(text.data, ' ', text.length);
        if (space != NULL) {
            code = slice_of(text.data, (size_t)(space - text.data));
            text = slice_skip(text, code.length + 1);
        }
    }
    while (text.length > 0 && (text.data[text.length - 1] == '\n' || text.data[text.length - 1] == '\r'))
        text.length--;
    while (text.length > 0 && (text.data[0] == '\n' || text.data[0] == '\r'))
        text = slice_skip(text, 1);
    lua_newtable(state);
    lua_pushlstring(state, code.data, code.length);
    lua_pushliteral(state, " ");
    lua_pushlstring(state, text.data, text.length);
    lua_concat(state, 3);
    lua_setfield(state, -2, "err");
}

int cw_raise(lua_State *state, const char *text)
{
    luaL_checkstack(state, 4, "too many nested errors");
    cw_push_error(state, slice_text(text));
    return lua_error(state);
}

/* --- commands --- */

/* All arguments become texts, where they stand. False: one of them cannot. */
static bool make_texts(lua_State *state, int count)
{
    for (int i = 1; i <= count; i++) {
        int type = lua_type(state, i);
        if (type == LUA_TSTRING)
            continue;
        if (type != LUA_TNUMBER)
            return false;
        /* Lua's own text of a number would be short of digits. */
        lua_Number number = lua_tonumber(state, i);
        bool is_integer = number >= -4611686018427387904.0 && number <= 4611686018427387904.0 &&
                          (lua_Number)(int64_t)number == number;
        char text[64];
        size_t length = is_integer ? number_format_i64(text, (int64_t)number) : number_format_double(text, number);
        lua_pushlstring(state, text, length);
        lua_replace(state, i);
    }
    return true;
}

/* The arguments as a command's words, which live as long as they stand on the stack. NULL: an error was pushed. */
static const struct slice *take_words(lua_State *state, int count)
{
    struct cw_interpreter *interpreter = cw_interpreter_of(state);
    if (count == 0) {
        cw_push_error(state, SLICE_LITERAL("Please specify at least one argument for this redis lib call"));
        return NULL;
    }
    if (!make_texts(state, count)) {
        lua_settop(state, 0);
        cw_push_error(state, SLICE_LITERAL("Lua redis lib command arguments must be strings or integers"));
        return NULL;
    }
    if ((size_t)count > interpreter->argv_capacity) {
        interpreter->argv = mem_resize(interpreter->argv, 2 * (size_t)count * sizeof(*interpreter->argv));
        interpreter->argv_capacity = 2 * (size_t)count;
    }
    for (int i = 0; i < count; i++)
        interpreter->argv[i].data = lua_tolstring(state, i + 1, &interpreter->argv[i].length);
    return interpreter->argv;
}

static int execute(lua_State *state, bool raises)
{
    struct cw_interpreter *interpreter = cw_interpreter_of(state);
    if (interpreter->host == NULL || interpreter->host->command == NULL)
        return cw_raise(state, "redis.call/pcall can only be called inside a script invocation");
    int count = lua_gettop(state);
    const struct slice *argv = take_words(state, count);
    if (argv == NULL)
        return raises ? lua_error(state) : 1;
    struct buf *reply = &interpreter->reply;
    buf_clear(reply);
    interpreter->host->command(interpreter->context, argv, (size_t)count, interpreter->protocol, reply);
    lua_settop(state, 0);
    bool failed = buf_length(reply) > 0 && buf_slice(reply).data[0] == '-';
    cw_push_reply(state, buf_slice(reply));
    return failed && raises ? lua_error(state) : 1;
}

static int redis_call(lua_State *state)
{
    return execute(state, true);
}

static int redis_pcall(lua_State *state)
{
    return execute(state, false);
}

static int redis_acl_check_cmd(lua_State *state)
{
    struct cw_interpreter *interpreter = cw_interpreter_of(state);
    if (interpreter->host == NULL || interpreter->host->may == NULL)
        return cw_raise(state, "redis.acl_check_cmd can only be called inside a script invocation");
    int count = lua_gettop(state);
    const struct slice *argv = take_words(state, count);
    if (argv == NULL)
        return lua_error(state);
    int may = interpreter->host->may(interpreter->context, argv, (size_t)count);
    if (may < 0)
        return cw_raise(state, "Invalid command passed to redis.acl_check_cmd()");
    lua_pushboolean(state, may);
    return 1;
}

/* --- replies --- */

static bool has_one_text(lua_State *state)
{
    if (lua_gettop(state) == 1 && lua_type(state, 1) == LUA_TSTRING)
        return true;
    cw_push_error(state, SLICE_LITERAL("wrong number or type of arguments"));
    return false;
}

static int redis_error_reply(lua_State *state)
{
    if (!has_one_text(state))
        return 1;
    if (*lua_tostring(state, 1) != '-') {
        lua_pushliteral(state, "-");
        lua_insert(state, 1);
        lua_concat(state, 2);
    }
    struct slice text = slice_text(lua_tostring(state, 1));
    cw_push_error(state, text);
    return 1;
}

static int redis_status_reply(lua_State *state)
{
    if (!has_one_text(state))
        return 1;
    lua_newtable(state);
    lua_pushvalue(state, 1);
    lua_setfield(state, -2, "ok");
    return 1;
}

static int redis_sha1hex(lua_State *state)
{
    if (lua_gettop(state) != 1)
        return cw_raise(state, "wrong number of arguments");
    struct slice text = {0};
    text.data = lua_tolstring(state, 1, &text.length);
    char digits[SHA1_HEX];
    sha1_hex(text.data != NULL ? text : slice_of(NULL, 0), digits);
    lua_pushlstring(state, digits, sizeof(digits));
    return 1;
}

/* --- settings of the run --- */

static int redis_setresp(lua_State *state)
{
    if (lua_gettop(state) != 1)
        return cw_raise(state, "redis.setresp() requires one argument.");
    int protocol = (int)lua_tointeger(state, 1);
    if (protocol != 2 && protocol != 3)
        return cw_raise(state, "RESP version must be 2 or 3.");
    cw_interpreter_of(state)->protocol = protocol;
    return 0;
}

static int redis_set_repl(lua_State *state)
{
    struct cw_interpreter *interpreter = cw_interpreter_of(state);
    if (interpreter->host == NULL || interpreter->host->replicate == NULL)
        return cw_raise(state, "redis.set_repl can only be called inside a script invocation");
    if (lua_gettop(state) != 1)
        return cw_raise(state, "redis.set_repl() requires one argument.");
    int where = (int)lua_tointeger(state, 1);
    if ((where & ~CW_REPLICATE_ALL) != 0)
        return cw_raise(state, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
    interpreter->host->replicate(interpreter->context, where);
    return 0;
}

static int redis_log(lua_State *state)
{
    int count = lua_gettop(state);
    if (count < 2)
        return cw_raise(state, "redis.log() requires two arguments or more.");
    if (!lua_isnumber(state, 1))
        return cw_raise(state, "First argument must be a number (log level).");
    int level = (int)lua_tointeger(state, 1);
    if (level < CW_LOG_DEBUG || level > CW_LOG_WARNING)
        return cw_raise(state, "Invalid debug level.");
    struct cw_interpreter *interpreter = cw_interpreter_of(state);
    if (interpreter->host == NULL || interpreter->host->log == NULL)
        return 0;
    buf_clear(&interpreter->scratch);
    for (int i = 2; i <= count; i++) {
        size_t length;
        const char *text = lua_tolstring(state, i, &length);
        if (text == NULL)
            continue;
        if (i > 2)
            cw_scratch_add_byte(state, ' ');
        cw_scratch_add(state, text, length);
    }
    interpreter->host->log(interpreter->context, level, buf_slice(&interpreter->scratch));
    return 0;
}

static int redis_replicate_commands(lua_State *state)
{
    lua_pushboolean(state, 1); /* effects are what is replicated, always */
    return 1;
}

static int redis_breakpoint(lua_State *state)
{
    lua_pushboolean(state, 0); /* nobody debugs here */
    return 1;
}

static int redis_debug(lua_State *state)
{
    (void)state;
    return 0;
}

/* --- the table --- */

struct number {
    const char *name;
    int value;
};

static void set_numbers(lua_State *state, const struct number *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        lua_pushinteger(state, numbers[i].value);
        lua_setfield(state, -2, numbers[i].name);
    }
}

static const struct number common_numbers[] = {
    {"LOG_DEBUG", CW_LOG_DEBUG},
    {"LOG_VERBOSE", CW_LOG_VERBOSE},
    {"LOG_NOTICE", CW_LOG_NOTICE},
    {"LOG_WARNING", CW_LOG_WARNING},
    {"REDIS_VERSION_NUM", CW_REDIS_VERSION_NUMBER},
};

/* Into the table on top. */
static void set_common(lua_State *state)
{
    set_numbers(state, common_numbers, ARRAY_LENGTH(common_numbers));
    lua_pushliteral(state, CW_REDIS_VERSION);
    lua_setfield(state, -2, "REDIS_VERSION");
}

void cw_open_loading(lua_State *state)
{
    lua_newtable(state);
    lua_newtable(state);
    lua_pushcfunction(state, cw_register_function);
    lua_setfield(state, -2, "register_function");
    lua_pushcfunction(state, redis_log);
    lua_setfield(state, -2, "log");
    set_common(state);
    cw_guard_refuse_unknown(state);
    cw_guard_push_proxy(state);
    lua_setfield(state, -2, "redis");
    cw_guard_refuse_unknown(state);
    cw_interpreter_of(state)->load_globals = luaL_ref(state, LUA_REGISTRYINDEX);
}

void cw_open_redis(lua_State *state, enum cw_script_kind kind)
{
    static const luaL_Reg functions[] = {
        {"call", redis_call},
        {"pcall", redis_pcall},
        {"log", redis_log},
        {"setresp", redis_setresp},
        {"sha1hex", redis_sha1hex},
        {"error_reply", redis_error_reply},
        {"status_reply", redis_status_reply},
        {"set_repl", redis_set_repl},
        {"acl_check_cmd", redis_acl_check_cmd},
        {NULL, NULL},
    };
    static const luaL_Reg of_eval[] = {
        {"replicate_commands", redis_replicate_commands},
        {"breakpoint", redis_breakpoint},
        {"debug", redis_debug},
        {NULL, NULL},
    };
    static const struct number numbers[] = {
        {"REPL_NONE", CW_REPLICATE_NOWHERE},     {"REPL_AOF", CW_REPLICATE_AOF}, {"REPL_SLAVE", CW_REPLICATE_REPLICAS},
        {"REPL_REPLICA", CW_REPLICATE_REPLICAS}, {"REPL_ALL", CW_REPLICATE_ALL},
    };
    lua_newtable(state);
    luaL_register(state, NULL, functions);
    if (kind == CW_SCRIPT_EVAL)
        luaL_register(state, NULL, of_eval);
    set_numbers(state, numbers, ARRAY_LENGTH(numbers));
    set_common(state);
    lua_setglobal(state, "redis");
}
