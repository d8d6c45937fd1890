#include "cacheworker/repl/backlog.h"

#include "common/base/mem.h"

static char **block_at(const struct cw_backlog *backlog, size_t index)
{
    return &backlog->blocks[(backlog->head + index) % backlog->capacity];
}

static void drop_first_block(struct cw_backlog *backlog)
{
    mem_free(*block_at(backlog, 0));
    backlog->head = (backlog->head + 1) % backlog->capacity;
    backlog->count--;
    backlog->base += CW_BACKLOG_BLOCK;
    if (backlog->first < backlog->base)
        backlog->first = backlog->base;
}

void cw_backlog_reset(struct cw_backlog *backlog, uint64_t offset)
{
    while (backlog->count > 0)
        drop_first_block(backlog);
    backlog->base = backlog->first = backlog->end = offset;
}

void cw_backlog_free(struct cw_backlog *backlog)
{
    cw_backlog_reset(backlog, 0);
    mem_free(backlog->blocks);
    *backlog = (struct cw_backlog){0};
}

static void grow_ring(struct cw_backlog *backlog)
{
    size_t capacity = backlog->capacity > 0 ? 2 * backlog->capacity : 8;
    char **blocks = mem_alloc(capacity * sizeof(*blocks));
    for (size_t i = 0; i < backlog->count; i++)
        blocks[i] = *block_at(backlog, i);
    mem_free(backlog->blocks);
    backlog->blocks = blocks;
    backlog->capacity = capacity;
    backlog->head = 0;
}

static void add_block(struct cw_backlog *backlog)
{
    if (backlog->count == backlog->capacity)
        grow_ring(backlog);
    *block_at(backlog, backlog->count++) = mem_alloc(CW_BACKLOG_BLOCK);
}

void cw_backlog_append(struct cw_backlog *backlog, struct slice bytes)
{
    while (bytes.length > 0) {
        size_t place = (size_t)(backlog->end - backlog->base);
        if (place == backlog->count * CW_BACKLOG_BLOCK)
            add_block(backlog);
        size_t within = place % CW_BACKLOG_BLOCK;
        size_t room = CW_BACKLOG_BLOCK - within;
        size_t length = bytes.length < room ? bytes.length : room;
        memcpy(*block_at(backlog, place / CW_BACKLOG_BLOCK) + within, bytes.data, length);
        backlog->end += length;
        bytes = slice_skip(bytes, length);
    }
}

struct slice cw_backlog_read(const struct cw_backlog *backlog, uint64_t offset)
{
    CHECK(offset >= backlog->first && offset <= backlog->end);
    if (offset == backlog->end)
        return (struct slice){0};
    size_t place = (size_t)(offset - backlog->base);
    size_t within = place % CW_BACKLOG_BLOCK;
    uint64_t behind = backlog->end - offset;
    size_t room = CW_BACKLOG_BLOCK - within;
    return slice_of(*block_at(backlog, place / CW_BACKLOG_BLOCK) + within, behind < room ? (size_t)behind : room);
}

void cw_backlog_trim(struct cw_backlog *backlog, uint64_t offset)
{
    while (backlog->count > 0 && backlog->base + CW_BACKLOG_BLOCK <= offset)
        drop_first_block(backlog);
}

void cw_backlog_forget(struct cw_backlog *backlog, uint64_t offset)
{
    CHECK(offset <= backlog->end);
    cw_backlog_trim(backlog, offset);
    if (backlog->first < offset)
        backlog->first = offset;
}

void cw_backlog_shift(struct cw_backlog *backlog, uint64_t bytes)
{
    backlog->base += bytes;
    backlog->first += bytes;
    backlog->end += bytes;
}

size_t cw_backlog_memory(const struct cw_backlog *backlog)
{
    return backlog->count * CW_BACKLOG_BLOCK + backlog->capacity * sizeof(*backlog->blocks);
}
