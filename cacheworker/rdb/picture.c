#include "cacheworker/rdb/picture.h"

#include "cacheworker/engine/state.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/repl/repl.h"
#include "cacheworker/script/scripting.h"

#include <inttypes.h>

enum {
    PIECE_ENOUGH = 64 << 10, /* bytes that are worth a write */
    UNDER_WAY_MAX = 4 << 20, /* bytes that wait for the disk; then no more is asked for */
    BUDGET = 2000,           /* of cw_keyspace_snapshot_step: a tenth of a millisecond */
    TIMES_A_TURN = 10,
};

static void note_held(struct cw_picture *picture)
{
    size_t held = cw_picture_held(picture);
    if (held > picture->held_peak)
        picture->held_peak = held;
}

static void seal_piece(struct cw_picture *picture, unsigned flags, struct file_effect *file)
{
    flags |= picture->engine->settings.rdb_compression ? CW_RDB_PACK_COMPRESS : 0;
    flags |= picture->pieces == 0 ? CW_RDB_PACK_FIRST : 0;
    cw_rdb_pack_seal(&picture->piece, &picture->strings, flags);
    file->pack = cw_rdb_pack;
    file->pack_context = picture->packer;
}

static void write_piece(struct cw_picture *picture, unsigned flags)
{
    size_t length = buf_length(&picture->piece);
    if (length == 0)
        return;
    struct cw_engine *engine = picture->engine;
    struct file_effect file = {.operation = FILE_APPEND, .file = picture->file};
    if (picture->form == CW_PICTURE_RDB)
        seal_piece(picture, flags, &file);
    effect_file(engine->effects, &file, NULL, picture->token(engine, length), buf_slice(&picture->piece));
    picture->pieces++;
    picture->bytes += length;
    picture->under_way += length;
    buf_clear(&picture->piece);
}

static void look_at_piece(struct cw_picture *picture)
{
    if (buf_length(&picture->piece) >= PIECE_ENOUGH)
        write_piece(picture, 0);
    note_held(picture);
}

static void show_entry(void *context, unsigned database, const struct cw_entry *entry)
{
    struct cw_picture *picture = context;
    cw_rdb_write_entry(&picture->writer, database, entry);
    picture->keys++;
    look_at_piece(picture);
}

static bool show_slice(void *context, unsigned database, const struct cw_entry *entry, unsigned *budget)
{
    struct cw_picture *picture = context;
    bool more = cw_rdb_write_slice(&picture->writer, database, entry, budget);
    picture->keys += !more;
    look_at_piece(picture);
    return more;
}

static void write_head_of_rdb(struct cw_picture *picture)
{
    struct cw_engine *engine = picture->engine;
    struct cw_rdb_origin origin = cw_repl_origin(engine->repl);
    if (UNLIKELY(engine->config.mutants & CW_MUTANT_PICTURE_AHEAD))
        origin.history.last_offset++;
    cw_rdb_write_preamble(&picture->writer, &origin, engine->wall_us, cw_keyspace_used_bytes(engine->keyspace));
    cw_rdb_write_databases(&picture->writer, engine->keyspace);
}

static void write_head_of_commands(struct cw_picture *picture)
{
    const struct cw_engine *engine = picture->engine;
    const struct cw_functions *functions = engine->scripting->functions;
    cw_rdb_writer_say_commands(&picture->writer);
    if (engine->settings.aof_timestamps)
        buf_add_format(&picture->piece, "#TS:%" PRId64 "\r\n", engine->wall_us / 1000000);
    if (functions != NULL)
        cw_functions_write_commands(functions, &picture->piece);
}

