/* debug_commands.h: DEBUG, for tests of the server; a server answers it only when its configuration says so. */
#ifndef CACHEWORKER_ENGINE_DEBUG_COMMANDS_H
#define CACHEWORKER_ENGINE_DEBUG_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_debug_command(struct cw_call *call);

#endif
