/* main.c: wires the proxy's cores, one per thread, to their hosts. */
#include "common/base/mem.h"
#include "common/shell/daemon.h"
#include "proxy/shell/proxy_settings.h"

#include <stdlib.h>

/* Longer than HOST_USER_TIMEOUT_MS: a worker that is busy with a slow command reads nothing, and the kernel counts a
 * closed window as silence. Busy is not dead; whether it is dead, the sentinels say. */
enum { LINK_TIMEOUT_MS = 30000 };

/* One thread's share. */
struct proxy_thread {
    struct listener listeners[CONF_ADDRESSES_MAX];
    size_t listener_count;
    struct host *host; /* owned */
};

static int thread_create(struct daemon *daemon, const struct proxy_settings *settings, const struct px_config *common,
                         size_t index, struct proxy_thread *thread)
{
    enum listener_sharing sharing = settings->threads == 1 ? LISTENER_ALONE
                                    : index == 0           ? LISTENER_FIRST
                                                           : LISTENER_FURTHER;
    for (size_t i = 0; i < settings->listen.count; i++) {
        const struct address *address = &settings->listen.items[i];
        if (index > 0 && address->host[0] == '/')
            continue; /* a path cannot be shared: the first thread has it */
        int error = daemon_bind(daemon, &thread->listeners[thread->listener_count], address, 0, sharing, 0);
        if (error < 0)
            return error;
        thread->listener_count++;
    }
    struct px_config config = *common;
    config.thread = (unsigned)index;
    daemon_random(&config.identity, sizeof(config.identity));
    daemon_random(&config.random_seed, sizeof(config.random_seed));
    struct px_proxy *proxy;
    int error = px_proxy_create(&config, &proxy);
    if (error < 0)
        return daemon_fail(daemon, error, "the proxy cannot start with this configuration");
    struct host_config host_config = {
        .door = &px_proxy_door,
        .core = proxy,
        .log = &daemon->log,
        .listeners = thread->listeners,
        .listener_count = thread->listener_count,
        .directory_fd = -1,
        .user_timeout_ms = LINK_TIMEOUT_MS,
    };
    error = host_create(&host_config, &thread->host);
    if (error < 0) {
        px_proxy_door.destroy(proxy);
        return daemon_fail(daemon, error, "no event loop");
    }
    return 0;
}

static void thread_destroy(struct proxy_thread *thread)
{
    host_destroy(thread->host);
    for (size_t i = 0; i < thread->listener_count; i++)
        listener_close(&thread->listeners[i]);
}

static int run(struct daemon *daemon, const struct proxy_settings *settings)
{
    if (daemon_need_descriptors(daemon, proxy_settings_descriptors(settings)) < 0)
        return EXIT_FAILURE;
    struct host *hosts[PROXY_THREADS_MAX];
    struct px_shared shared = {.thread_count = (unsigned)settings->threads};
    struct px_config config;
    proxy_settings_config(settings, &shared, &config);
    size_t count = (size_t)settings->threads;
    struct proxy_thread *threads = mem_zero(count * sizeof(struct proxy_thread));
    size_t created = 0;
    while (created < count && thread_create(daemon, settings, &config, created, &threads[created]) == 0) {
        hosts[created] = threads[created].host;
        created++;
    }
    host_group(hosts, created);
    int status = created == count ? daemon_run(daemon, hosts, count) : EXIT_FAILURE;
    for (size_t i = 0; i < count; i++)
        thread_destroy(&threads[i]);
    mem_free(threads);
    px_shared_free(&shared);
    return status;
}

int main(int argc, char **argv)
{
    struct proxy_settings settings = {0};
    struct daemon daemon;
    int status;
    if (daemon_begin(&daemon, &proxy_program, &settings, argc, argv, &status))
        status = run(&daemon, &settings);
    daemon_end(&daemon);
    return status;
}
