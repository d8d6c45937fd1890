/* script_commands.h: EVAL and its like, and SCRIPT. */
#ifndef CACHEWORKER_SCRIPT_SCRIPT_COMMANDS_H
#define CACHEWORKER_SCRIPT_SCRIPT_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_eval_command(struct cw_call *call);
void cw_eval_ro_command(struct cw_call *call);
void cw_evalsha_command(struct cw_call *call);
void cw_evalsha_ro_command(struct cw_call *call);
void cw_script_exists_command(struct cw_call *call);
void cw_script_flush_command(struct cw_call *call);
void cw_script_help_command(struct cw_call *call);
void cw_script_kill_command(struct cw_call *call);
void cw_script_load_command(struct cw_call *call);

#endif
