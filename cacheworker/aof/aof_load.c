#include "cacheworker/aof/aof_load.h"

#include "cacheworker/aof/aof_check.h"
#include "cacheworker/aof/aof_reader.h"
#include "cacheworker/aof/place.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/rdb/rdb_load.h"
#include "cacheworker/repl/repl.h"
#include "cacheworker/script/scripting.h"
#include "common/base/errors.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    PIECE = 256 << 10, /* bytes read at a time */
    NAME_SHOWN = 64,   /* bytes of a command's */
};

/* One file, which is RDB, or commands, or commands behind RDB. */
struct file_load {
    struct cw_engine *engine;
    struct cw_place *place; /* borrowed */
    const char *name;
    struct buf *why;
    struct buf head; /* owned: the first bytes, until they tell what it is */
    bool is_known;
    bool is_rdb; /* what comes next is */
    struct cw_keyspace *fresh;
    struct cw_rdb_load rdb;
    struct cw_aof_reader reader;
    uint64_t taken;     /* bytes of the file */
    struct buf unknown; /* owned: the name of a command that there is not, as far as it is shown */
};

/* Also what cannot be opened: nothing is to take its place. */
static bool is_there(const struct storage *storage, const char *path)
{
    void *file;
    int error = storage->open_read(storage->context, path, &file);
    if (error < 0)
        return error == ERR_IO || error == ERR_DENIED;
    storage->close(storage->context, file);
    return true;
}

void cw_aof_name_file(const struct cw_engine *engine, const char *name, char path[FILE_NAME_MAX])
{
    snprintf(path, FILE_NAME_MAX, "%s/%s", engine->config.aof_directory, name);
    if (strcmp(name, engine->config.aof_name) == 0 && !is_there(engine->config.storage, path))
        snprintf(path, FILE_NAME_MAX, "%s", name);
}

static int refuse(const struct cw_engine *engine, struct buf *why, const char *name, uint64_t offset, int error)
{
    char path[FILE_NAME_MAX];
    cw_aof_name_file(engine, name, path);
    buf_add_format(why, "%s: at byte %" PRIu64 ": %s", path, offset, error_text(error));
    return error;
}

void cw_aof_name_manifest(const struct cw_engine *engine, char path[FILE_NAME_MAX])
{
    snprintf(path, FILE_NAME_MAX, "%s/%s.manifest", engine->config.aof_directory, engine->config.aof_name);
}

/* --- the two forms --- */

/* The first command that nobody knows, of the unit at the front. */
static void note_unknown(struct buf *name, struct slice bytes)
{
    static const struct resp_limits limits = RESP_LIMITS_DEFAULT;
    struct resp_request request = {0};
    int64_t used;
    while (buf_length(name) == 0 && bytes.length > 0 && (used = resp_request_read(&request, bytes, &limits)) > 0) {
        bool is_unknown = request.argc > 0 && command_resolve(request.argv, request.argc) == NULL;
        for (size_t i = 0; is_unknown && i < request.argv[0].length && i < NAME_SHOWN; i++) {
            char letter = request.argv[0].data[i];
            buf_add(name, letter > ' ' && letter <= '~' ? &letter : "?", 1);
        }
        bytes = slice_skip(bytes, (size_t)used);
    }
    resp_request_free(&request);
}

static int apply(void *context, struct slice bytes, size_t *ret_used)
{
    struct file_load *load = context;
    bool ack_wanted;
    int error = cw_engine_apply(load->engine, bytes, ret_used, &ack_wanted);
    cw_place_advance(load->place, *ret_used);
    if (error == ERR_PROTOCOL)
        note_unknown(&load->unknown, slice_skip(bytes, *ret_used));
    return error;
}

static int note(void *context, struct slice line)
{
    struct file_load *load = context;
    return load->engine->config.standalone ? 0 : cw_place_take(load->place, line);
}

static void begin_rdb(struct file_load *load)
{
    load->is_rdb = true;
    load->fresh = cw_engine_new_keyspace(load->engine);
    cw_rdb_load_init(&load->rdb, load->fresh);
}

