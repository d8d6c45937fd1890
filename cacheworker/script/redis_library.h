/* redis_library.h: the table `redis` of scripts: redis.call and its like, as Redis 7.2 has them. */
#ifndef CACHEWORKER_SCRIPT_REDIS_LIBRARY_H
#define CACHEWORKER_SCRIPT_REDIS_LIBRARY_H

#include "cacheworker/script/interpreter.h"

enum { CW_LOG_DEBUG, CW_LOG_VERBOSE, CW_LOG_NOTICE, CW_LOG_WARNING }; /* redis.log's levels */

/* Sets the global table. Eval's has what only scripts know (replicate_commands, breakpoint, debug). */
void cw_open_redis(lua_State *state, enum cw_script_kind kind);

/* What a library sees while it is loaded: `redis`, with register_function and log. In interpreter->load_globals. */
void cw_open_loading(lua_State *state);

#endif
