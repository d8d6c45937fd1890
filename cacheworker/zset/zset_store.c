#include "cacheworker/zset/zset_store.h"

#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/zset/zset.h"

void cw_zset_store(struct cw_call *call, struct cw_ref *draft, size_t index)
{
    if (draft->entry) {
        struct cw_key key = cw_call_key(call, index);
        cw_zset_finish(call->keyspace, draft);
        resp_write_integer(call->reply, (int64_t)cw_zset_count(draft->entry));
        cw_keyspace_store_draft(call->keyspace, draft, &key);
        call->dirty++;
        return;
    }
    struct cw_ref ref;
    if (cw_call_open(call, index, &ref)) {
        cw_keyspace_delete(call->keyspace, &ref);
        call->dirty++;
    }
    resp_write_integer(call->reply, 0);
}
