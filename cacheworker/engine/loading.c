#include "cacheworker/engine/loading.h"

#include "cacheworker/aof/aof_load.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/repl/repl.h"
#include "cacheworker/script/scripting.h"
#include "common/base/errors.h"

#include <inttypes.h>
#include <stdio.h>

enum {                        /* bytes */
       SLICE = 256 << 10,     /* a few milliseconds, whatever they are */
       FIRST_SLICE = 8 << 20, /* before anybody can ask: a fraction of a second, in which most servers have all */
};

/* --- what is set aside --- */

static bool is_there(const struct cw_engine *engine, const char *name)
{
    const struct storage *storage = engine->config.storage;
    void *file;
    int error = storage->open_read(storage->context, name, &file);
    if (error < 0)
        return error == ERR_IO || error == ERR_DENIED;
    storage->close(storage->context, file);
    return true;
}

static void name_set_aside(const char *name, unsigned number, char set_aside[FILE_NAME_MAX])
{
    if (number > 1)
        snprintf(set_aside, FILE_NAME_MAX, "%s" CW_SET_ASIDE "-%u", name, number);
    else
        snprintf(set_aside, FILE_NAME_MAX, "%s" CW_SET_ASIDE, name);
}

/* Whether this node has nothing but what it once set aside: then it may miss what it acknowledged. */
static void look_at_set_aside(struct cw_engine *engine)
{
    char rdb[FILE_NAME_MAX], aof[FILE_NAME_MAX];
    if (engine->config.standalone || cw_repl_history(engine->repl)->count > 0)
        return;
    name_set_aside(engine->config.rdb_file, 1, rdb);
    name_set_aside(engine->config.aof_directory, 1, aof);
    if (is_there(engine, rdb) || is_there(engine, aof))
        cw_repl_note_damage(engine->repl, ERR_CORRUPT);
}

/* A file takes the place of an older one; a directory cannot. False: there are too many. */
static bool choose_set_aside(struct cw_engine *engine, bool is_of_aof)
{
    struct cw_loading *loading = &engine->loading;
    const char *name = is_of_aof ? engine->config.aof_directory : engine->config.rdb_file;
    char set_aside[FILE_NAME_MAX];
    unsigned number = 1;
    name_set_aside(name, number, set_aside);
    while (is_of_aof && is_there(engine, set_aside) && number <= CW_SET_ASIDE_MOST)
        name_set_aside(name, ++number, set_aside);
    if (number > CW_SET_ASIDE_MOST)
        return false;
    snprintf(loading->damaged, sizeof(loading->damaged), "%s", name);
    memcpy(loading->set_aside, set_aside, sizeof(loading->set_aside));
    return true;
}

/* --- slices --- */

/* 1 at the end, 0 before it, or an error. */
static int read_slice(struct cw_engine *engine, size_t slice, struct buf *why)
{
    struct cw_loading *loading = &engine->loading;
    if (engine->config.loading_slice_bytes > 0)
        slice = engine->config.loading_slice_bytes;
    return loading->aof != NULL ? cw_aof_input_read(loading->aof, slice, why) : cw_rdb_input_read(&loading->rdb, slice);
}

static int install_rdb(struct cw_engine *engine, struct buf *why)
{
    struct cw_loading *loading = &engine->loading;
    const struct cw_rdb_load *load = &loading->rdb.load;
    struct buf words = {0};
    int error = cw_scripting_check(engine->scripting, buf_slice(&load->programs), &words);
    if (error < 0) {
        buf_add_format(why, "%s cannot be loaded: a library of functions in it: ", engine->config.rdb_file);
        buf_add_slice(why, buf_slice(&words));
    } else {
        cw_repl_take_data(engine->repl, loading->fresh, &load->origin, buf_slice(&load->programs));
        loading->fresh = NULL;
    }
    buf_free(&words);
    return error;
}

/* All was read. */
static int install(struct cw_engine *engine, struct buf *why)
{
    struct cw_loading *loading = &engine->loading;
    int error = 0;
    if (loading->aof != NULL)
        cw_aof_take_loaded(engine, cw_aof_input_loaded(loading->aof));
    else
        error = install_rdb(engine, why);
    if (error < 0)
        return error;
    cw_engine_note_loaded(engine, loading->aof != NULL ? 0 : loading->rdb.load.keys_left_out);
    look_at_set_aside(engine);
    return 0;
}

