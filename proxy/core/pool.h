/* pool.h: the links of one database and protocol version: a few shared ones, and spare private ones. */
#ifndef PROXY_CORE_POOL_H
#define PROXY_CORE_POOL_H

#include "common/base/list.h"

#include <stdint.h>

struct px_link;
struct px_proxy;
struct px_session;

enum { PX_SPARE_LINKS_MAX = 32 };

struct px_pool {
    uint32_t database;
    int protocol;
    struct px_link **shared; /* owned: links_per_pool, created when first wanted */
    uint32_t next_shared;
    struct list spares; /* private links without an owner and without state */
    uint32_t spare_count;
};

void px_pools_create(struct px_proxy *proxy);
void px_pools_free(struct px_proxy *proxy); /* also all links */

struct px_pool *px_pool_of(struct px_proxy *proxy, uint32_t database, int protocol);
struct px_link *px_pool_shared(struct px_proxy *proxy, struct px_pool *pool);
struct px_link *px_pool_take_private(struct px_proxy *proxy, struct px_session *owner);

/* The owner needs it no more. Kept as a spare when it is clean and idle, else destroyed. */
void px_pool_give_private(struct px_proxy *proxy, struct px_link *link);

#endif
