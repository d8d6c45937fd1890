#include "cacheworker/rdb/background_save.h"

#include "cacheworker/engine/state.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/rdb/picture.h"
#include "cacheworker/rdb/rdb_file.h"
#include "cacheworker/repl/repl.h"
#include "common/base/errors.h"
#include "common/base/number.h"

#include <inttypes.h>

#define ASIDE "temp-bgsave.rdb"

enum {
    FILE_NUMBER = 0,
    CRON_MS = 100,
    RETRY_S = 5, /* after one that failed, before a save point asks again */
};

/* What was asked. An append is known by its length. */
#define TOKEN_APPENDED(length) ((uint64_t)(length) << 2 | 1)
enum { TOKEN_RENAMED = 2, TOKEN_REMOVED = 3 };

/* --- save points --- */

static struct slice take_word(struct slice *text)
{
    size_t begin = 0;
    while (begin < text->length && text->data[begin] == ' ')
        begin++;
    size_t end = begin;
    while (end < text->length && text->data[end] != ' ')
        end++;
    struct slice word = slice_of(text->data + begin, end - begin);
    *text = slice_skip(*text, end);
    return word;
}

int cw_save_points_parse(struct slice text, struct cw_save_points *ret_points)
{
    struct cw_save_points points = {.count = 0};
    for (;;) {
        struct slice seconds = take_word(&text);
        if (seconds.length == 0)
            break;
        if (points.count == CW_SAVE_POINTS_MAX)
            return ERR_TOO_BIG;
        int64_t after, changes;
        if (number_parse_i64(seconds, &after) < 0 || number_parse_i64(take_word(&text), &changes) < 0 || after < 1 ||
            changes < 0 || after > INT32_MAX)
            return ERR_INVALID;
        points.items[points.count].seconds = after;
        points.items[points.count++].changes = changes;
    }
    *ret_points = points;
    return 0;
}

void cw_save_points_format(const struct cw_save_points *points, struct buf *out)
{
    for (size_t i = 0; i < points->count; i++)
        buf_add_format(out, "%s%" PRId64 " %" PRId64, i > 0 ? " " : "", points->items[i].seconds,
                       points->items[i].changes);
}

static bool is_due(const struct cw_engine *engine)
{
    const struct cw_save_points *points = &engine->settings.save_points;
    const struct cw_background_save *save = &engine->background_save;
    if (save->failed_ns > 0 && engine->now_ns - save->failed_ns < RETRY_S * NS_PER_S)
        return false;
    int64_t since_s = (engine->wall_us - engine->saved_us) / 1000000;
    for (size_t i = 0; i < points->count; i++)
        if (engine->statistics.changes > 0 && engine->statistics.changes >= (uint64_t)points->items[i].changes &&
            since_s >= points->items[i].seconds)
            return true;
    return false;
}

/* --- writing --- */

static void ask(struct cw_engine *engine, struct file_effect file, const char *name, uint64_t token, struct slice bytes)
{
    effect_file(engine->effects, &file, name, token, bytes);
}

static uint64_t appended_token(const struct cw_engine *engine, size_t length)
{
    (void)engine;
    return TOKEN_APPENDED(length);
}

static void begin(struct cw_engine *engine)
{
    struct cw_background_save *save = &engine->background_save;
    save->state = CW_BACKGROUND_WRITING;
    save->is_named = false;
    save->began_ns = engine->now_ns;
    save->changes_before = engine->statistics.changes;
    ask(engine, (struct file_effect){.operation = FILE_OPEN, .file = FILE_NUMBER, .length = 0}, ASIDE, 0,
        SLICE_LITERAL(""));
    cw_picture_begin(&save->picture, engine, CW_PICTURE_RDB, FILE_NUMBER, appended_token);
    effect_log(engine->effects, LOG_LEVEL_NOTICE, "saving %s in the background", CW_RDB_FILE);
}

static void give_the_name(struct cw_engine *engine)
{
    engine->background_save.is_named = true;
    ask(engine, (struct file_effect){.operation = FILE_CLOSE, .file = FILE_NUMBER}, NULL, 0, SLICE_LITERAL(""));
    ask(engine, (struct file_effect){.operation = FILE_RENAME, .new_name = engine->config.rdb_file}, ASIDE,
        TOKEN_RENAMED, SLICE_LITERAL(""));
}

/* The rename says that all before it is done: a file that failed fails to the end. */
static void end_writing(struct cw_engine *engine)
{
    engine->background_save.state = CW_BACKGROUND_CLOSING;
    if (UNLIKELY(engine->config.mutants & CW_MUTANT_NAME_BEFORE_SYNC))
        give_the_name(engine);
    else
        ask(engine, (struct file_effect){.operation = FILE_SYNC, .file = FILE_NUMBER}, NULL, TOKEN_APPENDED(0),
            SLICE_LITERAL(""));
}

static void become_idle(struct cw_background_save *save)
{
    save->state = save->wants_another ? CW_BACKGROUND_WANTED : CW_BACKGROUND_IDLE;
    save->wants_another = false;
    cw_picture_end(&save->picture);
}

static void remove_aside(struct cw_engine *engine)
{
    cw_picture_end(&engine->background_save.picture);
    engine->background_save.state = CW_BACKGROUND_LEAVING;
    ask(engine, (struct file_effect){.operation = FILE_CLOSE, .file = FILE_NUMBER}, NULL, 0, SLICE_LITERAL(""));
    ask(engine, (struct file_effect){.operation = FILE_REMOVE}, ASIDE, TOKEN_REMOVED, SLICE_LITERAL(""));
}

