/* watch.h: which sessions watch which keys, and that a change spoils their transactions. Pure.
 *
 * A watch remembers whether the key was there to be seen. A key that was absent and still is has not changed, whatever
 * became of an expired one meanwhile. */
#ifndef CACHEWORKER_TXN_WATCH_H
#define CACHEWORKER_TXN_WATCH_H

#include "cacheworker/engine/changes.h"
#include "cacheworker/engine/interests.h"
#include "cacheworker/txn/transaction.h"

struct cw_watches {
    struct cw_interests keys;
    struct cw_changes *changes; /* borrowed; listened to while there is a watch */
    struct cw_listener listener;
    /* Whether the key is there for a reader now. May delete it, if it has expired. */
    bool (*is_visible)(void *context, unsigned database, struct slice key);
    void *context; /* borrowed */
};

void cw_watches_create(struct cw_watches *watches, struct cw_changes *changes, unsigned databases,
                       struct siphash_key seed);
void cw_watches_destroy(struct cw_watches *watches); /* all was unwatched */

/* Does nothing when the transaction watches the key already. */
void cw_watch(struct cw_watches *watches, struct cw_transaction *transaction, unsigned database, struct slice key);
void cw_unwatch_all(struct cw_watches *watches, struct cw_transaction *transaction);

/* Before EXEC: spoils the transaction when a key that was there has expired since. */
void cw_watches_look_for_expired(struct cw_watches *watches, struct cw_transaction *transaction);

#endif
