/* aof_load.h: an append-only file at the start: the manifest, the base, the increments in their order.
 *
 * Only what is left of a unit at the very end of the last file may be cut, when aof-load-truncated says so: a process
 * that died may leave that, and a host that died zeros behind it, for a file may be longer than what reached the disk.
 * Whatever else is damaged is refused, with the file and the place in it. */
#ifndef CACHEWORKER_AOF_AOF_LOAD_H
#define CACHEWORKER_AOF_AOF_LOAD_H

#include "cacheworker/aof/manifest.h"
#include "common/ha/topology.h"

#include "common/base/door.h"

struct cw_engine;

struct cw_aof_loaded {
    struct cw_manifest manifest;
    uint64_t newest_bytes; /* of the last file, without what is to be cut */
    uint64_t cut_bytes;
    uint64_t zero_bytes;    /* of these, at the end */
    uint64_t bytes;         /* of all files */
    struct history history; /* of a group: where the data stand in its stream */
};

/* The one file of Redis before 7 has the plain name, and stands in dir until Redis 7 moves it to the directory. */
void cw_aof_name_file(const struct cw_engine *engine, const char *name, char path[FILE_NAME_MAX]);
void cw_aof_name_manifest(const struct cw_engine *engine, char path[FILE_NAME_MAX]);

/* A manifest, or standalone the file of Redis before 7. */
bool cw_aof_is_there(const struct cw_engine *engine);

/* Into the engine's keyspace, which is replaced. 0, or an error and in `why` a sentence. */
MUST_CHECK int cw_aof_load(struct cw_engine *engine, struct cw_aof_loaded *ret_loaded, struct buf *why);

#endif