static void begin_refusal(const struct file_load *load)
{
    char path[FILE_NAME_MAX];
    cw_aof_name_file(load->engine, load->name, path);
    buf_add_format(load->why, "%s: ", path);
}

static int refuse_rdb(const struct file_load *load, int error)
{
    begin_refusal(load);
    cw_rdb_reader_tell(&load->rdb.reader, error, load->why);
    return error;
}

static int install_rdb(struct file_load *load)
{
    struct slice programs = buf_slice(&load->rdb.programs);
    struct buf words = {0};
    int error = cw_scripting_check(load->engine->scripting, programs, &words);
    if (error < 0) {
        begin_refusal(load);
        buf_add_text(load->why, "a library of functions in it: ");
        buf_add_slice(load->why, buf_slice(&words));
    } else {
        load->rdb.origin.stream_id[0] = '\0'; /* of a server by itself: the increments do not say where they end */
        cw_repl_take_data(load->engine->repl, load->fresh, &load->rdb.origin, programs);
        *load->place = (struct cw_place){.history = load->rdb.origin.history};
        cw_rdb_load_free(&load->rdb);
        load->fresh = NULL;
        load->is_rdb = false;
        load->reader.whole = load->taken;
    }
    buf_free(&words);
    return error;
}

static int take_rdb(struct file_load *load, struct slice *bytes)
{
    size_t used = 0;
    int result = cw_rdb_read(&load->rdb.reader, *bytes, &used);
    load->taken += used;
    *bytes = slice_skip(*bytes, used);
    if (result < 0)
        return refuse_rdb(load, result);
    return result > 0 ? install_rdb(load) : 0;
}

static int take_commands(struct file_load *load, struct slice bytes)
{
    load->taken += bytes.length;
    int error = cw_aof_read(&load->reader, bytes);
    if (error == 0)
        return 0;
    refuse(load->engine, load->why, load->name, load->reader.whole, error);
    if (buf_length(&load->unknown) > 0)
        buf_add_format(load->why, " (unknown command '%.*s')", (int)buf_length(&load->unknown),
                       buf_slice(&load->unknown).data);
    return error;
}

static int take_known(struct file_load *load, struct slice bytes)
{
    int error = 0;
    while (error == 0 && load->is_rdb && bytes.length > 0)
        error = take_rdb(load, &bytes);
    return error == 0 && bytes.length > 0 ? take_commands(load, bytes) : error;
}

static int take(struct file_load *load, struct slice bytes)
{
    if (load->is_known)
        return take_known(load, bytes);
    buf_add_slice(&load->head, bytes);
    struct slice head = buf_slice(&load->head);
    enum cw_aof_form form = cw_aof_form_of(head);
    if (form == CW_AOF_IS_UNKNOWN)
        return 0;
    load->is_known = true;
    if (form == CW_AOF_IS_RDB)
        begin_rdb(load);
    int error = take_known(load, head);
    buf_free(&load->head);
    return error;
}

static bool ends_whole(const struct file_load *load)
{
    return buf_length(&load->head) == 0 && !load->is_rdb && cw_aof_reader_is_whole(&load->reader);
}

/* --- zeros at the end --- */

/* Calls `visit` with the bytes of a file from `first` to `end`, piece by piece, until it fails. */
static int look_through(const struct storage *storage, const char *path, uint64_t first, uint64_t end,
                        int (*visit)(void *context, uint64_t position, struct slice bytes), void *context)
{
    void *file;
    uint64_t position = 0;
    size_t length = 1;
    int error = storage->open_read(storage->context, path, &file);
    if (error < 0)
        return error;
    char *piece = mem_alloc(PIECE);
    while (error == 0 && length > 0 && position < end) {
        error = storage->read(storage->context, file, piece, PIECE, &length);
        if (error == 0 && position + length > first) {
            size_t begin = first > position ? (size_t)(first - position) : 0;
            size_t stop = end - position < length ? (size_t)(end - position) : length;
            error = visit(context, position + begin, slice_of(piece + begin, stop - begin));
        }
        position += length;
    }
    mem_free(piece);
    storage->close(storage->context, file);
    return error;
}

