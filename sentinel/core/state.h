/* state.h: "sentinel.state", what a sentinel must not forget: who it is, and what it promised and accepted per group.
 *
 * The text is canonical and ends with a CRC32C over all before it. Reading refuses whatever writing would not have
 * written: a damaged state is no state, and the sentinel has lost its name (QUORUM section 1). */
#ifndef SENTINEL_CORE_STATE_H
#define SENTINEL_CORE_STATE_H

#include "sentinel/core/acceptor.h"

enum { SN_GROUPS_MAX = 16 };

struct sn_state {
    struct identity id;
    uint64_t run; /* bumped at each start; part of every ballot */
    uint32_t group_count;
    struct {
        char name[GROUP_NAME_MAX];
        struct sn_acceptor acceptor;
    } groups[SN_GROUPS_MAX];
};

void sn_state_encode(const struct sn_state *state, struct buf *out);
MUST_CHECK int sn_state_decode(struct slice text, struct sn_state *ret_state); /* ERR_CORRUPT */

#endif
