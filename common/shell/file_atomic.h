/* file_atomic.h: files that are either old or new, never half.
 *
 * Written aside as "NAME.new", synced, renamed, and the directory synced: the order without which a rename may survive
 * a power cut that the content did not (Pillai et al., OSDI 2014). */
#ifndef COMMON_SHELL_FILE_ATOMIC_H
#define COMMON_SHELL_FILE_ATOMIC_H

#include "common/base/buf.h"
#include "common/base/check.h"

/* Replaces file `name` of the directory by `bytes`. ERR_DISK_FULL, ERR_DENIED or ERR_IO; the old file is intact then,
 * unless the failed call was the directory's fsync: whoever gets an error knows nothing about what is durable. */
MUST_CHECK int file_atomic_replace(int directory_fd, const char *name, struct slice bytes);

/* The steps of it, for content that comes in pieces. */
MUST_CHECK int file_atomic_open(int directory_fd, const char *name, int *ret_fd);
MUST_CHECK int file_write_all(int fd, struct slice bytes);
MUST_CHECK int file_atomic_commit(int directory_fd, const char *name, int fd); /* closes fd, also on error */
void file_atomic_abandon(int directory_fd, const char *name, int fd);

/* Removes what a process has left aside that died in the middle. Nobody is to be writing the file now. */
void file_atomic_forget(int directory_fd, const char *name);

/* Appends the whole file, at most `limit` bytes: ERR_NOT_FOUND, ERR_DENIED, ERR_TOO_BIG, ERR_IO. */
MUST_CHECK int file_read_all(int directory_fd, const char *name, size_t limit, struct buf *out);

/* The code of our list for an errno of a file operation. */
int file_error(int error_number);

#endif
