#include "common/shell/daemon.h"

#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/shell/conf_libconfig.h"
#include "common/shell/file_atomic.h"
#include "common/shell/libevent.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    DESCRIPTORS_OF_THE_PROCESS = 64, /* standard streams, log, lock, loops, files being written */
    STATE_MAX_BYTES = 16 * 1024 * 1024,
};

struct command_line {
    const char *config_path;
    bool check_only;
    bool help;
    bool version;
};

static struct daemon_settings *own_settings(const struct daemon *daemon)
{
    return (struct daemon_settings *)((char *)daemon->settings + daemon->program->daemon_offset);
}

static void complain(const struct daemon *daemon, const struct buf *why)
{
    struct slice text = buf_slice(why);
    fprintf(stderr, "%s: %.*s\n", daemon->program->name, (int)text.length, text.data);
}

/* --- command line --- */

/* One "--NAME VALUE", "--NAME=VALUE" or, of a boolean, "--NAME" at *index; which then stands at the last word taken. */
static int apply_word(const struct daemon *daemon, int argc, char **argv, int *index, bool apply, struct buf *why)
{
    const char *word = argv[*index];
    if (strncmp(word, "--", 2) != 0) {
        buf_add_format(why, "%s: expected an option; see --help", word);
        return ERR_INVALID;
    }
    const char *equals = strchr(word, '=');
    struct slice name = slice_of(word + 2, equals != NULL ? (size_t)(equals - word) - 2 : strlen(word) - 2);
    const struct conf_option *option = conf_find(daemon->program->schema, name);
    if (option == NULL) {
        buf_add_format(why, "%s: unknown option; see --help", word);
        return ERR_INVALID;
    }
    bool has_next = *index + 1 < argc && strncmp(argv[*index + 1], "--", 2) != 0;
    struct slice value = SLICE_LITERAL("true");
    if (equals != NULL) {
        value = slice_text(equals + 1);
    } else if (has_next) {
        value = slice_text(argv[++*index]);
    } else if (option->kind != CONF_BOOLEAN) {
        buf_add_format(why, "%s: expected a value", word);
        return ERR_INVALID;
    }
    if (!apply)
        return 0;
    buf_add_format(why, "--%s: ", option->name);
    int error = conf_set_checked(option, daemon->settings, &value, 1, why);
    if (error == 0)
        buf_clear(why);
    return error;
}

/* Read twice: first for the words that say where the file is, then for the settings that come after the file's. */
static int read_command_line(const struct daemon *daemon, int argc, char **argv, bool apply,
                             struct command_line *ret_line, struct buf *why)
{
    struct command_line line = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-c") == 0) {
            if (++i == argc) {
                buf_add_text(why, "-c: expected a file");
                return ERR_INVALID;
            }
            line.config_path = argv[i];
        } else if (strcmp(argv[i], "-t") == 0) {
            line.check_only = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            line.help = true;
        } else if (strcmp(argv[i], "--version") == 0) {
            line.version = true;
        } else {
            int error = apply_word(daemon, argc, argv, &i, apply, why);
            if (error < 0)
                return error;
        }
    }
    *ret_line = line;
    return 0;
}

static void print_help(const struct daemon_program *program)
{
    struct buf text = {0};
    conf_describe(program->schema, &text);
    printf("%s: %s\n\n"
           "usage: %s -c FILE [-t] [--NAME VALUE ...]\n%s\n"
           "  -c FILE    read the configuration from FILE\n"
           "  -t         check the configuration and exit\n"
           "  --version  print the version\n"
           "  --help     print this\n\n"
           "Settings, in FILE as `name = value;` or here as --name value:\n\n%.*s",
           program->name, program->summary, program->name, program->more_help != NULL ? program->more_help : "",
           (int)buf_length(&text), buf_slice(&text).data);
    buf_free(&text);
}

/* --- configuration --- */

static int check(const struct daemon *daemon, struct buf *why)
{
    const struct conf_option *missing = conf_missing(daemon->program->schema, daemon->settings);
    if (missing != NULL) {
        buf_add_format(why, "%s: required, and not set", missing->name);
        return ERR_INVALID;
    }
    return daemon->program->check != NULL ? daemon->program->check(daemon->settings, why) : 0;
}

