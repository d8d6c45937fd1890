/* background_save.h: BGSAVE: a picture of the data at one moment, written while commands go on.
 *
 * The keyspace shows itself bucket by bucket, and a bucket that is about to change before it does (keyspace.h:
 * snapshots). What it shows is written, synced and renamed beside the core (door.h: EFFECT_FILE): nothing is forked,
 * and the loop waits for no disk. "dump.rdb" is the old file or the new one, never half of one.
 *
 *     IDLE -> WANTED -> WRITING -> CLOSING -> IDLE
 *                          \-> LEAVING (a write failed, the data were replaced, or it was called off) -> IDLE
 *
 * The picture is taken between two commands, at the end of a turn, when no replica is being given one: there is one
 * snapshot of a keyspace at a time.
 * Source: redis.io/docs/management/persistence; redis.conf of 7.2 about `save`. */
#ifndef CACHEWORKER_RDB_BACKGROUND_SAVE_H
#define CACHEWORKER_RDB_BACKGROUND_SAVE_H

#include "cacheworker/rdb/picture.h"
#include "common/base/door.h"

struct cw_engine;

enum { CW_SAVE_POINTS_MAX = 16 };

struct cw_save_points { /* `save`: after so many seconds, if so many changes were made */
    struct {
        int64_t seconds;
        int64_t changes;
    } items[CW_SAVE_POINTS_MAX];
    size_t count;
};

/* "900 1 300 10", or "" for none. ERR_INVALID; ERR_TOO_BIG. */
MUST_CHECK int cw_save_points_parse(struct slice text, struct cw_save_points *ret_points);
void cw_save_points_format(const struct cw_save_points *points, struct buf *out);

enum cw_background_state {
    CW_BACKGROUND_IDLE,
    CW_BACKGROUND_WANTED,
    CW_BACKGROUND_WRITING,
    CW_BACKGROUND_CLOSING,
    CW_BACKGROUND_LEAVING,
};

struct cw_background_save { /* a zeroed struct is idle */
    enum cw_background_state state;
    struct cw_picture picture; /* that is being written, or was */
    uint64_t changes_before;   /* of the data, when the picture was taken */
    bool is_named;             /* the rename was asked for: it cannot be called off */
    bool wants_another;        /* as soon as this one is over */
    size_t held_peak;          /* of the last one that was completed: the most that was held in memory */
    int64_t began_ns;
    int64_t took_ns;   /* the last one that was completed; 0: none yet */
    int64_t failed_ns; /* when the last one failed; 0: it did not */
};

/* Has one made. ERR_NOT_FOUND without a storage; ERR_BUSY while there is one. */
MUST_CHECK int cw_background_save_want(struct cw_engine *engine);

static inline bool cw_background_save_is_running(const struct cw_background_save *save)
{
    return save->state != CW_BACKGROUND_IDLE;
}

enum cw_background_cancelled { CW_CANCELLED_NOTHING, CW_CANCELLED_WANTED, CW_CANCELLED_WRITING };

/* Calls off one that is wanted, or under way and not about to get its name. */
enum cw_background_cancelled cw_background_save_cancel(struct cw_engine *engine);

/* FLUSHALL: nobody needs a picture of what is about to go, so one under way is called off. Where there are save points,
 * what is left is saved as soon as may be. */
void cw_background_save_flush(struct cw_engine *engine);

/* The keyspace whose picture this is is about to go. Nothing is left of the file. */
void cw_background_save_leave(struct cw_engine *engine);

/* Removes what of a file a life before has left that died over it. */
void cw_background_save_forget(struct cw_engine *engine);

/* At the end of a turn: begins one that is wanted, or that a save point asks for, or goes on for a while. */
void cw_background_save_turn(struct cw_engine *engine);
int64_t cw_background_save_deadline(const struct cw_engine *engine);

/* EVENT_FILE with a token of this room's. */
void cw_background_save_answered(struct cw_engine *engine, uint64_t token, int result);

void cw_background_save_free(struct cw_background_save *save);

#endif
