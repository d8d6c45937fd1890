/* zset_commands.h: commands on sorted sets (redis.io/commands/?group=sorted-set). */
#ifndef CACHEWORKER_ZSET_ZSET_COMMANDS_H
#define CACHEWORKER_ZSET_ZSET_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_bzmpop_command(struct cw_call *call);
void cw_bzpopmax_command(struct cw_call *call);
void cw_bzpopmin_command(struct cw_call *call);
void cw_zadd_command(struct cw_call *call);
void cw_zcard_command(struct cw_call *call);
void cw_zcount_command(struct cw_call *call);
void cw_zdiff_command(struct cw_call *call);
void cw_zdiffstore_command(struct cw_call *call);
void cw_zincrby_command(struct cw_call *call);
void cw_zinter_command(struct cw_call *call);
void cw_zintercard_command(struct cw_call *call);
void cw_zinterstore_command(struct cw_call *call);
void cw_zlexcount_command(struct cw_call *call);
void cw_zmpop_command(struct cw_call *call);
void cw_zmscore_command(struct cw_call *call);
void cw_zpopmax_command(struct cw_call *call);
void cw_zpopmin_command(struct cw_call *call);
void cw_zrandmember_command(struct cw_call *call);
void cw_zrange_command(struct cw_call *call);
void cw_zrangebylex_command(struct cw_call *call);
void cw_zrangebyscore_command(struct cw_call *call);
void cw_zrangestore_command(struct cw_call *call);
void cw_zrank_command(struct cw_call *call);
void cw_zrem_command(struct cw_call *call);
void cw_zremrangebylex_command(struct cw_call *call);
void cw_zremrangebyrank_command(struct cw_call *call);
void cw_zremrangebyscore_command(struct cw_call *call);
void cw_zrevrange_command(struct cw_call *call);
void cw_zrevrangebylex_command(struct cw_call *call);
void cw_zrevrangebyscore_command(struct cw_call *call);
void cw_zrevrank_command(struct cw_call *call);
void cw_zscan_command(struct cw_call *call);
void cw_zscore_command(struct cw_call *call);
void cw_zunion_command(struct cw_call *call);
void cw_zunionstore_command(struct cw_call *call);

#endif
