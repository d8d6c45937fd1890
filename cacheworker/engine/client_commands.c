#include "cacheworker/engine/client_commands.h"

#include "cacheworker/block/block.h"
#include "cacheworker/engine/dispatch.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/repl/repl.h"
#include "common/base/mem.h"
#include "common/base/number.h"

/* --- names --- */

bool cw_client_name_is_valid(struct slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        if (name.data[i] < '!' || name.data[i] > '~')
            return false;
    }
    return true;
}

void cw_client_set_text(char **text, struct slice value)
{
    mem_free(*text);
    *text = value.length > 0 ? mem_copy_text(value.data, value.length) : NULL;
}

void cw_client_setname_command(struct cw_call *call)
{
    if (!cw_client_name_is_valid(call->argv[2])) {
        cw_reply_error(call, CW_ERROR_CLIENT_NAME);
        return;
    }
    cw_client_set_text(&call->session->name, call->argv[2]);
    resp_write_ok(call->reply);
}

void cw_client_getname_command(struct cw_call *call)
{
    if (call->session->name != NULL)
        resp_write_bulk_text(call->reply, call->session->name);
    else
        resp_write_null(call->reply, call->protocol);
}

void cw_client_setinfo_command(struct cw_call *call)
{
    struct slice option = call->argv[2];
    char **text;
    const char *shown;
    if (slice_equal_nocase(option, "lib-name")) {
        text = &call->session->library_name;
        shown = "lib-name";
    } else if (slice_equal_nocase(option, "lib-ver")) {
        text = &call->session->library_version;
        shown = "lib-ver";
    } else {
        resp_write_error_format(call->reply, "ERR Unrecognized option '%.*s'", (int)option.length, option.data);
        return;
    }
    if (!cw_client_name_is_valid(call->argv[3])) {
        resp_write_error_format(call->reply, "ERR %s cannot contain spaces, newlines or special characters.", shown);
        return;
    }
    cw_client_set_text(text, call->argv[3]);
    resp_write_ok(call->reply);
}

/* --- looking --- */

void cw_client_id_command(struct cw_call *call)
{
    resp_write_integer(call->reply, (int64_t)call->session->id);
}

void cw_client_info_command(struct cw_call *call)
{
    struct buf text = {0};
    cw_session_describe(call->engine, call->session, true, &text);
    resp_write_verbatim(call->reply, call->protocol, "txt", buf_slice(&text));
    buf_free(&text);
}

enum client_type { TYPE_NORMAL, TYPE_REPLICA, TYPE_MASTER, TYPE_PUBSUB, TYPE_ANY };

static enum client_type type_of(const struct cw_session *session)
{
    if (session->kind == CW_LINK_REPLICA)
        return TYPE_REPLICA;
    if (session->kind == CW_LINK_MASTER)
        return TYPE_MASTER;
    return session->flags & CW_SESSION_IN_PUBSUB ? TYPE_PUBSUB : TYPE_NORMAL;
}

static bool parse_type(struct slice word, enum client_type *ret_type)
{
    if (slice_equal_nocase(word, "normal"))
        *ret_type = TYPE_NORMAL;
    else if (slice_equal_nocase(word, "replica") || slice_equal_nocase(word, "slave"))
        *ret_type = TYPE_REPLICA;
    else if (slice_equal_nocase(word, "master"))
        *ret_type = TYPE_MASTER;
    else if (slice_equal_nocase(word, "pubsub"))
        *ret_type = TYPE_PUBSUB;
    else
        return false;
    return true;
}

static void reply_unknown_type(struct cw_call *call, struct slice word)
{
    resp_write_error_format(call->reply, "ERR Unknown client type '%.*s'", (int)word.length, word.data);
}

static void list_by_ids(struct cw_call *call, struct buf *text)
{
    for (size_t i = 3; i < call->argc; i++) {
        uint64_t id;
        if (number_parse_u64(call->argv[i], &id) < 0)
            continue; /* judged already */
        LIST_FOR_EACH(node, &call->engine->sessions)
        {
            const struct cw_session *session = LIST_ENTRY(node, struct cw_session, all);
            if (session->id == id)
                cw_session_describe(call->engine, session, session == call->session, text);
        }
    }
}

