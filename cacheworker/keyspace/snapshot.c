/* The picture of a moment; keyspace.h. */
#include "cacheworker/keyspace/keyspace_internal.h"
#include "common/base/mem.h"

#include <limits.h>

enum {
    ENTRY_COST = 2, /* and of each part of an object */
    BYTES_FOR_ONE = 32,
    BIG_COST = 2048, /* what costs more is shown in slices */
};

/* ---- What is owed ---- */

struct owed { /* a value to be shown in slices */
    struct list node;
    struct cw_entry *entry; /* borrowed from its table, which keeps it where it is; owned once `is_orphan` */
    unsigned database;
    bool is_orphan; /* no table holds it any more */
};

static struct owed *first_owed(const struct snapshot *snapshot)
{
    return LIST_ENTRY(snapshot->owed.next, struct owed, node);
}

static struct owed *find_owed(const struct snapshot *snapshot, const struct cw_entry *entry)
{
    LIST_FOR_EACH(node, &snapshot->owed)
    {
        struct owed *owed = LIST_ENTRY(node, struct owed, node);
        if (owed->entry == entry)
            return owed;
    }
    CHECK(false);
    return NULL;
}

static void owe(struct snapshot *snapshot, unsigned database, struct cw_entry *entry)
{
    struct owed *owed = mem_alloc(sizeof(*owed));
    *owed = (struct owed){.entry = entry, .database = database};
    entry->flags |= CW_ENTRY_OWED;
    list_add_last(&snapshot->owed, &owed->node);
}

/* The value was shown, or will not be. */
static void forget_owed(struct cw_keyspace *keyspace, struct owed *owed)
{
    struct snapshot *snapshot = &keyspace->data->snapshot;
    if (owed == first_owed(snapshot))
        snapshot->is_open = false;
    list_remove(&owed->node);
    owed->entry->flags &= (uint8_t) ~(CW_ENTRY_OWED | CW_ENTRY_WANTED);
    if (owed->is_orphan)
        cw_keyspace_discard(keyspace, owed->entry);
    mem_free(owed);
}

/* Goes on with the first one. */
static void show_slice(struct cw_keyspace *keyspace, unsigned *budget)
{
    struct snapshot *snapshot = &keyspace->data->snapshot;
    struct owed *owed = first_owed(snapshot);
    snapshot->is_open = true;
    if (!snapshot->visitor.slice(snapshot->visitor.context, owed->database, owed->entry, budget))
        forget_owed(keyspace, owed);
}

/* All that is left of one, however long it takes. */
static void show_owed(struct cw_keyspace *keyspace, struct owed *owed)
{
    struct snapshot *snapshot = &keyspace->data->snapshot;
    const struct cw_snapshot_visitor *visitor = &snapshot->visitor;
    keyspace->stats.shown_at_once++;
    if (owed == first_owed(snapshot) && snapshot->is_open) {
        unsigned budget;
        do
            budget = UINT_MAX;
        while (visitor->slice(visitor->context, owed->database, owed->entry, &budget));
    } else {
        visitor->entry(visitor->context, owed->database, owed->entry);
    }
    forget_owed(keyspace, owed);
}

void cw_keyspace_keep_owed(struct cw_keyspace *keyspace, struct cw_entry *entry)
{
    find_owed(&keyspace->data->snapshot, entry)->is_orphan = true;
}

void cw_keyspace_want(struct cw_keyspace *keyspace, struct cw_entry *entry)
{
    struct snapshot *snapshot = &keyspace->data->snapshot;
    if (entry->flags & CW_ENTRY_WANTED)
        return;
    struct owed *owed = find_owed(snapshot, entry);
    entry->flags |= CW_ENTRY_WANTED;
    if (owed == first_owed(snapshot))
        return;
    struct list *before = snapshot->is_open ? snapshot->owed.next->next : snapshot->owed.next;
    while (LIST_ENTRY(before, struct owed, node)->entry->flags & CW_ENTRY_WANTED &&
           LIST_ENTRY(before, struct owed, node) != owed)
        before = before->next;
    if (before == &owed->node)
        return;
    list_remove(&owed->node);
    list_add_last(before, &owed->node); /* last before it */
}

bool cw_keyspace_is_owed(struct cw_keyspace *keyspace, unsigned database, struct slice key, uint64_t hash)
{
    const struct cw_table *table = cw_keyspace_table(keyspace, database);
    if (table->snapshot == 0)
        return false;
    struct cw_bucket *bucket;
    unsigned slot;
    struct cw_entry *entry = cw_table_find(table, key, hash, &bucket, &slot);
    if (entry == NULL)
        return false;
    cw_keyspace_show(keyspace, table, hash, NULL);
    if (!(entry->flags & CW_ENTRY_OWED))
        return false;
    cw_keyspace_want(keyspace, entry);
    return true;
}

/* The first may be half shown and not wanted, while the second is. */
bool cw_keyspace_is_awaited(const struct cw_keyspace *keyspace)
{
    const struct snapshot *snapshot = &keyspace->data->snapshot;
    if (!cw_keyspace_owes(keyspace))
        return false;
    const struct list *second = snapshot->owed.next->next;
    return first_owed(snapshot)->entry->flags & CW_ENTRY_WANTED ||
           (second != &snapshot->owed && LIST_ENTRY(second, struct owed, node)->entry->flags & CW_ENTRY_WANTED);
}

/* ---- Buckets ---- */

