/* changes.h: the feed of changed keys. WATCH, blocked clients and client-side caching listen to it.
 *
 * While nobody listens, a change costs one branch. While somebody does, the keyspace tells which keys a command opened
 * for change; when the command is over and has changed anything, those are told that it changed: not those that were
 * absent before and still are. A command that opens a key must so have changed it, or else nothing at all.
 *
 * Listeners of a changed key must not touch the keyspace: it may have been told in the middle of a change (expiry,
 * eviction). They take down what they want to do, and do it later. */
#ifndef CACHEWORKER_ENGINE_CHANGES_H
#define CACHEWORKER_ENGINE_CHANGES_H

#include "cacheworker/keyspace/keyspace.h"
#include "common/base/buf.h"
#include "common/base/list.h"

struct cw_session;

enum cw_change_cause {
    CW_CHANGED_BY_COMMAND, /* a client's, a script's, or one of a master's stream */
    CW_CHANGED_BY_EXPIRY,  /* of the key, or of parts of it */
    CW_CHANGED_BY_EVICTION,
};

struct cw_change {
    unsigned database;
    struct slice key; /* borrowed for the call */
    bool exists;      /* afterwards; true while parts of it expire, which may be the last ones */
    enum cw_change_cause cause;
    struct cw_session *session; /* borrowed; whose command. NULL: a stream's, or no command */
};

/* Whom a command that changed something is news to. */
enum cw_news {
    CW_NEWS_TO_ALL,
    CW_NEWS_TO_WAITERS, /* a group of a stream is gone: only to who may wait in it */
    CW_NEWS_TO_NOBODY,  /* what a stream's groups have delivered: the value is as it was */
};

/* Of a whole database. */
enum cw_upheaval {
    CW_UPHEAVAL_FLUSH,   /* it is empty */
    CW_UPHEAVAL_SWAP,    /* it has the keys of another one */
    CW_UPHEAVAL_REPLACE, /* other data have come in: a full sync, DEBUG RELOAD */
};

struct cw_listener {
    struct list node; /* in the feed while it listens */
    void *context;    /* borrowed */
    bool waits;       /* for a key to be ready: hears CW_NEWS_TO_WAITERS too */
    void (*changed)(void *context, const struct cw_change *change);
    /* Any key of the database may have changed; the keyspace may be looked at. A session is given as above. */
    void (*upheaved)(void *context, unsigned database, enum cw_upheaval upheaval, struct cw_session *session);
};

struct cw_opened; /* what the command that is being executed opened */

struct cw_changes {
    struct cw_keyspace *keyspace; /* borrowed */
    struct cw_keyspace_observer observer;
    struct list listeners;
    struct cw_opened *opened; /* owned */
    size_t opened_count;
    size_t opened_capacity;
    struct buf keys; /* owned; the opened keys' bytes */
};

void cw_changes_create(struct cw_changes *changes, struct cw_keyspace *keyspace);
void cw_changes_destroy(struct cw_changes *changes);

/* Begins and ends to tell this listener, who is of any use only while it has something to wait for. */
void cw_changes_listen(struct cw_changes *changes, struct cw_listener *listener);
void cw_changes_ignore(struct cw_changes *changes, struct cw_listener *listener);

static inline bool cw_changes_are_heard(const struct cw_changes *changes)
{
    return !list_is_empty(&changes->listeners);
}

/* --- for the engine --- */

/* A command is over, which was or was not news. */
void cw_changes_tell_opened(struct cw_changes *changes, struct cw_session *session, enum cw_news news);

static inline void cw_changes_end_command(struct cw_changes *changes, struct cw_session *session, bool has_changed,
                                          enum cw_news news)
{
    if (UNLIKELY(changes->opened_count > 0))
        cw_changes_tell_opened(changes, session, has_changed ? news : CW_NEWS_TO_NOBODY);
}

/* At once: the key was changed by no command. */
void cw_changes_tell(struct cw_changes *changes, unsigned database, struct slice key, bool exists,
                     enum cw_change_cause cause);

/* At once, and while nobody listens too: all databases have other data. */
void cw_changes_tell_replaced(struct cw_changes *changes);

#endif
