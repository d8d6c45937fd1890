/* conf_schema.h: the typed settings of a daemon, as a table.
 *
 * A daemon has one constant table of options. Each names a field of the daemon's own settings struct and says what may
 * stand there. Values come as text, from the file (common/shell/conf_libconfig.h), from the command line and from the
 * table's own defaults alike, so that there is one parser and one set of rules.
 *
 * Field types by kind:
 *     CONF_INTEGER, CONF_BYTES, CONF_MILLISECONDS   int64_t, between minimum and maximum
 *     CONF_BOOLEAN                                  bool
 *     CONF_CHOICE                                   int, the index into choices
 *     CONF_TEXT                                     char *, owned, never NULL; at most maximum bytes (0: 1,024)
 *     CONF_ADDRESS                                  struct address; host "" when not set
 *     CONF_ADDRESS_LIST                             struct conf_addresses; at most maximum entries
 *     CONF_SECRET_FILE                              struct conf_secret; the shell fills `bytes` */
#ifndef COMMON_CONF_CONF_SCHEMA_H
#define COMMON_CONF_CONF_SCHEMA_H

#include "common/base/address.h"
#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONF_ADDRESSES_MAX = 16 };

enum conf_kind {
    CONF_INTEGER,
    CONF_BOOLEAN, /* true, false, yes, no */
    CONF_TEXT,
    CONF_BYTES,        /* 1024, 64kb, 16mb, 1gb; as Redis has it, k is 1000 and kb is 1024 */
    CONF_MILLISECONDS, /* a plain number: the option's name ends in _ms */
    CONF_CHOICE,
    CONF_ADDRESS, /* "host:port" or "/path" */
    CONF_ADDRESS_LIST,
    CONF_SECRET_FILE, /* path of a file that only its owner can read */
};

struct conf_addresses {
    size_t count;
    struct address items[CONF_ADDRESSES_MAX];
};

struct conf_secret {
    char *path;       /* owned, never NULL after conf_defaults; "" when not set */
    struct buf bytes; /* owned; the file's content without the newline at its end */
};

struct conf_option {
    const char *name;
    enum conf_kind kind;
    size_t offset; /* of the field in the settings struct */
    int64_t minimum;
    int64_t maximum;
    const char *const *choices; /* CONF_CHOICE: NULL-terminated */
    const char *initial;        /* the default, in the words of the file; NULL: nothing ("", 0, no address) */
    bool required;
    const char *description; /* one sentence */
};

struct conf_schema {
    const struct conf_option *options;
    size_t count;
};

/* Fills a zeroed settings struct with the defaults; a default that does not parse is a broken invariant. */
void conf_defaults(const struct conf_schema *schema, void *settings);

/* Frees what the fields own and clears them. */
void conf_free(const struct conf_schema *schema, void *settings);

const struct conf_option *conf_find(const struct conf_schema *schema, struct slice name); /* or NULL */

/* Replaces the option's value by what the texts say: one text, or up to `maximum` for a CONF_ADDRESS_LIST. On
 * ERR_INVALID nothing was changed, and `why` got a sentence: expected a number from 0 to 10, got "abc". */
MUST_CHECK int conf_set(const struct conf_option *option, void *settings, const struct slice *texts, size_t count,
                        struct buf *why);

/* The first required option that is still empty (a text, secret, address or list without content), or NULL. */
const struct conf_option *conf_missing(const struct conf_schema *schema, void *settings);

static inline void *conf_field(const struct conf_option *option, void *settings)
{
    return (char *)settings + option->offset;
}

/* One line per option for --help: name, default, description. */
void conf_describe(const struct conf_schema *schema, struct buf *out);

#endif
