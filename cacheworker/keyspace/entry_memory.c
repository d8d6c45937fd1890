#include "cacheworker/keyspace/entry_memory.h"

enum { KEY_LENGTH_SHORT_MAX = 255 };

static size_t layout_bytes(unsigned flags, size_t key_length, size_t inline_length)
{
    return sizeof(struct cw_entry) + (flags & CW_ENTRY_EXPIRES ? 8 : 0) + (flags & CW_ENTRY_POINTER ? 8 : 0) +
           (flags & CW_ENTRY_LONG_KEY ? 4 : 0) + key_length + inline_length;
}

struct cw_entry *cw_entry_create(struct cw_arena *arena, struct slice key, int64_t expire_ms, unsigned pointer_flag,
                                 void *pointer, size_t inline_length)
{
    unsigned flags = pointer_flag;
    if (expire_ms != CW_NO_EXPIRY)
        flags |= CW_ENTRY_EXPIRES;
    if (key.length > KEY_LENGTH_SHORT_MAX)
        flags |= CW_ENTRY_LONG_KEY;

    struct cw_entry *entry = cw_arena_alloc(arena, layout_bytes(flags, key.length, inline_length));
    *entry = (struct cw_entry){.flags = (uint8_t)flags, .value_length = (uint16_t)inline_length};
    char *at = cw_entry_after_header(entry);
    if (flags & CW_ENTRY_EXPIRES) {
        memcpy(at, &expire_ms, sizeof(expire_ms));
        at += sizeof(expire_ms);
    }
    if (flags & CW_ENTRY_POINTER) {
        memcpy(at, &pointer, sizeof(pointer));
        at += sizeof(pointer);
    }
    if (flags & CW_ENTRY_LONG_KEY) {
        uint32_t length = (uint32_t)key.length;
        memcpy(at, &length, sizeof(length));
        at += sizeof(length);
    } else {
        entry->key_length = (uint8_t)key.length;
    }
    if (key.length > 0)
        memcpy(at, key.data, key.length);
    return entry;
}

void cw_entry_inherit(struct cw_entry *entry, const struct cw_entry *from)
{
    entry->kind = from->kind;
    entry->access = from->access;
    entry->flags |= (uint8_t)(from->flags & CW_ENTRY_PARTS);
}

struct cw_block *cw_block_try_create(struct cw_arena *arena, size_t length, size_t capacity)
{
    size_t size = cw_arena_rounded(sizeof(struct cw_block) + capacity);
    struct cw_block *block = cw_arena_try_alloc(arena, size);
    if (block) {
        block->length = length;
        block->capacity = size - sizeof(*block);
    }
    return block;
}

void cw_block_free(struct cw_arena *arena, struct cw_block *block)
{
    cw_arena_free(arena, block, cw_block_bytes(block));
}

static struct cw_block *block_create(struct cw_arena *arena, struct slice value)
{
    struct cw_block *block = cw_block_try_create(arena, value.length, value.length);
    CHECK(block != NULL);
    memcpy(block->bytes, value.data, value.length);
    return block;
}

struct cw_entry *cw_entry_create_value(struct cw_arena *arena, struct slice key, int64_t expire_ms, struct slice value)
{
    if (value.length > CW_INLINE_VALUE_MAX)
        return cw_entry_create(arena, key, expire_ms, CW_ENTRY_BLOCK, block_create(arena, value), 0);
    struct cw_entry *entry = cw_entry_create(arena, key, expire_ms, 0, NULL, value.length);
    if (value.length > 0)
        memcpy(cw_entry_bytes_writable(entry), value.data, value.length);
    return entry;
}

struct cw_entry *cw_entry_relay(struct cw_arena *arena, const struct cw_entry *old, struct slice key, int64_t expire_ms)
{
    unsigned pointer_flag = old->flags & CW_ENTRY_POINTER;
    struct cw_entry *entry = pointer_flag
                                 ? cw_entry_create(arena, key, expire_ms, pointer_flag, cw_entry_object(old), 0)
                                 : cw_entry_create_value(arena, key, expire_ms, cw_entry_value(old));
    cw_entry_inherit(entry, old);
    return entry;
}

bool cw_entry_overwrite(struct cw_entry *entry, struct slice value)
{
    if (entry->flags & CW_ENTRY_BLOCK) {
        struct cw_block *block = *cw_entry_block(entry);
        if (value.length <= CW_INLINE_VALUE_MAX || value.length > block->capacity || value.length < block->capacity / 2)
            return false;
        block->length = value.length;
        memmove(block->bytes, value.data, value.length);
        return true;
    }
    if (value.length > CW_INLINE_VALUE_MAX)
        return false;
    size_t bytes = cw_entry_bytes(entry);
    if (cw_arena_rounded(bytes) != cw_arena_rounded(bytes - entry->value_length + value.length))
        return false;
    if (value.length > 0)
        memmove(cw_entry_bytes_writable(entry), value.data, value.length);
    entry->value_length = (uint16_t)value.length;
    return true;
}

void cw_entry_free_shell(struct cw_arena *arena, struct cw_entry *entry)
{
    cw_arena_free(arena, entry, cw_entry_bytes(entry));
}

void cw_entry_free(struct cw_arena *arena, struct cw_entry *entry)
{
    if (entry->flags & CW_ENTRY_BLOCK)
        cw_block_free(arena, *cw_entry_block(entry));
    cw_entry_free_shell(arena, entry);
}
