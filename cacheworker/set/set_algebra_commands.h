/* set_algebra_commands.h: intersections, unions and differences of sets, shown, counted or stored
 * (redis.io/commands/?group=set). */
#ifndef CACHEWORKER_SET_SET_ALGEBRA_COMMANDS_H
#define CACHEWORKER_SET_SET_ALGEBRA_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_sdiff_command(struct cw_call *call);
void cw_sdiffstore_command(struct cw_call *call);
void cw_sinter_command(struct cw_call *call);
void cw_sintercard_command(struct cw_call *call);
void cw_sinterstore_command(struct cw_call *call);
void cw_sunion_command(struct cw_call *call);
void cw_sunionstore_command(struct cw_call *call);

#endif
