#include "sentinel/core/api.h"

#include "common/base/mem.h"
#include "common/resp/resp_writer.h"
#include "sentinel/core/core.h"

struct sn_client *sn_client_new(const struct address *address)
{
    struct sn_client *client = mem_zero(sizeof(*client));
    client->address = *address;
    client->protocol = 2;
    return client;
}

void sn_client_free(struct sn_client *client)
{
    mem_free(client);
}

bool sn_client_waits(const struct sn_client *client)
{
    return client && client->is_waiting;
}

void sn_client_wait(struct sn_link *link)
{
    link->client->is_waiting = true;
}

void sn_client_resume(struct sn_sentinel *sentinel, struct sn_link *link)
{
    link->client->is_waiting = false;
    sn_link_parse(sentinel, link);
}

bool sn_client_is_known(const struct sn_sentinel *sentinel, const struct sn_client *client)
{
    return sentinel->config.requirepass.length == 0 || client->is_authenticated || client->is_control;
}

void sn_api_wrong_arity(struct buf *out, const char *name)
{
    resp_write_error_format(out, "ERR wrong number of arguments for '%s' command", name);
}

void sn_api_unknown_subcommand(struct buf *out, const char *container, struct slice name)
{
    int length = name.length < 128 ? (int)name.length : 128;
    resp_write_error_format(out, "ERR unknown subcommand '%.*s'. Try %s HELP.", length, name.data, container);
}

static void unknown_command(struct buf *out, const struct slice *argv, size_t argc)
{
    struct buf text = {0};
    int length = argv[0].length < 128 ? (int)argv[0].length : 128;
    buf_add_format(&text, "ERR unknown command '%.*s', with args beginning with: ", length, argv[0].data);
    size_t begin = buf_length(&text);
    for (size_t i = 1; i < argc && buf_length(&text) - begin < 128; i++) {
        size_t room = 128 - (buf_length(&text) - begin);
        buf_add_format(&text, "'%.*s' ", (int)(argv[i].length < room ? argv[i].length : room), argv[i].data);
    }
    resp_write_error(out, buf_slice(&text));
    buf_free(&text);
}

bool sn_api_endpoint(const struct sn_sentinel *sentinel, const struct sn_group *group, struct address *ret_address)
{
    if (group->learned.epoch == 0)
        return false;
    if (sentinel->config.endpoint == SN_ENDPOINT_PROXY) {
        *ret_address = sentinel->config.proxy;
        return true;
    }
    const struct member *master = topology_member(&group->learned, &group->learned.master.node);
    if (!master)
        return false;
    *ret_address = master->data;
    return true;
}

/* Connection commands. */

static void ping(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    struct buf *out = sn_link_output(sentinel, link);
    if (argc > 2) {
        sn_api_wrong_arity(out, "ping");
    } else if (link->client->channel_count > 0 && link->client->protocol == 2) {
        resp_write_array(out, 2);
        resp_write_bulk_text(out, "pong");
        resp_write_bulk(out, argc == 2 ? argv[1] : SLICE_LITERAL(""));
    } else if (argc == 2) {
        resp_write_bulk(out, argv[1]);
    } else {
        resp_write_simple(out, SLICE_LITERAL("PONG"));
    }
}

/* Only the user "default" exists. */
static bool check_password(const struct sn_sentinel *sentinel, struct slice user, struct slice password)
{
    struct slice wanted = sentinel->config.requirepass;
    bool is_default = slice_equal(user, SLICE_LITERAL("default"));
    return is_default && (wanted.length == 0 || slice_equal_secret(password, wanted));
}

static const char wrong_password[] = "WRONGPASS invalid username-password pair or user is disabled.";