void cw_picture_begin(struct cw_picture *picture, struct cw_engine *engine, enum cw_picture_form form, uint32_t file,
                      uint64_t (*token)(const struct cw_engine *engine, size_t length))
{
    struct cw_keyspace *keyspace = engine->keyspace;
    struct cw_rdb_packer *packer = picture->packer != NULL ? picture->packer : cw_rdb_packer_create();
    *picture = (struct cw_picture){
        .engine = engine, .form = form, .file = file, .token = token, .packer = packer, .is_being_shown = true};
    picture->writer.out = &picture->piece;
    picture->writer.strings = &picture->strings;
    for (unsigned i = 0; i < cw_keyspace_databases(keyspace); i++)
        picture->keys_total += cw_keyspace_count(keyspace, i);
    if (form == CW_PICTURE_RDB)
        write_head_of_rdb(picture);
    else
        write_head_of_commands(picture);
    cw_keyspace_snapshot_begin(keyspace, &(struct cw_snapshot_visitor){picture, show_entry, show_slice});
}

/* rdb-key-save-delay: no key is asked for before as many were shown as there was time for. */
static bool is_delayed(const struct cw_picture *picture)
{
    return picture->engine->settings.rdb_key_save_delay_us > 0 && picture->next_key_ns > picture->engine->now_ns;
}

/* A tenth of a turn's share. False: all was shown. */
static bool step(struct cw_picture *picture)
{
    struct cw_engine *engine = picture->engine;
    int64_t delay_us = engine->settings.rdb_key_save_delay_us;
    uint64_t keys = picture->keys;
    bool more = cw_keyspace_snapshot_step(engine->keyspace, delay_us > 0 ? 1 : BUDGET);
    if (UNLIKELY(delay_us > 0)) {
        if (picture->next_key_ns < engine->now_ns)
            picture->next_key_ns = engine->now_ns;
        picture->next_key_ns += (int64_t)(picture->keys - keys) * delay_us * NS_PER_US;
    }
    engine->turn_wanted |= !list_is_empty(&engine->parked); /* who waits for a value looks again */
    return more;
}

/* The disk is waited for, unless somebody waits for a value. */
static bool has_room(const struct cw_picture *picture)
{
    return picture->under_way < UNDER_WAY_MAX ||
           (cw_keyspace_is_awaited(picture->engine->keyspace) && cw_picture_held(picture) < CW_PICTURE_HELD_MAX);
}

bool cw_picture_go_on(struct cw_picture *picture)
{
    for (unsigned i = 0; i < TIMES_A_TURN && has_room(picture) && !is_delayed(picture); i++) {
        if (step(picture))
            continue;
        picture->is_being_shown = false;
        if (picture->form == CW_PICTURE_RDB)
            cw_rdb_write_end(&picture->writer);
        write_piece(picture, CW_RDB_PACK_LAST);
        return false;
    }
    return true;
}

int64_t cw_picture_deadline(const struct cw_picture *picture)
{
    if (!has_room(picture))
        return NEVER_NS;
    return is_delayed(picture) ? picture->next_key_ns : picture->engine->now_ns;
}

void cw_picture_written(struct cw_picture *picture, size_t length)
{
    picture->under_way -= length;
}

uint64_t cw_picture_bytes(const struct cw_picture *picture)
{
    return picture->form == CW_PICTURE_RDB ? cw_rdb_packer_bytes(picture->packer) : picture->bytes;
}

size_t cw_picture_held(const struct cw_picture *picture)
{
    return picture->under_way + buf_length(&picture->piece) + cw_rdb_bytes_aside(&picture->writer);
}

static void free_buffers(struct cw_picture *picture)
{
    cw_rdb_writer_free(&picture->writer);
    buf_free(&picture->piece);
    buf_free(&picture->strings);
}

void cw_picture_end(struct cw_picture *picture)
{
    if (picture->is_being_shown)
        cw_keyspace_snapshot_cancel(picture->engine->keyspace);
    picture->is_being_shown = false;
    picture->under_way = 0;
    free_buffers(picture);
}

void cw_picture_free(struct cw_picture *picture)
{
    free_buffers(picture);
    cw_rdb_packer_free(picture->packer);
    picture->packer = NULL;
}
