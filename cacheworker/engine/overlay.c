#include "cacheworker/engine/overlay.h"

#include "cacheworker/engine/state.h"
#include "cacheworker/repl/repl.h"
#include "common/base/errors.h"
#include "common/base/number.h"
#include "common/conf/redis_conf.h"

enum { FILE_MAX = 16 << 20, PIECE = 16 << 10 };

/* --- reading --- */

/* The words behind the first, with a space between. */
static void join_values(const struct redis_conf *line, struct buf *out)
{
    for (size_t i = 1; i < line->parser.argc; i++) {
        if (i > 1)
            buf_add_text(out, " ");
        buf_add_slice(out, line->parser.argv[i]);
    }
}

static int take_parameter(struct cw_engine *engine, const struct redis_conf *line, struct buf *reason)
{
    struct buf value = {0};
    join_values(line, &value);
    struct slice pair[] = {line->parser.argv[0], buf_slice(&value)}, name;
    int error = cw_settings_set(engine, pair, 1, &name, reason);
    if (error == ERR_NOT_FOUND)
        buf_add_text(reason, "there is no such parameter");
    buf_free(&value);
    return error;
}

/* "replicaof host port", or "no one". */
static int take_master(struct cw_engine *engine, const struct redis_conf *line, struct buf *reason)
{
    const struct slice *words = line->parser.argv;
    struct address *master = &engine->config.replicaof;
    uint64_t port;
    bool is_whole = engine->config.standalone && line->parser.argc == 3;
    if (is_whole && slice_equal_nocase(words[1], "no") && slice_equal_nocase(words[2], "one")) {
        *master = (struct address){.port = 0};
        return 0;
    }
    if (!is_whole || words[1].length == 0 || words[1].length >= sizeof(master->host) ||
        memchr(words[1].data, '\0', words[1].length) != NULL || number_parse_u64(words[2], &port) < 0 ||
        port > UINT16_MAX) {
        buf_add_text(reason, "this is nobody to be followed");
        return ERR_INVALID;
    }
    *master = (struct address){.port = (uint16_t)port};
    memcpy(master->host, words[1].data, words[1].length);
    return 0;
}

static int take_users(struct cw_engine *engine, struct slice users, const char *origin, struct buf *complaints)
{
    struct cw_acl *acl = &engine->access.acl;
    if (users.length == 0)
        return 0;
    int error = cw_acl_read(acl, users, origin, complaints);
    if (error < 0) {
        buf_add_text(complaints, "\n");
        return error;
    }
    cw_acl_bury(acl); /* nobody is connected yet */
    bool names_default = memmem(users.data, users.length, "user default ", 13) != NULL;
    if (!names_default && engine->settings.requirepass.length > 0)
        cw_acl_set_default_password(acl, engine->settings.requirepass);
    return 0;
}

/* Takes all lines that can be taken; the error of the last that cannot. */
static int take_lines(struct cw_engine *engine, struct slice text, const char *origin)
{
    struct buf *complaints = &engine->overlay.complaints;
    struct redis_conf reader = {.rest = text};
    struct buf users = {0}, reason = {0};
    int result = 0;
    for (int more = redis_conf_next(&reader); more != 0; more = redis_conf_next(&reader)) {
        int error = more < 0 ? more : 0;
        buf_clear(&reason);
        if (error < 0) {
            buf_add_text(&reason, "unbalanced quotes");
        } else if (slice_equal_nocase(reader.parser.argv[0], "user")) {
            buf_add_slice(&users, reader.line);
            buf_add_text(&users, "\n");
        } else if (slice_equal_nocase(reader.parser.argv[0], "replicaof")) {
            error = take_master(engine, &reader, &reason);
        } else {
            error = take_parameter(engine, &reader, &reason);
        }
        if (error < 0) {
            result = error;
            struct slice name = more < 0 ? slice_of(NULL, 0) : reader.parser.argv[0]; /* its value may be a secret */
            buf_add_format(complaints, "%s:%zu: %.*s: %.*s\n", origin, reader.number, (int)name.length, name.data,
                           (int)buf_length(&reason), buf_slice(&reason).data);
        }
    }
    int error = take_users(engine, buf_slice(&users), origin, complaints);
    redis_conf_free(&reader);
    buf_free(&users);
    buf_free(&reason);
    return error < 0 ? error : result;
}

static int read_file(const struct storage *storage, struct buf *ret_text)
{
    void *file;
    int error = storage->open_read(storage->context, CW_OVERLAY_FILE, &file);
    if (error < 0)
        return error;
    for (;;) {
        size_t length = 0;
        error = storage->read(storage->context, file, buf_reserve(ret_text, PIECE), PIECE, &length);
        if (error < 0 || length == 0)
            break;
        buf_commit(ret_text, length);
        if (buf_length(ret_text) > FILE_MAX) {
            error = ERR_TOO_BIG;
            break;
        }
    }
    storage->close(storage->context, file);
    return error;
}