void cw_client_list_command(struct cw_call *call)
{
    enum client_type type = TYPE_ANY;
    bool by_id = call->argc >= 4 && slice_equal_nocase(call->argv[2], "id");
    if (call->argc == 4 && slice_equal_nocase(call->argv[2], "type")) {
        if (!parse_type(call->argv[3], &type)) {
            reply_unknown_type(call, call->argv[3]);
            return;
        }
    } else if (by_id) {
        for (size_t i = 3; i < call->argc; i++) {
            int64_t id;
            if (number_parse_i64(call->argv[i], &id) < 0) {
                cw_reply_error(call, "ERR Invalid client ID");
                return;
            }
        }
    } else if (call->argc != 2) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return;
    }
    struct buf text = {0};
    if (by_id) {
        list_by_ids(call, &text);
    } else {
        LIST_FOR_EACH(node, &call->engine->sessions)
        {
            const struct cw_session *session = LIST_ENTRY(node, struct cw_session, all);
            if (type == TYPE_ANY || type == type_of(session))
                cw_session_describe(call->engine, session, session == call->session, &text);
        }
    }
    resp_write_verbatim(call->reply, call->protocol, "txt", buf_slice(&text));
    buf_free(&text);
}

/* --- killing --- */

struct kill_filter {
    uint64_t id;                         /* 0: any */
    struct slice address, local_address; /* empty: any */
    enum client_type type;
    int64_t max_age_s;              /* 0: any */
    const struct cw_acl_user *user; /* borrowed; NULL: any */
    bool skip_me;
};

static bool address_is(const struct address *address, struct slice text)
{
    struct buf shown = {0};
    cw_session_describe_address(address, &shown);
    bool same = slice_equal(buf_slice(&shown), text);
    buf_free(&shown);
    return same;
}

static bool filter_matches(const struct cw_call *call, const struct kill_filter *filter,
                           const struct cw_session *session)
{
    if (session->flags & CW_SESSION_CLOSING)
        return false;
    if (filter->id != 0 && session->id != filter->id)
        return false;
    if (filter->address.length > 0 && !address_is(&session->peer, filter->address))
        return false;
    if (filter->local_address.length > 0 && !address_is(&call->engine->config.data, filter->local_address))
        return false;
    if (filter->type != TYPE_ANY && type_of(session) != filter->type)
        return false;
    if (filter->max_age_s > 0 && call->engine->now_ns - session->connected_ns < filter->max_age_s * NS_PER_S)
        return false;
    if (filter->user != NULL && session->user != filter->user)
        return false;
    return !(filter->skip_me && session == call->session);
}

/* Whoever kills itself still gets the reply; it closes when that has left. */
static size_t kill_matching(struct cw_call *call, const struct kill_filter *filter, bool *ret_self)
{
    size_t killed = 0;
    *ret_self = false;
    LIST_FOR_EACH(node, &call->engine->sessions)
    {
        struct cw_session *session = LIST_ENTRY(node, struct cw_session, all);
        if (!filter_matches(call, filter, session))
            continue;
        killed++;
        if (session == call->session)
            *ret_self = true;
        else
            cw_session_abort(call->engine, session);
    }
    return killed;
}

