#include "tests/unit/cacheworker/memory_storage.h"

#include "common/base/errors.h"

static bool is_users(const char *name)
{
    return strcmp(name, "users.acl") == 0;
}

static int open_read(void *context, const char *name, void **ret_file)
{
    struct memory_storage *memory = context;
    if (is_users(name) ? buf_length(&memory->users) == 0 : !memory->exists)
        return ERR_NOT_FOUND;
    memory->reading = is_users(name) ? &memory->users : &memory->content;
    memory->position = 0;
    memory->open_files++;
    *ret_file = &memory->position;
    return 0;
}

static int read_some(void *context, void *file, void *data, size_t capacity, size_t *ret_length)
{
    struct memory_storage *memory = context;
    (void)file;
    struct slice rest = slice_skip(buf_slice(memory->reading), memory->position);
    size_t length = rest.length < capacity ? rest.length : capacity;
    if (memory->piece > 0 && length > memory->piece)
        length = memory->piece;
    if (length > 0)
        memcpy(data, rest.data, length);
    memory->position += length;
    *ret_length = length;
    return 0;
}

static int open_write(void *context, const char *name, void **ret_file)
{
    struct memory_storage *memory = context;
    CHECK(strlen(name) < sizeof(memory->written_name));
    strcpy(memory->written_name, name);
    buf_clear(&memory->writing);
    memory->open_files++;
    *ret_file = &memory->writing;
    return 0;
}

static int write_all(void *context, void *file, struct slice bytes)
{
    struct memory_storage *memory = context;
    (void)file;
    if (memory->write_limit > 0 && buf_length(&memory->writing) + bytes.length > memory->write_limit)
        return ERR_DISK_FULL;
    buf_add_slice(&memory->writing, bytes);
    return 0;
}

static int commit(void *context, void *file)
{
    struct memory_storage *memory = context;
    (void)file;
    memory->open_files--;
    if (memory->commit_result < 0)
        return memory->commit_result;
    if (strncmp(memory->written_name, "diverged-", strlen("diverged-")) == 0) {
        strcpy(memory->diverged_name, memory->written_name);
        buf_clear(&memory->diverged);
        buf_add_slice(&memory->diverged, buf_slice(&memory->writing));
        return 0;
    }
    struct buf *place = is_users(memory->written_name) ? &memory->users : &memory->content;
    buf_clear(place);
    buf_add_slice(place, buf_slice(&memory->writing));
    memory->exists = memory->exists || place == &memory->content;
    return 0;
}

static void close_file(void *context, void *file)
{
    struct memory_storage *memory = context;
    (void)file;
    memory->open_files--;
}

void memory_storage_init(struct memory_storage *memory)
{
    *memory = (struct memory_storage){.storage = {.context = memory,
                                                  .open_read = open_read,
                                                  .read = read_some,
                                                  .open_write = open_write,
                                                  .write = write_all,
                                                  .commit = commit,
                                                  .close = close_file}};
}

void memory_storage_free(struct memory_storage *memory)
{
    buf_free(&memory->content);
    buf_free(&memory->writing);
    buf_free(&memory->diverged);
    buf_free(&memory->users);
}
