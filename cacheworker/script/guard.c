#include "cacheworker/script/guard.h"

#include "cacheworker/script/interpreter.h"

#include <limits.h>

/* The key under which a proxy's metatable holds the table behind it: no script can have it. */
static const char hidden_key;

enum {
    UNPACK_MAX = 8000,       /* results: as many as a function may have on its stack */
    INSERT_BEFORE = 1 << 20, /* how far in front of a list an element may be put: each place costs a step */
};

static int refuse_change(lua_State *state)
{
    return luaL_error(state, "Attempt to modify a readonly table");
}

static void push_hidden_key(lua_State *state)
{
    lua_pushlightuserdata(state, (void *)(uintptr_t)&hidden_key);
}

void cw_guard_push_proxy(lua_State *state)
{
    lua_newtable(state);
    lua_createtable(state, 0, 3);
    lua_pushvalue(state, -3);
    lua_setfield(state, -2, "__index");
    lua_pushcfunction(state, refuse_change);
    lua_setfield(state, -2, "__newindex");
    push_hidden_key(state);
    lua_pushvalue(state, -4);
    lua_rawset(state, -3);
    lua_setmetatable(state, -2);
    lua_replace(state, -2);
}

bool cw_guard_push_hidden(lua_State *state, int index)
{
    if (!lua_istable(state, index) || !lua_getmetatable(state, index))
        return false;
    push_hidden_key(state);
    lua_rawget(state, -2);
    lua_replace(state, -2);
    if (lua_istable(state, -1))
        return true;
    lua_pop(state, 1);
    return false;
}

void cw_guard_refuse(lua_State *state, int index)
{
    if (!cw_guard_push_hidden(state, index))
        return;
    lua_pop(state, 1);
    lua_pushliteral(state, "Attempt to modify a readonly table"); /* without a place, as where Lua itself refuses */
    lua_error(state);
}

/* Field `name` of the table on top becomes `function`, with what it was as the upvalue. */
static void replace_by(lua_State *state, const char *name, lua_CFunction function)
{
    lua_getfield(state, -1, name);
    lua_pushcclosure(state, function, 1);
    lua_setfield(state, -2, name);
}

/* --- metatables --- */

static int base_getmetatable(lua_State *state)
{
    luaL_checkany(state, 1);
    struct cw_interpreter *interpreter = cw_interpreter_of(state);
    if (lua_type(state, 1) == LUA_TSTRING) {
        lua_rawgeti(state, LUA_REGISTRYINDEX, interpreter->string_metatable);
        return 1;
    }
    if (cw_guard_push_hidden(state, 1)) {
        lua_rawgeti(state, LUA_REGISTRYINDEX, interpreter->globals);
        if (lua_rawequal(state, -1, -2))
            lua_rawgeti(state, LUA_REGISTRYINDEX, interpreter->globals_metatable);
        else
            lua_pushnil(state);
        return 1;
    }
    if (!lua_getmetatable(state, 1)) {
        lua_pushnil(state);
        return 1;
    }
    luaL_getmetafield(state, 1, "__metatable");
    return 1;
}

