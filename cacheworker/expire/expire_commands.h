/* expire_commands.h: the commands on a key's time to live. */
#ifndef CACHEWORKER_EXPIRE_EXPIRE_COMMANDS_H
#define CACHEWORKER_EXPIRE_EXPIRE_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_expire_command(struct cw_call *call);
void cw_expireat_command(struct cw_call *call);
void cw_expiretime_command(struct cw_call *call);
void cw_persist_command(struct cw_call *call);
void cw_pexpire_command(struct cw_call *call);
void cw_pexpireat_command(struct cw_call *call);
void cw_pexpiretime_command(struct cw_call *call);
void cw_pttl_command(struct cw_call *call);
void cw_ttl_command(struct cw_call *call);

#endif
