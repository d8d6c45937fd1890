/* set_rdb.h: sets as RDB carries them (rdb_value.h). */
#ifndef CACHEWORKER_SET_SET_RDB_H
#define CACHEWORKER_SET_SET_RDB_H

#include "cacheworker/rdb/rdb_value.h"

unsigned cw_set_rdb_type(const struct cw_entry *entry);
bool cw_set_rdb_next(struct cw_rdb_parts *parts, struct buf *out);
MUST_CHECK int cw_set_rdb_read(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor);

#endif