static void leave(struct cw_loading *loading)
{
    loading->is_running = false;
    cw_aof_input_close(loading->aof);
    loading->aof = NULL;
    cw_rdb_input_close(&loading->rdb);
    cw_keyspace_destroy(loading->fresh);
    loading->fresh = NULL;
}

/* What a file has brought until it turned out to be damaged: dump.rdb, of a server by itself, what it left out. */
static void drop_data(struct cw_engine *engine)
{
    cw_repl_take_data(engine->repl, cw_engine_new_keyspace(engine), &(struct cw_rdb_origin){.stream_database = 0},
                      SLICE_LITERAL(""));
    cw_engine_set_stream_database(engine, 0);
}

static bool sets_aside(const struct cw_engine *engine, bool is_of_aof)
{
    return !engine->config.standalone || (!is_of_aof && engine->settings.sets_aside_damaged_data);
}

/* 0: goes on, without data; what is to be said is in `why`. */
static int fail(struct cw_engine *engine, int error, struct buf *why)
{
    struct cw_loading *loading = &engine->loading;
    bool is_of_aof = loading->aof != NULL;
    if (buf_length(why) == 0) {
        buf_add_format(why, "%s cannot be loaded: ", engine->config.rdb_file);
        cw_rdb_reader_tell(&loading->rdb.load.reader, error, why);
    }
    leave(loading);
    if (is_of_aof || engine->config.standalone)
        drop_data(engine);
    cw_repl_note_damage(engine->repl, error);
    if (!sets_aside(engine, is_of_aof))
        return error;
    if (error == ERR_IO && is_of_aof) /* what cannot be read now may be good, and is written on */
        return error;
    if (error == ERR_IO) {
        buf_add_text(why, "; this node begins without data");
        return 0;
    }
    if (!choose_set_aside(engine, is_of_aof)) {
        buf_add_format(why, "; it cannot be set aside: there are too many of %s" CW_SET_ASIDE, loading->damaged);
        return error;
    }
    buf_add_format(why, "; it is set aside as %s; this node begins without data", loading->set_aside);
    loading->is_running = loading->is_setting_aside = true;
    return 0;
}

static int go_on(struct cw_engine *engine, size_t slice, struct buf *why)
{
    int result = read_slice(engine, slice, why);
    if (result == 0)
        return 0;
    if (result > 0)
        result = install(engine, why);
    if (result < 0)
        return fail(engine, result, why);
    leave(&engine->loading);
    return 0;
}

/* --- creation --- */

/* What a master by itself would delete at once. A replica waits for its master's word, and the data of a group are what
 * their history says. */
static bool leaves_out_due(const struct cw_engine *engine)
{
    return engine->config.standalone && engine->config.replicaof.host[0] == '\0';
}

static void delete_elsewhere(void *context, unsigned database, struct slice key)
{
    const struct cw_engine *engine = context;
    const struct slice argv[] = {cw_settings_deletion(engine->settings.unlinks_expired), key};
    cw_repl_note_left_out(engine->repl, database, argv, ARRAY_LENGTH(argv));
}

static void leave_out_due(struct cw_engine *engine, struct cw_rdb_load *load)
{
    load->left_out_before_ms = engine->config.wall_us / 1000;
    load->left_out = delete_elsewhere;
    load->left_out_context = engine;
}

static int open_rdb(struct cw_engine *engine)
{
    struct cw_loading *loading = &engine->loading;
    loading->fresh = cw_engine_new_keyspace(engine);
    int error = cw_rdb_input_open(&loading->rdb, engine->config.storage, engine->config.rdb_file, loading->fresh);
    if (error == ERR_NOT_FOUND)
        leave(loading);
    else if (leaves_out_due(engine))
        leave_out_due(engine, &loading->rdb.load);
    return error;
}

int cw_loading_create(struct cw_engine *engine, struct buf *why)
{
    struct cw_loading *loading = &engine->loading;
    if (engine->config.storage == NULL)
        return 0;
    int error = cw_aof_has_data(engine) ? cw_aof_input_open(engine, &loading->aof, why) : open_rdb(engine);
    if (error == ERR_NOT_FOUND && loading->aof == NULL) {
        look_at_set_aside(engine);
        return 0;
    }
    loading->is_running = true;
    error = error < 0 ? fail(engine, error, why) : go_on(engine, FIRST_SLICE, why);
    if (error == 0)
        buf_add_slice(&loading->note, buf_slice(why));
    return error;
}