static bool parse_filter_pair(struct cw_call *call, struct slice option, struct slice value, struct kill_filter *filter)
{
    int64_t number;
    if (slice_equal_nocase(option, "id")) {
        if (number_parse_i64(value, &number) < 0 || number <= 0) {
            cw_reply_error(call, "ERR client-id should be greater than 0");
            return false;
        }
        filter->id = (uint64_t)number;
    } else if (slice_equal_nocase(option, "type")) {
        if (!parse_type(value, &filter->type)) {
            reply_unknown_type(call, value);
            return false;
        }
    } else if (slice_equal_nocase(option, "addr")) {
        filter->address = value;
    } else if (slice_equal_nocase(option, "laddr")) {
        filter->local_address = value;
    } else if (slice_equal_nocase(option, "maxage")) {
        if (number_parse_i64(value, &number) < 0 || number <= 0 || number > INT64_MAX / NS_PER_S) {
            cw_reply_error(call, "ERR maxage is not an integer or out of range");
            return false;
        }
        filter->max_age_s = number;
    } else if (slice_equal_nocase(option, "user")) {
        filter->user = cw_acl_find(&call->engine->access.acl, value);
        if (filter->user == NULL) {
            resp_write_error_format(call->reply, "ERR No such user '%.*s'", (int)value.length, value.data);
            return false;
        }
    } else if (slice_equal_nocase(option, "skipme") && slice_equal_nocase(value, "yes")) {
        filter->skip_me = true;
    } else if (slice_equal_nocase(option, "skipme") && slice_equal_nocase(value, "no")) {
        filter->skip_me = false;
    } else {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return false;
    }
    return true;
}

void cw_client_kill_command(struct cw_call *call)
{
    bool is_old_form = call->argc == 3;
    struct kill_filter filter = {.type = TYPE_ANY, .skip_me = !is_old_form};
    if (is_old_form) {
        filter.address = call->argv[2];
    } else if (call->argc % 2 != 0) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return;
    }
    for (size_t i = 2; !is_old_form && i < call->argc; i += 2) {
        if (!parse_filter_pair(call, call->argv[i], call->argv[i + 1], &filter))
            return;
    }
    bool self;
    size_t killed = kill_matching(call, &filter, &self);
    if (!is_old_form)
        resp_write_integer(call->reply, (int64_t)killed);
    else if (killed > 0)
        resp_write_ok(call->reply);
    else
        cw_reply_error(call, "ERR No such client");
    if (self) {
        cw_session_flush(call->engine, call->session);
        cw_session_drain(call->engine, call->session);
    }
}

/* --- modes --- */

static bool parse_on_off(struct cw_call *call, bool *ret_on)
{
    *ret_on = slice_equal_nocase(call->argv[2], "on");
    if (*ret_on || slice_equal_nocase(call->argv[2], "off"))
        return true;
    cw_reply_error(call, CW_ERROR_SYNTAX);
    return false;
}

static void set_mode(struct cw_call *call, uint32_t flag)
{
    bool on;
    if (!parse_on_off(call, &on))
        return;
    if (on)
        call->session->flags |= flag;
    else
        call->session->flags &= ~flag;
    resp_write_ok(call->reply);
}

void cw_client_no_evict_command(struct cw_call *call)
{
    set_mode(call, CW_SESSION_NO_EVICT);
}

void cw_client_no_touch_command(struct cw_call *call)
{
    set_mode(call, CW_SESSION_NO_TOUCH);
}

void cw_client_reply_command(struct cw_call *call)
{
    struct cw_session *session = call->session;
    if (slice_equal_nocase(call->argv[2], "on")) {
        session->flags &= ~(uint32_t)(CW_SESSION_REPLY_OFF | CW_SESSION_REPLY_SKIP);
        resp_write_ok(call->reply);
    } else if (slice_equal_nocase(call->argv[2], "off")) {
        session->flags |= CW_SESSION_REPLY_OFF;
    } else if (slice_equal_nocase(call->argv[2], "skip")) {
        if (!(session->flags & CW_SESSION_REPLY_OFF))
            session->flags |= CW_SESSION_REPLY_SKIP_NEXT;
    } else {
        cw_reply_error(call, CW_ERROR_SYNTAX);
    }
}

