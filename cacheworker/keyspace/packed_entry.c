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
