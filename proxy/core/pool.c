#include "proxy/core/pool.h"

#include "common/base/mem.h"
#include "proxy/core/link.h"
#include "proxy/core/session.h"

#define HELD_NS (10 * NS_PER_S) /* so long reads keep to their own link after the last word of a worker */

static struct px_pool *create_pools(const struct px_proxy *proxy, const struct px_user *user)
{
    uint32_t count = proxy->config.databases * 2;
    struct px_pool *pools = mem_zero(count * sizeof(struct px_pool));
    for (uint32_t i = 0; i < count; i++) {
        struct px_pool *pool = &pools[i];
        pool->user = user;
        pool->database = i / 2;
        pool->protocol = (int)(i % 2) + 2;
        pool->shared = mem_zero(proxy->config.links_per_pool * sizeof(struct px_link *));
        list_init(&pool->spares);
    }
    return pools;
}

static void free_pools(const struct px_proxy *proxy, struct px_pool *pools)
{
    for (uint32_t i = 0; i < proxy->config.databases * 2; i++)
        mem_free(pools[i].shared);
    mem_free(pools);
}

static void free_user(const struct px_proxy *proxy, struct px_user *user)
{
    list_remove(&user->node);
    free_pools(proxy, user->pools);
    mem_free(user->name);
    mem_free(user);
}

void px_pools_create(struct px_proxy *proxy)
{
    list_init(&proxy->users);
    proxy->pools = create_pools(proxy, NULL);
}

void px_pools_free(struct px_proxy *proxy)
{
    LIST_FOR_EACH(node, &proxy->links)
    px_link_destroy(LIST_ENTRY(node, struct px_link, node));
    LIST_FOR_EACH(node, &proxy->users)
    free_user(proxy, LIST_ENTRY(node, struct px_user, node));
    free_pools(proxy, proxy->pools);
    proxy->pools = NULL;
}

struct px_pool *px_pool_of(struct px_proxy *proxy, struct px_user *user, uint32_t database, int protocol)
{
    CHECK(database < proxy->config.databases && (protocol == 2 || protocol == 3));
    struct px_pool *pools = user != NULL ? user->pools : proxy->pools;
    return &pools[database * 2 + (uint32_t)protocol - 2];
}

/* ---- users ---- */

struct px_user *px_user_take(struct px_proxy *proxy, struct slice name)
{
    LIST_FOR_EACH(node, &proxy->users)
    {
        struct px_user *user = LIST_ENTRY(node, struct px_user, node);
        if (slice_equal(slice_text(user->name), name)) {
            user->sessions++;
            return user;
        }
    }
    struct px_user *user = mem_zero(sizeof(*user));
    user->name = mem_copy_text(name.data, name.length);
    user->sessions = 1;
    user->pools = create_pools(proxy, user);
    list_add_last(&proxy->users, &user->node);
    return user;
}

void px_user_give(struct px_user *user)
{
    if (user == NULL)
        return;
    CHECK(user->sessions > 0);
    user->sessions--;
}

void px_users_reap(struct px_proxy *proxy)
{
    bool any = false;
    LIST_FOR_EACH(node, &proxy->users)
    any = any || LIST_ENTRY(node, struct px_user, node)->sessions == 0;
    if (!any)
        return;
    LIST_FOR_EACH(node, &proxy->links)
    {
        struct px_link *link = LIST_ENTRY(node, struct px_link, node);
        if (link->pool->user != NULL && link->pool->user->sessions == 0)
            px_link_destroy(link);
    }
    LIST_FOR_EACH(node, &proxy->users)
    {
        struct px_user *user = LIST_ENTRY(node, struct px_user, node);
        if (user->sessions == 0)
            free_user(proxy, user);
    }
}

/* ---- links ---- */

struct px_link *px_pool_shared(struct px_proxy *proxy, struct px_pool *pool)
{
    uint32_t index = pool->next_shared++ % proxy->config.links_per_pool;
    if (pool->shared[index] == NULL)
        pool->shared[index] = px_link_create(proxy, pool, NULL);
    return pool->shared[index];
}

static void open_beside(struct px_proxy *proxy, struct px_link *shared)
{
    shared->beside = px_link_create(proxy, shared->pool, NULL);
    shared->beside->beside = shared;
    shared->beside->is_for_reads = true;
}

void px_pool_note_held(struct px_proxy *proxy, struct px_pool *pool)
{
    pool->held_until_ns = proxy->now_ns + HELD_NS;
    for (uint32_t i = 0; i < proxy->config.links_per_pool; i++)
        if (pool->shared[i] != NULL && pool->shared[i]->beside == NULL)
            open_beside(proxy, pool->shared[i]);
}

bool px_pool_splits(const struct px_proxy *proxy, const struct px_link *shared)
{
    return UNLIKELY(proxy->now_ns < shared->pool->held_until_ns) && shared->beside != NULL &&
           px_link_is_ready(shared->beside);
}

struct px_link *px_pool_take_private(struct px_proxy *proxy, struct px_session *owner)
{
    struct px_pool *pool = px_pool_of(proxy, owner->user, owner->database, owner->protocol);
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
