#include "cacheworker/block/waiters.h"

#include "common/base/door.h"
#include "common/base/mem.h"

struct wait {
    struct list of_key;
    struct list of_waiter;
    struct cw_waited_key *key;
    struct cw_waiter *waiter;
};

static struct cw_waited_key *key_of(struct cw_interest *interest)
{
    return CONTAINER_OF(interest, struct cw_waited_key, interest);
}

/* --- what changes --- */

static void make_ready(struct cw_waiters *waiters, struct cw_waited_key *key)
{
    if (list_is_empty(&key->ready))
        list_add_last(&waiters->ready, &key->ready);
}

static void changed(void *context, const struct cw_change *change)
{
    struct cw_waiters *waiters = context;
    struct cw_interest *interest = cw_interests_find(&waiters->keys, change->database, change->key);
    if (interest != NULL && (change->exists || key_of(interest)->ending > 0))
        make_ready(waiters, key_of(interest));
}

/* Whether a key is there is looked at when its waiters get their turns. */
static void upheaved(void *context, unsigned database, enum cw_upheaval upheaval, struct cw_session *session)
{
    struct cw_waiters *waiters = context;
    (void)session;
    CW_INTERESTS_FOR_EACH(node, &waiters->keys, database)
    {
        struct cw_waited_key *key = key_of(CONTAINER_OF(node, struct cw_interest, node));
        if (upheaval != CW_UPHEAVAL_FLUSH || key->ending > 0)
            make_ready(waiters, key);
    }
}

void cw_waiters_create(struct cw_waiters *waiters, struct cw_changes *changes, unsigned databases,
                       struct siphash_key seed)
{
    *waiters = (struct cw_waiters){
        .changes = changes, .listener = {.context = waiters, .waits = true, .changed = changed, .upheaved = upheaved}};
    list_init(&waiters->ready);
    cw_interests_create(&waiters->keys, databases, sizeof(struct cw_waited_key), seed);
}

void cw_waiters_destroy(struct cw_waiters *waiters)
{
    cw_interests_destroy(&waiters->keys);
    heap_free(&waiters->deadlines);
}

/* --- coming and leaving --- */

/* A waiter's own list is short, mostly; a key that it names again is found at the end of that key's list. */
static bool is_named_before(const struct cw_waited_key *key, const struct cw_waiter *waiter)
{
    const struct list *last = key->interest.holders.previous;
    return last != &key->interest.holders && LIST_ENTRY(last, struct wait, of_key)->waiter == waiter;
}

static void wait_for(struct cw_waiters *waiters, struct cw_waiter *waiter, unsigned database, struct slice name)
{
    struct cw_waited_key *key = key_of(cw_interests_obtain(&waiters->keys, database, name));
    if (key->ready.next == NULL)
        list_init(&key->ready);
    if (is_named_before(key, waiter))
        return;
    struct wait *wait = mem_alloc(sizeof(*wait));
    *wait = (struct wait){.key = key, .waiter = waiter};
    list_add_last(&key->interest.holders, &wait->of_key);
    list_add_last(&waiter->waits, &wait->of_waiter);
    waiters->ending += waiter->ends_without_key && key->ending == 0;
    key->ending += waiter->ends_without_key;
}

void cw_waiters_add(struct cw_waiters *waiters, struct cw_waiter *waiter, unsigned database, const struct slice *keys,
                    size_t count, int64_t deadline_ns)
{
    if (waiters->keys.count == 0)
        cw_changes_listen(waiters->changes, &waiters->listener);
    list_init(&waiter->waits);
    for (size_t i = 0; i < count; i++)
        wait_for(waiters, waiter, database, keys[i]);
    if (deadline_ns != NEVER_NS)
        heap_set(&waiters->deadlines, &waiter->deadline, deadline_ns);
}

static void release(struct cw_waiters *waiters, struct cw_waited_key *key)
{
    if (!list_is_empty(&key->interest.holders))
        return;
    list_remove(&key->ready);
    cw_interests_release(&waiters->keys, &key->interest);
    if (waiters->keys.count == 0)
        cw_changes_ignore(waiters->changes, &waiters->listener);
}

void cw_waiters_remove(struct cw_waiters *waiters, struct cw_waiter *waiter)
{
    heap_remove(&waiters->deadlines, &waiter->deadline);
    LIST_FOR_EACH(node, &waiter->waits)
    {
        struct wait *wait = LIST_ENTRY(node, struct wait, of_waiter);
        struct cw_waited_key *key = wait->key;
        key->ending -= waiter->ends_without_key;
        waiters->ending -= waiter->ends_without_key && key->ending == 0;
        list_remove(&wait->of_key);
        list_remove(&wait->of_waiter);
        mem_free(wait);
        release(waiters, key);
    }
}

/* --- time --- */

struct cw_waiter *cw_waiters_due(const struct cw_waiters *waiters, int64_t now_ns)
{
    struct heap_node *node = heap_first(&waiters->deadlines);
    return node != NULL && node->key <= now_ns ? CONTAINER_OF(node, struct cw_waiter, deadline) : NULL;
}

int64_t cw_waiters_deadline(const struct cw_waiters *waiters)
{
    const struct heap_node *node = heap_first(&waiters->deadlines);
    return node != NULL ? node->key : NEVER_NS;
}

/* --- turns --- */

void cw_turns_begin(struct cw_waiters *waiters, struct cw_turns *turns)
{
    CHECK(cw_waiters_have_ready(waiters));
    turns->key = LIST_ENTRY(waiters->ready.next, struct cw_waited_key, ready);
    list_remove(&turns->key->ready);
    list_add_first(&turns->key->interest.holders, &turns->next);
    list_add_last(&turns->key->interest.holders, &turns->end);
}

struct cw_waiter *cw_turns_next(struct cw_turns *turns)
{
    struct list *node = turns->next.next;
    if (node == &turns->end)
        return NULL;
    list_remove(&turns->next);
    list_add_first(node, &turns->next);
    return LIST_ENTRY(node, struct wait, of_key)->waiter;
}

void cw_turns_end(struct cw_waiters *waiters, struct cw_turns *turns)
{
    list_remove(&turns->next);
    list_remove(&turns->end);
    release(waiters, turns->key);
}
