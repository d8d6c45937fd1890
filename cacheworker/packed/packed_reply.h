/* packed_reply.h: an element as a reply. */
#ifndef CACHEWORKER_PACKED_PACKED_REPLY_H
#define CACHEWORKER_PACKED_PACKED_REPLY_H

#include "cacheworker/packed/listpack.h"
#include "common/resp/resp_writer.h"

static inline void cw_write_packed_value(struct buf *out, const struct cw_packed_value *value)
{
    if (value->text.data)
        resp_write_bulk(out, value->text);
    else
        resp_write_bulk_i64(out, value->integer);
}

#endif
