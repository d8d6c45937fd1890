/* aof.h: the append-only file: every command of the stream, on the disk.
 *
 * What repl/ adds to the stream, or receives of it as a replica, is gathered and written behind the newest increment,
 * beside the core (door.h: EFFECT_FILE). appendfsync says when: with everysec and no within 2 ms, so that the thread of
 * the files is not woken for every few commands (a process that is killed loses these, too). With always at the end of
 * a turn, and synced, one sync at a time; what comes meanwhile goes with the next. Behind a sync those whose replies
 * have just left write again at once: the next one waits for them, as long as each turn brings more, at most half as
 * long as the last one took (group commit; a lone client waits for nobody). A base with the data of one moment and the
 * increments from there on are named by a manifest, in the form of Redis 7 (manifest.h); aof_rewrite.h makes new ones.
 *
 *     OFF -> STARTING -> ON         STARTING: until a first base is complete, the disk says nothing of what is written
 *
 * With `always` a reply leaves when all that it may show is synced (marks.h): a read that sees a write waits with it.
 *
 * What was written and not confirmed is kept. When a write or a sync fails, the file is cut to what was confirmed, and
 * the rest is written again, once a second: an fsync that failed says nothing of what it was to write (Rebello et al.,
 * ATC 2020). Until that works, with `always` writes are refused and the clients whose replies waited are closed (their
 * writes were executed and never acknowledged; reads may show them); otherwise the server goes on, until what waits
 * fills its bound: then it refuses writes, too.
 *
 * In a group any member may keep one, and comes back with the history and the offset to which its data belong
 * (place.h): so it goes on where it was, or is found to have diverged. It changes nothing of who is asked and who wins
 * (QUORUM sections 3, 5 and 6): a node that comes back is a new life with an older history, as with dump.rdb. A full
 * sync, or whatever else replaces the data, leads back to STARTING: what is on the disk stays as it is, and is loaded,
 * until the new base has its name. A replica whose disk does not keep up begins anew, too, when its bound is full.
 *
 * Source: redis.io/docs/management/persistence; redis.conf of 7.2. */
#ifndef CACHEWORKER_AOF_AOF_H
#define CACHEWORKER_AOF_AOF_H

#include "cacheworker/aof/aof_rewrite.h"
#include "cacheworker/aof/manifest.h"
#include "common/base/buf.h"
#include "common/base/door.h"
#include "common/base/slice.h"

#include <stdint.h>

struct cw_aof_loaded;
struct cw_call;
struct cw_engine;

enum cw_aof_sync { CW_AOF_EVERYSEC, CW_AOF_ALWAYS, CW_AOF_NO }; /* appendfsync */

enum cw_aof_state { CW_AOF_OFF, CW_AOF_STARTING, CW_AOF_ON };

struct cw_aof { /* a zeroed struct is off */
    enum cw_aof_state state;
    bool is_binding; /* a reply may wait for the disk: not where appendonly was set a moment ago, as STARTING */
    bool has_manifest;
    struct cw_manifest manifest; /* as it is on the disk, */
    bool has_empty;              /* where there may be empty increments at its end since the start */
    uint64_t older_bytes;        /* of all its files but the increment that is written */
    uint64_t base_bytes;         /* of all its files after the last rewrite, or at the start */

    /* The increment that is written. */
    struct cw_manifest_file newest;
    uint32_t file;
    uint64_t confirmed; /* bytes of it that are there, whatever happens */
    struct buf tail;    /* owned; what belongs behind these */
    size_t asked;       /* bytes of the tail that were asked to be written */
    bool is_older_open; /* the file that is open is the increment before `newest`, which waits until that is synced: */
    size_t of_older;    /* bytes of the tail that belong to it */
    bool is_syncing;    /* a round is under way */
    bool is_of_sync;    /* it ends with a sync, not with a write */
    bool has_unsynced;  /* confirmed by a write alone */
    uint64_t synced_offset;   /* of the stream: what stands there is synced */
    size_t syncing;           /* bytes of the tail that it confirms */
    uint64_t syncing_offset;  /* of the stream, which these reach */
    uint64_t of_older_offset; /* of the stream, which of_older reaches */
    int64_t unasked_ns;       /* since when there is some of the tail that was not asked to be written; 0: not known */
    bool is_gathering;        /* always: the next sync waits for who heard of the last one */
    size_t gathered;          /* bytes of the tail when it was looked at last */
    int64_t confirmed_ns;     /* when the last round ended */
    int64_t took_ns;          /* how long it took */
    int64_t synced_ns;
    int64_t dated_s; /* the last date in the file; 0: it has none */
    int error;       /* what failed, until it works again */
    int64_t failed_ns;
    bool refuses; /* writes, for now */

    uint32_t generation;      /* answers to what was asked of the increment in an older one come to nothing */
    char path[FILE_NAME_MAX]; /* cw_aof_path's */
    struct buf note;          /* owned; what is to be said at the start */
    struct cw_aof_rewrite rewrite;
};

/* At creation. 0, or an error and in `why` a sentence. */
MUST_CHECK int cw_aof_create(struct cw_engine *engine, struct buf *why);
/* What there was has been loaded (engine/loading.h); before the start. */
void cw_aof_take_loaded(struct cw_engine *engine, const struct cw_aof_loaded *loaded);
void cw_aof_free(struct cw_aof *aof);

/* Whether the data are to be read from here and not from dump.rdb. */
bool cw_aof_has_data(const struct cw_engine *engine);

/* EVENT_START. */
void cw_aof_start(struct cw_engine *engine);

/* EVENT_STOP, or the end otherwise: everything that is still in memory is asked to be written and synced. */
void cw_aof_end(struct cw_engine *engine);

/* appendonly or appendfsync was set. */
void cw_aof_settings_changed(struct cw_engine *engine);

/* The data were replaced in one piece. */
void cw_aof_data_replaced(struct cw_engine *engine);

/* Bytes that the stream has just got: whole units, or the beginning of one and at once its rest. */
void cw_aof_append(struct cw_engine *engine, struct slice bytes);

/* At the end of a turn. */
void cw_aof_turn(struct cw_engine *engine);
int64_t cw_aof_deadline(const struct cw_engine *engine);

/* EVENT_FILE with a token of this room's. */
bool cw_aof_is_token(uint64_t token);
void cw_aof_answered(struct cw_engine *engine, uint64_t token, int result);

/* Up to which offset of the stream replies may show it; CW_RELEASED_ALL. */
uint64_t cw_aof_released(const struct cw_engine *engine);

/* Whether replies may have to wait for the disk at all, as things stand. */
bool cw_aof_may_hold(const struct cw_engine *engine);

/* Whether what stands up to there in the stream is synced, and up to where it is; 0: nobody can say. */
bool cw_aof_is_synced(const struct cw_engine *engine, uint64_t offset);
uint64_t cw_aof_synced_offset(const struct cw_engine *engine);

/* Why a write is refused now. Only while aof.refuses. */
void cw_aof_write_refusal(const struct cw_engine *engine, struct buf *words);

void cw_aof_info(const struct cw_engine *engine, struct buf *out); /* lines of INFO persistence */

void cw_bgrewriteaof_command(struct cw_call *call);

#endif
