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

/* --- reading --- */

int cw_rdb_input_open(struct cw_rdb_input *input, const struct storage *storage, const char *name,
                      struct cw_keyspace *keyspace)
{
    *input = (struct cw_rdb_input){.storage = storage};
    int error = storage->open_read(storage->context, name, &input->file);
    if (error < 0) {
        input->file = NULL;
        return error;
    }
    input->total = storage->size != NULL ? storage->size(storage->context, input->file) : 0;
    input->piece = mem_alloc(PIECE);
    cw_rdb_load_init(&input->load, keyspace);
    return 0;
}

void cw_rdb_input_close(struct cw_rdb_input *input)
{
    if (input->file == NULL)
        return;
    input->storage->close(input->storage->context, input->file);
    cw_rdb_load_free(&input->load);
    mem_free(input->piece);
    *input = (struct cw_rdb_input){.file = NULL};
}

static int take_piece(struct cw_rdb_input *input, struct slice bytes)
{
    size_t used = 0;
    input->read += bytes.length;
    if (!input->is_complete) {
        int result = cw_rdb_read(&input->load.reader, bytes, &used);
        if (result < 0)
            return result;
        input->is_complete = result > 0;
    }
    if (used == bytes.length)
        return 0;
    input->load.reader.why = "the file goes on behind the end of the data";
    return ERR_CORRUPT;
}

int cw_rdb_input_read(struct cw_rdb_input *input, size_t bytes)
{
    const struct storage *storage = input->storage;
    while (bytes > 0) {
        size_t length;
        size_t wanted = bytes < PIECE ? bytes : PIECE;
        int error = storage->read(storage->context, input->file, input->piece, wanted, &length);
        if (error == 0 && length == 0)
            return input->is_complete ? 1 : ERR_TRUNCATED;
        if (error == 0)
            error = take_piece(input, slice_of(input->piece, length));
        if (error < 0)
            return error;
        bytes -= length;
    }
    return 0;
}

int cw_rdb_load_file(const struct storage *storage, const char *name, struct cw_keyspace *keyspace,
                     struct cw_rdb_origin *ret_origin, struct buf *ret_programs)
{
    struct cw_rdb_input input;
    int result = cw_rdb_input_open(&input, storage, name, keyspace);
    if (result < 0)
        return result;
    while (result == 0)
        result = cw_rdb_input_read(&input, PIECE);
    if (result > 0)
        *ret_origin = input.load.origin;
    if (result > 0 && ret_programs != NULL)
        buf_add_slice(ret_programs, buf_slice(&input.load.programs));
    cw_rdb_input_close(&input);
    return result < 0 ? result : 0;
}
