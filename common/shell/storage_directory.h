/* storage_directory.h: a directory of our own: its lock, and struct storage over it.
 *
 * The lock (flock on the file "lock") is held for as long as the process lives; the kernel releases it however the
 * process ends. Two processes over one directory would be two lives of one node at once. */
#ifndef COMMON_SHELL_STORAGE_DIRECTORY_H
#define COMMON_SHELL_STORAGE_DIRECTORY_H

#include "common/base/door.h"

struct storage_directory {
    int fd;                 /* owned */
    int lock_fd;            /* owned */
    struct storage storage; /* its context is this struct: do not move it */
};

/* Makes the directory (mode 0700; its parent must exist) when it is missing, and locks it. ERR_BUSY when another
 * process holds the lock, ERR_DENIED, ERR_NOT_FOUND, ERR_IO. */
MUST_CHECK int storage_directory_open(struct storage_directory *directory, const char *path);
void storage_directory_close(struct storage_directory *directory); /* harmless on a zeroed struct and twice */

#endif
