/* sort.h: the order that SORT gives to elements, and the names that its patterns stand for. Pure.
 *
 * Texts are compared byte by byte, as in the reference with the locale "C". */
#ifndef CACHEWORKER_SORT_SORT_H
#define CACHEWORKER_SORT_SORT_H

#include "common/base/buf.h"
#include "common/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

struct cw_sort_item {
    struct slice element; /* borrowed */
    struct slice text;    /* borrowed; what texts are sorted by; without data it is missing, and comes first */
    double number;        /* what numbers are sorted by, not NaN */
    size_t index;         /* of two that are equal otherwise, also downwards, the lower one comes first */
};

enum cw_sort_kind {
    CW_SORT_NUMBERS, /* and equal ones by their elements */
    CW_SORT_TEXTS,
};

/* Two items that do not differ in their indexes either come in the order of their elements. */
void cw_sort_items(struct cw_sort_item *items, size_t count, enum cw_sort_kind kind, bool descending);

/* A pattern that names a key in which the element takes the place of the first star, or with "->" behind that a field
 * of a hash. False: it has no star, and names nothing. `key` is overwritten; *ret_field is borrowed from the pattern,
 * and has no data when there is none. The reference reads patterns up to the first NUL, in search of these signs. */
bool cw_sort_substitute(struct slice pattern, struct slice element, struct buf *key, struct slice *ret_field);
bool cw_sort_has_star(struct slice pattern);

#endif
