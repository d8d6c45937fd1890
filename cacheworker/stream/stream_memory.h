/* stream_memory.h: the blocks of a stream, counted: how many bytes they are, and how many there are to be freed. */
#ifndef CACHEWORKER_STREAM_STREAM_MEMORY_H
#define CACHEWORKER_STREAM_STREAM_MEMORY_H

#include "cacheworker/keyspace/arena.h"

#include <stdint.h>

struct cw_stream_held {
    size_t bytes; /* as the arena rounds them */
    uint64_t blocks;
};

/* What a change is given: where memory comes from, and who counts it. The arena is not kept. */
struct cw_stream_memory {
    struct cw_arena *arena;      /* borrowed */
    struct cw_stream_held *held; /* borrowed */
};

static inline void *cw_stream_memory_alloc(const struct cw_stream_memory *memory, size_t size)
{
    memory->held->bytes += cw_arena_rounded(size);
    memory->held->blocks++;
    return cw_arena_alloc(memory->arena, size);
}

/* For sizes that a client chose: NULL when there is no memory. Freed like the others. */
MUST_CHECK static inline void *cw_stream_memory_try_alloc(const struct cw_stream_memory *memory, size_t size)
{
    void *block = cw_arena_try_alloc(memory->arena, size);
    if (block) {
        memory->held->bytes += cw_arena_rounded(size);
        memory->held->blocks++;
    }
    return block;
}

static inline void cw_stream_memory_free(const struct cw_stream_memory *memory, void *block, size_t size)
{
    memory->held->bytes -= cw_arena_rounded(size);
    memory->held->blocks--;
    cw_arena_free(memory->arena, block, size);
}

/* The block is from now on the other's to free. */
static inline void cw_stream_memory_hand_over(const struct cw_stream_memory *from, const struct cw_stream_memory *to,
                                              size_t size)
{
    from->held->bytes -= cw_arena_rounded(size);
    from->held->blocks--;
    to->held->bytes += cw_arena_rounded(size);
    to->held->blocks++;
}

#endif
