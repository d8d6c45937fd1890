/* entry_memory.h: making, changing and freeing the blocks that entries are. For whoever owns a table of them: the
 * keyspace, and a dictionary. */
#ifndef CACHEWORKER_KEYSPACE_ENTRY_MEMORY_H
#define CACHEWORKER_KEYSPACE_ENTRY_MEMORY_H

#include "cacheworker/keyspace/arena.h"
#include "cacheworker/keyspace/entry.h"

/* A new entry, a plain string whose access clock is 0. With a pointer flag (CW_ENTRY_BLOCK, CW_ENTRY_OBJECT) its value
 * is `pointer`, which it owns from now on; without, there is room for `inline_length` bytes. */
struct cw_entry *cw_entry_create(struct cw_arena *arena, struct slice key, int64_t expire_ms, unsigned pointer_flag,
                                 void *pointer, size_t inline_length);

/* The same with a copy of the value, inline or in a block. */
struct cw_entry *cw_entry_create_value(struct cw_arena *arena, struct slice key, int64_t expire_ms, struct slice value);

/* An entry of another layout that takes over the old one's block or object, or a copy of its inline value; kind and
 * access clock too. The old one is left for cw_entry_free_shell. */
struct cw_entry *cw_entry_relay(struct cw_arena *arena, const struct cw_entry *old, struct slice key,
                                int64_t expire_ms);
void cw_entry_inherit(struct cw_entry *entry, const struct cw_entry *from); /* kind, access clock, CW_ENTRY_PARTS */

/* Overwrites the value where it is, if it fits there without waste. `value` may lie in the entry. Not for objects. */
bool cw_entry_overwrite(struct cw_entry *entry, struct slice value);

/* The bytes of the value, for writing. */
static inline char *cw_entry_bytes_writable(struct cw_entry *entry)
{
    return (char *)(uintptr_t)cw_entry_value(entry).data;
}

void cw_entry_free_shell(struct cw_arena *arena, struct cw_entry *entry); /* without what it points to */
void cw_entry_free(struct cw_arena *arena, struct cw_entry *entry);       /* with its block, without an object */

/* A block for a value, of that capacity at least. NULL when there is no memory. */
struct cw_block *cw_block_try_create(struct cw_arena *arena, size_t length, size_t capacity);
void cw_block_free(struct cw_arena *arena, struct cw_block *block);

#endif
