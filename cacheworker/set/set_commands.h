/* set_commands.h: commands on one set, and SMOVE (redis.io/commands/?group=set). */
#ifndef CACHEWORKER_SET_SET_COMMANDS_H
#define CACHEWORKER_SET_SET_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_sadd_command(struct cw_call *call);
void cw_scard_command(struct cw_call *call);
void cw_sismember_command(struct cw_call *call);
void cw_smembers_command(struct cw_call *call);
void cw_smismember_command(struct cw_call *call);
void cw_smove_command(struct cw_call *call);
void cw_spop_command(struct cw_call *call);
void cw_srandmember_command(struct cw_call *call);
void cw_srem_command(struct cw_call *call);
void cw_sscan_command(struct cw_call *call);

#endif
