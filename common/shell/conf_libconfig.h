/* conf_libconfig.h: a libconfig file read into a daemon's settings.
 *
 * The file is a flat list of `name = value;`. An error names file, line and what was expected:
 *     etc/proxy.conf:12: idle_timeout_ms: expected a number from 0 to 86400000, got "abc"
 * A setting that the table does not know is an error too. */
#ifndef COMMON_SHELL_CONF_LIBCONFIG_H
#define COMMON_SHELL_CONF_LIBCONFIG_H

#include "common/conf/conf_schema.h"

/* Settings hold the defaults before. On ERR_INVALID, ERR_NOT_FOUND, ERR_DENIED or ERR_IO, `why` got the sentence, and
 * settings hold some of the values. */
MUST_CHECK int conf_read_file(const struct conf_schema *schema, const char *path, void *settings, struct buf *why);

/* conf_set, and what only the shell can check: that an address is numeric, that a secret file is readable by its owner
 * alone, and not empty. */
MUST_CHECK int conf_set_checked(const struct conf_option *option, void *settings, const struct slice *texts,
                                size_t count, struct buf *why);

#endif
