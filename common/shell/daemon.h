/* daemon.h: what every daemon does around its hosts: command line, configuration, log, limits, signals, threads.
 *
 *     -c FILE          the configuration
 *     -t               check it and exit: 0 when it is good, 1 with the reason
 *     --NAME VALUE     any setting of the file, by its name; it comes after the file's. A boolean needs no value.
 *     --version --help
 *
 * A daemon stays in the foreground and lets its service manager (or the shell) do the rest. SIGTERM and SIGINT become
 * EVENT_STOP for every host. */
#ifndef COMMON_SHELL_DAEMON_H
#define COMMON_SHELL_DAEMON_H

#include "common/conf/conf_schema.h"
#include "common/shell/host.h"
#include "common/shell/log_sink.h"
#include "common/shell/storage_directory.h"

/* Settings that all daemons have; a member of each daemon's settings struct. */
struct daemon_settings {
    char *log_file;
    int log_level;
    int log_format;
    char *pid_file;
};

/* The rows of them in the table of options. */
/* clang-format off */
#define DAEMON_OPTIONS(type, member)                                                                                   \
    {.name = "log_file", .kind = CONF_TEXT, .offset = offsetof(type, member.log_file),                                 \
     .description = "File that log lines are appended to; empty: standard error."},                                    \
    {.name = "log_level", .kind = CONF_CHOICE, .offset = offsetof(type, member.log_level),                             \
     .choices = log_level_names, .initial = "notice",                                                                  \
     .description = "Least level that is logged: debug, info, notice, warning, error."},                               \
    {.name = "log_format", .kind = CONF_CHOICE, .offset = offsetof(type, member.log_format),                           \
     .choices = log_format_names, .initial = "text",                                                                   \
     .description = "text, journal (<N>message, for journald) or json (one object per line)."},                        \
    {.name = "pid_file", .kind = CONF_TEXT, .offset = offsetof(type, member.pid_file),                                 \
     .description = "File that holds the process number while the daemon runs."}
/* clang-format on */

struct daemon_program {
    const char *name;
    const char *summary;   /* one sentence for --help */
    const char *more_help; /* lines for it, of other ways to call the program; NULL: none */
    const struct conf_schema *schema;
    size_t daemon_offset; /* of struct daemon_settings in the settings */

    /* Reads what the settings name besides the file of -c; may be NULL. What the command line says comes after it. The
     * reason of an error in `why`. */
    int (*read_more)(void *settings, struct buf *why);

    /* What one option's table row cannot say. ERR_INVALID with the reason in `why`. */
    int (*check)(const void *settings, struct buf *why);
};

struct daemon {
    const struct daemon_program *program; /* constant */
    void *settings;                       /* borrowed */
    const char *config_path;              /* borrowed from the command line; NULL: no file */
    struct log_sink log;
    bool pid_file_written;
};

/* Reads command line and configuration into the zeroed settings, opens the log, takes SIGPIPE, SIGTERM and SIGINT away
 * from their default. False: the process is to exit with *ret_status (everything was said). daemon_end in any case. */
MUST_CHECK bool daemon_begin(struct daemon *daemon, const struct daemon_program *program, void *settings, int argc,
                             char **argv, int *ret_status);
void daemon_end(struct daemon *daemon);

/* Makes room for `count` descriptors, of which some are the process's own. On ERR_TOO_BIG the reason was logged. */
MUST_CHECK int daemon_need_descriptors(struct daemon *daemon, uint64_t count);

/* Steps of a start; each says its failure itself, and returns it. */
MUST_CHECK int daemon_bind(struct daemon *daemon, struct listener *listener, const struct address *address, int number,
                           enum listener_sharing sharing, uint32_t user_timeout_ms);
MUST_CHECK int daemon_open_directory(struct daemon *daemon, const char *path, struct storage_directory *directory);
/* A state that is there but cannot be read is an error, not a missing one: an older promise may stand in it. */
MUST_CHECK int daemon_read_state(struct daemon *daemon, const struct storage_directory *directory, const char *name,
                                 struct buf *state, bool *ret_found);

/* Says why the start fails, in the log and on standard error, and returns `error`. */
int daemon_fail(struct daemon *daemon, int error, const char *format, ...) PRINTF(3, 4);

/* Runs the hosts, the first in this thread, each further one in a thread of its own, until all have ended; when one
 * ends, the others are stopped. The worst of their statuses. */
int daemon_run(struct daemon *daemon, struct host **hosts, size_t count);

/* Bytes from the kernel's generator. */
void daemon_random(void *bytes, size_t length);

#endif