struct extent {
    uint64_t bytes;   /* of the file */
    uint64_t content; /* up to where it has other bytes than 0 */
};

static int measure(void *context, uint64_t position, struct slice bytes)
{
    struct extent *extent = context;
    extent->bytes = position + bytes.length;
    for (size_t i = bytes.length; i > 0; i--) {
        if (bytes.data[i - 1] == '\0')
            continue;
        extent->content = position + i;
        break;
    }
    return 0;
}

static int pass_over(void *context, struct slice bytes, size_t *ret_used)
{
    (void)context;
    *ret_used = bytes.length;
    return 0;
}

static int read_on(void *context, uint64_t position, struct slice bytes)
{
    (void)position;
    return cw_aof_read(context, bytes);
}

/* Whether what follows the last whole unit is a beginning of commands, and then nothing but zeros. */
static bool ends_in_zeros(const struct storage *storage, const char *path, uint64_t whole, struct extent *ret_extent)
{
    struct extent extent = {.content = whole};
    if (look_through(storage, path, whole, UINT64_MAX, measure, &extent) < 0 || extent.content == extent.bytes)
        return false;
    struct cw_aof_reader reader = {.apply = pass_over};
    int error = look_through(storage, path, whole, extent.content, read_on, &reader);
    cw_aof_reader_free(&reader);
    *ret_extent = extent;
    return error == 0;
}

/* --- a file --- */

struct found {
    uint64_t whole; /* bytes that are good */
    uint64_t bytes; /* of the file */
    uint64_t zeros; /* of these, at its end */
};

/* The end of a file that is not whole: 0 where it may be cut. */
static int judge_end(struct file_load *load, const char *path, int error, bool may_be_cut, struct found *found)
{
    struct extent extent;
    bool is_of_commands = load->is_known && !load->is_rdb;
    if (error == 0 && ends_whole(load))
        return 0;
    bool has_zeros = error == ERR_CORRUPT && is_of_commands && !load->reader.is_refused &&
                     ends_in_zeros(load->engine->config.storage, path, found->whole, &extent);
    if (has_zeros) {
        found->bytes = extent.bytes;
        found->zeros = extent.bytes - extent.content;
    }
    if (may_be_cut && (has_zeros || (error == 0 && is_of_commands))) {
        buf_clear(load->why);
        return 0;
    }
    if (has_zeros)
        buf_add_format(load->why, " (zeros up to its end, byte %" PRIu64 ")", extent.bytes);
    return error < 0
               ? error
               : refuse(load->engine, load->why, load->name, load->is_rdb ? load->taken : found->whole, ERR_TRUNCATED);
}

/* --- all of it --- */

bool cw_aof_is_there(const struct cw_engine *engine)
{
    char path[FILE_NAME_MAX];
    cw_aof_name_manifest(engine, path);
    return is_there(engine->config.storage, path) ||
           (engine->config.standalone && is_there(engine->config.storage, engine->config.aof_name));
}

static int read_text(const struct storage *storage, const char *path, struct buf *text)
{
    void *file;
    int error = storage->open_read(storage->context, path, &file);
    if (error < 0)
        return error;
    size_t length = 1;
    while (error == 0 && length > 0 && buf_length(text) <= CW_MANIFEST_BYTES_MAX) {
        char *place = buf_reserve(text, 4096);
        error = storage->read(storage->context, file, place, 4096, &length);
        if (error == 0)
            buf_commit(text, length);
    }
    storage->close(storage->context, file);
    return error == 0 && buf_length(text) > CW_MANIFEST_BYTES_MAX ? ERR_TOO_BIG : error;
}

/* As Redis 7 writes it when it finds the file of one before. */
static void imagine_manifest(const struct cw_engine *engine, struct cw_manifest *ret_manifest)
{
    *ret_manifest = (struct cw_manifest){.has_base = true, .base = {.number = 1}};
    snprintf(ret_manifest->base.name, sizeof(ret_manifest->base.name), "%s", engine->config.aof_name);
}

