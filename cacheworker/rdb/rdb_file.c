#include "cacheworker/rdb/rdb_file.h"

#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/rdb/rdb_load.h"
#include "common/base/errors.h"
#include "common/base/mem.h"

enum { PIECE = 256 << 10 }; /* bytes gathered before they are written, or read at a time */

struct save {
    const struct storage *storage;
    void *file;
    struct buf piece;
    struct cw_rdb_writer writer;
    int error; /* the first; what follows is not written */
};

static void write_piece(struct save *save)
{
    if (save->error == 0)
        save->error = save->storage->write(save->storage->context, save->file, buf_slice(&save->piece));
    buf_clear(&save->piece);
}

static void save_entry(void *context, unsigned database, const struct cw_entry *entry)
{
    struct save *save = context;
    cw_rdb_write_entry(&save->writer, database, entry);
    if (buf_length(&save->piece) >= PIECE)
        write_piece(save);
}

static void save_databases(struct save *save, struct cw_keyspace *keyspace)
{
    for (unsigned database = 0; database < cw_keyspace_databases(keyspace) && save->error == 0; database++) {
        if (cw_keyspace_count(keyspace, database) > 0)
            cw_keyspace_for_each(keyspace, database, save_entry, save);
    }
}

int cw_rdb_save(const struct storage *storage, const char *name, struct cw_keyspace *keyspace,
                const struct cw_rdb_origin *origin, int64_t wall_us)
{
    struct save save = {.storage = storage};
    int error = storage->open_write(storage->context, name, &save.file);
    if (error < 0)
        return error;
    save.writer.out = &save.piece;
    cw_rdb_write_preamble(&save.writer, origin, wall_us, cw_keyspace_used_bytes(keyspace));
    cw_rdb_write_databases(&save.writer, keyspace);
    save_databases(&save, keyspace);
    cw_rdb_write_end(&save.writer);
    write_piece(&save);
    buf_free(&save.piece);
    if (save.error < 0) {
        storage->close(storage->context, save.file);
        return save.error;
    }
    return storage->commit(storage->context, save.file);
}

/* 0 when the snapshot ends where the file ends. */
static int load_pieces(const struct storage *storage, void *file, struct cw_rdb_load *load, char *piece)
{
    bool complete = false;
    for (;;) {
        size_t length;
        int error = storage->read(storage->context, file, piece, PIECE, &length);
        if (error < 0)
            return error;
        if (length == 0)
            return complete ? 0 : ERR_TRUNCATED;
        size_t used = 0;
        if (!complete) {
            int result = cw_rdb_read(&load->reader, slice_of(piece, length), &used);
            if (result < 0)
                return result;
            complete = result > 0;
        }
        if (used < length)
            return ERR_CORRUPT; /* bytes behind the end */
    }
}

int cw_rdb_load_file(const struct storage *storage, const char *name, struct cw_keyspace *keyspace,
                     struct cw_rdb_origin *ret_origin, struct buf *ret_programs)
{
    void *file;
    int error = storage->open_read(storage->context, name, &file);
    if (error < 0)
        return error;
    struct cw_rdb_load load;
    cw_rdb_load_init(&load, keyspace);
    char *piece = mem_alloc(PIECE);
    error = load_pieces(storage, file, &load, piece);
    mem_free(piece);
    storage->close(storage->context, file);
    if (error == 0)
        *ret_origin = load.origin;
    if (error == 0 && ret_programs != NULL)
        buf_add_slice(ret_programs, buf_slice(&load.programs));
    cw_rdb_load_free(&load);
    return error;
}
