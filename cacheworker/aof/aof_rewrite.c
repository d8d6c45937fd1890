#include "cacheworker/aof/aof_rewrite.h"

#include "cacheworker/aof/aof_internal.h"
#include "cacheworker/aof/aof_load.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/repl/repl.h"
#include "common/base/errors.h"

#include <inttypes.h>

#define MANIFEST_ASIDE "temp-appendonly.aof.manifest"

enum {
    CRON_MS = 100,
    REHEARSE_AT = CW_MANIFEST_INCREMENTS_MAX / 2,
    PAUSE_MIN_S = 60, /* after one that failed, before it is tried again unasked; twice as long after the next */
    PAUSE_MAX_S = 3600,
    ATTEMPTS_MAX = 64, /* whose files are looked for */
};

static struct cw_aof_rewrite *rewrite_of(struct cw_engine *engine)
{
    return &engine->aof.rewrite;
}

/* --- when --- */

static int64_t pause_ns(const struct cw_aof_rewrite *rewrite)
{
    int64_t pause_s = PAUSE_MIN_S;
    for (uint64_t i = 1; i < rewrite->failures && pause_s < PAUSE_MAX_S; i++)
        pause_s *= 2;
    return (pause_s < PAUSE_MAX_S ? pause_s : PAUSE_MAX_S) * NS_PER_S;
}

static uint64_t file_bytes(const struct cw_aof *aof)
{
    return aof->older_bytes + aof->confirmed + aof->asked;
}

static bool is_due(const struct cw_engine *engine)
{
    const struct cw_aof *aof = &engine->aof;
    const struct cw_aof_rewrite *rewrite = &aof->rewrite;
    int64_t percentage = engine->settings.auto_aof_rewrite_percentage;
    uint64_t bytes = file_bytes(aof);
    if (aof->state != CW_AOF_ON || percentage == 0 || bytes <= (uint64_t)engine->settings.auto_aof_rewrite_min_bytes)
        return false;
    if (rewrite->failures > 0 && engine->now_ns - rewrite->failed_ns < pause_ns(rewrite))
        return false;
    uint64_t base = aof->base_bytes > 0 ? aof->base_bytes : 1;
    return bytes > base && (double)(bytes - base) * 100 >= (double)percentage * (double)base;
}

void cw_aof_rewrite_want(struct cw_engine *engine)
{
    if (rewrite_of(engine)->state != CW_AOF_REST)
        return;
    rewrite_of(engine)->state = CW_AOF_WANTED;
    engine->turn_wanted = true;
}

/* --- the manifest --- */

static void write_manifest(struct cw_engine *engine)
{
    struct buf text = {0};
    cw_manifest_write(&rewrite_of(engine)->next, &text);
    struct file_effect file = {.file = CW_AOF_FILE_MANIFEST};
    file.operation = FILE_OPEN;
    cw_aof_ask(engine, file, cw_aof_path(engine, MANIFEST_ASIDE), 0, SLICE_LITERAL(""));
    file.operation = FILE_APPEND;
    cw_aof_ask(engine, file, NULL, 0, buf_slice(&text));
    file.operation = FILE_SYNC;
    cw_aof_ask(engine, file, NULL, cw_aof_token(engine, CW_AOF_MANIFEST_SYNCED, 0), SLICE_LITERAL(""));
    buf_free(&text);
}

static void name_manifest(struct cw_engine *engine)
{
    struct file_effect file = {.operation = FILE_CLOSE, .file = CW_AOF_FILE_MANIFEST};
    cw_aof_ask(engine, file, NULL, 0, SLICE_LITERAL(""));
    char manifest[FILE_NAME_MAX];
    cw_aof_name_manifest(engine, manifest);
    rewrite_of(engine)->may_be_named = true;
    file = (struct file_effect){.operation = FILE_RENAME, .new_name = manifest};
    cw_aof_ask(engine, file, cw_aof_path(engine, MANIFEST_ASIDE), cw_aof_token(engine, CW_AOF_MANIFEST_NAMED, 0),
               SLICE_LITERAL(""));
}

