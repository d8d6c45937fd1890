/* hash_rdb.h: hashes as RDB carries them (rdb_value.h). */
#ifndef CACHEWORKER_HASH_HASH_RDB_H
#define CACHEWORKER_HASH_HASH_RDB_H

#include "cacheworker/hash/hash.h"
#include "cacheworker/rdb/rdb_value.h"

struct cw_field_expiry;

unsigned cw_hash_rdb_type(const struct cw_entry *entry);
bool cw_hash_rdb_next(struct cw_rdb_parts *parts, struct buf *out);
/* What the above does not say: emits records of field_expiry.h for the key, none where no field expires. */
void cw_hash_rdb_tell_expiry(unsigned database, struct slice key, const struct cw_entry *entry,
                             void (*emit)(void *context, struct slice record), void *context);

/* The same within a budget, from a walk and a writer that are ready; true while there may be more. */
MUST_CHECK bool cw_hash_rdb_tell_part(const struct cw_entry *entry, struct cw_hash_walk *walk,
                                      struct cw_field_expiry *writer, unsigned *budget);

/* All in one, as version 12 has it: the fields seen from `from_ms` on (hash.h), with their dates. */
void cw_hash_rdb_add_dated(struct buf *out, const struct cw_entry *entry, int64_t from_ms);

MUST_CHECK int cw_hash_rdb_read(struct cw_rdb_value *value, struct cw_rdb_cursor *cursor);

#endif
