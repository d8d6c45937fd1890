/* monitor.h: MONITOR (redis.io/commands/monitor): who asked for it is told of every command that is executed, but for
 * those of administrators. Passwords are left out. Without such a listener a command pays a look at an empty list. */
#ifndef CACHEWORKER_INFO_MONITOR_H
#define CACHEWORKER_INFO_MONITOR_H

#include "cacheworker/engine/state.h"

/* Tells all who listen of a call: of most commands when they were executed; a script is told of before the commands
 * that it calls (COMMAND_SKIP_MONITOR). */
void cw_monitor_tell(struct cw_engine *engine, const struct cw_call *call);

static inline void cw_monitor_before(struct cw_engine *engine, const struct cw_call *call)
{
    if (UNLIKELY(!list_is_empty(&engine->monitors)) && (call->command->flags & COMMAND_SKIP_MONITOR))
        cw_monitor_tell(engine, call);
}

/* A command that waits for keys was told when it came. */
static inline void cw_monitor_after(struct cw_engine *engine, const struct cw_call *call)
{
    if (UNLIKELY(!list_is_empty(&engine->monitors)) && !(call->flags & CW_CALL_AGAIN) &&
        !(call->command->flags & (COMMAND_SKIP_MONITOR | COMMAND_ADMIN)))
        cw_monitor_tell(engine, call);
}

void cw_monitor_command(struct cw_call *call);

/* Ends it for that session (RESET). */
void cw_monitor_forget(struct cw_session *session);

#endif
