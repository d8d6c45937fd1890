/* aof_load.h: an append-only file at the start: the manifest, the base, the increments in their order.
 *
 * Only what is left of a unit at the very end of the last file may be cut, when aof-load-truncated says so: a process
 * that died may leave that, and a host that died zeros behind it, for a file may be longer than what reached the disk.
 * Whatever else is damaged is refused, with the file and the place in it.
 *
 * What a process wrote that was killed may be in the kernel's memory only: the last file, and the names, are synced
 * before anybody is shown what is in it. */
#ifndef CACHEWORKER_AOF_AOF_LOAD_H
#define CACHEWORKER_AOF_AOF_LOAD_H

#include "cacheworker/aof/manifest.h"
#include "common/ha/topology.h"

#include "common/base/door.h"

struct cw_engine;

struct cw_aof_loaded {
    struct cw_manifest manifest;
    bool has_empty;        /* increments at its end, on the disk: they are left out here, */
    uint64_t last_number;  /* but this is the last one's there */
    uint64_t newest_bytes; /* of the last file, without what is to be cut */
    uint64_t cut_bytes;
    uint64_t zero_bytes;    /* of these, at the end */
    uint64_t bytes;         /* of all files */
    struct history history; /* of a group: where the data stand in its stream */
};

/* The one file of Redis before 7 has the plain name, and stands in dir until Redis 7 moves it to the directory. */
void cw_aof_name_file(const struct cw_engine *engine, const char *name, char path[FILE_NAME_MAX]);
void cw_aof_name_manifest(const struct cw_engine *engine, char path[FILE_NAME_MAX]);

/* A manifest, or standalone the file of Redis before 7; whether it can be read shows later. */
bool cw_aof_is_there(const struct cw_engine *engine);

/* ERR_NOT_FOUND, or another error and in `why` a sentence. */
MUST_CHECK int cw_aof_read_manifest(const struct cw_engine *engine, struct cw_manifest *ret_manifest, struct buf *why);

struct cw_aof_input; /* the files being read, slice by slice, into the engine's keyspace, which is replaced */

/* ret_input is filled in any case, and owned by the caller. 0, or an error and in `why` a sentence. */
MUST_CHECK int cw_aof_input_open(struct cw_engine *engine, struct cw_aof_input **ret_input, struct buf *why);
/* About so many bytes more. 1 at the end of all files, 0 before, or an error: the keyspace holds a part of the data. */
MUST_CHECK int cw_aof_input_read(struct cw_aof_input *input, size_t bytes, struct buf *why);
const struct cw_aof_loaded *cw_aof_input_loaded(const struct cw_aof_input *input); /* at the end; borrowed */
void cw_aof_input_progress(const struct cw_aof_input *input, uint64_t *ret_read, uint64_t *ret_total);
void cw_aof_input_close(struct cw_aof_input *input); /* NULL is fine */

#endif
