/* stream_commands.h: the stream commands of Redis 7.2 (redis.io/commands/?group=stream).
 *
 * XREAD and XREADGROUP do not wait yet: BLOCK is read, and the reply is the one of a time that is over. What a replica
 * gets is more than the reference tells its own: also consumers that were created and got nothing, how far a group has
 * read, and who read its own history again, so that a replica that takes over answers as the master would have. */
#ifndef CACHEWORKER_STREAM_STREAM_COMMANDS_H
#define CACHEWORKER_STREAM_STREAM_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_xack_command(struct cw_call *call);
void cw_xadd_command(struct cw_call *call);
void cw_xautoclaim_command(struct cw_call *call);
void cw_xclaim_command(struct cw_call *call);
void cw_xdel_command(struct cw_call *call);
void cw_xgroup_create_command(struct cw_call *call);
void cw_xgroup_createconsumer_command(struct cw_call *call);
void cw_xgroup_delconsumer_command(struct cw_call *call);
void cw_xgroup_destroy_command(struct cw_call *call);
void cw_xgroup_help_command(struct cw_call *call);
void cw_xgroup_setid_command(struct cw_call *call);
void cw_xinfo_consumers_command(struct cw_call *call);
void cw_xinfo_groups_command(struct cw_call *call);
void cw_xinfo_help_command(struct cw_call *call);
void cw_xinfo_stream_command(struct cw_call *call);
void cw_xlen_command(struct cw_call *call);
void cw_xpending_command(struct cw_call *call);
void cw_xrange_command(struct cw_call *call);
void cw_xread_command(struct cw_call *call);
void cw_xreadgroup_command(struct cw_call *call);
void cw_xrevrange_command(struct cw_call *call);
void cw_xsetid_command(struct cw_call *call);
void cw_xtrim_command(struct cw_call *call);

#endif
