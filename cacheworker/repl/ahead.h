/* ahead.h: what a replica holds of the stream before it has come to apply it: what came in frames with a snapshot
 * (frames.h), and then what comes while that is applied.
 *
 * It is applied in slices, a few in each turn: so many that more of it goes than comes. Nothing here is acknowledged:
 * the data stand where they stand. */
#ifndef CACHEWORKER_REPL_AHEAD_H
#define CACHEWORKER_REPL_AHEAD_H

#include "cacheworker/repl/backlog.h"

enum { CW_AHEAD_A_TURN = 128 << 10 }; /* bytes, or twice as many as came since the turn before */

struct cw_ahead { /* a zeroed struct is empty */
    struct cw_backlog bytes;
    uint64_t applied; /* of them */
    uint64_t came;    /* since the last turn */
    uint64_t due;     /* in this turn */
    uint64_t peak;    /* bytes at one time, ever */
};

void cw_ahead_add(struct cw_ahead *ahead, struct slice bytes);
void cw_ahead_clear(struct cw_ahead *ahead); /* gives the memory back; the peak stays */

uint64_t cw_ahead_length(const struct cw_ahead *ahead);

/* A turn begins; then the bytes that it applies, piece by piece: empty when there are no more. Each is borrowed until
 * it is taken, or something is added. */
void cw_ahead_begin_turn(struct cw_ahead *ahead);
struct slice cw_ahead_next(const struct cw_ahead *ahead);
void cw_ahead_take(struct cw_ahead *ahead, size_t count);

#endif
