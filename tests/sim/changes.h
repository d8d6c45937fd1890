/* changes.h: commands that change values of every type, some by chance or by what they find, for the simulator's
 * clients. What they answer is not looked at, but that it is no error, or that a group of a stream is there
 * or not: what counts is that at the end a replica has the
 * same data. None sets an expiry, since the clocks of the nodes differ. */
#ifndef TESTS_SIM_CHANGES_H
#define TESTS_SIM_CHANGES_H

#include "common/base/buf.h"
#include "common/base/rand.h"

/* Appends one command, as RESP. */
void changes_draw(struct rand *rand, struct buf *out);

#endif