static void remove_file(struct cw_engine *engine, const char *name)
{
    const char *path = cw_aof_path(engine, name);
    cw_aof_ask(engine, (struct file_effect){.operation = FILE_REMOVE}, path, 0, SLICE_LITERAL(""));
}

/* --- how it ends --- */

static void rest(struct cw_engine *engine)
{
    struct cw_aof_rewrite *rewrite = rewrite_of(engine);
    rewrite->state = CW_AOF_REST;
    rewrite->is_rehearsal = false;
    rewrite->may_be_named = false;
    rewrite->generation++;
    cw_picture_end(&rewrite->picture);
}

static void remove_base(struct cw_engine *engine)
{
    struct file_effect file = {.operation = FILE_CLOSE, .file = CW_AOF_FILE_BASE};
    cw_aof_ask(engine, file, NULL, 0, SLICE_LITERAL(""));
    remove_file(engine, rewrite_of(engine)->next.base.name);
}

/* The increment that was made for it and no manifest names: it has a name from READY on, but while the file is STARTING
 * only with the base. */
static bool has_unnamed_increment(const struct cw_engine *engine)
{
    const struct cw_aof_rewrite *rewrite = &engine->aof.rewrite;
    bool is_named = engine->aof.state != CW_AOF_STARTING && rewrite->state != CW_AOF_ANNOUNCING;
    return rewrite->state >= CW_AOF_ANNOUNCING && rewrite->next.count > 0 && !is_named;
}

static void remove_files(struct cw_engine *engine)
{
    const struct cw_aof_rewrite *rewrite = rewrite_of(engine);
    if (rewrite->state >= CW_AOF_WRITING)
        remove_base(engine);
    if (has_unnamed_increment(engine))
        remove_file(engine, cw_manifest_newest(&rewrite->next)->name);
}

/* A manifest that was about to get its name will most likely have got it: then the next one knows of its files, and of
 * what it left behind. */
void cw_aof_rewrite_leave(struct cw_engine *engine)
{
    struct cw_aof_rewrite *rewrite = rewrite_of(engine);
    if (rewrite->may_be_named)
        engine->aof.manifest = rewrite->next;
    else
        remove_files(engine);
    rest(engine);
}

/* What failed to get a name may have it all the same: then nothing is removed. */
static void failed(struct cw_engine *engine, int error)
{
    struct cw_aof_rewrite *rewrite = rewrite_of(engine);
    effect_log(engine->effects, LOG_LEVEL_ERROR, "cannot rewrite the append-only file: %s", error_text(error));
    if (!rewrite->may_be_named)
        remove_files(engine);
    rest(engine);
    rewrite->failed_ns = engine->now_ns;
    rewrite->is_rehearsed = false;
    rewrite->failures++;
    if (engine->aof.state == CW_AOF_STARTING)
        cw_aof_cannot_start(engine, error);
}

void cw_aof_remove_history(struct cw_engine *engine)
{
    struct cw_manifest *manifest = &engine->aof.manifest;
    for (size_t i = 0; i < manifest->history_count; i++) {
        if (!cw_manifest_needs(manifest, manifest->history[i].name))
            remove_file(engine, manifest->history[i].name);
    }
    manifest->history_count = 0;
}

static void remove_unneeded(struct cw_engine *engine, const char *name)
{
    if (!cw_manifest_needs(&engine->aof.manifest, name))
        remove_file(engine, name);
}

static void remove_unneeded_bases(struct cw_engine *engine, uint64_t number)
{
    struct cw_manifest other = {.has_base = false};
    for (int is_of_commands = 0; is_of_commands <= 1; is_of_commands++) {
        cw_manifest_set_base(&other, engine->config.aof_name, number, is_of_commands);
        remove_unneeded(engine, other.base.name);
    }
}

static void remove_unneeded_increment(struct cw_engine *engine, uint64_t number)
{
    struct cw_manifest other = {.count = 0};
    if (cw_manifest_add_increment(&other, engine->config.aof_name, number) == 0)
        remove_unneeded(engine, other.increments[0].name);
}

