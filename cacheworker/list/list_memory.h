/* list_memory.h: the blocks of a long list come from an arena and are counted. */
#ifndef CACHEWORKER_LIST_LIST_MEMORY_H
#define CACHEWORKER_LIST_LIST_MEMORY_H

#include "cacheworker/keyspace/arena.h"

struct cw_list_memory {
    struct cw_arena *arena; /* borrowed */
    size_t used_bytes;      /* as the arena rounds them */
};

static inline void *cw_list_alloc(struct cw_list_memory *memory, size_t size)
{
    memory->used_bytes += cw_arena_rounded(size);
    return cw_arena_alloc(memory->arena, size);
}

static inline void cw_list_free(struct cw_list_memory *memory, void *block, size_t size)
{
    memory->used_bytes -= cw_arena_rounded(size);
    cw_arena_free(memory->arena, block, size);
}

#endif
