/* The commands that a session answers itself: they are about the client's connection, which ends here. Texts and forms
 * are those of redis.io/commands (group "connection"). */
#include "common/base/mem.h"
#include "common/command/command_id.h"
#include "common/resp/resp_writer.h"
#include "proxy/core/clients.h"
#include "proxy/core/pool.h"
#include "proxy/core/session.h"

#define REDIS_VERSION "7.2.4"

#define ERROR_WRONGPASS "WRONGPASS invalid username-password pair or user is disabled."

static void reply_error(struct px_session *session, const char *text)
{
    resp_write_error(px_session_reply(session), slice_text(text));
}

static void reply_ok(struct px_session *session)
{
    resp_write_ok(px_session_reply(session));
}

static void replace_text(char **text, struct slice value)
{
    mem_free(*text);
    *text = value.length > 0 ? mem_copy_text(value.data, value.length) : NULL;
}

/* No spaces, no control characters: the text stands in the lines of CLIENT LIST. */
static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] < '!' || text.data[i] > '~')
            return false;
    return true;
}

/* ---- AUTH, HELLO, SELECT ---- */

static void take_user(struct px_session *session, struct slice name)
{
    px_user_give(session->user);
    session->user = name.data != NULL ? px_user_take(session->proxy, name) : NULL;
    session->shared = NULL;
    if (session->state == PX_SESSION_AUTHENTICATE)
        px_session_change(session, PX_SESSION_SHARED);
}

/* The host of "host:port". */
static struct address source_of(const struct px_session *session)
{
    struct address address = {.port = 0};
    const char *colon = strrchr(session->peer, ':');
    size_t length = colon != NULL ? (size_t)(colon - session->peer) : strlen(session->peer);
    memcpy(address.host, session->peer, length < sizeof(address.host) ? length : sizeof(address.host) - 1);
    return address;
}

static void note_failure(struct px_session *session)
{
    struct address source = source_of(session);
    throttle_failed(&session->proxy->throttle, &source, session->proxy->now_ns);
}

/* The default user's password may be the proxy's business; who else there is, the master knows. */
static bool is_judged_here(const struct px_session *session, struct slice user)
{
    return session->proxy->config.requirepass.length > 0 && slice_equal(user, SLICE_LITERAL("default"));
}

/* Has the master asked; the answer ends the login. Who says a password alone says it as AUTH had it of old. */
static void ask_master(struct px_session *session, struct px_login login, struct slice user, struct slice password)
{
    struct buf bytes = {0};
    resp_write_array(&bytes, login.is_old_form ? 3 : 4);
    resp_write_bulk_text(&bytes, "RESPITE");
    resp_write_bulk_text(&bytes, "LOGIN");
    if (!login.is_old_form)
        resp_write_bulk(&bytes, user);
    resp_write_bulk(&bytes, password);
    session->login = mem_alloc(sizeof(*session->login));
    *session->login = login;
    session->login->user = mem_copy_text(user.data, user.length);
    if (!px_session_ask(session, PX_SLOT_LOGIN, buf_slice(&bytes)))
        px_session_forget_login(session);
    buf_free(&bytes);
}

/* True: the session is the default user's now. False: the error was replied, or the master is being asked. */
static bool authenticate(struct px_session *session, struct px_login login, struct slice user, struct slice password)
{
    struct address source = source_of(session);
    if (session->private_link != NULL) {
        reply_error(session, "ERR the user cannot be changed while keys are watched or channels subscribed");
    } else if (throttle_refuses(&session->proxy->throttle, &source, session->proxy->now_ns)) {
        reply_error(session, THROTTLE_WORDS);
    } else if (!is_judged_here(session, user)) {
        ask_master(session, login, user, password);
        return false;
    } else if (slice_equal_secret(password, session->proxy->config.requirepass)) {
        take_user(session, slice_of(NULL, 0));
        return true;
    } else {
        note_failure(session);
        reply_error(session, ERROR_WRONGPASS);
    }
    mem_free(login.name);
    return false;
}

static void take_auth(struct px_session *session, const struct px_request *request)
{
    if (request->argc > 3) {
        reply_error(session, "ERR syntax error");
        return;
    }
    struct slice user = request->argc == 3 ? request->argv[1] : SLICE_LITERAL("default");
    if (authenticate(session, (struct px_login){.is_old_form = request->argc == 2}, user,
                     request->argv[request->argc - 1]))
        reply_ok(session);
}

