/* info.h: the text of INFO (redis.io/commands/info), by sections. Fields of ours begin with respite_. */
#ifndef CACHEWORKER_INFO_INFO_H
#define CACHEWORKER_INFO_INFO_H

#include "common/base/buf.h"
#include "common/base/slice.h"

struct cw_engine;

/* The sections named (any case; "default", "all" and "everything" too), the default ones when none is. */
void cw_info_write(const struct cw_engine *engine, const struct slice *names, size_t count, struct buf *out);

#endif