static int configure(const struct daemon *daemon, int argc, char **argv, struct command_line *line, struct buf *why)
{
    conf_defaults(daemon->program->schema, daemon->settings);
    int error = 0;
    if (line->config_path != NULL)
        error = conf_read_file(daemon->program->schema, line->config_path, daemon->settings, why);
    if (error == 0)
        error = read_command_line(daemon, argc, argv, true, line, why);
    if (error == 0 && daemon->program->read_more != NULL) {
        error = daemon->program->read_more(daemon->settings, why);
        if (error == 0)
            error = read_command_line(daemon, argc, argv, true, line, why);
    }
    if (error == 0) {
        struct buf reason = {0};
        error = check(daemon, &reason);
        if (error < 0) {
            buf_add_format(why, "%s%s", line->config_path ? line->config_path : "", line->config_path ? ": " : "");
            buf_add_slice(why, buf_slice(&reason));
        }
        buf_free(&reason);
    }
    return error;
}

/* --- the process --- */

static int open_log(struct daemon *daemon, struct buf *why)
{
    const struct daemon_settings *own = own_settings(daemon);
    int error = log_sink_open(&daemon->log, daemon->program->name, own->log_file, (enum log_level)own->log_level,
                              (enum log_format)own->log_format);
    if (error < 0)
        buf_add_format(why, "log_file: %s: %s", own->log_file, strerror(errno));
    return error;
}

static sigset_t stop_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    return signals;
}

bool daemon_begin(struct daemon *daemon, const struct daemon_program *program, void *settings, int argc, char **argv,
                  int *ret_status)
{
    *daemon = (struct daemon){.program = program, .settings = settings};
    struct command_line line = {0};
    struct buf why = {0};
    *ret_status = EXIT_SUCCESS;
    bool go_on = false;
    int error = read_command_line(daemon, argc, argv, false, &line, &why);
    if (error == 0 && line.help) {
        print_help(program);
    } else if (error == 0 && line.version) {
        printf("%s %s\n", program->name, VERSION);
    } else if (error == 0) {
        daemon->config_path = line.config_path;
        error = configure(daemon, argc, argv, &line, &why);
        if (error == 0 && line.check_only)
            printf("%s: the configuration is good\n", line.config_path ? line.config_path : program->name);
        go_on = error == 0 && !line.check_only;
    }
    if (go_on) {
        sigset_t signals = stop_signals();
        signal(SIGPIPE, SIG_IGN);
        pthread_sigmask(SIG_BLOCK, &signals, NULL);
        error = open_log(daemon, &why);
    }
    if (error < 0) {
        complain(daemon, &why);
        *ret_status = EXIT_FAILURE;
    }
    buf_free(&why);
    return go_on && error == 0;
}

void daemon_end(struct daemon *daemon)
{
    if (daemon->pid_file_written)
        unlink(own_settings(daemon)->pid_file);
    daemon->pid_file_written = false;
    log_sink_close(&daemon->log);
    conf_free(daemon->program->schema, daemon->settings);
    libevent_global_shutdown();
}

/* --- steps of a start --- */

int daemon_fail(struct daemon *daemon, int error, const char *format, ...)
{
    struct buf text = {0};
    char *place = buf_reserve(&text, 1024);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(place, 1024, format, arguments);
    va_end(arguments);
    CHECK(length >= 0);
    buf_commit(&text, length < 1024 ? (size_t)length : 1023);
    log_write(&daemon->log, LOG_LEVEL_ERROR, buf_slice(&text));
    if (daemon->log.fd != STDERR_FILENO)
        complain(daemon, &text);
    buf_free(&text);
    return error;
}

int daemon_bind(struct daemon *daemon, struct listener *listener, const struct address *address, int number,
                enum listener_sharing sharing, uint32_t user_timeout_ms)
{
    struct buf why = {0};
    int error = listener_bind(listener, address, number, sharing, user_timeout_ms, &why);
    if (error < 0)
        daemon_fail(daemon, error, "cannot listen on %.*s", (int)buf_length(&why), buf_slice(&why).data);
    buf_free(&why);
    return error;
}

int daemon_open_directory(struct daemon *daemon, const char *path, struct storage_directory *directory)
{
    int error = storage_directory_open(directory, path);
    if (error == ERR_BUSY)
        return daemon_fail(daemon, error, "%s: another process uses this directory", path);
    if (error < 0)
        return daemon_fail(daemon, error, "%s: cannot be used as a directory: %s", path, strerror(errno));
    return 0;
}

