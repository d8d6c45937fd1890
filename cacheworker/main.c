/* main.c: wires the worker's core to its host, its state file and its storage. */
#include "cacheworker/ha/control.h"
#include "cacheworker/shell/check_files.h"
#include "cacheworker/shell/worker_settings.h"
#include "common/base/errors.h"
#include "common/shell/clock.h"
#include "common/shell/daemon.h"
#include "common/shell/storage_directory.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

enum {
    LISTENERS_MAX = 3,
    LINKS_OF_MEMBERS = 128,
    DESCRIPTORS_OF_OTHERS = LINKS_OF_MEMBERS + 64,
    DESCRIPTORS_MOST = 1 << 20
};

/* The command core and, but standalone, the control core. */
enum { HOST_COMMAND, HOST_CONTROL, HOSTS_MAX };

struct process {
    struct listener listeners[LISTENERS_MAX]; /* the control listener, if any, is the last */
    size_t listener_count;
    struct storage_directory directory;
    struct buf state;
    struct host *hosts[HOSTS_MAX]; /* owned */
    size_t host_count;
};

static int bind_one(struct daemon *daemon, struct process *process, const struct address *address, int number,
                    uint32_t user_timeout_ms)
{
    int error = daemon_bind(daemon, &process->listeners[process->listener_count], address, number, LISTENER_ALONE,
                            user_timeout_ms);
    if (error == 0)
        process->listener_count++;
    return error;
}

static int bind_all(struct daemon *daemon, const struct worker_settings *settings, struct process *process)
{
    struct address data = worker_settings_data(settings);
    int error = bind_one(daemon, process, &data, CW_LISTENER_DATA, 0);
    if (error == 0 && settings->unixsocket[0] != '\0') {
        struct address path = {.port = 0};
        snprintf(path.host, sizeof(path.host), "%s", settings->unixsocket);
        error = bind_one(daemon, process, &path, CW_LISTENER_DATA, 0);
    }
    if (error == 0 && !settings->standalone)
        error = bind_one(daemon, process, &settings->control_listen, CW_LISTENER_CONTROL, HOST_USER_TIMEOUT_MS);
    return error;
}

static int open_directory(struct daemon *daemon, const struct worker_settings *settings, struct process *process,
                          struct cw_config *config)
{
    if (settings->dir[0] == '\0')
        return 0;
    int error = daemon_open_directory(daemon, settings->dir, &process->directory);
    if (error < 0)
        return error;
    config->storage = &process->directory.storage;
    if (settings->standalone)
        return 0;
    error = daemon_read_state(daemon, &process->directory, "node.state", &process->state, &config->state_found);
    config->state = buf_slice(&process->state);
    return error;
}

static int add_host(struct daemon *daemon, struct process *process, const struct host_config *config)
{
    int error = host_create(config, &process->hosts[process->host_count]);
    if (error < 0) {
        config->door->destroy(config->core);
        return daemon_fail(daemon, error, "no event loop");
    }
    process->host_count++;
    return 0;
}

/* The control core answers sentinels while the command core executes (QUORUM section 2), on a thread of its own. */
static int part_control(struct daemon *daemon, struct process *process, struct cw_worker *worker)
{
    struct cw_control *control = cw_worker_part_with_control(worker);
    if (control == NULL)
        return 0;
    struct host_config host_config = {
        .door = &cw_control_door,
        .core = control,
        .log = &daemon->log,
        .listeners = &process->listeners[process->listener_count - 1],
        .listener_count = 1,
        .directory_fd = -1,
        .user_timeout_ms = HOST_USER_TIMEOUT_MS,
    };
    int error = add_host(daemon, process, &host_config);
    if (error == 0)
        host_group(process->hosts, 2);
    return error;
}

static void complain(void *context, struct slice words)
{
    daemon_fail(context, ERR_CORRUPT, "%.*s", (int)words.length, words.data);
}

static int create(struct daemon *daemon, struct process *process, const struct cw_config *config)
{
    struct cw_worker *worker;
    int error = cw_worker_create(config, &worker);
    if (error < 0)
        return daemon_fail(daemon, error, "%s: %s",
                           error == ERR_INVALID ? "the worker cannot start (its users, its numbers)"
                                                : "the data cannot be loaded",
                           error_text(error));
    struct host_config host_config = {
        .door = &cw_worker_door,
        .core = worker,
        .log = &daemon->log,
        .listeners = process->listeners,
        .listener_count = process->listener_count - (config->standalone ? 0 : 1),
        .directory_fd = config->storage != NULL ? process->directory.fd : -1,
        .user_timeout_ms = HOST_USER_TIMEOUT_MS,
        .tells_cpu = true,
    };
    error = add_host(daemon, process, &host_config);
    return error == 0 ? part_control(daemon, process, worker) : error;
}

