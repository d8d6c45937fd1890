#include "cacheworker/stream/name_list.h"

#include "common/base/errors.h"

static int compare(struct slice a, struct slice b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;
    if (order != 0)
        return order;
    return a.length < b.length ? -1 : a.length > b.length;
}

struct cw_named *cw_name_list_find(const struct cw_name_list *list, struct slice name, uint32_t *ret_index)
{
    uint32_t low = 0;
    uint32_t high = list->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare(list->items[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_index = low;
    return low < list->count && slice_equal(list->items[low]->name, name) ? list->items[low] : NULL;
}

static size_t array_bytes(uint32_t capacity)
{
    return capacity * sizeof(struct cw_named *);
}

static int grow(const struct cw_stream_memory *memory, struct cw_name_list *list)
{
    if (list->capacity > UINT32_MAX / 2)
        return ERR_NO_MEMORY;
    uint32_t capacity = list->capacity > 0 ? 2 * list->capacity : 1;
    struct cw_named **items = cw_stream_memory_try_alloc(memory, array_bytes(capacity));
    if (!items)
        return ERR_NO_MEMORY;
    if (list->items) {
        memcpy(items, list->items, array_bytes(list->count));
        cw_stream_memory_free(memory, list->items, array_bytes(list->capacity));
    }
    list->items = items;
    list->capacity = capacity;
    return 0;
}

int cw_name_list_insert(const struct cw_stream_memory *memory, struct cw_name_list *list, uint32_t index,
                        struct cw_named *item)
{
    if (list->count == list->capacity && grow(memory, list) < 0)
        return ERR_NO_MEMORY;
    memmove(list->items + index + 1, list->items + index, array_bytes(list->count - index));
    list->items[index] = item;
    list->count++;
    return 0;
}

void cw_name_list_remove(const struct cw_stream_memory *memory, struct cw_name_list *list, uint32_t index)
{
    list->count--;
    memmove(list->items + index, list->items + index + 1, array_bytes(list->count - index));
    if (list->count > 0)
        return;
    cw_stream_memory_free(memory, list->items, array_bytes(list->capacity));
    *list = (struct cw_name_list){0};
}

struct cw_stream_held cw_name_list_held(const struct cw_name_list *list)
{
    return (struct cw_stream_held){list->items ? cw_arena_rounded(array_bytes(list->capacity)) : 0,
                                   list->items != NULL};
}
