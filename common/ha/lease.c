#include "common/ha/lease.h"

/* The newest T that this sentinel granted; INT64_MIN when it granted none. However many grants it gave, it is one. */
static int64_t newest_status_ns(const struct identity *sentinel, const struct lease_grant *grants, size_t count)
{
    int64_t newest = INT64_MIN;
    for (size_t i = 0; i < count; i++)
        if (identity_equal(&grants[i].sentinel, sentinel) && grants[i].status_ns > newest)
            newest = grants[i].status_ns;
    return newest;
}

/* The m-th largest of the T of a list's sentinels, m being its majority. */
static int64_t majority_status_ns(const struct sentinel_list *list, const struct lease_grant *grants, size_t count)
{
    int64_t descending[TOPOLOGY_SENTINELS_MAX];
    CHECK(list->count <= TOPOLOGY_SENTINELS_MAX);
    for (uint32_t i = 0; i < list->count; i++) {
        int64_t status_ns = newest_status_ns(&list->entries[i].sentinel, grants, count);
        uint32_t place = i;
        for (; place > 0 && descending[place - 1] < status_ns; place--)
            descending[place] = descending[place - 1];
        descending[place] = status_ns;
    }
    return list->count > 0 ? descending[list->count / 2] : INT64_MIN;
}

int64_t lease_deadline(const struct topology *topology, const struct lease_grant *grants, size_t count)
{
    int64_t status_ns = majority_status_ns(&topology->sentinels, grants, count);
    if (topology->previous_sentinels.count > 0) {
        int64_t previous_ns = majority_status_ns(&topology->previous_sentinels, grants, count);
        if (previous_ns < status_ns)
            status_ns = previous_ns;
    }
    return status_ns == INT64_MIN ? INT64_MIN : status_ns + LEASE_NS;
}