/* What it had begun with: other names come after a rewrite that failed only, and are taken again some day. */
void cw_aof_remove_leftovers(struct cw_engine *engine)
{
    const struct cw_aof *aof = &engine->aof;
    remove_file(engine, MANIFEST_ASIDE);
    remove_unneeded_bases(engine, aof->manifest.base.number + 1);
    if (!aof->has_empty)
        remove_unneeded_increment(engine, cw_manifest_newest(&aof->manifest)->number + 1);
}

/* The first number of those before `end` that are looked at. */
static uint64_t first_of(uint64_t in_use, uint64_t end)
{
    return end > in_use + ATTEMPTS_MAX ? end - ATTEMPTS_MAX : in_use + 1;
}

void cw_aof_give_way(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    if (aof->state != CW_AOF_STARTING || !aof->has_manifest)
        return;
    char manifest[FILE_NAME_MAX];
    cw_aof_name_manifest(engine, manifest);
    const char *aside = cw_aof_path(engine, MANIFEST_ASIDE); /* a rename is durable, a removal is not */
    cw_aof_ask(engine, (struct file_effect){.operation = FILE_RENAME, .new_name = aside}, manifest, 0,
               SLICE_LITERAL(""));
    remove_file(engine, MANIFEST_ASIDE);
    if (aof->manifest.has_base)
        remove_file(engine, aof->manifest.base.name);
    for (size_t i = 0; i < aof->manifest.count; i++)
        remove_file(engine, aof->manifest.increments[i].name);
    uint64_t end = aof->rewrite.last_increment + 1; /* empty ones, or what was begun */
    for (uint64_t i = first_of(0, end); i < end; i++)
        remove_unneeded_increment(engine, i);
}

/* What failed to get a name and stayed, for it might have had it, has numbers between those in use before and now. */
static void remove_attempts(struct cw_engine *engine, const struct cw_manifest *older)
{
    const struct cw_manifest *manifest = &engine->aof.manifest;
    const struct cw_manifest_file *newest = cw_manifest_newest(manifest);
    for (uint64_t i = first_of(older->base.number, manifest->base.number); i < manifest->base.number; i++)
        remove_unneeded_bases(engine, i);
    if (newest == NULL)
        return;
    uint64_t in_use = older->count > 0 ? older->increments[0].number : 0;
    for (uint64_t i = first_of(in_use, newest->number); i < newest->number; i++)
        remove_unneeded_increment(engine, i);
}

static void succeeded(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    struct cw_aof_rewrite *rewrite = &aof->rewrite;
    struct cw_manifest older = aof->manifest;
    aof->has_manifest = true;
    aof->manifest = rewrite->next;
    cw_aof_remove_history(engine);
    if (rewrite->failures > 0 || aof->has_empty)
        remove_attempts(engine, &older);
    aof->has_empty = false;
    aof->older_bytes = cw_picture_bytes(&rewrite->picture);
    aof->base_bytes = file_bytes(aof);
    if (aof->synced_offset < rewrite->offset)
        aof->synced_offset = rewrite->offset;
    rewrite->took_ns = engine->now_ns - rewrite->began_ns;
    rewrite->held_peak = rewrite->picture.held_peak;
    rewrite->completed++;
    rewrite->failures = 0;
    rewrite->is_rehearsed = false;
    effect_log(engine->effects, LOG_LEVEL_NOTICE, "rewrote the append-only file in %" PRId64 " ms",
               rewrite->took_ns / NS_PER_MS);
    rest(engine);
    if (aof->state == CW_AOF_STARTING)
        cw_aof_established(engine);
}

/* --- how it begins --- */

/* No number is used twice while the process lives, for what was left may have got its name; nor one that the manifest
 * on the disk has, for what is removed when this fails would be missed there. */
static uint64_t next_number(uint64_t *last, uint64_t in_use)
{
    *last = (*last > in_use ? *last : in_use) + 1;
    return *last;
}

