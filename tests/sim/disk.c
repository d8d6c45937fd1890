#include "tests/sim/disk.h"

#include "common/base/errors.h"
#include "common/base/mem.h"
#include "tests/sim/queue.h"

static struct sim_file *file_find(const struct sim_process *process, const char *name)
{
    for (unsigned i = 0; i < SIM_FILES_MAX; i++)
        if (strcmp(process->files[i].name, name) == 0)
            return (struct sim_file *)&process->files[i];
    return NULL;
}

static struct sim_file *file_take(struct sim_process *process, const char *name)
{
    struct sim_file *file = file_find(process, name);
    if (file != NULL)
        return file;
    file = file_find(process, "");
    CHECK(file != NULL && strlen(name) < sizeof(file->name));
    strcpy(file->name, name);
    return file;
}

bool sim_file_read(const struct sim_process *process, const char *name, struct slice *ret_bytes)
{
    const struct sim_file *file = file_find(process, name);
    if (file == NULL || !file->exists)
        return false;
    *ret_bytes = buf_slice(&file->content);
    return true;
}

static void file_forget(struct sim_file *file)
{
    buf_free(&file->content);
    *file = (struct sim_file){0};
}

/* Durable at once: what is written aside and renamed is there as a whole, or not. */
static void file_replace(struct sim_file *file, struct slice bytes)
{
    buf_clear(&file->content);
    buf_add_slice(&file->content, bytes);
    file->synced = bytes.length;
    file->exists = true;
}

/* --- requests --- */

static int open_file(struct sim_process *process, const struct sim_write *write)
{
    struct sim_file *file = file_take(process, write->name);
    file->exists = true;
    if (write->file.length != FILE_WHOLE) {
        CHECK(write->file.length <= buf_length(&file->content)); /* nobody asks for a hole */
        file->content.end = file->content.start + (size_t)write->file.length;
    }
    if (file->synced > buf_length(&file->content))
        file->synced = buf_length(&file->content);
    process->open[write->file.file] = (struct sim_open_file){.file = file};
    return 0;
}

static int rename_file(struct sim_process *process, const struct sim_write *write)
{
    struct sim_file *file = file_find(process, write->name), *old = file_find(process, write->new_name);
    if (file == NULL || !file->exists)
        return ERR_NOT_FOUND;
    if (old != NULL)
        file_forget(old);
    CHECK(strlen(write->new_name) < sizeof(file->name));
    strcpy(file->name, write->new_name);
    return 0;
}

static int remove_file(struct sim_process *process, const struct sim_write *write)
{
    struct sim_file *file = file_find(process, write->name);
    if (file != NULL)
        file_forget(file);
    return 0;
}

static int on_open_file(struct sim_process *process, struct sim_write *write)
{
    struct sim_open_file *open = &process->open[write->file.file];
    int error = open->file == NULL ? ERR_INVALID : open->error;
    if (write->file.operation == FILE_CLOSE) {
        error = open->error;
        *open = (struct sim_open_file){0};
    } else if (error == 0 && write->file.operation == FILE_SYNC) {
        open->file->synced = buf_length(&open->file->content);
    } else if (error == 0) {
        if (write->file.pack != NULL)
            write->file.pack(write->file.pack_context, &write->bytes);
        buf_add_slice(&open->file->content, buf_slice(&write->bytes));
    }
    return error;
}

static int carry_out(struct sim_process *process, struct sim_write *write)
{
    if (write->is_persist) {
        file_replace(file_take(process, write->name), buf_slice(&write->bytes));
        return 0;
    }
    switch (write->file.operation) {
    case FILE_OPEN: return open_file(process, write);
    case FILE_RENAME: return rename_file(process, write);
    case FILE_REMOVE: return remove_file(process, write);
    default: return on_open_file(process, write);
    }
}

static void spoil(struct sim_process *process, const struct sim_write *write, int error)
{
    bool is_on_open_file =
        !write->is_persist && write->file.operation != FILE_RENAME && write->file.operation != FILE_REMOVE;
    if (is_on_open_file)
        process->open[write->file.file].error = error;
}

bool disk_finish(struct sim_process *process, int error, struct event *ret_answer)
{
    struct sim_write *write = process->writes_first;
    process->writes_first = write->next;
    if (process->writes_first == NULL)
        process->writes_last = NULL;
    if (error < 0)
        spoil(process, write, error);
    else
        error = carry_out(process, write);
    *ret_answer = (struct event){
        .kind = write->is_persist ? EVENT_PERSISTED : EVENT_FILE, .token = write->token, .result = error};
    bool is_answered = write->is_persist || write->token != 0;
    buf_free(&write->bytes);
    mem_free(write);
    return is_answered;
}

void disk_crash(struct world *world, struct sim_process *process)
{
    struct event answer;
    while (process->writes_first != NULL && rand_chance(&world->rand, 500000))
        disk_finish(process, 0, &answer);
    while (process->writes_first != NULL)
        disk_finish(process, ERR_IO, &answer);
    memset(process->open, 0, sizeof(process->open));
    process->disk_free_ns = 0;
}

