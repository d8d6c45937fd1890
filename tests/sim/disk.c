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
    *ret_bytes = buf_slice(&file->durable);
    return true;
}

static struct sim_write *take_first(struct sim_process *process)
{
    struct sim_write *write = process->writes_first;
    process->writes_first = write->next;
    if (process->writes_first == NULL)
        process->writes_last = NULL;
    return write;
}

uint64_t disk_fail_write(struct sim_process *process)
{
    struct sim_write *write = take_first(process);
    uint64_t token = write->token;
    buf_free(&write->bytes);
    mem_free(write);
    return token;
}

uint64_t disk_finish_write(struct sim_process *process)
{
    struct sim_write *write = take_first(process);
    buf_free(&write->file->durable);
    write->file->durable = write->bytes;
    write->file->exists = true;
    uint64_t token = write->token;
    mem_free(write);
    return token;
}

void disk_crash(struct world *world, struct sim_process *process)
{
    while (process->writes_first != NULL && rand_chance(&world->rand, 500000))
        disk_finish_write(process);
    while (process->writes_first != NULL)
        disk_fail_write(process);
    process->disk_free_ns = 0;
}

void sim_lose_disk(struct sim_process *process)
{
    CHECK(!process->running);
    for (unsigned i = 0; i < SIM_FILES_MAX; i++) {
        buf_free(&process->files[i].durable);
        process->files[i] = (struct sim_file){0};
    }
}

void disk_write(struct world *world, struct sim_process *process, const char *name, uint64_t token, struct slice bytes)
{
    struct sim_write *write = mem_zero(sizeof(*write));
    write->file = file_take(process, name);
    write->token = token;
    buf_add_slice(&write->bytes, bytes);
    if (process->writes_last != NULL)
        process->writes_last->next = write;
    else
        process->writes_first = write;
    process->writes_last = write;

    if (process->disk_free_ns < world->now_ns)
        process->disk_free_ns = world->now_ns;
    process->disk_free_ns += rand_between(&world->rand, world->options.fsync_min_ns, world->options.fsync_max_ns);
    if (process->disk_slow_ns > 0)
        process->disk_free_ns += rand_between(&world->rand, process->disk_slow_ns / 2, process->disk_slow_ns);
    queue_add(world->queue, (struct sim_event){.at_ns = process->disk_free_ns,
                                               .kind = SIM_PERSISTED,
                                               .process = process->index,
                                               .life = process->life});
    if (process->writes_until_crash > 0 && --process->writes_until_crash == 0)
        queue_add(world->queue,
                  (struct sim_event){.at_ns = rand_between(&world->rand, world->now_ns, process->disk_free_ns),
                                     .kind = SIM_CRASH,
                                     .process = process->index,
                                     .life = process->life});
}

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
    struct slice rest = slice_skip(buf_slice(&handle->file->durable), handle->position);
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
    buf_clear(&handle->file->durable);
    buf_add_slice(&handle->file->durable, buf_slice(&handle->content));
    handle->file->exists = true;
    storage_close(context, opened);
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
                            .close = storage_close};
}
