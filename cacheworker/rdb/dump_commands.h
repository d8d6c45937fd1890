/* dump_commands.h: DUMP and RESTORE: a value as bytes that another server takes (redis.io/commands/dump).
 *
 *   type 1 | the value as in RDB | RDB version 2, little endian | CRC64 of all before 8, little endian */
#ifndef CACHEWORKER_RDB_DUMP_COMMANDS_H
#define CACHEWORKER_RDB_DUMP_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_dump_command(struct cw_call *call);
void cw_restore_command(struct cw_call *call);

#endif
