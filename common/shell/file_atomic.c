#include "common/shell/file_atomic.h"

#include "common/base/errors.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

int file_error(int error_number)
{
    switch (error_number) {
    case ENOENT: return ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS: return ERR_DENIED;
    case ENOSPC:
    case EDQUOT: return ERR_DISK_FULL;
    default: return ERR_IO;
    }
}

static int name_aside(const char *name, char aside[NAME_MAX + 1])
{
    int length = snprintf(aside, NAME_MAX + 1, "%s.new", name);
    return length > 0 && length <= NAME_MAX ? 0 : ERR_INVALID;
}

int file_atomic_open(int directory_fd, const char *name, int *ret_fd)
{
    char aside[NAME_MAX + 1];
    int error = name_aside(name, aside);
    if (error < 0)
        return error;
    int fd = openat(directory_fd, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return file_error(errno);
    *ret_fd = fd;
    return 0;
}

int file_write_all(int fd, struct slice bytes)
{
    while (bytes.length > 0) {
        ssize_t written = write(fd, bytes.data, bytes.length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return file_error(errno);
        bytes = slice_skip(bytes, (size_t)written);
    }
    return 0;
}

int file_atomic_commit(int directory_fd, const char *name, int fd)
{
    char aside[NAME_MAX + 1];
    int error = name_aside(name, aside);
    if (error == 0 && fsync(fd) < 0)
        error = file_error(errno);
    if (close(fd) < 0 && error == 0)
        error = file_error(errno);
    if (error == 0 && renameat(directory_fd, aside, directory_fd, name) < 0)
        error = file_error(errno);
    if (error < 0)
        file_atomic_forget(directory_fd, name);
    if (error == 0 && fsync(directory_fd) < 0)
        error = file_error(errno);
    return error;
}

void file_atomic_forget(int directory_fd, const char *name)
{
    char aside[NAME_MAX + 1];
    if (name_aside(name, aside) == 0)
        unlinkat(directory_fd, aside, 0);
}

void file_atomic_abandon(int directory_fd, const char *name, int fd)
{
    close(fd);
    file_atomic_forget(directory_fd, name);
}

int file_atomic_replace(int directory_fd, const char *name, struct slice bytes)
{
    int fd;
    int error = file_atomic_open(directory_fd, name, &fd);
    if (error < 0)
        return error;
    error = file_write_all(fd, bytes);
    if (error < 0) {
        file_atomic_abandon(directory_fd, name, fd);
        return error;
    }
    return file_atomic_commit(directory_fd, name, fd);
}

int file_read_all(int directory_fd, const char *name, size_t limit, struct buf *out)
{
    enum { STEP = 16384 };
    int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return file_error(errno);
    int error = 0;
    for (size_t total = 0;;) {
        ssize_t length = read(fd, buf_reserve(out, STEP), STEP);
        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0) {
            error = length < 0 ? file_error(errno) : 0;
            break;
        }
        total += (size_t)length;
        if (total > limit) {
            error = ERR_TOO_BIG;
            break;
        }
        buf_commit(out, (size_t)length);
    }
    close(fd);
    return error;
}
