#include "cacheworker/shell/worker_settings.h"

#include "cacheworker/acl/users.h"
#include "cacheworker/aof/manifest.h"
#include "cacheworker/shell/check_files.h"
#include "cacheworker/shell/redis_conf_file.h"
#include "common/base/errors.h"
#include "common/shell/net_address.h"

#include <stdio.h>

#define FIELD(member) .offset = offsetof(struct worker_settings, member)

static const char *const sync_missing_names[] = {
    [WORKER_SYNC_DEGRADE] = "degrade", [WORKER_SYNC_BLOCK] = "block", NULL};

enum { PUBSUB_ALL, PUBSUB_NONE };
static const char *const pubsub_default_names[] = {[PUBSUB_ALL] = "allchannels", [PUBSUB_NONE] = "resetchannels", NULL};

static const struct conf_option options[] = {
    {.name = "standalone",
     .kind = CONF_BOOLEAN,
     FIELD(standalone),
     .initial = "false",
     .description = "A plain server: no sentinels, no lease, serves at once."},
    {.name = "bind",
     .kind = CONF_TEXT,
     FIELD(bind),
     .maximum = ADDRESS_HOST_MAX - 1,
     .initial = "127.0.0.1",
     .description = "Numeric address that clients, proxies and replicas connect to."},
    {.name = "port",
     .kind = CONF_INTEGER,
     FIELD(port),
     .minimum = 1,
     .maximum = 65535,
     .initial = "6379",
     .description = "Port of it."},
    {.name = "unixsocket",
     .kind = CONF_TEXT,
     FIELD(unixsocket),
     .maximum = ADDRESS_HOST_MAX - 1,
     .description = "Path of a socket for clients on this host; empty: none."},
    {.name = "control_listen",
     .kind = CONF_ADDRESS,
     FIELD(control_listen),
     .description = "Address that sentinels connect to; required unless standalone."},
    {.name = "announce",
     .kind = CONF_ADDRESS,
     FIELD(announce),
     .description = "Where others reach bind and port, if not there."},
    {.name = "announce_control",
     .kind = CONF_ADDRESS,
     FIELD(announce_control),
     .description = "Where sentinels reach control_listen, if not there."},
    {.name = "dir",
     .kind = CONF_TEXT,
     FIELD(dir),
     .description = "Directory of the node's state and snapshots; empty (standalone only): nothing touches the disk."},
    {.name = "dbfilename",
     .kind = CONF_TEXT,
     FIELD(dbfilename),
     .maximum = CW_AOF_NAME_MAX,
     .initial = "dump.rdb",
     .description = "Name in dir of the file that SAVE writes and a start reads."},
    {.name = "appenddirname",
     .kind = CONF_TEXT,
     FIELD(appenddirname),
     .maximum = CW_AOF_NAME_MAX,
     .initial = "appendonlydir",
     .description = "Name in dir of the directory of the append-only file."},
    {.name = "appendfilename",
     .kind = CONF_TEXT,
     FIELD(appendfilename),
     .maximum = CW_AOF_NAME_MAX,
     .initial = "appendonly.aof",
     .description = "What the names of the files in it begin with."},
    {.name = "secret_file",
     .kind = CONF_SECRET_FILE,
     FIELD(secret),
     .description = "File (mode 0600) with the secret of the links between daemons; required unless standalone."},
    {.name = "requirepass",
     .kind = CONF_TEXT,
     FIELD(requirepass),
     .maximum = 512,
     .description = "Password of the default user; empty: none is asked for."},
    {.name = "users",
     .kind = CONF_TEXT,
     FIELD(users),
     .maximum = 256 << 10,
     .description = "Lines \"user name rules...\": the users that there are at the first start."},
    {.name = "aclfile",
     .kind = CONF_TEXT,
     FIELD(aclfile),
     .maximum = 255,
     .description = "File in dir with such lines, for ACL LOAD and ACL SAVE (standalone; a group keeps its own)."},
    {.name = "acl-pubsub-default",
     .kind = CONF_CHOICE,
     FIELD(acl_pubsub_default),
     .choices = pubsub_default_names,
     .initial = "resetchannels",
     .description = "Whether new users may hear all channels, or none."},
    {.name = "acllog-max-len",
     .kind = CONF_INTEGER,
     FIELD(acllog_max_len),
     .minimum = 0,
     .maximum = 1000000,
     .initial = "128",
     .description = "Entries that ACL LOG keeps."},
    {.name = "databases",
     .kind = CONF_INTEGER,
     FIELD(databases),
     .minimum = 0,
     .maximum = 1024,
     .initial = "0",
     .description = "Databases that SELECT knows; 0 means 16 standalone, else 5."},
    {.name = "maxclients",
     .kind = CONF_INTEGER,
     FIELD(maxclients),
     .minimum = 1,
     .maximum = 200000,
     .initial = "10000",
     .description = "Client connections; the next one is told so and closed."},
    {.name = "maxmemory",
     .kind = CONF_BYTES,
     FIELD(maxmemory),
     .minimum = 0,
     .maximum = (int64_t)1 << 50,
     .initial = "0",
     .description = "Bytes of keys and values from which on keys are evicted, or writes refused; 0: no limit."},
    {.name = "maxmemory-policy",
     .kind = CONF_CHOICE,
     FIELD(maxmemory_policy),
     .choices = cw_policy_names,
     .initial = "noeviction",
     .description = "Which keys are evicted then."},
    {.name = "repl-backlog-size",
     .kind = CONF_BYTES,
     FIELD(repl_backlog_size),
     .minimum = 16384,
     .maximum = (int64_t)1 << 40,
     .initial = "64mb",
     .description = "Bytes of the stream that are kept for replicas which come back."},
    {.name = "max_lag_ms",
     .kind = CONF_MILLISECONDS,
     FIELD(max_lag_ms),
     .minimum = 100,
     .maximum = 3600000,
     .initial = "1000",
     .description = "A replica that is further behind leaves the in-sync set."},
    {.name = "stuck_limit_ms",
     .kind = CONF_MILLISECONDS,
     FIELD(stuck_limit_ms),
     .minimum = 0,
     .maximum = 3600000,
     .initial = "30000",
     .description = "A node whose command thread does not turn for so long says so, and is replaced; 0: never."},
    {.name = "sync_missing",
     .kind = CONF_CHOICE,
     FIELD(sync_missing),
     .choices = sync_missing_names,
     .initial = "degrade",
     .description = "A sync group without a replica in sync: acknowledge alone (degrade), or wait for one (block)."},
    {.name = "client-query-buffer-limit",
     .kind = CONF_BYTES,
     FIELD(client_query_buffer_limit),
     .minimum = 1024 * 1024,
     .maximum = (int64_t)1 << 40,
     .initial = "1gb",
     .description = "A client with a longer incomplete request is closed."},
    {.name = "client_output_max",
     .kind = CONF_BYTES,
     FIELD(client_output_max),
     .minimum = 1024,
     .maximum = (int64_t)1 << 40,
     .initial = "1gb",
     .description = "A client with more unread replies is closed."},
    {.name = "client_memory_max",
     .kind = CONF_BYTES,
     FIELD(client_memory_max),
     .minimum = 0,
     .maximum = (int64_t)1 << 40,
     .initial = "2gb",
     .description = "Above this in buffers of all clients those with most are closed; 0: no limit."},
    {.name = "enable-debug-command",
     .kind = CONF_BOOLEAN,
     FIELD(enable_debug_command),
     .initial = "no",
     .description = "Whether DEBUG is a command."},
    {.name = "redis-conf",
     .kind = CONF_TEXT,
     FIELD(redis_conf),
     .maximum = 4095,
     .description = "A redis.conf that is read too; what it says that has no effect here is named."},
    DAEMON_OPTIONS(struct worker_settings, daemon),
};

