#include "cacheworker/aof/aof.h"

#include "cacheworker/aof/aof_internal.h"
#include "cacheworker/aof/aof_load.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/repl/repl.h"
#include "common/base/errors.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    TAIL_KEPT = 1 << 20,      /* bytes of memory that stay for the next ones */
    SYNC_ABOVE = 32 << 20,    /* bytes that are not confirmed; then a sync is due, whatever appendfsync says */
    REFUSE_ABOVE = 256 << 20, /* the same; then no more are taken */
    WRITE_ABOVE = 256 << 10,  /* bytes that were not asked to be written; then they are, whenever they came */
};

#define WRITE_DELAY_NS (2 * NS_PER_MS) /* with everysec and no */

enum { NO_FILE = 0, FIRST_FILE = 1, BOTH_FILES = FIRST_FILE + 2 }; /* numbers of increments, which go by turns */

#define SECOND_NS NS_PER_S /* everysec; and before another try, when something failed */

/* --- what was asked --- */

#define TOKEN_OF_AOF    ((uint64_t)1 << 63)
#define GENERATION_MASK 0x7fffU

static uint64_t generation_of(const struct cw_aof *aof, enum cw_aof_question question)
{
    return (question == CW_AOF_ROUND ? aof->generation : aof->rewrite.generation) & GENERATION_MASK;
}

uint64_t cw_aof_token(const struct cw_engine *engine, enum cw_aof_question question, size_t length)
{
    return TOKEN_OF_AOF | generation_of(&engine->aof, question) << 48 | (uint64_t)length << 4 | (uint64_t)question;
}

bool cw_aof_is_token(uint64_t token)
{
    return token & TOKEN_OF_AOF;
}

void cw_aof_ask(struct cw_engine *engine, struct file_effect file, const char *name, uint64_t token, struct slice bytes)
{
    effect_file(engine->effects, &file, name, token, bytes);
}

const char *cw_aof_path(struct cw_engine *engine, const char *name)
{
    struct cw_aof *aof = &engine->aof;
    snprintf(aof->path, sizeof(aof->path), "%s/%s", engine->config.aof_directory, name);
    return aof->path;
}

static bool is_always(const struct cw_engine *engine)
{
    return engine->settings.appendfsync == CW_AOF_ALWAYS;
}

static void judge_refusal(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    aof->refuses = (aof->error < 0 && is_always(engine)) || buf_length(&aof->tail) > REFUSE_ABOVE;
}

/* --- writing --- */

/* How much of the tail may be asked to be written to the file that is open. */
static size_t writable(const struct cw_aof *aof)
{
    if (aof->file == NO_FILE)
        return 0;
    return aof->is_older_open ? aof->of_older : buf_length(&aof->tail);
}

/* What was asked so far is confirmed by the answer to the operation with this token. */
static uint64_t begin_round(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    aof->is_syncing = true;
    aof->syncing = aof->asked;
    aof->syncing_offset = aof->is_older_open ? aof->of_older_offset : cw_repl_offset(engine->repl);
    return cw_aof_token(engine, CW_AOF_ROUND, 0);
}

static void write_tail(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    size_t end = writable(aof);
    if (end == aof->asked)
        return;
    struct slice bytes = slice_of(buf_slice(&aof->tail).data + aof->asked, end - aof->asked);
    aof->asked = end;
    aof->unasked_ns = 0;
    bool confirms = engine->settings.appendfsync == CW_AOF_NO && !aof->is_syncing;
    cw_aof_ask(engine, (struct file_effect){.operation = FILE_APPEND, .file = aof->file}, NULL,
               confirms ? begin_round(engine) : 0, bytes);
}

/* Whether a sync that is due waits for what the next turn brings. */
static bool gathers(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    size_t length = buf_length(&aof->tail);
    if (!aof->is_gathering || aof->is_syncing || length == 0)
        return false;
    aof->is_gathering = length > aof->gathered && engine->now_ns - aof->confirmed_ns < aof->took_ns / 2;
    aof->gathered = length;
    engine->turn_wanted |= aof->is_gathering;
    return aof->is_gathering;
}

static bool is_write_due(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    size_t unasked = writable(aof) - aof->asked;
    if (unasked == 0)
        return false;
    if (is_always(engine))
        return aof->is_syncing; /* else with the sync */
    if (aof->unasked_ns == 0)
        aof->unasked_ns = engine->now_ns;
    return unasked >= WRITE_ABOVE || engine->now_ns - aof->unasked_ns >= WRITE_DELAY_NS;
}

