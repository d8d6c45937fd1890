/* redis_conf_file.h: an existing redis.conf as the worker's configuration (--redis-conf).
 *
 * What a worker has an option or a parameter for is taken; what changes nothing here is named, line by line, so that
 * nobody is left in the belief that it did. Wrong values are errors, as in Redis. `include` is followed, patterns and
 * all. */
#ifndef CACHEWORKER_SHELL_REDIS_CONF_FILE_H
#define CACHEWORKER_SHELL_REDIS_CONF_FILE_H

#include "cacheworker/shell/worker_settings.h"

/* Reads the file into the settings: options, and settings->parameters. What is left aside is said on standard error.
 * ERR_INVALID, ERR_NOT_FOUND, ERR_DENIED, ERR_IO: `why` got the sentence. */
MUST_CHECK int redis_conf_file_read(const char *path, struct worker_settings *settings, struct buf *why);

#endif