static void announce(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    struct cw_aof_rewrite *rewrite = &aof->rewrite;
    const struct cw_manifest_file *newest = cw_manifest_newest(&aof->manifest);
    uint64_t number = next_number(&rewrite->last_increment, newest != NULL ? newest->number : 0);
    bool is_on = aof->state == CW_AOF_ON;
    rewrite->next = is_on ? aof->manifest : (struct cw_manifest){.has_base = false};
    int error = cw_manifest_add_increment(&rewrite->next, engine->config.aof_name, number);
    if (error < 0) {
        failed(engine, error);
        return;
    }
    rewrite->state = CW_AOF_ANNOUNCING;
    const char *path = cw_aof_path(engine, cw_manifest_newest(&rewrite->next)->name);
    struct file_effect file = {.operation = FILE_OPEN, .file = CW_AOF_FILE_MANIFEST};
    cw_aof_ask(engine, file, path, cw_aof_token(engine, CW_AOF_ANNOUNCED, 0), SLICE_LITERAL(""));
}

static bool may_begin(const struct cw_engine *engine)
{
    const struct cw_aof *aof = &engine->aof;
    bool is_settled = aof->state != CW_AOF_ON || (aof->error == 0 && !aof->is_older_open);
    return is_settled && !cw_engine_is_in_command(engine) && !cw_keyspace_snapshot_is_active(engine->keyspace);
}

static uint64_t base_token(const struct cw_engine *engine, size_t length)
{
    return cw_aof_token(engine, CW_AOF_BASE, length);
}

static void open_base(struct cw_engine *engine)
{
    struct cw_aof_rewrite *rewrite = rewrite_of(engine);
    uint64_t number = next_number(&rewrite->last_base, engine->aof.manifest.base.number);
    bool as_commands = !engine->settings.aof_uses_rdb;
    cw_manifest_set_base(&rewrite->next, engine->config.aof_name, number, as_commands);
    rewrite->state = CW_AOF_WRITING;
    rewrite->began_ns = engine->now_ns;
    rewrite->offset = cw_repl_offset(engine->repl);
    const char *path = cw_aof_path(engine, rewrite->next.base.name);
    struct file_effect file = {.operation = FILE_OPEN, .file = CW_AOF_FILE_BASE};
    cw_aof_ask(engine, file, path, 0, SLICE_LITERAL(""));
}

/* Of the data at this moment, into the base that was opened. */
static void begin_picture(struct cw_engine *engine)
{
    enum cw_picture_form form = engine->settings.aof_uses_rdb ? CW_PICTURE_RDB : CW_PICTURE_COMMANDS;
    cw_picture_begin(&rewrite_of(engine)->picture, engine, form, CW_AOF_FILE_BASE, base_token);
}

static void begin(struct cw_engine *engine)
{
    struct cw_aof_rewrite *rewrite = rewrite_of(engine);
    struct cw_manifest_file newest = *cw_manifest_newest(&rewrite->next);
    rewrite->next = (struct cw_manifest){.count = 1, .increments = {newest}};
    open_base(engine);
    cw_aof_switch(engine, &newest);
    begin_picture(engine);
    effect_log(engine->effects, LOG_LEVEL_NOTICE, "rewriting the append-only file in the background");
}

/* Nothing is written behind it. */
static void begin_alone(struct cw_engine *engine)
{
    struct cw_aof_rewrite *rewrite = rewrite_of(engine);
    rewrite->next = (struct cw_manifest){.count = 0};
    open_base(engine);
    begin_picture(engine);
    effect_log(engine->effects, LOG_LEVEL_NOTICE, "writing a base of the append-only file in the background");
}

static bool needs_rehearsal(const struct cw_engine *engine)
{
    const struct cw_aof *aof = &engine->aof;
    return aof->state == CW_AOF_ON && aof->manifest.count >= REHEARSE_AT && !aof->rewrite.is_rehearsed;
}

static void rehearse(struct cw_engine *engine)
{
    struct cw_aof_rewrite *rewrite = rewrite_of(engine);
    rewrite->next = (struct cw_manifest){.count = 0};
    rewrite->is_rehearsal = true;
    open_base(engine);
    begin_picture(engine);
    effect_log(engine->effects, LOG_LEVEL_NOTICE,
               "many rewrites of the append-only file failed: trying first whether the disk takes a new base");
}