/* --- writing --- */

static void write_line(const struct cw_engine *engine, size_t index, struct buf *out)
{
    struct buf value = {0};
    cw_settings_value(engine, index, &value);
    buf_add_format(out, "%s ", cw_settings_name(index));
    redis_conf_add_quoted(out, buf_slice(&value));
    buf_add_text(out, "\n");
    buf_free(&value);
}

static bool has_line(struct slice text, struct slice line)
{
    while (text.length >= line.length) {
        if (memcmp(text.data, line.data, line.length) == 0)
            return true;
        const char *end = memchr(text.data, '\n', text.length);
        text = slice_skip(text, end != NULL ? (size_t)(end - text.data) + 1 : text.length);
    }
    return false;
}

/* Of all that can be set; but for lines that stand in `known`. */
static void write_parameters(const struct cw_engine *engine, struct slice known, struct buf *out)
{
    struct buf line = {0};
    for (size_t i = 0; i < cw_settings_count(); i++) {
        if (!cw_settings_is_settable(i))
            continue;
        buf_clear(&line);
        write_line(engine, i, &line);
        if (!has_line(known, buf_slice(&line)))
            buf_add_slice(out, buf_slice(&line));
    }
    buf_free(&line);
}

static void write_master(const struct cw_engine *engine, struct buf *out)
{
    const struct address none = {.port = 0}, *base = &engine->overlay.base_master;
    const struct address *master = cw_repl_stock_master(engine->repl);
    if (address_equal(master != NULL ? master : &none, base->host[0] != '\0' ? base : &none))
        return;
    if (master == NULL) {
        buf_add_text(out, "replicaof no one\n");
        return;
    }
    buf_add_text(out, "replicaof ");
    redis_conf_add_quoted(out, slice_text(master->host));
    buf_add_format(out, " %u\n", master->port);
}

static void write_overlay(const struct cw_engine *engine, struct buf *out)
{
    buf_add_text(out, "# CONFIG REWRITE keeps here what CONFIG SET and ACL SETUSER changed: read last of all.\n");
    write_parameters(engine, buf_slice(&engine->overlay.base_parameters), out);
    write_master(engine, out);
    struct buf users = {0};
    cw_acl_write(&engine->access.acl, &users);
    if (!slice_equal(buf_slice(&users), buf_slice(&engine->overlay.base_users)))
        buf_add_slice(out, buf_slice(&users));
    buf_free(&users);
}

static int write_file(const struct storage *storage, struct slice text)
{
    void *file;
    int error = storage->open_write(storage->context, CW_OVERLAY_FILE, &file);
    if (error < 0)
        return error;
    error = storage->write(storage->context, file, text);
    if (error == 0)
        return storage->commit(storage->context, file);
    storage->close(storage->context, file);
    return error;
}

int cw_overlay_write(struct cw_engine *engine)
{
    if (engine->config.storage == NULL)
        return ERR_UNSUPPORTED;
    struct buf text = {0};
    write_overlay(engine, &text);
    int error = write_file(engine->config.storage, buf_slice(&text));
    buf_free(&text);
    return error;
}

/* --- an engine's --- */

int cw_overlay_create(struct cw_engine *engine)
{
    struct cw_overlay *overlay = &engine->overlay;
    int error = take_lines(engine, engine->config.parameters, "configuration");
    if (error < 0)
        return ERR_INVALID;
    write_parameters(engine, slice_of(NULL, 0), &overlay->base_parameters);
    cw_acl_write(&engine->access.acl, &overlay->base_users);
    if (engine->config.storage == NULL)
        return 0;
    overlay->base_master = engine->config.replicaof;
    struct buf text = {0};
    error = read_file(engine->config.storage, &text);
    if (error == 0)
        error = take_lines(engine, buf_slice(&text), CW_OVERLAY_FILE);
    else if (error != ERR_NOT_FOUND)
        buf_add_format(&overlay->complaints, "%s: %s\n", CW_OVERLAY_FILE, error_text(error));
    buf_free(&text);
    return 0; /* the worker can do without it, and says so */
}

void cw_overlay_destroy(struct cw_overlay *overlay)
{
    buf_free(&overlay->base_parameters);
    buf_free(&overlay->base_users);
    buf_free(&overlay->complaints);
}

void cw_overlay_complain(struct cw_engine *engine)
{
    struct slice rest = buf_slice(&engine->overlay.complaints);
    while (rest.length > 0) {
        const char *end = memchr(rest.data, '\n', rest.length);
        size_t length = end != NULL ? (size_t)(end - rest.data) : rest.length;
        effect_log(engine->effects, LOG_LEVEL_WARNING, "%.*s", (int)length, rest.data);
        rest = slice_skip(rest, end != NULL ? length + 1 : length);
    }
    buf_free(&engine->overlay.complaints);
}
