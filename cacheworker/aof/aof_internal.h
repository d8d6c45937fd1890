/* aof_internal.h: what the files of this room share. */
#ifndef CACHEWORKER_AOF_AOF_INTERNAL_H
#define CACHEWORKER_AOF_AOF_INTERNAL_H

#include "common/base/door.h"

struct cw_engine;
struct cw_manifest_file;

enum cw_aof_question {
    CW_AOF_ROUND = 1, /* what was asked of the increment so far is there */
    CW_AOF_BASE,      /* so many bytes of the base were written; 0: it is synced */
    CW_AOF_ANNOUNCED, /* the next increment is there, and empty */
    CW_AOF_MANIFEST_SYNCED,
    CW_AOF_MANIFEST_NAMED,
};

enum { CW_AOF_FILE_BASE = 3, CW_AOF_FILE_MANIFEST = 4 }; /* the increments have 1 and 2 by turns */

uint64_t cw_aof_token(const struct cw_engine *engine, enum cw_aof_question question, size_t length);
void cw_aof_ask(struct cw_engine *engine, struct file_effect file, const char *name, uint64_t token,
                struct slice bytes);

/* aof_directory/name, good until the next call. */
const char *cw_aof_path(struct cw_engine *engine, const char *name);

/* From here on the stream goes to `newest`; STARTING: from here on there is one. */
void cw_aof_switch(struct cw_engine *engine, const struct cw_manifest_file *newest);

/* STARTING: the first base cannot be made. */
void cw_aof_cannot_start(struct cw_engine *engine, int error);

/* What was STARTING is ON. */
void cw_aof_established(struct cw_engine *engine);

#endif
