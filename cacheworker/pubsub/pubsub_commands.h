/* pubsub_commands.h: SUBSCRIBE, PUBLISH and what goes with them (redis.io/commands/?group=pubsub). */
#ifndef CACHEWORKER_PUBSUB_PUBSUB_COMMANDS_H
#define CACHEWORKER_PUBSUB_PUBSUB_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_psubscribe_command(struct cw_call *call);
void cw_publish_command(struct cw_call *call);
void cw_pubsub_channels_command(struct cw_call *call);
void cw_pubsub_help_command(struct cw_call *call);
void cw_pubsub_numpat_command(struct cw_call *call);
void cw_pubsub_numsub_command(struct cw_call *call);
void cw_pubsub_shardchannels_command(struct cw_call *call);
void cw_pubsub_shardnumsub_command(struct cw_call *call);
void cw_punsubscribe_command(struct cw_call *call);
void cw_spublish_command(struct cw_call *call);
void cw_ssubscribe_command(struct cw_call *call);
void cw_subscribe_command(struct cw_call *call);
void cw_sunsubscribe_command(struct cw_call *call);
void cw_unsubscribe_command(struct cw_call *call);

#endif