void cw_loading_free(struct cw_loading *loading)
{
    leave(loading);
    buf_free(&loading->note);
}

/* --- the start, and turns --- */

/* Says what is to be said, and takes what is damaged out of the way. */
static void tell(struct cw_engine *engine, struct slice words)
{
    struct cw_loading *loading = &engine->loading;
    effect_log(engine->effects, LOG_LEVEL_ERROR, "%.*s", (int)words.length, words.data);
    if (!loading->is_setting_aside)
        return;
    effect_file(engine->effects, &(struct file_effect){.operation = FILE_RENAME, .new_name = loading->set_aside},
                loading->damaged, CW_LOADING_TOKEN, SLICE_LITERAL(""));
}

static void end_server(struct cw_engine *engine)
{
    engine->loading.has_failed = true;
    effect_exit(engine->effects, 1);
}

/* All is loaded that there is. What somebody died over is removed, but not where it may be all that is left. */
static void begin_to_serve(struct cw_engine *engine)
{
    if (engine->config.storage != NULL && !cw_repl_is_damaged(engine->repl))
        cw_background_save_forget(engine);
    cw_aof_start(engine);
}

void cw_loading_start(struct cw_engine *engine)
{
    struct cw_loading *loading = &engine->loading;
    loading->began_us = engine->wall_us;
    loading->began_ns = engine->now_ns;
    if (buf_length(&loading->note) > 0)
        tell(engine, buf_slice(&loading->note));
    buf_free(&loading->note);
    if (!loading->is_running)
        begin_to_serve(engine);
}

void cw_loading_turn(struct cw_engine *engine)
{
    if (engine->loading.is_setting_aside)
        return;
    struct buf why = {0};
    int error = go_on(engine, SLICE, &why);
    engine->turn_wanted = true;
    if (buf_length(&why) > 0)
        tell(engine, buf_slice(&why));
    buf_free(&why);
    if (error < 0) {
        end_server(engine);
    } else if (!engine->loading.is_running) {
        effect_log(engine->effects, LOG_LEVEL_NOTICE, "%" PRIu64 " keys loaded in %" PRId64 " ms", engine->loaded_keys,
                   (engine->now_ns - engine->loading.began_ns) / NS_PER_MS);
        begin_to_serve(engine);
        cw_repl_start(engine->repl);
    }
}

void cw_loading_answered(struct cw_engine *engine, int result)
{
    struct cw_loading *loading = &engine->loading;
    if (result < 0) {
        effect_log(engine->effects, LOG_LEVEL_ERROR, "%s cannot be set aside as %s: %s; it stays, and this server ends",
                   loading->damaged, loading->set_aside, error_text(result));
        end_server(engine);
        return;
    }
    loading->is_running = loading->is_setting_aside = false;
    engine->turn_wanted = true;
    cw_aof_start(engine);
}

/* --- INFO --- */

void cw_loading_info(const struct cw_engine *engine, struct buf *out)
{
    const struct cw_loading *loading = &engine->loading;
    if (!loading->is_running)
        return;
    uint64_t read = loading->rdb.read;
    uint64_t total = loading->rdb.total;
    if (loading->aof != NULL)
        cw_aof_input_progress(loading->aof, &read, &total);
    if (total < read)
        total = read;
    double share = total > 0 ? (double)read / (double)total : 0;
    int64_t elapsed_s = (engine->now_ns - loading->began_ns) / NS_PER_S;
    int64_t left_s = elapsed_s > 0 && share > 0 ? (int64_t)((double)elapsed_s * (1 - share) / share) : 1;
    buf_add_format(out,
                   "loading_start_time:%" PRId64 "\r\nloading_total_bytes:%" PRIu64 "\r\nloading_rdb_used_mem:0\r\n"
                   "loading_loaded_bytes:%" PRIu64 "\r\nloading_loaded_perc:%.2f\r\nloading_eta_seconds:%" PRId64
                   "\r\n",
                   loading->began_us / 1000000, total, read, share * 100, left_s);
}
