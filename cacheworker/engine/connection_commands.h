/* connection_commands.h: what a client says about its connection (redis.io/commands/?group=connection). */
#ifndef CACHEWORKER_ENGINE_CONNECTION_COMMANDS_H
#define CACHEWORKER_ENGINE_CONNECTION_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_auth_command(struct cw_call *call);
void cw_echo_command(struct cw_call *call);
void cw_hello_command(struct cw_call *call);
void cw_ping_command(struct cw_call *call);
void cw_quit_command(struct cw_call *call);
void cw_reset_command(struct cw_call *call);
void cw_select_command(struct cw_call *call);

#endif