static void reply_hello(struct px_session *session)
{
    struct buf *out = px_session_reply(session);
    int protocol = session->protocol;
    resp_write_map(out, protocol, 7);
    resp_write_bulk_text(out, "server");
    resp_write_bulk_text(out, "redis");
    resp_write_bulk_text(out, "version");
    resp_write_bulk_text(out, REDIS_VERSION);
    resp_write_bulk_text(out, "proto");
    resp_write_integer(out, protocol);
    resp_write_bulk_text(out, "id");
    resp_write_integer(out, (int64_t)session->client_id);
    resp_write_bulk_text(out, "mode");
    resp_write_bulk_text(out, "standalone");
    resp_write_bulk_text(out, "role");
    resp_write_bulk_text(out, "master");
    resp_write_bulk_text(out, "modules");
    resp_write_array(out, 0);
}

struct hello {
    int64_t protocol;
    bool has_auth;
    struct slice user, password;
    bool has_name;
    struct slice name;
};

/* False: the error has been replied. */
static bool parse_hello(struct px_session *session, const struct px_request *request, struct hello *hello)
{
    const struct slice *argv = request->argv;
    *hello = (struct hello){.protocol = session->protocol};
    if (request->argc > 1 && number_parse_i64(argv[1], &hello->protocol) < 0) {
        reply_error(session, "ERR Protocol version is not an integer or out of range");
        return false;
    }
    if (hello->protocol < 2 || hello->protocol > 3) {
        reply_error(session, "NOPROTO unsupported protocol version");
        return false;
    }
    for (size_t i = 2; i < request->argc; i++) {
        size_t more = request->argc - i - 1;
        if (slice_equal_nocase(argv[i], "auth") && more >= 2) {
            hello->has_auth = true;
            hello->user = argv[++i];
            hello->password = argv[++i];
        } else if (slice_equal_nocase(argv[i], "setname") && more >= 1) {
            hello->has_name = true;
            hello->name = argv[++i];
        } else {
            resp_write_error_format(px_session_reply(session), "ERR Syntax error in HELLO option '%.*s'",
                                    (int)(argv[i].length > 128 ? 128 : argv[i].length), argv[i].data);
            return false;
        }
    }
    return true;
}

/* What HELLO changes, when it may. `name` may be NULL. */
static void finish_hello(struct px_session *session, uint8_t protocol, const char *name)
{
    if (name != NULL)
        replace_text(&session->name, slice_text(name));
    session->protocol = protocol;
    session->shared = NULL;
    reply_hello(session);
}

void px_session_logged_in(struct px_session *session, struct slice frame)
{
    struct px_login *login = session->login;
    if (frame.length > 0 && frame.data[0] == '+') {
        take_user(session, slice_text(login->user));
        if (login->is_hello)
            finish_hello(session, login->protocol, login->name);
        else
            reply_ok(session);
    } else {
        if (frame.length > 10 && memcmp(frame.data, "-WRONGPASS", 10) == 0)
            note_failure(session);
        buf_add_slice(px_session_reply(session), frame);
    }
    px_session_forget_login(session);
}

static void take_hello(struct px_session *session, const struct px_request *request)
{
    struct hello hello;
    if (!parse_hello(session, request, &hello))
        return;
    if (hello.has_name && !is_plain(hello.name)) {
        reply_error(session, "ERR Client names cannot contain spaces, newlines or special characters.");
        return;
    }
    if (session->private_link != NULL && hello.protocol != session->protocol) {
        reply_error(session, "ERR the protocol cannot be changed while keys are watched or channels subscribed");
        return;
    }
    char *name = hello.has_name ? mem_copy_text(hello.name.data, hello.name.length) : NULL;
    struct px_login login = {.is_hello = true, .protocol = (uint8_t)hello.protocol, .name = name};
    if (hello.has_auth && !authenticate(session, login, hello.user, hello.password))
        return; /* the name went with the login */
    if (session->state == PX_SESSION_AUTHENTICATE)
        reply_error(session, "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
                             "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
                             "RESP protocol version at the same time");
    else
        finish_hello(session, (uint8_t)hello.protocol, name);
    mem_free(name);
}

static void take_select(struct px_session *session, const struct px_request *request)
{
    int64_t database = 0;
    if (number_parse_i64(request->argv[1], &database) < 0) {
        reply_error(session, "ERR value is not an integer or out of range");
    } else if (database < INT32_MIN || database > INT32_MAX) {
        reply_error(session, "ERR value is out of range, value must between -2147483648 and 2147483647");
    } else if (database < 0 || database >= (int64_t)session->proxy->config.databases) {
        reply_error(session, "ERR DB index is out of range");
    } else {
        session->database = (uint32_t)database;
        session->shared = NULL;
        reply_ok(session);
    }
}

