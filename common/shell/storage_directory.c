#include "common/shell/storage_directory.h"

#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/shell/file_atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct open_file {
    int fd;     /* owned */
    char *name; /* owned; of a writer, NULL for a reader */
};

/* A name with a leading dot, or that lies deeper, might leave the directory. */
static bool may_be_read(const char *name)
{
    const char *slash = strchr(name, '/');
    return name[0] != '\0' && name[0] != '.' && strlen(name) < NAME_MAX &&
           (slash == NULL || (slash[1] != '.' && slash[1] != '\0' && strchr(slash + 1, '/') == NULL));
}

/* What is written lies in the directory itself. */
static bool is_plain(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length < NAME_MAX - 8 && name[0] != '.' && strchr(name, '/') == NULL;
}

static struct open_file *open_file_new(int fd, char *name)
{
    struct open_file *file = mem_alloc(sizeof(*file));
    *file = (struct open_file){.fd = fd, .name = name};
    return file;
}

static void open_file_free(struct open_file *file)
{
    mem_free(file->name);
    mem_free(file);
}

static int open_read(void *context, const char *name, void **ret_file)
{
    struct storage_directory *directory = context;
    if (!may_be_read(name))
        return ERR_INVALID;
    int fd = openat(directory->fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return file_error(errno);
    *ret_file = open_file_new(fd, NULL);
    return 0;
}

static int read_some(void *context, void *file, void *data, size_t capacity, size_t *ret_length)
{
    (void)context;
    struct open_file *reader = file;
    ssize_t length;
    do {
        length = read(reader->fd, data, capacity);
    } while (length < 0 && errno == EINTR);
    if (length < 0)
        return file_error(errno);
    *ret_length = (size_t)length;
    return 0;
}

static int open_write(void *context, const char *name, void **ret_file)
{
    struct storage_directory *directory = context;
    int fd;
    if (!is_plain(name))
        return ERR_INVALID;
    int error = file_atomic_open(directory->fd, name, &fd);
    if (error < 0)
        return error;
    *ret_file = open_file_new(fd, mem_copy_text(name, strlen(name)));
    return 0;
}

static int write_all(void *context, void *file, struct slice bytes)
{
    (void)context;
    struct open_file *writer = file;
    return file_write_all(writer->fd, bytes);
}

static int commit(void *context, void *file)
{
    struct storage_directory *directory = context;
    struct open_file *writer = file;
    int error = file_atomic_commit(directory->fd, writer->name, writer->fd);
    open_file_free(writer);
    return error;
}

static void close_file(void *context, void *file)
{
    struct storage_directory *directory = context;
    struct open_file *open = file;
    if (open->name != NULL)
        file_atomic_abandon(directory->fd, open->name, open->fd);
    else
        close(open->fd);
    open_file_free(open);
}

static int sync_name(int directory_fd, const char *name)
{
    int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return file_error(errno);
    int error = fsync(fd) < 0 ? file_error(errno) : 0;
    close(fd);
    return error;
}

/* The file, the directory that it lies in, and the one above. */
static int sync_file(void *context, const char *name)
{
    struct storage_directory *directory = context;
    char above[NAME_MAX + 1];
    if (!may_be_read(name))
        return ERR_INVALID;
    int error = sync_name(directory->fd, name);
    const char *slash = strchr(name, '/');
    if (error == 0 && slash != NULL) {
        snprintf(above, sizeof(above), "%.*s", (int)(slash - name), name);
        error = sync_name(directory->fd, above);
    }
    return error == 0 && fsync(directory->fd) < 0 ? file_error(errno) : error;
}

static void forget(void *context, const char *name)
{
    struct storage_directory *directory = context;
    if (is_plain(name))
        file_atomic_forget(directory->fd, name);
}

static uint64_t size_of_file(void *context, void *file)
{
    (void)context;
    struct stat status;
    return fstat(((struct open_file *)file)->fd, &status) == 0 ? (uint64_t)status.st_size : 0;
}

static int lock(int directory_fd, int *ret_fd)
{
    int fd = openat(directory_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return file_error(errno);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int error = errno == EWOULDBLOCK ? ERR_BUSY : file_error(errno);
        close(fd);
        return error;
    }
    *ret_fd = fd;
    return 0;
}

int storage_directory_open(struct storage_directory *directory, const char *path)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return file_error(errno);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return file_error(errno);
    int lock_fd = -1;
    int error = lock(fd, &lock_fd);
    if (error < 0) {
        close(fd);
        return error;
    }
    *directory = (struct storage_directory){
        .fd = fd,
        .lock_fd = lock_fd,
        .storage = {.context = directory,
                    .open_read = open_read,
                    .read = read_some,
                    .size = size_of_file,
                    .open_write = open_write,
                    .write = write_all,
                    .commit = commit,
                    .close = close_file,
                    .sync = sync_file,
                    .forget = forget},
    };
    return 0;
}

void storage_directory_close(struct storage_directory *directory)
{
    if (directory->storage.context == NULL)
        return;
    close(directory->lock_fd);
    close(directory->fd);
    *directory = (struct storage_directory){.fd = -1, .lock_fd = -1};
}
