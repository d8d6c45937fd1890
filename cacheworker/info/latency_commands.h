/* latency_commands.h: LATENCY and SLOWLOG (redis.io/commands/latency, redis.io/commands/slowlog). */
#ifndef CACHEWORKER_INFO_LATENCY_COMMANDS_H
#define CACHEWORKER_INFO_LATENCY_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_latency_doctor_command(struct cw_call *call);
void cw_latency_graph_command(struct cw_call *call);
void cw_latency_help_command(struct cw_call *call);
void cw_latency_histogram_command(struct cw_call *call);
void cw_latency_history_command(struct cw_call *call);
void cw_latency_latest_command(struct cw_call *call);
void cw_latency_reset_command(struct cw_call *call);

void cw_slowlog_get_command(struct cw_call *call);
void cw_slowlog_help_command(struct cw_call *call);
void cw_slowlog_len_command(struct cw_call *call);
void cw_slowlog_reset_command(struct cw_call *call);

#endif
