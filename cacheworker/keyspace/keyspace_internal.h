/* keyspace_internal.h: what the files of a keyspace share: keyspace.c has the keys, snapshot.c the picture of a moment,
 * garbage.c what is freed later, compaction.c what is moved, active_expiry.c what is due, eviction_look.c what may be
 * evicted. */
#ifndef CACHEWORKER_KEYSPACE_KEYSPACE_INTERNAL_H
#define CACHEWORKER_KEYSPACE_KEYSPACE_INTERNAL_H

#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/keyspace/table.h"

struct snapshot {
    uint64_t version; /* of the running snapshot; 0: none runs */
    struct cw_snapshot_visitor visitor;
    struct cw_table **tables; /* per database at begin; NULL once completely shown; retired ones are owned */
    unsigned database;        /* being shown ... */
    uint64_t position;        /* ... from this hash on */
    bool at_end;              /* all of its buckets were shown */
    struct list owed;         /* of struct owed, owned: values to be shown in slices; those that are wanted first */
    bool is_open;             /* a part of the first was shown */
};

struct compaction {
    bool is_active;
    unsigned database;
    uint64_t position; /* the hash from where on nothing was moved */
    uint64_t object; /* the place in the database of the object that is being compacted, as a number of its bucket's */
    uint64_t inner;  /* position in that object */
};

struct data { /* what cw_keyspace_swap exchanges */
    struct cw_hash_key hash_key;
    struct rand rand;
    struct cw_arena *arena; /* owned */
    const struct cw_object_operations *objects[CW_TYPES];
    struct cw_table **tables; /* owned; per database */
    struct cw_table *drafts;  /* owned; of the one draft, if any */
    struct list garbage;      /* of tables, owned: to be freed in steps */
    struct list unwanted;     /* of struct unwanted, owned: objects to be freed in steps */
    uint64_t unwanted_count;
    uint64_t last_version; /* of all snapshots so far */
    struct snapshot snapshot;
    struct compaction compaction;
};

struct cw_keyspace {
    struct data *data; /* owned */
    unsigned databases;
    enum cw_expiry_mode expiry_mode;
    void (*expired)(void *context, unsigned database, struct slice key);
    void (*expired_parts)(void *context, unsigned database, struct slice key, const struct slice *names, size_t count);
    void (*added)(void *context, unsigned database, struct slice key);
    void (*missed)(void *context, unsigned database, struct slice key);
    bool announces_added;
    bool announces_missed;
    void *context;                               /* borrowed */
    const struct cw_keyspace_observer *observer; /* borrowed; NULL: nobody observes */
    const struct cw_access_rules *access;        /* borrowed */
    bool overlooks_uses;
    const struct cw_packing *packing; /* borrowed */
    struct cw_keyspace_stats stats;
};

static inline struct cw_table *cw_keyspace_table(const struct cw_keyspace *keyspace, unsigned database)
{
    CHECK(database < keyspace->databases);
    return keyspace->data->tables[database];
}

static inline const struct cw_object_operations *cw_keyspace_operations(const struct cw_keyspace *keyspace,
                                                                        const struct cw_entry *entry)
{
    return keyspace->data->objects[cw_entry_type(entry)];
}

/* ---- Snapshot ---- */

/* Shows the bucket of that hash to the running snapshot that the table is part of, unless that was done; and the value
 * of the entry, if it is owed. NULL: of none. */
void cw_keyspace_show(struct cw_keyspace *keyspace, const struct cw_table *table, uint64_t hash,
                      struct cw_entry *entry);

/* Stands before every change of what a snapshot shows; `entry` is the one whose value may change. */
static inline void cw_keyspace_before_change(struct cw_keyspace *keyspace, const struct cw_table *table, uint64_t hash,
                                             struct cw_entry *entry)
{
    if (UNLIKELY(table->snapshot != 0))
        cw_keyspace_show(keyspace, table, hash, entry);
}

/* Somebody waits for the value, which is owed. */
void cw_keyspace_want(struct cw_keyspace *keyspace, struct cw_entry *entry);

/* The entry, which no table holds any more, is owed: it is discarded when it has been shown. */
void cw_keyspace_keep_owed(struct cw_keyspace *keyspace, struct cw_entry *entry);

static inline bool cw_keyspace_owes(const struct cw_keyspace *keyspace)
{
    return keyspace->data->snapshot.version != 0 && !list_is_empty(&keyspace->data->snapshot.owed);
}

/* ---- Garbage ---- */

/* Frees what no table holds any more: at once if it is small, else in steps. Returns what was done of it, in units of
 * cw_keyspace_free_step. */
unsigned cw_keyspace_discard(struct cw_keyspace *keyspace, struct cw_entry *entry); /* with its value */
unsigned cw_keyspace_discard_block(struct cw_keyspace *keyspace, struct cw_block *block);

/* ---- Expiry ---- */

static inline bool cw_keyspace_is_past(const struct cw_entry *entry, int64_t now_ms)
{
    return entry->flags & CW_ENTRY_EXPIRES && cw_entry_expire_ms(entry) < now_ms;
}

static inline bool cw_keyspace_has_due_parts(const struct cw_keyspace *keyspace, const struct cw_entry *entry,
                                             int64_t now_ms)
{
    return entry->flags & CW_ENTRY_PARTS &&
           cw_keyspace_operations(keyspace, entry)->earliest_due(cw_entry_object(entry)) < now_ms;
}

/* Removes parts of the entry that are due, as far as the budget goes; returns how many. */
uint64_t cw_keyspace_expire_parts(struct cw_keyspace *keyspace, unsigned database, struct cw_table *table,
                                  uint64_t hash, struct cw_entry *entry, unsigned *budget, int64_t now_ms);

/* Deletes an entry that is due, and tells it. */
void cw_keyspace_expire_entry(struct cw_keyspace *keyspace, unsigned database, struct cw_table *table, uint64_t hash,
                              struct cw_bucket *bucket, unsigned slot);

#endif
