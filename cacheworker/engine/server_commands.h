/* server_commands.h: what operators and tools ask of the server (redis.io/commands/?group=server). */
#ifndef CACHEWORKER_ENGINE_SERVER_COMMANDS_H
#define CACHEWORKER_ENGINE_SERVER_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_bgsave_command(struct cw_call *call);
void cw_config_get_command(struct cw_call *call);
void cw_config_help_command(struct cw_call *call);
void cw_config_resetstat_command(struct cw_call *call);
void cw_config_rewrite_command(struct cw_call *call);
void cw_config_set_command(struct cw_call *call);
void cw_info_command(struct cw_call *call);
void cw_lastsave_command(struct cw_call *call);
void cw_lolwut_command(struct cw_call *call);
void cw_failover_command(struct cw_call *call);
void cw_replicaof_command(struct cw_call *call);
void cw_role_command(struct cw_call *call);
void cw_save_command(struct cw_call *call);
void cw_time_command(struct cw_call *call);

/* Saves, and notes when; or replies why that cannot be. */
bool cw_save_or_refuse(struct cw_call *call);

#endif
