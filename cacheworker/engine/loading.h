/* loading.h: dump.rdb at the start: what of it one slice does not hold is loaded slice by slice, one in each turn.
 *
 * Meanwhile clients get -LOADING but for what may be said then, and a STATUS says that the node is loading: it is
 * alive, takes no role, and knows no history yet. The data are loaded aside and installed when the file was read whole,
 * so nobody sees half of them; nothing is saved before.
 *
 * A file that is damaged, or not for us, is named with the place and the reason. In a group it is set aside under the
 * name with CW_SET_ASIDE behind it, in the place of one that may have that name, and the node begins without data, as
 * one whose disk was not read whole, until a full sync has given it all; so it does in every later life, as long as
 * that is the only file that there is. A server by itself ends, unless set-aside-damaged-data says that it is to do the
 * same. */
#ifndef CACHEWORKER_ENGINE_LOADING_H
#define CACHEWORKER_ENGINE_LOADING_H

#include "cacheworker/rdb/rdb_file.h"
#include "common/base/buf.h"

#define CW_SET_ASIDE ".damaged"

struct cw_engine;
struct cw_keyspace;

struct cw_loading { /* a zeroed struct is over */
    bool is_running;
    bool has_failed;           /* the server ends */
    bool sets_aside;           /* at the start */
    struct cw_keyspace *fresh; /* owned while it runs */
    struct cw_rdb_input input;
    struct buf note; /* owned; what is to be said at the start */
    int64_t began_us;
    int64_t began_ns;
};

/* At creation, when repl/ is there and no append-only file has the data: the first slice. 0, or an error, and in `why`
 * a sentence: the server is not to start. */
MUST_CHECK int cw_loading_create(struct cw_engine *engine, struct buf *why);
void cw_loading_free(struct cw_loading *loading);

void cw_loading_start(struct cw_engine *engine); /* EVENT_START */
void cw_loading_turn(struct cw_engine *engine);  /* while it runs: the next slice */

void cw_loading_info(const struct cw_engine *engine, struct buf *out); /* lines of INFO persistence, while it runs */

#endif
