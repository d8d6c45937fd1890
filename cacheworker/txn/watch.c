#include "cacheworker/txn/watch.h"

#include "common/base/mem.h"

struct watch {
    struct list of_key;
    struct list of_transaction;
    struct cw_interest *interest;
    struct cw_transaction *transaction;
    bool existed;
};

static void unwatch(struct cw_watches *watches, struct watch *watch)
{
    list_remove(&watch->of_key);
    list_remove(&watch->of_transaction);
    cw_interests_release(&watches->keys, watch->interest);
    mem_free(watch);
    if (watches->keys.count == 0)
        cw_changes_ignore(watches->changes, &watches->listener);
}

void cw_unwatch_all(struct cw_watches *watches, struct cw_transaction *transaction)
{
    LIST_FOR_EACH(node, &transaction->watches)
    unwatch(watches, LIST_ENTRY(node, struct watch, of_transaction));
    transaction->watches_bytes = 0;
}

/* --- what changes --- */

static void changed(void *context, const struct cw_change *change)
{
    struct cw_watches *watches = context;
    const struct cw_interest *interest = cw_interests_find(&watches->keys, change->database, change->key);
    if (interest == NULL)
        return;
    LIST_FOR_EACH(node, &interest->holders)
    {
        struct watch *watch = LIST_ENTRY(node, struct watch, of_key);
        if (watch->existed || change->exists)
            watch->transaction->is_spoiled = true;
    }
}

static void upheaved(void *context, unsigned database, enum cw_upheaval upheaval, struct cw_session *session)
{
    struct cw_watches *watches = context;
    (void)upheaval;
    (void)session;
    CW_INTERESTS_FOR_EACH(node, &watches->keys, database)
    {
        struct cw_interest *interest = CONTAINER_OF(node, struct cw_interest, node);
        bool is_visible = watches->is_visible(watches->context, database, cw_interest_key(interest));
        LIST_FOR_EACH(holder, &interest->holders)
        {
            struct watch *watch = LIST_ENTRY(holder, struct watch, of_key);
            if (watch->existed || is_visible)
                watch->transaction->is_spoiled = true;
        }
    }
}

/* --- watching --- */

void cw_watches_create(struct cw_watches *watches, struct cw_changes *changes, unsigned databases,
                       struct siphash_key seed)
{
    *watches = (struct cw_watches){.changes = changes,
                                   .listener = {.context = watches, .changed = changed, .upheaved = upheaved}};
    cw_interests_create(&watches->keys, databases, sizeof(struct cw_interest), seed);
}

void cw_watches_destroy(struct cw_watches *watches)
{
    cw_interests_destroy(&watches->keys);
}

/* Goes through the watches of the key and those of the transaction at the same pace: the shorter list decides. */
static bool is_watched(const struct cw_interest *interest, const struct cw_transaction *transaction)
{
    const struct list *of_key = interest->holders.next;
    const struct list *of_transaction = transaction->watches.next;
    while (of_key != &interest->holders && of_transaction != &transaction->watches) {
        if (LIST_ENTRY(of_key, struct watch, of_key)->transaction == transaction ||
            LIST_ENTRY(of_transaction, struct watch, of_transaction)->interest == interest)
            return true;
        of_key = of_key->next;
        of_transaction = of_transaction->next;
    }
    return false;
}

void cw_watch(struct cw_watches *watches, struct cw_transaction *transaction, unsigned database, struct slice key)
{
    if (watches->keys.count == 0)
        cw_changes_listen(watches->changes, &watches->listener);
    struct cw_interest *interest = cw_interests_obtain(&watches->keys, database, key);
    if (is_watched(interest, transaction))
        return;
    struct watch *watch = mem_alloc(sizeof(*watch));
    *watch = (struct watch){.interest = interest,
                            .transaction = transaction,
                            .existed = watches->is_visible(watches->context, database, key)};
    list_add_last(&watch->interest->holders, &watch->of_key);
    list_add_last(&transaction->watches, &watch->of_transaction);
    transaction->watches_bytes += sizeof(*watch) + key.length;
}

void cw_watches_look_for_expired(struct cw_watches *watches, struct cw_transaction *transaction)
{
    LIST_FOR_EACH(node, &transaction->watches)
    {
        const struct watch *watch = LIST_ENTRY(node, struct watch, of_transaction);
        const struct cw_interest *interest = watch->interest;
        if (watch->existed && !watches->is_visible(watches->context, interest->database, cw_interest_key(interest)))
            transaction->is_spoiled = true;
    }
}
