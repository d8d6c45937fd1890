/* marks.h: which of one session's replies wait for which offset of the stream (QUORUM section 5). Pure.
 *
 * A mark says: the bytes before `position` may leave when the stream is acknowledged up to `offset`. Positions count
 * all bytes ever written to the session. Both rise from mark to mark: what needs less waits for what it stands behind.
 */
#ifndef CACHEWORKER_ENGINE_MARKS_H
#define CACHEWORKER_ENGINE_MARKS_H

#include <stdbool.h>
#include <stdint.h>

enum { CW_MARKS_MAX = 32 };

struct cw_mark {
    uint64_t position;
    uint64_t offset;
};

struct cw_marks {        /* a zeroed struct has none */
    uint64_t free_until; /* position of the last one that was released */
    uint32_t count;
    struct cw_mark items[CW_MARKS_MAX];
};

/* Where there are too many, the newest waits for more than it must. */
void cw_marks_add(struct cw_marks *marks, uint64_t position, uint64_t offset);

/* Forgets the marks that need no more than `offset`; returns whether there were any. */
bool cw_marks_release(struct cw_marks *marks, uint64_t offset);

#endif