/* ---- CLIENT ---- */

static void client_id(struct px_session *session, const struct px_request *request)
{
    (void)request;
    resp_write_integer(px_session_reply(session), (int64_t)session->client_id);
}

static void client_getname(struct px_session *session, const struct px_request *request)
{
    (void)request;
    if (session->name == NULL)
        resp_write_null(px_session_reply(session), session->protocol);
    else
        resp_write_bulk_text(px_session_reply(session), session->name);
}

static void client_setname(struct px_session *session, const struct px_request *request)
{
    if (!is_plain(request->argv[2])) {
        reply_error(session, "ERR Client names cannot contain spaces, newlines or special characters.");
        return;
    }
    replace_text(&session->name, request->argv[2]);
    reply_ok(session);
}

static void client_setinfo(struct px_session *session, const struct px_request *request)
{
    bool is_name = slice_equal_nocase(request->argv[2], "lib-name");
    if (!is_name && !slice_equal_nocase(request->argv[2], "lib-ver")) {
        resp_write_error_format(px_session_reply(session), "ERR Unrecognized option '%.*s'",
                                (int)(request->argv[2].length > 128 ? 128 : request->argv[2].length),
                                request->argv[2].data);
    } else if (!is_plain(request->argv[3])) {
        resp_write_error_format(px_session_reply(session),
                                "ERR %s cannot contain spaces, newlines or special characters.",
                                is_name ? "lib-name" : "lib-ver");
    } else {
        replace_text(is_name ? &session->library_name : &session->library_version, request->argv[3]);
        reply_ok(session);
    }
}

/* The worker knows whether it has been served meanwhile, and answers. */
static void unblock_at_worker(struct px_session *session, const struct px_request *request,
                              const struct px_finding *finding)
{
    struct buf bytes = {0};
    resp_write_array(&bytes, request->argc);
    for (size_t i = 0; i < request->argc; i++) {
        if (i == 2)
            resp_write_bulk_u64(&bytes, finding->worker_id);
        else
            resp_write_bulk(&bytes, request->argv[i]);
    }
    struct px_slot slot = {.kind = PX_SLOT_UNBLOCK, .database = (uint32_t)finding->epoch};
    px_session_ask_slot(session, slot, buf_slice(&bytes));
    buf_free(&bytes);
}

static void client_info(struct px_session *session, const struct px_request *request)
{
    (void)request;
    struct buf text = {0};
    px_clients_describe(session, &text);
    resp_write_verbatim(px_session_reply(session), session->protocol, "txt", buf_slice(&text));
    buf_free(&text);
}

/* What has been found is the answer. */
static void answer_finding(struct px_session *session, const struct px_request *request,
                           const struct px_finding *finding)
{
    struct buf *out = px_session_reply(session);
    bool is_old_form = request->argc == 3; /* of KILL */
    if (slice_equal_nocase(request->argv[1], "list")) {
        resp_write_verbatim(out, session->protocol, "txt", buf_slice(&finding->lines));
    } else if (slice_equal_nocase(request->argv[1], "unblock")) {
        if (finding->worker_id != 0)
            unblock_at_worker(session, request, finding);
        else
            resp_write_integer(out, (int64_t)finding->count);
    } else if (!is_old_form) {
        resp_write_integer(out, (int64_t)finding->count);
    } else if (finding->count > 0) {
        resp_write_ok(out);
    } else {
        resp_write_error(out, SLICE_LITERAL("ERR No such client"));
    }
    if (finding->is_self)
        px_session_drain(session);
}

/* LIST, KILL, UNBLOCK. */
static void client_others(struct px_session *session, const struct px_request *request)
{
    if (!px_clients_judge(request->argv, request->argc, px_session_reply(session)))
        return;
    struct px_finding finding = {0};
    px_clients_look(session->proxy, request->argv, request->argc, session->client_id, &finding);
    if (session->proxy->config.shared->thread_count > 1) {
        px_inquiry_begin(session, request, &finding);
        return;
    }
    answer_finding(session, request, &finding);
    buf_free(&finding.lines);
}

void px_session_found(struct px_session *session, const struct px_request *request, const struct px_finding *finding)
{
    if (finding != NULL)
        answer_finding(session, request, finding);
    else
        reply_error(session, "ERR a thread of the proxy does not answer");
    px_session_resume(session);
}

