#include "cacheworker/repl/resync.h"

bool cw_may_continue(const struct history *replica, const struct history *master, uint64_t backlog_first)
{
    return replica->count > 0 && history_is_prefix(replica, master) && replica->last_offset >= backlog_first &&
           replica->last_offset <= master->last_offset;
}

void cw_history_advance(struct history *own, const struct history *master)
{
    uint64_t last_offset = own->last_offset;
    *own = *master;
    own->last_offset = last_offset;
    while (own->count > 0 && own->entries[own->count - 1].first_offset > last_offset)
        own->entries[--own->count] = (struct history_entry){0};
}
