#include "cacheworker/zset/zset_store.h"

#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/zset/zset.h"

void cw_zset_store(struct cw_call *call, struct cw_ref *draft, size_t index, const char *event)
{
    if (draft->entry)
        cw_zset_finish(call->keyspace, draft);
    resp_write_integer(call->reply, draft->entry ? (int64_t)cw_zset_count(draft->entry) : 0);
    cw_call_store_draft(call, index, draft, CW_NOTIFY_ZSET, event);
}
