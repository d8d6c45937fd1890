#include "cacheworker/limiter/window.h"

void cw_window_move(struct cw_window *window, int64_t now_ms)
{
    int64_t index = now_ms / window->length_ms;
    if (index <= window->index)
        return;
    window->previous = index == window->index + 1 ? window->count : 0;
    window->count = 0;
    window->index = index;
}

/* How long the present window has lasted; its last moment where the clock went on without it, its first one where the
 * clock was set back. */
static int64_t elapsed_ms(const struct cw_window *window, int64_t now_ms)
{
    int64_t elapsed = now_ms - window->index * window->length_ms;
    return elapsed < 0 ? 0 : elapsed;
}

/* When so much of `previous` is out of the window that `room` units of it stay, counted from the window's beginning. */
static int64_t until_room_ms(int64_t length_ms, int64_t previous, int64_t room)
{
    if (previous <= room)
        return 0;
    return length_ms - room * length_ms / previous; /* rounded up, for what is subtracted is rounded down */
}

static int64_t retry_after_ms(const struct cw_window *window, int64_t limit, int64_t cost, int64_t elapsed)
{
    if (cost > limit)
        return -1;
    int64_t room = limit - cost - window->count;
    if (room >= 0)
        return until_room_ms(window->length_ms, window->previous, room) - elapsed;
    return window->length_ms - elapsed + until_room_ms(window->length_ms, window->count, limit - cost);
}

static int64_t reset_after_ms(const struct cw_window *window, int64_t elapsed)
{
    if (window->count > 0)
        return 2 * window->length_ms - elapsed;
    return window->previous > 0 ? window->length_ms - elapsed : 0;
}

struct cw_window_verdict cw_window_take(struct cw_window *window, int64_t limit, int64_t cost, int64_t now_ms)
{
    int64_t length = window->length_ms;
    int64_t elapsed = elapsed_ms(window, now_ms);
    int64_t used = window->count * length + window->previous * (length - elapsed); /* units times length */
    bool is_limited = used + cost * length > limit * length;
    struct cw_window_verdict verdict = {.is_limited = is_limited, .retry_after_ms = -1};
    if (is_limited) {
        verdict.retry_after_ms = retry_after_ms(window, limit, cost, elapsed);
    } else {
        window->count += cost;
        used += cost * length;
    }
    verdict.remaining = used < limit * length ? (limit * length - used) / length : 0;
    verdict.reset_after_ms = reset_after_ms(window, elapsed);
    return verdict;
}
