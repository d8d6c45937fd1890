#include "cacheworker/engine/loading.h"

#include "cacheworker/engine/state.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/repl/repl.h"
#include "cacheworker/script/scripting.h"
#include "common/base/errors.h"

#include <inttypes.h>
#include <stdio.h>

enum { SLICE = 256 << 10 }; /* bytes: a few milliseconds, whatever they are */

static void set_aside_name(const struct cw_engine *engine, char name[FILE_NAME_MAX])
{
    snprintf(name, FILE_NAME_MAX, "%s" CW_SET_ASIDE, engine->config.rdb_file);
}

static bool has_set_aside(const struct cw_engine *engine)
{
    const struct storage *storage = engine->config.storage;
    char name[FILE_NAME_MAX];
    void *file;
    set_aside_name(engine, name);
    if (storage->open_read(storage->context, name, &file) < 0)
        return false;
    storage->close(storage->context, file);
    return true;
}

/* 1 at the end of the file, 0 before it, or an error. */
static int read_slice(struct cw_engine *engine)
{
    size_t slice = engine->config.loading_slice_bytes > 0 ? engine->config.loading_slice_bytes : SLICE;
    return cw_rdb_input_read(&engine->loading.input, slice);
}

static void count_keys(struct cw_engine *engine)
{
    for (unsigned i = 0; i < engine->config.databases; i++)
        engine->loaded_keys += cw_keyspace_count(engine->keyspace, i);
}

/* The whole file was read. */
static int install(struct cw_engine *engine, struct buf *why)
{
    struct cw_loading *loading = &engine->loading;
    const struct cw_rdb_load *load = &loading->input.load;
    struct buf words = {0};
    int error = cw_scripting_check(engine->scripting, buf_slice(&load->programs), &words);
    if (error < 0) {
        buf_add_format(why, "%s cannot be loaded: a library of functions in it: ", engine->config.rdb_file);
        buf_add_slice(why, buf_slice(&words));
    } else {
        cw_repl_take_data(engine->repl, loading->fresh, &load->origin, buf_slice(&load->programs));
        loading->fresh = NULL;
        count_keys(engine);
    }
    buf_free(&words);
    return error;
}

static void leave(struct cw_loading *loading)
{
    loading->is_running = false;
    cw_rdb_input_close(&loading->input);
    cw_keyspace_destroy(loading->fresh);
    loading->fresh = NULL;
}

/* 0: goes on; what is to be said is in `why`. */
static int fail(struct cw_engine *engine, int error, struct buf *why)
{
    struct cw_loading *loading = &engine->loading;
    if (buf_length(why) == 0) {
        buf_add_format(why, "%s cannot be loaded: ", engine->config.rdb_file);
        cw_rdb_reader_tell(&loading->input.load.reader, error, why);
    }
    leave(loading);
    cw_repl_note_damage(engine->repl, error);
    bool is_damaged = error == ERR_CORRUPT || error == ERR_UNSUPPORTED || error == ERR_TRUNCATED;
    if (engine->config.standalone && !(is_damaged && engine->settings.sets_aside_damaged_data))
        return error;
    loading->sets_aside = is_damaged;
    if (is_damaged)
        buf_add_format(why, "; it is set aside as %s" CW_SET_ASIDE, engine->config.rdb_file);
    buf_add_text(why, "; this node begins without data");
    return 0;
}

static int go_on(struct cw_engine *engine, struct buf *why)
{
    int result = read_slice(engine);
    if (result == 0)
        return 0;
    if (result > 0)
        result = install(engine, why);
    if (result < 0)
        return fail(engine, result, why);
    leave(&engine->loading);
    return 0;
}

int cw_loading_create(struct cw_engine *engine, struct buf *why)
{
    struct cw_loading *loading = &engine->loading;
    const struct storage *storage = engine->config.storage;
    if (storage == NULL || cw_aof_has_data(engine))
        return 0;
    loading->fresh = cw_engine_new_keyspace(engine);
    int error = cw_rdb_input_open(&loading->input, storage, engine->config.rdb_file, loading->fresh);
    if (error == ERR_NOT_FOUND) {
        leave(loading);
        if (!engine->config.standalone && has_set_aside(engine))
            cw_repl_note_damage(engine->repl, ERR_CORRUPT);
        return 0;
    }
    loading->is_running = true;
    error = error < 0 ? fail(engine, error, why) : go_on(engine, why);
    if (error == 0)
        buf_add_slice(&loading->note, buf_slice(why));
    return error;
}

void cw_loading_free(struct cw_loading *loading)
{
    leave(loading);
    buf_free(&loading->note);
}

/* Says what is to be said, and takes the file out of the way. */
static void tell(struct cw_engine *engine, struct slice words)
{
    struct cw_loading *loading = &engine->loading;
    effect_log(engine->effects, LOG_LEVEL_ERROR, "%.*s", (int)words.length, words.data);
    if (!loading->sets_aside)
        return;
    loading->sets_aside = false;
    char name[FILE_NAME_MAX];
    set_aside_name(engine, name);
    effect_file(engine->effects, &(struct file_effect){.operation = FILE_RENAME, .new_name = name},
                engine->config.rdb_file, 0, SLICE_LITERAL(""));
}

void cw_loading_start(struct cw_engine *engine)
{
    struct cw_loading *loading = &engine->loading;
    loading->began_us = engine->wall_us;
    loading->began_ns = engine->now_ns;
    if (buf_length(&loading->note) > 0)
        tell(engine, buf_slice(&loading->note));
    buf_free(&loading->note);
}

void cw_loading_turn(struct cw_engine *engine)
{
    struct buf why = {0};
    int error = go_on(engine, &why);
    engine->turn_wanted = true;
    if (buf_length(&why) > 0)
        tell(engine, buf_slice(&why));
    buf_free(&why);
    if (error < 0) {
        engine->loading.has_failed = true;
        effect_exit(engine->effects, 1);
    } else if (!engine->loading.is_running) {
        effect_log(engine->effects, LOG_LEVEL_NOTICE, "%" PRIu64 " keys loaded in %" PRId64 " ms", engine->loaded_keys,
                   (engine->now_ns - engine->loading.began_ns) / NS_PER_MS);
        cw_aof_start(engine);
    }
}

void cw_loading_info(const struct cw_engine *engine, struct buf *out)
{
    const struct cw_loading *loading = &engine->loading;
    if (!loading->is_running)
        return;
    const struct cw_rdb_input *input = &loading->input;
    uint64_t total = input->total > input->read ? input->total : input->read;
    double share = total > 0 ? (double)input->read / (double)total : 0;
    int64_t elapsed_s = (engine->now_ns - loading->began_ns) / NS_PER_S;
    int64_t left_s = elapsed_s > 0 && share > 0 ? (int64_t)((double)elapsed_s * (1 - share) / share) : 1;
    buf_add_format(out,
                   "loading_start_time:%" PRId64 "\r\nloading_total_bytes:%" PRIu64 "\r\nloading_rdb_used_mem:0\r\n"
                   "loading_loaded_bytes:%" PRIu64 "\r\nloading_loaded_perc:%.2f\r\nloading_eta_seconds:%" PRId64
                   "\r\n",
                   loading->began_us / 1000000, total, input->read, share * 100, left_s);
}
