/* list_limits.h: how much one listpack of a list may hold: the setting list-max-listpack-size. -1 to -5 are 4 to 64
 * KiB; other numbers are so many elements, and no more than 8 KiB. */
#ifndef CACHEWORKER_LIST_LIST_LIMITS_H
#define CACHEWORKER_LIST_LIST_LIMITS_H

#include "cacheworker/keyspace/packing.h"

#include <stdbool.h>

struct cw_list_limits {
    size_t bytes;
    uint64_t count;
    bool counts; /* the setting is a number of elements */
};

static inline struct cw_list_limits cw_list_limits(const struct cw_packing *packing)
{
    int64_t setting = packing->list_max_listpack_size;
    if (setting >= 0)
        return (struct cw_list_limits){8192, setting > 0 ? (uint64_t)setting : 1, true};
    return (struct cw_list_limits){(size_t)4096 << (setting < -5 ? 4 : -1 - setting), UINT64_MAX, false};
}

static inline bool cw_list_limits_allow(const struct cw_list_limits *limits, size_t bytes, uint64_t count)
{
    return bytes <= limits->bytes && count <= limits->count;
}

/* Whether a list of one listpack is small: a part of what the setting allows, which alone counts. */
static inline bool cw_list_limits_is_small(const struct cw_list_limits *limits, size_t bytes, uint64_t count,
                                           unsigned divisor)
{
    return limits->counts ? count <= limits->count / divisor : bytes <= limits->bytes / divisor;
}

#endif
