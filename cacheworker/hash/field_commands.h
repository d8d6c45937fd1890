/* field_commands.h: the commands on fields of hashes that expire, as Redis 8.0 has them (redis.io/commands/hexpire,
 * hsetex, hgetex, hgetdel, and those that they name). */
#ifndef CACHEWORKER_HASH_FIELD_COMMANDS_H
#define CACHEWORKER_HASH_FIELD_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_hexpire_command(struct cw_call *call);
void cw_hexpireat_command(struct cw_call *call);
void cw_hexpiretime_command(struct cw_call *call);
void cw_hgetdel_command(struct cw_call *call);
void cw_hgetex_command(struct cw_call *call);
void cw_hpersist_command(struct cw_call *call);
void cw_hpexpire_command(struct cw_call *call);
void cw_hpexpireat_command(struct cw_call *call);
void cw_hpexpiretime_command(struct cw_call *call);
void cw_hpttl_command(struct cw_call *call);
void cw_hsetex_command(struct cw_call *call);
void cw_httl_command(struct cw_call *call);

#endif