static bool is_sync_due(const struct cw_engine *engine)
{
    const struct cw_aof *aof = &engine->aof;
    bool is_wanted = writable(aof) > 0 || (aof->has_unsynced && aof->file != NO_FILE);
    if (!is_wanted || aof->is_syncing)
        return false;
    if (is_always(engine) || aof->is_older_open || buf_length(&aof->tail) > SYNC_ABOVE)
        return true;
    return engine->settings.appendfsync == CW_AOF_EVERYSEC && engine->now_ns - aof->synced_ns >= SECOND_NS;
}

static void sync(struct cw_engine *engine)
{
    engine->aof.synced_ns = engine->now_ns;
    engine->aof.is_of_sync = true;
    cw_aof_ask(engine, (struct file_effect){.operation = FILE_SYNC, .file = engine->aof.file}, NULL,
               begin_round(engine), SLICE_LITERAL(""));
}

static void write_and_sync(struct cw_engine *engine)
{
    engine->aof.is_syncing = true; /* so that the round is the sync's */
    write_tail(engine);
    sync(engine);
}

static void open_newest(struct cw_engine *engine, const char *name)
{
    struct cw_aof *aof = &engine->aof;
    cw_aof_ask(engine, (struct file_effect){.operation = FILE_OPEN, .file = aof->file, .length = aof->confirmed},
               cw_aof_path(engine, name), 0, SLICE_LITERAL(""));
}

/* --- what fails --- */

/* Those whose replies wait never hear of their writes. */
static void close_held(struct cw_engine *engine)
{
    LIST_FOR_EACH(node, &engine->held)
    cw_session_close(engine, LIST_ENTRY(node, struct cw_session, held));
}

static void failed(struct cw_engine *engine, int error)
{
    struct cw_aof *aof = &engine->aof;
    if (aof->error == 0)
        effect_log(engine->effects, LOG_LEVEL_ERROR, "cannot write the append-only file: %s", error_text(error));
    aof->error = error;
    aof->failed_ns = engine->now_ns;
    aof->asked = 0;
    if (aof->is_binding && is_always(engine))
        close_held(engine);
    judge_refusal(engine);
}

static void works_again(struct cw_engine *engine)
{
    if (engine->aof.error < 0)
        effect_log(engine->effects, LOG_LEVEL_NOTICE, "the append-only file can be written again");
    engine->aof.error = 0;
}

/* The name of the file that is open: the newest, or while that waits the one before. */
static const char *open_name(const struct cw_aof *aof)
{
    return aof->is_older_open ? cw_manifest_newest(&aof->manifest)[-1].name : aof->newest.name;
}

/* What is executed before the picture is taken is in the picture; but its replies wait, too. */
static void want_first(struct cw_engine *engine)
{
    cw_repl_record(engine->repl, engine->aof.is_binding);
    cw_aof_rewrite_want(engine);
}

static void try_again(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    if (aof->state == CW_AOF_STARTING) {
        want_first(engine);
        aof->failed_ns = engine->now_ns;
        return;
    }
    open_newest(engine, open_name(aof));
    write_and_sync(engine);
}

/* --- what is confirmed --- */

/* Whatever is synced behind the older one would be of no use without it. */
static bool is_older_complete(const struct cw_aof *aof)
{
    return aof->is_older_open && aof->of_older == 0 && !aof->has_unsynced && !aof->is_syncing;
}

static void go_over_to_newest(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    aof->is_older_open = false;
    cw_aof_ask(engine, (struct file_effect){.operation = FILE_CLOSE, .file = aof->file}, NULL, 0, SLICE_LITERAL(""));
    aof->older_bytes += aof->confirmed;
    aof->confirmed = 0;
    aof->file = BOTH_FILES - aof->file;
    open_newest(engine, aof->newest.name);
    engine->turn_wanted = true;
}

