#include "proxy/shell/proxy_settings.h"

#include "common/base/errors.h"

#include <stdio.h>

#define FIELD(member) .offset = offsetof(struct proxy_settings, member)

enum { DAY_MS = 86400000, BYTES_MAX = INT32_MAX };

static const struct conf_option options[] = {
    {.name = "listen",
     .kind = CONF_ADDRESS_LIST,
     FIELD(listen),
     .minimum = 1,
     .maximum = 8,
     .required = true,
     .description = "Addresses and socket paths that clients connect to."},
    {.name = "threads",
     .kind = CONF_INTEGER,
     FIELD(threads),
     .minimum = 1,
     .maximum = PROXY_THREADS_MAX,
     .initial = "1",
     .description = "Threads, each with its own loop and its own share of the clients."},
    {.name = "group",
     .kind = CONF_TEXT,
     FIELD(group),
     .maximum = GROUP_NAME_MAX - 1,
     .initial = "main",
     .description = "The group of workers that is served."},
    {.name = "sentinels",
     .kind = CONF_ADDRESS_LIST,
     FIELD(sentinels),
     .minimum = 1,
     .maximum = PX_SENTINELS_MAX,
     .required = true,
     .description = "Addresses of the sentinels."},
    {.name = "secret_file",
     .kind = CONF_SECRET_FILE,
     FIELD(secret),
     .required = true,
     .description = "File (mode 0600) with the secret of the links between daemons."},
    {.name = "requirepass",
     .kind = CONF_TEXT,
     FIELD(requirepass),
     .maximum = 512,
     .description = "Password of clients; empty: none is asked for."},
    {.name = "databases",
     .kind = CONF_INTEGER,
     FIELD(databases),
     .minimum = 1,
     .maximum = 1024,
     .initial = "5",
     .description = "Databases that SELECT knows; as many as the workers have."},
    {.name = "max_connections",
     .kind = CONF_INTEGER,
     FIELD(max_connections),
     .minimum = 1,
     .maximum = 200000,
     .initial = "2000",
     .description = "Client connections; the next one is told so and closed."},
    {.name = "idle_timeout_ms",
     .kind = CONF_MILLISECONDS,
     FIELD(idle_timeout_ms),
     .minimum = 0,
     .maximum = DAY_MS,
     .initial = "150000",
     .description = "Silent clients are closed after it; 0: never."},
    {.name = "authentication_timeout_ms",
     .kind = CONF_MILLISECONDS,
     FIELD(authentication_timeout_ms),
     .minimum = 100,
     .maximum = DAY_MS,
     .initial = "10000",
     .description = "Time a client has to give its password, where there is one."},
    {.name = "hold_timeout_ms",
     .kind = CONF_MILLISECONDS,
     FIELD(hold_timeout_ms),
     .minimum = 0,
     .maximum = DAY_MS,
     .initial = "15000",
     .description = "How long a command may wait for a master."},
    {.name = "hold_commands_max",
     .kind = CONF_INTEGER,
     FIELD(hold_commands_max),
     .minimum = 1,
     .maximum = 100000000,
     .initial = "100000",
     .description = "Commands that may wait for a master, per thread."},
    {.name = "hold_bytes_max",
     .kind = CONF_BYTES,
     FIELD(hold_bytes_max),
     .minimum = 1024,
     .maximum = BYTES_MAX,
     .initial = "64mb",
     .description = "Bytes of commands that may wait for a master, per thread."},
    {.name = "client_output_max",
     .kind = CONF_BYTES,
     FIELD(client_output_max),
     .minimum = 1024,
     .maximum = BYTES_MAX,
     .initial = "64mb",
     .description = "A client with more unread replies is closed."},
    {.name = "client-query-buffer-limit",
     .kind = CONF_BYTES,
     FIELD(client_query_buffer_limit),
     .minimum = 1024,
     .maximum = BYTES_MAX,
     .initial = "1gb",
     .description = "A client with a longer incomplete request is closed."},
    {.name = "links_per_pool",
     .kind = CONF_INTEGER,
     FIELD(links_per_pool),
     .minimum = 1,
     .maximum = 64,
     .initial = "1",
     .description = "Shared links to the master per thread, database and protocol version."},
    DAEMON_OPTIONS(struct proxy_settings, daemon),
};

static const struct conf_schema schema = {options, ARRAY_LENGTH(options)};

static int check(const void *context, struct buf *why)
{
    const struct proxy_settings *settings = context;
    if (settings->group[0] == '\0' || strspn(settings->group, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                              "0123456789-_.") != strlen(settings->group)) {
        buf_add_format(why, "group: expected letters, digits, '-', '_' and '.', got \"%s\"", settings->group);
        return ERR_INVALID;
    }
    return 0;
}

const struct daemon_program proxy_program = {
    .name = "respite-proxy",
    .summary = "the address that applications connect to",
    .schema = &schema,
    .daemon_offset = offsetof(struct proxy_settings, daemon),
    .check = check,
};

void proxy_settings_config(const struct proxy_settings *settings, struct px_shared *shared,
                           struct px_config *ret_config)
{
    struct px_config config;
    px_config_defaults(&config);
    snprintf(config.group, sizeof(config.group), "%s", settings->group);
    config.secret = buf_slice(&settings->secret.bytes);
    config.requirepass = slice_text(settings->requirepass);
    config.sentinel_count = (uint32_t)settings->sentinels.count;
    for (size_t i = 0; i < settings->sentinels.count; i++)
        config.sentinels[i] = settings->sentinels.items[i];
    config.databases = (uint32_t)settings->databases;
    config.max_connections = (uint32_t)settings->max_connections;
    config.idle_timeout_ns = settings->idle_timeout_ms * NS_PER_MS;
    config.hold_timeout_ns = settings->hold_timeout_ms * NS_PER_MS;
    config.hold_commands_max = (uint32_t)settings->hold_commands_max;
    config.hold_bytes_max = (size_t)settings->hold_bytes_max;
    config.client_output_max = (size_t)settings->client_output_max;
    config.client_input_max = (size_t)settings->client_query_buffer_limit;
    config.authentication_timeout_ns = settings->authentication_timeout_ms * NS_PER_MS;
    config.links_per_pool = (uint32_t)settings->links_per_pool;
    config.shared = shared;
    *ret_config = config;
}

uint64_t proxy_settings_descriptors(const struct proxy_settings *settings)
{
    uint64_t clients = 2 * (uint64_t)settings->max_connections; /* each may need a link of its own to the master */
    uint64_t pools = 2 * (uint64_t)settings->databases * (uint64_t)settings->links_per_pool;
    return clients + (uint64_t)settings->threads * (pools + settings->sentinels.count + settings->listen.count + 8);
}
