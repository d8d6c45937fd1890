/* tracking_commands.h: CLIENT TRACKING and what goes with it (redis.io/commands/client-tracking). */
#ifndef CACHEWORKER_TRACKING_TRACKING_COMMANDS_H
#define CACHEWORKER_TRACKING_TRACKING_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_client_caching_command(struct cw_call *call);
void cw_client_getredir_command(struct cw_call *call);
void cw_client_tracking_command(struct cw_call *call);
void cw_client_trackinginfo_command(struct cw_call *call);

#endif