int daemon_read_state(struct daemon *daemon, const struct storage_directory *directory, const char *name,
                      struct buf *state, bool *ret_found)
{
    int error = file_read_all(directory->fd, name, STATE_MAX_BYTES, state);
    if (error < 0 && error != ERR_NOT_FOUND)
        return daemon_fail(daemon, error, "%s: cannot be read: %s", name, error_text(error));
    *ret_found = error == 0;
    return 0;
}

int daemon_need_descriptors(struct daemon *daemon, uint64_t count)
{
    uint64_t needed = count + DESCRIPTORS_OF_THE_PROCESS;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return ERR_TOO_BIG;
    if (limit.rlim_cur >= needed)
        return 0;
    struct rlimit wanted = {.rlim_cur = needed, .rlim_max = limit.rlim_max < needed ? needed : limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &wanted) == 0)
        return 0;
    return daemon_fail(daemon, ERR_TOO_BIG,
                       "the configured limits need %llu descriptors, and the system allows %llu: raise LimitNOFILE "
                       "(ulimit -n) or allow fewer connections",
                       (unsigned long long)needed, (unsigned long long)limit.rlim_max);
}

void daemon_random(void *bytes, size_t length)
{
    CHECK(length <= 256); /* so much comes whole */
    CHECK(getrandom(bytes, length, 0) == (ssize_t)length);
}

/* --- threads and signals --- */

struct crew {
    struct host **hosts; /* borrowed */
    size_t count;
    atomic_bool stopping;
};

struct runner {
    struct crew *crew;
    struct host *host;
    pthread_t thread;
    int status;
};

static void stop_all(struct crew *crew, bool is_interrupt)
{
    for (size_t i = 0; i < crew->count; i++)
        host_stop(crew->hosts[i], is_interrupt);
}

static void *run_one(void *argument)
{
    struct runner *runner = argument;
    runner->status = host_run(runner->host);
    if (!atomic_exchange(&runner->crew->stopping, true))
        stop_all(runner->crew, false);
    return NULL;
}

static void on_signal(evutil_socket_t fd, short what, void *argument)
{
    (void)what;
    struct crew *crew = argument;
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    atomic_store(&crew->stopping, true);
    stop_all(crew, info.ssi_signo == SIGINT);
}

static int run_crew(struct crew *crew)
{
    struct runner *runners = mem_zero(crew->count * sizeof(struct runner));
    size_t started = 1;
    for (size_t i = 0; i < crew->count; i++)
        runners[i] = (struct runner){.crew = crew, .host = crew->hosts[i]};
    while (started < crew->count && pthread_create(&runners[started].thread, NULL, run_one, &runners[started]) == 0)
        started++;
    int status = EXIT_FAILURE;
    if (started == crew->count) {
        run_one(&runners[0]);
        status = runners[0].status;
    } else {
        stop_all(crew, false);
    }
    for (size_t i = 1; i < started; i++) {
        pthread_join(runners[i].thread, NULL);
        if (runners[i].status > status)
            status = runners[i].status;
    }
    mem_free(runners);
    return status;
}

/* Only once ports and directory are ours: a second start that is refused must not touch the first one's file. */
static int write_pid_file(struct daemon *daemon)
{
    const char *path = own_settings(daemon)->pid_file;
    if (path[0] == '\0')
        return 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    daemon->pid_file_written = fd >= 0;
    bool written = fd >= 0 && dprintf(fd, "%d\n", (int)getpid()) > 0;
    int error_number = errno;
    if (fd >= 0)
        close(fd);
    return written ? 0 : daemon_fail(daemon, ERR_IO, "pid_file: %s: %s", path, strerror(error_number));
}

int daemon_run(struct daemon *daemon, struct host **hosts, size_t count)
{
    if (write_pid_file(daemon) < 0)
        return EXIT_FAILURE;
    struct crew crew = {.hosts = hosts, .count = count};
    sigset_t signals = stop_signals();
    int signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signal_fd < 0) {
        daemon_fail(daemon, ERR_IO, "no descriptor for signals: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    struct libevent_event signal_event;
    event_assign(&signal_event, host_event_base(hosts[0]), signal_fd, EV_READ | EV_PERSIST, on_signal, &crew);
    event_add(&signal_event, NULL);
    int status = run_crew(&crew);
    event_del(&signal_event);
    close(signal_fd);
    return status;
}
