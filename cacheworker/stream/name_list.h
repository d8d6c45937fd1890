/* name_list.h: things with a name, sorted by it as bytes: the groups of a stream, the consumers of a group. There are
 * few compared with entries, so this is an array of pointers. */
#ifndef CACHEWORKER_STREAM_NAME_LIST_H
#define CACHEWORKER_STREAM_NAME_LIST_H

#include "cacheworker/stream/stream_memory.h"
#include "common/base/slice.h"

#include <stdbool.h>

/* First member of what is in such a list. */
struct cw_named {
    struct slice name; /* bytes that live as long as the thing */
};

/* A zeroed struct is an empty list. */
struct cw_name_list {
    struct cw_named **items; /* the array is owned, what it points to is the caller's */
    uint32_t count;
    uint32_t capacity;
};

/* NULL when there is none of that name; ret_index is where it is, or would be. */
struct cw_named *cw_name_list_find(const struct cw_name_list *list, struct slice name, uint32_t *ret_index);

/* ERR_NO_MEMORY, and nothing changed. */
MUST_CHECK int cw_name_list_insert(const struct cw_stream_memory *memory, struct cw_name_list *list, uint32_t index,
                                   struct cw_named *item);
/* An empty list holds no memory. */
void cw_name_list_remove(const struct cw_stream_memory *memory, struct cw_name_list *list, uint32_t index);

struct cw_stream_held cw_name_list_held(const struct cw_name_list *list);

#endif