static void destroy_hosts(struct process *process)
{
    while (process->host_count > 0)
        host_destroy(process->hosts[--process->host_count]);
}

static void sleep_ns(int64_t ns)
{
    struct timespec rest = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
        continue;
}

static int64_t timeval_us(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000000 + time.tv_usec;
}

static void cpu_times(struct cw_cpu_times *ret_times)
{
    struct rusage process, thread;
    getrusage(RUSAGE_SELF, &process);
    getrusage(RUSAGE_THREAD, &thread);
    *ret_times = (struct cw_cpu_times){
        .user_us = timeval_us(process.ru_utime),
        .system_us = timeval_us(process.ru_stime),
        .command_user_us = timeval_us(thread.ru_utime),
        .command_system_us = timeval_us(thread.ru_stime),
    };
}

/* 0 when the kernel does not say. */
static size_t resident_bytes(void)
{
    size_t size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%zu %zu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* Takes all descriptors that the process may have, so that maxclients can be raised while it runs. */
static uint32_t most_clients(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS_MOST ? limit.rlim_max : DESCRIPTORS_MOST;
    if (limit.rlim_cur < before || setrlimit(RLIMIT_NOFILE, &limit) < 0)
        limit.rlim_cur = before;
    return limit.rlim_cur > DESCRIPTORS_OF_OTHERS ? (uint32_t)(limit.rlim_cur - DESCRIPTORS_OF_OTHERS) : 1;
}

struct facts { /* that INFO shows */
    char executable[PATH_MAX];
    char system[256];
};

static void find_facts(struct facts *ret_facts)
{
    struct utsname names;
    *ret_facts = (struct facts){{0}, {0}};
    if (readlink("/proc/self/exe", ret_facts->executable, sizeof(ret_facts->executable) - 1) < 0)
        ret_facts->executable[0] = '\0';
    if (uname(&names) == 0)
        snprintf(ret_facts->system, sizeof(ret_facts->system), "%s %s %s", names.sysname, names.release, names.machine);
}

static int run(struct daemon *daemon, const struct worker_settings *settings)
{
    struct process process = {0};
    struct cw_config config;
    worker_settings_config(settings, &config);
    daemon_random(&config.random_seed, sizeof(config.random_seed));
    daemon_random(&config.new_identity, sizeof(config.new_identity));
    daemon_random(&config.incarnation_bits, sizeof(config.incarnation_bits));
    config.wall_us = clock_wall_us();
    config.pid = (int)getpid();
    config.log_level = daemon->log.level;
    config.stopwatch_ns = clock_boot_ns;
    config.cpu_times = cpu_times;
    config.resident_bytes = resident_bytes;
    config.random_bytes = daemon_random;
    struct facts facts;
    find_facts(&facts);
    config.executable = facts.executable;
    config.config_file = settings->redis_conf[0] != '\0' ? settings->redis_conf : daemon->config_path;
    config.system = facts.system;
    config.system_memory_bytes = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    config.sleep_ns = sleep_ns;
    config.complain = complain;
    config.complain_context = daemon;
    int status = EXIT_FAILURE;
    int enough = daemon_need_descriptors(daemon, (uint64_t)settings->maxclients + LINKS_OF_MEMBERS);
    config.max_clients_most = most_clients();
    if (enough == 0 && bind_all(daemon, settings, &process) == 0 &&
        open_directory(daemon, settings, &process, &config) == 0 && create(daemon, &process, &config) == 0)
        status = daemon_run(daemon, process.hosts, process.host_count);
    destroy_hosts(&process);
    for (size_t i = 0; i < process.listener_count; i++)
        listener_close(&process.listeners[i]);
    storage_directory_close(&process.directory);
    buf_free(&process.state);
    return status;
}

int main(int argc, char **argv)
{
    struct worker_settings settings = {0};
    struct daemon daemon;
    int status;
    if (check_files_asked(argc, argv, &status))
        return status;
    if (daemon_begin(&daemon, &worker_program, &settings, argc, argv, &status))
        status = run(&daemon, &settings);
    daemon_end(&daemon);
    worker_settings_free(&settings);
    return status;
}