static void confirmed(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    aof->has_unsynced = !aof->is_of_sync;
    if (aof->is_of_sync)
        aof->synced_offset = aof->syncing_offset;
    aof->is_of_sync = false;
    buf_consume(&aof->tail, aof->syncing);
    buf_shrink(&aof->tail, TAIL_KEPT);
    aof->confirmed += aof->syncing;
    aof->asked -= aof->syncing;
    aof->of_older -= aof->is_older_open ? aof->syncing : 0;
    aof->is_gathering = is_always(engine);
    aof->gathered = 0;
    aof->confirmed_ns = engine->now_ns;
    aof->took_ns = engine->now_ns - aof->synced_ns;
    if (is_older_complete(aof))
        go_over_to_newest(engine);
    if (buf_length(&aof->tail) > 0 || aof->is_older_open)
        engine->turn_wanted = true;
    works_again(engine);
    judge_refusal(engine);
    cw_engine_release(engine, cw_engine_released(engine));
}

static void answered_round(struct cw_engine *engine, int result)
{
    struct cw_aof *aof = &engine->aof;
    aof->is_syncing = false;
    if (result < 0 && aof->state == CW_AOF_STARTING) {
        cw_aof_rewrite_leave(engine);
        cw_aof_cannot_start(engine, result);
    } else if (result < 0) {
        failed(engine, result);
    } else {
        confirmed(engine);
    }
}

void cw_aof_answered(struct cw_engine *engine, uint64_t token, int result)
{
    enum cw_aof_question question = (enum cw_aof_question)(token & 15);
    if ((token >> 48 & GENERATION_MASK) != generation_of(&engine->aof, question))
        return;
    size_t length = (size_t)(token >> 4 & (((uint64_t)1 << 44) - 1));
    switch (question) {
    case CW_AOF_ROUND: answered_round(engine, result); break;
    case CW_AOF_BASE: cw_aof_rewrite_written(engine, length, result); break;
    case CW_AOF_ANNOUNCED: cw_aof_rewrite_increment_made(engine, result); break;
    case CW_AOF_MANIFEST_SYNCED: cw_aof_rewrite_manifest_synced(engine, result); break;
    case CW_AOF_MANIFEST_NAMED: cw_aof_rewrite_manifest_named(engine, result); break;
    }
}

/* --- the calls of aof_rewrite.c --- */

void cw_aof_switch(struct cw_engine *engine, const struct cw_manifest_file *newest)
{
    struct cw_aof *aof = &engine->aof;
    bool is_first = aof->state == CW_AOF_STARTING;
    aof->newest = *newest;
    if (is_first) {
        buf_clear(&aof->tail);
        aof->file = FIRST_FILE;
        aof->confirmed = 0;
        open_newest(engine, aof->newest.name);
    } else {
        aof->is_older_open = true;
        aof->of_older = buf_length(&aof->tail);
        aof->of_older_offset = cw_repl_offset(engine->repl);
    }
    aof->dated_s = 0;
    cw_repl_write_place(engine->repl, &aof->tail);
    cw_repl_record(engine->repl, true);
    if (is_older_complete(aof))
        go_over_to_newest(engine);
    engine->turn_wanted = true;
}

static void close_file(struct cw_engine *engine)
{
    if (engine->aof.file != NO_FILE)
        cw_aof_ask(engine, (struct file_effect){.operation = FILE_CLOSE, .file = engine->aof.file}, NULL, 0,
                   SLICE_LITERAL(""));
    engine->aof.file = NO_FILE;
}

/* Nothing of it is of use any more. */
static void drop_tail(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    close_file(engine);
    cw_repl_record(engine->repl, false);
    buf_free(&aof->tail);
    aof->asked = aof->of_older = aof->syncing = 0;
    aof->is_older_open = aof->is_syncing = aof->is_of_sync = aof->has_unsynced = false;
    aof->synced_offset = 0;
    aof->generation++;
}

void cw_aof_cannot_start(struct cw_engine *engine, int error)
{
    drop_tail(engine);
    failed(engine, error);
}

void cw_aof_established(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    aof->state = CW_AOF_ON;
    aof->is_binding = true;
    works_again(engine);
    judge_refusal(engine);
    engine->turn_wanted = true;
    cw_engine_release(engine, cw_engine_released(engine));
}

/* --- what others call --- */

bool cw_aof_has_data(const struct cw_engine *engine)
{
    return engine->settings.appendonly && engine->config.storage != NULL && cw_aof_is_there(engine);
}

