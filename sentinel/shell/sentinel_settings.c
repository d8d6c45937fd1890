#include "sentinel/shell/sentinel_settings.h"

#include "common/base/errors.h"

#define FIELD(member) .offset = offsetof(struct sentinel_settings, member)

static const char *const endpoint_names[] = {[SN_ENDPOINT_PROXY] = "proxy", [SN_ENDPOINT_MASTER] = "master", NULL};

static const char *const cold_start_names[] = {
    [SN_COLD_START_BY_DURABILITY] = "auto", [SN_COLD_START_BEST] = "best", [SN_COLD_START_OPERATOR] = "operator", NULL};

static const struct conf_option options[] = {
    {.name = "listen",
     .kind = CONF_ADDRESS_LIST,
     FIELD(listen),
     .minimum = 1,
     .maximum = 8,
     .required = true,
     .description = "Addresses and socket paths that sentinels, proxies and tools connect to."},
    {.name = "announce",
     .kind = CONF_ADDRESS,
     FIELD(announce),
     .description = "Where the others reach this sentinel; without it, the first of listen."},
    {.name = "state_directory",
     .kind = CONF_TEXT,
     FIELD(state_directory),
     .required = true,
     .description = "Directory of the votes; it must survive a crash of the host."},
    {.name = "secret_file",
     .kind = CONF_SECRET_FILE,
     FIELD(secret),
     .required = true,
     .description = "File (mode 0600) with the secret of the links between daemons."},
    {.name = "requirepass",
     .kind = CONF_TEXT,
     FIELD(requirepass),
     .maximum = 512,
     .description = "Password of clients that ask for an endpoint; empty: none is asked for."},
    {.name = "endpoint",
     .kind = CONF_CHOICE,
     FIELD(endpoint),
     .choices = endpoint_names,
     .initial = "proxy",
     .description = "What Sentinel-aware clients are told: the proxy's address, or the master's."},
    {.name = "proxy",
     .kind = CONF_ADDRESS,
     FIELD(proxy),
     .description = "The address that clients are told where endpoint is proxy."},
    {.name = "restart_shortcut",
     .kind = CONF_BOOLEAN,
     FIELD(restart_shortcut),
     .initial = "true",
     .description = "A master that was restarted is replaced at once; false where two hosts can hold one disk."},
    {.name = "cold_start_wait_ms",
     .kind = CONF_MILLISECONDS,
     FIELD(cold_start_wait_ms),
     .minimum = 0,
     .maximum = 86400000,
     .initial = "30000",
     .description = "How long a start of everything waits for members that have not answered."},
    {.name = "cold_start",
     .kind = CONF_CHOICE,
     FIELD(cold_start),
     .choices = cold_start_names,
     .initial = "auto",
     .description = "After that wait: \"best\" lets the best of those who answered win, \"operator\" asks; \"auto\" is "
                    "best in async, operator in the sync modes."},
    {.name = "spare_wait_ms",
     .kind = CONF_MILLISECONDS,
     FIELD(spare_wait_ms),
     .minimum = 1000,
     .maximum = 86400000,
     .initial = "10000",
     .description = "How long a replica may be missing before a spare takes its place."},
    DAEMON_OPTIONS(struct sentinel_settings, daemon),
};

static const struct conf_schema schema = {options, ARRAY_LENGTH(options)};

/* The address that others are told must lead somewhere. */
static bool is_wildcard(const struct address *address)
{
    return strcmp(address->host, "0.0.0.0") == 0 || strcmp(address->host, "::") == 0 ||
           strcmp(address->host, "[::]") == 0;
}

static const struct address *announced(const struct sentinel_settings *settings)
{
    return settings->announce.host[0] != '\0' ? &settings->announce : &settings->listen.items[0];
}

static int check(const void *context, struct buf *why)
{
    const struct sentinel_settings *settings = context;
    if (is_wildcard(announced(settings))) {
        buf_add_text(why, "announce: required where listen begins with a wildcard address");
        return ERR_INVALID;
    }
    if (settings->endpoint == SN_ENDPOINT_PROXY && settings->proxy.host[0] == '\0') {
        buf_add_text(why, "proxy: required where endpoint is \"proxy\"");
        return ERR_INVALID;
    }
    return 0;
}

const struct daemon_program sentinel_program = {
    .name = "respite-sentinel",
    .summary = "one of the three or five that agree on who is master",
    .schema = &schema,
    .daemon_offset = offsetof(struct sentinel_settings, daemon),
    .check = check,
};

void sentinel_settings_config(const struct sentinel_settings *settings, struct sn_config *ret_config)
{
    *ret_config = (struct sn_config){
        .secret = buf_slice(&settings->secret.bytes),
        .requirepass = slice_text(settings->requirepass),
        .address = *announced(settings),
        .endpoint = (enum sn_endpoint)settings->endpoint,
        .proxy = settings->proxy,
        .restart_shortcut = settings->restart_shortcut,
        .cold_start_wait_ns = settings->cold_start_wait_ms * NS_PER_MS,
        .cold_start = (enum sn_cold_start)settings->cold_start,
        .spare_wait_ns = settings->spare_wait_ms * NS_PER_MS,
    };
}
