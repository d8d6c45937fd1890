#include "common/shell/log_sink.h"

#include "common/base/errors.h"
#include "common/shell/clock.h"
#include "common/shell/file_atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* A pipe that poll calls writable takes PIPE_BUF (4,096) bytes without blocking. */
enum { LINE_MAX_BYTES = 4096, ESCAPE_MAX = 6 };

const char *const log_level_names[] = {"debug", "info", "notice", "warning", "error", NULL};
const char *const log_format_names[] = {"text", "journal", "json", NULL};

struct line {
    char bytes[LINE_MAX_BYTES];
    size_t length;
};

static void add_format(struct line *line, const char *format, ...) PRINTF(2, 3);
static void add_format(struct line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line->bytes + line->length, sizeof(line->bytes) - line->length, format, arguments);
    va_end(arguments);
    line->length += (size_t)length;
    CHECK(line->length < sizeof(line->bytes));
}

/* The length of the well-formed UTF-8 sequence (RFC 3629) at the start of the bytes; 0 when there is none. */
static size_t utf8_length(struct slice bytes)
{
    const unsigned char *text = (const unsigned char *)bytes.data;
    size_t length = text[0] < 0x80                      ? 1
                    : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
                    : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
                    : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
                                                        : 0;
    if (length == 0 || length > bytes.length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    bool beyond = (text[0] == 0xed && text[1] >= 0xa0) || (text[0] == 0xf4 && text[1] >= 0x90);
    return overlong || beyond ? 0 : length;
}

/* Adds the message up to `room` bytes of the line, and dots where it was cut. */
static void add_escaped(struct line *line, struct slice message, bool json, size_t room)
{
    while (message.length > 0) {
        if (line->length + ESCAPE_MAX + 3 > room) {
            add_format(line, "...");
            return;
        }
        unsigned char byte = (unsigned char)message.data[0];
        size_t step = 1;
        if (byte < 0x20 || byte == 0x7f) {
            add_format(line, json ? "\\u%04x" : "\\x%02x", byte);
        } else if (json && (byte == '"' || byte == '\\')) {
            add_format(line, "\\%c", byte);
        } else if (json && utf8_length(message) == 0) {
            add_format(line, "\\ufffd");
        } else {
            step = json ? utf8_length(message) : 1;
            memcpy(line->bytes + line->length, message.data, step);
            line->length += step;
        }
        message = slice_skip(message, step);
    }
}

static void add_time(struct line *line)
{
    int64_t wall_us = clock_wall_us();
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char text[32];
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    add_format(line, "%s.%03dZ", text, (int)(wall_us % 1000000 / 1000));
}

static void compose(struct line *line, const struct log_sink *sink, enum log_level level, struct slice message)
{
    static const int syslog_levels[] = {7, 6, 5, 4, 3};
    enum { TAIL = 4 }; /* "}\n and some */
    size_t room = sizeof(line->bytes) - TAIL;
    switch (sink->format) {
    case LOG_FORMAT_TEXT:
        add_time(line);
        add_format(line, " %s %s: ", log_level_names[level], sink->daemon);
        add_escaped(line, message, false, room);
        break;
    case LOG_FORMAT_JOURNAL:
        add_format(line, "<%d>", syslog_levels[level]);
        add_escaped(line, message, false, room);
        break;
    case LOG_FORMAT_JSON:
        add_format(line, "{\"time\":\"");
        add_time(line);
        add_format(line, "\",\"level\":\"%s\",\"daemon\":\"%s\",\"message\":\"", log_level_names[level], sink->daemon);
        add_escaped(line, message, true, room);
        add_format(line, "\"}");
        break;
    }
    line->bytes[line->length++] = '\n';
}

static bool is_writable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLOUT) != 0;
}

static bool put(struct log_sink *sink, enum log_level level, struct slice message)
{
    struct line line;
    line.length = 0;
    compose(&line, sink, level, message);
    return is_writable(sink->fd) && write(sink->fd, line.bytes, line.length) == (ssize_t)line.length;
}

void log_sink_set_level(struct log_sink *sink, enum log_level level)
{
    atomic_store_explicit(&sink->level, level, memory_order_relaxed);
}

void log_write(struct log_sink *sink, enum log_level level, struct slice message)
{
    if (level < atomic_load_explicit(&sink->level, memory_order_relaxed))
        return;
    pthread_mutex_lock(&sink->mutex);
    if (sink->lost > 0) {
        char text[64];
        int length = snprintf(text, sizeof(text), "%llu log lines were lost", (unsigned long long)sink->lost);
        if (put(sink, LOG_LEVEL_WARNING, slice_of(text, (size_t)length)))
            sink->lost = 0;
    }
    if (sink->lost > 0 || !put(sink, level, message))
        sink->lost++;
    pthread_mutex_unlock(&sink->mutex);
}

void log_line(struct log_sink *sink, enum log_level level, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    log_write(sink, level, slice_of(text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1));
}

int log_sink_open(struct log_sink *sink, const char *daemon, const char *path, enum log_level level,
                  enum log_format format)
{
    int fd = STDERR_FILENO;
    if (path != NULL && path[0] != '\0') {
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
        if (fd < 0)
            return file_error(errno);
    }
    *sink = (struct log_sink){.fd = fd, .level = level, .format = format, .daemon = daemon};
    pthread_mutex_init(&sink->mutex, NULL);
    return 0;
}

void log_sink_close(struct log_sink *sink)
{
    if (sink->daemon == NULL)
        return;
    if (sink->fd != STDERR_FILENO)
        close(sink->fd);
    pthread_mutex_destroy(&sink->mutex);
    sink->daemon = NULL;
}
