/* lanes.h: over which of two shared links a client's command goes, while the worker holds replies (ADR 13). Pure.
 *
 * Replies on one link come in order. Where those to writes wait, for the disk or for replicas, reads of others would
 * wait behind them; so they take a link of their own, beside the one that takes everything. Two links promise no order
 * between their commands. Hence:
 *
 *     - all that a client has under way is on one link;
 *     - it is free to choose while nothing is under way: a read takes the link of reads, if there is one;
 *     - a read that would wait for a write of its own key is refused on the link of reads, and asked again on the other
 *       one; so is each read of that client behind it, in order, whatever it was answered;
 *     - a write never goes where reads of others would wait behind it. A client that pipelines a write behind its reads
 *       waits once for their replies, and its next bursts take the link of everything. */
#ifndef PROXY_CORE_LANES_H
#define PROXY_CORE_LANES_H

#include "common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum px_lane {
    PX_LANE_ALL,
    PX_LANE_READS,
    PX_LANE_LATER, /* when nothing is outstanding; no lane to be in */
};

enum { PX_LANES_MIXED_BURSTS = 255 };

struct px_lanes {         /* of one client; zeroed: it has sent nothing */
    uint8_t lane;         /* enum px_lane, of what is outstanding */
    bool is_moving;       /* what it has on the lane of reads is asked again on the other one, in order */
    uint8_t mixed_bursts; /* that begin with a read, and yet take the lane of everything */
};

/* `has_reads`: there is a lane of reads at present. `outstanding`: commands of the client without an answer. */
enum px_lane px_lanes_choose(struct px_lanes *lanes, bool is_read, bool has_reads, uint32_t outstanding);

/* A read came to its answer on the lane of reads. True: that does not count, and the read is asked again on the lane of
 * everything. */
bool px_lanes_move(struct px_lanes *lanes, bool is_refused);

/* Whether a frame of the link of reads refuses one. */
bool px_lanes_are_refused(struct slice frame);

/* Whether this frame is a worker's word that what was asked on a link waits there. */
bool px_lanes_are_held(struct slice frame);

#endif
