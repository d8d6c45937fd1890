/* worker_settings.h: what stands in a cache worker's configuration file; etc/cacheworker.conf explains each. */
#ifndef CACHEWORKER_SHELL_WORKER_SETTINGS_H
#define CACHEWORKER_SHELL_WORKER_SETTINGS_H

#include "cacheworker/engine/worker.h"
#include "common/conf/conf_schema.h"
#include "common/shell/daemon.h"

enum worker_sync_missing { WORKER_SYNC_DEGRADE, WORKER_SYNC_BLOCK };

struct worker_settings {
    bool standalone;
    char *bind;
    int64_t port;
    char *unixsocket;
    struct address control_listen;
    struct address announce;
    struct address replicaof; /* of a redis.conf */
    struct address announce_control;
    char *dir;
    char *dbfilename;
    char *appenddirname;
    char *appendfilename;
    struct conf_secret secret;
    char *requirepass;
    char *users;
    char *aclfile;
    int acl_pubsub_default;
    int64_t acllog_max_len;
    int64_t databases; /* 0: the mode's default */
    int64_t maxclients;
    int64_t maxmemory;
    int maxmemory_policy; /* enum cw_policy */
    int64_t repl_backlog_size;
    int64_t max_lag_ms;
    int64_t stuck_limit_ms;
    int sync_missing; /* enum worker_sync_missing */
    int64_t client_query_buffer_limit;
    int64_t client_output_max;
    int64_t client_memory_max;
    bool enable_debug_command;
    char *redis_conf;      /* path; "": none */
    struct buf parameters; /* owned; lines of it for the core (overlay.h) */
    struct daemon_settings daemon;
};

extern const struct daemon_program worker_program;

/* What conf_free leaves. */
void worker_settings_free(struct worker_settings *settings);

struct address worker_settings_data(const struct worker_settings *settings); /* bind and port */

/* Slices are borrowed from the settings. What is random, read from the disk or the process's is left to the caller. */
void worker_settings_config(const struct worker_settings *settings, struct cw_config *ret_config);

#endif