static void note_cut(struct cw_engine *engine, const struct cw_aof_loaded *loaded)
{
    struct cw_aof *aof = &engine->aof;
    const struct cw_manifest_file *newest = cw_manifest_newest(&aof->manifest);
    char path[FILE_NAME_MAX];
    cw_aof_name_file(engine, newest != NULL ? newest->name : aof->manifest.base.name, path);
    buf_add_format(&aof->note, "%s ended within a command: %" PRIu64 " bytes were cut at byte %" PRIu64, path,
                   loaded->cut_bytes, loaded->newest_bytes);
    if (loaded->zero_bytes > 0)
        buf_add_format(&aof->note, "; the last %" PRIu64 " of them were zeros, as a host leaves them that dies",
                       loaded->zero_bytes);
}

/* Where appendonly is no, too, what a manifest names stays as it is until another one takes its place. */
static void keep_names(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    struct cw_manifest manifest;
    int error = cw_aof_read_manifest(engine, &manifest, &aof->note);
    aof->has_manifest = error == 0;
    if (error == 0)
        aof->manifest = manifest;
}

int cw_aof_create(struct cw_engine *engine, struct buf *why)
{
    bool has_directory = engine->config.storage != NULL;
    if (engine->settings.appendonly && !has_directory) {
        buf_add_text(why, "appendonly: needs a directory (dir)");
        return ERR_INVALID;
    }
    if (!engine->settings.appendonly && has_directory)
        keep_names(engine);
    return 0;
}

void cw_aof_take_loaded(struct cw_engine *engine, const struct cw_aof_loaded *loaded)
{
    struct cw_aof *aof = &engine->aof;
    aof->has_manifest = true;
    aof->manifest = loaded->manifest;
    aof->has_empty = loaded->has_empty;
    aof->rewrite.last_increment = loaded->last_number;
    aof->confirmed = loaded->newest_bytes;
    aof->older_bytes = loaded->bytes - loaded->newest_bytes;
    aof->base_bytes = loaded->bytes;
    if (!engine->config.standalone)
        cw_repl_take_history(engine->repl, &loaded->history);
    if (loaded->cut_bytes > 0)
        note_cut(engine, loaded);
}

static void begin_to_start(struct cw_engine *engine, bool is_binding)
{
    struct cw_aof *aof = &engine->aof;
    aof->state = CW_AOF_STARTING;
    aof->is_binding = is_binding;
    aof->error = 0;
    aof->file = NO_FILE;
    want_first(engine);
}

void cw_aof_start(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    if (buf_length(&aof->note) > 0)
        effect_log(engine->effects, LOG_LEVEL_WARNING, "%.*s", (int)buf_length(&aof->note), buf_slice(&aof->note).data);
    buf_free(&aof->note);
    if (!engine->settings.appendonly)
        return;
    cw_aof_remove_history(engine);
    if (!aof->has_manifest || aof->manifest.count == 0) {
        begin_to_start(engine, true);
        return;
    }
    aof->state = CW_AOF_ON;
    aof->is_binding = true;
    aof->newest = *cw_manifest_newest(&aof->manifest);
    aof->file = FIRST_FILE;
    aof->synced_ns = engine->now_ns;
    open_newest(engine, aof->newest.name);
    cw_aof_remove_leftovers(engine);
    cw_repl_record(engine->repl, true);
}

/* What belongs to the newest file behind what belongs to the one before. */
static void write_all(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    write_and_sync(engine);
    if (!aof->is_older_open)
        return;
    aof->is_older_open = false;
    aof->of_older = 0;
    aof->file = BOTH_FILES - aof->file;
    aof->confirmed = 0;
    open_newest(engine, aof->newest.name);
    write_and_sync(engine);
}

void cw_aof_end(struct cw_engine *engine)
{
    cw_aof_rewrite_leave(engine);
    if (engine->aof.state != CW_AOF_ON)
        return;
    if (engine->aof.error < 0) /* the last try */
        open_newest(engine, open_name(&engine->aof));
    write_all(engine);
}

void cw_aof_settings_changed(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    if (engine->repl == NULL || engine->loading.is_running)
        return; /* what it is started with */
    if (engine->settings.appendonly && aof->state == CW_AOF_OFF) {
        cw_aof_rewrite_leave(engine); /* of a base alone */
        begin_to_start(engine, false);
    } else if (!engine->settings.appendonly && aof->state != CW_AOF_OFF) {
        cw_aof_end(engine);
        drop_tail(engine);
        aof->state = CW_AOF_OFF;
        aof->error = 0;
    }
    engine->turn_wanted = true;
    judge_refusal(engine);
    cw_engine_release(engine, cw_engine_released(engine));
}

