#include "cacheworker/info/monitor.h"

#include "cacheworker/info/redact.h"
#include "common/conf/redis_conf.h"

#include <inttypes.h>

void cw_monitor_tell(struct cw_engine *engine, const struct cw_call *call)
{
    struct buf line = {0};
    buf_add_format(&line, "+%" PRId64 ".%06" PRId64 " [%u ", engine->wall_us / 1000000, engine->wall_us % 1000000,
                   call->session->database);
    if (call->flags & CW_CALL_FROM_SCRIPT)
        buf_add_text(&line, "lua");
    else
        cw_session_describe_address(&call->session->peer, &line);
    buf_add_text(&line, "]");
    for (size_t i = 0; i < call->argc; i++) {
        buf_add_text(&line, " ");
        redis_conf_add_quoted(&line,
                              cw_is_secret(call->command, call->argv, call->argc, i) ? CW_REDACTED : call->argv[i]);
    }
    buf_add_text(&line, "\r\n");
    LIST_FOR_EACH(node, &engine->monitors)
    cw_session_push(engine, LIST_ENTRY(node, struct cw_session, monitor), buf_slice(&line));
    buf_free(&line);
}

void cw_monitor_command(struct cw_call *call)
{
    struct cw_session *session = call->session;
    if (call->flags & CW_CALL_DENY_BLOCKING) {
        cw_reply_error(call, "ERR MONITOR isn't allowed for DENY BLOCKING client");
        return;
    }
    if (!list_is_empty(&session->monitor))
        return; /* said once already: no reply, as in Redis */
    list_add_last(&call->engine->monitors, &session->monitor);
    resp_write_ok(call->reply);
}

void cw_monitor_forget(struct cw_session *session)
{
    list_remove(&session->monitor);
}
