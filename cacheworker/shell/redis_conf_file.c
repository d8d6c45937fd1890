#include "cacheworker/shell/redis_conf_file.h"

#include "cacheworker/engine/settings.h"
#include "common/base/errors.h"
#include "common/base/number.h"
#include "common/conf/redis_conf.h"
#include "common/shell/conf_libconfig.h"
#include "common/shell/file_atomic.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

enum { FILE_MAX = 16 << 20, INCLUDES_MAX = 16 };

struct conf_file {
    const char *path;
    unsigned depth; /* of includes */
    struct worker_settings *settings;
    struct redis_conf reader;
    struct buf *save; /* save points so far, of all files */
    struct buf *why;
};

/* --- what is said --- */

static struct slice directive(const struct conf_file *file)
{
    return file->reader.parser.argv[0];
}

static void note(const struct conf_file *file, const char *words)
{
    struct slice name = directive(file);
    fprintf(stderr, "%s:%zu: %.*s: %s\n", file->path, file->reader.number, (int)name.length, name.data, words);
}

static int fail(const struct conf_file *file, int error, struct slice words)
{
    buf_add_format(file->why, "%s:%zu: %.*s", file->path, file->reader.number, (int)words.length, words.data);
    return error;
}

/* --- options of the worker's own --- */

/* Names that mean an option of ours, with the name that it has here. */
static const struct renamed {
    const char *directive, *option;
} renamed[] = {
    {"aclfile", "aclfile"},
    {"appenddirname", "appenddirname"},
    {"appendfilename", "appendfilename"},
    {"bind", "bind"},
    {"client-query-buffer-limit", "client-query-buffer-limit"},
    {"databases", "databases"},
    {"dbfilename", "dbfilename"},
    {"dir", "dir"},
    {"logfile", "log_file"},
    {"maxclients", "maxclients"},
    {"maxmemory", "maxmemory"},
    {"maxmemory-policy", "maxmemory-policy"},
    {"pidfile", "pid_file"},
    {"port", "port"},
    {"repl-backlog-size", "repl-backlog-size"},
    {"requirepass", "requirepass"},
    {"unixsocket", "unixsocket"},
};

static int set_option(struct conf_file *file, const char *name, struct slice value)
{
    const struct conf_option *option = conf_find(worker_program.schema, slice_text(name));
    struct buf reason = {0};
    buf_add_format(&reason, "%s: ", name);
    CHECK(option != NULL);
    int error = conf_set_checked(option, file->settings, &value, 1, &reason);
    if (error < 0)
        error = fail(file, error, buf_slice(&reason));
    buf_free(&reason);
    return error;
}

/* The first address; -::1 is one that may be missing, * is any. */
static int set_bind(struct conf_file *file)
{
    struct slice address = file->reader.parser.argv[1];
    if (file->reader.parser.argc > 2)
        note(file, "only the first address is listened at");
    if (address.length > 0 && address.data[0] == '-')
        address = slice_skip(address, 1);
    if (slice_equal(address, SLICE_LITERAL("*")))
        address = SLICE_LITERAL("0.0.0.0");
    return set_option(file, "bind", address);
}

static int set_log_level(struct conf_file *file)
{
    static const char *const levels[][2] = {
        {"debug", "debug"}, {"verbose", "info"}, {"notice", "notice"}, {"warning", "warning"}, {"nothing", "error"}};
    for (size_t i = 0; i < ARRAY_LENGTH(levels); i++) {
        if (slice_equal_nocase(file->reader.parser.argv[1], levels[i][0]))
            return set_option(file, "log_level", slice_text(levels[i][1]));
    }
    return fail(file, ERR_INVALID, SLICE_LITERAL("loglevel: expected debug, verbose, notice, warning or nothing"));
}

static int set_debug_command(struct conf_file *file)
{
    struct slice value = file->reader.parser.argv[1];
    if (!slice_equal_nocase(value, "local"))
        return set_option(file, "enable-debug-command", value);
    note(file, "there is no distinction of local clients: DEBUG stays out of use");
    return 0;
}

static int set_replicaof(struct conf_file *file)
{
    const struct resp_request *words = &file->reader.parser;
    uint64_t port;
    if (words->argc != 3 || words->argv[1].length >= ADDRESS_HOST_MAX)
        return fail(file, ERR_INVALID, SLICE_LITERAL("wrong number of arguments"));
    if (number_parse_u64(words->argv[2], &port) < 0 || port > UINT16_MAX)
        return fail(file, ERR_INVALID, SLICE_LITERAL("Invalid master port"));
    if (!file->settings->standalone)
        note(file, "sentinels say who follows whom");
    file->settings->replicaof = (struct address){.port = (uint16_t)port};
    memcpy(file->settings->replicaof.host, words->argv[1].data, words->argv[1].length);
    return 0;
}

/* --- the rest --- */

static const struct reason {
    const char *directive, *words;
} without_effect[] = {
    {"loadmodule", "there are no modules"},
    {"module", "there are no modules"},
    {"rename-command", "commands keep their names; ACL rules forbid them to users"},
    {"sentinel", "respite-sentinel has a configuration of its own"},
};

static void keep_line(struct conf_file *file)
{
    buf_add_slice(&file->settings->parameters, file->reader.line);
    buf_add_text(&file->settings->parameters, "\n");
}

/* Appends the values of the line, with a space before each but the first. */
static void add_values(const struct conf_file *file, struct buf *out)
{
    const struct resp_request *words = &file->reader.parser;
    for (size_t i = 1; i < words->argc; i++) {
        buf_add_text(out, buf_length(out) > 0 ? " " : "");
        buf_add_slice(out, words->argv[i]);
    }
}

