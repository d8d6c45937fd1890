#include "common/shell/file_thread.h"

#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/shell/file_atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct request {
    struct request *next; /* owned by the queue */
    bool is_persist;
    bool is_answered;
    uint64_t token;
    struct file_effect file;
    char name[FILE_NAME_MAX];
    char new_name[FILE_NAME_MAX];
    bool name_fits;
    struct buf bytes; /* owned */
    int result;       /* once it is in `done` */
};

struct queue {
    struct request *first, *last;
};

struct open_file {
    int fd;    /* owned; -1: none */
    int error; /* what failed first */
};

struct file_thread {
    int directory_fd; /* borrowed */
    void (*wake)(void *context);
    void *context;
    struct open_file files[FILES_MAX]; /* the thread's own */

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t asked;
    struct queue wanted;
    struct queue done;
    bool is_ending;

    bool is_running; /* the asker's own */
    pthread_t thread;
};

static void queue_add(struct queue *queue, struct request *request)
{
    request->next = NULL;
    if (queue->last != NULL)
        queue->last->next = request;
    else
        queue->first = request;
    queue->last = request;
}

static struct request *queue_take(struct queue *queue)
{
    struct request *request = queue->first;
    if (request == NULL)
        return NULL;
    queue->first = request->next;
    if (queue->first == NULL)
        queue->last = NULL;
    return request;
}

static void request_free(struct request *request)
{
    buf_free(&request->bytes);
    mem_free(request);
}

/* --- the operations, in the thread --- */

/* One that begins with a dot, or lies deeper, might leave the directory. */
static bool is_plain(const char *name)
{
    const char *slash = strchr(name, '/');
    return name[0] != '\0' && name[0] != '.' &&
           (slash == NULL || (slash[1] != '.' && slash[1] != '\0' && strchr(slash + 1, '/') == NULL));
}

/* The directory that the name lies in: opened, and made if it is missing. Returns its descriptor, which is to be closed
 * unless it is the thread's own, or an error; ret_name is what is left of the name. */
