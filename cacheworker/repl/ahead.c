#include "cacheworker/repl/ahead.h"

uint64_t cw_ahead_length(const struct cw_ahead *ahead)
{
    return ahead->bytes.end - ahead->applied;
}

void cw_ahead_add(struct cw_ahead *ahead, struct slice bytes)
{
    cw_backlog_append(&ahead->bytes, bytes);
    ahead->came += bytes.length;
    if (cw_ahead_length(ahead) > ahead->peak)
        ahead->peak = cw_ahead_length(ahead);
}

void cw_ahead_clear(struct cw_ahead *ahead)
{
    cw_backlog_free(&ahead->bytes);
    ahead->applied = ahead->came = ahead->due = 0;
}

void cw_ahead_begin_turn(struct cw_ahead *ahead)
{
    ahead->due = ahead->came > CW_AHEAD_A_TURN / 2 ? 2 * ahead->came : CW_AHEAD_A_TURN;
    ahead->came = 0;
}

struct slice cw_ahead_next(const struct cw_ahead *ahead)
{
    struct slice bytes = cw_backlog_read(&ahead->bytes, ahead->applied);
    return slice_of(bytes.data, bytes.length < ahead->due ? bytes.length : (size_t)ahead->due);
}

void cw_ahead_take(struct cw_ahead *ahead, size_t count)
{
    ahead->applied += count;
    ahead->due -= count;
    if (ahead->applied == ahead->bytes.end)
        cw_ahead_clear(ahead);
    else
        cw_backlog_trim(&ahead->bytes, ahead->applied);
}
