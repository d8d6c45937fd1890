/* hyperloglog_commands.h: the HyperLogLog commands of Redis 7.2 (redis.io/commands/?group=hyperloglog).
 *
 * Where one of them changed a value it is propagated as it stands: hashes, runs and estimates come to the same
 * everywhere. That includes PFCOUNT, which puts its result into the value: a replica that is not told would hold other
 * bytes. A replica's own readers therefore compute without keeping the result. */
#ifndef CACHEWORKER_HYPERLOGLOG_HYPERLOGLOG_COMMANDS_H
#define CACHEWORKER_HYPERLOGLOG_HYPERLOGLOG_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_pfadd_command(struct cw_call *call);
void cw_pfcount_command(struct cw_call *call);
void cw_pfdebug_command(struct cw_call *call);
void cw_pfmerge_command(struct cw_call *call);
void cw_pfselftest_command(struct cw_call *call);

#endif
