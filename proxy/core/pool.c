#include "proxy/core/pool.h"

#include "common/base/mem.h"
#include "proxy/core/link.h"
#include "proxy/core/session.h"

void px_pools_create(struct px_proxy *proxy)
{
    uint32_t count = proxy->config.databases * 2;
    proxy->pools = mem_zero(count * sizeof(struct px_pool));
    for (uint32_t i = 0; i < count; i++) {
        struct px_pool *pool = &proxy->pools[i];
        pool->database = i / 2;
        pool->protocol = (int)(i % 2) + 2;
        pool->shared = mem_zero(proxy->config.links_per_pool * sizeof(struct px_link *));
        list_init(&pool->spares);
    }
}

void px_pools_free(struct px_proxy *proxy)
{
    LIST_FOR_EACH(node, &proxy->links)
    px_link_destroy(LIST_ENTRY(node, struct px_link, node));
    for (uint32_t i = 0; i < proxy->config.databases * 2; i++)
        mem_free(proxy->pools[i].shared);
    mem_free(proxy->pools);
    proxy->pools = NULL;
}

struct px_pool *px_pool_of(struct px_proxy *proxy, uint32_t database, int protocol)
{
    CHECK(database < proxy->config.databases && (protocol == 2 || protocol == 3));
    return &proxy->pools[database * 2 + (uint32_t)protocol - 2];
}

struct px_link *px_pool_shared(struct px_proxy *proxy, struct px_pool *pool)
{
    uint32_t index = pool->next_shared++ % proxy->config.links_per_pool;
    if (pool->shared[index] == NULL)
        pool->shared[index] = px_link_create(proxy, pool, NULL);
    return pool->shared[index];
}

struct px_link *px_pool_take_private(struct px_proxy *proxy, struct px_session *owner)
{
    struct px_pool *pool = px_pool_of(proxy, owner->database, owner->protocol);
    if (pool->spare_count == 0)
        return px_link_create(proxy, pool, owner);
    struct px_link *link = LIST_ENTRY(pool->spares.next, struct px_link, spare);
    list_remove(&link->spare);
    pool->spare_count--;
    link->owner = owner;
    return link;
}

void px_pool_give_private(struct px_proxy *proxy, struct px_link *link)
{
    struct px_session *owner = link->owner;
    struct px_pool *pool = link->pool;
    link->owner = NULL;
    bool clean = px_link_is_ready(link) && link->slot_count == 0 && !link->transaction && !link->watching &&
                 link->swallow == 0 && !link->frame.inside && owner->subscriptions == NULL && owner->tracking == NULL &&
                 owner->state != PX_SESSION_MONITORING && owner->database == pool->database;
    if (!clean || pool->spare_count == PX_SPARE_LINKS_MAX || proxy->stopping) {
        px_link_destroy(link);
        return;
    }
    list_add_first(&pool->spares, &link->spare);
    pool->spare_count++;
}
