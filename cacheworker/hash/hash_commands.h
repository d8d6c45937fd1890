/* hash_commands.h: commands on hashes (redis.io/commands/?group=hash). */
#ifndef CACHEWORKER_HASH_HASH_COMMANDS_H
#define CACHEWORKER_HASH_HASH_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_hdel_command(struct cw_call *call);
void cw_hexists_command(struct cw_call *call);
void cw_hget_command(struct cw_call *call);
void cw_hgetall_command(struct cw_call *call);
void cw_hincrby_command(struct cw_call *call);
void cw_hincrbyfloat_command(struct cw_call *call);
void cw_hkeys_command(struct cw_call *call);
void cw_hlen_command(struct cw_call *call);
void cw_hmget_command(struct cw_call *call);
void cw_hmset_command(struct cw_call *call);
void cw_hrandfield_command(struct cw_call *call);
void cw_hscan_command(struct cw_call *call);
void cw_hset_command(struct cw_call *call);
void cw_hsetnx_command(struct cw_call *call);
void cw_hstrlen_command(struct cw_call *call);
void cw_hvals_command(struct cw_call *call);

#endif
