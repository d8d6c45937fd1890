#include "tests/fuzz/memory_disk.h"

#include "common/base/check.h"
#include "common/base/errors.h"
#include "common/base/mem.h"

static struct memory_file *find(struct memory_disk *disk, const char *name)
{
    for (size_t i = 0; i < MEMORY_DISK_FILES; i++)
        if (strcmp(disk->files[i].name, name) == 0)
            return &disk->files[i];
    return NULL;
}

static struct memory_file *take(struct memory_disk *disk, const char *name)
{
    struct memory_file *file = find(disk, name);
    if (file != NULL)
        return file;
    file = find(disk, "");
    CHECK(file != NULL && strlen(name) < sizeof(file->name));
    strcpy(file->name, name);
    return file;
}

static void forget(struct memory_disk *disk, struct memory_file *file)
{
    for (size_t i = 0; i < FILES_MAX; i++)
        CHECK(disk->open[i].file != file); /* nobody removes what is still written */
    buf_free(&file->content);
    *file = (struct memory_file){0};
}

static void replace(struct memory_disk *disk, const char *name, struct slice bytes)
{
    struct memory_file *file = take(disk, name);
    buf_clear(&file->content);
    buf_add_slice(&file->content, bytes);
}

/* --- effects --- */

static int open_file(struct memory_disk *disk, const char *name, const struct file_effect *effect)
{
    struct memory_file *file = disk->is_full && find(disk, name) == NULL ? NULL : take(disk, name);
    disk->open[effect->file].error = file == NULL ? ERR_DISK_FULL : 0;
    disk->open[effect->file].file = file;
    if (file == NULL)
        return ERR_DISK_FULL;
    if (effect->length != FILE_WHOLE) {
        CHECK(effect->length <= buf_length(&file->content)); /* nobody asks for a hole */
        file->content.end = file->content.start + (size_t)effect->length;
    }
    return 0;
}

static int append(struct memory_disk *disk, const struct file_effect *effect, struct slice bytes)
{
    struct buf packed = {0};
    buf_add_slice(&packed, bytes);
    if (effect->pack != NULL)
        effect->pack(effect->pack_context, &packed);
    if (!disk->is_full)
        buf_add_slice(&disk->open[effect->file].file->content, buf_slice(&packed));
    buf_free(&packed);
    return disk->is_full ? ERR_DISK_FULL : 0;
}

static int rename_file(struct memory_disk *disk, const char *name, const char *new_name)
{
    struct memory_file *file = find(disk, name), *old = find(disk, new_name);
    if (file == NULL)
        return ERR_NOT_FOUND;
    if (old != NULL)
        forget(disk, old);
    CHECK(strlen(new_name) < sizeof(file->name));
    strcpy(file->name, new_name);
    return 0;
}

static int remove_file(struct memory_disk *disk, const char *name)
{
    struct memory_file *file = find(disk, name);
    if (file != NULL)
        forget(disk, file);
    return 0;
}

/* What failed on a file fails every later operation on it. */
static int use_open_file(struct memory_disk *disk, const struct file_effect *effect, struct slice bytes)
{
    int error = disk->open[effect->file].error;
    if (effect->operation == FILE_CLOSE) {
        disk->open[effect->file].file = NULL;
        return error;
    }
    CHECK(error < 0 || disk->open[effect->file].file != NULL);
    if (error == 0 && effect->operation == FILE_APPEND)
        error = append(disk, effect, bytes);
    else if (error == 0 && disk->is_full)
        error = ERR_DISK_FULL;
    disk->open[effect->file].error = error;
    return error;
}

int memory_disk_carry_out(struct memory_disk *disk, const struct effects *effects, const struct effect *effect)
{
    const char *name = effects_name(effects, effect);
    struct slice bytes = effects_text(effects, effect);
    if (effect->kind == EFFECT_PERSIST) {
        if (!disk->is_full)
            replace(disk, name, bytes);
        return disk->is_full ? ERR_DISK_FULL : 0;
    }
    switch (effect->file.operation) {
    case FILE_OPEN: return open_file(disk, name, &effect->file);
    case FILE_RENAME: return rename_file(disk, name, effects_new_name(effects, effect));
    case FILE_REMOVE: return remove_file(disk, name);
    default: return use_open_file(disk, &effect->file, bytes);
    }
}

/* --- storage --- */

struct handle {
    char name[FILE_NAME_MAX];
    struct buf content; /* owned: a copy of what is read, or what is written */
};

static int open_read(void *context, const char *name, void **ret_file)
{
    const struct memory_file *file = find(context, name);
    if (file == NULL)
        return ERR_NOT_FOUND;
    struct handle *handle = mem_zero(sizeof(*handle));
    buf_add_slice(&handle->content, buf_slice(&file->content));
    *ret_file = handle;
    return 0;
}

static int read_some(void *context, void *opened, void *data, size_t capacity, size_t *ret_length)
{
    (void)context;
    struct handle *handle = opened;
    size_t length = buf_length(&handle->content);
    length = length < capacity ? length : capacity;
    if (length > 0)
        memcpy(data, buf_slice(&handle->content).data, length);
    buf_consume(&handle->content, length);
    *ret_length = length;
    return 0;
}

static int open_write(void *context, const char *name, void **ret_file)
{
    (void)context;
    struct handle *handle = mem_zero(sizeof(*handle));
    CHECK(strlen(name) < sizeof(handle->name));
    strcpy(handle->name, name);
    *ret_file = handle;
    return 0;
}

static int write_all(void *context, void *opened, struct slice bytes)
{
    if (((const struct memory_disk *)context)->is_full)
        return ERR_DISK_FULL;
    buf_add_slice(&((struct handle *)opened)->content, bytes);
    return 0;
}

static void close_handle(void *context, void *opened)
{
    (void)context;
    struct handle *handle = opened;
    buf_free(&handle->content);
    mem_free(handle);
}

static int commit(void *context, void *opened)
{
    struct handle *handle = opened;
    replace(context, handle->name, buf_slice(&handle->content));
    close_handle(context, opened);
    return 0;
}

void memory_disk_init(struct memory_disk *disk)
{
    *disk = (struct memory_disk){.storage = {.context = disk,
                                             .open_read = open_read,
                                             .read = read_some,
                                             .open_write = open_write,
                                             .write = write_all,
                                             .commit = commit,
                                             .close = close_handle}};
}

void memory_disk_free(struct memory_disk *disk)
{
    for (size_t i = 0; i < MEMORY_DISK_FILES; i++)
        buf_free(&disk->files[i].content);
}