void cw_client_pause_command(struct cw_call *call)
{
    int64_t timeout_ms;
    bool writes_only = call->argc == 4 && slice_equal_nocase(call->argv[3], "write");
    if (call->argc > 4) {
        cw_reply_subcommand_syntax_error(call);
        return;
    }
    if (call->argc == 4 && !writes_only && !slice_equal_nocase(call->argv[3], "all")) {
        cw_reply_error(call, "ERR CLIENT PAUSE mode must be WRITE or ALL");
        return;
    }
    if (!cw_call_timeout_ms(call, 2, &timeout_ms))
        return;
    /* A pause on top of another makes it no shorter, and no weaker: where all are paused, this is not executed. */
    int64_t until_ns = timeout_ms > 0 ? cw_block_deadline(call->engine, timeout_ms) : call->engine->now_ns;
    struct cw_engine *engine = call->engine;
    bool is_ending = engine->shutdown.is_paused;
    int64_t *paused_until_ns = is_ending ? &engine->shutdown.paused_before_ns : &engine->pause_until_ns;
    if (until_ns > *paused_until_ns)
        *paused_until_ns = until_ns;
    *(is_ending ? &engine->shutdown.paused_writes_only_before : &engine->pause_writes_only) = writes_only;
    cw_engine_look_at_role(call->engine);
    resp_write_ok(call->reply);
}

void cw_client_unpause_command(struct cw_call *call)
{
    if (call->engine->shutdown.is_paused)
        call->engine->shutdown.paused_before_ns = 0;
    else if (!cw_repl_is_failing_over(call->engine->repl))
        call->engine->pause_until_ns = 0;
    cw_engine_look_at_role(call->engine);
    call->engine->turn_wanted = true;
    resp_write_ok(call->reply);
}

#define UNBLOCKED "UNBLOCKED client unblocked via CLIENT UNBLOCK"

void cw_client_unblock_command(struct cw_call *call)
{
    uint64_t id;
    bool with_error = call->argc == 4 && slice_equal_nocase(call->argv[3], "error");
    if (call->argc > 4) {
        cw_reply_subcommand_syntax_error(call);
        return;
    }
    if (call->argc == 4 && !with_error && !slice_equal_nocase(call->argv[3], "timeout")) {
        cw_reply_error(call, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
        return;
    }
    if (number_parse_u64(call->argv[2], &id) < 0) {
        cw_reply_error(call, CW_ERROR_NOT_INTEGER);
        return;
    }
    LIST_FOR_EACH(node, &call->engine->sessions)
    {
        struct cw_session *session = LIST_ENTRY(node, struct cw_session, all);
        if (session->id != id || !(session->flags & CW_SESSION_WAITING) || session->waits_for_shutdown)
            continue;
        if (session->blocked != NULL)
            cw_block_end(call->engine, session, with_error ? UNBLOCKED : NULL);
        else if (with_error)
            cw_session_end_wait_with_error(call->engine, session);
        else
            session->wait_deadline_ns = call->engine->now_ns;
        call->engine->turn_wanted = true;
        resp_write_integer(call->reply, 1);
        return;
    }
    resp_write_integer(call->reply, 0);
}

void cw_client_help_command(struct cw_call *call)
{
    static const char *const lines[] = {
        "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GETNAME -- the name of this connection.",
        "CACHING (YES|NO) -- whether what the next command reads is tracked, in OPTIN or OPTOUT mode.",
        "GETREDIR -- where tracking sends its messages; 0: here, -1: there is no tracking.",
        "ID -- the number of this connection.",
        "INFO -- this connection, as in LIST.",
        "KILL <ip:port> | [ID|ADDR|LADDR|TYPE|USER|MAXAGE|SKIPME <value> ...] -- close connections.",
        "LIST [TYPE <type> | ID <id> ...] -- connections, one per line.",
        "NO-EVICT (ON|OFF), NO-TOUCH (ON|OFF) -- modes of this connection.",
        "PAUSE <milliseconds> [WRITE|ALL], UNPAUSE -- hold the commands of all clients.",
        "REPLY (ON|OFF|SKIP) -- whether this connection gets replies.",
        "SETINFO <lib-name|lib-ver> <value>, SETNAME <name> -- describe this connection.",
        "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> ...] [OPTIN] [OPTOUT] [NOLOOP] -- tell this",
        "    connection when keys change that it has read, or that have a prefix.",
        "TRACKINGINFO -- how this connection tracks.",
        "UNBLOCK <id> [TIMEOUT|ERROR] -- end the waiting of a blocked connection.",
    };
    cw_reply_lines(call, lines, ARRAY_LENGTH(lines));
}
