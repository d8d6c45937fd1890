#include "cacheworker/stream/stream_object.h"

#include "cacheworker/stream/stream.h"

static void *copy_object(struct cw_arena *arena, const void *object)
{
    return cw_stream_copy(arena, object);
}

static bool free_object(struct cw_arena *arena, void *object, unsigned *budget)
{
    return cw_stream_free_step(arena, object, budget);
}

static size_t object_bytes(const void *object)
{
    return cw_stream_used_bytes(object);
}

static uint64_t object_count(const void *object)
{
    return cw_stream_blocks(object);
}

static bool compact_object(struct cw_arena *arena, void **object, uint64_t *position, unsigned *budget)
{
    struct cw_stream *stream = *object;
    bool more = cw_stream_compact_step(arena, &stream, position, budget);
    *object = stream;
    return more;
}

const struct cw_object_operations cw_stream_operations = {
    .copy = copy_object,
    .free_step = free_object,
    .used_bytes = object_bytes,
    .count = object_count,
    .compact_step = compact_object,
};
