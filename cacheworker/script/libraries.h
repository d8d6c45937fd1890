/* libraries.h: the libraries of scripts, each a function as Lua calls it: it pushes nothing and sets a global table.
 *
 * cjson, cmsgpack, struct and bit behave as lua-cjson 2.1.0, lua-cmsgpack 0.4.0, struct 0.2 and BitOp 1.0.2 do in the
 * reference, errors included. They hold no memory outside of Lua but the interpreter's scratch. */
#ifndef CACHEWORKER_SCRIPT_LIBRARIES_H
#define CACHEWORKER_SCRIPT_LIBRARIES_H

#include "cacheworker/script/interpreter.h"

/* All of them, in the globals of a new interpreter. */
void cw_open_libraries(lua_State *state);

int cw_open_json(lua_State *state);
int cw_open_msgpack(lua_State *state);
int cw_open_struct(lua_State *state);
int cw_open_bit(lua_State *state);

#endif