/* The master holds back everybody's commands, also those of other proxies. */
static void client_pause(struct px_session *session, const struct px_request *request)
{
    px_session_ask(session, PX_SLOT_READ, request->bytes);
}

/* On a link of its own: on another, commands may wait that are held back. */
static void client_unpause(struct px_session *session, const struct px_request *request)
{
    px_session_pin(session);
    px_session_ask(session, PX_SLOT_READ, request->bytes);
}

static void client_reply(struct px_session *session, const struct px_request *request)
{
    if (slice_equal_nocase(request->argv[2], "on")) {
        session->reply_off = session->skip_next = session->silent = false;
        reply_ok(session);
    } else if (slice_equal_nocase(request->argv[2], "off")) {
        session->reply_off = true;
    } else if (slice_equal_nocase(request->argv[2], "skip")) {
        session->skip_next = !session->reply_off;
        session->silent = false; /* what is skipped is the next command's reply; this one has none */
    } else {
        reply_error(session, "ERR syntax error");
    }
}

static void client_switch(struct px_session *session, const struct px_request *request)
{
    if (slice_equal_nocase(request->argv[2], "on") || slice_equal_nocase(request->argv[2], "off"))
        reply_ok(session);
    else
        reply_error(session, "ERR syntax error");
}

/* Of a session that does not track: the worker answers the others. */
static void client_tracking(struct px_session *session, const struct px_request *request)
{
    (void)request;
    reply_ok(session);
}

static void client_caching(struct px_session *session, const struct px_request *request)
{
    (void)request;
    reply_error(session, "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or "
                         "OPTOUT mode enabled");
}

static void client_trackinginfo(struct px_session *session, const struct px_request *request)
{
    (void)request;
    struct buf *out = px_session_reply(session);
    resp_write_map(out, session->protocol, 3);
    resp_write_bulk_text(out, "flags");
    resp_write_set(out, session->protocol, 1);
    resp_write_bulk_text(out, "off");
    resp_write_bulk_text(out, "redirect");
    resp_write_integer(out, -1);
    resp_write_bulk_text(out, "prefixes");
    resp_write_array(out, 0);
}

static void client_getredir(struct px_session *session, const struct px_request *request)
{
    (void)request;
    resp_write_integer(px_session_reply(session), -1);
}

static void client_help(struct px_session *session, const struct px_request *request);

static const struct client_command {
    const char *name;
    size_t argc_min;
    size_t argc_max;
    void (*take)(struct px_session *session, const struct px_request *request);
    const char *usage;
} client_commands[] = {
    {"id", 2, 2, client_id, "ID"},
    {"getname", 2, 2, client_getname, "GETNAME"},
    {"setname", 3, 3, client_setname, "SETNAME <name>"},
    {"setinfo", 4, 4, client_setinfo, "SETINFO <LIB-NAME|LIB-VER> <value>"},
    {"info", 2, 2, client_info, "INFO"},
    {"list", 2, SIZE_MAX, client_others, "LIST [TYPE <type> | ID <id> ...]"},
    {"reply", 3, 3, client_reply, "REPLY (ON|OFF|SKIP)"},
    {"kill", 3, SIZE_MAX, client_others,
     "KILL <ip:port> | [ID <id>] [TYPE <type>] [ADDR <ip:port>] [USER <user>] [MAXAGE <seconds>] [SKIPME (YES|NO)]"},
    {"unblock", 3, 4, client_others, "UNBLOCK <id> [TIMEOUT|ERROR]"},
    {"pause", 3, SIZE_MAX, client_pause, "PAUSE <milliseconds> [WRITE|ALL]"},
    {"unpause", 2, 2, client_unpause, "UNPAUSE"},
    {"no-evict", 3, 3, client_switch, "NO-EVICT (ON|OFF)"},
    {"no-touch", 3, 3, client_switch, "NO-TOUCH (ON|OFF)"},
    {"tracking", 3, SIZE_MAX, client_tracking,
     "TRACKING (ON|OFF) [BCAST] [PREFIX <prefix> ...] [OPTIN] [OPTOUT] [NOLOOP]"},
    {"caching", 3, 3, client_caching, "CACHING (YES|NO)"},
    {"trackinginfo", 2, 2, client_trackinginfo, "TRACKINGINFO"},
    {"getredir", 2, 2, client_getredir, "GETREDIR"},
    {"help", 2, 2, client_help, "HELP"},
};

