/* limiter_commands.h: limits of rates, each one command and one key, which is a string with an expiry. What changes
 * goes into the stream as a SET. docs/PRIMITIVES.md says what they answer.
 *
 *   CL.THROTTLE key max_burst count period [quantity]     as in the module redis-cell (gcra.h)
 *   RATELIMIT.WINDOW key limit window_ms [cost]           a sliding window (window.h); ours */
#ifndef CACHEWORKER_LIMITER_LIMITER_COMMANDS_H
#define CACHEWORKER_LIMITER_LIMITER_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_cl_throttle_command(struct cw_call *call);
void cw_ratelimit_window_command(struct cw_call *call);

#endif