struct show {
    struct data *data;
    unsigned database;
    unsigned cost;
};

static unsigned cost_of(const struct data *data, const struct cw_entry *entry)
{
    uint64_t parts = 1;
    uint64_t bytes = cw_entry_value(entry).length;
    if (cw_entry_is_object(entry)) {
        const struct cw_object_operations *operations = data->objects[cw_entry_type(entry)];
        parts += operations->count(cw_entry_object(entry));
        if (parts < BIG_COST)
            bytes = operations->used_bytes(cw_entry_object(entry));
    }
    uint64_t cost = ENTRY_COST * parts + bytes / BYTES_FOR_ONE;
    return cost < UINT_MAX ? (unsigned)cost : UINT_MAX;
}

static void show_entry(void *context, struct cw_entry *entry)
{
    struct show *show = context;
    struct snapshot *snapshot = &show->data->snapshot;
    unsigned cost = cost_of(show->data, entry);
    if (cost > BIG_COST && snapshot->visitor.slice != NULL) {
        owe(snapshot, show->database, entry);
        return;
    }
    snapshot->visitor.entry(snapshot->visitor.context, show->database, entry);
    show->cost += cost;
}

/* Shows a bucket to the snapshot that its table is part of, unless that was done; returns what it cost. */
static unsigned show_bucket(struct data *data, const struct cw_table *table, const struct cw_place *place)
{
    struct cw_segment *segment = place->segment;
    if (segment->version != data->snapshot.version) {
        segment->version = data->snapshot.version;
        segment->written = 0;
    }
    struct show show = {data, table->snapshot_database, 1};
    uint32_t bit = (uint32_t)1 << place->index;
    if (segment->written & bit)
        return show.cost;
    segment->written |= bit;
    cw_bucket_for_each(&segment->buckets[place->index], show_entry, &show);
    return show.cost;
}

void cw_keyspace_show(struct cw_keyspace *keyspace, const struct cw_table *table, uint64_t hash, struct cw_entry *entry)
{
    struct cw_place place = cw_table_place(table, hash);
    if (place.segment)
        show_bucket(keyspace->data, table, &place);
    if (entry != NULL && entry->flags & CW_ENTRY_OWED)
        show_owed(keyspace, find_owed(&keyspace->data->snapshot, entry));
}

/* ---- The whole ---- */

static void snapshot_leave_table(struct data *data, struct cw_table *table)
{
    table->snapshot = 0;
    if (table->retired)
        list_add_last(&data->garbage, &table->garbage);
}

void cw_keyspace_snapshot_begin(struct cw_keyspace *keyspace, const struct cw_snapshot_visitor *visitor)
{
    struct data *data = keyspace->data;
    CHECK(data->snapshot.version == 0);
    data->snapshot = (struct snapshot){.version = ++data->last_version, .visitor = *visitor};
    list_init(&data->snapshot.owed);
    data->snapshot.tables = mem_zero(keyspace->databases * sizeof(struct cw_table *));
    for (unsigned i = 0; i < keyspace->databases; i++) {
        data->snapshot.tables[i] = data->tables[i];
        data->tables[i]->snapshot = data->snapshot.version;
        data->tables[i]->snapshot_database = i;
    }
}

static void snapshot_end(struct cw_keyspace *keyspace)
{
    struct snapshot *snapshot = &keyspace->data->snapshot;
    while (!list_is_empty(&snapshot->owed))
        forget_owed(keyspace, first_owed(snapshot));
    for (unsigned i = 0; i < keyspace->databases; i++)
        if (snapshot->tables[i])
            snapshot_leave_table(keyspace->data, snapshot->tables[i]);
    mem_free(snapshot->tables);
    *snapshot = (struct snapshot){0};
}

/* The next bucket, or the end of a database. Nothing is owed. */
static void show_next(struct cw_keyspace *keyspace, unsigned *budget)
{
    struct snapshot *snapshot = &keyspace->data->snapshot;
    struct cw_table *table = snapshot->tables[snapshot->database];
    if (snapshot->at_end) {
        snapshot->at_end = false;
        snapshot->tables[snapshot->database++] = NULL;
        snapshot_leave_table(keyspace->data, table);
        return;
    }
    struct cw_place place = cw_table_place(table, snapshot->position);
    if (place.segment && place.index == 0)
        cw_segment_prefetch_entries(place.segment);
    cw_spend(budget, place.segment ? show_bucket(keyspace->data, table, &place) : 1);
    snapshot->position = place.next;
    snapshot->at_end = place.next == 0;
}

bool cw_keyspace_snapshot_step(struct cw_keyspace *keyspace, unsigned budget)
{
    struct snapshot *snapshot = &keyspace->data->snapshot;
    CHECK(snapshot->version != 0);
    while (budget > 0 && snapshot->database < keyspace->databases) {
        if (list_is_empty(&snapshot->owed))
            show_next(keyspace, &budget);
        else
            show_slice(keyspace, &budget);
    }
    if (snapshot->database < keyspace->databases)
        return true;
    snapshot_end(keyspace);
    return false;
}

void cw_keyspace_snapshot_cancel(struct cw_keyspace *keyspace)
{
    if (keyspace->data->snapshot.version != 0)
        snapshot_end(keyspace);
}

bool cw_keyspace_snapshot_is_active(const struct cw_keyspace *keyspace)
{
    return keyspace->data->snapshot.version != 0;
}