/* What comes now does not belong behind what is on the disk, which stays as it is until there is a new base. */
void cw_aof_data_replaced(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    if (engine->config.mutants & CW_MUTANT_AOF_GOES_ON)
        return;
    cw_aof_rewrite_leave(engine);
    if (aof->state == CW_AOF_OFF)
        return;
    drop_tail(engine);
    begin_to_start(engine, aof->is_binding);
}

/* A line with the date of what follows, where that is another one. */
static void add_date(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    int64_t now_s = engine->wall_us / 1000000;
    if (now_s == aof->dated_s)
        return;
    aof->dated_s = now_s;
    buf_add_format(&aof->tail, "#TS:%" PRId64 "\r\n", now_s);
}

void cw_aof_append(struct cw_engine *engine, struct slice bytes)
{
    struct cw_aof *aof = &engine->aof;
    if (UNLIKELY(engine->settings.aof_timestamps))
        add_date(engine);
    buf_add_slice(&aof->tail, bytes);
    if (UNLIKELY(buf_length(&aof->tail) > REFUSE_ABOVE))
        aof->refuses = true;
}

/* Nobody can refuse what a master sends. A second later there may be a new base. */
static void give_up_tail(struct cw_engine *engine)
{
    cw_aof_data_replaced(engine);
    cw_aof_rewrite_leave(engine);
    cw_aof_cannot_start(engine, ERR_TOO_BIG);
}

/* There is no file, and none is being made. */
static bool is_idle(const struct cw_aof *aof)
{
    return aof->state == CW_AOF_OFF && aof->rewrite.state == CW_AOF_REST;
}

/* A first base that is being made is the try itself. A later one waits for what is here, so this must not wait for it.
 */
static bool may_try_again(const struct cw_aof *aof)
{
    bool is_first_base = aof->state == CW_AOF_STARTING && cw_aof_rewrite_is_running(&aof->rewrite);
    return aof->error < 0 && !aof->is_syncing && !is_first_base;
}

