/* disk_faults: preloaded into a worker, lets its disk fail, or the worker die, at a chosen moment.
 *
 * The file that DISK_FAULTS names says what is to happen, while it is there:
 *
 *     kill N    the process is killed at the Nth operation on files from now on; a write is done by half before
 *     full N R  the disk is full at the Nth operation from now on and at each after it; a write is done by half before.
 *               Another number R is another beginning
 *     fail      what is to be synced is not: EIO
 *     slow N    a sync takes N ms longer; each leaves a byte in the file with ".syncs" behind its name */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static atomic_uint operations, full_round, full_operations;

#define NEXT(type, name) ((type *)dlsym(RTLD_NEXT, name))

typedef int open_function(int directory, const char *name, int flags, ...);
typedef ssize_t write_function(int file, const void *bytes, size_t length);
typedef int sync_function(int file);
typedef int rename_function(int from, const char *name, int to, const char *new_name);
typedef int unlink_function(int directory, const char *name, int flags);
typedef int truncate_function(int file, off_t length);

/* Whether the word is what is said, and the numbers behind it. */
static int is_said(const char *word, unsigned *ret_number, unsigned *ret_round)
{
    const char *path = getenv("DISK_FAULTS");
    char text[64] = "", said[16] = "";
    int file = path != NULL ? NEXT(open_function, "openat")(AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return 0;
    ssize_t length = read(file, text, sizeof(text) - 1);
    close(file);
    *ret_number = *ret_round = 0;
    return length > 0 && sscanf(text, "%15s %u %u", said, ret_number, ret_round) > 0 && strcmp(said, word) == 0;
}

static int is_wanted(const char *word, unsigned *ret_number)
{
    unsigned round;
    return is_said(word, ret_number, &round);
}

/* How far behind the last operation for which there was room this one is; 0: there is room. */
static unsigned beyond_room(void)
{
    unsigned number, round;
    if (!is_said("full", &number, &round))
        return 0;
    if (atomic_exchange(&full_round, round) != round)
        atomic_store(&full_operations, 0);
    unsigned operation = atomic_fetch_add(&full_operations, 1) + 1;
    return operation < number ? 0 : operation - number + 1;
}

static int has_no_room(void)
{
    if (beyond_room() == 0)
        return 0;
    errno = ENOSPC;
    return 1;
}

static int is_the_last(void)
{
    unsigned number;
    return is_wanted("kill", &number) && atomic_fetch_add(&operations, 1) + 1 == number;
}

static void perhaps_the_last(void)
{
    if (is_the_last())
        raise(SIGKILL);
}

static void count_sync(void)
{
    char path[512];
    snprintf(path, sizeof(path), "%s.syncs", getenv("DISK_FAULTS"));
    int file = NEXT(open_function, "openat")(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0 && NEXT(write_function, "write")(file, "s", 1) == 1)
        close(file);
}

static int sync_with(const char *name, int file)
{
    unsigned number;
    perhaps_the_last();
    if (has_no_room())
        return -1;
    if (is_wanted("fail", &number)) {
        errno = EIO;
        return -1;
    }
    if (is_wanted("slow", &number)) {
        nanosleep(&(struct timespec){.tv_sec = number / 1000, .tv_nsec = (long)(number % 1000) * 1000000}, NULL);
        count_sync();
    }
    return NEXT(sync_function, name)(file);
}

int fdatasync(int file)
{
    return sync_with("fdatasync", file);
}

int fsync(int file)
{
    return sync_with("fsync", file);
}

int openat(int directory, const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
    va_end(arguments);
    if (flags & O_CREAT) {
        perhaps_the_last();
        if (has_no_room())
            return -1;
    }
    return NEXT(open_function, "openat")(directory, name, flags, mode);
}

ssize_t write(int file, const void *bytes, size_t length)
{
    struct stat status;
    int is_regular = fstat(file, &status) == 0 && S_ISREG(status.st_mode);
    if (is_regular && is_the_last()) {
        if (NEXT(write_function, "write")(file, bytes, length / 2) >= 0)
            raise(SIGKILL);
    }
    unsigned beyond = is_regular ? beyond_room() : 0;
    if (beyond == 1 && length > 1)
        return NEXT(write_function, "write")(file, bytes, length / 2);
    if (beyond > 0) {
        errno = ENOSPC;
        return -1;
    }
    return NEXT(write_function, "write")(file, bytes, length);
}

int ftruncate(int file, off_t length)
{
    perhaps_the_last();
    return NEXT(truncate_function, "ftruncate")(file, length);
}

int renameat(int from, const char *name, int to, const char *new_name)
{
    perhaps_the_last();
    if (has_no_room())
        return -1;
    return NEXT(rename_function, "renameat")(from, name, to, new_name);
}

int unlinkat(int directory, const char *name, int flags)
{
    perhaps_the_last();
    return NEXT(unlink_function, "unlinkat")(directory, name, flags);
}
