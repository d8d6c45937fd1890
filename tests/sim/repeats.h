/* repeats.h: control messages that arrive again, in some seeds: at once or behind later ones, on the same link or on a
 * later one between the same two. TCP does not do that, but somebody who has recorded them may, and each must be as
 * harmless as one that is late (QUORUM sections 1 and 2). */
#ifndef TESTS_SIM_REPEATS_H
#define TESTS_SIM_REPEATS_H

#include "tests/sim/stream.h"

/* What `from` has just sent is remembered, message by message. In `again` is put what arrives once more behind it: as a
 * rule nothing. */
void repeats_draw(struct world *world, const struct sim_end *from, struct slice bytes, struct buf *again);

void repeats_free(struct world *world);

#endif
