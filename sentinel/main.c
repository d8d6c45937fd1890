/* main.c: wires the sentinel's core to its host and its state file. */
#include "common/base/errors.h"
#include "common/shell/daemon.h"
#include "common/shell/storage_directory.h"
#include "sentinel/shell/sentinel_settings.h"

#include <stdlib.h>

enum { LINKS_MAX = 1024 };

struct process {
    struct listener listeners[CONF_ADDRESSES_MAX];
    size_t listener_count;
    struct storage_directory directory;
    struct buf state;
    struct host *host; /* owned */
};

static int bind_all(struct daemon *daemon, const struct sentinel_settings *settings, struct process *process)
{
    for (size_t i = 0; i < settings->listen.count; i++) {
        int error = daemon_bind(daemon, &process->listeners[i], &settings->listen.items[i], 0, LISTENER_ALONE,
                                HOST_USER_TIMEOUT_MS);
        if (error < 0)
            return error;
        process->listener_count++;
    }
    return 0;
}

static int create(struct daemon *daemon, const struct sentinel_settings *settings, struct process *process)
{
    struct sn_config config;
    sentinel_settings_config(settings, &config);
    int error = daemon_read_state(daemon, &process->directory, "sentinel.state", &process->state, &config.state_found);
    if (error < 0)
        return error;
    config.state = buf_slice(&process->state);
    daemon_random(&config.new_identity, sizeof(config.new_identity));
    daemon_random(&config.random_seed, sizeof(config.random_seed));
    struct sn_sentinel *sentinel;
    error = sn_sentinel_create(&config, &sentinel);
    if (error < 0)
        return daemon_fail(daemon, error, "the sentinel cannot start with this configuration");
    struct host_config host_config = {
        .door = &sn_sentinel_door,
        .core = sentinel,
        .log = &daemon->log,
        .listeners = process->listeners,
        .listener_count = process->listener_count,
        .directory_fd = process->directory.fd,
        .user_timeout_ms = HOST_USER_TIMEOUT_MS,
    };
    error = host_create(&host_config, &process->host);
    if (error < 0) {
        sn_sentinel_door.destroy(sentinel);
        return daemon_fail(daemon, error, "no event loop");
    }
    return 0;
}

static int run(struct daemon *daemon, const struct sentinel_settings *settings)
{
    struct process process = {0};
    int status = EXIT_FAILURE;
    if (daemon_need_descriptors(daemon, LINKS_MAX) == 0 && bind_all(daemon, settings, &process) == 0 &&
        daemon_open_directory(daemon, settings->state_directory, &process.directory) == 0 &&
        create(daemon, settings, &process) == 0)
        status = daemon_run(daemon, &process.host, 1);
    host_destroy(process.host);
    for (size_t i = 0; i < process.listener_count; i++)
        listener_close(&process.listeners[i]);
    storage_directory_close(&process.directory);
    buf_free(&process.state);
    return status;
}

int main(int argc, char **argv)
{
    struct sentinel_settings settings = {0};
    struct daemon daemon;
    int status;
    if (daemon_begin(&daemon, &sentinel_program, &settings, argc, argv, &status))
        status = run(&daemon, &settings);
    daemon_end(&daemon);
    return status;
}
