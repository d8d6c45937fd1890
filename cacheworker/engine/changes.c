#include "cacheworker/engine/changes.h"

#include "common/base/mem.h"

enum { KEYS_KEPT = 64 << 10 }; /* bytes of memory for the next keys */

struct cw_opened {
    unsigned database;
    bool is_upheaval; /* then there is no key */
    enum cw_upheaval upheaval;
    bool existed;
    uint64_t hash;
    size_t key_offset; /* in `keys` */
    size_t key_length;
};

/* --- what commands open --- */

static struct cw_opened *add(struct cw_changes *changes)
{
    if (changes->opened_count == changes->opened_capacity) {
        changes->opened_capacity = changes->opened_capacity ? 2 * changes->opened_capacity : 16;
        changes->opened = mem_resize(changes->opened, changes->opened_capacity * sizeof(struct cw_opened));
    }
    return &changes->opened[changes->opened_count++];
}

static void opened(void *context, unsigned database, struct slice key, uint64_t hash, bool existed)
{
    struct cw_changes *changes = context;
    *add(changes) = (struct cw_opened){.database = database,
                                       .existed = existed,
                                       .hash = hash,
                                       .key_offset = buf_length(&changes->keys),
                                       .key_length = key.length};
    buf_add_slice(&changes->keys, key);
}

static void flushed(void *context, unsigned database)
{
    *add(context) = (struct cw_opened){.database = database, .is_upheaval = true, .upheaval = CW_UPHEAVAL_FLUSH};
}

static void swapped(void *context, unsigned database)
{
    *add(context) = (struct cw_opened){.database = database, .is_upheaval = true, .upheaval = CW_UPHEAVAL_SWAP};
}

/* --- listeners --- */

void cw_changes_create(struct cw_changes *changes, struct cw_keyspace *keyspace)
{
    *changes = (struct cw_changes){
        .keyspace = keyspace,
        .observer = {.context = changes, .opened = opened, .flushed = flushed, .swapped = swapped},
    };
    list_init(&changes->listeners);
}

void cw_changes_destroy(struct cw_changes *changes)
{
    mem_free(changes->opened);
    changes->opened = NULL;
    buf_free(&changes->keys);
}

void cw_changes_listen(struct cw_changes *changes, struct cw_listener *listener)
{
    list_add_last(&changes->listeners, &listener->node);
    cw_keyspace_observe(changes->keyspace, &changes->observer);
}

void cw_changes_ignore(struct cw_changes *changes, struct cw_listener *listener)
{
    list_remove(&listener->node);
    cw_keyspace_observe(changes->keyspace, cw_changes_are_heard(changes) ? &changes->observer : NULL);
}

/* --- telling --- */

static void tell_change(struct cw_changes *changes, const struct cw_change *change, enum cw_news news)
{
    LIST_FOR_EACH(node, &changes->listeners)
    {
        const struct cw_listener *listener = LIST_ENTRY(node, struct cw_listener, node);
        if (listener->waits || news == CW_NEWS_TO_ALL)
            listener->changed(listener->context, change);
    }
}

static void tell_upheaval(struct cw_changes *changes, unsigned database, enum cw_upheaval upheaval,
                          struct cw_session *session)
{
    LIST_FOR_EACH(node, &changes->listeners)
    {
        const struct cw_listener *listener = LIST_ENTRY(node, struct cw_listener, node);
        listener->upheaved(listener->context, database, upheaval, session);
    }
}

static void tell_one(struct cw_changes *changes, const struct cw_opened *opened, struct cw_session *session,
                     enum cw_news news)
{
    if (opened->is_upheaval) {
        tell_upheaval(changes, opened->database, opened->upheaval, session);
        return;
    }
    if (news == CW_NEWS_TO_NOBODY)
        return;
    const char *bytes = changes->keys.memory + changes->keys.start + opened->key_offset;
    struct cw_change change = {.database = opened->database,
                               .key = slice_of(bytes, opened->key_length),
                               .cause = CW_CHANGED_BY_COMMAND,
                               .session = session};
    change.exists = cw_keyspace_standing(changes->keyspace, opened->database, change.key, opened->hash) != NULL;
    if (opened->existed || change.exists)
        tell_change(changes, &change, news);
}

void cw_changes_tell_opened(struct cw_changes *changes, struct cw_session *session, enum cw_news news)
{
    for (size_t i = 0; i < changes->opened_count; i++)
        tell_one(changes, &changes->opened[i], session, news);
    changes->opened_count = 0;
    buf_clear(&changes->keys);
    buf_shrink(&changes->keys, KEYS_KEPT);
}

void cw_changes_tell(struct cw_changes *changes, unsigned database, struct slice key, bool exists,
                     enum cw_change_cause cause)
{
    struct cw_change change = {.database = database, .key = key, .exists = exists, .cause = cause};
    tell_change(changes, &change, CW_NEWS_TO_ALL);
}

void cw_changes_tell_replaced(struct cw_changes *changes)
{
    for (unsigned i = 0; i < cw_keyspace_databases(changes->keyspace); i++)
        tell_upheaval(changes, i, CW_UPHEAVAL_REPLACE, NULL);
}
