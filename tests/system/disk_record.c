/* disk_record: preloaded into a worker, writes down what it does to files and what it says to clients, in order.
 *
 * The file that DISK_RECORD names grows by one record for each; files and directories are called by their inodes:
 *
 *     new DIRECTORY NAME FILE          a file, or a directory, was made
 *     cut FILE LENGTH                  it has this length now
 *     write FILE OFFSET LENGTH         and a line end, the bytes, a line end
 *     sync FILE                        all of it, or the names in the directory, had reached the disk
 *     rename DIRECTORY NAME NEW_NAME
 *     remove DIRECTORY NAME
 *     say NOW LENGTH                   and a line end, the bytes, a line end; NOW is in ms
 *
 * What is done to files is written down when it is done, what is said before it leaves: whatever was said stands behind
 * all that it could rest on. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 512 };

#define NEXT(type, name) ((type *)dlsym(RTLD_NEXT, name))

typedef int open_function(int directory, const char *name, int flags, ...);
typedef ssize_t write_function(int file, const void *bytes, size_t length);
typedef int rename_function(int from, const char *name, int to, const char *new_name);
typedef int unlink_function(int directory, const char *name, int flags);
typedef int truncate_function(int file, off_t length);
typedef int mkdir_function(int directory, const char *name, mode_t mode);
typedef ssize_t send_function(int socket, const void *bytes, size_t length, int flags);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* The whole record in one piece; a test that misses one fails. */
static void write_down(const char *line, const void *bytes, size_t length)
{
    size_t line_length = strlen(line);
    size_t total = line_length + (bytes != NULL ? length + 1 : 0);
    char *record = malloc(total);
    if (record == NULL)
        abort();
    memcpy(record, line, line_length);
    if (bytes != NULL) {
        memcpy(record + line_length, bytes, length);
        record[total - 1] = '\n';
    }
    pthread_mutex_lock(&mutex);
    int file =
        NEXT(open_function, "openat")(AT_FDCWD, getenv("DISK_RECORD"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || NEXT(write_function, "write")(file, record, total) != (ssize_t)total)
        abort();
    close(file);
    pthread_mutex_unlock(&mutex);
    free(record);
}

static unsigned long inode_of(int file)
{
    struct stat status;
    return fstat(file, &status) == 0 ? (unsigned long)status.st_ino : 0;
}

static int is_regular(int file)
{
    struct stat status;
    return fstat(file, &status) == 0 && S_ISREG(status.st_mode);
}

int openat(int directory, const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
    va_end(arguments);
    char line[LINE];
    int is_new = (flags & O_CREAT) != 0 && faccessat(directory, name, F_OK, 0) != 0;
    int file = NEXT(open_function, "openat")(directory, name, flags, mode);
    if (file >= 0 && is_new) {
        snprintf(line, sizeof(line), "new %lu %s %lu\n", inode_of(directory), name, inode_of(file));
        write_down(line, NULL, 0);
    } else if (file >= 0 && (flags & O_TRUNC) != 0) {
        snprintf(line, sizeof(line), "cut %lu 0\n", inode_of(file));
        write_down(line, NULL, 0);
    }
    return file;
}

int mkdirat(int directory, const char *name, mode_t mode)
{
    char line[LINE];
    struct stat status;
    int result = NEXT(mkdir_function, "mkdirat")(directory, name, mode);
    if (result == 0 && fstatat(directory, name, &status, 0) == 0) {
        snprintf(line, sizeof(line), "new %lu %s %lu\n", inode_of(directory), name, (unsigned long)status.st_ino);
        write_down(line, NULL, 0);
    }
    return result;
}

ssize_t write(int file, const void *bytes, size_t length)
{
    ssize_t written = NEXT(write_function, "write")(file, bytes, length);
    if (written > 0 && is_regular(file)) {
        char line[LINE];
        long end = (long)lseek(file, 0, SEEK_CUR);
        snprintf(line, sizeof(line), "write %lu %ld %zd\n", inode_of(file), end - (long)written, written);
        write_down(line, bytes, (size_t)written);
    }
    return written;
}

int ftruncate(int file, off_t length)
{
    int result = NEXT(truncate_function, "ftruncate")(file, length);
    if (result == 0) {
        char line[LINE];
        snprintf(line, sizeof(line), "cut %lu %ld\n", inode_of(file), (long)length);
        write_down(line, NULL, 0);
    }
    return result;
}

/* Nothing is really synced: it would take time, and the host goes on. */
static int sync_of(int file)
{
    char line[LINE];
    snprintf(line, sizeof(line), "sync %lu\n", inode_of(file));
    write_down(line, NULL, 0);
    return 0;
}

int fdatasync(int file)
{
    return sync_of(file);
}

int fsync(int file)
{
    return sync_of(file);
}

int renameat(int from, const char *name, int to, const char *new_name)
{
    int result = NEXT(rename_function, "renameat")(from, name, to, new_name);
    if (inode_of(from) != inode_of(to))
        abort(); /* nothing here moves between directories, and no record could tell */
    if (result == 0) {
        char line[LINE];
        snprintf(line, sizeof(line), "rename %lu %s %s\n", inode_of(from), name, new_name);
        write_down(line, NULL, 0);
    }
    return result;
}

int unlinkat(int directory, const char *name, int flags)
{
    int result = NEXT(unlink_function, "unlinkat")(directory, name, flags);
    if (result == 0) {
        char line[LINE];
        snprintf(line, sizeof(line), "remove %lu %s\n", inode_of(directory), name);
        write_down(line, NULL, 0);
    }
    return result;
}

ssize_t send(int socket, const void *bytes, size_t length, int flags)
{
    char line[LINE];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(line, sizeof(line), "say %lld %zu\n", (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000, length);
    write_down(line, bytes, length);
    return NEXT(send_function, "send")(socket, bytes, length, flags);
}
