/* aof_rewrite.h: a new base for the append-only file, made while commands go on.
 *
 *     REST -> WANTED -> ANNOUNCING -> READY -> WRITING -> CLOSING -> SETTLING -> NAMING -> REST
 *
 * First the increment that comes next is made, and the manifest on the disk names it (ANNOUNCING; while the file is
 * STARTING, no manifest does: there is nothing to be kept). Between two commands the stream goes over to it, and a
 * picture of the data at that moment is begun (WRITING), as for BGSAVE. When it is on the disk, and all of the older
 * increment, too (SETTLING), a manifest of the new base and the new increment takes the place of the old one (NAMING),
 * and what that named is removed. Whenever the process ends, a manifest names all of the data.
 *
 * The base is RDB, or, of a server by itself where aof-use-rdb-preamble is no, commands (entry_commands.h).
 *
 * Where appendonly is no, BGREWRITEAOF writes a base all the same, and a manifest of it alone, as Redis does: WANTED ->
 * WRITING and on, for there is no increment and nothing to be kept.
 *
 * Each one that fails after it was announced leaves an increment, and a manifest has room for so many only. So when
 * there are many, a base is written that is thrown away (a rehearsal), and only if the disk took that, one in earnest.
 */
#ifndef CACHEWORKER_AOF_AOF_REWRITE_H
#define CACHEWORKER_AOF_AOF_REWRITE_H

#include "cacheworker/aof/manifest.h"
#include "cacheworker/rdb/picture.h"

struct cw_engine;

enum cw_aof_rewrite_state {
    CW_AOF_REST,
    CW_AOF_WANTED,
    CW_AOF_ANNOUNCING,
    CW_AOF_READY,
    CW_AOF_WRITING,
    CW_AOF_CLOSING,
    CW_AOF_SETTLING,
    CW_AOF_NAMING,
};

struct cw_aof_rewrite { /* a zeroed struct rests */
    enum cw_aof_rewrite_state state;
    struct cw_manifest next; /* that is to be on the disk */
    struct cw_picture picture;
    size_t held_peak;  /* of the last one that was completed: the most that was held in memory */
    int64_t began_ns;  /* the picture */
    uint64_t offset;   /* of the stream, where it was taken */
    int64_t took_ns;   /* the last one that was completed; 0: none yet */
    int64_t failed_ns; /* when the last one failed; 0: it did not */
    bool may_be_named; /* `next`, on the disk: that was asked */
    bool is_rehearsal;
    bool is_rehearsed;
    uint64_t completed;
    uint64_t failures;  /* since the last that was completed */
    uint64_t last_base; /* numbers that were used */
    uint64_t last_increment;
    uint32_t generation; /* answers to what an older one asked come to nothing */
};

static inline bool cw_aof_rewrite_is_running(const struct cw_aof_rewrite *rewrite)
{
    return rewrite->state > CW_AOF_WANTED;
}

/* Has one made. Nothing while there is one. */
void cw_aof_rewrite_want(struct cw_engine *engine);

/* Gives up the one that there is, and removes its files, unless a manifest names them, or may. */
void cw_aof_rewrite_leave(struct cw_engine *engine);

/* Removes the files of the history that the manifest on the disk has. */
void cw_aof_remove_history(struct cw_engine *engine);

/* The process ends, and has saved the data in dump.rdb. While the file is STARTING, what is on the disk of it is older,
 * and would be loaded instead: it goes. */
void cw_aof_give_way(struct cw_engine *engine);

/* At the start, of a file that is whole: removes what of another one a life before has left that died over it.
 */
void cw_aof_remove_leftovers(struct cw_engine *engine);

void cw_aof_rewrite_turn(struct cw_engine *engine);
int64_t cw_aof_rewrite_deadline(const struct cw_engine *engine);

/* What was asked, as the token says (aof.c). */
void cw_aof_rewrite_written(struct cw_engine *engine, size_t length, int result); /* 0: all of the base is synced */
void cw_aof_rewrite_increment_made(struct cw_engine *engine, int result);
void cw_aof_rewrite_manifest_synced(struct cw_engine *engine, int result);
void cw_aof_rewrite_manifest_named(struct cw_engine *engine, int result);

#endif
