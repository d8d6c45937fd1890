/* manifest.h: the manifest of an append-only file: which files it is made of, in the form of Redis 7. Pure.
 *
 *     file appendonly.aof.2.base.rdb seq 2 type b
 *     file appendonly.aof.5.incr.aof seq 5 type i
 *
 * One base at most, then increments whose numbers rise. Files of type h are the history: who loads the rest removes
 * them. Words may be quoted as in redis.conf; lines that begin with # say nothing; a line has 1023 bytes at the most.
 * Source: redis.io/docs/management/persistence, and what redis-server 7.0 writes and loads. */
#ifndef CACHEWORKER_AOF_MANIFEST_H
#define CACHEWORKER_AOF_MANIFEST_H

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CW_AOF_NAME_MAX = 64,       /* of the directory, and of what names in it begin with */
    CW_MANIFEST_NAME_MAX = 128, /* with the 0 that ends it */
    CW_MANIFEST_INCREMENTS_MAX = 64,
    CW_MANIFEST_HISTORY_MAX = CW_MANIFEST_INCREMENTS_MAX + 1,
    CW_MANIFEST_LINE_MAX = 1023,
    CW_MANIFEST_BYTES_MAX = 64 << 10,
};

struct cw_manifest_file {
    char name[CW_MANIFEST_NAME_MAX]; /* plain: in the directory of the manifest */
    uint64_t number;
};

struct cw_manifest { /* a zeroed struct names no file */
    bool has_base;
    struct cw_manifest_file base;
    size_t count;
    struct cw_manifest_file increments[CW_MANIFEST_INCREMENTS_MAX];
    size_t history_count;
    struct cw_manifest_file history[CW_MANIFEST_HISTORY_MAX]; /* what is beyond it is passed over */
};

struct cw_manifest_fault {
    size_t line;       /* from 1; 0: the whole */
    const char *words; /* what is wrong with it; a constant */
};

/* ERR_CORRUPT; ERR_TOO_BIG for too many increments. */
MUST_CHECK int cw_manifest_parse(struct slice text, struct cw_manifest *ret_manifest,
                                 struct cw_manifest_fault *ret_fault);

/* Whether the base or an increment has this name. */
bool cw_manifest_needs(const struct cw_manifest *manifest, const char *name);

/* What `older` names and this one does not need, is this one's history. */
void cw_manifest_take_history(struct cw_manifest *manifest, const struct cw_manifest *older);

void cw_manifest_write(const struct cw_manifest *manifest, struct buf *out);

/* Names of our own: for "appendonly.aof", of at most CW_AOF_NAME_MAX bytes, "appendonly.aof.2.base.rdb", or, of
 * commands, "appendonly.aof.2.base.aof". */
void cw_manifest_set_base(struct cw_manifest *manifest, const char *name, uint64_t number, bool is_of_commands);
/* ERR_TOO_BIG: there are too many. */
MUST_CHECK int cw_manifest_add_increment(struct cw_manifest *manifest, const char *name, uint64_t number);

/* The newest increment; NULL: there is none. Borrowed from the manifest. */
const struct cw_manifest_file *cw_manifest_newest(const struct cw_manifest *manifest);

#endif
