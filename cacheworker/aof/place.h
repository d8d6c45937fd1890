/* place.h: where the commands of an append-only file stand in the stream of a group: lines that servers pass over.
 * Pure.
 *
 *     #respite-offset:1024        the next byte of a command is the one behind this offset
 *     #respite-epoch:7:1100       epoch 7 begins at this offset
 *     #respite-aside:23           the next so many bytes of commands are none of the stream
 *
 * The base tells a history (rdb.h); from there on every byte of a command is one of the stream. A replica writes down
 * the whole branch that it follows, and may end before it gets there: epochs that lie ahead are forgotten with the next
 * line of an offset. So wherever the file ends, history and data are those of one moment. */
#ifndef CACHEWORKER_AOF_PLACE_H
#define CACHEWORKER_AOF_PLACE_H

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/ha/topology.h"

struct cw_place {           /* with a zeroed history: of no group */
    struct history history; /* with epochs that are ahead of the last offset */
    uint64_t aside;         /* bytes to come that do not count */
};

/* The line of the offset, and one for each epoch of `branch` that `history` has not. */
void cw_place_write(const struct history *history, const struct history *branch, struct buf *out);

/* So many bytes of commands follow that are none of the stream; behind them stands the line of an offset. */
void cw_place_write_aside(size_t bytes, struct buf *out);

/* The line of the history's last epoch. */
void cw_place_write_epoch(const struct history *history, struct buf *out);

/* A line that begins with #. ERR_CORRUPT: it is one of these, and wrong. */
MUST_CHECK int cw_place_take(struct cw_place *place, struct slice line);

/* So many bytes of commands. Without a history there is nothing to be counted. */
void cw_place_advance(struct cw_place *place, uint64_t bytes);

/* Without what lies ahead. */
struct history cw_place_history(const struct cw_place *place);

#endif