/* --- what others call --- */

int cw_background_save_want(struct cw_engine *engine)
{
    if (engine->config.storage == NULL)
        return ERR_NOT_FOUND;
    if (cw_background_save_is_running(&engine->background_save))
        return ERR_BUSY;
    engine->background_save.state = CW_BACKGROUND_WANTED;
    engine->turn_wanted = true;
    return 0;
}

static bool call_off(struct cw_engine *engine)
{
    const struct cw_background_save *save = &engine->background_save;
    if (save->state != CW_BACKGROUND_WRITING && (save->state != CW_BACKGROUND_CLOSING || save->is_named))
        return false;
    effect_log(engine->effects, LOG_LEVEL_NOTICE, "the background save is called off by a client");
    remove_aside(engine);
    return true;
}

enum cw_background_cancelled cw_background_save_cancel(struct cw_engine *engine)
{
    struct cw_background_save *save = &engine->background_save;
    bool was_wanted = save->state == CW_BACKGROUND_WANTED || save->wants_another;
    save->wants_another = false;
    if (save->state == CW_BACKGROUND_WANTED)
        become_idle(save);
    else if (call_off(engine))
        return CW_CANCELLED_WRITING;
    return was_wanted ? CW_CANCELLED_WANTED : CW_CANCELLED_NOTHING;
}

void cw_background_save_flush(struct cw_engine *engine)
{
    struct cw_background_save *save = &engine->background_save;
    if (cw_engine_is_loading(engine))
        return;
    (void)call_off(engine);
    if (engine->settings.save_points.count == 0 || cw_background_save_want(engine) != ERR_BUSY)
        return;
    save->wants_another = save->state != CW_BACKGROUND_WANTED;
}

void cw_background_save_leave(struct cw_engine *engine)
{
    struct cw_background_save *save = &engine->background_save;
    if (save->state != CW_BACKGROUND_WRITING)
        return;
    remove_aside(engine);
}

void cw_background_save_forget(struct cw_engine *engine)
{
    const struct storage *storage = engine->config.storage;
    ask(engine, (struct file_effect){.operation = FILE_REMOVE}, ASIDE, 0, SLICE_LITERAL(""));
    if (storage->forget != NULL) /* of SAVE */
        storage->forget(storage->context, engine->config.rdb_file);
}

void cw_background_save_turn(struct cw_engine *engine)
{
    struct cw_background_save *save = &engine->background_save;
    if (save->state == CW_BACKGROUND_IDLE && engine->config.storage != NULL && is_due(engine))
        save->state = CW_BACKGROUND_WANTED;
    if (save->state == CW_BACKGROUND_WANTED && !cw_engine_is_in_command(engine) &&
        !cw_keyspace_snapshot_is_active(engine->keyspace))
        begin(engine);
    if (save->state == CW_BACKGROUND_WRITING && !cw_picture_go_on(&save->picture))
        end_writing(engine);
}

int64_t cw_background_save_deadline(const struct cw_engine *engine)
{
    const struct cw_background_save *save = &engine->background_save;
    switch (save->state) {
    case CW_BACKGROUND_IDLE:
        return engine->settings.save_points.count > 0 && engine->statistics.changes > 0
                   ? engine->now_ns + CRON_MS * NS_PER_MS
                   : NEVER_NS;
    case CW_BACKGROUND_WANTED: return engine->now_ns + CRON_MS * NS_PER_MS;
    case CW_BACKGROUND_WRITING: return cw_picture_deadline(&save->picture);
    case CW_BACKGROUND_CLOSING:
    case CW_BACKGROUND_LEAVING: break;
    }
    return NEVER_NS;
}

static void failed(struct cw_engine *engine, int error)
{
    struct cw_background_save *save = &engine->background_save;
    effect_log(engine->effects, LOG_LEVEL_ERROR, "cannot write %s in the background: %s", engine->config.rdb_file,
               error_text(error));
    save->failed_ns = engine->now_ns;
    cw_repl_note_disk(engine->repl, error);
    remove_aside(engine);
}

static void succeeded(struct cw_engine *engine)
{
    struct cw_background_save *save = &engine->background_save;
    save->failed_ns = 0;
    save->took_ns = engine->now_ns - save->began_ns;
    save->held_peak = save->picture.held_peak;
    cw_repl_note_disk(engine->repl, 0);
    engine->saved_us = engine->wall_us;
    engine->statistics.changes -=
        save->changes_before < engine->statistics.changes ? save->changes_before : engine->statistics.changes;
    engine->statistics.saves++;
    effect_log(engine->effects, LOG_LEVEL_NOTICE, "saved %" PRIu64 " keys in %" PRId64 " ms", save->picture.keys,
               save->took_ns / NS_PER_MS);
    become_idle(save);
}

void cw_background_save_answered(struct cw_engine *engine, uint64_t token, int result)
{
    struct cw_background_save *save = &engine->background_save;
    if (token == TOKEN_REMOVED) {
        become_idle(save);
        return;
    }
    if (save->state == CW_BACKGROUND_LEAVING)
        return;
    if (result < 0) {
        failed(engine, result);
        return;
    }
    if (token == TOKEN_RENAMED)
        succeeded(engine);
    else if (token == TOKEN_APPENDED(0))
        give_the_name(engine);
    else
        cw_picture_written(&save->picture, (size_t)(token >> 2));
}

void cw_background_save_free(struct cw_background_save *save)
{
    cw_picture_free(&save->picture);
}
