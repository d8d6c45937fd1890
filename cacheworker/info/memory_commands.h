/* memory_commands.h: MEMORY (redis.io/commands/memory), but for MEMORY USAGE, which is about one key. */
#ifndef CACHEWORKER_INFO_MEMORY_COMMANDS_H
#define CACHEWORKER_INFO_MEMORY_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_memory_doctor_command(struct cw_call *call);
void cw_memory_help_command(struct cw_call *call);
void cw_memory_malloc_stats_command(struct cw_call *call);
void cw_memory_purge_command(struct cw_call *call);
void cw_memory_stats_command(struct cw_call *call);

#endif