static void client_help(struct px_session *session, const struct px_request *request)
{
    (void)request;
    struct buf *out = px_session_reply(session);
    resp_write_array(out, ARRAY_LENGTH(client_commands) + 1);
    resp_write_simple(out, SLICE_LITERAL("CLIENT <subcommand> [<arg> ...], answered by the proxy:"));
    for (size_t i = 0; i < ARRAY_LENGTH(client_commands); i++)
        resp_write_simple(out, slice_text(client_commands[i].usage));
}

static void take_client(struct px_session *session, const struct px_request *request)
{
    struct slice name = request->argv[1];
    for (size_t i = 0; i < ARRAY_LENGTH(client_commands); i++) {
        const struct client_command *command = &client_commands[i];
        if (!slice_equal_nocase(name, command->name))
            continue;
        if (request->argc >= command->argc_min && request->argc <= command->argc_max) {
            command->take(session, request);
            return;
        }
        resp_write_error_format(px_session_reply(session), "ERR wrong number of arguments for 'client|%s' command",
                                command->name);
        return;
    }
    resp_write_error_format(px_session_reply(session), "ERR unknown subcommand '%.*s'. Try CLIENT HELP.",
                            (int)(name.length > 128 ? 128 : name.length), name.data);
}

/* ---- QUIT, RESET, RESPITE ---- */

static void take_quit(struct px_session *session)
{
    reply_ok(session);
    px_session_drain(session);
}

static void take_reset(struct px_session *session)
{
    px_session_forget_state(session);
    resp_write_simple(px_session_reply(session), SLICE_LITERAL("RESET"));
}

static void respite_proxy(struct px_session *session)
{
    const struct px_proxy *proxy = session->proxy;
    struct buf text = {0};
    char node[IDENTITY_TEXT_LENGTH + 1];
    identity_format(&proxy->topology.master.node, node);
    buf_add_format(&text, "group:%s\r\nversion:%llu\r\nepoch:%llu\r\n", proxy->config.group,
                   (unsigned long long)proxy->topology.version, (unsigned long long)proxy->topology.epoch);
    if (proxy->has_master)
        buf_add_format(&text, "master:%s\r\nmaster_address:%s:%u\r\n", node, proxy->master_address.host,
                       (unsigned)proxy->master_address.port);
    else
        buf_add_text(&text, "master:\r\nmaster_address:\r\n");
    buf_add_format(&text,
                   "connections:%u\r\nheld_commands:%llu\r\nheld_bytes:%llu\r\nuncertain:%llu\r\nrepeated:%llu\r\n"
                   "hold_limit:%llu\r\naccepted:%llu\r\nrefused:%llu\r\nidle_closed:%llu\r\n",
                   (unsigned)proxy->config.shared->client_connections, (unsigned long long)proxy->held_commands,
                   (unsigned long long)proxy->held_bytes, (unsigned long long)proxy->statistics.uncertain,
                   (unsigned long long)proxy->statistics.repeated, (unsigned long long)proxy->statistics.hold_limit,
                   (unsigned long long)proxy->statistics.accepted, (unsigned long long)proxy->statistics.refused,
                   (unsigned long long)proxy->statistics.idle_closed);
    resp_write_verbatim(px_session_reply(session), session->protocol, "txt", buf_slice(&text));
    buf_free(&text);
}

static void respite_topology(struct px_session *session)
{
    const struct topology *topology = &session->proxy->topology;
    if (topology->version == 0) {
        resp_write_null(px_session_reply(session), session->protocol);
        return;
    }
    struct buf text = {0};
    topology_encode(topology, &text);
    resp_write_bulk(px_session_reply(session), buf_slice(&text));
    buf_free(&text);
}

static void take_respite(struct px_session *session, const struct px_request *request)
{
    bool alone = request->argc == 2;
    if (alone && slice_equal_nocase(request->argv[1], "proxy"))
        respite_proxy(session);
    else if (alone && slice_equal_nocase(request->argv[1], "topology"))
        respite_topology(session);
    else
        reply_error(session, "ERR unknown subcommand of RESPITE");
}

void px_session_own_command(struct px_session *session, const struct px_request *request)
{
    CHECK(session->outstanding == 0);
    switch (request->row->id) {
    case COMMAND_ID_SELECT: take_select(session, request); break;
    case COMMAND_ID_CLIENT: take_client(session, request); break;
    case COMMAND_ID_HELLO: take_hello(session, request); break;
    case COMMAND_ID_AUTH: take_auth(session, request); break;
    case COMMAND_ID_QUIT: take_quit(session); break;
    case COMMAND_ID_RESET: take_reset(session); break;
    default: take_respite(session, request); break;
    }
}
