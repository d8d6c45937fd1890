/* node_state.h: what a node keeps in "node.state", as a value and as text.
 *
 *     respite-node 1
 *     node <32 hexadecimal digits>
 *     incarnation <counter> <bits>
 *     fence <epoch>
 *     group <name, or - while unbound>
 *     crc32c <8 hexadecimal digits, of all bytes before this line> */
#ifndef CACHEWORKER_HA_NODE_STATE_H
#define CACHEWORKER_HA_NODE_STATE_H

#include "common/base/buf.h"
#include "common/ha/topology.h"

#define CW_NODE_STATE_FILE "node.state"

struct cw_node_state {
    struct life life;           /* the last one that was started, or is being started */
    uint64_t fence;             /* no role is taken, and no stream, of a lower epoch; 0: none */
    char group[GROUP_NAME_MAX]; /* "" while unbound */
};

bool cw_node_state_equal(const struct cw_node_state *a, const struct cw_node_state *b);

void cw_node_state_encode(const struct cw_node_state *state, struct buf *out);

/* Refuses every byte that encoding would not have written. ERR_CORRUPT. */
MUST_CHECK int cw_node_state_decode(struct slice text, struct cw_node_state *ret_state);

#endif