int cw_aof_read_manifest(const struct cw_engine *engine, struct cw_manifest *ret_manifest, struct buf *why)
{
    struct buf text = {0};
    char path[FILE_NAME_MAX];
    struct cw_manifest_fault fault = {.words = NULL};
    cw_aof_name_manifest(engine, path);
    int error = read_text(engine->config.storage, path, &text);
    if (error == ERR_NOT_FOUND)
        return error;
    if (error == 0)
        error = cw_manifest_parse(buf_slice(&text), ret_manifest, &fault);
    buf_free(&text);
    if (error < 0 && fault.words != NULL)
        buf_add_format(why, "%s: line %zu: %s", path, fault.line, fault.words);
    else if (error < 0)
        buf_add_format(why, "%s: %s", path, error_text(error));
    return error;
}

static bool is_empty(const struct cw_engine *engine, const char *name)
{
    const struct storage *storage = engine->config.storage;
    char path[FILE_NAME_MAX], byte;
    void *file;
    size_t length = 1;
    cw_aof_name_file(engine, name, path);
    if (storage->open_read(storage->context, path, &file) < 0)
        return false;
    int error = storage->read(storage->context, file, &byte, 1, &length);
    storage->close(storage->context, file);
    return error == 0 && length == 0;
}

/* An increment that was announced and has got nothing yet: the one before is still the last. */
static void forget_empty(const struct cw_engine *engine, struct cw_manifest *manifest)
{
    while (manifest->count > 1 && is_empty(engine, cw_manifest_newest(manifest)->name))
        manifest->count--;
}

/* --- file by file --- */

struct cw_aof_input {
    struct cw_engine *engine; /* borrowed */
    struct cw_aof_loaded loaded;
    struct cw_place place;
    size_t next; /* of the files: the base, then the increments */
    void *file;  /* owned; NULL: none is open */
    struct file_load load;
    char path[FILE_NAME_MAX];
    char *piece; /* owned */
    uint64_t read;
    uint64_t total;
};

static size_t count_files(const struct cw_manifest *manifest)
{
    return manifest->count + (manifest->has_base ? 1 : 0);
}

static const char *name_of(const struct cw_manifest *manifest, size_t index)
{
    bool is_base = manifest->has_base && index == 0;
    return is_base ? manifest->base.name : manifest->increments[index - manifest->has_base].name;
}

static uint64_t size_of(const struct cw_engine *engine, const char *name)
{
    const struct storage *storage = engine->config.storage;
    char path[FILE_NAME_MAX];
    void *file;
    cw_aof_name_file(engine, name, path);
    if (storage->size == NULL || storage->open_read(storage->context, path, &file) < 0)
        return 0;
    uint64_t bytes = storage->size(storage->context, file);
    storage->close(storage->context, file);
    return bytes;
}

int cw_aof_input_open(struct cw_engine *engine, struct cw_aof_input **ret_input, struct buf *why)
{
    struct cw_aof_input *input = mem_zero(sizeof(*input));
    input->engine = engine;
    input->piece = mem_alloc(PIECE);
    *ret_input = input;
    int error = cw_aof_read_manifest(engine, &input->loaded.manifest, why);
    if (error < 0 && error != ERR_NOT_FOUND)
        return error;
    if (error == ERR_NOT_FOUND)
        imagine_manifest(engine, &input->loaded.manifest);
    size_t count = input->loaded.manifest.count;
    if (count > 0)
        input->loaded.last_number = cw_manifest_newest(&input->loaded.manifest)->number;
    forget_empty(engine, &input->loaded.manifest);
    input->loaded.has_empty = input->loaded.manifest.count < count;
    for (size_t i = 0; i < count_files(&input->loaded.manifest); i++)
        input->total += size_of(engine, name_of(&input->loaded.manifest, i));
    return 0;
}

