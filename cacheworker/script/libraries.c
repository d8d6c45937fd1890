#include "cacheworker/script/libraries.h"

#include "cacheworker/script/guard.h"

#include <lualib.h>
#include <math.h>

/* --- string: what can take a stack frame per byte, or run for long without an instruction of Lua --- */

/* A pattern's items that recur: each of them takes a frame of the matcher. */
static void check_pattern(lua_State *state)
{
    size_t length;
    const char *pattern = luaL_checklstring(state, 2, &length);
    size_t items = 0;
    for (size_t i = 0; length > CW_SCRIPT_PATTERN_ITEMS && i < length; i++)
        items += pattern[i] == '*' || pattern[i] == '+' || pattern[i] == '-' || pattern[i] == '?' ||
                 pattern[i] == '(' || pattern[i] == ')';
    if (items > CW_SCRIPT_PATTERN_ITEMS)
        luaL_error(state, "pattern too complex");
}

/* Calls the original, which is the upvalue. */
static int string_matching(lua_State *state)
{
    check_pattern(state);
    return lua_tocfunction(state, lua_upvalueindex(1))(state);
}

/* Bounded before it begins: the loop would not be interrupted. */
static int string_repeat(lua_State *state)
{
    size_t length;
    const char *text = luaL_checklstring(state, 1, &length);
    int count = luaL_checkint(state, 2);
    struct cw_interpreter *interpreter = cw_interpreter_of(state);
    if (length == 0 || count <= 0) {
        lua_pushliteral(state, "");
        return 1;
    }
    if (length > interpreter->limit_bytes / (size_t)count)
        return luaL_error(state, "resulting string too large");
    buf_clear(&interpreter->scratch);
    for (int i = 0; i < count; i++)
        buf_add(&interpreter->scratch, text, length);
    struct slice result = buf_slice(&interpreter->scratch);
    lua_pushlstring(state, result.data, result.length);
    return 1;
}

static void guard_strings(lua_State *state)
{
    static const char *const names[] = {"find", "gfind", "gmatch", "gsub", "match"};
    lua_getglobal(state, "string");
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        lua_getfield(state, -1, names[i]);
        lua_pushcclosure(state, string_matching, 1);
        lua_setfield(state, -2, names[i]);
    }
    lua_pushcfunction(state, string_repeat);
    lua_setfield(state, -2, "rep");
    lua_pop(state, 1);
}

/* --- math.random: what drand48 gives, in one sequence over all scripts --- */

#define RANDOM_MULTIPLIER UINT64_C(0x5deece66d)
#define RANDOM_INCREMENT  11
#define RANDOM_MASK       ((UINT64_C(1) << 48) - 1)
#define RANDOM_MAX        INT32_MAX

static int math_random(lua_State *state)
{
    struct cw_interpreter *interpreter = cw_interpreter_of(state);
    *interpreter->random = (*interpreter->random * RANDOM_MULTIPLIER + RANDOM_INCREMENT) & RANDOM_MASK;
    lua_Number drawn = (lua_Number)((*interpreter->random >> 17) % RANDOM_MAX) / (lua_Number)RANDOM_MAX;
    int arguments = lua_gettop(state);
    if (arguments == 0) {
        lua_pushnumber(state, drawn);
        return 1;
    }
    if (arguments > 2)
        return luaL_error(state, "wrong number of arguments");
    int64_t least = arguments == 2 ? luaL_checkint(state, 1) : 1;
    int64_t most = luaL_checkint(state, arguments);
    luaL_argcheck(state, least <= most, arguments, "interval is empty");
    lua_pushnumber(state, floor(drawn * (lua_Number)(most - least + 1)) + (lua_Number)least);
    return 1;
}

static int math_randomseed(lua_State *state)
{
    *cw_interpreter_of(state)->random = (uint64_t)(uint32_t)luaL_checkint(state, 1) << 16 | 0x330e;
    return 0;
}

static void guard_math(lua_State *state)
{
    lua_getglobal(state, "math");
    lua_pushcfunction(state, math_random);
    lua_setfield(state, -2, "random");
    lua_pushcfunction(state, math_randomseed);
    lua_setfield(state, -2, "randomseed");
    lua_pop(state, 1);
}

/* --- os: the clock, and nothing else --- */

static int os_clock(lua_State *state)
{
    const struct cw_interpreter *interpreter = cw_interpreter_of(state);
    bool has_clock = interpreter->host != NULL && interpreter->host->cpu_seconds != NULL;
    lua_pushnumber(state, has_clock ? interpreter->host->cpu_seconds(interpreter->context) : 0);
    return 1;
}

static void open_os(lua_State *state)
{
    lua_newtable(state);
    lua_pushcfunction(state, os_clock);
    lua_setfield(state, -2, "clock");
    lua_setglobal(state, "os");
}

static void open(lua_State *state, lua_CFunction function)
{
    lua_pushcfunction(state, function);
    lua_pushliteral(state, "");
    lua_call(state, 1, 0);
}

void cw_open_libraries(lua_State *state)
{
    open(state, luaopen_base);
    open(state, luaopen_table);
    open(state, luaopen_string);
    open(state, luaopen_math);
    open(state, cw_open_json);
    open(state, cw_open_msgpack);
    open(state, cw_open_struct);
    open(state, cw_open_bit);
    open_os(state);
    guard_strings(state);
    guard_math(state);
    lua_pushvalue(state, LUA_GLOBALSINDEX);
    cw_guard_open_base(state);
    lua_getfield(state, -1, "table");
    cw_guard_open_table(state);
    lua_pop(state, 2);
}