static int base_setmetatable(lua_State *state)
{
    int type = lua_type(state, 2);
    luaL_checktype(state, 1, LUA_TTABLE);
    luaL_argcheck(state, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table expected");
    cw_guard_refuse(state, 1);
    if (luaL_getmetafield(state, 1, "__metatable"))
        return luaL_error(state, "cannot change a protected metatable");
    lua_settop(state, 2);
    lua_setmetatable(state, 1);
    return 1;
}

/* --- access past metatables --- */

static int base_rawget(lua_State *state)
{
    luaL_checktype(state, 1, LUA_TTABLE);
    luaL_checkany(state, 2);
    lua_settop(state, 2);
    if (cw_guard_push_hidden(state, 1))
        lua_replace(state, 1);
    lua_rawget(state, 1);
    return 1;
}

static int base_rawset(lua_State *state)
{
    luaL_checktype(state, 1, LUA_TTABLE);
    luaL_checkany(state, 2);
    luaL_checkany(state, 3);
    lua_settop(state, 3);
    cw_guard_refuse(state, 1);
    lua_rawset(state, 1);
    return 1;
}

static int base_next(lua_State *state)
{
    luaL_checktype(state, 1, LUA_TTABLE);
    lua_settop(state, 2);
    if (cw_guard_push_hidden(state, 1))
        lua_replace(state, 1);
    if (lua_next(state, 1))
        return 2;
    lua_pushnil(state);
    return 1;
}

static int base_pairs(lua_State *state)
{
    luaL_checktype(state, 1, LUA_TTABLE);
    lua_pushvalue(state, lua_upvalueindex(1));
    lua_pushvalue(state, 1);
    lua_pushnil(state);
    return 3;
}

static int base_unpack(lua_State *state)
{
    luaL_checktype(state, 1, LUA_TTABLE);
    int64_t first = luaL_optint(state, 2, 1);
    int64_t last = lua_isnoneornil(state, 3) ? (int64_t)lua_objlen(state, 1) : luaL_checkint(state, 3);
    if (first > last)
        return 0;
    int64_t count = last - first + 1;
    if (count > UNPACK_MAX || !lua_checkstack(state, (int)count))
        return luaL_error(state, "too many results to unpack");
    for (int64_t i = first; i <= last; i++)
        lua_rawgeti(state, 1, (int)i);
    return (int)count;
}

static int base_setfenv(lua_State *state)
{
    luaL_checktype(state, 2, LUA_TTABLE);
    lua_settop(state, 2);
    if (lua_isfunction(state, 1)) {
        lua_pushvalue(state, 1);
    } else {
        lua_Debug record;
        int level = luaL_optint(state, 1, 1);
        luaL_argcheck(state, level >= 0, 1, "level must be non-negative");
        if (level > 0 && lua_getstack(state, level, &record) == 0)
            return luaL_argerror(state, 1, "invalid level");
        if (level > 0)
            lua_getinfo(state, "f", &record);
        else
            lua_pushnil(state); /* the thread's globals are those of every script */
    }
    lua_pushvalue(state, 2);
    if (!lua_isfunction(state, -2) || lua_iscfunction(state, -2) || lua_setfenv(state, -2) == 0)
        return luaL_error(state, "'setfenv' cannot change environment of given object");
    return 1;
}

/* --- errors and loading --- */

/* As the reference has it: of a table with an error text in it only the text is given back. */
static int base_pcall(lua_State *state)
{
    luaL_checkany(state, 1);
    if (lua_pcall(state, lua_gettop(state) - 1, LUA_MULTRET, 0) == 0) {
        lua_pushboolean(state, 1);
        lua_insert(state, 1);
        return lua_gettop(state);
    }
    if (lua_istable(state, -1)) {
        lua_getfield(state, -1, "err");
        if (lua_isstring(state, -1))
            lua_replace(state, -2);
    }
    lua_pushboolean(state, 0);
    lua_insert(state, 1);
    return lua_gettop(state);
}

/* The script's handler is the upvalue. A script that is to end has none: Lua would call it where nothing can interrupt
 * it. */
static int handle_error(lua_State *state)
{
    if (cw_interpreter_of(state)->is_ending)
        return 1;
    lua_settop(state, 1);
    lua_pushvalue(state, lua_upvalueindex(1));
    lua_insert(state, 1);
    lua_call(state, 1, 1);
    return 1;
}

static int base_xpcall(lua_State *state)
{
    luaL_checkany(state, 2);
    lua_settop(state, 2);
    lua_pushcclosure(state, handle_error, 1);
    lua_insert(state, 1);
    bool well = lua_pcall(state, 0, LUA_MULTRET, 1) == 0;
    lua_pushboolean(state, well);
    lua_replace(state, 1);
    return lua_gettop(state);
}

static int loaded(lua_State *state, int result)
{
    if (result == 0)
        return 1;
    lua_pushnil(state);
    lua_insert(state, -2);
    return 2;
}

/* Stack: the function that gives pieces, the name, and the last piece, which must not be collected. */
static const char *read_piece(lua_State *state, void *context, size_t *ret_length)
{
    (void)context;
    luaL_checkstack(state, 2, "too many nested functions");
    lua_pushvalue(state, 1);
    lua_call(state, 0, 1);
    *ret_length = 0;
    if (lua_isnil(state, -1)) {
        lua_pop(state, 1);
        return NULL;
    }
    if (!lua_isstring(state, -1))
        luaL_error(state, "reader function must return a string");
    lua_replace(state, 3);
    return lua_tolstring(state, 3, ret_length);
}

static int base_load(lua_State *state)
{
    luaL_checktype(state, 1, LUA_TFUNCTION);
    const char *chunk_name = luaL_optstring(state, 2, "=(load)");
    lua_settop(state, 3);
    cw_interpreter_need_stack(state);
    return loaded(state, cw_interpreter_load(state, read_piece, NULL, chunk_name));
}

static const char *read_string(lua_State *state, void *context, size_t *ret_length)
{
    (void)state;
    struct slice *rest = context;
    const char *data = rest->data;
    *ret_length = rest->length;
    *rest = slice_of(NULL, 0);
    return *ret_length > 0 ? data : NULL;
}

static int base_loadstring(lua_State *state)
{
    struct slice source;
    source.data = luaL_checklstring(state, 1, &source.length);
    const char *chunk_name = luaL_optstring(state, 2, source.data);
    return loaded(state, cw_interpreter_load(state, read_string, &source, chunk_name));
}

/* --- the collector: what is tuned by one script would be tuned for all --- */

static int base_collectgarbage(lua_State *state)
{
    static const char *const names[] = {"collect", "stop", "restart", "count", "step", "setpause", "setstepmul", NULL};
    int option = luaL_checkoption(state, 1, "collect", names);
    int argument = luaL_optint(state, 2, 0);
    switch (option) {
    case 0: lua_pushinteger(state, lua_gc(state, LUA_GCCOLLECT, 0)); break;
    case 3:
        lua_pushnumber(state, lua_gc(state, LUA_GCCOUNT, 0) + (lua_Number)lua_gc(state, LUA_GCCOUNTB, 0) / 1024);
        break;
    case 4: lua_pushboolean(state, lua_gc(state, LUA_GCSTEP, argument < 0 ? 0 : argument)); break;
    case 5:
    case 6: lua_pushinteger(state, 200); break;
    default: lua_pushinteger(state, 0); break;
    }
    return 1;
}

/* --- coroutines: each begins a stack of C code of its own --- */

/* Calls the original, which is the upvalue. */
static int coroutine_resume(lua_State *state)
{
    cw_interpreter_need_stack(state);
    return lua_tocfunction(state, lua_upvalueindex(1))(state);
}

/* What coroutine.wrap gives. Upvalues: the coroutine, as the original wants it, and the original. */
static int coroutine_continue(lua_State *state)
{
    cw_interpreter_need_stack(state);
    return lua_tocfunction(state, lua_upvalueindex(2))(state);
}

static int coroutine_wrap(lua_State *state)
{
    (void)lua_tocfunction(state, lua_upvalueindex(1))(state);
    lua_getupvalue(state, -1, 1);
    lua_pushcfunction(state, lua_tocfunction(state, -2));
    lua_pushcclosure(state, coroutine_continue, 2);
    return 1;
}

static void guard_coroutines(lua_State *state)
{
    lua_getglobal(state, "coroutine");
    replace_by(state, "resume", coroutine_resume);
    replace_by(state, "wrap", coroutine_wrap);
    lua_pop(state, 1);
}

void cw_guard_open_base(lua_State *state)
{
    static const luaL_Reg functions[] = {
        {"collectgarbage", base_collectgarbage},
        {"getmetatable", base_getmetatable},
        {"load", base_load},
        {"loadstring", base_loadstring},
        {"next", base_next},
        {"pcall", base_pcall},
        {"rawget", base_rawget},
        {"rawset", base_rawset},
        {"setfenv", base_setfenv},
        {"setmetatable", base_setmetatable},
        {"unpack", base_unpack},
        {"xpcall", base_xpcall},
        {NULL, NULL},
    };
    static const char *const removed[] = {"dofile", "loadfile", "newproxy", "print"};
    luaL_register(state, NULL, functions);
    lua_getfield(state, -1, "next");
    lua_pushcclosure(state, base_pairs, 1);
    lua_setfield(state, -2, "pairs");
    for (size_t i = 0; i < ARRAY_LENGTH(removed); i++) {
        lua_pushnil(state);
        lua_setfield(state, -2, removed[i]);
    }
    guard_coroutines(state);
}

/* --- the table library --- */

/* Calls the original, which is the upvalue, when the table may be changed. */
static int table_changing(lua_State *state)
{
    cw_guard_refuse(state, 1);
    return lua_tocfunction(state, lua_upvalueindex(1))(state);
}

static int table_insert(lua_State *state)
{
    if (lua_gettop(state) == 3 && lua_tonumber(state, 2) < -INSERT_BEFORE)
        return luaL_argerror(state, 2, "position out of bounds");
    return table_changing(state);
}

void cw_guard_open_table(lua_State *state)
{
    replace_by(state, "insert", table_insert);
    replace_by(state, "remove", table_changing);
    replace_by(state, "sort", table_changing);
}

/* --- globals --- */

static int refuse_unknown(lua_State *state)
{
    if (lua_gettop(state) != 2 || !lua_isstring(state, 2))
        return luaL_error(state, "Second argument to luaProtectedTableError must be a string or number");
    return luaL_error(state, "Script attempted to access nonexistent global variable '%s'", lua_tostring(state, 2));
}

void cw_guard_refuse_unknown(lua_State *state)
{
    lua_newtable(state);
    lua_pushcfunction(state, refuse_unknown);
    lua_setfield(state, -2, "__index");
    lua_setmetatable(state, -2);
}

void cw_guard_show(lua_State *state, int globals)
{
    lua_getmetatable(state, LUA_GLOBALSINDEX);
    lua_rawgeti(state, LUA_REGISTRYINDEX, globals);
    lua_pushvalue(state, -1);
    lua_setfield(state, -3, "__index");
    push_hidden_key(state);
    lua_insert(state, -2);
    lua_rawset(state, -3);
    lua_pop(state, 1);
}

/* Stack: globals. All tables in them become proxies. */
static void guard_libraries(lua_State *state)
{
    int globals = lua_gettop(state);
    lua_pushnil(state);
    while (lua_next(state, globals)) {
        if (lua_istable(state, -1)) {
            cw_guard_push_proxy(state);
            lua_pushvalue(state, -2);
            lua_insert(state, -2);
            lua_rawset(state, globals); /* a key that exists: the traversal goes on */
        } else {
            lua_pop(state, 1);
        }
    }
}

void cw_guard_globals(lua_State *state)
{
    struct cw_interpreter *interpreter = cw_interpreter_of(state);
    lua_pushvalue(state, LUA_GLOBALSINDEX);
    lua_pushnil(state);
    lua_setfield(state, -2, "_G"); /* it would become a proxy of its own */
    guard_libraries(state);
    /* What is not there is an error, said by the table behind. */
    cw_guard_refuse_unknown(state);
    lua_getmetatable(state, -1);
    cw_guard_push_proxy(state);
    interpreter->globals_metatable = luaL_ref(state, LUA_REGISTRYINDEX);
    lua_newtable(state);
    lua_getfield(state, -2, "string");
    lua_setfield(state, -2, "__index");
    cw_guard_push_proxy(state);
    interpreter->string_metatable = luaL_ref(state, LUA_REGISTRYINDEX);
    /* Stack: globals. */
    lua_pushvalue(state, -1);
    interpreter->globals = luaL_ref(state, LUA_REGISTRYINDEX);
    lua_pushvalue(state, -1);
    cw_guard_push_proxy(state);
    lua_pushvalue(state, -1);
    lua_setfield(state, -3, "_G"); /* the table behind has no __newindex */
    lua_replace(state, LUA_GLOBALSINDEX);
    lua_pop(state, 1);
}
