/* client_commands.h: CLIENT and its subcommands (redis.io/commands/client). */
#ifndef CACHEWORKER_ENGINE_CLIENT_COMMANDS_H
#define CACHEWORKER_ENGINE_CLIENT_COMMANDS_H

#include "cacheworker/engine/call.h"

#define CW_ERROR_CLIENT_NAME "ERR Client names cannot contain spaces, newlines or special characters."

bool cw_client_name_is_valid(struct slice name);

/* Replaces an owned text; an empty one becomes NULL. */
void cw_client_set_text(char **text, struct slice value);

void cw_client_getname_command(struct cw_call *call);
void cw_client_help_command(struct cw_call *call);
void cw_client_id_command(struct cw_call *call);
void cw_client_info_command(struct cw_call *call);
void cw_client_kill_command(struct cw_call *call);
void cw_client_list_command(struct cw_call *call);
void cw_client_no_evict_command(struct cw_call *call);
void cw_client_no_touch_command(struct cw_call *call);
void cw_client_pause_command(struct cw_call *call);
void cw_client_reply_command(struct cw_call *call);
void cw_client_setinfo_command(struct cw_call *call);
void cw_client_setname_command(struct cw_call *call);
void cw_client_unblock_command(struct cw_call *call);
void cw_client_unpause_command(struct cw_call *call);

#endif