static void auth(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    struct buf *out = sn_link_output(sentinel, link);
    if (argc != 2 && argc != 3) {
        if (argc > 3)
            resp_write_error(out, SLICE_LITERAL("ERR syntax error"));
        else
            sn_api_wrong_arity(out, "auth");
    } else if (argc == 2 && sentinel->config.requirepass.length == 0) {
        resp_write_error(out, SLICE_LITERAL("ERR AUTH <password> called without any password configured for the "
                                            "default user. Are you sure your configuration is correct?"));
    } else if (!check_password(sentinel, argc == 3 ? argv[1] : SLICE_LITERAL("default"), argv[argc - 1])) {
        resp_write_error(out, slice_text(wrong_password));
    } else {
        link->client->is_authenticated = true;
        resp_write_ok(out);
    }
}

static bool set_name(struct sn_client *client, struct slice name)
{
    if (name.length >= SN_CLIENT_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        if (name.data[i] < '!' || name.data[i] > '~')
            return false;
    }
    memset(client->name, 0, sizeof(client->name));
    if (name.length > 0)
        memcpy(client->name, name.data, name.length);
    return true;
}

static const char bad_name[] = "ERR Client names cannot contain spaces, newlines or special characters.";

static void write_hello(struct sn_link *link, struct buf *out)
{
    int protocol = link->client->protocol;
    resp_write_map(out, protocol, 6);
    resp_write_bulk_text(out, "server");
    resp_write_bulk_text(out, "redis");
    resp_write_bulk_text(out, "version");
    resp_write_bulk_text(out, "7.2.4");
    resp_write_bulk_text(out, "proto");
    resp_write_integer(out, protocol);
    resp_write_bulk_text(out, "id");
    resp_write_integer(out, (int64_t)link->serial);
    resp_write_bulk_text(out, "mode");
    resp_write_bulk_text(out, "sentinel");
    resp_write_bulk_text(out, "modules");
    resp_write_array(out, 0);
}

static void hello(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    struct buf *out = sn_link_output(sentinel, link);
    struct sn_client *client = link->client;
    int protocol = client->protocol;
    size_t next = 1;
    if (argc > 1) {
        if (!slice_equal(argv[1], SLICE_LITERAL("2")) && !slice_equal(argv[1], SLICE_LITERAL("3"))) {
            resp_write_error(out, SLICE_LITERAL("NOPROTO unsupported protocol version"));
            return;
        }
        protocol = argv[1].data[0] - '0';
        next = 2;
    }
    bool is_authenticated = client->is_authenticated;
    struct slice name = {0};
    while (next < argc) {
        if (slice_equal_nocase(argv[next], "AUTH") && argc - next >= 3) {
            if (!check_password(sentinel, argv[next + 1], argv[next + 2])) {
                resp_write_error(out, slice_text(wrong_password));
                return;
            }
            is_authenticated = true;
            next += 3;
        } else if (slice_equal_nocase(argv[next], "SETNAME") && argc - next >= 2) {
            name = argv[next + 1];
            next += 2;
        } else {
            int length = argv[next].length < 128 ? (int)argv[next].length : 128;
            resp_write_error_format(out, "ERR Syntax error in HELLO option '%.*s'", length, argv[next].data);
            return;
        }
    }
    client->is_authenticated = is_authenticated;
    if (!sn_client_is_known(sentinel, client)) {
        resp_write_error(out, SLICE_LITERAL("NOAUTH HELLO must be called with the client already authenticated, "
                                            "otherwise the HELLO <proto> AUTH <user> <pass> option can be used to "
                                            "authenticate the client and select the RESP protocol version at the same "
                                            "time"));
        return;
    }
    if (name.data && !set_name(client, name)) {
        resp_write_error(out, slice_text(bad_name));
        return;
    }
    client->protocol = protocol;
    write_hello(link, out);
}

