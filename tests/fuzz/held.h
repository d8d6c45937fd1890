/* held.h: what a worker holds, for fuzz targets that compare two moments of one, or it and what its disk says. */
#ifndef TESTS_FUZZ_HELD_H
#define TESTS_FUZZ_HELD_H

#include "cacheworker/engine/digest.h"
#include "cacheworker/engine/state.h"

/* Of all keys, also of those that have expired meanwhile: a replica leaves them to its master. */
struct cw_digest held_digest(struct cw_keyspace *keyspace);

/* That `again` was loaded from what `engine` wrote to its disk: the same data, and the same place in the stream. */
void held_must_agree(const struct cw_engine *engine, const struct cw_engine *again);

#endif