static const struct conf_schema schema = {options, ARRAY_LENGTH(options)};

struct address worker_settings_data(const struct worker_settings *settings)
{
    struct address address = {.port = (uint16_t)settings->port};
    snprintf(address.host, sizeof(address.host), "%s", settings->bind);
    return address;
}

/* The address that others are told must lead somewhere. */
static bool is_wildcard(const struct address *address)
{
    return strcmp(address->host, "0.0.0.0") == 0 || strcmp(address->host, "::") == 0 ||
           strcmp(address->host, "[::]") == 0;
}

static int refuse(struct buf *why, const char *text)
{
    buf_add_text(why, text);
    return ERR_INVALID;
}

static int check_member(const struct worker_settings *settings, struct buf *why)
{
    struct address data = worker_settings_data(settings);
    if (settings->control_listen.host[0] == '\0')
        return refuse(why, "control_listen: required unless standalone");
    if (settings->dir[0] == '\0')
        return refuse(why, "dir: required unless standalone");
    if (settings->secret.path[0] == '\0')
        return refuse(why, "secret_file: required unless standalone");
    if (settings->announce.host[0] == '\0' && is_wildcard(&data))
        return refuse(why, "announce: required where bind is a wildcard address");
    if (settings->announce_control.host[0] == '\0' && is_wildcard(&settings->control_listen))
        return refuse(why, "announce_control: required where control_listen is a wildcard address");
    return 0;
}

