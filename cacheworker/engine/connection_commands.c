#include "cacheworker/engine/connection_commands.h"

#include "cacheworker/engine/client_commands.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/info/monitor.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/pubsub/pubsub.h"
#include "cacheworker/tracking/tracking.h"
#include "cacheworker/txn/transaction_commands.h"
#include "common/base/mem.h"
#include "common/base/number.h"

void cw_ping_command(struct cw_call *call)
{
    if (call->argc > 2) {
        cw_reply_error(call, "ERR wrong number of arguments for 'ping' command");
        return;
    }
    if (call->session != NULL && (call->session->flags & CW_SESSION_IN_PUBSUB) && call->protocol == 2) {
        resp_write_array(call->reply, 2);
        resp_write_bulk_text(call->reply, "pong");
        resp_write_bulk(call->reply, call->argc == 2 ? call->argv[1] : slice_of(NULL, 0));
    } else if (call->argc == 2) {
        resp_write_bulk(call->reply, call->argv[1]);
    } else {
        buf_add(call->reply, "+PONG\r\n", 7);
    }
}

void cw_echo_command(struct cw_call *call)
{
    resp_write_bulk(call->reply, call->argv[1]);
}

void cw_quit_command(struct cw_call *call)
{
    resp_write_ok(call->reply);
    cw_session_flush(call->engine, call->session);
    cw_session_drain(call->engine, call->session);
}

void cw_reset_command(struct cw_call *call)
{
    struct cw_session *session = call->session;
    cw_pubsub_forget(call->engine->pubsub, session);
    cw_monitor_forget(session);
    cw_transaction_discard(call->engine, session);
    cw_tracking_stop(call->engine->tracking, session);
    session->flags &= ~(uint32_t)(CW_SESSION_REPLY_OFF | CW_SESSION_REPLY_SKIP | CW_SESSION_REPLY_SKIP_NEXT |
                                  CW_SESSION_NO_EVICT | CW_SESSION_NO_TOUCH);
    session->database = 0;
    session->protocol = 2;
    mem_free(session->name);
    session->name = NULL;
    cw_access_begin(call->engine, session);
    resp_write_simple(call->reply, SLICE_LITERAL("RESET"));
}

void cw_select_command(struct cw_call *call)
{
    int database;
    if (!cw_call_int(call, 1, NULL, &database) || !cw_call_has_database(call, database))
        return;
    call->session->database = (uint32_t)database;
    resp_write_ok(call->reply);
}

void cw_auth_command(struct cw_call *call)
{
    if (call->argc > 3) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return;
    }
    if (call->argc == 2 && call->engine->access.acl.nobody->nopass) {
        cw_reply_error(call, CW_ACCESS_NO_PASSWORD);
        return;
    }
    struct slice user = call->argc == 3 ? call->argv[1] : SLICE_LITERAL("default");
    const char *error = cw_access_authenticate(call, user, call->argv[call->argc - 1]);
    if (error == NULL)
        resp_write_ok(call->reply);
    else
        cw_reply_error(call, error);
}

static void write_hello(struct cw_call *call)
{
    struct buf *out = call->reply;
    int protocol = call->session->protocol;
    enum cw_serving serving = call->engine->serving;
    bool is_replica = serving != CW_SERVING_MASTER && serving != CW_SERVING_MIGRATING && serving != CW_SERVING_HOLD;
    resp_write_map(out, protocol, 7);
    resp_write_bulk_text(out, "server");
    resp_write_bulk_text(out, "redis");
    resp_write_bulk_text(out, "version");
    resp_write_bulk_text(out, CW_REDIS_VERSION);
    resp_write_bulk_text(out, "proto");
    resp_write_integer(out, protocol);
    resp_write_bulk_text(out, "id");
    resp_write_integer(out, (int64_t)call->session->id);
    resp_write_bulk_text(out, "mode");
    resp_write_bulk_text(out, "standalone");
    resp_write_bulk_text(out, "role");
    resp_write_bulk_text(out, is_replica ? "replica" : "master");
    resp_write_bulk_text(out, "modules");
    resp_write_array(out, 0);
}

void cw_hello_command(struct cw_call *call)
{
    struct cw_session *session = call->session;
    int64_t protocol = session->protocol;
    if (call->argc > 1 && number_parse_i64(call->argv[1], &protocol) < 0) {
        cw_reply_error(call, "ERR Protocol version is not an integer or out of range");
        return;
    }
    if (protocol < 2 || protocol > 3) {
        cw_reply_error(call, "NOPROTO unsupported protocol version");
        return;
    }
    struct slice name = {0};
    bool has_name = false;
    const struct slice *credentials = NULL; /* user, password */
    for (size_t i = 2; i < call->argc; i++) {
        size_t more = call->argc - i - 1;
        if (slice_equal_nocase(call->argv[i], "auth") && more >= 2) {
            credentials = call->argv + i + 1;
            i += 2;
        } else if (slice_equal_nocase(call->argv[i], "setname") && more >= 1) {
            name = call->argv[++i];
            has_name = true;
            if (!cw_client_name_is_valid(name)) {
                cw_reply_error(call, CW_ERROR_CLIENT_NAME);
                return;
            }
        } else {
            resp_write_error_format(call->reply, "ERR Syntax error in HELLO option '%.*s'", (int)call->argv[i].length,
                                    call->argv[i].data);
            return;
        }
    }
    const char *error = credentials ? cw_access_authenticate(call, credentials[0], credentials[1]) : NULL;
    if (error != NULL) {
        cw_reply_error(call, error);
        return;
    }
    if (!(session->flags & CW_SESSION_AUTHENTICATED)) {
        cw_reply_error(call, "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
                             "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
                             "RESP protocol version at the same time");
        return;
    }
    if (has_name)
        cw_client_set_text(&session->name, name);
    session->protocol = (int)protocol;
    write_hello(call);
}
