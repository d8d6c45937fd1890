/* packed_entry.h: the packed value of a key, as something that can be edited (packed/packed.h). */
#ifndef CACHEWORKER_KEYSPACE_PACKED_ENTRY_H
#define CACHEWORKER_KEYSPACE_PACKED_ENTRY_H

#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/packed/packed.h"
#include "common/base/buf.h"

struct cw_packed_entry {
    struct cw_packed packed;
    struct cw_keyspace *keyspace; /* borrowed */
    struct cw_ref *ref;           /* borrowed; of an existing key whose value is bytes */
    struct buf aside;             /* owned; between begin and commit */
};

/* Must stay where it is as long as its `packed` is used, for that points back to it. */
void cw_packed_entry_open(struct cw_packed_entry *entry, struct cw_keyspace *keyspace, struct cw_ref *ref);

/* For several edits: they are made aside, and the key gets them all by commit, which ends it. So its entry is made anew
 * once, and not for every edit. */
void cw_packed_entry_begin(struct cw_packed_entry *entry, struct cw_keyspace *keyspace, struct cw_ref *ref);
void cw_packed_entry_commit(struct cw_packed_entry *entry);

#endif