static void end_rehearsal(struct cw_engine *engine)
{
    remove_base(engine);
    rest(engine);
    rewrite_of(engine)->is_rehearsed = true;
    cw_aof_rewrite_want(engine);
}

static void end_writing(struct cw_engine *engine)
{
    rewrite_of(engine)->state = CW_AOF_CLOSING;
    cw_aof_ask(engine, (struct file_effect){.operation = FILE_SYNC, .file = CW_AOF_FILE_BASE}, NULL,
               cw_aof_token(engine, CW_AOF_BASE, 0), SLICE_LITERAL(""));
}

/* --- what others call --- */

void cw_aof_rewrite_turn(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    struct cw_aof_rewrite *rewrite = &aof->rewrite;
    if (rewrite->state == CW_AOF_REST && is_due(engine))
        rewrite->state = CW_AOF_WANTED;
    if (rewrite->state == CW_AOF_WANTED && may_begin(engine)) {
        if (aof->state == CW_AOF_OFF)
            begin_alone(engine);
        else if (needs_rehearsal(engine))
            rehearse(engine);
        else
            announce(engine);
    }
    if (rewrite->state == CW_AOF_READY && may_begin(engine))
        begin(engine);
    if (rewrite->state == CW_AOF_WRITING && !cw_picture_go_on(&rewrite->picture))
        end_writing(engine);
    if (rewrite->state == CW_AOF_SETTLING && !aof->is_older_open) {
        rewrite->state = CW_AOF_NAMING;
        cw_manifest_take_history(&rewrite->next, &aof->manifest);
        write_manifest(engine);
    }
}

int64_t cw_aof_rewrite_deadline(const struct cw_engine *engine)
{
    const struct cw_aof_rewrite *rewrite = &engine->aof.rewrite;
    switch (rewrite->state) {
    case CW_AOF_WANTED:
    case CW_AOF_READY: return engine->now_ns + CRON_MS * NS_PER_MS;
    case CW_AOF_WRITING: return cw_picture_deadline(&rewrite->picture);
    case CW_AOF_REST:
    case CW_AOF_ANNOUNCING:
    case CW_AOF_CLOSING:
    case CW_AOF_SETTLING:
    case CW_AOF_NAMING: break;
    }
    return NEVER_NS;
}

void cw_aof_rewrite_written(struct cw_engine *engine, size_t length, int result)
{
    struct cw_aof_rewrite *rewrite = rewrite_of(engine);
    if (result < 0) {
        failed(engine, result);
        return;
    }
    cw_picture_written(&rewrite->picture, length);
    if (length > 0)
        return;
    if (rewrite->is_rehearsal) {
        end_rehearsal(engine);
        return;
    }
    cw_aof_ask(engine, (struct file_effect){.operation = FILE_CLOSE, .file = CW_AOF_FILE_BASE}, NULL, 0,
               SLICE_LITERAL(""));
    rewrite->state = CW_AOF_SETTLING;
    engine->turn_wanted = true;
}

void cw_aof_rewrite_increment_made(struct cw_engine *engine, int result)
{
    engine->turn_wanted = true;
    if (result < 0)
        failed(engine, result);
    else if (engine->aof.state == CW_AOF_STARTING)
        rewrite_of(engine)->state = CW_AOF_READY;
    else
        write_manifest(engine);
}

void cw_aof_rewrite_manifest_synced(struct cw_engine *engine, int result)
{
    if (result < 0)
        failed(engine, result);
    else
        name_manifest(engine);
}

void cw_aof_rewrite_manifest_named(struct cw_engine *engine, int result)
{
    struct cw_aof_rewrite *rewrite = rewrite_of(engine);
    engine->turn_wanted = true;
    if (result < 0) {
        failed(engine, result);
    } else if (rewrite->state == CW_AOF_NAMING) {
        succeeded(engine);
    } else {
        engine->aof.manifest = rewrite->next;
        rewrite->may_be_named = false;
        rewrite->state = CW_AOF_READY;
    }
}
