/* function_commands.h: FUNCTION, FCALL, FCALL_RO. */
#ifndef CACHEWORKER_SCRIPT_FUNCTION_COMMANDS_H
#define CACHEWORKER_SCRIPT_FUNCTION_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_fcall_command(struct cw_call *call);
void cw_fcall_ro_command(struct cw_call *call);
void cw_function_delete_command(struct cw_call *call);
void cw_function_dump_command(struct cw_call *call);
void cw_function_flush_command(struct cw_call *call);
void cw_function_help_command(struct cw_call *call);
void cw_function_kill_command(struct cw_call *call);
void cw_function_list_command(struct cw_call *call);
void cw_function_load_command(struct cw_call *call);
void cw_function_restore_command(struct cw_call *call);
void cw_function_stats_command(struct cw_call *call);

#endif
