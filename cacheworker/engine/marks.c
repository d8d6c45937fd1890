#include "cacheworker/engine/marks.h"

#include <string.h>

void cw_marks_add(struct cw_marks *marks, uint64_t position, uint64_t offset)
{
    struct cw_mark *last = marks->count > 0 ? &marks->items[marks->count - 1] : NULL;
    offset = last != NULL && offset < last->offset ? last->offset : offset; /* it stands behind that */
    if (last != NULL && (last->offset == offset || marks->count == CW_MARKS_MAX)) {
        last->position = position;
        last->offset = offset;
        return;
    }
    marks->items[marks->count++] = (struct cw_mark){position, offset};
}

bool cw_marks_release(struct cw_marks *marks, uint64_t offset)
{
    uint32_t released = 0;
    while (released < marks->count && marks->items[released].offset <= offset)
        released++;
    if (released == 0)
        return false;
    marks->free_until = marks->items[released - 1].position;
    marks->count -= released;
    memmove(marks->items, marks->items + released, marks->count * sizeof(marks->items[0]));
    return true;
}