/* Whether the line's parameter may have that value, and is to be kept with it. */
static int judge(const struct conf_file *file, struct slice value, bool *ret_takes)
{
    struct cw_config config;
    struct buf reason = {0};
    worker_settings_config(file->settings, &config);
    int error = 0;
    *ret_takes = false;
    switch (cw_settings_judge(&config, directive(file), value, &reason)) {
    case CW_SETTINGS_TAKES: *ret_takes = true; break;
    case CW_SETTINGS_SO_ANYWAY: break;
    case CW_SETTINGS_NO_EFFECT:
        buf_add(&reason, "", 1);
        note(file, buf_slice(&reason).data);
        break;
    case CW_SETTINGS_WRONG: error = fail(file, ERR_INVALID, buf_slice(&reason)); break;
    case CW_SETTINGS_UNKNOWN:
        error = fail(file, ERR_INVALID, SLICE_LITERAL("Bad directive or wrong number of arguments"));
        break;
    }
    buf_free(&reason);
    return error;
}

static int take_parameter(struct conf_file *file)
{
    struct buf value = {0};
    bool takes;
    add_values(file, &value);
    int error = judge(file, buf_slice(&value), &takes);
    if (error == 0 && takes)
        keep_line(file);
    buf_free(&value);
    return error;
}

/* Points add up over the lines; "" is none of those before it. */
static int take_save(struct conf_file *file)
{
    const struct resp_request *words = &file->reader.parser;
    bool takes;
    if (words->argc == 2 && words->argv[1].length == 0)
        buf_clear(file->save);
    else
        add_values(file, file->save);
    int error = judge(file, buf_slice(file->save), &takes);
    if (!takes)
        buf_clear(file->save);
    return error;
}

static int read_file(struct conf_file *file);

static int include(struct conf_file *file)
{
    struct slice pattern = file->reader.parser.argv[1];
    char path[4096];
    if (file->depth == INCLUDES_MAX || pattern.length >= sizeof(path))
        return fail(file, ERR_INVALID, SLICE_LITERAL("include: too deep, or too long"));
    memcpy(path, pattern.data, pattern.length);
    path[pattern.length] = '\0';
    glob_t found;
    if (glob(path, GLOB_NOMAGIC, NULL, &found) != 0)
        return 0; /* a pattern that matches nothing; a plain name is tried as it stands */
    int error = 0;
    for (size_t i = 0; i < found.gl_pathc && error == 0; i++) {
        struct conf_file included = {
            .path = found.gl_pathv[i],
            .depth = file->depth + 1,
            .settings = file->settings,
            .save = file->save,
            .why = file->why,
        };
        error = read_file(&included);
    }
    globfree(&found);
    return error;
}

static int take_line(struct conf_file *file)
{
    const struct resp_request *words = &file->reader.parser;
    struct slice name = words->argv[0];
    for (size_t i = 0; i < ARRAY_LENGTH(without_effect); i++) {
        if (slice_equal_nocase(name, without_effect[i].directive)) {
            note(file, without_effect[i].words);
            return 0;
        }
    }
    if (slice_equal_nocase(name, "user")) {
        keep_line(file);
        return 0;
    }
    if (slice_equal_nocase(name, "save"))
        return take_save(file);
    if (words->argc < 2)
        return fail(file, ERR_INVALID, SLICE_LITERAL("wrong number of arguments"));
    if (slice_equal_nocase(name, "include"))
        return include(file);
    if (slice_equal_nocase(name, "bind"))
        return set_bind(file);
    if (slice_equal_nocase(name, "loglevel"))
        return set_log_level(file);
    if (slice_equal_nocase(name, "replicaof") || slice_equal_nocase(name, "slaveof"))
        return set_replicaof(file);
    if (slice_equal_nocase(name, "enable-debug-command"))
        return set_debug_command(file);
    for (size_t i = 0; i < ARRAY_LENGTH(renamed); i++) {
        if (slice_equal_nocase(name, renamed[i].directive))
            return words->argc == 2 ? set_option(file, renamed[i].option, words->argv[1])
                                    : fail(file, ERR_INVALID, SLICE_LITERAL("wrong number of arguments"));
    }
    return take_parameter(file);
}

static int read_lines(struct conf_file *file, struct slice text)
{
    file->reader.rest = text;
    for (;;) {
        int more = redis_conf_next(&file->reader);
        if (more == 0)
            return 0;
        int error =
            more < 0 ? fail(file, more, SLICE_LITERAL("Unbalanced quotes in configuration line")) : take_line(file);
        if (error < 0)
            return error;
    }
}

static int read_file(struct conf_file *file)
{
    struct buf text = {0};
    int error = file_read_all(AT_FDCWD, file->path, FILE_MAX, &text);
    if (error < 0)
        buf_add_format(file->why, "%s: %s", file->path, error_text(error));
    else
        error = read_lines(file, buf_slice(&text));
    redis_conf_free(&file->reader);
    buf_free(&text);
    return error;
}

int redis_conf_file_read(const char *path, struct worker_settings *settings, struct buf *why)
{
    struct buf save = {0};
    struct conf_file file = {.path = path, .settings = settings, .save = &save, .why = why};
    int error = read_file(&file);
    if (buf_length(&save) > 0)
        buf_add_format(&settings->parameters, "save %.*s\n", (int)buf_length(&save), buf_slice(&save).data);
    buf_free(&save);
    return error;
}
