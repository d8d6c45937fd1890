/* command_commands.h: COMMAND and its subcommands, derived from the command table (redis.io/commands/command).
 *
 * They show the rows that this worker has a function for, in the order of the table, and none of Respite's own. */
#ifndef CACHEWORKER_ENGINE_COMMAND_COMMANDS_H
#define CACHEWORKER_ENGINE_COMMAND_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_command_command(struct cw_call *call); /* also COMMAND INFO */
void cw_command_count_command(struct cw_call *call);
void cw_command_docs_command(struct cw_call *call);
void cw_command_getkeys_command(struct cw_call *call);
void cw_command_getkeysandflags_command(struct cw_call *call);
void cw_command_help_command(struct cw_call *call);
void cw_command_list_command(struct cw_call *call);

/* Given by the engine's binding: whether the row has a function, or is the container of one that has. */
bool cw_is_bound(const struct cw_engine *engine, const struct command *command);

#endif
