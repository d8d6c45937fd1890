/* sort_commands.h: SORT and SORT_RO (redis.io/commands/sort). */
#ifndef CACHEWORKER_SORT_SORT_COMMANDS_H
#define CACHEWORKER_SORT_SORT_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_sort_command(struct cw_call *call);
void cw_sort_ro_command(struct cw_call *call);

#endif