static void client_command(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    struct buf *out = sn_link_output(sentinel, link);
    if (argc < 2) {
        sn_api_wrong_arity(out, "client");
    } else if (slice_equal_nocase(argv[1], "ID") && argc == 2) {
        resp_write_integer(out, (int64_t)link->serial);
    } else if (slice_equal_nocase(argv[1], "GETNAME") && argc == 2) {
        if (link->client->name[0])
            resp_write_bulk_text(out, link->client->name);
        else
            resp_write_null(out, link->client->protocol);
    } else if (slice_equal_nocase(argv[1], "SETNAME") && argc == 3) {
        if (set_name(link->client, argv[2]))
            resp_write_ok(out);
        else
            resp_write_error(out, slice_text(bad_name));
    } else if (slice_equal_nocase(argv[1], "SETINFO") && argc == 4) {
        if (slice_equal_nocase(argv[2], "lib-name") || slice_equal_nocase(argv[2], "lib-ver"))
            resp_write_ok(out);
        else
            resp_write_error_format(out, "ERR Unrecognized option '%.*s'",
                                    argv[2].length < 128 ? (int)argv[2].length : 128, argv[2].data);
    } else {
        sn_api_unknown_subcommand(out, "CLIENT", argv[1]);
    }
}

static void command(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    struct buf *out = sn_link_output(sentinel, link);
    if (argc >= 2 && slice_equal_nocase(argv[1], "COUNT"))
        resp_write_integer(out, 0);
    else if (argc >= 2 && slice_equal_nocase(argv[1], "DOCS"))
        resp_write_map(out, link->client->protocol, 0);
    else
        resp_write_array(out, 0); /* an interactive client asks for it, and needs none of it */
}

static void quit(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    resp_write_ok(sn_link_output(sentinel, link));
    sn_link_drain(sentinel, link);
}

static void role(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    struct buf *out = sn_link_output(sentinel, link);
    (void)argv;
    if (argc != 1) {
        sn_api_wrong_arity(out, "role");
        return;
    }
    uint32_t known = 0;
    for (uint32_t i = 0; i < sentinel->group_count; i++)
        known += sentinel->groups[i]->learned.version > 0;
    resp_write_array(out, 2);
    resp_write_bulk_text(out, "sentinel");
    resp_write_array(out, known);
    for (uint32_t i = 0; i < sentinel->group_count; i++) {
        if (sentinel->groups[i]->learned.version > 0)
            resp_write_bulk_text(out, sentinel->groups[i]->name);
    }
}

/* INFO. */

static void info_group(const struct sn_sentinel *sentinel, const struct sn_group *group, uint32_t index,
                       struct buf *text)
{
    struct address address = {0};
    const char *status = "ok";
    sn_api_endpoint(sentinel, group, &address);
    if (sn_failover_is_agreed(sentinel, group))
        status = "odown";
    else if (sn_group_sees_dead(sentinel, group))
        status = "sdown";
    buf_add_format(text, "master%u:name=%s,status=%s,address=%s:%u,slaves=%u,sentinels=%u\r\n", index, group->name,
                   status, address.host, address.port, group->learned.member_count - (group->learned.epoch > 0 ? 1 : 0),
                   group->learned.sentinels.count);
}

static void info_sentinel(const struct sn_sentinel *sentinel, struct buf *text)
{
    uint32_t known = 0;
    for (uint32_t i = 0; i < sentinel->group_count; i++)
        known += sentinel->groups[i]->learned.version > 0;
    buf_add_format(text,
                   "# Sentinel\r\nsentinel_masters:%u\r\nsentinel_tilt:0\r\nsentinel_tilt_since_seconds:-1\r\n"
                   "sentinel_running_scripts:0\r\nsentinel_scripts_queue_length:0\r\n"
                   "sentinel_simulate_failure_flags:0\r\n",
                   known);
    for (uint32_t i = 0, index = 0; i < sentinel->group_count; i++) {
        if (sentinel->groups[i]->learned.version > 0)
            info_group(sentinel, sentinel->groups[i], index++, text);
    }
}

