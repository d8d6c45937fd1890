/* window.h: a sliding window made of two fixed ones: what came in the present one, and of the one before it the share
 * that the sliding window still covers, as if it had come evenly. In whole numbers, without rounding. Pure. */
#ifndef CACHEWORKER_LIMITER_WINDOW_H
#define CACHEWORKER_LIMITER_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum { CW_WINDOW_MAX = 1000000000 }; /* of a limit, a length in ms and a cost: products and their sums fit 63 bits */

struct cw_window {
    int64_t length_ms; /* 1 to CW_WINDOW_MAX */
    int64_t index;     /* of the present fixed window: the date divided by its length */
    int64_t count;     /* in the present one */
    int64_t previous;  /* in the one before */
};

struct cw_window_verdict {
    bool is_limited;
    int64_t remaining;      /* units that would be let through now */
    int64_t retry_after_ms; /* when so much would be; -1: at once, or never */
    int64_t reset_after_ms; /* when nothing of what came counts any more */
};

/* Moves the window on to that date, which may be before it: then nothing changes. */
void cw_window_move(struct cw_window *window, int64_t now_ms);

/* Whether `cost` units may come now, to which the window was moved; if so they are counted. All from 0 to
 * CW_WINDOW_MAX.
 */
struct cw_window_verdict cw_window_take(struct cw_window *window, int64_t limit, int64_t cost, int64_t now_ms);

#endif
