/* bind.h: which function executes which row of the command table. */
#ifndef CACHEWORKER_ENGINE_BIND_H
#define CACHEWORKER_ENGINE_BIND_H

#include "cacheworker/engine/call.h"
#include "common/command/command.h"

/* By command id; NULL where this worker has no function: to its clients such a command is unknown. */
extern const cw_command_function cw_functions[COMMAND_ID_COUNT];

#endif
