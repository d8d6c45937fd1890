#include "sentinel/core/values.h"

bool sn_values_equal(const struct topology *a, const struct topology *b)
{
    if (a->version != b->version || a->epoch != b->epoch)
        return false;
    struct buf a_text = {0}, b_text = {0};
    topology_encode(a, &a_text);
    topology_encode(b, &b_text);
    bool equal = slice_equal(buf_slice(&a_text), buf_slice(&b_text));
    buf_free(&a_text);
    buf_free(&b_text);
    return equal;
}

bool sn_values_lists(const struct topology *value, const struct identity *sentinel)
{
    return sentinel_list_find(&value->sentinels, sentinel) >= 0 ||
           sentinel_list_find(&value->previous_sentinels, sentinel) >= 0;
}
