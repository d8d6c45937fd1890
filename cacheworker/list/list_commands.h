/* list_commands.h: commands on lists (redis.io/commands/?group=list), but for those that wait. */
#ifndef CACHEWORKER_LIST_LIST_COMMANDS_H
#define CACHEWORKER_LIST_LIST_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_blmove_command(struct cw_call *call);
void cw_blmpop_command(struct cw_call *call);
void cw_blpop_command(struct cw_call *call);
void cw_brpop_command(struct cw_call *call);
void cw_brpoplpush_command(struct cw_call *call);
void cw_lindex_command(struct cw_call *call);
void cw_linsert_command(struct cw_call *call);
void cw_llen_command(struct cw_call *call);
void cw_lmove_command(struct cw_call *call);
void cw_lmpop_command(struct cw_call *call);
void cw_lpop_command(struct cw_call *call);
void cw_lpos_command(struct cw_call *call);
void cw_lpush_command(struct cw_call *call);
void cw_lpushx_command(struct cw_call *call);
void cw_lrange_command(struct cw_call *call);
void cw_lrem_command(struct cw_call *call);
void cw_lset_command(struct cw_call *call);
void cw_ltrim_command(struct cw_call *call);
void cw_rpop_command(struct cw_call *call);
void cw_rpoplpush_command(struct cw_call *call);
void cw_rpush_command(struct cw_call *call);
void cw_rpushx_command(struct cw_call *call);

#endif
