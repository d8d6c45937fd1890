/* tracking.h: client-side caching (redis.io/docs/manual/client-side-caching): who is to be told when a key changes.
 *
 * A session that tracks is told once of each key that it read, when that is changed, expires, is evicted or falls out
 * of the table; one in BCAST mode of every changed key with one of its prefixes, at the end of the turn. What tells it
 * that is a push, behind the reply if it made the change itself; it may be redirected to another session. When a
 * database is flushed, swapped or replaced, all are told to forget everything.
 *
 * While nobody tracks, nothing of this costs anything: the feed of changes is not listened to, and what sessions read
 * is looked at only where they have CW_SESSION_TRACKING. The table holds at most tracking-table-max-keys keys; 0: any
 * number. */
#ifndef CACHEWORKER_TRACKING_TRACKING_H
#define CACHEWORKER_TRACKING_TRACKING_H

#include "cacheworker/engine/call.h"
#include "common/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cw_engine;
struct cw_session;
struct cw_tracking;

enum { /* how a session tracks */
       CW_TRACKING_ON = 1 << 0,
       CW_TRACKING_BCAST = 1 << 1,
       CW_TRACKING_OPTIN = 1 << 2,   /* only what follows CLIENT CACHING YES */
       CW_TRACKING_OPTOUT = 1 << 3,  /* all but what follows CLIENT CACHING NO */
       CW_TRACKING_NOLOOP = 1 << 4,  /* not of what it changes itself */
       CW_TRACKING_CACHING = 1 << 5, /* CLIENT CACHING was just said */
       CW_TRACKING_BROKEN = 1 << 6,  /* the session that it is redirected to is gone, which was noticed */
};

struct cw_tracking *cw_tracking_create(struct cw_engine *engine);
void cw_tracking_destroy(struct cw_tracking *tracking); /* all sessions were forgotten */

/* Begins to track, or goes on in another mode. `redirect` is the id of a session that exists, or 0. A session in BCAST
 * mode keeps the prefixes that it has; where none are given, it gets the empty one. */
void cw_tracking_start(struct cw_tracking *tracking, struct cw_session *session, unsigned mode, uint64_t redirect,
                       const struct slice *prefixes, size_t prefix_count);
void cw_tracking_stop(struct cw_tracking *tracking, struct cw_session *session);

/* The session ends. */
void cw_tracking_forget(struct cw_tracking *tracking, struct cw_session *session);

/* CLIENT CACHING: holds for the next command, or for a transaction. */
void cw_tracking_set_caching(struct cw_session *session);

/* CW_TRACKING_ bits, 0 for a session that does not track; whom its messages go to (0: itself). */
unsigned cw_tracking_mode(const struct cw_session *session);
uint64_t cw_tracking_redirect(const struct cw_session *session);

/* Fills in its prefixes, in the order of their bytes, and says how many there are; a session has at most
 * CW_TRACKING_PREFIXES_MAX, for each changed key is compared with each. They hold until something is switched. */
enum { CW_TRACKING_PREFIXES_MAX = 1024 };
size_t cw_tracking_prefixes_of(const struct cw_tracking *tracking, const struct cw_session *session,
                               struct slice *prefixes);

/* --- for the engine --- */

/* A session that tracks (CW_SESSION_TRACKING) has executed a command, or had it executed by a script. */
void cw_tracking_remember(struct cw_tracking *tracking, const struct cw_call *call);

/* A request of such a session is over. */
void cw_tracking_end_request(struct cw_session *session, const struct command *command);

/* At the end of a turn: tells what was gathered for BCAST, keeps the table small. True: there is more to do. */
bool cw_tracking_turn(struct cw_tracking *tracking);

/* Lines of INFO. */
size_t cw_tracking_clients(const struct cw_tracking *tracking);
size_t cw_tracking_keys(const struct cw_tracking *tracking);
uint64_t cw_tracking_items(const struct cw_tracking *tracking);
size_t cw_tracking_prefixes(const struct cw_tracking *tracking);

#endif
