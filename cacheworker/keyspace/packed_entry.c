#include "cacheworker/keyspace/packed_entry.h"

#include "common/base/check.h"

static char *splice(struct cw_packed *packed, size_t offset, size_t removed, size_t inserted)
{
    struct cw_packed_entry *entry = packed->owner;
    size_t behind = packed->length - offset - removed;
    size_t length = packed->length - removed + inserted;
    char *bytes = packed->bytes;
    if (length > packed->length) {
        bytes = cw_keyspace_resize(entry->keyspace, entry->ref, length);
        CHECK(bytes != NULL); /* whoever packs starts another structure before memory becomes an issue */
    }
    memmove(bytes + offset + inserted, bytes + offset + removed, behind);
    if (length < packed->length) {
        bytes = cw_keyspace_resize(entry->keyspace, entry->ref, length);
        CHECK(bytes != NULL);
    }
    packed->bytes = bytes;
    packed->length = length;
    return bytes + offset;
}

void cw_packed_entry_open(struct cw_packed_entry *entry, struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    struct slice value = cw_entry_value(ref->entry);
    *entry = (struct cw_packed_entry){
        .packed = {.bytes = (char *)(uintptr_t)value.data, .length = value.length, .splice = splice, .owner = entry},
        .keyspace = keyspace,
        .ref = ref,
    };
}

void cw_packed_entry_begin(struct cw_packed_entry *entry, struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    *entry = (struct cw_packed_entry){.keyspace = keyspace, .ref = ref};
    buf_add_slice(&entry->aside, cw_entry_value(ref->entry));
    entry->packed = cw_packed_of_buf(&entry->aside);
}

void cw_packed_entry_commit(struct cw_packed_entry *entry)
{
    const struct cw_entry *present = entry->ref->entry;
    cw_keyspace_put(entry->keyspace, entry->ref, cw_entry_type(present), cw_entry_encoding(present),
                    cw_packed_slice(&entry->packed));
    buf_free(&entry->aside);
}
