#include "cacheworker/sort/sort.h"

#include <stdlib.h>

static int compare_texts(struct slice a, struct slice b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

static int by_place(const struct cw_sort_item *a, const struct cw_sort_item *b)
{
    int order = (a->index > b->index) - (a->index < b->index);
    return order != 0 ? order : compare_texts(a->element, b->element);
}

static int by_number(const struct cw_sort_item *a, const struct cw_sort_item *b)
{
    int order = (a->number > b->number) - (a->number < b->number);
    return order != 0 ? order : compare_texts(a->element, b->element);
}

static int by_text(const struct cw_sort_item *a, const struct cw_sort_item *b)
{
    if (!a->text.data || !b->text.data)
        return (a->text.data != NULL) - (b->text.data != NULL);
    return compare_texts(a->text, b->text);
}

static int numbers_up(const void *a, const void *b)
{
    int order = by_number(a, b);
    return order != 0 ? order : by_place(a, b);
}

static int numbers_down(const void *a, const void *b)
{
    int order = by_number(b, a);
    return order != 0 ? order : by_place(a, b);
}

static int texts_up(const void *a, const void *b)
{
    int order = by_text(a, b);
    return order != 0 ? order : by_place(a, b);
}

static int texts_down(const void *a, const void *b)
{
    int order = by_text(b, a);
    return order != 0 ? order : by_place(a, b);
}

void cw_sort_items(struct cw_sort_item *items, size_t count, enum cw_sort_kind kind, bool descending)
{
    if (count < 2)
        return;
    if (kind == CW_SORT_NUMBERS)
        qsort(items, count, sizeof(*items), descending ? numbers_down : numbers_up);
    else
        qsort(items, count, sizeof(*items), descending ? texts_down : texts_up);
}

/* Up to the first NUL. */
static struct slice readable(struct slice pattern)
{
    return slice_of(pattern.data, pattern.length > 0 ? strnlen(pattern.data, pattern.length) : 0);
}

static const char *find_star(struct slice pattern)
{
    struct slice text = readable(pattern);
    return text.length > 0 ? memchr(text.data, '*', text.length) : NULL;
}

bool cw_sort_has_star(struct slice pattern)
{
    return find_star(pattern) != NULL;
}

bool cw_sort_substitute(struct slice pattern, struct slice element, struct buf *key, struct slice *ret_field)
{
    const char *star = find_star(pattern);
    if (!star)
        return false;
    const char *end = pattern.data + pattern.length;
    struct slice behind = readable(slice_of(star + 1, (size_t)(end - star) - 1));
    const char *arrow = behind.length > 2 ? memmem(behind.data, behind.length - 1, "->", 2) : NULL;
    *ret_field = arrow ? slice_of(arrow + 2, (size_t)(end - arrow) - 2) : slice_of(NULL, 0);
    buf_clear(key);
    buf_add(key, pattern.data, (size_t)(star - pattern.data));
    buf_add_slice(key, element);
    buf_add(key, star + 1, (size_t)((arrow ? arrow : end) - star) - 1);
    return true;
}
