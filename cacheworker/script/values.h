/* values.h: replies as values of Lua, and values of Lua as replies (redis.io/docs/manual/programmability/lua-api,
 * "Data type conversion"). */
#ifndef CACHEWORKER_SCRIPT_VALUES_H
#define CACHEWORKER_SCRIPT_VALUES_H

#include "common/base/buf.h"

#include <lua.h>

/* Pushes the value of one whole reply. A malformed one is an error of Lua. */
void cw_push_reply(lua_State *state, struct slice reply);

/* Writes the value on top, and takes it away. `protocol` is the client's, `script_protocol` what the script chose: it
 * says what booleans are. A reply that grew beyond `reply_max` ends in nulls. */
void cw_write_lua_value(lua_State *state, struct buf *out, int protocol, int script_protocol, size_t reply_max);

#endif