static int check_users(const struct worker_settings *settings, struct buf *why)
{
    struct buf errors = {0};
    struct cw_acl acl;
    if (settings->aclfile[0] != '\0' && (settings->users[0] != '\0' || !settings->standalone))
        return refuse(why, "aclfile: for a standalone server without \"users\"");
    if (strchr(settings->aclfile, '/') != NULL)
        return refuse(why, "aclfile: the name of a file in dir, without /");
    if (settings->aclfile[0] != '\0' && settings->dir[0] == '\0')
        return refuse(why, "aclfile: needs dir");
    cw_acl_init(&acl);
    int result = cw_acl_read(&acl, slice_text(settings->users), "users", &errors);
    cw_acl_free(&acl);
    buf_add_slice(why, buf_slice(&errors));
    buf_free(&errors);
    return result;
}

static int check_name(const char *option, const char *name, struct buf *why)
{
    if (name[0] != '\0' && name[0] != '.' && strpbrk(name, "/\"'\\\r\n\t") == NULL)
        return 0;
    buf_add_format(why, "%s: the name of a file in dir, without / and quotes, and with no dot at its beginning",
                   option);
    return ERR_INVALID;
}

static int check_names(const struct worker_settings *settings, struct buf *why)
{
    int result = check_name("dbfilename", settings->dbfilename, why);
    if (result == 0)
        result = check_name("appenddirname", settings->appenddirname, why);
    return result < 0 ? result : check_name("appendfilename", settings->appendfilename, why);
}

static int check(const void *context, struct buf *why)
{
    const struct worker_settings *settings = context;
    struct address data = worker_settings_data(settings);
    struct net_address net;
    if (settings->bind[0] == '/' || net_address_from(&data, &net) < 0) {
        buf_add_format(why, "bind: expected a numeric address, got \"%s\"", settings->bind);
        return ERR_INVALID;
    }
    if (settings->unixsocket[0] != '\0' && settings->unixsocket[0] != '/')
        return refuse(why, "unixsocket: expected a path that begins with /");
    int result = check_names(settings, why);
    if (result == 0)
        result = check_users(settings, why);
    return result < 0 || settings->standalone ? result : check_member(settings, why);
}

static int read_more(void *context, struct buf *why)
{
    struct worker_settings *settings = context;
    buf_clear(&settings->parameters);
    return settings->redis_conf[0] != '\0' ? redis_conf_file_read(settings->redis_conf, settings, why) : 0;
}

void worker_settings_free(struct worker_settings *settings)
{
    buf_free(&settings->parameters);
}

const struct daemon_program worker_program = {
    .name = "respite-cacheworker",
    .summary = "holds the data",
    .more_help = check_files_help,
    .schema = &schema,
    .daemon_offset = offsetof(struct worker_settings, daemon),
    .read_more = read_more,
    .check = check,
};

void worker_settings_config(const struct worker_settings *settings, struct cw_config *ret_config)
{
    struct cw_config config;
    cw_config_defaults(&config, settings->standalone);
    if (settings->databases > 0)
        config.databases = (uint32_t)settings->databases;
    config.requirepass = slice_text(settings->requirepass);
    config.users = slice_text(settings->users);
    if (settings->standalone)
        config.acl_file = settings->aclfile;
    config.acl_pubsub_all = settings->acl_pubsub_default == PUBSUB_ALL;
    config.acllog_max_len = (uint32_t)settings->acllog_max_len;
    config.secret = buf_slice(&settings->secret.bytes);
    config.max_clients = (uint32_t)settings->maxclients;
    config.data = settings->announce.host[0] != '\0' ? settings->announce : worker_settings_data(settings);
    config.control = settings->announce_control.host[0] != '\0' ? settings->announce_control : settings->control_listen;
    config.replicaof = settings->replicaof;
    config.maxmemory_bytes = (size_t)settings->maxmemory;
    config.maxmemory_policy = (enum cw_policy)settings->maxmemory_policy;
    config.backlog_bytes = (size_t)settings->repl_backlog_size;
    config.max_lag_ns = settings->max_lag_ms * NS_PER_MS;
    config.stuck_limit_ns = settings->stuck_limit_ms * NS_PER_MS;
    config.sync_blocks = settings->sync_missing == WORKER_SYNC_BLOCK;
    config.enable_debug_command = settings->enable_debug_command;
    config.query_buffer_max = (size_t)settings->client_query_buffer_limit;
    config.client_output_max = (size_t)settings->client_output_max;
    config.client_memory_max = (size_t)settings->client_memory_max;
    config.port = (uint16_t)settings->port;
    config.directory = settings->dir;
    config.rdb_file = settings->dbfilename;
    config.aof_directory = settings->appenddirname;
    config.aof_name = settings->appendfilename;
    config.parameters = buf_slice(&settings->parameters);
    *ret_config = config;
}
