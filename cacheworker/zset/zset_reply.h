/* zset_reply.h: members and scores as replies show them. */
#ifndef CACHEWORKER_ZSET_ZSET_REPLY_H
#define CACHEWORKER_ZSET_ZSET_REPLY_H

#include "cacheworker/engine/call.h"
#include "cacheworker/packed/packed_reply.h"
#include "cacheworker/zset/zset.h"

static inline void cw_zset_reply_member(struct cw_call *call, const struct cw_packed_value *member)
{
    cw_write_packed_value(call->reply, member);
}

/* Of a list of items: in RESP3 each with a score is a pair of its own. */
static inline void cw_zset_reply_header(struct cw_call *call, uint64_t count, bool with_scores)
{
    resp_write_array(call->reply, with_scores && call->protocol == 2 ? 2 * count : count);
}

static inline void cw_zset_reply_item(struct cw_call *call, const struct cw_zset_place *place, bool with_scores)
{
    if (with_scores && call->protocol > 2)
        resp_write_array(call->reply, 2);
    cw_zset_reply_member(call, &place->member);
    if (with_scores)
        resp_write_double(call->reply, call->protocol, place->score);
}

#endif
