/* stream_rdb.h: streams as RDB carries them (rdb_value.h).
 *
 *   nodes: count | (id 16 big endian, as a string | listpack) ...
 *   length | last id | first id | greatest deleted id | entries added; of the ids both numbers, as lengths
 *   groups: count | (name | last id | entries read
 *                    | pending: count | (id 16 | time of delivery 8 | deliveries) ...
 *                    | consumers: count | (name | seen 8 | active 8 | pending: count | id 16 ...) ...) ...
 *
 * Written: type 19, which knows no time of activity. Read: 15, which lacks what stands between last id and groups, and
 * the entries read, too; 19; and 21, which has all.
 *
 * Source: what redis-server 7.0 dumps, and rdb.c of redis 7.2 for the others. */
#ifndef CACHEWORKER_STREAM_STREAM_RDB_H
#define CACHEWORKER_STREAM_STREAM_RDB_H

#include "cacheworker/rdb/rdb_value.h"

unsigned cw_stream_rdb_type(const struct cw_entry *entry);
bool cw_stream_rdb_next(struct cw_rdb_parts *parts, struct buf *out);
MUST_CHECK int cw_stream_rdb_read(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor);

#endif