static int open_next(struct cw_aof_input *input, struct buf *why)
{
    const struct cw_engine *engine = input->engine;
    const struct storage *storage = engine->config.storage;
    const char *name = name_of(&input->loaded.manifest, input->next);
    cw_aof_name_file(engine, name, input->path);
    int error = storage->open_read(storage->context, input->path, &input->file);
    if (error < 0) {
        input->file = NULL;
        return refuse(engine, why, name, 0, error);
    }
    input->load = (struct file_load){.engine = input->engine, .place = &input->place, .name = name, .why = why};
    input->load.reader = (struct cw_aof_reader){.apply = apply, .note = note, .context = &input->load};
    if (engine->config.standalone) /* a group's stream goes on from file to file */
        cw_engine_set_stream_database(input->engine, 0);
    return 0;
}

static void close_open(struct cw_aof_input *input)
{
    if (input->file == NULL)
        return;
    const struct storage *storage = input->engine->config.storage;
    storage->close(storage->context, input->file);
    input->file = NULL;
    if (input->load.fresh != NULL) {
        cw_rdb_load_free(&input->load.rdb);
        cw_keyspace_destroy(input->load.fresh);
    }
    buf_free(&input->load.head);
    cw_aof_reader_free(&input->load.reader);
    buf_free(&input->load.unknown);
}

static void note_end(struct cw_aof_loaded *loaded, const struct found *found)
{
    loaded->newest_bytes = found->whole;
    loaded->cut_bytes = found->bytes - found->whole;
    loaded->zero_bytes = found->zeros;
    loaded->bytes += found->whole;
}

/* It is in use before; what an older file has was synced before the next one got anything. */
static int make_durable(const struct cw_aof_input *input)
{
    const struct storage *storage = input->engine->config.storage;
    if (storage->sync == NULL)
        return 0;
    if (storage->sync(storage->context, input->path) == 0)
        return 0;
    return refuse(input->engine, input->load.why, input->load.name, input->load.taken, ERR_IO); /* it is not damaged */
}

/* The file was read to its end, or as far as this error. Fewer bytes are good than there are only where that may be. */
static int end_file(struct cw_aof_input *input, int error)
{
    bool is_last = input->next + 1 == count_files(&input->loaded.manifest);
    struct found found = {.whole = input->load.reader.whole, .bytes = input->load.taken};
    bool may_be_cut = is_last && input->engine->settings.aof_load_truncated;
    error = judge_end(&input->load, input->path, error, may_be_cut, &found);
    if (error == 0 && is_last)
        error = make_durable(input);
    close_open(input);
    if (error == 0)
        note_end(&input->loaded, &found);
    input->next++;
    return error;
}

static int read_piece(struct cw_aof_input *input, size_t bytes, size_t *ret_length)
{
    const struct storage *storage = input->engine->config.storage;
    size_t wanted = bytes < PIECE ? bytes : PIECE;
    int error = storage->read(storage->context, input->file, input->piece, wanted, ret_length);
    if (error < 0)
        return refuse(input->engine, input->load.why, input->load.name, input->load.taken, error);
    input->read += *ret_length;
    return *ret_length > 0 ? take(&input->load, slice_of(input->piece, *ret_length)) : 0;
}

int cw_aof_input_read(struct cw_aof_input *input, size_t bytes, struct buf *why)
{
    while (bytes > 0) {
        size_t length = 0;
        if (input->file == NULL && input->next == count_files(&input->loaded.manifest)) {
            input->loaded.history = cw_place_history(&input->place);
            return 1;
        }
        int error = input->file == NULL ? open_next(input, why) : 0;
        if (error < 0)
            return error;
        input->load.why = why;
        error = read_piece(input, bytes, &length);
        if (error < 0 || length == 0)
            error = end_file(input, error);
        if (error < 0)
            return error;
        bytes -= length;
    }
    return 0;
}

const struct cw_aof_loaded *cw_aof_input_loaded(const struct cw_aof_input *input)
{
    return &input->loaded;
}

void cw_aof_input_progress(const struct cw_aof_input *input, uint64_t *ret_read, uint64_t *ret_total)
{
    *ret_read = input->read;
    *ret_total = input->total;
}

void cw_aof_input_close(struct cw_aof_input *input)
{
    if (input == NULL)
        return;
    close_open(input);
    mem_free(input->piece);
    mem_free(input);
}