static int enter(const struct file_thread *thread, const char *name, const char **ret_name)
{
    const char *slash = strchr(name, '/');
    *ret_name = name;
    if (slash == NULL)
        return thread->directory_fd;
    char directory[FILE_NAME_MAX];
    snprintf(directory, sizeof(directory), "%.*s", (int)(slash - name), name);
    if (mkdirat(thread->directory_fd, directory, 0700) < 0 && errno != EEXIST)
        return file_error(errno);
    int fd = openat(thread->directory_fd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *ret_name = slash + 1;
    return fd < 0 ? file_error(errno) : fd;
}

static void leave(const struct file_thread *thread, int directory_fd)
{
    if (directory_fd != thread->directory_fd)
        close(directory_fd);
}

static int sync_directory(int directory_fd)
{
    return fsync(directory_fd) < 0 ? file_error(errno) : 0;
}

/* The name is durable from here on, so that a SYNC of the content is enough later. */
static int open_for_appending(struct file_thread *thread, const struct request *request, int *ret_fd)
{
    const char *name;
    int directory_fd = enter(thread, request->name, &name);
    if (directory_fd < 0)
        return directory_fd;
    int error = 0;
    int fd = openat(directory_fd, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        error = file_error(errno);
    else if (request->file.length != FILE_WHOLE && ftruncate(fd, (off_t)request->file.length) < 0)
        error = file_error(errno);
    if (error == 0)
        error = sync_directory(directory_fd);
    if (error == 0 && directory_fd != thread->directory_fd)
        error = sync_directory(thread->directory_fd);
    leave(thread, directory_fd);
    if (error < 0 && fd >= 0)
        close(fd);
    *ret_fd = fd;
    return error;
}

static int open_file(struct file_thread *thread, const struct request *request)
{
    struct open_file *file = &thread->files[request->file.file];
    if (file->fd >= 0)
        close(file->fd);
    *file = (struct open_file){.fd = -1};
    int fd;
    int error = open_for_appending(thread, request, &fd);
    if (error == 0)
        file->fd = fd;
    return error;
}

static int close_file(struct open_file *file)
{
    int error = file->error;
    if (file->fd >= 0 && close(file->fd) < 0 && error == 0)
        error = file_error(errno);
    *file = (struct open_file){.fd = -1};
    return error;
}

static int append_bytes(const struct open_file *file, struct request *request)
{
    if (request->file.pack != NULL)
        request->file.pack(request->file.pack_context, &request->bytes);
    return file_write_all(file->fd, buf_slice(&request->bytes));
}

static int rename_file(struct file_thread *thread, const struct request *request)
{
    const char *name, *new_name;
    int from = enter(thread, request->name, &name);
    if (from < 0)
        return from;
    int to = enter(thread, request->new_name, &new_name);
    int error = to < 0 ? to : 0;
    if (error == 0 && renameat(from, name, to, new_name) < 0)
        error = file_error(errno);
    if (error == 0)
        error = sync_directory(to);
    if (to >= 0)
        leave(thread, to);
    leave(thread, from);
    return error;
}

static int remove_file(struct file_thread *thread, const struct request *request)
{
    const char *name;
    int directory_fd = enter(thread, request->name, &name);
    if (directory_fd < 0)
        return directory_fd;
    int error = unlinkat(directory_fd, name, 0) < 0 && errno != ENOENT ? file_error(errno) : 0;
    leave(thread, directory_fd);
    return error;
}

static int on_open_file(struct file_thread *thread, struct request *request)
{
    struct open_file *file = &thread->files[request->file.file];
    if (request->file.operation == FILE_CLOSE)
        return close_file(file);
    if (file->fd < 0)
        return file->error < 0 ? file->error : ERR_INVALID;
    if (file->error == 0)
        file->error = request->file.operation == FILE_APPEND ? append_bytes(file, request)
                      : fdatasync(file->fd) < 0              ? file_error(errno)
                                                             : 0;
    return file->error;
}

static int carry_out(struct file_thread *thread, struct request *request)
{
    if (thread->directory_fd < 0)
        return ERR_UNSUPPORTED;
    if (!request->name_fits)
        return ERR_INVALID;
    if (request->is_persist)
        return file_atomic_replace(thread->directory_fd, request->name, buf_slice(&request->bytes));
    switch (request->file.operation) {
    case FILE_OPEN: {
        int error = open_file(thread, request);
        thread->files[request->file.file].error = error;
        return error;
    }
    case FILE_RENAME: return rename_file(thread, request);
    case FILE_REMOVE: return remove_file(thread, request);
    default: return on_open_file(thread, request);
    }
}

/* --- the thread --- */

static void *work(void *argument)
{
    struct file_thread *thread = argument;
    pthread_mutex_lock(&thread->mutex);
    for (;;) {
        struct request *request = queue_take(&thread->wanted);
        if (request == NULL) {
            if (thread->is_ending)
                break;
            pthread_cond_wait(&thread->asked, &thread->mutex);
            continue;
        }
        pthread_mutex_unlock(&thread->mutex);
        request->result = carry_out(thread, request);
        buf_free(&request->bytes);
        bool is_answered = request->is_answered;
        if (!is_answered)
            request_free(request);
        pthread_mutex_lock(&thread->mutex);
        if (is_answered) {
            queue_add(&thread->done, request);
            thread->wake(thread->context);
        }
    }
    pthread_mutex_unlock(&thread->mutex);
    return NULL;
}

struct file_thread *file_thread_create(int directory_fd, void (*wake)(void *context), void *context)
{
    struct file_thread *thread = mem_zero(sizeof(*thread));
    thread->directory_fd = directory_fd;
    thread->wake = wake;
    thread->context = context;
    for (size_t i = 0; i < FILES_MAX; i++)
        thread->files[i].fd = -1;
    CHECK(pthread_mutex_init(&thread->mutex, NULL) == 0 && pthread_cond_init(&thread->asked, NULL) == 0);
    return thread;
}

/* Signals are for the main thread. */
static void start(struct file_thread *thread)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread->is_running = pthread_create(&thread->thread, NULL, work, thread) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    CHECK(thread->is_running); /* a process that cannot have one thread more cannot keep its promises */
}

static void drop_all(struct queue *queue)
{
    for (struct request *request; (request = queue_take(queue)) != NULL;)
        request_free(request);
}

void file_thread_destroy(struct file_thread *thread)
{
    if (thread == NULL)
        return;
    if (thread->is_running) {
        pthread_mutex_lock(&thread->mutex);
        thread->is_ending = true;
        pthread_cond_signal(&thread->asked);
        pthread_mutex_unlock(&thread->mutex);
        pthread_join(thread->thread, NULL);
    }
    drop_all(&thread->done);
    for (size_t i = 0; i < FILES_MAX; i++)
        if (thread->files[i].fd >= 0)
            close(thread->files[i].fd);
    pthread_cond_destroy(&thread->asked);
    pthread_mutex_destroy(&thread->mutex);
    mem_free(thread);
}

static bool copy_name(const char *name, char *copy)
{
    if (name == NULL)
        return true;
    return snprintf(copy, FILE_NAME_MAX, "%s", name) < FILE_NAME_MAX && is_plain(copy);
}

void file_thread_ask(struct file_thread *thread, const struct effects *effects, const struct effect *effect)
{
    struct request *request = mem_zero(sizeof(*request));
    request->is_persist = effect->kind == EFFECT_PERSIST;
    request->is_answered = request->is_persist || effect->token != 0;
    request->token = effect->token;
    if (!request->is_persist)
        request->file = effect->file;
    request->name_fits = copy_name(effects_name(effects, effect), request->name) &&
                         copy_name(effects_new_name(effects, effect), request->new_name);
    buf_add_slice(&request->bytes, effects_text(effects, effect));

    if (!thread->is_running)
        start(thread);
    pthread_mutex_lock(&thread->mutex);
    queue_add(&thread->wanted, request);
    pthread_cond_signal(&thread->asked);
    pthread_mutex_unlock(&thread->mutex);
}

bool file_thread_answer(struct file_thread *thread, struct file_answer *ret_answer)
{
    pthread_mutex_lock(&thread->mutex);
    struct request *request = queue_take(&thread->done);
    pthread_mutex_unlock(&thread->mutex);
    if (request == NULL)
        return false;
    *ret_answer =
        (struct file_answer){.is_persisted = request->is_persist, .token = request->token, .result = request->result};
    request_free(request);
    return true;
}
