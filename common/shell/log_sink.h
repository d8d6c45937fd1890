/* log_sink.h: where log lines go. One line per message, in one write.
 *
 *     text      2026-11-21T10:00:00.123Z notice respite-proxy: message
 *     journal   <5>message                      (the level in the manner of sd-daemon(3); journald adds the rest)
 *     json      {"time":"...","level":"notice","daemon":"respite-proxy","message":"..."}
 *
 * What a peer sent may stand in a message: control bytes are escaped, and in JSON bytes that are no UTF-8 replaced, so
 * that no message can forge a second line. A reader that does not read (a full pipe) loses lines, counted, and never
 * stops the daemon. Safe to use from several threads. */
#ifndef COMMON_SHELL_LOG_SINK_H
#define COMMON_SHELL_LOG_SINK_H

#include "common/base/door.h"

#include <pthread.h>
#include <stdatomic.h>

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JOURNAL, LOG_FORMAT_JSON };

struct log_sink {
    int fd; /* owned when it is not standard error */
    _Atomic(enum log_level) level;
    enum log_format format;
    const char *daemon; /* borrowed */
    uint64_t lost;      /* lines since the last one that went out */
    pthread_mutex_t mutex;
};

/* `path` NULL or "": standard error. Without a file that can be opened: ERR_DENIED, ERR_NOT_FOUND, ERR_IO. */
MUST_CHECK int log_sink_open(struct log_sink *sink, const char *daemon, const char *path, enum log_level level,
                             enum log_format format);
void log_sink_close(struct log_sink *sink); /* harmless on a zeroed struct */

/* Nothing below `level` is written from here on. */
void log_sink_set_level(struct log_sink *sink, enum log_level level);

void log_write(struct log_sink *sink, enum log_level level, struct slice message);
void log_line(struct log_sink *sink, enum log_level level, const char *format, ...) PRINTF(3, 4);

extern const char *const log_level_names[];  /* by enum log_level, NULL-terminated */
extern const char *const log_format_names[]; /* by enum log_format, NULL-terminated */

#endif
