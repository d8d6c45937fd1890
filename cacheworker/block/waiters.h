/* waiters.h: who waits for which keys, in the order of arrival, and until when. Pure.
 *
 * It listens to the feed of changes while somebody waits. A key that changed, and is there, is ready: it is taken, and
 * its waiters get their turns, oldest first. A waiter leaves when it was served; one that goes on waiting keeps its
 * place. */
#ifndef CACHEWORKER_BLOCK_WAITERS_H
#define CACHEWORKER_BLOCK_WAITERS_H

#include "cacheworker/engine/changes.h"
#include "cacheworker/engine/interests.h"
#include "common/base/heap.h"

struct cw_waiter { /* a part of what the owner keeps of it; a zeroed one waits for nothing */
    struct heap_node deadline;
    struct list waits;     /* one for each key */
    enum cw_type type;     /* that a key must have */
    bool ends_without_key; /* it wants to know of a key that is gone, or of another type, too */
};

struct cw_waited_key {
    struct cw_interest interest; /* its holders are the waits */
    struct list ready;           /* in cw_waiters.ready, when it is */
    size_t ending;               /* waiters that end without it */
};

struct cw_waiters {
    struct cw_interests keys;
    struct list ready;          /* in the order in which they became so */
    struct heap deadlines;      /* of those who do not wait for ever; in ns */
    struct cw_changes *changes; /* borrowed */
    struct cw_listener listener;
    size_t ending; /* keys that some waiter ends without */
};

void cw_waiters_create(struct cw_waiters *waiters, struct cw_changes *changes, unsigned databases,
                       struct siphash_key seed);
void cw_waiters_destroy(struct cw_waiters *waiters); /* nobody waits any more */

/* Type and ends_without_key are filled; a key that is named twice counts once. deadline_ns may be NEVER_NS. */
void cw_waiters_add(struct cw_waiters *waiters, struct cw_waiter *waiter, unsigned database, const struct slice *keys,
                    size_t count, int64_t deadline_ns);
void cw_waiters_remove(struct cw_waiters *waiters, struct cw_waiter *waiter);

/* One whose deadline is over, or NULL. It stays until it is removed. */
struct cw_waiter *cw_waiters_due(const struct cw_waiters *waiters, int64_t now_ns);
int64_t cw_waiters_deadline(const struct cw_waiters *waiters);

static inline bool cw_waiters_have_ready(const struct cw_waiters *waiters)
{
    return !list_is_empty(&waiters->ready);
}

/* The turns of those who wait for one key. While they go on, waiters may leave, and none may come. */
struct cw_turns {
    struct cw_waited_key *key;
    struct list next; /* stands before whose turn is next */
    struct list end;  /* stands behind the last one */
};

/* Takes the key that has been ready for longest; there is one. */
void cw_turns_begin(struct cw_waiters *waiters, struct cw_turns *turns);
struct cw_waiter *cw_turns_next(struct cw_turns *turns); /* NULL behind the last */
void cw_turns_end(struct cw_waiters *waiters, struct cw_turns *turns);

#endif