void disk_tear(struct world *world, struct sim_process *process)
{
    for (unsigned i = 0; i < SIM_FILES_MAX; i++) {
        struct sim_file *file = &process->files[i];
        size_t loose = buf_length(&file->content) - file->synced;
        if (loose == 0)
            continue;
        size_t kept = (size_t)rand_between(&world->rand, 0, (int64_t)loose);
        file->content.end = file->content.start + file->synced + kept;
        file->synced += kept;
    }
}

void sim_lose_disk(struct sim_process *process)
{
    CHECK(!process->running);
    for (unsigned i = 0; i < SIM_FILES_MAX; i++)
        file_forget(&process->files[i]);
}

static void copy_name(const char *name, char *copy)
{
    if (name == NULL)
        return;
    CHECK(strlen(name) < FILE_NAME_MAX);
    strcpy(copy, name);
}

static bool waits_for_the_disk(const struct effect *effect)
{
    return effect->kind == EFFECT_PERSIST || effect->file.operation == FILE_SYNC ||
           effect->file.operation == FILE_RENAME;
}

void disk_ask(struct world *world, struct sim_process *process, const struct effects *effects,
              const struct effect *effect)
{
    struct sim_write *write = mem_zero(sizeof(*write));
    write->is_persist = effect->kind == EFFECT_PERSIST;
    write->token = effect->token;
    copy_name(effects_name(effects, effect), write->name);
    if (!write->is_persist) {
        write->file = effect->file;
        copy_name(effects_new_name(effects, effect), write->new_name);
    }
    buf_add_slice(&write->bytes, effects_text(effects, effect));
    if (process->writes_last != NULL)
        process->writes_last->next = write;
    else
        process->writes_first = write;
    process->writes_last = write;

    if (process->disk_free_ns < world->now_ns)
        process->disk_free_ns = world->now_ns;
    if (waits_for_the_disk(effect)) {
        process->disk_free_ns += rand_between(&world->rand, world->options.fsync_min_ns, world->options.fsync_max_ns);
        if (process->disk_slow_ns > 0)
            process->disk_free_ns += rand_between(&world->rand, process->disk_slow_ns / 2, process->disk_slow_ns);
    }
    queue_add(world->queue, (struct sim_event){.at_ns = process->disk_free_ns,
                                               .kind = SIM_DISK_DONE,
                                               .process = process->index,
                                               .life = process->life});
    if (process->writes_until_crash > 0 && --process->writes_until_crash == 0)
        queue_add(world->queue,
                  (struct sim_event){.at_ns = rand_between(&world->rand, world->now_ns, process->disk_free_ns),
                                     .kind = SIM_CRASH,
                                     .process = process->index,
                                     .life = process->life});
}

/* --- the files that are read at the start, and written by SAVE --- */

struct storage_handle {
    struct sim_file *file; /* borrowed */
    size_t position;       /* a reader's */
    struct buf content;    /* owned; a writer's */
};

static int storage_open_read(void *context, const char *name, void **ret_file)
{
    struct sim_file *file = file_find(context, name);
    if (file == NULL || !file->exists)
        return ERR_NOT_FOUND;
    struct storage_handle *handle = mem_zero(sizeof(*handle));
    handle->file = file;
    *ret_file = handle;
    return 0;
}

static int storage_read(void *context, void *opened, void *data, size_t capacity, size_t *ret_length)
{
    (void)context;
    struct storage_handle *handle = opened;
    struct slice rest = slice_skip(buf_slice(&handle->file->content), handle->position);
    size_t length = rest.length < capacity ? rest.length : capacity;
    if (length > 0)
        memcpy(data, rest.data, length);
    handle->position += length;
    *ret_length = length;
    return 0;
}

static int storage_open_write(void *context, const char *name, void **ret_file)
{
    struct storage_handle *handle = mem_zero(sizeof(*handle));
    handle->file = file_take(context, name);
    *ret_file = handle;
    return 0;
}

static int storage_write(void *context, void *opened, struct slice bytes)
{
    if (((struct sim_process *)context)->disk_fails)
        return ERR_DISK_FULL;
    buf_add_slice(&((struct storage_handle *)opened)->content, bytes);
    return 0;
}

static void storage_close(void *context, void *opened)
{
    (void)context;
    struct storage_handle *handle = opened;
    buf_free(&handle->content);
    mem_free(handle);
}

static int storage_commit(void *context, void *opened)
{
    struct storage_handle *handle = opened;
    struct sim_process *process = context;
    struct world *world = process->world;
    file_replace(handle->file, buf_slice(&handle->content));
    if (world->observe_saved != NULL)
        world->observe_saved(world->observe_context, process, handle->file->name);
    storage_close(context, opened);
    return 0;
}

static int storage_sync(void *context, const char *name)
{
    struct sim_file *file = file_find(context, name);
    if (file == NULL || !file->exists)
        return ERR_NOT_FOUND;
    file->synced = buf_length(&file->content);
    return 0;
}

struct storage disk_storage(struct sim_process *process)
{
    return (struct storage){.context = process,
                            .open_read = storage_open_read,
                            .read = storage_read,
                            .open_write = storage_open_write,
                            .write = storage_write,
                            .commit = storage_commit,
                            .close = storage_close,
                            .sync = storage_sync};
}
