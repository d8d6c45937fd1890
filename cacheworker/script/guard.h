/* guard.h: tables that scripts can read and not change.
 *
 * Lua 5.1 has none. So what a script holds is a proxy: an empty table whose metatable finds everything in the table
 * behind it and refuses to add anything. Functions that go past metatables (rawset, next, table.insert...) are replaced
 * by ones that know proxies. The tables behind them no script ever sees. */
#ifndef CACHEWORKER_SCRIPT_GUARD_H
#define CACHEWORKER_SCRIPT_GUARD_H

#include <lua.h>

#include <stdbool.h>

/* Replaces the table on top by a proxy for it. */
void cw_guard_push_proxy(lua_State *state);

/* When the value at `index` is a proxy: pushes the table behind it, and returns true. */
bool cw_guard_push_hidden(lua_State *state, int index);

/* An error of Lua when the value at `index` is a proxy. */
void cw_guard_refuse(lua_State *state, int index);

/* Puts proxies in the place of all tables that globals hold, and of the globals themselves. Once all is registered. */
void cw_guard_globals(lua_State *state);

/* What is behind the globals from now on: the table of that reference. */
void cw_guard_show(lua_State *state, int globals);

/* Makes an error of what is not in the table on top. */
void cw_guard_refuse_unknown(lua_State *state);

/* Registers the functions of Lua's base library that know proxies, in the table on top. */
void cw_guard_open_base(lua_State *state);

/* Of the table library, the same. */
void cw_guard_open_table(lua_State *state);

#endif