void cw_aof_turn(struct cw_engine *engine)
{
    struct cw_aof *aof = &engine->aof;
    if (LIKELY(is_idle(aof)))
        return;
    if (UNLIKELY(buf_length(&aof->tail) > REFUSE_ABOVE) && !cw_repl_is_leading(engine->repl))
        give_up_tail(engine);
    if (may_try_again(aof) && engine->now_ns - aof->failed_ns >= SECOND_NS)
        try_again(engine);
    cw_aof_rewrite_turn(engine);
    if (aof->error < 0)
        return;
    bool is_synced = !gathers(engine) && is_sync_due(engine);
    if (is_synced)
        write_and_sync(engine);
    else if (is_write_due(engine))
        write_tail(engine);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t cw_aof_deadline(const struct cw_engine *engine)
{
    const struct cw_aof *aof = &engine->aof;
    if (LIKELY(is_idle(aof)))
        return NEVER_NS;
    int64_t deadline_ns = cw_aof_rewrite_deadline(engine);
    if (aof->error < 0)
        return may_try_again(aof) ? earlier(deadline_ns, aof->failed_ns + SECOND_NS) : deadline_ns;
    if (writable(aof) > aof->asked)
        return earlier(deadline_ns, is_always(engine) ? engine->now_ns : aof->unasked_ns + WRITE_DELAY_NS);
    bool will_sync =
        (aof->asked > 0 || aof->has_unsynced) && !aof->is_syncing && engine->settings.appendfsync == CW_AOF_EVERYSEC;
    return will_sync ? earlier(deadline_ns, aof->synced_ns + SECOND_NS) : deadline_ns;
}

bool cw_aof_may_hold(const struct cw_engine *engine)
{
    return UNLIKELY(engine->aof.state != CW_AOF_OFF) && is_always(engine) && engine->aof.is_binding &&
           cw_repl_is_leading(engine->repl);
}

/* Where nothing waits, what the stream has beyond is of no consequence (a PING to replicas). */
uint64_t cw_aof_released(const struct cw_engine *engine)
{
    const struct cw_aof *aof = &engine->aof;
    if (LIKELY(aof->state == CW_AOF_OFF) || !is_always(engine) || !aof->is_binding || aof->error < 0 ||
        !cw_repl_is_leading(engine->repl))
        return CW_RELEASED_ALL;
    if (aof->state == CW_AOF_STARTING)
        return 0;
    return buf_length(&aof->tail) > 0 || aof->has_unsynced ? aof->synced_offset : CW_RELEASED_ALL;
}

uint64_t cw_aof_synced_offset(const struct cw_engine *engine)
{
    const struct cw_aof *aof = &engine->aof;
    if (aof->state != CW_AOF_ON)
        return 0;
    bool is_all = buf_length(&aof->tail) == 0 && !aof->has_unsynced && !aof->is_syncing;
    return is_all ? cw_repl_offset(engine->repl) : aof->synced_offset;
}

bool cw_aof_is_synced(const struct cw_engine *engine, uint64_t offset)
{
    return engine->aof.state == CW_AOF_ON && cw_aof_synced_offset(engine) >= offset;
}

void cw_aof_write_refusal(const struct cw_engine *engine, struct buf *words)
{
    int error = engine->aof.error;
    buf_add_format(words, "MISCONF Errors writing to the AOF file: %s",
                   error < 0 ? error_text(error) : "the disk does not keep up");
}

void cw_aof_free(struct cw_aof *aof)
{
    buf_free(&aof->tail);
    buf_free(&aof->note);
    cw_picture_free(&aof->rewrite.picture);
}

/* --- INFO, BGREWRITEAOF --- */

void cw_aof_info(const struct cw_engine *engine, struct buf *out)
{
    const struct cw_aof *aof = &engine->aof;
    const struct cw_aof_rewrite *rewrite = &aof->rewrite;
    bool is_running = cw_aof_rewrite_is_running(rewrite);
    buf_add_format(out, "aof_enabled:%d\r\naof_rewrite_in_progress:%d\r\naof_rewrite_scheduled:%d\r\n",
                   aof->state != CW_AOF_OFF, is_running, rewrite->state == CW_AOF_WANTED);
    buf_add_format(out, "aof_last_rewrite_time_sec:%" PRId64 "\r\naof_current_rewrite_time_sec:%" PRId64 "\r\n",
                   rewrite->took_ns > 0 ? rewrite->took_ns / NS_PER_S : -1,
                   rewrite->state >= CW_AOF_WRITING ? (engine->now_ns - rewrite->began_ns) / NS_PER_S : -1);
    buf_add_format(out,
                   "aof_last_bgrewrite_status:%s\r\naof_rewrites:%" PRIu64
                   "\r\naof_rewrites_consecutive_failures:%" PRIu64 "\r\naof_last_write_status:%s\r\n"
                   "aof_last_cow_size:%zu\r\n",
                   rewrite->failures > 0 ? "err" : "ok", rewrite->completed, rewrite->failures,
                   aof->error < 0 ? "err" : "ok", rewrite->held_peak);
    if (aof->state == CW_AOF_OFF)
        return;
    buf_add_format(out,
                   "aof_current_size:%" PRIu64 "\r\naof_base_size:%" PRIu64 "\r\naof_pending_rewrite:%d\r\n"
                   "aof_buffer_length:%zu\r\naof_pending_bio_fsync:%d\r\naof_delayed_fsync:0\r\n",
                   aof->older_bytes + aof->confirmed + aof->asked, aof->base_bytes, rewrite->state == CW_AOF_WANTED,
                   buf_length(&aof->tail) - aof->asked, aof->is_syncing);
}

void cw_bgrewriteaof_command(struct cw_call *call)
{
    struct cw_engine *engine = call->engine;
    struct cw_aof *aof = &engine->aof;
    if (engine->config.storage == NULL) {
        cw_reply_error(call, "ERR this server has no directory for an append-only file");
        return;
    }
    if (cw_aof_rewrite_is_running(&aof->rewrite)) {
        cw_reply_error(call, "ERR Background append only file rewriting already in progress");
        return;
    }
    cw_aof_rewrite_want(engine);
    bool is_later = (call->flags & CW_CALL_IN_TRANSACTION) || cw_background_save_is_running(&engine->background_save);
    resp_write_simple(call->reply, is_later ? SLICE_LITERAL("Background append only file rewriting scheduled")
                                            : SLICE_LITERAL("Background append only file rewriting started"));
}
