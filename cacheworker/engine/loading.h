/* loading.h: the data at the start, from the append-only file or else from dump.rdb: what of it one slice does not hold
 * is loaded slice by slice, one in each turn.
 *
 * Meanwhile clients get -LOADING but for what may be said then, and a STATUS says that the node is loading: it is
 * alive, takes no role, and knows no history yet. So nobody sees half of the data; nothing is saved before all is
 * loaded.
 *
 * A file that is damaged, or not for us, is named with the place and the reason. In a group it is set aside, dump.rdb
 * or the whole directory of the append-only file, under its name with CW_SET_ASIDE behind it (and a number, where that
 * name is taken, which a file is not). The node begins without data, as one whose disk was not read whole, until a full
 * sync has given it all; so it does in every later life, as long as there are no other data. A server by itself ends,
 * unless set-aside-damaged-data says that it is to do the same with dump.rdb. Nothing goes on before the file has its
 * new name, for what is written next would take the place of what is damaged; if it cannot get it, the server ends.
 *
 * What the disk does not give (ERR_IO) may be good another time and is not set aside: of dump.rdb the node begins
 * without it, as above; with an append-only file, which would be written anew, it ends. */
#ifndef CACHEWORKER_ENGINE_LOADING_H
#define CACHEWORKER_ENGINE_LOADING_H

#include "cacheworker/rdb/rdb_file.h"
#include "common/base/buf.h"

#define CW_SET_ASIDE ".damaged"

enum { CW_SET_ASIDE_MOST = 9 }; /* directories; then a node ends, too */

struct cw_aof_input;
struct cw_engine;
struct cw_keyspace;

#define CW_LOADING_TOKEN ((uint64_t)1 << 62) /* EVENT_FILE: the answer is this room's */

struct cw_loading { /* a zeroed struct is over */
    bool is_running;
    bool is_setting_aside;     /* all that is left to do: to hear that the file has its new name */
    bool has_failed;           /* the server ends */
    struct cw_aof_input *aof;  /* owned; NULL: it is dump.rdb */
    struct cw_rdb_input rdb;   /* or it is closed */
    struct cw_keyspace *fresh; /* owned; of rdb */
    struct buf note;           /* owned; what is to be said at the start */
    char damaged[FILE_NAME_MAX];
    char set_aside[FILE_NAME_MAX]; /* what that is to be called */
    int64_t began_us;
    int64_t began_ns;
};

/* At creation, when repl/ and aof/ are there: the first slice. 0, or an error, and in `why` a sentence: the server is
 * not to start. */
MUST_CHECK int cw_loading_create(struct cw_engine *engine, struct buf *why);
void cw_loading_free(struct cw_loading *loading);

void cw_loading_start(struct cw_engine *engine); /* EVENT_START */
void cw_loading_turn(struct cw_engine *engine);  /* while it runs: the next slice */
void cw_loading_answered(struct cw_engine *engine, int result);

/* Whether it has something to do in the next turn. */
static inline bool cw_loading_wants_turn(const struct cw_loading *loading)
{
    return loading->is_running && !loading->is_setting_aside;
}

void cw_loading_info(const struct cw_engine *engine, struct buf *out); /* lines of INFO persistence, while it runs */

#endif
