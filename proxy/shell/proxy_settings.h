/* proxy_settings.h: what stands in a proxy's configuration file; etc/proxy.conf explains each. */
#ifndef PROXY_SHELL_PROXY_SETTINGS_H
#define PROXY_SHELL_PROXY_SETTINGS_H

#include "common/conf/conf_schema.h"
#include "common/shell/daemon.h"
#include "proxy/core/proxy.h"

enum { PROXY_THREADS_MAX = PX_THREADS_MAX };

struct proxy_settings {
    struct conf_addresses listen;
    int64_t threads;
    char *group;
    struct conf_addresses sentinels;
    struct conf_secret secret;
    char *requirepass;
    int64_t databases;
    int64_t max_connections;
    int64_t idle_timeout_ms;
    int64_t authentication_timeout_ms;
    int64_t hold_timeout_ms;
    int64_t hold_commands_max;
    int64_t hold_bytes_max;
    int64_t client_output_max;
    int64_t client_query_buffer_limit;
    int64_t links_per_pool;
    struct daemon_settings daemon;
};

extern const struct daemon_program proxy_program;

/* One thread's core; slices are borrowed from the settings. The random fields are left to the caller. */
void proxy_settings_config(const struct proxy_settings *settings, struct px_shared *shared,
                           struct px_config *ret_config);

/* Descriptors that the configured limits can come to. */
uint64_t proxy_settings_descriptors(const struct proxy_settings *settings);

#endif
