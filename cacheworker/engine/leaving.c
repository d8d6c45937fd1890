#include "cacheworker/engine/leaving.h"

#include "cacheworker/keyspace/keyspace.h"

static void drop_oldest(struct cw_leaving *leaving)
{
    cw_keyspace_destroy(leaving->items[0]);
    leaving->count--;
    for (unsigned i = 0; i < leaving->count; i++)
        leaving->items[i] = leaving->items[i + 1];
}

void cw_leaving_add(struct cw_leaving *leaving, struct cw_keyspace *keyspace)
{
    if (leaving->count == CW_LEAVING_MAX)
        drop_oldest(leaving);
    cw_keyspace_snapshot_cancel(keyspace);
    for (unsigned i = 0; i < cw_keyspace_databases(keyspace); i++)
        cw_keyspace_flush(keyspace, i);
    leaving->items[leaving->count++] = keyspace;
}

bool cw_leaving_free_step(struct cw_leaving *leaving, unsigned budget)
{
    if (leaving->count > 0 && !cw_keyspace_free_step(leaving->items[0], budget))
        drop_oldest(leaving);
    return leaving->count > 0;
}

uint64_t cw_leaving_to_free(const struct cw_leaving *leaving)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < leaving->count; i++)
        count += cw_keyspace_to_free(leaving->items[i]);
    return count;
}

size_t cw_leaving_bytes(const struct cw_leaving *leaving)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < leaving->count; i++)
        bytes += cw_keyspace_used_bytes(leaving->items[i]);
    return bytes;
}

void cw_leaving_destroy(struct cw_leaving *leaving)
{
    while (leaving->count > 0)
        drop_oldest(leaving);
}