/* What the reference has no line for. */
static void info_respite(const struct sn_sentinel *sentinel, struct buf *text)
{
    buf_add_text(text, "\r\n# Respite\r\nrespite_refused:");
    refusals_format(&sentinel->refusals, text);
    buf_add_text(text, "\r\n");
    for (uint32_t i = 0, index = 0; i < sentinel->group_count; i++) {
        const struct sn_group *group = sentinel->groups[i];
        if (group->learned.version == 0)
            continue;
        buf_add_format(text,
                       "respite_group%u:name=%s,version=%llu,epoch=%llu,failovers=%llu,lost_estimated_bytes=%llu,"
                       "lost_known_bytes=%llu\r\n",
                       index++, group->name, (unsigned long long)group->learned.version,
                       (unsigned long long)group->learned.epoch, (unsigned long long)group->losses.failovers,
                       (unsigned long long)group->losses.estimated_bytes,
                       (unsigned long long)group->losses.known_bytes);
    }
}

static bool wants_section(const struct slice *argv, size_t argc, const char *section)
{
    for (size_t i = 1; i < argc; i++) {
        if (slice_equal_nocase(argv[i], section) || slice_equal_nocase(argv[i], "all") ||
            slice_equal_nocase(argv[i], "default") || slice_equal_nocase(argv[i], "everything"))
            return true;
    }
    return argc == 1;
}

static void info(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    char id[IDENTITY_TEXT_LENGTH + 1];
    struct buf text = {0};
    identity_format(&sentinel->id, id);
    if (wants_section(argv, argc, "server"))
        buf_add_format(&text,
                       "# Server\r\nredis_version:7.2.4\r\nrespite_version:%s\r\nredis_mode:sentinel\r\nrun_id:%s\r\n"
                       "respite_run:%llu\r\ntcp_port:%u\r\n\r\n",
                       PACKAGE_VERSION, id, (unsigned long long)sentinel->run, sentinel->config.address.port);
    if (wants_section(argv, argc, "clients"))
        buf_add_format(&text, "# Clients\r\nconnected_clients:%u\r\nmaxclients:%d\r\n\r\n", sentinel->links.clients,
                       SN_LINKS_MAX);
    if (wants_section(argv, argc, "sentinel"))
        info_sentinel(sentinel, &text);
    if (wants_section(argv, argc, "respite"))
        info_respite(sentinel, &text);
    resp_write_verbatim(sn_link_output(sentinel, link), link->client->protocol, "txt", buf_slice(&text));
    buf_free(&text);
}

/* Dispatch. */

static const struct {
    const char *name;
    void (*run)(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc);
    bool before_auth;
    bool while_subscribed; /* in RESP2 */
} commands[] = {
    {"ping", ping, false, true},
    {"sentinel", sn_api_sentinel, false, false},
    {"respite", sn_api_respite, true, true},
    {"info", info, false, false},
    {"role", role, false, false},
    {"hello", hello, true, false},
    {"auth", auth, true, false},
    {"client", client_command, false, false},
    {"command", command, false, false},
    {"subscribe", sn_api_subscribe, false, true},
    {"psubscribe", sn_api_subscribe, false, true},
    {"unsubscribe", sn_api_unsubscribe, false, true},
    {"punsubscribe", sn_api_unsubscribe, false, true},
    {"quit", quit, true, true},
};

void sn_api_request(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    const struct sn_client *client = link->client;
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        if (!slice_equal_nocase(argv[0], commands[i].name))
            continue;
        if (!commands[i].before_auth && !sn_client_is_known(sentinel, client))
            resp_write_error(sn_link_output(sentinel, link), SLICE_LITERAL("NOAUTH Authentication required."));
        else if (!commands[i].while_subscribed && client->channel_count > 0 && client->protocol == 2)
            resp_write_error_format(sn_link_output(sentinel, link),
                                    "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                                    "RESET are allowed in this context",
                                    commands[i].name);
        else
            commands[i].run(sentinel, link, argv, argc);
        return;
    }
    if (sn_client_is_known(sentinel, client))
        unknown_command(sn_link_output(sentinel, link), argv, argc);
    else
        resp_write_error(sn_link_output(sentinel, link), SLICE_LITERAL("NOAUTH Authentication required."));
}
