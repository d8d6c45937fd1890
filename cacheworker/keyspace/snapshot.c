/* The picture of a moment; keyspace.h. */
#include "cacheworker/keyspace/keyspace_internal.h"
#include "common/base/mem.h"

struct show {
    const struct snapshot *snapshot;
    unsigned database;
};

static void show_entry(void *context, struct cw_entry *entry)
{
    const struct show *show = context;
    show->snapshot->visitor(show->snapshot->context, show->database, entry);
}

/* Shows a bucket to the snapshot that its table is part of, unless that was done. */
static void show_bucket(const struct snapshot *snapshot, const struct cw_table *table, const struct cw_place *place)
{
    struct cw_segment *segment = place->segment;
    if (segment->version != snapshot->version) {
        segment->version = snapshot->version;
        segment->written = 0;
    }
    uint32_t bit = (uint32_t)1 << place->index;
    if (segment->written & bit)
        return;
    segment->written |= bit;
    struct show show = {snapshot, table->snapshot_database};
    cw_bucket_for_each(&segment->buckets[place->index], show_entry, &show);
}

void cw_keyspace_show(const struct cw_keyspace *keyspace, const struct cw_table *table, uint64_t hash)
{
    struct cw_place place = cw_table_place(table, hash);
    if (place.segment)
        show_bucket(&keyspace->data->snapshot, table, &place);
}

static void snapshot_leave_table(struct data *data, struct cw_table *table)
{
    table->snapshot = 0;
    if (table->retired)
        list_add_last(&data->garbage, &table->garbage);
}

void cw_keyspace_snapshot_begin(struct cw_keyspace *keyspace, cw_visitor visitor, void *context)
{
    struct data *data = keyspace->data;
    CHECK(data->snapshot.version == 0);
    data->snapshot = (struct snapshot){.version = ++data->last_version, .visitor = visitor, .context = context};
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
    for (unsigned i = 0; i < keyspace->databases; i++)
        if (snapshot->tables[i])
            snapshot_leave_table(keyspace->data, snapshot->tables[i]);
    mem_free(snapshot->tables);
    *snapshot = (struct snapshot){0};
}

bool cw_keyspace_snapshot_step(struct cw_keyspace *keyspace, unsigned budget)
{
    struct snapshot *snapshot = &keyspace->data->snapshot;
    CHECK(snapshot->version != 0);
    for (; budget > 0 && snapshot->database < keyspace->databases; budget--) {
        struct cw_table *table = snapshot->tables[snapshot->database];
        struct cw_place place = cw_table_place(table, snapshot->position);
        if (place.segment && place.index == 0)
            cw_segment_prefetch_entries(place.segment);
        if (place.segment)
            show_bucket(snapshot, table, &place);
        snapshot->position = place.next;
        if (place.next != 0)
            continue;
        snapshot->tables[snapshot->database++] = NULL;
        snapshot_leave_table(keyspace->data, table);
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
