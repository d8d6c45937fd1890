/* pool.h: the links of one user, database and protocol version: a few shared ones, and spare private ones.
 *
 * While the worker says that it holds replies, each shared link has another one beside it, for reads (lanes.h).
 *
 * Clients that have said no name share links that are the default user's. Who has said one, and the master has agreed,
 * shares links with those of the same name only: the worker knows each of them as that user's. */
#ifndef PROXY_CORE_POOL_H
#define PROXY_CORE_POOL_H

#include "common/base/list.h"
#include "common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct px_link;
struct px_proxy;
struct px_session;

enum { PX_SPARE_LINKS_MAX = 32 };

/* A user that some client has said to be. */
struct px_user {
    struct list node; /* in proxy->users */
    char *name;       /* owned */
    uint32_t sessions;
    struct px_pool *pools; /* owned: [database * 2 + protocol - 2] */
};

struct px_pool {
    const struct px_user *user; /* borrowed; NULL: of clients without a name */
    uint32_t database;
    int protocol;
    struct px_link **shared; /* owned: links_per_pool, created when first wanted */
    uint32_t next_shared;
    int64_t held_until_ns; /* a worker holds replies on a link of this pool, or did so a while ago */
    struct list spares;    /* private links without an owner and without state */
    uint32_t spare_count;
};

void px_pools_create(struct px_proxy *proxy);
void px_pools_free(struct px_proxy *proxy); /* also all links */

/* `user` NULL: of clients without a name. */
struct px_pool *px_pool_of(struct px_proxy *proxy, struct px_user *user, uint32_t database, int protocol);

/* One more session of that user, or one less. */
struct px_user *px_user_take(struct px_proxy *proxy, struct slice name);
void px_user_give(struct px_user *user); /* NULL is fine */

/* Closes the links of users that no session has any more; at the end of a turn. */
void px_users_reap(struct px_proxy *proxy);
struct px_link *px_pool_shared(struct px_proxy *proxy, struct px_pool *pool);

/* The worker says that it holds replies on a link of this pool. */
void px_pool_note_held(struct px_proxy *proxy, struct px_pool *pool);

/* Whether reads may take the link beside this shared one: replies are being held, and that link is ready. */
bool px_pool_splits(const struct px_proxy *proxy, const struct px_link *shared);

struct px_link *px_pool_take_private(struct px_proxy *proxy, struct px_session *owner);

/* The owner needs it no more. Kept as a spare when it is clean and idle, else destroyed. */
void px_pool_give_private(struct px_proxy *proxy, struct px_link *link);

#endif
